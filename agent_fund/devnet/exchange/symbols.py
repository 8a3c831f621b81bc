"""What is listed at the loopback exchange, and the filters that each order must pass."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Symbol:
    """One market; the filters have Binance's meanings (its ``exchangeInfo``).

    Attributes:
        name: the exchange's own id, e.g. ``BTCUSDT``.
        tick: PRICE_FILTER tickSize. ``step``: LOT_SIZE stepSize, and its minQty.
        max_quantity: LOT_SIZE maxQty.
        min_notional: NOTIONAL minNotional (futures: MIN_NOTIONAL notional).
        status: orders are taken in none but TRADING.
        closes_any: whether an order that only reduces a position may be worth less than that.
    """

    name: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_notional: Decimal
    max_quantity: Decimal = Decimal(9000)
    max_price: Decimal = Decimal(10_000_000)
    status: str = "TRADING"
    closes_any: bool = False

    def failure(self, price: Decimal, quantity: Decimal, reduce_only: bool = False) -> str | None:
        """The filter that a limit order fails, by Binance's name; None if it passes all."""
        if price <= 0 or price > self.max_price or price % self.tick:
            return "PRICE_FILTER"
        if not self.step <= quantity <= self.max_quantity or quantity % self.step:
            return "LOT_SIZE"
        exempt = reduce_only and self.closes_any
        if price * quantity < self.min_notional and not exempt:
            return "NOTIONAL"
        return None


BTCUSDT = Symbol("BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal(5))
ETHUSDT = Symbol("ETHUSDT", "ETH", "USDT", Decimal("0.01"), Decimal("0.0001"), Decimal(5))
BTCUSDT_PERPETUAL = Symbol(
    "BTCUSDT",
    "BTC",
    "USDT",
    Decimal("0.1"),
    Decimal("0.001"),
    Decimal(50),
    Decimal(1000),
    closes_any=True,
)
ETHUSDT_PERPETUAL = Symbol(
    "ETHUSDT",
    "ETH",
    "USDT",
    Decimal("0.01"),
    Decimal("0.001"),
    Decimal(20),
    Decimal(10_000),
    closes_any=True,
)
BTC_USDC_PERPETUAL = Symbol("BTC", "BTC", "USDC", Decimal(1), Decimal("0.00001"), Decimal(10))
"""Hyperliquid's: sizes of five decimals, prices of five significant digits."""
ETH_USDC_PERPETUAL = Symbol("ETH", "ETH", "USDC", Decimal("0.1"), Decimal("0.0001"), Decimal(10))
"""Hyperliquid's, at a price of four digits before the point."""
