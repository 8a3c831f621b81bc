"""A person ends an order that its venue leaves in doubt, and says what the venue really has."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_world import (
    CASH,
    COIN,
    LINES,
    USD,
    BridgeTruth,
    Market,
    MarketAdapter,
    Process,
    driven,
    order,
)

from agent_fund.domain.order import Fill, Side, Status
from agent_fund.execution.account import Bucket
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.live.adapter import Holdings
from agent_fund.execution.live.leg_state import LegState
from agent_fund.paper.reconcile import Reconciler

LIMIT = 100_00


class World:
    """A market, and one process after another over the same file."""

    def __init__(self, folder: Path) -> None:
        self.path, self.market = folder / "live.sqlite", Market(COIN)
        self.process = self.again()

    def again(self) -> Process:
        self.process = Process(self.path, {"here": self.market}, BridgeTruth())
        return self.process

    def free(self) -> int:
        return self.process.ledger.balance("here", USD, Bucket.AVAILABLE)

    def held(self) -> int:
        return self.process.desk.book().position("COIN")


def balanced(process: Process) -> bool:
    sums: Counter[object] = Counter()
    for account, units in process.ledger.balances().items():
        sums[account.asset] += units
    return not any(sums.values())


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from(list(Side)),
    lots=st.integers(1, 60),
    sound=st.integers(0, 59),
    beyond=st.integers(1, 5000),
    restarts=st.sets(st.integers(0, 2)),
)
def test_what_was_settled_holds_nothing_back_and_adjusted_books_are_those_of_the_venue(
    side: Side, lots: int, sound: int, beyond: int, restarts: set[int]
) -> None:
    sound = min(sound, lots - 1)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        made = order(1, COIN, side, lots * COIN.lot, LIMIT)

        def begun(process: Process) -> None:
            process.ledger.deposit(COIN.base, 60 * COIN.lot, "here", "coins")
            process.desk.send([made], 0)
            process.desk.on_open(1, {}, {})

        def doubted(process: Process) -> None:
            process.desk.on_open(2, {}, {})

        def settled(process: Process) -> None:
            (known,) = process.desk.open_orders
            process.desk.settle(known)

        def adjusted(process: Process) -> None:
            coins, money = world.market.holdings()
            missing = {
                USD: CASH + money - world.free(),
                COIN.base: 60 * COIN.lot + coins - world.held(),
            }
            process.desk.adjust("here", {a: units for a, units in missing.items() if units}, "one")

        steps = []

        def do(number: int, step) -> None:
            steps.append(step)
            step(world.process)
            if number in restarts:
                world.process.end()
                world.again()
                for earlier in steps:
                    earlier(world.process)

        do(-1, begun)
        if sound:
            world.market.fill(made.order_id, sound * COIN.lot, LIMIT, 0)
        worse = LIMIT + side.sign * beyond
        world.market.fill(made.order_id, (lots - sound) * COIN.lot, worse, 0)
        world.market.head += 5
        do(0, doubted)
        (known,) = world.process.desk.open_orders
        assert (known.status, known.filled) == (Status.UNKNOWN, sound * COIN.lot)
        assert not world.process.venues["here"].tells(made.order_id)
        do(1, settled)
        process = world.process
        assert not process.desk.open_orders
        assert process.ledger.reserved(made.order_id) == 0
        assert process.ledger.balance("here", USD, Bucket.RESERVED) == 0
        assert process.ledger.balance("here", COIN.base, Bucket.RESERVED) == 0
        assert process.legs.leg(made.order_id).state.ended
        assert balanced(process)
        nav = world.free()
        do(2, adjusted)
        process = world.process
        coins, money = world.market.holdings()
        assert (world.free(), world.held()) == (CASH + money, 60 * COIN.lot + coins)
        assert balanced(process)
        outside = process.ledger.balance("outside", USD, Bucket.ADJUSTMENT)
        assert outside == nav - world.free()
        assert not process.desk.on_open(3, {}, {})
        process.end()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_settled_leg_is_asked_after_no_more_even_after_a_restart(world: World) -> None:
    made = order(1, COIN, Side.BUY, 100, LIMIT)
    world.market.faults = ["lost"]
    (answer,) = world.process.desk.send([made], 0)
    assert answer.status is Status.UNKNOWN
    world.process.desk.settle(answer)
    leg = world.process.legs.leg(made.order_id)
    assert (leg.state, leg.detail) == (LegState.CANCELED, "settled by a person")
    world.process.end()
    process = world.again()
    process.venues["here"].driver.wake()
    process.venues["here"].driver.tend()
    assert made.order_id not in world.market.known  # not sent again either
    process.end()


def test_a_trade_that_is_known_and_not_told_yet_is_told_first(world: World) -> None:
    made = order(1, COIN, Side.BUY, 100, LIMIT)
    world.market.faults = ["silent"]
    world.process.desk.send([made], 0)
    world.process.desk.on_open(1, {}, {})
    world.market.fill(made.order_id, 50, LIMIT, 0)
    world.market.head += 5
    venue = world.process.venues["here"]
    assert not venue.tells(made.order_id)
    venue.tend()
    assert venue.tells(made.order_id)
    reports = world.process.desk.on_open(2, {}, {})
    assert any(isinstance(report, Fill) for report in reports)
    assert not venue.tells(made.order_id)
    world.process.end()


def test_an_order_that_is_not_in_doubt_is_not_settled(world: World) -> None:
    made = order(1, COIN, Side.BUY, 100, LIMIT)
    (answer,) = world.process.desk.send([made], 0)
    assert answer.status is Status.NEW
    with pytest.raises(ExecutionError, match="only an order in doubt"):
        world.process.desk.settle(answer)
    with pytest.raises(ExecutionError, match="no such open order"):
        world.process.desk.settle(order(2, COIN, Side.BUY, 100, LIMIT))
    world.process.end()


def test_legs_that_wait_for_a_settled_order_are_cancelled_with_it(world: World) -> None:
    first = order(1, COIN, Side.BUY, 100, LIMIT)
    second = replace(order(2, COIN, Side.BUY, 100, LIMIT), waits_for=first.order_id)
    MarketAdapter.orders[second.order_id] = second
    world.market.faults = ["lost"]
    (answer,) = world.process.desk.send([first, second], 0)
    ended = world.process.desk.settle(answer)
    assert [(o.order_id, o.status) for o in ended] == [
        (first.order_id, Status.CANCELED),
        (second.order_id, Status.CANCELED),
    ]
    assert world.free() == CASH
    world.process.end()


def test_a_venue_goes_on_with_its_other_orders_and_tells_nothing_of_a_settled_one(
    world: World,
) -> None:
    first, second = (order(number, COIN, Side.BUY, 100, LIMIT) for number in (1, 2))
    world.market.faults = ["lost"]
    (answer,) = world.process.desk.send([first], 0)
    world.process.desk.send([second], 0)
    world.process.desk.settle(answer)
    assert world.process.venues["here"].open_orders == (second.order_id,)
    world.market.fill(second.order_id, 100, LIMIT, 0)
    world.market.head += 5
    reports = world.process.desk.on_open(1, {}, {})
    told = {report.order_id for report in reports}
    assert told == {second.order_id}
    assert world.held() == 100
    world.process.end()


def test_a_later_trade_of_a_settled_order_is_an_alarm(world: World) -> None:
    made = order(1, COIN, Side.BUY, 100, LIMIT)
    world.market.faults = ["silent"]
    (answer,) = world.process.desk.send([made], 0)
    assert answer.status is Status.UNKNOWN
    world.process.desk.settle(answer)
    world.market.fill(made.order_id, 100, LIMIT, 0)
    process, market = world.process, world.market

    class Telling(MarketAdapter):
        async def holdings(self, since: int) -> Holdings:
            coins, money = market.holdings()
            trades = [(f"ref-{k}", e) for k, v in market.known.items() for e, _ in v.fills]
            return Holdings({"USD": CASH + money, "COIN": coins}, (), tuple(trades))

    adapter = Telling(market)
    parts = ({"here": adapter}, LINES, USD, process.legs, process.alarms, driven, 0, None)
    Reconciler(*parts).compare(process.ledger, process.desk.book())
    said = [alarm.text for alarm in process.alarms.all()]
    assert any("which had ended without it" in text for text in said)
    assert any("the books say" in text for text in said)
    process.end()


def test_a_person_answers_the_alarms_about_one_subject_and_adopts_what_was_put_aside(
    world: World,
) -> None:
    alarms = world.process.alarms
    alarms.raise_alarm("here", "USD", "less")
    alarms.raise_alarm("here", "COIN", "less")
    alarms.raise_alarm("there", "USD", "less")
    alarms.quarantine("here", "USD", "more")
    alarms.answered("ann", 0, "here", "USD")
    alarms.adopted(0, "here", "USD")
    assert (len(alarms.all()), len(alarms.orphans())) == (3, 1)  # raised since the command
    alarms.answered("ann", 1, "here", "USD")
    assert [(a.venue, a.subject) for a in alarms.all()] == [("here", "COIN"), ("there", "USD")]
    alarms.answered("ann", 1, "here")
    assert [(a.venue, a.subject) for a in alarms.all()] == [("there", "USD")]
    alarms.adopted(1, "here", "COIN")
    assert len(alarms.orphans()) == 1
    alarms.adopted(1, "here", "USD")
    assert not alarms.orphans()
    world.process.end()


def test_no_spot_balance_is_adjusted_below_zero_and_nothing_that_is_not_kept_there(
    world: World,
) -> None:
    ledger = world.process.ledger
    with pytest.raises(InsufficientFunds):
        ledger.adjust("here", {USD: -CASH - 1}, "one")
    with pytest.raises(ExecutionError, match="hold an asset only where"):
        ledger.adjust("here", {LINES["TWIN"].base: 10}, "two")
    assert world.free() == CASH
    assert ledger.adjust("here", {USD: -CASH}, "three")
    assert not ledger.adjust("here", {USD: -CASH}, "three")
    assert world.free() == 0
    world.process.end()
