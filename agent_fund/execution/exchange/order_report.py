"""What an exchange says of one order, as a Report: the order and its trades must agree."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agent_fund.domain.order import Side
from agent_fund.execution.exchange.answer import Failure
from agent_fund.execution.exchange.booking import Doubt, booked, distinct, sum_of
from agent_fund.execution.exchange.listing import Listing
from agent_fund.execution.exchange.prepaid_coin import PrepaidCoin
from agent_fund.execution.exchange.venue_api import VenueApi, VenueOrder, VenueTrade
from agent_fund.execution.live.adapter import Execution, Prepared, Report
from agent_fund.execution.live.leg_state import LegState


class OrderReports:
    """Makes reports; asks for trades where the order came without them.

    Args:
        code: the exchange's code of the prepaid coin; empty for none.
    """

    def __init__(self, api: VenueApi, listing: Listing, coin: PrepaidCoin, code: str) -> None:
        self._api = api
        self._listing = listing
        self._coin = coin
        self._code = code

    async def of(self, prepared: Prepared, order: VenueOrder) -> Report:
        """All that is known of the leg; UNKNOWN, with the reason, where it does not fit together.

        Trades in doubt are not told at all: the next report tells every trade again.
        """
        leg = prepared.leg_id
        instrument = self._listing.instruments[prepared.notes["market"]]
        trades = await self._trades(prepared, order)
        if isinstance(trades, Doubt):
            return Report(leg, LegState.UNKNOWN, detail=trades.reason)
        executions: list[Execution] = []
        burnt = 0
        for trade in trades:
            made = self.booked(trade)
            if isinstance(made, Doubt):
                return Report(leg, LegState.UNKNOWN, detail=made.reason)
            executions.append(made[0])
            burnt += made[1]
        self._coin.burn(leg, burnt)
        state, detail = order.state, f"order {order.order_id}"
        net = sum(execution.quantity for execution in executions)
        if state is LegState.SETTLED and instrument.base.amount(net) != order.quantity:
            # Part of the purchase paid for itself and never arrived; nothing more will come.
            state, detail = LegState.CANCELED, f"{detail}: filled, net of its commission"
        return Report(leg, state, tuple(executions), gas=burnt, detail=detail)

    def booked(self, trade: VenueTrade) -> tuple[Execution, int] | Doubt:
        """One trade; see ``booking.booked``."""
        instrument, rules = (
            self._listing.instruments[trade.market],
            self._listing.rules[trade.market],
        )
        return booked(trade, instrument, rules, self._code)

    async def _trades(self, prepared: Prepared, order: VenueOrder) -> Sequence[VenueTrade] | Doubt:
        """The order's trades, each once, together as much as the order says was executed."""
        if (other := _differs(prepared, order)) is not None:
            return Doubt(other)
        told = order.trades
        if order.executed and (told is None or sum_of(told) != order.executed):
            try:
                told = tuple(await self._api.trades(order))
            except Failure as failure:
                return Doubt(failure.reason)
        trades = distinct(told or ())
        if isinstance(trades, Doubt):
            return trades
        own = (order.order_id, order.market, order.buy)
        if any((trade.order_id, trade.market, trade.buy) != own for trade in trades):
            return Doubt(f"order {order.order_id} was told with trades of another")
        if (together := sum_of(trades)) != order.executed:
            executed = f"{order.executed} executed, but trades of {together}"
            return Doubt(f"order {order.order_id}: {executed}")
        return trades


def _differs(prepared: Prepared, order: VenueOrder) -> str | None:
    """Why ``order`` cannot be the leg's, although it bears its client id; None if it can."""
    notes = prepared.notes
    buy, price, quantity = notes["side"] == Side.BUY.value, notes["price"], notes["quantity"]
    sent = (notes["market"], buy, Decimal(price), Decimal(quantity))
    if sent == (order.market, order.buy, order.price, order.quantity):
        return None
    return f"order {order.order_id} bears the client id {order.reference}, but was not sent for it"
