"""Margin accounts, funding, liquidation and transfers in the ledger, and at the desk."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from execution_world import (
    BTC_PERP,
    ETH_PERP,
    ETH_USD,
    INSTRUMENTS,
    ISOLATED,
    MARGINED,
    MARKS,
    SOL_PERP,
    USD,
    make_ledger,
    make_margined,
    make_order,
    make_venue,
    totals,
)

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Venue
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.domain.settlement import RATE_SCALE, Funding, Liquidation
from agent_fund.domain.transfer import Arrival, Transfer, Transit
from agent_fund.execution.account import OUTSIDE, Account, Bucket
from agent_fund.execution.clearing import margin_room
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
)
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import ExecutionError, InsufficientFunds, LedgerError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.simulated import SimulatedVenue

ONE = 10**6
OPENS = MARKS | {"ETH": 1000, "SPX": 1000}
PLENTY = dict.fromkeys(MARGINED, 10**9)
MARGIN = Account("perp", USD, Bucket.MARGIN)


def make_fill(order: Order, quantity: int, price: int, fee: int = 0, exec_id: str = "x") -> Fill:
    return Fill(exec_id, order.order_id, order.instrument, order.side, quantity, price, fee, bar=1)


def short(quantity: int, limit: int = 10, order_id: str = "s") -> Order:
    return make_order(order_id, quantity, limit, side=Side.SELL, instrument=ETH_PERP)


def long(quantity: int, limit: int = 100_0000, order_id: str = "l") -> Order:
    return make_order(order_id, quantity, limit, instrument=ETH_PERP)


def transit(amount: int, source: str, target: str, due: int = 3, name: str = "t1") -> Transit:
    return Transit(name, Transfer(amount, source, target), due)


def make_desk(ledger: Ledger, *, latency: int = 0) -> Desk:
    return Desk(ledger, {"sim": make_venue(latency=latency), "perp": make_venue(name="perp")})


def hold(ledger: Ledger, order: Order, price: int) -> None:
    """``order`` wholly filled, free of charge."""
    ledger.reserve([(order, 0)])
    ledger.fill(make_fill(order, order.quantity, price, exec_id=order.order_id), order)


# -- the ledger -------------------------------------------------------------------------------


def test_a_deposit_stands_where_the_place_keeps_its_currency() -> None:
    ledger = make_margined(1, 2, 3)
    assert {account: units for account, units in ledger.balances().items() if account.own} == {
        Account("sim", USD, Bucket.AVAILABLE): ONE,
        MARGIN: 2 * ONE,
        Account(ISOLATED, USD, Bucket.MARGIN): 3 * ONE,
    }
    assert list(ledger.book().places.items()) == [
        ("sim", ONE),
        ("perp", 2 * ONE),
        (ISOLATED, 3 * ONE),
    ]
    assert [ledger.margined(place) for place in ledger.book().places] == [False, True, True]
    assert ledger.withdraw(USD, ONE, "perp", "out")
    assert ledger.balance("perp", USD, Bucket.MARGIN) == ONE


def test_every_place_is_in_the_book_also_without_cash() -> None:
    assert dict(Ledger(USD, MARGINED).book().places) == {"sim": 0, "perp": 0, ISOLATED: 0}


def test_an_order_in_a_perpetual_sets_nothing_aside_and_its_id_is_never_used_again() -> None:
    ledger = make_margined()
    before = ledger.balances()
    ledger.reserve([(short(100), 5), (long(10**9), 5)])
    assert (ledger.balances(), ledger.reserved("s")) == (before, 0)
    assert ledger.has_reserved("s")
    ledger.reserve([(short(100), 5)])
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.reserve([(short(101), 5)])
    ended = replace(short(100), status=Status.CANCELED)
    assert not ledger.release(ended)
    assert ledger.has_reserved("s")
    with pytest.raises(LedgerError, match="no reservation is held"):
        ledger.fill(make_fill(short(100), 10, 100_0000), short(100))


def test_a_short_sale_brings_its_notional_in_and_leaves_contracts_owed() -> None:
    ledger = make_margined(0, 300, 0)
    ledger.reserve([(short(200), 0)])
    ledger.fill(make_fill(short(200), 200, 100_0000, fee=7), short(200))
    coin = ETH_PERP.base
    assert ledger.balances() == {
        MARGIN: 500 * ONE - 7,
        Account("perp", coin, Bucket.MARGIN): -200,
        Account(OUTSIDE, USD, Bucket.CAPITAL): -300 * ONE,
        Account(OUTSIDE, coin, Bucket.MARKET): 200,
        Account(OUTSIDE, USD, Bucket.MARKET): -200 * ONE,
        Account(OUTSIDE, USD, Bucket.FEES): 7,
    }
    book = ledger.book()
    assert (book.cash, book.position("ETHP")) == (500 * ONE - 7, -200)
    assert book.nav(MARKS) == book.equity("perp", MARKS) == 300 * ONE - 7


def test_longs_take_cash_below_zero_and_equity_stays() -> None:
    ledger = make_margined(0, 300, 0)
    hold(ledger, long(1000), 100_0000)
    assert dict(ledger.book().places) == {"sim": 0, "perp": -700 * ONE, ISOLATED: 0}
    assert ledger.book().equity("perp", MARKS) == 300 * ONE


def test_an_isolated_order_moves_its_own_account_alone() -> None:
    ledger = make_margined(1, 2, 3)
    hold(ledger, make_order("i", 10, 20_0000, instrument=SOL_PERP), 20_0000)
    assert dict(ledger.book().places) == {"sim": ONE, "perp": 2 * ONE, ISOLATED: -17 * ONE}


def test_a_perpetual_s_fill_needs_its_order_as_last_reported_and_a_fee_within_the_maximum() -> None:
    ledger = make_margined()
    order = long(30)
    with pytest.raises(LedgerError, match="no reservation"):
        ledger.fill(make_fill(order, 10, 100_0000), order)
    ledger.reserve([(order, 5)])
    with pytest.raises(LedgerError, match="at most 5 is left"):
        ledger.fill(make_fill(order, 10, 100_0000, fee=6), order)
    ledger.fill(make_fill(order, 10, 100_0000, fee=3), order)
    with pytest.raises(LedgerError, match="as last reported"):
        ledger.fill(make_fill(order, 10, 100_0000, exec_id="y"), order)
    after = replace(order, filled=10, status=Status.PARTIAL)
    with pytest.raises(LedgerError, match="at most 2 is left"):
        ledger.fill(make_fill(after, 10, 100_0000, fee=3, exec_id="y"), after)


def test_a_short_sale_above_its_limit_may_cost_more_than_its_fee_at_the_limit() -> None:
    ledger = make_margined()
    ledger.reserve([(short(100), 1)])
    assert ledger.fill(make_fill(short(100), 100, 100_0000, fee=10**5), short(100))


def test_funding_is_paid_once_between_margin_and_the_other_side() -> None:
    ledger = make_margined(0, 300, 0)
    hold(ledger, long(100), 100_0000)
    event = Funding(ETH_PERP, 100, MARKS["ETHP"], 10**RATE_SCALE // 100, 4)
    assert event.amount == -ONE
    assert ledger.fund(event)
    assert not ledger.fund(event)
    assert ledger.entries[-1].entry_id == "funding perp ETHP 4"
    assert ledger.balance("perp", USD, Bucket.MARGIN) == 199 * ONE
    assert ledger.balance(OUTSIDE, USD, Bucket.FUNDING) == ONE
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.fund(replace(event, quantity=200))
    assert ledger.fund(replace(event, bar=5, quantity=-100))
    assert ledger.balance("perp", USD, Bucket.MARGIN) == 200 * ONE


def test_funding_belongs_to_a_perpetual_of_the_fund_and_moves_something() -> None:
    ledger = make_margined()
    with pytest.raises(LedgerError, match="only a perpetual"):
        ledger.fund(Funding(ETH_USD, 100, 1000, 10**RATE_SCALE, 1))
    with pytest.raises(LedgerError, match="as the fund states it"):
        ledger.fund(Funding(replace(ETH_PERP, tick=20), 100, 1000, 10**RATE_SCALE, 1))
    with pytest.raises(LedgerError, match="leave it out"):
        ledger.fund(Funding(ETH_PERP, 100, 1000, 0, 1))


@pytest.mark.parametrize("side", Side)
def test_a_liquidation_closes_at_the_mark_takes_its_fee_and_brings_its_cover(side: Side) -> None:
    ledger = make_margined(0, 10, 0)
    order = long(100) if side is Side.BUY else short(100)
    hold(ledger, order, 100_0000)
    mark = 100_0000 - side.sign * 9_0000
    event = Liquidation(ETH_PERP, side.sign * 100, mark, 2 * ONE, ONE, 4, "close")
    assert ledger.liquidate(event)
    assert ledger.book().positions == {}
    assert ledger.book().cash == 0
    assert ledger.balance(OUTSIDE, USD, Bucket.FEES) == 2 * ONE
    assert ledger.balance(OUTSIDE, USD, Bucket.INSURANCE) == -ONE
    assert not any(totals(ledger).values())
    assert not ledger.liquidate(event)
    assert ledger.entries[-1].entry_id == "liquidation perp ETHP 4 close"
    assert ledger.book().cash == 0


def test_only_what_is_held_is_liquidated() -> None:
    ledger = make_margined()
    hold(ledger, long(100), 100_0000)
    event = Liquidation(ETH_PERP, 100, 1000, 0, 0, 1, "open")
    for quantity in (99, -100):
        with pytest.raises(LedgerError, match="close the 100"):
            ledger.liquidate(replace(event, quantity=quantity))
    with pytest.raises(LedgerError, match="close the 0"):
        ledger.liquidate(Liquidation(BTC_PERP, 0, 1000, 1, 0, 1, "open"))
    for terms in ({"fee": -1}, {"cover": -1}):
        with pytest.raises(DomainError, match="of liquidation"):
            ledger.liquidate(replace(event, **terms))
    assert ledger.book().position("ETHP") == 100


def test_a_transfer_is_cash_under_way_until_it_arrives() -> None:
    ledger = make_margined(10, 0, 0)
    away = transit(4 * ONE, "sim", "perp")
    assert ledger.start_transfer(away)
    assert not ledger.start_transfer(away)
    book = ledger.book()
    assert (book.cash, book.transit) == (10 * ONE, (away,))
    assert dict(book.places) == {"sim": 6 * ONE, "perp": 0, ISOLATED: 0}
    assert ledger.balance("perp", USD, Bucket.IN_TRANSIT) == 4 * ONE
    assert ledger.arrive(Arrival(away, away.transfer.amount))
    assert not ledger.arrive(Arrival(away, away.transfer.amount))
    assert not ledger.start_transfer(away)
    book = ledger.book()
    assert (book.cash, book.transit) == (10 * ONE, ())
    assert dict(book.places) == {"sim": 6 * ONE, "perp": 4 * ONE, ISOLATED: 0}
    assert ledger.balance("perp", USD, Bucket.MARGIN) == 4 * ONE


def test_a_margin_account_can_send_what_it_got() -> None:
    ledger = make_margined(0, 0, 5)
    away = transit(5 * ONE, ISOLATED, "sim")
    ledger.start_transfer(away)
    ledger.arrive(Arrival(away, away.transfer.amount))
    assert ledger.balance("sim", USD, Bucket.AVAILABLE) == 5 * ONE
    assert not any(totals(ledger).values())


def test_a_transfer_moves_what_is_available_between_places_of_the_fund() -> None:
    ledger = make_margined(10, 0, 0)
    with pytest.raises(InsufficientFunds, match="available USD at sim"):
        ledger.start_transfer(transit(10 * ONE + 1, "sim", "perp"))
    for source, target in (("sim", "moon"), ("moon", "sim")):
        with pytest.raises(LedgerError, match="places are: sim, perp, perp/SOLP"):
            ledger.start_transfer(transit(1, source, target))
    with pytest.raises(LedgerError, match="start this transfer first"):
        ledger.arrive(Arrival(transit(1, "sim", "perp"), 1))
    ledger.start_transfer(transit(1, "sim", "perp"))
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.start_transfer(transit(2, "sim", "perp"))
    with pytest.raises(LedgerError, match="start this transfer first"):
        ledger.arrive(Arrival(transit(1, "sim", "perp", due=9), 1))
    assert ledger.book().cash == 10 * ONE


def test_a_venue_has_spot_or_perpetuals_never_both() -> None:
    for wrong in (
        replace(ETH_PERP, venue=Venue("sim")),
        replace(SOL_PERP, venue=Venue("sim")),
    ):
        with pytest.raises(LedgerError, match="a venue has spot or perpetuals"):
            Ledger(USD, MARGINED | {wrong.symbol: wrong})
    with pytest.raises(DomainError, match="slash"):
        Venue(ISOLATED)
    twin = replace(ETH_PERP, symbol="TWIN")
    with pytest.raises(LedgerError, match="one position"):
        Ledger(USD, MARGINED | {"TWIN": twin})
    # Two isolated accounts may hold the same contract: each has a place of its own.
    isolated = replace(SOL_PERP, symbol="SOLP2")
    assert len(Ledger(USD, MARGINED | {"SOLP2": isolated}).book().places) == 4


# -- the desk ---------------------------------------------------------------------------------


def statuses(orders: list[Order]) -> list[tuple[str, str]]:
    return [(order.order_id, order.status.value) for order in orders]


def test_orders_go_to_the_venue_of_their_instrument_and_reports_come_in_the_venues_order() -> None:
    sim, perp = make_venue(), make_venue(name="perp")
    desk = Desk(make_margined(), {"perp": perp, "sim": sim})
    desk.send([make_order("a", 10, 1000), short(100)], 0, MARKS)
    assert (sim.open_orders, perp.open_orders) == (("a",), ("s",))
    fills = [report for report in desk.on_open(1, OPENS, PLENTY) if isinstance(report, Fill)]
    assert [fill.order_id for fill in fills] == ["s", "a"]
    assert desk.book().positions == {"ETHP": -100, "ETH": 10}


def test_a_leg_waits_for_a_leg_at_another_venue_and_misses_the_open_that_sends_it() -> None:
    for venues in (("sim", "perp"), ("perp", "sim")):
        ledger = make_margined()
        desk = Desk(ledger, {name: make_venue(name=name) for name in venues})
        hedge = replace(short(100), waits_for="a")
        desk.send([make_order("a", 10, 1000), hedge], 0, MARKS)
        with pytest.raises(ExecutionError, match="mark of ETHP"):
            desk.on_open(1, OPENS, PLENTY)
        assert desk.book().positions == {}
        desk.on_open(1, OPENS, PLENTY, MARKS)
        assert statuses(list(desk.open_orders)) == [("s", "new")]
        desk.on_open(2, OPENS, PLENTY)
        assert desk.book().positions == {"ETH": 10, "ETHP": -100}


class Hasty(SimulatedVenue):
    """A venue at which an order can fill in the bar in which it arrives."""

    def submit(self, order: Order, bar: int) -> Order:
        return super().submit(order, bar - 1)


def test_a_leg_sent_by_one_venue_s_open_is_too_late_for_another_venue_s_open() -> None:
    free = ProportionalFee(Fraction(0)), HalfSpread(Fraction(0)), SquareRootImpact(Fraction(0))
    perp = Hasty("perp", *free, Participation(Fraction(1)), Latency(0))
    desk = Desk(make_margined(), {"sim": make_venue(), "perp": perp})
    hedge = replace(short(100), waits_for="a")
    desk.send([make_order("a", 10, 1000), hedge, short(10, order_id="now")], 0, MARKS)
    desk.on_open(1, OPENS, PLENTY, MARKS)
    assert desk.book().positions == {"ETH": 10, "ETHP": -10}


def test_a_venue_is_given_under_its_own_name() -> None:
    with pytest.raises(ExecutionError, match="under its name, sim"):
        Desk(make_ledger(), {"perp": make_venue()})


def test_an_order_beyond_the_room_of_its_account_is_rejected_with_the_legs_behind_it() -> None:
    ledger = make_margined(1000, 300, 0)
    desk = make_desk(ledger)
    orders = [
        short(2000, 100_0000, "a"),
        short(1010, 100_0000, "b"),
        replace(short(10, 100_0000, "c"), waits_for="b"),
        short(1000, 100_0000, "d"),
    ]
    before = ledger.balances()
    assert statuses(desk.send(orders, 0, MARKS)) == [
        ("a", "new"),
        ("b", "rejected"),
        ("c", "canceled"),
        ("d", "new"),
    ]
    assert margin_room(desk.book(), "perp", MARKS) == 0
    assert ledger.balances() == before
    assert ledger.has_reserved("b")


def test_a_leg_without_room_when_its_turn_comes_is_rejected_then() -> None:
    ledger = make_margined(1000, 300, 0)
    desk = make_desk(ledger)
    hedge = replace(short(2500, 100_0000), waits_for="a")
    assert statuses(desk.send([make_order("a", 10, 1000), hedge], 0, MARKS)) == [("a", "new")]
    dearer = MARKS | {"ETHP": 121_0000}
    events = desk.on_open(1, OPENS, PLENTY, dearer)
    assert statuses([event for event in events if isinstance(event, Order)]) == [
        ("a", "filled"),
        ("s", "rejected"),
    ]


def test_a_poor_account_can_still_close() -> None:
    ledger = make_margined(0, 300, 0)
    hold(ledger, long(2500), 100_0000)
    desk = make_desk(ledger)
    cheaper = MARKS | {"ETHP": 89_0000}
    assert statuses(desk.send([long(10, 89_0000, "more")], 0, cheaper)) == [("more", "rejected")]
    assert statuses(desk.send([short(2500)], 0, cheaper)) == [("s", "new")]


def test_orders_in_perpetuals_are_not_judged_without_every_mark_of_their_account() -> None:
    ledger = make_margined()
    desk = make_desk(ledger)
    for marks in (None, {}, {"ETHP": 100_0000}):
        with pytest.raises(ExecutionError, match=r"mark of (ETH|BTC)P"):
            desk.send([make_order("a", 10, 1000), short(10)], 0, marks)
    assert not ledger.has_reserved("a")
    desk.send([make_order("a", 10, 1000)], 0)
    desk.send([short(10)], 0, {"ETHP": 100_0000, "BTCP": 500_0000})


def test_a_liquidation_cancels_the_account_s_orders_and_the_legs_behind_them() -> None:
    ledger = make_margined(1000, 300, 100)
    hold(ledger, long(200), 100_0000)
    desk = make_desk(ledger, latency=9)
    isolated = make_order("i", 10, 20_0000, instrument=SOL_PERP, waits_for="b")
    orders = [
        short(200, 200_0000),
        make_order("b", 1, 400_0000, instrument=BTC_PERP),
        isolated,
        make_order("spot", 10, 1000),
        make_order("behind", 10, 1000, waits_for="s"),
        replace(isolated, order_id="j", waits_for=None),
    ]
    desk.send(orders, 0, MARKS)
    event = Liquidation(ETH_PERP, 200, 100_0000, 0, 0, 1, "open")
    assert statuses(desk.liquidated([event], 1)) == [
        ("s", "canceled"),
        ("behind", "canceled"),
        ("b", "canceled"),
        ("i", "canceled"),
    ]
    assert [order.order_id for order in desk.open_orders] == ["spot", "j"]
    assert desk.book().positions == {}
    assert desk.liquidated([], 1) == []


def test_the_desk_posts_funding_once() -> None:
    ledger = make_margined(0, 300, 0)
    hold(ledger, long(100), 100_0000)
    desk = make_desk(ledger)
    event = Funding(ETH_PERP, 100, MARKS["ETHP"], 10**RATE_SCALE // 100, 4)
    desk.fund([event])
    desk.fund([event])
    assert desk.book().places["perp"] == 199 * ONE


def test_transfers_arrive_in_order_when_they_are_due() -> None:
    desk = make_desk(make_margined(10, 0, 0))
    first, second = transit(1, "sim", "perp", 5, "one"), transit(2, "sim", ISOLATED, 4, "two")
    third = transit(3, "sim", "perp", 6, "three")
    for away in (first, second, third):
        desk.transfer(away, 2)
    assert desk.book().transit == (first, second, third)
    assert desk.arrive(3) == []
    assert desk.arrive(5) == [
        Arrival(first, first.transfer.amount),
        Arrival(second, second.transfer.amount),
    ]
    assert desk.arrive(5) == []
    assert desk.book().transit == (third,)
    assert dict(desk.book().places) == {"sim": 10 * ONE - 6, "perp": 1, ISOLATED: 2}


def test_what_margins_the_positions_and_orders_of_an_account_cannot_leave_it() -> None:
    ledger = make_margined(0, 300, 0)
    hold(ledger, short(1000), 100_0000)
    desk = make_desk(ledger)
    desk.send([short(1000, 100_0000, "more")], 0, MARKS)
    with pytest.raises(InsufficientFunds, match="room at perp"):
        desk.transfer(transit(100 * ONE + 1, "perp", "sim"), 2, MARKS)
    with pytest.raises(ExecutionError, match="mark of ETHP"):
        desk.transfer(transit(1, "perp", "sim"), 2)
    assert desk.book().transit == ()
    desk.transfer(transit(100 * ONE, "perp", "sim"), 2, MARKS)
    assert margin_room(desk.book(), "perp", MARKS) == 0
    with pytest.raises(LedgerError, match="places are"):
        desk.transfer(transit(1, "moon", "sim"), 2)


def test_reconcile_settles_orders_at_every_venue() -> None:
    sim, perp = make_venue(), make_venue(name="perp")
    desk = Desk(make_margined(), {"sim": sim, "perp": perp})
    hedge = make_order("h", 10, 20_0000, instrument=SOL_PERP, waits_for="s")
    desk.send([make_order("a", 10, 1000), short(100), hedge], 0, MARKS)
    sim.cancel("a", 0)
    perp.on_open(1, OPENS, PLENTY)
    with pytest.raises(ExecutionError, match="mark of SOLP"):
        desk.reconcile(1, 0)
    events = desk.reconcile(1, 0, MARKS)
    assert statuses([event for event in events if isinstance(event, Order)]) == [
        ("s", "filled"),
        ("h", "new"),
        ("a", "canceled"),
    ]
    assert desk.book().positions == {"ETHP": -100}
    assert INSTRUMENTS.keys() < desk.book().instruments.keys()
