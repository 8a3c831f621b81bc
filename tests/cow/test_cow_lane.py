"""What an order leaves of its key's nonces holds up neither the next order nor anything else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cow_world import LIFE, ONE, PRICE, Deployment, World, deployment, order, play

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.cow.leg import Leg
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.outcome import BatchState
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
SELL = order(Side.SELL, ONE, PRICE * 99 // 100)


@pytest.fixture(scope="module")
def chain() -> Iterator[Deployment]:
    with deployment() as found:
        yield found


async def way_out(world: World) -> BatchState:
    """What becomes of another transaction of the key, once it had every chance."""
    lane = world.adapter._lane
    batch = await lane.sign([Call(world.signer.address, b"")], await world.chain.now() + LIFE)
    await lane.send(batch)
    for _ in range(3_000):
        found = (await lane.outcome(batch)).state
        if found is not BatchState.PENDING:
            break
        await asyncio.sleep(0.002)
    return found


def test_an_order_whose_allowance_never_left_holds_up_nothing_once_it_has_ended(
    chain: Deployment,
) -> None:
    async def scenario(world: World) -> None:
        lost = await world.prepare(SELL)  # durable, and then a crash
        world.sleep(LIFE + 300)
        world.finalize()
        world.restart()
        await world.adapter.start()
        assert (await world.status(lost)).state is LegState.CANCELED
        assert await way_out(world) is BatchState.MINED
        following = await world.sent(order(Side.SELL, ONE, SELL.limit, "o2"))
        assert await world.allowance(world.deployment.weth) == 10**18
        await world.server.solve()
        world.finalize()
        assert (await world.status(following)).state is LegState.SETTLED

    play(chain, scenario)


def test_an_order_that_has_ended_frees_its_nonces_before_the_next_is_sent(
    chain: Deployment,
) -> None:
    async def scenario(world: World) -> None:
        lost = await world.prepare(SELL)
        behind = await world.prepare(order(Side.SELL, ONE, PRICE * 2, "o2"))
        assert (await world.adapter.submit(behind)).state is LegState.SUBMITTED
        world.sleep(LIFE + 300)
        world.finalize()
        for one in (lost, behind):
            assert (await world.status(one)).state is LegState.CANCELED
        assert await way_out(world) is BatchState.MINED
        assert await world.allowance(world.deployment.weth) == 0

    play(chain, scenario)


def test_a_late_reduction_is_raised_and_not_given_up(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        weth = world.deployment.weth
        resting = await world.sent(order(Side.SELL, ONE, PRICE * 2))
        world.sleep(LIFE + 1)
        world.finalize()
        world.anvil.call("evm_setAutomine", False)
        try:
            assert (await world.status(resting)).state is LegState.CANCELED
            assert await world.allowance(weth) == 10**18
            # The pool loses it, and its time passes.
            world.anvil.call("anvil_dropAllTransactions")
            world.sleep(LIFE + 300)
            await world.adapter._lane.tend()
            world.finalize()
            assert await world.allowance(weth) == 0
        finally:
            world.anvil.call("evm_setAutomine", True)

    play(chain, scenario)


def test_restoring_an_order_asks_nobody_and_twice_is_as_good_as_once(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        kept = await world.prepare(SELL)
        away = Chain("away", "http://127.0.0.1:9", world.anvil.chain_id, 2)
        try:
            lost = world.configured(world.pair, chain=away)
            for _ in range(2):
                await lost.restore([kept])
        finally:
            await away.close()
        world.restart()
        for _ in range(2):
            await world.adapter.restore([kept])
        await world.adapter.start()
        following = await world.prepare(order(Side.SELL, ONE, SELL.limit, "o2"))
        assert Leg.of(following).batch.nonces[0] == Leg.of(kept).batch.nonces[-1] + 1
        for one in (kept, following):
            await world.adapter.submit(one)
            await world.mined(one)
        assert await world.allowance(world.deployment.weth) == 2 * 10**18

    play(chain, scenario)


def test_bytes_of_another_key_are_refused_when_they_are_restored(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        kept = await world.prepare(SELL)
        payload = kept.payload.replace(world.signer.address.encode(), b"0x" + b"11" * 20)
        foreign = type(kept)(kept.leg_id, kept.reference, payload, kept.deadline, kept.notes)
        with pytest.raises(ExecutionError):
            await world.adapter.restore([foreign])

    play(chain, scenario)
