"""What the fund holds: positions, cash, and the open orders that may still change both.

A Book is an immutable view made from the ledger; agents read it, the guard proves over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Order


@dataclass(frozen=True)
class Book:
    """Positions by instrument symbol, in base units; cash in base units of ``currency``.

    Attributes:
        currency: the asset in which NAV is stated; every instrument is quoted in it.
        cash: available and reserved together.
        instruments: every instrument the fund may hold, by symbol.
        positions: base units held; an instrument without an entry is not held.
        open_orders: orders that may still fill, in the order in which they were sent.
    """

    currency: Asset
    cash: int
    instruments: Mapping[str, Instrument]
    positions: Mapping[str, int] = field(default_factory=dict)
    open_orders: tuple[Order, ...] = ()

    def __post_init__(self) -> None:
        require_int(self.cash, f"cash in {self.currency.symbol}")
        for symbol, instrument in self.instruments.items():
            if instrument.quote != self.currency:
                raise DomainError(
                    f"quote asset of {symbol}",
                    instrument.quote.symbol,
                    f"the book is stated in {self.currency.symbol}",
                )
        for symbol, quantity in self.positions.items():
            self.instrument(symbol)
            require_int(quantity, f"position in {symbol}")
        for order in self.open_orders:
            if self.instrument(order.instrument.symbol) != order.instrument:
                raise DomainError("open order", order.order_id, "its instrument is another one")
        object.__setattr__(self, "instruments", MappingProxyType(dict(self.instruments)))
        object.__setattr__(self, "positions", MappingProxyType(dict(self.positions)))

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
