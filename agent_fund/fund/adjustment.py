"""Adjustments: what a place really has more or less than the books, on the word of a person.

What was paid and what was received for it are stated together, so that a trade that nobody booked
is adopted whole, and only what it won or lost moves NAV.

A loss is a loss: the machine ticks, the mark stays where it was, and a limit may break. A gain is
nobody's earning, so it must make up no drawdown: else a coin sent by hand would buy back the room
that trading has lost. What adjustments took before, it gives back, with ticks; beyond that it is
counted as money that comes in, and the mark rises in proportion with NAV. The share that NAV
stands below its mark is then what it was, the floor in money is no lower, and the bounds in force
keep their promise. A fixed floor stays. The mark is rounded down by less than one unit here, so
that no gain breaks a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import MAX_UNITS
from agent_fund.guard.machine import Machine


@dataclass(frozen=True)
class Adjustment:
    """What is to be posted at one place.

    Attributes:
        units: base units by asset symbol, of the currency or of a position there, signed.
    """

    place: str
    units: Mapping[str, int]

    @classmethod
    def stated(cls, book: Book, place: str, amounts: Mapping[str, str]) -> Adjustment:
        """As a person states it: signed decimal amounts by asset symbol.

        Raises:
            DomainError: for an unknown asset, an inexact amount, or what ``require`` refuses.
        """
        known = _assets(book, place)
        found = cls(place, {s: _known(known, s, place).units(a) for s, a in amounts.items()})
        found.require(book)
        return found

    def assets(self, book: Book) -> dict[Asset, int]:
        """Base units by asset."""
        known = _assets(book, self.place)
        return {_known(known, symbol, self.place): units for symbol, units in self.units.items()}

    def value(self, book: Book, prices: Mapping[str, int]) -> int:
        """What it adds to NAV at ``prices``, in base units of the currency."""
        lines = _lines(book, self.place)
        return sum(
            units
            if symbol == book.currency.symbol
            else lines[symbol].notional(units, prices[lines[symbol].symbol])
            for symbol, units in self.units.items()
        )

    def require(self, book: Book) -> None:
        """Refuse what no place can have, and what may still change by itself.

        Raises:
            DomainError: if the place or an asset is not the fund's, an amount is 0 or no whole
                number of lots, less than nothing would be left of spot, or an order is open or
                money under way there.
        """
        place = self.place
        if place not in book.places:
            raise DomainError("place", place, f"the fund's places are: {', '.join(book.places)}")
        if not self.units:
            raise DomainError(f"adjustment at {place}", {}, "state an asset and an amount")
        orders = [o.order_id for o in book.open_orders if o.instrument.account == place]
        if orders:
            fix = "wait until it has ended, or settle it first"
            raise DomainError(f"open order at {place}", orders[0], fix)
        for transit in book.transit:
            if place in (transit.transfer.source, transit.transfer.target):
                fix = "wait until it has arrived"
                raise DomainError(f"transfer at {place}", transit.transfer_id, fix)
        lines = _lines(book, place)
        margined = any(line.margin is not None for line in lines.values())
        known = _assets(book, place)
        for symbol, units in self.units.items():
            asset = _known(known, symbol, place)
            subject = f"adjustment of {symbol} at {place}"
            if not units or abs(units) > MAX_UNITS:
                seen = units if not units else "more than there can be"
                raise DomainError(subject, seen, "state what is more or less there")
            held = book.places[place]
            if asset != book.currency:
                line = lines[symbol]
                held = book.position(line.symbol)
                if units % line.lot:
                    lot = line.base.amount(line.lot)
                    raise DomainError(subject, units, f"whole lots of {lot} can be traded again")
            if held + units < 0 and not margined:
                raise DomainError(subject, units, f"the books have {asset.amount(held):f}")


def count(machine: Machine, value: int, taken: int) -> int:
    """Let the machine see that NAV is ``value`` more.

    Args:
        taken: what the adjustments so far have taken from NAV and not given back.

    Returns:
        The same, after this one.
    """
    if value <= 0:
        machine.tick(machine.v + value)
        return taken - value
    back = min(value, taken)
    if back:
        machine.tick(machine.v + back)
    nav, after = machine.v, machine.v + value - back
    if after > nav:
        if nav > 0:
            machine.tick(machine.h * after // nav)
        machine.tick(after)
    return taken - back


def _lines(book: Book, place: str) -> dict[str, Instrument]:
    """The instruments at a place, by the symbol of what they trade."""
    return {i.base.symbol: i for i in book.instruments.values() if i.account == place}


def _assets(book: Book, place: str) -> dict[str, Asset]:
    bases = {symbol: line.base for symbol, line in _lines(book, place).items()}
    return bases | {book.currency.symbol: book.currency}


def _known(known: Mapping[str, Asset], symbol: str, place: str) -> Asset:
    asset = known.get(symbol)
    if asset is None:
        raise DomainError(f"asset at {place}", symbol, f"the fund has there: {', '.join(known)}")
    return asset
