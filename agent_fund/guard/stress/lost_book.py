"""Loss and gain of a book that loses a venue, a chain or an issuer: what goes with it is gone.

It may happen at any time within the horizon, so fills before it count. At a lost venue everything
goes, positions and the cash that pays for them alike: what fills do there changes nothing, and what
the venue owes the fund at the decision, if it is positive, is lost. What a lost issuer has issued
is worth nothing, and the cash that paid for it is gone too, while what was sold before stays. If
the fund's own currency goes, nothing need be left, because the way out turns all of it into cash;
what rises then is what needs no margin account, and what may have been bought of it before.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent_fund.domain.book import Book
from agent_fund.guard.band import Band
from agent_fund.guard.cases import Case, Option
from agent_fund.guard.compile import Terms, best_fill, worst_fill
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.pricing.dearest import dearest
from agent_fund.guard.stress.losses import Loss
from agent_fund.guard.stress.stress_set import Stress


def concerns(loss: Loss, case: Case, book: Book) -> bool:
    """Whether anything of the fund goes with it, or may come to."""
    if loss.takes_currency(book):
        return bool(book.cash or case.symbols)
    if _gone(loss, case, book):
        return True
    return any(
        any(_at(t.transfer.target, venue) for t in book.transit)
        or any(cash and _at(place, venue) for place, cash in book.places.items())
        for venue in loss.venues(book)
    )


def loss_without(loss: Loss, case: Case, stress: Stress, band: Band, book: Book) -> Form:
    """How far NAV falls, in base units times SCALE; costs aside."""
    if loss.takes_currency(book):
        terms = Terms(len(stress.box), book)
        nav = book.cash + sum(max(pair) for _, pair in _worth(case, band, book))
        terms.constant = max(0, nav) * SCALE
        return terms.form()
    kept = case.only(case.symbols - _gone(loss, case, book))
    terms = Terms.held(kept, stress, band, book, -1)
    terms.legs(kept, stress, band, worst_fill)
    for venue in loss.venues(book):
        coming = sum(t.transfer.amount for t in book.transit if _at(t.transfer.target, venue))
        owed = _cash(book, venue) + coming
        owed += sum(max(pair) for name, pair in _worth(case, band, book) if name == venue)
        terms.constant += max(0, owed) * SCALE
    issued = _issued(loss, case, book)
    for _, (low, high) in _worth(issued, band, book):
        terms.constant += max(0, low, high) * SCALE
    for leg in _legs(issued):
        if leg.quantity > 0:
            terms.constant += leg.instrument.notional(leg.quantity, leg.limit) * SCALE
    return terms.form()


def gain_without(loss: Loss, case: Case, stress: Stress, band: Band, book: Book) -> Form:
    """How far NAV rises, in base units times SCALE: a debt may vanish with whom it is owed to."""
    kept = case.only(case.symbols - _gone(loss, case, book))
    if loss.takes_currency(book):
        kept = case.only({s for s in kept.symbols if book.instruments[s].margin is None})
        rest = case.only(case.symbols - kept.symbols)
        terms = Terms.held(kept, stress, band, book, 1)
        lost = book.cash + sum(min(pair) for _, pair in _worth(rest, band, book))
        terms.constant -= lost * SCALE
        # What it cost is lost either way.
        terms.constant += sum(_most(leg, stress, band, book) for leg in _legs(kept, 1))
        return terms.form()
    terms = Terms.held(kept, stress, band, book, 1)
    terms.legs(kept, stress, band, best_fill)
    for venue in loss.venues(book):
        owed = sum(min(pair) for name, pair in _worth(case, band, book) if name == venue)
        terms.constant -= (_cash(book, venue) + owed) * SCALE
    issued = _issued(loss, case, book)
    terms.constant -= sum(min(pair) for _, pair in _worth(issued, band, book)) * SCALE
    terms.constant += sum(_most(leg, stress, band, book) for leg in _legs(issued, -1))
    return terms.form()


def _gone(loss: Loss, case: Case, book: Book) -> set[str]:
    """The instruments of the case that are worth nothing then."""
    venues = loss.venues(book)
    every = {s: book.instruments[s] for s in case.symbols}
    return {s for s, i in every.items() if i.venue.name in venues or loss.issued(i)}


def _issued(loss: Loss, case: Case, book: Book) -> Case:
    return case.only({s for s in case.symbols if loss.issued(book.instruments[s])})


def _legs(case: Case, sign: int = 0) -> Iterator[Option]:
    """The legs of the case, filled or open; of one side if ``sign`` says so."""
    for leg in (*case.full, *case.options):
        if not sign or (leg.quantity > 0) == (sign > 0):
            yield leg


def _most(leg: Option, stress: Stress, band: Band, book: Book) -> int:
    """What all of the leg is worth at the highest price of the set, times SCALE."""
    price = dearest(leg.instrument, stress, band, book)
    return leg.instrument.notional(abs(leg.quantity), price) * SCALE


def _worth(case: Case, band: Band, book: Book) -> Iterator[tuple[str, tuple[int, int]]]:
    """The venue of each position held, and what it is worth at either end of the band."""
    for symbol, quantity in case.positions.items():
        instrument = book.instruments[symbol]
        low, high = (instrument.notional(quantity, price) for price in band[symbol])
        yield instrument.venue.name, (low, high)


def _cash(book: Book, venue: str) -> int:
    return sum(cash for place, cash in book.places.items() if _at(place, venue))


def _at(place: str, venue: str) -> bool:
    """Whether ``place`` belongs to ``venue``: itself, or an isolated account there."""
    return place == venue or place.startswith(f"{venue}/")
