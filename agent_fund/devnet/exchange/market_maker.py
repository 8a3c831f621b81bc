"""A market maker that keeps a book around a price it is told, with stated spread and depth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent_fund.devnet.exchange.decimals import ceiling, floor
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.symbols import Symbol


@dataclass(frozen=True)
class MarketMaker:
    """Levels on both sides of a price.

    Attributes:
        spread: between the best bid and the best ask, as a share of the price.
        gap: between two levels, as a share of the price. ``levels``: on each side.
        depth: worth of each level in the quote asset.
    """

    spread: Decimal = Decimal("0.0002")
    gap: Decimal = Decimal("0.0001")
    levels: int = 10
    depth: Decimal = Decimal(100_000)

    def quote(self, engine: Engine, symbol: Symbol, price: Decimal) -> None:
        """Quote anew around ``price``; resting orders of customers inside the spread are filled."""
        engine.withdraw(symbol)
        quantity = floor(self.depth / price, symbol.step)
        for level in range(self.levels):
            away = self.spread / 2 + self.gap * level
            engine.quote(symbol, True, floor(price * (1 - away), symbol.tick), quantity)
            engine.quote(symbol, False, ceiling(price * (1 + away), symbol.tick), quantity)
