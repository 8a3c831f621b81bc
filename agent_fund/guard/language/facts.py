"""What is known when a clause is judged: the fund as it is, prices, NAV, the high-water mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import require_int
from agent_fund.guard.language.expression import Exposure, Known, Selection


@dataclass(frozen=True)
class Facts:
    """The fund and its prices at a decision.

    Attributes:
        held: the book as it is held.
        book: the same once the transfers of the trade have left; ``held`` if it makes none.
        prices: marks in price units; every instrument that is held or may be needs one.
        nav, mark: NAV and high-water mark, in base units of the currency.
    """

    held: Book
    book: Book
    prices: Mapping[str, int]
    nav: int
    mark: int

    def known(self, leaf: Known) -> int:
        """The value of ``leaf`` in base units of the currency.

        Raises:
            DomainError: for a place or an instrument that the fund does not know, or no price.
        """
        if leaf.name == "nav":
            return self.nav
        if leaf.name == "mark":
            return self.mark
        if leaf.name == "unit":
            return int(10**self.held.currency.scale)
        if leaf.name == "cash":
            return cash_at(self.held, leaf.argument)
        base = self.held.instrument(leaf.argument).base
        return self.worth(leaf.argument, int(10**base.scale))

    def worth(self, symbol: str, quantity: int) -> int:
        """``quantity`` base units of ``symbol`` at its price, in base units of the currency."""
        price = require_int(self.prices.get(symbol), f"price of {symbol}", minimum=1)
        return self.held.instrument(symbol).notional(quantity, price)

    def exposed(self, symbol: str, quantity: int) -> Fraction | int:
        """What ``quantity`` base units of ``symbol`` count for, in base units of the currency.

        An option counts as what it is an option on, whole, whatever its chances: as a purchase if
        it gains when that rises, as a sale if it gains when that falls.
        """
        line = self.held.instrument(symbol)
        if not isinstance(line.terms, OptionTerms):
            return self.worth(symbol, quantity)
        on = self.held.instrument(line.moves_with)
        price = require_int(self.prices.get(on.symbol), f"price of {on.symbol}", minimum=1)
        units = quantity * line.multiplier * (1 if line.terms.call else -1)
        return Fraction(units * int(10**line.price_scale) * price, int(10**on.price_scale))

    def per_value(self, symbol: str) -> Fraction:
        """Units of the underlying asset that one base unit of the currency of exposure stands for.

        It is positive: on which side they are, the exposure says.
        """
        line = self.held.instrument(symbol)
        if line.kind is Kind.LP_SHARE:
            fix = "what a pool share holds moves with the price: measure it in money"
            raise DomainError("units of a pool share", symbol, fix)
        return line.contract / (abs(Fraction(self.exposed(symbol, 1))) * int(10**line.base.scale))

    def before(self, exposure: Exposure) -> Fraction:
        """The exposure of the book as it is held, in base units of the currency or in units."""
        total = Fraction(0)
        for line in selected(exposure.selection, self.held.instruments):
            quantity = self.held.positions.get(line.symbol, 0)
            if not quantity:
                continue
            value = Fraction(self.exposed(line.symbol, quantity))
            if exposure.measure == "units":
                value *= self.per_value(line.symbol)
            if exposure.side == "net":
                total += value
            elif exposure.side == "gross" or (exposure.side == "long") == (value > 0):
                total += abs(value)
        return total


def selected(selection: Selection, instruments: Mapping[str, Instrument]) -> tuple[Instrument, ...]:
    """The instruments that ``selection`` names, by symbol.

    Raises:
        DomainError: if it names none of the fund's.
    """
    named = {line.symbol: _names(line)[selection.by] for line in instruments.values()}
    found = tuple(instruments[s] for s in sorted(named) if named[s] == selection.name)
    if not found and selection.by != "all":
        known = ", ".join(sorted({name for name in named.values() if name})) or "none"
        raise DomainError(selection.by, selection.name, f"the fund knows: {known}")
    return found


def _names(line: Instrument) -> Mapping[str, str]:
    chain = line.venue.chain
    return {
        "all": "",
        "asset": line.underlying,
        "instrument": line.symbol,
        "venue": line.venue.name,
        "chain": "" if chain is None else chain.caip2,
    }


def cash_at(book: Book, place: str) -> int:
    """Cash at ``place``, or all of it with what is under way if ``place`` is empty.

    Raises:
        DomainError: for a place that the fund does not know.
    """
    if not place:
        return book.cash
    known = {line.account for line in book.instruments.values()} | set(book.places)
    if place not in known:
        raise DomainError("place", place, f"the fund knows: {', '.join(sorted(known))}")
    return book.places.get(place, 0)
