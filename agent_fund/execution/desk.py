"""Desk: the order machine of all venues; it reserves before it sends, books every fill once.

Every order that may still fill is in ``open_orders``, from its reservation to the report that ends
it: an order that waits for another leg, a cancel without confirmation and an unknown outcome stay
counted. Status reports never move the book; only fills do. A bar with nothing open costs one test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset
from agent_fund.domain.order import Fill, Order, Status
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Arrival, Transit
from agent_fund.execution.carriage import SIMULATED_CARRIAGE, Carriage
from agent_fund.execution.clearing import affords, margin_room, require_marks
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.venue import Report, Venue


class Desk:
    """The orders of one ledger at its venues, and what its margin accounts settle.

    An event is a Fill, or an Order after it changed; events are returned in the order in which
    they happened. A waiting order is PENDING; one that its venue has is not. Venues are asked in
    the order in which they are given; a leg may wait for a leg at another venue.

    A perpetual's order is refused where it is submitted, REJECTED, if it could enlarge the position
    and its margin account has no room for it with the orders that the venue has; see ``affords``.
    That takes ``marks``: price units by symbol, of every perpetual of the account.

    Args:
        venues: by venue name.
        carriage: what carries currency between places; by default it arrives whole when it is due.

    Raises:
        ExecutionError: for a venue under another name than its own.
    """

    def __init__(
        self,
        ledger: Ledger,
        venues: Mapping[str, Venue],
        carriage: Carriage = SIMULATED_CARRIAGE,
    ) -> None:
        for name, venue in venues.items():
            if venue.name != name:
                raise ExecutionError("venue", name, f"give it under its name, {venue.name}")
        self._ledger = ledger
        self._venues = dict(venues)
        self._carriage = carriage
        self._open: dict[str, Order] = {}
        self._open_orders: tuple[Order, ...] | None = ()

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """The orders that may still fill, in the order in which they were sent."""
        if self._open_orders is None:
            self._open_orders = tuple(self._open.values())
        return self._open_orders

    def book(self) -> Book:
        """What the fund holds, with the open orders and the transfers under way."""
        return self._ledger.book(self.open_orders)

    def send(
        self, orders: Sequence[Order], bar: int, marks: Mapping[str, int] | None = None
    ) -> list[Order]:
        """Reserve for all ``orders``, then submit those that wait for no other leg.

        Args:
            orders: PENDING, new ids; a leg comes after the leg it waits for.
            bar: number of the last bar that opened.
            marks: may be left out if no order is in a perpetual.

        Returns:
            The orders as their venues answered; waiting legs are not among them.

        Raises:
            ExecutionError: for an order that cannot be sent; nothing is reserved or sent.
            InsufficientFunds: if the ledger cannot reserve for all; nothing is sent.
        """
        names: set[str] = set()
        for order in orders:
            self._require_sendable(order, names, bar)
            names.add(order.order_id)
        require_marks(self.book(), orders, marks)
        self._ledger.reserve([(order, self._at(order).maximum_fee(order)) for order in orders])
        for order in orders:
            self._put(order)
        events: list[Report] = []
        for order in orders:
            if order.waits_for is None:
                self._submit(order, bar, marks, events)
        return _orders(events)

    def on_open(
        self,
        bar: int,
        opens: Mapping[str, int],
        volumes: Mapping[str, int],
        marks: Mapping[str, int] | None = None,
    ) -> list[Report]:
        """Book what the open of ``bar`` brought; submit legs whose predecessor is now filled.

        A fill that is in the books already is dropped. A leg submitted here can fill at the next
        open at the earliest.

        Args:
            bar: number of the bar.
            opens: price units by instrument symbol.
            volumes: base units by instrument symbol.
            marks: at the open; may be left out if no leg in a perpetual waits.

        Raises:
            ExecutionError: for a report about an order that is not open here; it is not adopted.
        """
        if not self._open:
            return []
        require_marks(self.book(), self._waiting(), marks)
        # All venues open before any report is booked: a leg submitted now is too late for them.
        reports = [
            report
            for venue in self._venues.values()
            for report in venue.on_open(bar, opens, volumes)
        ]
        return self._book_reports(reports, bar, marks)

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
            The orders that changed. One of unknown outcome stays unknown unless its venue confirms
            that nothing can come: there may be a fill to book first.
        """
        return self._end(orders, bar, Status.CANCELED)

    def settle(self, order: Order) -> list[Order]:
        """On the word of a person, an order in doubt is CANCELED, with the fills booked so far.

        Its venue tells nothing more of it. Legs that wait for it are cancelled too.

        Raises:
            ExecutionError: if it is not open, or its venue knows what became of it.
        """
        known = self._find(order.order_id)
        if known.status is not Status.UNKNOWN:
            fix = "only an order in doubt is settled by a person"
            raise ExecutionError(f"order {order.order_id}", known.status.value, fix)
        self._at(known).settle(known.order_id)
        events: list[Report] = []
        self._close(known.with_status(Status.CANCELED), events)
        return _orders(events)

    def cancel_all(self, bar: int) -> list[Order]:
        """Cancel every open order."""
        return self.cancel(self.open_orders, bar)

    def reconcile(
        self, bar: int, since: int, marks: Mapping[str, int] | None = None
    ) -> list[Report]:
        """Settle every doubt with what the venues know, their fills since bar ``since`` included.

        An order that its venue no longer has is CANCELED; one of unknown outcome that it has is
        NEW or PARTIAL again.

        Args:
            marks: as for ``on_open``.

        Raises:
            ExecutionError: for an order or a fill at a venue that is not this desk's.
        """
        require_marks(self.book(), self._waiting(), marks)
        asked = [order.order_id for order in self.open_orders if order.status is not Status.PENDING]
        known = [venue.reconcile(since) for venue in self._venues.values()]
        events = self._book_reports([fill for one in known for fill in one.fills], bar, marks)
        standing = {
            self._find(order.order_id).order_id for one in known for order in one.open_orders
        }
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

    def fund(self, events: Iterable[Funding]) -> None:
        """Post funding payments, each once."""
        for event in events:
            self._ledger.fund(event)

    def liquidated(self, events: Sequence[Liquidation], bar: int) -> list[Order]:
        """Post what venues closed; cancel the orders in every instrument of those accounts.

        Returns:
            The orders that changed, as for ``cancel``; legs waiting for them are among them.
        """
        for event in events:
            self._ledger.liquidate(event)
        accounts = {event.instrument.account for event in events}
        return self.cancel([o for o in self.open_orders if o.instrument.account in accounts], bar)

    def adjust(self, place: str, units: Mapping[Asset, int], entry_id: str) -> None:
        """Post what ``place`` really has more or less than the books; see ``Ledger.adjust``."""
        self._ledger.adjust(place, units, entry_id)

    def transfer(self, transit: Transit, bar: int, marks: Mapping[str, int] | None = None) -> None:
        """Start a transfer; its amount is under way until ``arrive``.

        Args:
            bar: number of the last bar that opened.
            marks: may be left out if the source is not a margin account.

        Raises:
            InsufficientFunds: if less is available at the source, or its margin has less room.
            ExecutionError: for a margin account without ``marks``, or a place of another fund.
        """
        source, amount = transit.transfer.source, transit.transfer.amount
        if self._ledger.margined(source):
            left = margin_room(self.book(), source, marks or {}) - amount
            if left < 0:
                raise InsufficientFunds(
                    f"room at {source} after transfer {transit.transfer_id}",
                    left,
                    "what margins the positions stays; move less",
                )
        if self._ledger.start_transfer(transit):
            self._carriage.send(transit, bar)

    def arrive(self, bar: int) -> list[Arrival]:
        """Post the transfers that ended by the open of ``bar``, in the order of their start."""
        arrived = self._carriage.arrived(self.book().transit, bar)
        for arrival in arrived:
            self._ledger.arrive(arrival)
        return arrived

    def _require_sendable(self, order: Order, names: Iterable[str], bar: int) -> None:
        subject = f"order {order.order_id}"
        if order.status is not Status.PENDING or order.filled:
            raise ExecutionError(subject, order.status.value, "send orders that are pending")
        if order.order_id in names or self._ledger.has_reserved(order.order_id):
            raise ExecutionError("order", order.order_id, "it was sent before; count the attempt")
        if order.instrument.venue.name not in self._venues:
            raise ExecutionError(
                subject,
                order.instrument.venue.name,
                f"this desk sends to {', '.join(self._venues)}",
            )
        if order.expires <= bar:
            raise ExecutionError(subject, order.expires, f"let it expire after bar {bar}")
        if order.waits_for is not None and not (
            order.waits_for in names or order.waits_for in self._open
        ):
            raise ExecutionError(subject, order.waits_for, "the leg it waits for comes first")

    def _at(self, order: Order) -> Venue:
        return self._venues[order.instrument.venue.name]

    def _waiting(self) -> list[Order]:
        return [order for order in self._open.values() if order.status is Status.PENDING]

    def _submit(
        self, order: Order, bar: int, marks: Mapping[str, int] | None, events: list[Report]
    ) -> None:
        if marks is not None and order.instrument.margin is not None:
            at_venues = tuple(o for o in self.open_orders if o.status is not Status.PENDING)
            if not affords(self._ledger.book(at_venues), order, marks):
                self._close(order.with_status(Status.REJECTED), events)
                return
        self._take_status(self._at(order).submit(order, bar), events)

    def _book_reports(
        self, reports: Sequence[Report], bar: int, marks: Mapping[str, int] | None
    ) -> list[Report]:
        events: list[Report] = []
        for report in reports:
            if isinstance(report, Fill):
                self._take_fill(report, bar, marks, events)
            else:
                self._take_status(report, events)
        return events

    def _take_fill(
        self, fill: Fill, bar: int, marks: Mapping[str, int] | None, events: list[Report]
    ) -> None:
        if self._ledger.has_fill(fill):
            return
        order = self._find(fill.order_id)
        self._ledger.fill(fill, order)
        after = self._put(order.with_fill(fill))
        events += [fill, after]
        if after.status is Status.FILLED:
            for waiting in self.open_orders:
                if waiting.waits_for == order.order_id:
                    self._submit(waiting, bar, marks, events)

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
            if order.order_id not in self._open:
                continue
            if order.status is Status.PENDING:
                self._close(order.with_status(status), events)
                continue
            report = self._at(order).cancel(order.order_id, bar)
            if report.status is Status.CANCELED and report.filled == order.filled:
                self._close(order.with_status(status), events)
            elif report.status is not order.status and order.status is not Status.UNKNOWN:
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
