"""Reservation: what an open order holds back, at every moment exactly what its rest needs.

A buy needs its remaining quantity at its limit price plus the unspent part of its maximum fee; a
sell needs its remaining quantity and pays its fee out of what it brings. An order in a perpetual
holds nothing back: its margin account answers for it as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.money import require_int
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.execution.errors import LedgerError


@dataclass(frozen=True)
class Reservation:
    """What is held back for an order that may still fill.

    Attributes:
        units: base units of what the order gives away, the quote for a buy.
        fee: the most that fees may still take, of a buy; for spot they are among ``units``.
        remaining: base units of the instrument that may still fill.
    """

    units: int
    fee: int
    remaining: int

    @classmethod
    def of(cls, order: Order, maximum_fee: int) -> Reservation:
        """What the rest of ``order`` needs if its fees are at most ``maximum_fee``.

        Args:
            order: the order as last reported.
            maximum_fee: base units of the quote; a sell reserves none of it.
        """
        require_int(maximum_fee, f"maximum fee of {order.order_id}", minimum=0)
        remaining = order.remaining
        fee = maximum_fee if order.side is Side.BUY and order.status.open else 0
        if order.instrument.margin is not None:
            return cls(0, fee, remaining)
        if order.side is Side.SELL:
            return cls(remaining, 0, remaining)
        return cls(order.instrument.notional(remaining, order.limit) + fee, fee, remaining)

    def after(self, fill: Fill, order: Order) -> tuple[Reservation, int]:
        """What is left once ``order`` (as it is after the fill) got ``fill``, and what is freed.

        For a perpetual, of which nothing is held, what the fill takes is freed negatively.

        Raises:
            LedgerError: if the fee exceeds what was reserved for fees, or the order is not the
                one this reservation was made for.
        """
        buy = order.side is Side.BUY
        if buy and fill.fee > self.fee:
            raise LedgerError(
                f"fee of fill {fill.exec_id}", fill.fee, f"at most {self.fee} is left for fees"
            )
        left = Reservation.of(order, self.fee - fill.fee if buy else 0)
        notional = fill.instrument.notional(fill.quantity, fill.price)
        spent = notional + fill.fee if buy else fill.quantity
        freed = self.units - spent - left.units
        other = self.remaining - fill.quantity != left.remaining
        if other or (freed < 0 and order.instrument.margin is None):
            raise LedgerError(
                f"reservation of {order.order_id}",
                self.remaining,
                "give the order as last reported",
            )
        return left, freed
