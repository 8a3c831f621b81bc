"""What became of a stage is read from its own orders and transfer, whatever else moves money."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_world import DOLLAR, LATER, PRICE, line

from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_carriage import NAME as CARRIAGE
from agent_fund.execution.live.live_carriage import transfer_request
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.live_venue import order_request
from agent_fund.execution.live.tape import Answer, Tape
from agent_fund.execution.route.run import Filled, Outcome, StageReport
from agent_fund.execution.route.stages import Bridge, Swap, Trade
from agent_fund.execution.route.told import Told

A, B = line("ETH", "a"), line("ETH-B", "b")
ETH = 10**6
FEE = DOLLAR // 10
BAR = 7
BRIDGE = Bridge("c", "a", "b", 100 * DOLLAR, 99 * DOLLAR, 0, 60, "", 0, False, 1, LATER)


def swap(instrument=A, side: Side = Side.BUY) -> Swap:  # type: ignore[no-untyped-def]
    quoted = instrument.notional(2 * ETH, PRICE)
    ready = FEE if side is Side.BUY else 0
    return Swap(instrument, side, 2 * ETH, PRICE, quoted, FEE, ready, 0, quoted, LATER)


class World:
    """What was sent and what was told, in one file."""

    def __init__(self, path: Path) -> None:
        self.file = LiveFile(path)
        alarms = Alarms(self.file, lambda: 0)
        self.legs, self.tape = LegStore(self.file, alarms, lambda: 0), Tape(self.file)
        self.told = Told(self.legs, self.tape)

    def order(self, name: str, of: Swap, purpose: Purpose = Purpose.AGENT, bar: int = BAR) -> None:
        order = Order(name, of.instrument, of.side, of.quantity, of.limit, purpose, bar + 2)
        self.legs.open_leg(name, of.place, order_request(order, bar), 0)

    def fill(self, name: str, venue: str, units: int, price: int = PRICE, fee: int = 0) -> None:
        told = [["fill", name, f"{name}-{units}", str(units), str(price), str(fee), BAR + 1]]
        self.tape.answer(Answer(venue, "open", BAR + 1, "", told))

    def transfer(self) -> None:
        moved = Transfer(BRIDGE.amount, BRIDGE.source, BRIDGE.target, BRIDGE.cost)
        request = transfer_request(Transit("move", moved, BAR + 1), BAR)
        self.legs.open_leg("move", BRIDGE.carrier, request, 0)

    def arrival(self, received: int, *, home: bool, name: str = "move") -> None:
        told = [[name, str(received), home]]
        self.tape.answer(Answer(CARRIAGE, "open", BAR + 1, "", told))


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.file.close()


def test_a_trade_is_its_own_fills_with_their_fees(world: World) -> None:
    world.order("sale", swap(A, Side.SELL))
    world.order("purchase", swap(B))
    world.tape.answer(Answer("a", "submit", BAR, "sale", [["status", "sale", "new"]]))
    world.fill("sale", "a", 2 * ETH, PRICE + 1, FEE)
    world.fill("purchase", "b", ETH, PRICE - 1, 5)
    world.fill("purchase", "b", ETH // 2, PRICE, 7)
    report = world.told.report(3, Trade((swap(A, Side.SELL), swap(B))), BAR)
    brought = A.notional(2 * ETH, PRICE + 1) - FEE
    spent = B.notional(ETH, PRICE - 1) + B.notional(ETH // 2, PRICE) + 12
    filled = {"ETH": Filled(2 * ETH, brought), "ETH-B": Filled(ETH + ETH // 2, spent)}
    assert report == StageReport(3, Outcome.PARTLY, filled)
    world.fill("purchase", "b", ETH // 2 - 1)
    world.fill("purchase", "b", 1)
    assert world.told.report(3, Trade((swap(A, Side.SELL), swap(B))), BAR).outcome is Outcome.DONE


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("reduce", "exit", "agent")),
            st.sampled_from(Side),
            st.integers(1, 2 * ETH),
        ),
        max_size=5,
    )
)
def test_no_order_of_another_bar_or_of_the_guard_counts_for_a_stage(
    tmp_path_factory: pytest.TempPathFactory, others: list[tuple[str, Side, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("told") / "live.sqlite")
    world.order("own", swap())
    world.fill("own", "a", ETH)
    expected = world.told.report(0, Trade((swap(),)), BAR)
    for number, (purpose, side, units) in enumerate(others):
        bar = BAR + 1 if purpose == "agent" else BAR
        world.order(f"other {number}", swap(side=side), Purpose(purpose), bar)
        world.fill(f"other {number}", "a", units, fee=number)
    world.arrival(5 * DOLLAR, home=False, name="of somebody else")
    assert world.told.report(0, Trade((swap(),)), BAR) == expected
    assert expected.filled == {"ETH": Filled(ETH, A.notional(ETH, PRICE))}
    world.file.close()


def test_a_trade_without_fills_failed_and_one_without_orders_was_not_begun(world: World) -> None:
    assert "not admit it" in world.told.report(0, Trade((swap(),)), BAR).reason
    world.order("own", swap())
    report = world.told.report(0, Trade((swap(),)), BAR)
    assert (report.outcome, report.reason) == (Outcome.FAILED, "nothing of it filled")


def test_a_bridge_is_what_the_fund_was_told_of_its_transfer(world: World) -> None:
    assert world.told.report(1, BRIDGE, BAR).outcome is Outcome.FAILED
    world.transfer()
    assert world.told.report(1, BRIDGE, BAR + 1).outcome is Outcome.FAILED, "of another bar"
    with pytest.raises(ExecutionError, match="did not end"):
        world.told.report(1, BRIDGE, BAR)
    world.arrival(1, home=False, name="another")
    world.arrival(99 * DOLLAR, home=False)
    expected = StageReport(1, Outcome.DONE, received=99 * DOLLAR)
    assert world.told.report(1, BRIDGE, BAR) == expected


def test_a_bridge_that_came_back_is_refunded_with_what_came(world: World) -> None:
    world.transfer()
    world.legs.take("c", Report("move", LegState.REJECTED, detail="its relayer is gone"))
    world.arrival(98 * DOLLAR, home=True)
    report = world.told.report(1, BRIDGE, BAR)
    assert (report.outcome, report.received) == (Outcome.REFUNDED, 98 * DOLLAR)
    assert report.reason == "its relayer is gone"


def test_the_guard_has_acted_if_it_sent_anything_after_the_stage_began(world: World) -> None:
    world.order("before", swap(side=Side.SELL), Purpose.REDUCE, BAR)
    world.order("own", swap())
    world.order("later", swap(), bar=BAR + 1)
    assert not world.told.way_out(BAR)
    world.order("out", swap(side=Side.SELL), Purpose.EXIT, BAR + 1)
    assert world.told.way_out(BAR)
