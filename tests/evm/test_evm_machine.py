"""Orders under any interleaving of sending, bumping, cancelling, reorganising and restarting.

Whatever happens, each order trades once or not at all, what has ended stays ended, and the
executions add up to what the account holds.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from evm_world import COIN, ETH_USD, Trader, World, on_chain, running_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.live.adapter import Execution, Prepared, Report
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
FINALITY = 3
LIMIT = {Side.BUY: 4_000_00, Side.SELL: 2_000_00}

steps_of_a_life = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(list(Side)), st.sampled_from([30, 10_000])),
        st.tuples(st.sampled_from(["submit", "status", "bump", "cancel"]), st.integers(0, 9)),
        st.tuples(st.just("mine"), st.integers(1, 3)),
        st.tuples(st.just("reorg"), st.integers(1, FINALITY)),
        st.tuples(st.sampled_from(["drop", "restart", "repair", "wait"])),
    ),
    min_size=5,
    max_size=30,
)


class Life:
    """A process that trades, and what survives it: the prepared legs that have not ended."""

    def __init__(self, world: World, chain: Chain, trader: Trader) -> None:
        self.world, self.chain, self.trader = world, chain, trader
        self.kept: dict[str, Prepared] = {}
        self.ended: dict[str, Report] = {}
        self.orders = 0

    def working(self) -> list[Prepared]:
        return [one for name, one in self.kept.items() if name not in self.ended]

    def take(self, report: Report) -> None:
        before = self.ended.get(report.leg_id)
        if before is not None:
            assert (report.state, report.executions) == (before.state, before.executions)
        elif report.state.ended:
            assert report.state in (LegState.SETTLED, LegState.CANCELED)
            assert all(one.final for one in report.executions)
            assert len(report.executions) == (report.state is LegState.SETTLED)
            self.ended[report.leg_id] = report

    async def do(self, step: tuple[object, ...]) -> None:
        match step:
            case ("order", Side() as side, int() as seconds):
                order = self.trader.order(side, COIN // 10, LIMIT[side])
                self.orders += 1
                try:
                    leg = await self.trader.adapter.prepare(
                        order, await self.trader.deadline(seconds)
                    )
                except ExecutionError:
                    return
                self.kept[leg.leg_id] = leg
            case ("mine", int() as blocks):
                self.world.mine(blocks)
            case ("reorg", int() as depth):
                self.world.anvil.call("anvil_reorg", depth, [])
            case ("drop",):
                self.world.anvil.call("anvil_dropAllTransactions")
            case ("wait",):
                self.world.anvil.call("evm_increaseTime", 40)
                self.world.mine()
            case ("repair",):
                await self.trader.lane.repair()
            case ("restart",):
                await self.restart()
            case (str() as what, int() as number) if self.working():
                await self.tell(what, self.working()[number % len(self.working())])

    async def restart(self) -> None:
        ids = self.trader._ids
        self.trader = await self.world.trader(self.chain, key=self.trader.key)
        self.trader._ids = ids
        await self.trader.adapter.restore(self.working())

    async def tell(self, what: str, leg: Prepared) -> None:
        adapter = self.trader.adapter
        match what:
            case "submit":
                self.take(await adapter.submit(leg))
            case "status":
                self.take(await adapter.status(leg))
            case "cancel":
                self.take(await adapter.cancel(leg))
            case "bump":
                higher = await adapter.bump(leg)
                if higher is not None:
                    self.kept[leg.leg_id] = higher
                    self.take(await adapter.submit(higher))

    async def end(self) -> None:
        """Send or cancel what is left until nothing is."""
        for turn in range(12):
            if not self.working():
                break
            for leg in self.working():
                await self.tell("submit" if turn < 2 else "cancel", leg)
            self.world.mine(FINALITY + 1)
            for leg in self.working():
                await self.tell("status", leg)
        assert self.working() == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(amm=st.sampled_from(["v2", "v3"]), life=steps_of_a_life)
def test_each_order_trades_once_or_never_whatever_happens(
    world: World, amm: str, life: list[tuple[object, ...]]
) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, amm)
        before = await trader.balances()
        with world.automine_off():
            world.mine(FINALITY)
            one = Life(world, chain, trader)
            for step in life:
                await one.do(step)
            await one.end()
            world.mine(FINALITY)
            base, quote = await trader.balances()
            trades = [trade for report in one.ended.values() for trade in report.executions]
            bought = _signed(one)
            assert base - before[0] == sum(side.sign * e.quantity for side, e in bought)
            moved = sum(
                -side.sign * ETH_USD.notional(e.quantity, e.price) - e.fee for side, e in bought
            )
            assert (quote - before[1]) * 10**14 == moved
            assert len({trade.exec_id for trade in trades}) == len(trades)
            for token in trader.tokens.values():
                assert await trader.allowance(token, world.amm(amm).router) == 0
            for leg in one.kept.values():
                one.take(await one.trader.adapter.status(leg))

    on_chain(world, steps, finality=FINALITY)


def _signed(life: Life) -> list[tuple[Side, Execution]]:
    return [
        (Side(life.kept[name].notes["side"]), trade)
        for name, report in life.ended.items()
        for trade in report.executions
    ]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


def test_a_life_that_fills_bumps_cancels_and_restarts_is_among_them(world: World) -> None:
    """The steps do what their names say: this one fills, cancels and settles."""

    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            world.mine(FINALITY)
            one = Life(world, chain, trader)
            for step in (
                ("order", Side.BUY, 10_000),
                ("order", Side.SELL, 10_000),
                ("submit", 0),
                ("bump", 0),
                ("restart",),
                ("cancel", 1),
                ("mine", 1),
                ("reorg", 1),
                ("submit", 0),
                ("cancel", 1),
                ("mine", 3),
                ("mine", 3),
                ("status", 0),
                ("status", 0),
            ):
                await one.do(step)
            assert [report.state for report in one.ended.values()] == [
                LegState.SETTLED,
                LegState.CANCELED,
            ]
            assert Batch.decode(one.kept["order1"].payload).transactions[0].earlier

    on_chain(world, steps, finality=FINALITY)
