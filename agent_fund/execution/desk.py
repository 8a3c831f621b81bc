"""Desk: the order machine; it reserves before it sends and books every fill exactly once.

Every order that may still fill is in ``open_orders``, from its reservation to the report that ends
it: an order that waits for another leg, a cancel without confirmation and an unknown outcome stay
counted. Status reports never move the book; only fills do. A bar with nothing open costs one test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.order import Fill, Order, Status
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.venue import Report, Venue


class Desk:
    """The orders of one ledger at one venue.

    An event is a Fill, or an Order after it changed; events are returned in the order in which
    they happened. A waiting order is PENDING; one that the venue has is not.
    """

    def __init__(self, ledger: Ledger, venue: Venue) -> None:
        self._ledger = ledger
        self._venue = venue
        self._open: dict[str, Order] = {}
        self._open_orders: tuple[Order, ...] | None = ()

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """The orders that may still fill, in the order in which they were sent."""
        if self._open_orders is None:
            self._open_orders = tuple(self._open.values())
        return self._open_orders

    def book(self) -> Book:
        """What the fund holds, with the open orders."""
        return self._ledger.book(self.open_orders)

    def send(self, orders: Sequence[Order], bar: int) -> list[Order]:
        """Reserve for all ``orders``, then submit those that wait for no other leg.

        Args:
            orders: PENDING, new ids; a leg comes after the leg it waits for.
            bar: number of the last bar that opened.

        Returns:
            The orders as the venue answered; waiting legs are not among them.

        Raises:
            ExecutionError: for an order that cannot be sent; nothing is reserved or sent.
            InsufficientFunds: if the ledger cannot reserve for all; nothing is sent.
        """
        names: set[str] = set()
        for order in orders:
            self._require_sendable(order, names, bar)
            names.add(order.order_id)
        self._ledger.reserve([(order, self._venue.maximum_fee(order)) for order in orders])
        for order in orders:
            self._put(order)
        events: list[Report] = []
        for order in orders:
            if order.waits_for is None:
                self._submit(order, bar, events)
        return _orders(events)

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> list[Report]:
        """Book what the open of ``bar`` brought; submit legs whose predecessor is now filled.

        A fill that is in the books already is dropped. A leg submitted here can fill at the next
        open at the earliest.

        Args:
            bar: number of the bar.
            opens: price units by instrument symbol.
            volumes: base units by instrument symbol.

        Raises:
            ExecutionError: for a report about an order that is not open here; it is not adopted.
        """
        if not self._open:
            return []
        return self._book_reports(self._venue.on_open(bar, opens, volumes), bar)

    def on_close(self, bar: int) -> list[Order]:
        """Expire the orders whose last bar is ``bar`` or earlier; legs waiting for them end too."""
        if not self._open:
            return []
        return self._end(
            [order for order in self._open.values() if order.expires <= bar], bar, Status.EXPIRED
        )

    def cancel(self, orders: Sequence[Order], bar: int) -> list[Order]:
        """Cancel open ``orders``; one without confirmation stays open and counted.

        Returns:
            The orders that changed. One of unknown outcome is left to ``reconcile``: there may be
            nothing to cancel, or a fill to book first.
        """
        return self._end(orders, bar, Status.CANCELED)

    def cancel_all(self, bar: int) -> list[Order]:
        """Cancel every open order."""
        return self.cancel(self.open_orders, bar)

    def reconcile(self, bar: int, since: int) -> list[Report]:
        """Settle every doubt with what the venue knows, its fills since bar ``since`` included.

        An order that the venue no longer has is CANCELED; one of unknown outcome that it has is
        NEW or PARTIAL again.

        Raises:
            ExecutionError: for an order or a fill at the venue that is not this desk's.
        """
        asked = [order.order_id for order in self.open_orders if order.status is not Status.PENDING]
        known = self._venue.reconcile(since)
        events = self._book_reports(known.fills, bar)
        standing = {self._find(order.order_id).order_id for order in known.open_orders}
        for order_id in asked:
            order = self._open.get(order_id)
            if order is None:
                continue
            if order_id not in standing:
                self._close(order.with_status(Status.CANCELED), events)
            elif order.status is Status.UNKNOWN:
                status = Status.PARTIAL if order.filled else Status.NEW
                events.append(self._put(order.with_status(status)))
        return events

    def _require_sendable(self, order: Order, names: Iterable[str], bar: int) -> None:
        subject = f"order {order.order_id}"
        if order.status is not Status.PENDING or order.filled:
            raise ExecutionError(subject, order.status.value, "send orders that are pending")
        if order.order_id in names or self._ledger.has_reserved(order.order_id):
            raise ExecutionError("order", order.order_id, "it was sent before; count the attempt")
        if order.instrument.venue.name != self._venue.name:
            raise ExecutionError(
                subject, order.instrument.venue.name, f"this desk sends to {self._venue.name}"
            )
        if order.expires <= bar:
            raise ExecutionError(subject, order.expires, f"let it expire after bar {bar}")
        if order.waits_for is not None and not (
            order.waits_for in names or order.waits_for in self._open
        ):
            raise ExecutionError(subject, order.waits_for, "the leg it waits for comes first")

    def _submit(self, order: Order, bar: int, events: list[Report]) -> None:
        self._take_status(self._venue.submit(order, bar), events)

    def _book_reports(self, reports: Sequence[Report], bar: int) -> list[Report]:
        events: list[Report] = []
        for report in reports:
            if isinstance(report, Fill):
                self._take_fill(report, bar, events)
            else:
                self._take_status(report, events)
        return events

    def _take_fill(self, fill: Fill, bar: int, events: list[Report]) -> None:
        if self._ledger.has_fill(fill):
            return
        order = self._find(fill.order_id)
        self._ledger.fill(fill, order)
        after = self._put(order.with_fill(fill))
        events += [fill, after]
        if after.status is Status.FILLED:
            for waiting in self.open_orders:
                if waiting.waits_for == order.order_id:
                    self._submit(waiting, bar, events)

    def _take_status(self, report: Order, events: list[Report]) -> None:
        """Take over a status; one that knows of other fills than the ledger is a doubt."""
        order = self._find(report.order_id)
        agreed = report.filled == order.filled and report.status not in (
            Status.FILLED,
            Status.PENDING,
        )
        after = order.with_status(report.status if agreed else Status.UNKNOWN)
        if after == order:
            return
        if after.status.open:
            events.append(self._put(after))
        else:
            self._close(after, events)

    def _end(self, orders: Sequence[Order], bar: int, status: Status) -> list[Order]:
        """End ``orders`` with ``status``, as far as the venue confirms that no fill can come."""
        events: list[Report] = []
        for order in orders:
            if order.order_id not in self._open or order.status is Status.UNKNOWN:
                continue
            if order.status is Status.PENDING:
                self._close(order.with_status(status), events)
                continue
            report = self._venue.cancel(order.order_id, bar)
            if report.status is Status.CANCELED and report.filled == order.filled:
                self._close(order.with_status(status), events)
            elif report.status is not order.status:
                self._take_status(report, events)
        return _orders(events)

    def _close(self, order: Order, events: list[Report]) -> None:
        """Release what an ended order held and cancel, with it, the legs that wait for it."""
        self._ledger.release(order)
        events.append(self._put(order))
        for waiting in self.open_orders:
            if waiting.waits_for == order.order_id and waiting.order_id in self._open:
                self._close(waiting.with_status(Status.CANCELED), events)

    def _put(self, order: Order) -> Order:
        if order.status.open:
            self._open[order.order_id] = order
        else:
            del self._open[order.order_id]
        self._open_orders = None
        return order

    def _find(self, order_id: str) -> Order:
        order = self._open.get(order_id)
        if order is None:
            raise ExecutionError("report", order_id, "this desk has no such open order; ask why")
        return order


def _orders(events: Sequence[Report]) -> list[Order]:
    return [event for event in events if isinstance(event, Order)]
