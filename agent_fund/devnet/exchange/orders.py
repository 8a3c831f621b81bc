"""Orders and trades as the loopback exchange keeps them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

from agent_fund.devnet.exchange.decimals import ZERO
from agent_fund.devnet.exchange.symbols import Symbol

OPEN = ("NEW", "PARTIALLY_FILLED")


class Closing(enum.Enum):
    """Why the exchange itself closes a position; the value begins the order's client id."""

    LIQUIDATION = "autoclose-"
    DELEVERAGING = "adl_autoclose"


@dataclass(eq=False)
class Order:
    """One limit order; ``status`` is Binance's.

    Attributes:
        ours: whether the customer sent it; the others are the market maker's.
        quote: quote asset exchanged so far. ``good``: GTC, IOC or FOK.
        closing: why the exchange closes a position by it; None for an order of somebody's own.
        closed: whose position that is.
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
    closing: Closing | None = None
    closed: str = ""

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
    """The customer's side of one trade.

    Attributes:
        realized: the profit of closing a perpetual. ``held``: the position before, signed.
        cause: the order of either side by which the exchange closed a position, if there is one.
    """

    trade_id: int
    order: Order
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    realized: Decimal
    time: int
    maker: bool
    held: Decimal = ZERO
    cause: Order | None = None
