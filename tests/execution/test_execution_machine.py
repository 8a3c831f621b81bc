"""Random lives of orders at a venue that repeats, loses and withholds; the books always hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from execution_world import (
    ETH,
    ETH_USD,
    INSTRUMENTS,
    SPX_USD,
    USD,
    make_ledger,
    make_order,
    make_venue,
    totals,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.execution.account import Bucket
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import InsufficientFunds
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.execution.venue import Reconciliation, Report

FEE, SHARE, SLIP = Fraction(3, 1000), Fraction(1, 10), Fraction(21, 1000)


class Unreliable:
    """The simulated venue behind a line that repeats old fills, loses reports, delays cancels."""

    def __init__(self, venue: SimulatedVenue) -> None:
        self.name = venue.name
        self.venue = venue
        self.loses = self.repeats = self.delays = False
        self.reported: list[Fill] = []
        self.last: dict[str, Order] = {}

    @property
    def open_orders(self) -> tuple[str, ...]:
        return self.venue.open_orders

    def maximum_fee(self, order: Order) -> int:
        return self.venue.maximum_fee(order)

    def submit(self, order: Order, bar: int) -> Order:
        self.last[order.order_id] = order
        answer = self.venue.submit(order, bar)
        return order.with_status(Status.UNKNOWN) if self.loses else answer

    def cancel(self, order_id: str, bar: int) -> Order:
        found = [o for o in self.venue.reconcile(bar).open_orders if o.order_id == order_id]
        if not found:
            return replace(self.last[order_id], status=Status.UNKNOWN)
        return found[0] if self.delays else self.venue.cancel(order_id, bar)

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        fills = [fill for fill in self.venue.on_open(bar, opens, volumes) if isinstance(fill, Fill)]
        self.reported += fills
        if self.loses:
            return []
        return [*self.reported, *fills] if self.repeats else fills

    def reconcile(self, since: int) -> Reconciliation:
        return self.venue.reconcile(since)


class Books(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.ledger: Ledger = make_ledger(10**9)
        self.ledger.deposit(ETH, 500, "sim", "coins")
        inner = make_venue(fee=str(FEE), spread="1/200", impact="1/20", share=str(SHARE), latency=1)
        self.venue = Unreliable(inner)
        self.desk = Desk(self.ledger, {"sim": self.venue})
        self.bar = self.sent = 0
        self.closed: set[str] = set()
        self.orders: dict[str, Order] = {}
        self.opens: dict[str, int] = {}
        self.volumes: dict[str, int] = {}

    @rule(
        legs=st.lists(
            st.tuples(
                st.sampled_from([ETH_USD, SPX_USD]),
                st.sampled_from(Side),
                st.integers(1, 12),
                st.integers(170, 230),
                st.integers(1, 6),
            ),
            min_size=1,
            max_size=4,
        ),
        ordered=st.booleans(),
    )
    def send(self, legs: list[tuple[Instrument, Side, int, int, int]], ordered: bool) -> None:
        orders: list[Order] = []
        for traded, side, lots, ticks, life in legs:
            before = orders[-1].order_id if ordered and orders else None
            self.sent += 1
            order = make_order(
                f"o{self.sent}",
                lots * traded.lot,
                ticks * traded.tick,
                side=side,
                instrument=traded,
                expires=self.bar + life,
                waits_for=before,
            )
            orders.append(order)
        before_books, before_open = self.ledger.balances(), self.desk.open_orders
        try:
            self.desk.send(orders, self.bar)
        except InsufficientFunds:
            assert self.ledger.balances() == before_books
            assert self.desk.open_orders == before_open
            return
        self.orders |= {order.order_id: order for order in orders}

    @rule(
        price=st.integers(180, 220),
        volume=st.integers(0, 1500),
    )
    def open(self, price: int, volume: int) -> None:
        self.bar += 1
        self.opens = {"ETH": price * ETH_USD.tick, "SPX": price}
        self.volumes = {"ETH": volume, "SPX": volume // 10}
        known = len(self.venue.reported)
        self.desk.on_open(self.bar, self.opens, self.volumes)
        self.check_fills(self.venue.reported[known:])

    def check_fills(self, fills: list[Fill]) -> None:
        for symbol, instrument in INSTRUMENTS.items():
            mine = [fill for fill in fills if fill.instrument is instrument]
            assert sum(fill.quantity for fill in mine) <= SHARE * self.volumes[symbol]
            for fill in mine:
                order = self.orders[fill.order_id]
                assert (fill.price - order.limit) * order.side.sign <= 0
                assert (fill.price - self.opens[symbol]) * order.side.sign >= 0
                assert (fill.price - self.opens[symbol]) * order.side.sign <= (
                    self.opens[symbol] * SLIP + instrument.tick
                )

    @rule()
    def close(self) -> None:
        for order in self.desk.on_close(self.bar):
            if order.status is Status.EXPIRED:
                assert order.expires <= self.bar

    @rule()
    def cancel(self) -> None:
        self.desk.cancel_all(self.bar)

    @rule(fault=st.sampled_from(["repeats", "delays"]), on=st.booleans())
    def toggle(self, fault: str, on: bool) -> None:
        setattr(self.venue, fault, on)

    @precondition(lambda self: not self.venue.loses)
    @rule()
    def lose(self) -> None:
        self.venue.loses = True

    @precondition(lambda self: self.venue.loses)
    @rule()
    def find(self) -> None:
        self.venue.loses = False
        self.desk.reconcile(self.bar, 0)
        for order_id in self.venue.open_orders:
            assert order_id in {order.order_id for order in self.desk.open_orders}

    @invariant()
    def value_is_conserved(self) -> None:
        assert not any(totals(self.ledger).values())

    @invariant()
    def nothing_owned_is_negative(self) -> None:
        assert all(units > 0 for account, units in self.ledger.balances().items() if account.own)

    @invariant()
    def what_is_reserved_is_what_open_orders_need(self) -> None:
        need = {"USD": 0, "ETH": 0, "SPX": 0}
        for order in self.desk.open_orders:
            paid = sum(
                entry_fee(self.ledger, fill)
                for fill in self.venue.reported
                if fill.order_id == order.order_id
            )
            if order.side is Side.BUY:
                units = order.instrument.notional(order.remaining, order.limit)
                units += self.venue.maximum_fee(order) - paid
            else:
                units = order.remaining
            assert self.ledger.reserved(order.order_id) == units
            asset = order.instrument.quote if order.side is Side.BUY else order.instrument.base
            need[asset.symbol] += units
        for asset in (USD, ETH_USD.base, SPX_USD.base):
            assert self.ledger.balance("sim", asset, Bucket.RESERVED) == need[asset.symbol]

    @invariant()
    def an_ended_order_holds_nothing_and_stays_ended(self) -> None:
        alive = {order.order_id for order in self.desk.open_orders}
        for order_id in self.orders:
            if order_id not in alive:
                assert self.ledger.reserved(order_id) == 0
                self.closed.add(order_id)
        assert not self.closed & alive

    @invariant()
    def the_venue_has_no_order_that_the_book_does_not_count(self) -> None:
        assert set(self.venue.open_orders) <= {o.order_id for o in self.desk.book().open_orders}

    @invariant()
    def legs_fill_in_their_order(self) -> None:
        filled: dict[str, int] = {}
        for fill in self.venue.reported:
            leg = self.orders[fill.order_id]
            if leg.waits_for is not None:
                assert filled.get(leg.waits_for) == self.orders[leg.waits_for].quantity
            filled[leg.order_id] = filled.get(leg.order_id, 0) + fill.quantity
            assert filled[leg.order_id] <= leg.quantity

    @invariant()
    def the_book_is_what_the_fills_made(self) -> None:
        book = self.desk.book()
        cash, eth = 10**9, 500
        for fill in self.venue.reported:
            if self.ledger.has_fill(fill):
                cash -= fill.side.sign * fill.instrument.notional(fill.quantity, fill.price)
                cash -= fill.fee
                eth += fill.side.sign * fill.quantity if fill.instrument == ETH_USD else 0
        assert (book.cash, book.position("ETH")) == (cash, eth)


def entry_fee(ledger: Ledger, fill: Fill) -> int:
    return fill.fee if ledger.has_fill(fill) else 0


Books.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestBooks = Books.TestCase


@settings(deadline=None)
@given(
    bars=st.lists(st.tuples(st.integers(180, 220), st.integers(0, 1500)), max_size=20),
    limits=st.lists(st.integers(180, 220), min_size=1, max_size=5),
)
def test_the_same_bars_and_orders_give_the_same_entries_to_the_last_digit(
    bars: list[tuple[int, int]], limits: list[int]
) -> None:
    def run() -> tuple[object, ...]:
        ledger = make_ledger()
        venue = make_venue(fee="1/1000", spread="1/500", impact="1/20", share="1/10")
        desk = Desk(ledger, {"sim": venue})
        events: list[object] = []
        events += desk.send(
            [make_order(f"o{i}", 100, limit * 5) for i, limit in enumerate(limits)], 0
        )
        for bar, (price, volume) in enumerate(bars, start=1):
            events += desk.on_open(bar, {"ETH": price * 5}, {"ETH": volume})
            events += desk.on_close(bar)
        return events, ledger.export(), ledger.balances()

    assert run() == run()
