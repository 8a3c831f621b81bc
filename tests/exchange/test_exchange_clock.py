"""Hyperliquid's clock and this machine's: what was told to be over is never placed afterwards."""

from __future__ import annotations

import asyncio

import pytest
from exchange_world import FAR, HYPER, World, order, world

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.margin_adapter import MarginExchangeAdapter
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

EXCHANGE = ("POST", "/exchange")


async def resting(adapter: MarginExchangeAdapter, deadline: int = FAR) -> Prepared:
    return await adapter.prepare(order(Side.BUY, "0.5", "50000", instrument=HYPER), deadline)


async def arrive(w: World) -> None:
    """Let what is held come to the exchange."""
    before = acted(w)
    w.exchange.release()
    while acted(w) == before:
        await asyncio.sleep(0)


def acted(w: World) -> int:
    return sum(1 for method, path, _ in w.exchange.seen if (method, path) == EXCHANGE)


async def over(w: World, adapter: MarginExchangeAdapter, prepared: Prepared) -> None:
    """Send it so late that it is told to be over first; then it arrives, and nothing of it."""
    w.exchange.faults.arm(Fault.LATE, *EXCHANGE)
    assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
    w.clock.pass_by(7)
    assert (await adapter.status(prepared)).state is LegState.CANCELED
    await arrive(w)
    assert (await adapter.holdings(0)).open_references == ()
    assert not w.exchange.hyperliquid.orders


@pytest.mark.parametrize("ahead", [-3_600, -30, 0, 2, 30, 3_600])
def test_an_order_that_was_told_to_be_over_is_not_placed_however_the_clocks_differ(
    ahead: int,
) -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.skew = -ahead * 1000
            adapter = await w.hyper()
            await over(w, adapter, await resting(adapter))

    asyncio.run(run())


@pytest.mark.parametrize("ahead", [-3_600, -30, 0, 30, 3_600])
def test_an_order_is_placed_however_the_clocks_differ(ahead: int) -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.skew = -ahead * 1000
            adapter = await w.hyper()
            report = await adapter.submit(await resting(adapter))
            assert report.state is LegState.SUBMITTED

    asyncio.run(run())


@pytest.mark.parametrize("step", [-600_000, 600_000])
def test_a_clock_that_is_set_while_the_fund_runs_changes_nothing(step: int) -> None:
    async def run() -> None:
        async with world() as w:
            wrong = [0]
            adapter = await w.hyper(now=lambda: w.clock.ms + wrong[0])
            wrong[0] = step
            await over(w, adapter, await resting(adapter))

    asyncio.run(run())


def test_a_deadline_holds_by_the_clock_that_it_was_stated_by() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.skew = -30_000
            adapter = await w.hyper()
            deadline = w.clock.ms // 1000 + 2
            prepared = await resting(adapter, deadline)
            assert prepared.deadline == deadline
            w.exchange.faults.arm(Fault.LATE, *EXCHANGE)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            w.clock.pass_by(3)  # its window alone would allow five
            await arrive(w)
            assert not w.exchange.hyperliquid.orders

    asyncio.run(run())


def test_the_time_is_asked_for_again_before_something_is_signed_long_after() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            w.clock.pass_by(61)
            w.exchange.skew = -20_000
            await over(w, adapter, await resting(adapter))
            w.clock.pass_by(61)
            w.exchange.faults.arm(Fault.UNAVAILABLE, "POST", "/info")
            with pytest.raises(ExecutionError, match="ask again"):
                await resting(adapter)

    asyncio.run(run())


def test_an_exchange_that_tells_no_time_is_not_started() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.hyperliquid_rest.timeless = True
            with pytest.raises(ExecutionError, match="tells no time"):
                await w.hyper()

    asyncio.run(run())


def test_the_dead_man_timer_runs_by_the_exchanges_clock() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.skew = -3_600_000
            adapter = await w.hyper()
            prepared = await resting(adapter)
            await adapter.submit(prepared)
            await adapter.arm_dead_man(60)
            w.clock.pass_by(59)
            assert (await adapter.status(prepared)).state is LegState.SUBMITTED
            w.clock.pass_by(2)
            assert (await adapter.status(prepared)).state is LegState.CANCELED

    asyncio.run(run())
