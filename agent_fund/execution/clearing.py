"""Clearing: what margin accounts owe and get, as exact functions of a book, marks and rates.

A venue's simulation and an audit use the same functions, so both make the same integers. Events
come in the order of the book's instruments and places. Real venues do their own clearing and tell
what it came to; to the fund both are a ``Clearing``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div, require_int
from agent_fund.domain.order import Order
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.execution.errors import ExecutionError


class Clearing(Protocol):
    """Who settles the margin accounts."""

    def due(self, rates: Sequence[int], flat: bool) -> bool:
        """Whether ``fundings`` has to be asked at this bar: cheap, for most bars have none."""
        ...

    def fundings(
        self, book: Book, marks: Mapping[str, int], rates: Mapping[str, int], bar: int
    ) -> tuple[Funding, ...]:
        """The payments at the open of ``bar``, before its fills; at most one an instrument."""
        ...

    def liquidations(
        self, book: Book, marks: Mapping[str, int], bar: int, when: str
    ) -> tuple[Liquidation, ...]:
        """What was closed by the venues.

        Args:
            when: ``"before"`` the fills of the open of ``bar``, of which only real venues tell;
                at its ``"open"``, after them; or at its ``"close"``.
        """
        ...


class ByRule:
    """The clearing of simulated venues: it follows from the book, the marks and the rates."""

    def due(self, rates: Sequence[int], flat: bool) -> bool:
        """Where a rate is not 0 and something is held."""
        return not flat and any(rates)

    def fundings(
        self, book: Book, marks: Mapping[str, int], rates: Mapping[str, int], bar: int
    ) -> tuple[Funding, ...]:
        """As the function of this name."""
        return fundings(book, marks, rates, bar)

    def liquidations(
        self, book: Book, marks: Mapping[str, int], bar: int, when: str
    ) -> tuple[Liquidation, ...]:
        """As the function of this name."""
        return () if when == "before" else liquidations(book, marks, bar, when)


def fundings(
    book: Book, marks: Mapping[str, int], rates: Mapping[str, int], bar: int
) -> tuple[Funding, ...]:
    """The funding due at the open of ``bar`` on the perpetuals held; payments of 0 are left out.

    Args:
        book: before that open's fills.
        marks: price units by symbol, at the funding time.
        rates: in 10**-RATE_SCALE of the notional, by symbol; none is due on an absent one.

    Raises:
        ExecutionError: for a position with a rate and without a mark.
    """
    events = (
        Funding(instrument, quantity, _mark(instrument, marks), rates[instrument.symbol], bar)
        for instrument, quantity in _held(book)
        if rates.get(instrument.symbol, 0)
    )
    return tuple(event for event in events if event.amount)


def liquidations(
    book: Book, marks: Mapping[str, int], bar: int, when: str
) -> tuple[Liquidation, ...]:
    """The positions that their venues close: all of each account below its maintenance margin.

    Each is closed at its mark and pays the liquidation fee on its notional, rounded up, whatever is
    left; the cover of the account's last position then lifts the account to zero.

    Args:
        marks: price units by symbol, of every perpetual held.
        when: ``"open"`` or ``"close"`` of ``bar``.

    Raises:
        ExecutionError: for a position without a mark.
    """
    closed: list[Liquidation] = []
    for place in book.places:
        held = [(i, quantity) for i, quantity in _held(book) if i.account == place]
        at = {instrument.symbol: _mark(instrument, marks) for instrument, _ in held}
        left = book.equity(place, at) if held else 0
        if not held or left >= book.maintenance(place, at):
            continue
        events: list[Liquidation] = []
        for instrument, quantity in held:
            mark = at[instrument.symbol]
            fee = _liquidation_fee(instrument, abs(instrument.notional(quantity, mark)))
            left -= fee
            events.append(Liquidation(instrument, quantity, mark, fee, 0, bar, when))
        events[-1] = replace(events[-1], cover=max(0, -left))
        closed += events
    return tuple(closed)


def initial_margin(book: Book, place: str, marks: Mapping[str, int]) -> int:
    """The most that the account's positions can need to be opened, whichever open orders fill.

    For each instrument: the initial rate on the largest absolute position that the open orders can
    make, at the highest of the mark and their limits; rounded up.

    Raises:
        ExecutionError: for an instrument held or ordered there without a mark.
    """
    need = 0
    for instrument in book.instruments.values():
        if instrument.account != place or instrument.margin is None:
            continue
        orders = [o for o in book.open_orders if o.instrument == instrument and o.remaining]
        worst = _largest(book.position(instrument.symbol), orders)
        if worst:
            price = max([_mark(instrument, marks), *(order.limit for order in orders)])
            rate, notional = instrument.margin.initial, instrument.notional(worst, price)
            need += ceil_div(rate.numerator * notional, rate.denominator)
    return need


def margin_room(book: Book, place: str, marks: Mapping[str, int]) -> int:
    """What could leave the margin account: its equity less its initial margin; may be negative.

    Raises:
        ExecutionError: for an instrument held or ordered there without a mark.
    """
    at = {i.symbol: _mark(i, marks) for i, _ in _held(book) if i.account == place}
    return book.equity(place, at) - initial_margin(book, place, marks)


def affords(book: Book, order: Order, marks: Mapping[str, int]) -> bool:
    """Whether the venue takes ``order``: it cannot enlarge the position, or there is room for it.

    Args:
        book: with the open orders that the venue has, without ``order``.

    Raises:
        ExecutionError: for an instrument held or ordered at its account without a mark.
    """
    instrument = order.instrument
    if instrument.margin is None:
        return True
    others = [o for o in book.open_orders if o.instrument == instrument]
    position = book.position(instrument.symbol)
    if _largest(position, [*others, order]) <= _largest(position, others):
        return True
    after = replace(book, open_orders=(*book.open_orders, order))
    return margin_room(after, instrument.account, marks) >= 0


def require_marks(book: Book, orders: Iterable[Order], marks: Mapping[str, int] | None) -> None:
    """Refuse ``orders`` that ``affords`` could not judge: they take a mark of every perpetual of
    their accounts.

    Raises:
        ExecutionError: naming the first perpetual without a mark.
    """
    accounts = {o.instrument.account for o in orders if o.instrument.margin is not None}
    for instrument in book.instruments.values() if accounts else ():
        if instrument.account in accounts:
            _mark(instrument, marks or {})


def _held(book: Book) -> Iterable[tuple[Instrument, int]]:
    """The perpetuals held, in the order of the book's instruments."""
    for symbol, instrument in book.instruments.items():
        quantity = book.positions.get(symbol, 0)
        if quantity and instrument.margin is not None:
            yield instrument, quantity


def _largest(position: int, orders: Iterable[Order]) -> int:
    """The largest absolute position that fills of any part of ``orders`` can make."""
    low = high = position
    for order in orders:
        low += min(0, order.signed_remaining)
        high += max(0, order.signed_remaining)
    return max(-low, high)


def _liquidation_fee(instrument: Instrument, notional: int) -> int:
    rate = instrument.margin.liquidation_fee if instrument.margin is not None else 0
    return ceil_div(notional * rate.numerator, rate.denominator)


def _mark(instrument: Instrument, marks: Mapping[str, int]) -> int:
    mark = marks.get(instrument.symbol)
    if mark is None:
        raise ExecutionError(
            f"mark of {instrument.symbol}",
            mark,
            "give one for each perpetual held or ordered there",
        )
    return require_int(mark, f"mark of {instrument.symbol}", minimum=1)
