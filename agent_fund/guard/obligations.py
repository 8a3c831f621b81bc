"""Everything that must be proved of a book: loss and gain, with nothing lost and with each venue,
chain or issuer that may be, and that no margin account falls below maintenance; each as one form
of the kernel.

A loss is a disjunction: what goes with it is gone, a constant, and the rest moves on without it
(see ``lost_book``). A margin account's shortfall, the maintenance that it needs less its equity,
must not be positive in any scenario, whatever the fills: positions count at the largest that they
can be.
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
from agent_fund.guard.band import Band
from agent_fund.guard.cases import Case, cases
from agent_fund.guard.compile import Terms, best_fill, worst_fill
from agent_fund.guard.cost_bound import cost_bound
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.losses import Loss
from agent_fund.guard.stress.lost_book import concerns, gain_without, loss_without
from agent_fund.guard.stress.stress_set import Stress


class Role(enum.Enum):
    """What a form bounds."""

    LOSS = "loss"
    GAIN = "gain"
    MARGIN = "margin"


@dataclass(frozen=True)
class Obligation:
    """A form of which an upper bound has to be proved.

    Attributes:
        about: who is lost, as ``Loss`` writes it, the margin account, or empty.
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
        DomainError: for what is derived from an asset whose issuer may be lost.
    """
    stress, every = mandate.stress, cases(book, proposal)
    after = after_transfers(book, proposal)
    found: list[Obligation] = []
    for loss in map(Loss.parse, stress.lost):
        for symbol in sorted({s for case in every for s in case.symbols}):
            loss.require_covered(book.instrument(symbol), book.instruments)
    for case in every:
        for lost in ("", *(o for o in stress.lost if concerns(Loss.parse(o), case, after))):
            found.append(Obligation(Role.LOSS, lost, case, _loss(case, lost, stress, band, after)))
            found.append(Obligation(Role.GAIN, lost, case, _gain(case, lost, stress, band, after)))
        for account, symbols in _margined(after, case):
            form = shortfall_form(mandate, case.only(symbols), every, account, band, after)
            found.append(Obligation(Role.MARGIN, account, case, form))
    if stress.watched:
        return tuple(_over_uses(obligation, stress) for obligation in found)
    return tuple(found)


def _loss(case: Case, lost: str, stress: Stress, band: Band, book: Book) -> Form:
    if lost:
        return loss_without(Loss.parse(lost), case, stress, band, book)
    terms = Terms.held(case, stress, band, book, -1)
    terms.legs(case, stress, band, worst_fill)
    return terms.form()


def _gain(case: Case, lost: str, stress: Stress, band: Band, book: Book) -> Form:
    if lost:
        return gain_without(Loss.parse(lost), case, stress, band, book)
    terms = Terms.held(case, stress, band, book, 1)
    terms.legs(case, stress, band, best_fill)
    return terms.form()


def _over_uses(obligation: Obligation, stress: Stress) -> Obligation:
    """The obligation over every driver: money does not hang on what budgets watch."""
    form = obligation.form
    linear = (*form.linear, *[0] * (len(stress.kernel.box) - len(form.linear)))
    return replace(obligation, form=replace(form, linear=linear))


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
    terms = Terms(len(stress.box), book)
    parts = [
        c.only({s for s in c.symbols if book.instruments[s].account == account}) for c in every
    ]
    costs = cost_bound(parts, stress, mandate.costs, band, book, mandate.exit_bars)
    terms.constant = (costs - book.places.get(account, 0)) * SCALE
    for symbol, quantity in case.positions.items():
        instrument = book.instruments[symbol]
        curve = envelope(instrument, stress, band, book)
        if curve is not None:
            size = abs(quantity) * instrument.multiplier
            owed = curve.lower.times(-size) if quantity > 0 else curve.upper.times(size)
            terms.add(owed, stress.driver(instrument.moves_with))
            continue
        # -quantity * price * (1 + x), its price anywhere in the band: two lines, the worse counts.
        driver = stress.driver(symbol)
        low, high = band[symbol]
        size = -quantity * instrument.multiplier
        terms.linear[driver] += size * low
        terms.constant += size * low * SCALE
        if high != low:
            rise = size * (high - low)
            terms.hinges.append(Hinge(1, driver, rise, rise * SCALE))
    terms.legs(case, stress, band, worst_fill)
    for symbol in sorted(case.symbols):
        _add_maintenance(terms, book.instruments[symbol], case, mandate, band, book)
    return terms.form()


def _add_maintenance(
    terms: Terms,
    instrument: Instrument,
    case: Case,
    mandate: ResolvedMandate,
    band: Band,
    book: Book,
) -> None:
    """The tiers' hinges for the largest absolute position of ``case`` at price * (1 + x).

    Options need margin where they are owed, on the notional of their underlying.
    """
    if instrument.margin is None:
        return
    stress, multiple = mandate.stress, mandate.margin_multiple
    driver = stress.driver(instrument.moves_with)
    low, high = stress.box[driver]
    # The price may stand above what the driver says by the funding that a long has paid.
    paid, _ = stress.carry.get(instrument.symbol, (0, 0))
    tops = {s: band[s][1] for s in {instrument.symbol, instrument.moves_with} if s in band}
    slope = book.exposure(instrument.symbol, case.margined(instrument), tops)
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


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
