"""What the fund holds: positions, cash, and the open orders that may still change both.

A Book is an immutable view made from the ledger; agents read it, the guard proves over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind
from agent_fund.domain.money import ceil_div, require_int
from agent_fund.domain.order import Order
from agent_fund.domain.transfer import Transit


@dataclass(frozen=True)
class Book:
    """Positions by instrument symbol, in base units; cash in base units of ``currency``.

    A perpetual is held like spot: bought, it takes its price out of the cash of its margin account;
    sold short, it brings it in. So cash with all positions at their marks is NAV, and an account's
    cash with its own positions is its equity.

    Attributes:
        currency: the asset in which NAV is stated; every instrument is quoted in it.
        cash: all of it: available and reserved, at every place, and under way between them.
        instruments: every instrument the fund may hold, by symbol.
        positions: base units held; an instrument without an entry is not held.
        open_orders: orders that may still fill, in the order in which they were sent.
        places: cash by place: a venue, or an isolated margin account. If none is given, all of it
            stands where the first instrument trades.
        transit: transfers under way; they have left one place and not arrived at another.
        time: when it is looked at, in Unix seconds. Without it whatever expires may do so at once;
            with it, what is proved of the book holds for a decision at that time and no other.
    """

    currency: Asset
    cash: int
    instruments: Mapping[str, Instrument]
    positions: Mapping[str, int] = field(default_factory=dict)
    open_orders: tuple[Order, ...] = ()
    places: Mapping[str, int] = field(default_factory=dict)
    transit: tuple[Transit, ...] = ()
    time: int | None = None

    def __post_init__(self) -> None:
        require_int(self.cash, f"cash in {self.currency.symbol}")
        under_way = sum(transit.transfer.amount for transit in self.transit)
        if not self.places:
            first = next(iter(self.instruments.values()), None)
            places = {first.account: self.cash - under_way} if first is not None else {}
        else:
            places = dict(self.places)
            if sum(places.values()) + under_way != self.cash:
                raise DomainError("cash by place", places, f"it does not make {self.cash}")
        for symbol, instrument in self.instruments.items():
            if instrument.quote != self.currency:
                raise DomainError(
                    f"quote asset of {symbol}",
                    instrument.quote.symbol,
                    f"the book is stated in {self.currency.symbol}",
                )
            if instrument.moves_with != instrument.symbol:
                self.instrument(instrument.moves_with)
        for symbol, quantity in self.positions.items():
            self.instrument(symbol)
            require_int(quantity, f"position in {symbol}")
        for order in self.open_orders:
            if self.instrument(order.instrument.symbol) != order.instrument:
                raise DomainError("open order", order.order_id, "its instrument is another one")
        object.__setattr__(self, "instruments", MappingProxyType(dict(self.instruments)))
        object.__setattr__(self, "positions", MappingProxyType(dict(self.positions)))
        object.__setattr__(self, "places", MappingProxyType(places))

    def instrument(self, symbol: str) -> Instrument:
        """The instrument named ``symbol``.

        Raises:
            DomainError: if the fund does not know it.
        """
        found = self.instruments.get(symbol)
        if found is None:
            known = ", ".join(sorted(self.instruments)) or "none"
            raise DomainError("instrument", symbol, f"the fund knows: {known}")
        return found

    def position(self, symbol: str) -> int:
        """Base units held of ``symbol``; 0 if none."""
        self.instrument(symbol)
        return self.positions.get(symbol, 0)

    def nav(self, prices: Mapping[str, int]) -> int:
        """Net asset value in base units of ``currency``: cash plus positions at ``prices``.

        Args:
            prices: price units by symbol; every held instrument must have one.

        Raises:
            DomainError: for a held instrument without a positive integer price.
        """
        total = self.cash
        for symbol, quantity in self.positions.items():
            if quantity:
                price = prices.get(symbol)
                if price is None:
                    raise DomainError("price", symbol, "every held instrument needs one")
                require_int(price, f"price of {symbol}", minimum=1)
                total += self.instruments[symbol].notional(quantity, price)
        return total

    def at(self, place: str) -> Iterator[tuple[Instrument, int]]:
        """The instruments held whose cash stands at ``place``, each with its quantity."""
        for symbol, quantity in self.positions.items():
            instrument = self.instruments[symbol]
            if quantity and instrument.account == place:
                yield instrument, quantity

    def equity(self, place: str, prices: Mapping[str, int]) -> int:
        """Cash at ``place`` with the positions there at ``prices``, in base units."""
        return self.places.get(place, 0) + sum(
            instrument.notional(quantity, prices[instrument.symbol])
            for instrument, quantity in self.at(place)
        )

    def exposure(self, symbol: str, quantity: int, prices: Mapping[str, int]) -> int:
        """The absolute notional of ``quantity`` at ``prices``, in base units of ``currency``.

        An option counts as what it is an option on: whole, whatever its chances.

        Raises:
            DomainError: for an option without a price of its underlying.
        """
        instrument = self.instruments[symbol]
        if instrument.kind is not Kind.OPTION:
            return abs(instrument.notional(quantity, prices[symbol]))
        on = self.instruments[instrument.moves_with]
        if on.symbol not in prices:
            raise DomainError("price", on.symbol, f"{symbol} is an option on it: give one")
        units = abs(quantity) * instrument.multiplier * 10**instrument.price_scale
        return ceil_div(units * prices[on.symbol], 10**on.price_scale)

    def directed(
        self, symbol: str, low: int, high: int, prices: Mapping[str, int]
    ) -> tuple[int, int]:
        """The lowest and the highest signed exposure of positions from ``low`` to ``high``.

        An option moves with anything from nothing to the whole of its underlying, a put against
        it; a share of a pool holds half of its worth in the asset.
        """
        instrument = self.instruments[symbol]
        if isinstance(instrument.terms, OptionTerms):
            owed = -self.exposure(symbol, min(0, low), prices)
            held = self.exposure(symbol, max(0, high), prices)
            return (owed, held) if instrument.terms.call else (-held, -owed)
        ends = (instrument.notional(quantity, prices[symbol]) for quantity in (low, high))
        least, most = ends
        if instrument.kind is Kind.LP_SHARE:
            return least // 2, ceil_div(most, 2)
        return least, most

    def maintenance(self, place: str, prices: Mapping[str, int]) -> int:
        """What the margined positions at ``place`` need to stand there, in base units.

        An option that is held is paid for and needs nothing; one that is owed needs the tiers on
        the notional of its underlying.
        """
        return sum(
            instrument.margin.maintenance(self.exposure(instrument.symbol, quantity, prices))
            for instrument, quantity in self.at(place)
            if instrument.margin is not None
            and not (instrument.kind is Kind.OPTION and quantity > 0)
        )
