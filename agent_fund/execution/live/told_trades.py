"""Which trades of its orders a fund has been told of, and whether an order allows the next one.

A trade is told once, and only when it is final. One that its order does not allow is a fault of the
venue or of its adapter: it is never told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Adapter, Execution
from agent_fund.execution.live.leg_store import LegStore


class ToldTrades:
    """The trades of one venue's orders."""

    def __init__(self, adapter: Adapter, legs: LegStore) -> None:
        self._adapter = adapter
        self._legs = legs
        self._told: dict[str, set[str]] = {}
        self._fees: dict[str, int] = {}

    def begin(self, order_id: str) -> None:
        """The order is sent; nothing of it is told yet."""
        self._told[order_id] = set()
        self._fees[order_id] = 0

    def take(self, fill: Fill) -> None:
        """The fund hears of ``fill`` now."""
        self._told[fill.order_id].add(fill.exec_id)
        self._fees[fill.order_id] += fill.fee

    def untold(self, order_id: str) -> list[Execution]:
        """The final trades that the fund has not been told of, in the order of their arrival."""
        told = self._told[order_id]
        known = self._legs.executions(order_id)
        return [trade for trade in known if trade.final and trade.exec_id not in told]

    def news(self, order: Order, bar: int) -> tuple[list[Any], str]:
        """What to tell at ``bar``, as plain JSON values, and the first fault, or nothing.

        Args:
            order: with the trades that the fund was told of.
        """
        fills: list[Any] = []
        after, fees = order, 0
        for trade in self.untold(order.order_id):
            told = trade_json(trade, order, bar)
            if fault := self.fault(trade, after, fees):
                return fills, fault
            after = after.with_fill(fill_of(told, order))
            fees += trade.fee
            fills.append(told)
        return fills, ""

    def fault(self, trade: Execution, order: Order, fees: int = 0) -> str:
        """Why ``order``, as it is after the trades before, does not allow the trade; or nothing.

        Args:
            fees: of those trades before that are not told yet.
        """
        try:
            order.with_fill(fill_of(trade_json(trade, order, 0), order))
            self._require_fee(trade, order, fees)
        except (DomainError, ExecutionError) as error:
            return str(error)
        return ""

    def _require_fee(self, trade: Execution, order: Order, fees: int) -> None:
        """Refuse a fee beyond what was reserved for a purchase, or beyond what a sale brought."""
        paid = self._fees[order.order_id] + fees + trade.fee
        most = self._adapter.maximum_fee(order)
        if order.side is Side.SELL:
            paid, most = trade.fee, order.instrument.notional(trade.quantity, trade.price)
        if paid > most:
            subject = f"fee of trade {trade.exec_id}"
            raise ExecutionError(subject, trade.fee, f"at most {most} was to be expected")


def trade_json(trade: Execution, order: Order, bar: int) -> list[Any]:
    """A trade as it stands on the tape, in plain JSON values."""
    amounts = map(str, (trade.quantity, trade.price, trade.fee))
    return ["fill", order.order_id, trade.exec_id, *amounts, bar]


def fill_of(told: Sequence[Any], order: Order) -> Fill:
    """The fill of ``order`` that stands on the tape."""
    _, _, exec_id, quantity, price, fee, bar = told
    return Fill(
        exec_id,
        order.order_id,
        order.instrument,
        order.side,
        int(quantity),
        int(price),
        int(fee),
        bar,
    )
