"""Orders and trades as the loopback exchange keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agent_fund.devnet.exchange.decimals import ZERO
from agent_fund.devnet.exchange.symbols import Symbol

OPEN = ("NEW", "PARTIALLY_FILLED")


@dataclass(eq=False)
class Order:
    """One limit order; ``status`` is Binance's.

    Attributes:
        ours: whether the customer sent it; the others are the market maker's.
        quote: quote asset exchanged so far. ``good``: GTC, IOC or FOK.
    """

    order_id: int
    client_id: str
    symbol: Symbol
    buy: bool
    price: Decimal
    quantity: Decimal
    good: str
    time: int
    ours: bool
    reduce_only: bool = False
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    status: str = "NEW"
    updated: int = 0

    @property
    def open(self) -> bool:
        """Whether it may still fill."""
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        """What has not been filled."""
        return self.quantity - self.executed


@dataclass(frozen=True)
class Trade:
    """The customer's side of one trade; ``realized`` is the profit of closing a perpetual."""

    trade_id: int
    order: Order
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    realized: Decimal
    time: int
    maker: bool
