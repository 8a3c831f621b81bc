"""Killed at every write and every request of an order's life, it is traded once or not at all.

A process can die before and after each commit, and before and after each request. Each life is led
once for each such point, killed there, and made again from the file by a new process, which is
killed too every other time; until a life ends before it comes to the point where it would die. A
power cut takes, beside the process, what was not yet on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
from faults_lives import Lived, live
from faults_stage import AT, Stage
from faults_world import Fund, Process, order, transfer_id

from agent_fund.devnet.packages import missing
from agent_fund.devnet.plan import CHAIN_A, CHAIN_B, COW, EXCHANGE, NEAR
from agent_fund.domain.order import Order, Side, Status
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
QUANTITY = "0.1"
LEAST = 12  # points that every life has: five commits at least, and the sending itself
LIMITS = {Side.BUY: "1500", Side.SELL: "900"}


@dataclass
class Trade:
    """An order that fills as soon as it arrives."""

    order: Order

    @property
    def venues(self) -> tuple[str, ...]:
        return (self.order.instrument.venue.name,)

    def begin(self, process: Process) -> None:
        process.heard.append(process.desk.send([self.order], 0))

    def at(self, process: Process, bar: int) -> None:
        pass

    def ended(self, process: Process) -> bool:
        return not process.desk.open_orders


class Resting(Trade):
    """An order far from the market, cancelled after a bar."""

    def at(self, process: Process, bar: int) -> None:
        if bar == 1:
            process.heard.append(process.desk.cancel(process.desk.open_orders, bar))


@dataclass
class Carry:
    """Currency carried by Across."""

    transit: Transit
    venues: ClassVar = (CHAIN_A, CHAIN_B)

    def begin(self, process: Process) -> None:
        process.desk.transfer(self.transit, 0)

    def at(self, process: Process, bar: int) -> None:
        pass

    def ended(self, process: Process) -> bool:
        return not process.desk.book().transit


def trade(venue: str, side: Side, limit: str = "") -> Trade:
    return Trade(order(venue, side, QUANTITY, limit or LIMITS[side]))


def require_once(stage: Stage, lived: Lived, made: Order) -> bool:
    """The order was traded once or not at all, and the books say what the venue says."""
    venue = made.instrument.venue.name
    (money, coins), (money_now, coins_now) = lived.before[venue], stage.truth(venue)
    assert lived.process.books(venue) == (money_now, coins_now)
    moved = made.side.sign * (coins_now - coins)
    leg = lived.process.legs.leg(made.order_id)
    assert moved in (0, made.quantity), f"traded {moved} of {made.quantity}"
    assert (leg.state is LegState.SETTLED) == bool(moved), leg
    assert (money_now != money) == bool(moved)
    assert not lived.process.alarms.all()
    assert not lived.process.legs.working(venue)
    return bool(moved)


def placed(stage: Stage, made: Order) -> int:
    """How often the exchange has ever taken the order's client id."""
    orders = stage.network.exchange.spot.orders.values()
    return sum(one.client_id == made.order_id for one in orders)


@pytest.fixture(scope="module")
def stocked(stage: Stage, fund: Fund, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Coins at every venue, so that each can sell."""
    for venue in AT:
        life = Trade(order(venue, Side.BUY, "5", LIMITS[Side.BUY]))
        lived = live(stage, fund, tmp_path_factory.mktemp("stock") / "live.sqlite", life, [])
        assert require_once(stage, lived, life.order)
        lived.process.end()


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    ("venue", "side", "power"),
    [
        *((venue, Side.BUY, False) for venue in (EXCHANGE, CHAIN_A, CHAIN_B, COW, NEAR)),
        *((venue, Side.SELL, True) for venue in (EXCHANGE, CHAIN_A, CHAIN_B, NEAR)),
    ],
    ids=lambda value: {True: "power cut", False: "killed"}.get(
        value, getattr(value, "value", None)
    ),
)
def test_an_order_killed_at_any_point_is_traded_once_or_not_at_all(
    stage: Stage, fund: Fund, tmp_path: Path, venue: str, side: Side, power: bool
) -> None:
    filled = 0
    for at in count(1):
        # The second process dies too, at another point of its own, every other time.
        deaths = [at] if at % 2 else [at, 1 + at * 5 % LEAST]
        life = trade(venue, side)
        lived = live(stage, fund, tmp_path / f"{at}.sqlite", life, deaths, power=power)
        filled += require_once(stage, lived, life.order)
        if venue == EXCHANGE:
            assert placed(stage, life.order) <= 1
        lived.process.end()
        if not lived.died:
            break  # no point is left at which it could die
    assert at > LEAST
    # Only what dies before anything can have left comes to nothing.
    assert filled > at // 3


def test_an_order_that_rests_and_is_cancelled_ends_whatever_point_it_is_killed_at(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    def resting() -> Resting:
        return Resting(order(EXCHANGE, Side.BUY, QUANTITY, "900"))

    for at in count(1):
        life = resting()
        lived = live(stage, fund, tmp_path / f"{at}.sqlite", life, [at])
        assert not require_once(stage, lived, life.order)
        assert placed(stage, life.order) <= 1
        assert not stage.network.exchange.spot.open_orders()
        assert lived.process.legs.leg(life.order.order_id).state.status in (
            Status.CANCELED,
            Status.REJECTED,
        )
        lived.process.end()
        if not lived.died:
            break
    assert at > LEAST


@pytest.mark.parametrize(("source", "target"), [(CHAIN_A, CHAIN_B), (CHAIN_B, CHAIN_A)])
def test_a_transfer_killed_at_any_point_leaves_once_and_arrives_once_or_never_leaves(
    stage: Stage, fund: Fund, tmp_path: Path, source: str, target: str
) -> None:
    amount, cost = 100 * 10**8, 2 * 10**8

    def carried(number: int, deaths: list[int]) -> Lived:
        life = Carry(Transit(transfer_id(), Transfer(amount, source, target, cost), 0))
        head = stage.head(source)
        lived = live(stage, fund, tmp_path / f"{number}.sqlite", life, deaths)
        gone = lived.before[source][0] - stage.truth(source)[0]
        come = stage.truth(target)[0] - lived.before[target][0]
        made = stage.deposits(source, head)
        assert (made, gone, come) in ((0, 0, 0), (1, amount, amount - cost))
        for venue in life.venues:
            assert lived.process.books(venue) == stage.truth(venue)
        assert not lived.process.alarms.all()
        settled = lived.process.legs.leg(life.transit.transfer_id).state is LegState.SETTLED
        assert settled == bool(made)
        lived.process.end()
        return lived

    def arrived(lived: Lived) -> bool:
        return lived.before[source][0] != stage.truth(source)[0]

    came = 0
    for at in count(1):
        lived = carried(at, [at])
        came += arrived(lived)
        if not lived.died:
            break
    assert at > LEAST
    assert came > at // 3
