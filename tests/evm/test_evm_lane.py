"""One nonce lane: stuck, missing and repeated nonces; fees; bytes that survive a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from evm_world import COIN, Trader, World, mined, on_chain, running_world

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState, outcome_of
from agent_fund.execution.evm.simulation import RevertError

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
ELSEWHERE = "0x00000000000000000000000000000000000000AA"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


def payment(wei: int) -> Call:
    return Call(ELSEWHERE, b"", wei)


async def signed(trader: Trader, *calls: Call) -> Batch:
    return await trader.lane.sign(calls or (payment(1),), await trader.deadline())


def test_a_stuck_nonce_is_freed_by_a_bump(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, fees=FeePolicy(least_tip=10**8))
        with world.automine_off():
            world.mine()
            low = await signed(trader)
            # Gas becomes dearer than what was bid.
            bid = low.transactions[0].read()[2].maximum
            world.anvil.call("anvil_setNextBlockBaseFeePerGas", hex(bid * 3))
            world.mine()
            against = await trader.lane.send(low)
            assert "fee" in " ".join(against)
            second = await signed(trader)
            await trader.lane.send(second)
            world.mine()
            assert (await trader.lane.outcome(low)).state is BatchState.PENDING
            assert (await trader.lane.outcome(second)).state is BatchState.PENDING
            higher = await trader.lane.bump(low)
            before, after = low.transactions[0].read()[2], higher.transactions[0].read()[2]
            assert 8 * after.maximum >= 9 * before.maximum
            assert 8 * after.tip >= 9 * before.tip
            assert await trader.lane.send(higher) == ()
            world.mine()
            for batch in (higher, second):
                assert (await trader.lane.outcome(batch)).state is BatchState.MINED
        for _ in range(40):  # the base fee falls by an eighth a block
            world.mine()

    on_chain(world, steps)


def test_a_bump_replaces_what_waits_in_the_pool(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            low = await signed(trader, payment(5))
            for _ in range(2):
                assert await trader.lane.send(low) == ()
            higher = await trader.lane.bump(low)
            assert await trader.lane.send(higher) == ()
            assert await trader.lane.send(low) == ()
            world.mine()
            found = await trader.lane.outcome(higher)
            assert found.state is BatchState.MINED
            assert found.essential[0].hash == higher.transactions[0].hash
            assert await chain.coin(ELSEWHERE) >= 5

    on_chain(world, steps)


def test_a_later_version_is_known_to_whoever_asks_about_an_earlier_one(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            low = await signed(trader)
            higher = await trader.lane.bump(low)
            await trader.lane.send(higher)
            world.mine(2)
            found = await trader.lane.outcome(low)
            assert (found.state, found.final) == (BatchState.MINED, False)
            world.mine(1)
            assert (await trader.lane.outcome(low)).final

    on_chain(world, steps)


def test_a_cancel_of_an_earlier_version_replaces_the_latest(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            before = await chain.coin(ELSEWHERE)
            low = await signed(trader, payment(9))
            await trader.lane.send(low)
            for _ in range(4):
                await trader.lane.send(await trader.lane.bump(low))
            await trader.lane.cancel(low)
            world.mine(3)
            assert (await trader.lane.outcome(low)).state is BatchState.REPLACED
            assert await chain.coin(ELSEWHERE) == before

    on_chain(world, steps)


def test_an_earlier_version_that_was_mined_is_found(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            low = await signed(trader)
            await trader.lane.send(low)
            higher = await trader.lane.bump(low)  # never sent
            world.mine()
            found = await trader.lane.outcome(higher)
            assert found.state is BatchState.MINED
            assert found.essential[0].hash == low.transactions[0].hash
            assert await trader.lane.bump(higher) == higher

    on_chain(world, steps)


def test_a_bump_above_the_cap_is_refused(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            batch = await signed(trader)
            bid = batch.transactions[0].read()[2].maximum
            capped = Lane(chain, trader.key, FeePolicy(cap=bid + 1))
            with pytest.raises(ExecutionError, match="the cap is"):
                await capped.bump(batch)

    on_chain(world, steps)


def test_a_gap_of_nonces_is_filled_and_what_waits_behind_it_is_mined(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        await signed(first)  # nonce 0: signed, and lost with its process
        behind = await signed(first)
        second = await world.trader(chain, key=first.key)
        await second.lane.restore([behind])
        await second.lane.send(behind)
        assert (await second.lane.outcome(behind)).state is BatchState.PENDING
        assert await second.lane.repair() == (0,)
        assert (await mined(second.lane, behind)).state is BatchState.MINED
        assert await second.lane.repair() == ()

    on_chain(world, steps)


def test_a_repair_leaves_alone_what_has_an_owner(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        held, behind = await signed(trader), await signed(trader)
        await trader.lane.send(behind)
        assert await trader.lane.repair() == ()
        await trader.lane.send(held)
        for batch in (held, behind):
            assert (await mined(trader.lane, batch)).state is BatchState.MINED

    on_chain(world, steps)


def test_a_cancel_keeps_the_approvals_and_replaces_the_rest(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        approve = Call(
            world.usdc, call_data("approve(address,uint256)", ELSEWHERE, 7), approval=True
        )
        before = await chain.coin(ELSEWHERE)
        with world.automine_off():
            batch = await signed(trader, approve, payment(9))
            await trader.lane.send(batch)
            await trader.lane.cancel(batch)
            world.mine(3)
            found = await trader.lane.outcome(batch)
        assert found.state is BatchState.REPLACED
        assert found.final
        assert found.gas == 100 * COIN - await chain.coin(trader.key.address)
        assert await chain.coin(ELSEWHERE) == before
        assert await trader.allowance(world.usdc, ELSEWHERE) == 7

    on_chain(world, steps)


def test_a_batch_is_final_only_when_its_last_approval_is(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        reset = call_data("approve(address,uint256)", ELSEWHERE, 0)
        batch = await signed(trader, payment(1), Call(world.usdc, reset, approval=True))
        first, last = ("0x" + one.raw.hex() for one in batch.transactions)
        await chain.rpc("eth_sendRawTransaction", first)
        await mined(trader.lane, batch)
        world.mine(3)
        found = await trader.lane.outcome(batch)
        assert (found.state, found.final, found.pooled) == (BatchState.MINED, False, False)
        await chain.rpc("eth_sendRawTransaction", last)
        world.mine(3)
        found = await trader.lane.outcome(batch)
        assert (found.state, found.final) == (BatchState.MINED, True)

    on_chain(world, steps)


def test_what_is_mined_is_not_replaced_for_good_before_the_depth(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            batch = await signed(trader)
            await trader.lane.send(batch)
            await trader.lane.cancel(batch)
            world.mine(1)
            assert (await trader.lane.outcome(batch)).state is BatchState.PENDING
            # The chain takes the replacement back, and mines the first version after all.
            raw = ["0x" + batch.transactions[0].raw.hex(), 0]
            world.anvil.call("anvil_reorg", 1, [raw])
            assert (await trader.lane.outcome(batch)).state is BatchState.MINED

    on_chain(world, steps)


def test_the_reason_of_a_revert_is_told(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        data = call_data("transfer(address,uint256)", ELSEWHERE, 10**30)
        with pytest.raises(RevertError, match="transfer amount exceeds balance") as error:
            await signed(trader, payment(1), Call(world.usdc, data))
        assert "call 2 of 2" in error.value.subject
        assert (await signed(trader)).nonces[0] == 0

    on_chain(world, steps)


def test_a_deadline_that_has_passed_is_refused_before_signing(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with pytest.raises(ExecutionError, match="deadline"):
            await trader.lane.sign([payment(1)], await chain.now())
        with pytest.raises(ExecutionError, match="at least one"):
            await trader.lane.sign([], await trader.deadline())

    on_chain(world, steps)


def test_batches_of_other_keys_and_chains_are_refused(world: World) -> None:
    async def steps(chain: Chain) -> None:
        one, other = await world.trader(chain), await world.trader(chain)
        batch = await signed(one)
        for foreign in (batch, replace(await signed(other), chain_id=1)):
            for use in (other.lane.send, other.lane.outcome, other.lane.bump, other.lane.cancel):
                with pytest.raises(ExecutionError, match="this lane is"):
                    await use(foreign)

    on_chain(world, steps)


def test_a_batch_comes_back_from_its_bytes_and_only_from_them(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        order = trader.order(Side.BUY, COIN, 4_000_00)
        payload = (await trader.adapter.prepare(order, await trader.deadline())).payload
        batch = Batch.decode(payload)
        assert batch.encode() == payload
        assert [one.approval for one in batch.transactions] == [True, False, True]
        assert batch.reference == f"{trader.key.address}:1"
        for wrong in (b"", b"{}", payload[:-1], payload + b" ", payload.replace(b"1", b"x", 1)):
            with pytest.raises(ExecutionError, match="Batch"):
                Batch.decode(wrong)

    on_chain(world, steps)


class Sudden(Chain):
    """A chain that goes on, by five blocks, between the first answer about a batch and the next."""

    world: World

    async def rpc_many(self, requests: Any) -> Any:
        answer = await super().rpc_many(requests)
        self._go_on(method for method, _ in requests)
        return answer

    async def rpc(self, method: str, *parameters: Any) -> Any:
        answer = await super().rpc(method, *parameters)
        self._go_on([method])
        return answer

    def _go_on(self, methods: Iterable[str]) -> None:
        if {"eth_getTransactionCount", "eth_getTransactionReceipt"} & set(methods):
            self.world.mine(5)


def test_a_batch_that_is_mined_while_it_is_asked_about_was_not_replaced(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        sudden = Sudden("test", world.anvil.url, 31337, 2)
        sudden.world = world
        with world.automine_off():
            batch = await signed(trader)
            await trader.lane.send(batch)
            try:
                found = await outcome_of(sudden, batch, {})
            finally:
                await sudden.close()
        assert found.state is BatchState.MINED

    on_chain(world, steps)
