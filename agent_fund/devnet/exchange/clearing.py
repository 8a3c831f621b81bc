"""What an exchange's accounts must do for its matching engine, spot or margined."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from agent_fund.devnet.exchange.decimals import ZERO
from agent_fund.devnet.exchange.orders import Order


@dataclass(frozen=True)
class Settled:
    """What the customer paid for one trade, the profit it realised, and the position before."""

    commission: Decimal
    asset: str
    realized: Decimal
    held: Decimal = ZERO


class Clearing(Protocol):
    """The customer's account."""

    def reserve(self, order: Order) -> None:
        """Lock what ``order`` needs.

        Raises:
            Refusal: if there is not enough.
        """
        ...

    def release(self, order: Order) -> None:
        """Unlock what an ended order did not use."""
        ...

    def settle(self, order: Order, price: Decimal, quantity: Decimal, maker: bool) -> Settled:
        """Exchange the assets of one trade; ``order`` counts it already."""
        ...
