"""Reservation: what an open order holds back, at every moment exactly what its rest needs.

A buy needs its remaining quantity at its limit price plus the unspent part of its maximum fee; a
sell needs its remaining quantity and pays its fee out of what it brings.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.money import require_int
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.execution.errors import LedgerError


@dataclass(frozen=True)
class Reservation:
    """``units`` of what the order gives away, quote for a buy; ``fee`` of them are for fees."""

    units: int
    fee: int

    @classmethod
    def of(cls, order: Order, maximum_fee: int) -> Reservation:
        """What the rest of ``order`` needs if its fees are at most ``maximum_fee``.

        Args:
            order: the order as last reported.
            maximum_fee: base units of the quote; a sell reserves none of it.
        """
        require_int(maximum_fee, f"maximum fee of {order.order_id}", minimum=0)
        if order.side is Side.SELL:
            return cls(order.remaining, 0)
        if not order.status.open:
            return cls(0, 0)
        notional = order.instrument.notional(order.remaining, order.limit)
        return cls(notional + maximum_fee, maximum_fee)

    def after(self, fill: Fill, order: Order) -> tuple[Reservation, int]:
        """What is left once ``order`` (as it is after the fill) got ``fill``, and what is freed.

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
        if freed < 0 or (freed and not buy):
            raise LedgerError(
                f"reservation of {order.order_id}", self.units, "give the order as last reported"
            )
        return left, freed
