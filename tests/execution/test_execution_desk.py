from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from execution_world import (
    ETH,
    ETH_USD,
    INSTRUMENTS,
    SPX_USD,
    USD,
    make_ledger,
    make_order,
    make_venue,
)

from agent_fund.domain.instrument import Venue as Place
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.execution.account import Bucket
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.venue import Reconciliation, Report, Venue

OPENS = {"ETH": 1000, "SPX": 1000}
PLENTY = {"ETH": 10**9, "SPX": 10**9}


class Scripted:
    """A venue that answers what the test says; by default NEW, no fills, no confirmed cancel."""

    def __init__(self) -> None:
        self.name = "sim"
        self.sent: dict[str, Order] = {}
        self.rejects: set[str] = set()
        self.cancels: dict[str, Order] = {}
        self.reports: list[Report] = []
        self.known = Reconciliation((), ())

    @property
    def open_orders(self) -> tuple[str, ...]:
        return tuple(self.sent)

    def maximum_fee(self, order: Order) -> int:
        return 0

    def submit(self, order: Order, bar: int) -> Order:
        self.sent[order.order_id] = order
        rejected = order.order_id in self.rejects
        return order.with_status(Status.REJECTED if rejected else Status.NEW)

    def cancel(self, order_id: str, bar: int) -> Order:
        return self.cancels.get(order_id, replace(self.sent[order_id], status=Status.NEW))

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        reports, self.reports = self.reports, []
        return reports

    def reconcile(self, since: int) -> Reconciliation:
        return self.known


def fill_of(order: Order, quantity: int, exec_id: str = "x", bar: int = 1) -> Fill:
    return Fill(
        exec_id, order.order_id, order.instrument, order.side, quantity, order.limit, 0, bar
    )


def ids(orders: Sequence[Order]) -> list[tuple[str, str]]:
    return [(order.order_id, order.status.value) for order in orders]


def desk_with(venue: Venue, cash: int = 10**12) -> Desk:
    return Desk(make_ledger(cash), {"sim": venue})


def hedged_pair() -> list[Order]:
    return [
        make_order("leg0", 20, 1000),
        make_order("leg1", 2, 1000, instrument=SPX_USD, waits_for="leg0"),
        make_order("leg2", 20, 1000, waits_for="leg1"),
    ]


def test_every_order_is_reserved_before_it_is_sent_and_all_are_counted() -> None:
    desk = desk_with(make_venue(fee="1/100"))
    assert ids(desk.send(hedged_pair(), 0)) == [("leg0", "new")]
    assert ids(desk.open_orders) == [
        ("leg0", "new"),
        ("leg1", "pending_new"),
        ("leg2", "pending_new"),
    ]
    assert desk.book().open_orders == desk.open_orders
    assert desk.book().cash == 10**12


def test_a_waiting_leg_is_submitted_when_its_predecessor_is_filled_and_fills_a_bar_later() -> None:
    desk = desk_with(make_venue(share="1/10"))
    desk.send(hedged_pair(), 0)
    events = desk.on_open(1, OPENS, {"ETH": 100, "SPX": 100})
    assert [type(event).__name__ for event in events] == ["Fill", "Order"]
    assert ids(desk.open_orders)[:2] == [("leg0", "partially_filled"), ("leg1", "pending_new")]
    events = desk.on_open(2, OPENS, PLENTY)
    assert ids([event for event in events if isinstance(event, Order)]) == [
        ("leg0", "filled"),
        ("leg1", "new"),
    ]
    fills = [event for event in desk.on_open(3, OPENS, PLENTY) if isinstance(event, Fill)]
    assert [(fill.order_id, fill.bar) for fill in fills] == [("leg1", 3)]
    fills = [event for event in desk.on_open(4, OPENS, PLENTY) if isinstance(event, Fill)]
    assert [(fill.order_id, fill.bar) for fill in fills] == [("leg2", 4)]
    assert desk.open_orders == ()
    assert desk.book().positions == {"ETH": 40, "SPX": 2}


def test_if_one_reservation_fails_nothing_is_sent() -> None:
    venue = make_venue()
    desk = desk_with(venue, cash=300_000)
    with pytest.raises(InsufficientFunds):
        desk.send([make_order("a", 20, 1000), make_order("b", 20, 1000)], 0)
    assert (desk.open_orders, venue.open_orders) == ((), ())
    assert desk.book().cash == 300_000
    desk.send([make_order("a", 20, 1000)], 0)
    assert venue.open_orders == ("a",)


def test_an_order_expires_at_the_close_of_its_last_bar_with_the_legs_behind_it() -> None:
    venue = make_venue(share="1/10")
    ledger = make_ledger()
    desk = Desk(ledger, {"sim": venue})
    orders = [replace(order, expires=2) for order in hedged_pair()]
    orders[1] = replace(orders[1], expires=9)
    desk.send(orders, 0)
    desk.on_open(1, OPENS, {"ETH": 100, "SPX": 100})
    assert desk.on_close(1) == []
    assert ids(desk.on_close(2)) == [
        ("leg0", "expired"),
        ("leg1", "canceled"),
        ("leg2", "canceled"),
    ]
    assert (desk.open_orders, venue.open_orders) == ((), ())
    assert ledger.balance("sim", USD, Bucket.RESERVED) == 0
    assert desk.book().positions == {"ETH": 10}


def test_a_waiting_leg_can_expire_while_its_predecessor_lives() -> None:
    desk = desk_with(make_venue())
    orders = hedged_pair()
    orders[1] = replace(orders[1], expires=1)
    desk.send(orders, 0)
    assert ids(desk.on_close(1)) == [("leg1", "expired"), ("leg2", "canceled")]
    assert ids(desk.open_orders) == [("leg0", "new")]


def test_cancel_all_ends_every_order_that_the_venue_confirms() -> None:
    desk = desk_with(make_venue())
    desk.send([*hedged_pair(), make_order("other", 10, 1000)], 0)
    assert ids(desk.cancel_all(0)) == [
        ("leg0", "canceled"),
        ("leg1", "canceled"),
        ("leg2", "canceled"),
        ("other", "canceled"),
    ]
    assert desk.open_orders == ()


def test_an_unconfirmed_cancel_stays_open_and_counted_but_its_successors_end() -> None:
    ledger = make_ledger()
    venue = Scripted()
    desk = Desk(ledger, {"sim": venue})
    first, *rest = hedged_pair()
    desk.send([first, *rest], 0)
    assert ids(desk.cancel_all(0)) == [("leg1", "canceled"), ("leg2", "canceled")]
    assert ids(desk.book().open_orders) == [("leg0", "new")]
    assert ledger.reserved("leg0") == 20 * 1000 * 10
    assert desk.on_close(100) == []
    venue.reports = [fill_of(first, 20)]
    desk.on_open(101, OPENS, PLENTY)
    assert (desk.open_orders, desk.book().position("ETH")) == ((), 20)


def test_a_rejected_order_holds_nothing_and_takes_its_successors_with_it() -> None:
    ledger = make_ledger()
    venue = Scripted()
    venue.rejects = {"leg0"}
    events = Desk(ledger, {"sim": venue}).send(hedged_pair(), 0)
    assert ids(events) == [("leg0", "rejected"), ("leg1", "canceled"), ("leg2", "canceled")]
    assert ledger.balance("sim", USD, Bucket.RESERVED) == 0
    assert list(venue.sent) == ["leg0"]


def test_a_fill_reported_twice_is_booked_once() -> None:
    venue = Scripted()
    desk = desk_with(venue)
    order = make_order("a", 20, 1000)
    desk.send([order], 0)
    venue.reports = [fill_of(order, 10), fill_of(order, 10)]
    assert len(desk.on_open(1, OPENS, PLENTY)) == 2
    venue.reports = [fill_of(order, 10), fill_of(order, 10, "y")]
    assert len(desk.on_open(2, OPENS, PLENTY)) == 2
    assert desk.book().position("ETH") == 20


def test_a_stranger_s_fill_is_not_adopted() -> None:
    venue = Scripted()
    desk = desk_with(venue)
    desk.send([make_order("a", 20, 1000)], 0)
    venue.reports = [fill_of(make_order("b", 20, 1000), 10)]
    with pytest.raises(ExecutionError, match="no such open order"):
        desk.on_open(1, OPENS, PLENTY)
    assert desk.book().positions == {}


@pytest.mark.parametrize("status", [Status.CANCELED, Status.FILLED, Status.PENDING])
def test_a_status_that_the_fills_do_not_explain_makes_the_order_unknown(status: Status) -> None:
    ledger = make_ledger()
    venue = Scripted()
    desk = Desk(ledger, {"sim": venue})
    order = make_order("a", 20, 1000)
    desk.send([order], 0)
    filled = {Status.CANCELED: 10, Status.FILLED: 0, Status.PENDING: 0}[status]
    venue.reports = [replace(order, filled=filled, status=status)]
    assert ids([e for e in desk.on_open(1, OPENS, PLENTY) if isinstance(e, Order)]) == [
        ("a", "unknown")
    ]
    assert ledger.reserved("a") == 20 * 1000 * 10
    assert desk.cancel_all(1) == []
    venue.known = Reconciliation((), (fill_of(order, 10),))
    settled = [event for event in desk.reconcile(1, 0) if isinstance(event, Order)]
    assert ids(settled) == [("a", "partially_filled"), ("a", "canceled")]
    assert (desk.book().position("ETH"), ledger.reserved("a")) == (10, 0)


def test_reconcile_puts_an_order_that_the_venue_has_back_to_work() -> None:
    venue = Scripted()
    desk = desk_with(venue)
    order = make_order("a", 20, 1000)
    desk.send([order], 0)
    venue.reports = [replace(order, status=Status.UNKNOWN)]
    desk.on_open(1, OPENS, PLENTY)
    venue.known = Reconciliation((replace(order, status=Status.NEW),), ())
    assert [event.status for event in desk.reconcile(1, 0) if isinstance(event, Order)] == [
        Status.NEW
    ]


def test_a_leg_that_reconcile_submits_is_not_taken_for_a_lost_one() -> None:
    venue = Scripted()
    desk = desk_with(venue)
    orders = hedged_pair()
    desk.send(orders, 0)
    venue.known = Reconciliation((), (fill_of(orders[0], 20),))
    desk.reconcile(1, 0)
    assert ids(desk.open_orders) == [("leg1", "new"), ("leg2", "pending_new")]


def test_an_order_at_the_venue_that_is_not_ours_is_an_error() -> None:
    venue = Scripted()
    desk = desk_with(venue)
    venue.known = Reconciliation((make_order("stranger", 10, 1000),), ())
    with pytest.raises(ExecutionError, match="stranger"):
        desk.reconcile(1, 0)


def test_what_cannot_be_sent_is_refused_before_anything_is_reserved() -> None:
    desk = desk_with(make_venue())
    good = make_order("a", 10, 1000)
    desk.send([good], 3)
    desk.cancel_all(3)
    fresh = make_order("b", 10, 1000)
    other = replace(ETH_USD, venue=Place("other"))
    refused = {
        "sent before": good,
        "after bar 3": replace(fresh, expires=3),
        "are pending": replace(fresh, status=Status.NEW),
        "comes first": replace(fresh, waits_for="a"),
        "sends to sim": replace(fresh, instrument=other),
    }
    for reason, order in refused.items():
        with pytest.raises(ExecutionError, match=reason):
            desk.send([fresh, replace(order, order_id="c") if order is not good else order], 3)
    with pytest.raises(ExecutionError, match="sent before"):
        desk.send([fresh, fresh], 3)
    assert desk.open_orders == ()
    assert desk.book().cash == 10**12


def test_a_sell_waits_for_the_buy_that_brings_it_only_if_it_is_held_already() -> None:
    ledger = make_ledger()
    ledger.deposit(ETH, 50, "sim", "coins")
    desk = Desk(ledger, {"sim": make_venue()})
    sell = make_order("s", 50, 1000, side=Side.SELL, waits_for="b")
    desk.send([make_order("b", 10, 1000), sell], 0)
    desk.on_open(1, OPENS, PLENTY)
    desk.on_open(2, OPENS, PLENTY)
    assert desk.book().positions == {"ETH": 10}
    with pytest.raises(InsufficientFunds):
        desk.send(
            [
                make_order("b2", 10, 1000),
                replace(sell, order_id="s2", quantity=20, waits_for="b2"),
            ],
            2,
        )


def test_a_new_order_may_wait_for_one_that_is_open() -> None:
    desk = desk_with(make_venue())
    desk.send([make_order("a", 10, 1000)], 0)
    assert desk.send([make_order("b", 10, 1000, waits_for="a")], 0) == []
    desk.on_open(1, OPENS, PLENTY)
    assert ids(desk.open_orders) == [("b", "new")]


def test_with_nothing_open_the_venue_is_not_asked() -> None:
    desk = desk_with(Scripted())
    assert desk.on_open(1, {}, {}) == []
    assert desk.on_close(1) == []
    assert desk.book() is desk.book()
    assert desk.book().instruments == INSTRUMENTS


def test_a_cancel_that_tells_of_an_unreported_fill_ends_nothing_yet() -> None:
    ledger = make_ledger()
    venue = Scripted()
    desk = Desk(ledger, {"sim": venue})
    order = make_order("a", 20, 1000)
    desk.send([order], 0)
    venue.cancels["a"] = replace(order, filled=10, status=Status.CANCELED)
    assert ids(desk.cancel_all(1)) == [("a", "unknown")]
    assert ledger.reserved("a") == 20 * 1000 * 10
    assert ids(desk.book().open_orders) == [("a", "unknown")]
