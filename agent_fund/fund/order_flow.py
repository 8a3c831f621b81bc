"""Orders on their way: recorded and durable before they are sent, every report recorded after.

The desk decides what an order's life allows; here it is put into the log, and the guard's own
orders are kept together until all of them have ended, so that the monitor can judge the way out.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.domain.book import Book
from agent_fund.domain.order import Fill, Order, Proposal, Purpose, Status
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Transit
from agent_fund.execution.clearing import Clearing
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.order_id import client_order_id
from agent_fund.fund.adjustment import Adjustment
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Terms


class OrderFlow:
    """The orders of one fund.

    Args:
        clearing: who settles its margin accounts.

    Attributes:
        working: whether an order may be open; while False, the book cannot change by itself.
    """

    def __init__(
        self,
        desk: Desk,
        clearing: Clearing,
        journal: Journal,
        terms: Terms,
        monitor: Monitor | None,
    ) -> None:
        self._desk = desk
        self._clearing = clearing
        self._journal = journal
        self._terms = terms
        self._monitor = monitor
        self._way_out: dict[str, Order] = {}
        self.working = False
        self._verdicts: dict[str, bytes] = {}
        # Orders of which the log says last that their venue does not know, and since which bar.
        self._doubted: dict[str, int] = {}

    @property
    def book(self) -> Book:
        """What the fund holds, open orders included."""
        return self._desk.book()

    @property
    def any_open(self) -> bool:
        """Whether an order is open."""
        return bool(self._desk.open_orders)

    def verdict_of(self, order_id: str) -> bytes:
        """The leaf hash of the guard's record that admitted the order; 32 bytes.

        Raises:
            ExecutionError: if none did.
        """
        found = self._verdicts.get(order_id)
        if found is None:
            raise ExecutionError("order", order_id, "the guard has admitted no such order")
        return found

    def send(
        self,
        proposal: Proposal,
        purpose: Purpose,
        guard: int,
        bar: int,
        leaf: bytes,
        marks: Mapping[str, int],
    ) -> None:
        """Start the transfers and send one order for each leg of what ``guard`` admits.

        Args:
            leaf: leaf hash of the intent, or of the guard record for its own orders; the order
                ids are made from it.
            marks: by symbol, at the close of ``bar``.
        """
        transits = []
        for number, transfer in enumerate(proposal.transfers, len(proposal.legs)):
            due = bar + self._terms.transfer_bars
            transits.append(Transit(client_order_id(leaf, number, 0), transfer, due))
            self._journal.transfer(transits[-1], guard)
        orders: list[Order] = []
        for number, leg in enumerate(proposal.legs):
            waits_for = orders[-1].order_id if proposal.ordered and orders else None
            order = Order(
                client_order_id(leaf, number, 0),
                leg.instrument,
                leg.side,
                leg.quantity,
                leg.limit,
                purpose,
                self._terms.expires(leg.instrument.symbol, bar, purpose),
                waits_for,
            )
            self._journal.order(order, guard, number)
            orders.append(order)
        self._journal.recorder.barrier()
        verdict = self._journal.recorder.leaf_hash(guard)
        self._verdicts |= {order.order_id: verdict for order in orders}
        if purpose is not Purpose.AGENT:
            self._way_out = {order.order_id: order for order in orders}
        for transit in transits:
            self._desk.transfer(transit, bar, marks)
        self.working = self.working or bool(orders)
        try:
            answers = self._desk.send(orders, bar, marks)
        except InsufficientFunds:
            # A real venue may ask for more than the mandate's fee: then nothing was sent at all.
            answers = [order.with_status(Status.REJECTED) for order in orders]
        for answer in answers:
            self._told(answer, bar)

    def open(
        self,
        bar: int,
        opens: Mapping[str, int],
        volumes: Mapping[str, int],
        marks: Mapping[str, int],
    ) -> None:
        """Take what the open of ``bar`` brought; prices by symbol, ``opens`` those of trades."""
        orders = {order.order_id: order for order in self._desk.open_orders}
        for report in self._desk.on_open(bar, opens, volumes, marks):
            if isinstance(report, Fill):
                self._journal.fill(report)
                self._doubted.pop(report.order_id, None)
                if self._monitor is not None:
                    self._monitor.filled(report, orders[report.order_id], opens)
            else:
                self._told(report, bar)

    def arrive(self, bar: int) -> bool:
        """Take the transfers that arrive at the open of ``bar``; whether any did."""
        arrived = self._desk.arrive(bar)
        for arrival in arrived:
            self._journal.arrival(arrival, bar)
            if self._monitor is not None:
                self._monitor.arrived(bar, arrival)
        return bool(arrived)

    def fund(
        self, bar: int, marks: Mapping[str, int], rates: Mapping[str, int]
    ) -> tuple[Funding, ...]:
        """Pay and receive the funding of ``bar``'s open; the payments."""
        events = self._clearing.fundings(self._desk.book(), marks, rates, bar)
        for event in events:
            self._journal.funding(event)
        self._desk.fund(events)
        return events

    def liquidate(self, bar: int, when: str, marks: Mapping[str, int]) -> tuple[Liquidation, ...]:
        """Let venues close what is below its maintenance; what they closed.

        What they leave of a way out is judged without the orders in their accounts, after the
        fills of the open.

        Args:
            when: as in Clearing.
        """
        events = self._clearing.liquidations(self._desk.book(), marks, bar, when)
        for event in events:
            self._journal.liquidation(event)
        if events:
            accounts = {event.instrument.account for event in events}
            left = {k: o for k, o in self._way_out.items() if o.instrument.account not in accounts}
            self._way_out = left
            for order in self._desk.liquidated(events, bar):
                self._told(order, bar)
        if when != "before":
            self._judge(bar)
        return events

    def close(self, bar: int) -> None:
        """Let the orders end whose last bar was ``bar``."""
        for order in self._desk.on_close(bar):
            self._told(order, bar)
        self.working = self.any_open

    def cancel(self, bar: int, only: Purpose | None = None) -> None:
        """Cancel open orders (of one purpose); what is not confirmed stays open, and counted."""
        orders = [o for o in self._desk.open_orders if only is None or o.purpose is only]
        for order in self._desk.cancel(orders, bar):
            self._told(order, bar)

    def doubted(self, order: Order, bar: int) -> bool:
        """Whether its venue has been in doubt of it since before the open of ``bar``."""
        return self._doubted.get(order.order_id, bar) < bar

    def settle(self, order: Order, bar: int) -> None:
        """End an order in doubt, and the legs that wait for it."""
        for ended in self._desk.settle(order):
            self._told(ended, bar)

    def adjust(self, adjustment: Adjustment, entry_id: str) -> None:
        """Post what a place really has more or less."""
        units = adjustment.assets(self._desk.book())
        self._desk.adjust(adjustment.place, units, entry_id)

    def _told(self, order: Order, bar: int) -> None:
        """Record a status that is not told by a fill: an end, a doubt, or the end of a doubt."""
        doubt, doubted = order.status is Status.UNKNOWN, order.order_id in self._doubted
        if (doubt != doubted) if order.status.open else order.filled < order.quantity:
            self._journal.status(order, bar)
            self._doubted.pop(order.order_id, None)
            if doubt:
                self._doubted[order.order_id] = bar
        if order.order_id not in self._way_out:
            return
        self._way_out[order.order_id] = order
        self._judge(bar)

    def _judge(self, bar: int) -> None:
        """The monitor judges a way out that is over."""
        if self._way_out and all(not o.status.open for o in self._way_out.values()):
            if self._monitor is not None:
                self._monitor.way_out(bar, list(self._way_out.values()))
            self._way_out = {}
