"""A margined exchange as a whole: marks, funding and liquidation around one engine and account.

A liquidation cancels the customer's orders and closes every position at the mark against the
market maker, at the taker's commission. What was lost beyond the account's equity stays owed: there
is no insurance fund.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext

from agent_fund.devnet.exchange.decimals import EXACT, ZERO, ceiling, floor
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.margin_account import MarginAccount
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.orders import Closing, Order

MAINTENANCE = Decimal("0.004")


@dataclass(frozen=True)
class FundingRate:
    """One entry of the public history: the rate, and mark and index at that time."""

    symbol: str
    rate: Decimal
    mark: Decimal
    index: Decimal
    time: int


class MarginMarket:
    """Perpetuals and the customer's account in them.

    Args:
        customer: the name under which liquidations of this account are told.
        at_index: whether funding is paid on the worth at the index, as at Hyperliquid; else at the
            mark, as at Binance.
        maintenance: share of the positions' worth at the marks below which equity must not fall.

    Attributes:
        indexes: index prices by symbol. ``rates``: the public history of funding rates, in order.
        maintenance: as given.
    """

    def __init__(
        self,
        engine: Engine,
        account: MarginAccount,
        customer: str,
        at_index: bool,
        maintenance: Decimal = MAINTENANCE,
    ) -> None:
        self.engine = engine
        self.account = account
        self.indexes: dict[str, Decimal] = {}
        self.rates: list[FundingRate] = []
        self._customer = customer
        self._at_index = at_index
        self.maintenance = maintenance
        self._closings = 0

    def move(self, name: str, mark: Decimal, index: Decimal, maker: MarketMaker) -> None:
        """Set mark and index, quote around the mark, and liquidate if that is too little."""
        self.engine.expire()
        self.account.marks[name] = mark
        self.indexes[name] = index
        maker.quote(self.engine, self.engine.symbols[name], mark)
        if self.account.equity < self.maintenance * self.account.worth:
            self._liquidate()

    def fund(self, name: str, rate: Decimal, time: int) -> None:
        """Pay ``rate`` on the position, and tell it in the history even if nothing is held."""
        mark, index = self.account.marks[name], self.indexes[name]
        self.rates.append(FundingRate(name, rate, mark, index, time))
        self.account.fund(name, rate, index if self._at_index else mark, time)

    def deleverage(self, name: str, quantity: Decimal) -> Order:
        """Close ``quantity`` of a position at the mark, as auto-deleveraging does.

        Raises:
            ValueError: if less is held.
        """
        held = self.account.position(name).quantity
        if not 0 < quantity <= abs(held):
            raise ValueError(f"{held} {name} is held: {quantity} of it cannot be closed")
        with localcontext(EXACT):
            return self._close(name, quantity, Closing.DELEVERAGING)

    def _liquidate(self) -> None:
        for order in self.engine.open_orders():
            self.engine.cancel(order)
        for name, held in self.account.positions.items():
            if held.quantity:
                self._close(name, abs(held.quantity), Closing.LIQUIDATION)

    def _close(self, name: str, quantity: Decimal, closing: Closing) -> Order:
        """At the mark, or at the next tick against the customer."""
        symbol, mark = self.engine.symbols[name], self.account.marks[name]
        buy = self.account.position(name).quantity < ZERO
        price = ceiling(mark, symbol.tick) if buy else floor(mark, symbol.tick)
        self._closings += 1
        return self.engine.close(
            symbol, buy, price, quantity, closing, self._closings, self._customer
        )
