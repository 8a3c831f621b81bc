"""Everything that must be proved of a book: loss and gain, with no venue lost and with each one
that may be, and that no margin account falls below maintenance; each as one form of the kernel.

The loss of a venue is a disjunction: what stands there is gone, a constant, and the rest moves on
without it. A margin account's shortfall, the maintenance that it needs less its equity, must not be
positive in any scenario, whatever the fills: positions count at the largest that they can be.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal
from agent_fund.domain.transfer import PROPOSED, Transit
from agent_fund.guard.compile import (
    Band,
    Case,
    Terms,
    best_fill,
    cases,
    cost_bound,
    worst_fill,
)
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.mandate import ResolvedMandate
from agent_fund.guard.stress import Stress


class Role(enum.Enum):
    """What a form bounds."""

    LOSS = "loss"
    GAIN = "gain"
    MARGIN = "margin"


@dataclass(frozen=True)
class Obligation:
    """A form of which an upper bound has to be proved.

    Attributes:
        about: the venue lost, the margin account, or empty.
        case: the way the legs went.
    """

    role: Role
    about: str
    case: Case
    form: Form


def after_transfers(book: Book, proposal: Proposal) -> Book:
    """The book once the proposal's transfers have left: their money is under way."""
    if not proposal.transfers:
        return book
    places = dict(book.places)
    for transfer in proposal.transfers:
        places[transfer.source] = places.get(transfer.source, 0) - transfer.amount
    under_way = tuple(Transit(PROPOSED, transfer, 0) for transfer in proposal.transfers)
    return replace(book, places=places, transit=(*book.transit, *under_way))


def before_transfers(book: Book) -> Book:
    """The book as it was before ``after_transfers``."""
    proposed = [t for t in book.transit if t.transfer_id == PROPOSED]
    if not proposed:
        return book
    places = dict(book.places)
    for transit in proposed:
        places[transit.transfer.source] += transit.transfer.amount
    under_way = tuple(t for t in book.transit if t.transfer_id != PROPOSED)
    return replace(book, places=places, transit=under_way)


def obligations(
    mandate: ResolvedMandate, book: Book, proposal: Proposal, band: Band
) -> tuple[Obligation, ...]:
    """All of them, in an order that the book and the proposal alone determine.

    Args:
        book: as held, before the proposal's transfers.

    Raises:
        TooManyCasesError: if the ordered legs can go too many ways.
    """
    stress, every = mandate.stress, cases(book, proposal)
    after = after_transfers(book, proposal)
    found: list[Obligation] = []
    for case in every:
        for venue in ("", *(v for v in stress.lost if _stands_at(after, case, v))):
            found.append(
                Obligation(Role.LOSS, venue, case, _loss(case, venue, stress, band, after))
            )
            found.append(
                Obligation(Role.GAIN, venue, case, _gain(case, venue, stress, band, after))
            )
        for account, symbols in _margined(after, case):
            form = shortfall_form(mandate, case.only(symbols), every, account, band, after)
            found.append(Obligation(Role.MARGIN, account, case, form))
    return tuple(found)


def _loss(case: Case, venue: str, stress: Stress, band: Band, book: Book) -> Form:
    kept = _elsewhere(case, venue, book)
    terms = Terms.held(kept, stress, band, book, -1)
    terms.legs(kept, stress, band, worst_fill)
    if venue:
        incoming = sum(t.transfer.amount for t in book.transit if _at(t.transfer.target, venue))
        high = _cash(book, venue) + sum(max(pair) for pair in _worth(case, venue, band, book))
        terms.constant += max(0, high + incoming) * SCALE
    return terms.form()


def _gain(case: Case, venue: str, stress: Stress, band: Band, book: Book) -> Form:
    kept = _elsewhere(case, venue, book)
    terms = Terms.held(kept, stress, band, book, 1)
    terms.legs(kept, stress, band, best_fill)
    if venue:
        low = _cash(book, venue) + sum(min(pair) for pair in _worth(case, venue, band, book))
        terms.constant -= low * SCALE
    return terms.form()


def shortfall_form(
    mandate: ResolvedMandate,
    case: Case,
    every: Sequence[Case],
    account: str,
    band: Band,
    book: Book,
) -> Form:
    """Maintenance of one margin account less its equity, in base units times SCALE.

    Args:
        case: its part that concerns the account's instruments.
        every: all cases; trading costs of the account are counted over them.
    """
    stress = mandate.stress
    terms = Terms(len(stress.box))
    parts = [
        c.only({s for s in c.symbols if book.instruments[s].account == account}) for c in every
    ]
    costs = cost_bound(parts, stress, mandate.costs, band, book, mandate.exit_bars)
    terms.constant = (costs - book.places.get(account, 0)) * SCALE
    for symbol, quantity in case.positions.items():
        # -quantity * price * (1 + x), its price anywhere in the band: two lines, the worse counts.
        driver = stress.driver(symbol)
        low, high = band[symbol]
        size = -quantity * book.instruments[symbol].multiplier
        terms.linear[driver] += size * low
        terms.constant += size * low * SCALE
        if high != low:
            rise = size * (high - low)
            terms.hinges.append(Hinge(1, driver, rise, rise * SCALE))
    terms.legs(case, stress, band, worst_fill)
    for symbol in sorted(case.symbols):
        _add_maintenance(terms, book.instruments[symbol], case.largest(symbol), mandate, band)
    return terms.form()


def _add_maintenance(
    terms: Terms, instrument: Instrument, largest: int, mandate: ResolvedMandate, band: Band
) -> None:
    """The tiers' hinges for an absolute position of ``largest`` at price * (1 + x)."""
    if instrument.margin is None:
        return
    stress, multiple = mandate.stress, mandate.margin_multiple
    driver = stress.driver(instrument.symbol)
    low, high = stress.box[driver]
    # The price may stand above what the driver says by the funding that a long has paid.
    paid, _ = stress.carry.get(instrument.symbol, (0, 0))
    slope = instrument.notional(largest, band[instrument.symbol][1])
    for rise, floor in instrument.margin.steps:
        rate = rise * multiple
        a, b = rate * slope, rate * (slope * (SCALE + paid) - floor * SCALE)
        # Rounded so that the line is not below the exact one anywhere in the box.
        hinge = Hinge(1, driver, a.numerator // a.denominator, _ceil(b) + high)
        ends = [hinge.slope * x + hinge.offset for x in (low, high)]
        if min(ends) >= 0:
            terms.linear[driver] += hinge.slope
            terms.constant += hinge.offset
        elif max(ends) > 0:
            terms.hinges.append(hinge)


def _margined(book: Book, case: Case) -> Iterator[tuple[str, set[str]]]:
    """Margin accounts with a position or a leg in this case, and their instruments there."""
    accounts: dict[str, set[str]] = {}
    for symbol in sorted(case.symbols):
        instrument = book.instruments[symbol]
        if instrument.margin is not None:
            accounts.setdefault(instrument.account, set()).add(symbol)
    yield from sorted(accounts.items())


def _at(place: str, venue: str) -> bool:
    """Whether ``place`` belongs to ``venue``: itself, or an isolated account there."""
    return place == venue or place.startswith(f"{venue}/")


def _cash(book: Book, venue: str) -> int:
    return sum(cash for place, cash in book.places.items() if _at(place, venue))


def _worth(case: Case, venue: str, band: Band, book: Book) -> Iterator[tuple[int, int]]:
    """What each position held at ``venue`` is worth at either end of the band."""
    for symbol, quantity in case.positions.items():
        instrument = book.instruments[symbol]
        if instrument.venue.name == venue:
            low, high = band[symbol]
            yield instrument.notional(quantity, low), instrument.notional(quantity, high)


def _elsewhere(case: Case, venue: str, book: Book) -> Case:
    if not venue:
        return case
    return case.only({s for s in case.symbols if book.instruments[s].venue.name != venue})


def _stands_at(book: Book, case: Case, venue: str) -> bool:
    """Whether anything of the fund is or may come to be at ``venue``."""
    if any(book.instruments[s].venue.name == venue for s in case.symbols):
        return True
    coming = any(_at(t.transfer.target, venue) for t in book.transit)
    return coming or any(cash and _at(place, venue) for place, cash in book.places.items())


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
