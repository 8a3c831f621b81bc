"""A lane keeps its way free: gaps, expired and lost bytes, coin for all, each nonce one batch's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from evm_world import CHAIN_ID, COIN, Trader, World, mined, on_chain, running_world

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
ELSEWHERE = "0x00000000000000000000000000000000000000AA"
AWAY = "http://127.0.0.1:9"  # where no node listens


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


def payment(wei: int = 1) -> Call:
    return Call(ELSEWHERE, b"", wei)


async def signed(trader: Trader, *calls: Call, seconds: int = 600) -> Batch:
    return await trader.lane.sign(calls or (payment(),), await trader.deadline(seconds))


def later(world: World, seconds: int) -> None:
    """The chain's clock goes forward, and a block says so."""
    world.anvil.call("evm_increaseTime", hex(seconds))
    world.mine()


async def known(chain: Chain, batch: Batch) -> list[bool]:
    """Whether the node knows each transaction."""
    hashes = [one.hash for one in batch.transactions]
    return [await chain.rpc("eth_getTransactionByHash", one) is not None for one in hashes]


def bid(batch: Batch) -> int:
    return batch.transactions[0].read()[2].maximum


def test_what_was_never_sent_holds_up_nothing_after_its_deadline(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        order = trader.order(Side.BUY, COIN, 4_000_00)
        before = await trader.balances()
        lost = await trader.adapter.prepare(order, await trader.deadline(60))
        later(world, 100)
        out = await signed(trader)
        await trader.lane.send(out)
        assert (await mined(trader.lane, out)).state is BatchState.MINED
        world.mine(3)
        report = await trader.adapter.status(lost)
        assert report.state is LegState.CANCELED
        assert report.gas > 0
        assert await trader.balances() == before
        assert await trader.allowance(world.usdc, world.v2.router) == 0

    on_chain(world, steps)


def test_asking_after_a_waiting_leg_frees_its_way(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        await signed(trader, seconds=60)  # never sent, and nobody asks after it
        order = trader.order(Side.BUY, COIN, 4_000_00)
        behind = await trader.adapter.prepare(order, await trader.deadline(10_000))
        await trader.adapter.submit(behind)
        assert (await trader.adapter.status(behind)).state is LegState.SUBMITTED
        later(world, 100)
        report = await trader.status(behind, LegState.FILLED, LegState.SETTLED)
        assert len(report.executions) == 1

    on_chain(world, steps)


def test_what_was_released_frees_its_nonces_before_its_deadline(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        left, behind = await signed(trader, payment(7)), await signed(trader)
        paid = await chain.coin(ELSEWHERE)
        await trader.lane.send(behind)
        await trader.lane.tend()
        assert (await trader.lane.outcome(behind)).state is BatchState.PENDING
        trader.lane.release(left)
        for _ in range(2):
            await trader.lane.tend()
        assert (await mined(trader.lane, behind)).state is BatchState.MINED
        assert await chain.coin(ELSEWHERE) == paid + 1
        world.mine(3)
        assert (await trader.lane.outcome(left)).state is BatchState.REPLACED

    on_chain(world, steps)


def test_tending_sends_again_what_the_pool_lost(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            sent = await signed(trader)
            await trader.lane.send(sent)
            expired = await signed(trader, seconds=60)
            later(world, 100)
            await trader.lane.tend()
            world.anvil.call("anvil_dropAllTransactions")
            await trader.lane.tend()
            world.mine(1)
        for batch in (sent, expired):
            world.mine(3)
            assert (await trader.lane.outcome(batch)).final

    on_chain(world, steps)


def test_signing_sends_first_what_the_pool_lost_of_what_was_sent(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            sent, held = await signed(trader), await signed(trader)
            await trader.lane.send(sent)
            world.anvil.call("anvil_dropAllTransactions")
            assert await known(chain, sent) == [False]
            await signed(trader)
            assert await known(chain, sent) == [True]
            assert await known(chain, held) == [False]

    on_chain(world, steps)


def test_tending_raises_what_has_become_too_cheap_for_the_next_block(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            world.mine()
            stuck = await signed(trader, seconds=60)
            later(world, 100)
            await trader.lane.tend()
            world.anvil.call("anvil_setNextBlockBaseFeePerGas", hex(bid(stuck) * 4))
            world.mine()
            assert not (await trader.lane.outcome(stuck)).final
            await trader.lane.tend()
            world.mine(3)
            assert (await trader.lane.outcome(stuck)).state is BatchState.REPLACED
        for _ in range(40):  # the base fee falls by an eighth a block
            world.mine()

    on_chain(world, steps)


def test_a_filled_gap_is_tended_until_a_block_takes_it(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        await signed(first)  # nonce 0: signed, and lost with its process
        behind = await signed(first)
        second = await world.trader(chain, key=first.key)
        await second.lane.restore([behind])
        with world.automine_off():
            await second.lane.send(behind)
            assert await second.lane.repair() == (0,)
            world.anvil.call("anvil_dropAllTransactions")
            await second.lane.tend()
            world.mine()
        assert (await mined(second.lane, behind)).state is BatchState.MINED

    on_chain(world, steps)


def test_a_gap_is_filled_however_dear_gas_is_and_not_above_the_cap(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        with world.automine_off():
            await signed(first)
            behind = await signed(first)
            cap = await first.lane.price() // 2
            lane = Lane(chain, first.key, FeePolicy(cap=cap))
            await lane.restore([behind])
            assert await lane.repair() == (0,)
            await lane.tend()
            with pytest.raises(ExecutionError, match="gas price"):
                await lane.sign([payment()], 2**40)
            assert await chain.coin(first.key.address) == 100 * COIN

    on_chain(world, steps)


def test_coin_is_reserved_for_all_that_is_under_way(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            probe = await signed(trader, payment(COIN))
            call, limit, fees = probe.transactions[0].read()
            need = call.value + limit * fees.maximum
            world.anvil.call("anvil_setBalance", trader.key.address, hex(need * 5 // 2))
            second = await signed(trader, payment(COIN))
            with pytest.raises(InsufficientFunds, match="under way"):
                await signed(trader, payment(COIN))
            for batch in (probe, second):
                await trader.lane.send(batch)
            world.mine(1)
            # What is mined has left the balance, and is reserved no more.
            for batch in (probe, second):
                assert (await trader.lane.outcome(batch)).state is BatchState.MINED
            assert (await signed(trader)).nonces[0] == 2

    on_chain(world, steps)


def test_what_the_dearest_version_can_cost_is_reserved(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            batch = await signed(trader, payment(COIN))
            higher = await trader.lane.bump(batch)
            costs = []
            for one in (batch, higher):
                call, limit, fees = one.transactions[0].read()
                costs.append(call.value + limit * fees.maximum)
            first, second = costs
            world.anvil.call("anvil_setBalance", trader.key.address, hex(first + second - 1))
            with pytest.raises(InsufficientFunds, match="under way"):
                await signed(trader, payment(COIN))
            world.anvil.call("anvil_setBalance", trader.key.address, hex(first + second))
            await signed(trader, payment(COIN))

    on_chain(world, steps)


def test_a_bump_that_the_coin_does_not_pay_for_is_refused_before_signing(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            batch = await signed(trader, payment(COIN))
            call, limit, fees = batch.transactions[0].read()
            exact = call.value + limit * fees.maximum
            world.anvil.call("anvil_setBalance", trader.key.address, hex(exact))
            with pytest.raises(InsufficientFunds):
                await trader.lane.bump(batch)
            assert (await trader.lane.send(batch)) == ()

    on_chain(world, steps)


def test_no_leg_is_given_the_bytes_of_another_one_in_its_nonces(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            forgotten = await signed(trader, payment(5), payment(5))
            other = await world.trader(chain, key=trader.key)
            held = await signed(other, payment(9))
            assert held.nonces[0] == forgotten.nonces[0]
            lane = other.lane
            for use in (lane.send, lane.bump, lane.cancel):
                with pytest.raises(ExecutionError, match="other bytes"):
                    await use(forgotten)
            assert await lane.resend(forgotten) == ()
            assert (await lane.outcome(forgotten)).state is BatchState.PENDING
            await lane.restore([forgotten, held])
            with pytest.raises(ExecutionError, match="other bytes"):
                await lane.bump(forgotten)
            await lane.send(held)
            world.mine(3)
            assert (await lane.outcome(held)).state is BatchState.MINED
            assert (await lane.outcome(forgotten)).state is BatchState.REPLACED

    on_chain(world, steps)


def test_restoring_asks_nobody_and_twice_is_as_good_as_once(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        order = trader.order(Side.BUY, COIN, 4_000_00)
        low = await trader.adapter.prepare(order, await trader.deadline())
        high = await trader.adapter.bump(low)
        assert high is not None
        away = Chain("away", AWAY, CHAIN_ID, 2)
        try:
            lane = Lane(away, trader.key)
            batches = [Batch.decode(one.payload) for one in (low, high, low)]
            await lane.restore(batches)
            await lane.restore(batches)
        finally:
            await away.close()
        other = await world.trader(chain, key=trader.key)
        for legs in ([low], [high, low], [high]):
            await other.adapter.restore(legs)
        assert (await signed(other)).nonces[0] == 3
        await other.adapter.submit(high)
        assert (await other.status(high, LegState.FILLED)).state is LegState.FILLED
        with pytest.raises(ExecutionError, match="this lane is"):
            await (await world.trader(chain)).adapter.restore([low])

    on_chain(world, steps)


def test_what_waits_in_the_pool_from_an_earlier_process_keeps_its_nonce(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        with world.automine_off():
            kept, unrecorded = await signed(first), await signed(first)
            for batch in (kept, unrecorded):
                await first.lane.send(batch)
            second = await world.trader(chain, key=first.key)
            await second.lane.restore([kept])
            assert (await signed(second)).nonces[0] == 2

    on_chain(world, steps)


class Absurd(Chain):
    """A node whose counts of nonces, from the second on, are too high by ``extra``."""

    extra = 0

    async def rpc(self, method: str, *parameters: Any) -> Any:
        answer = await super().rpc(method, *parameters)
        if method == "eth_getTransactionCount" and parameters[1] in ("latest", "pending"):
            return hex(int(answer, 16) + self.extra)
        return answer


def test_an_absurd_count_of_nonces_is_refused_and_spoils_nothing(world: World) -> None:
    async def steps(_: Chain) -> None:
        chain = Absurd("test", world.anvil.url, CHAIN_ID, 2)
        try:
            trader = await world.trader(chain)
            assert (await signed(trader)).nonces[0] == 0
            chain.extra = 1_000
            with pytest.raises(ExecutionError, match="check the node"):
                await signed(trader)
            chain.extra = 0
            assert (await signed(trader)).nonces[0] == 1
        finally:
            await chain.close()

    on_chain(world, steps)


def test_an_absurd_first_count_is_not_filled_up(world: World) -> None:
    async def steps(_: Chain) -> None:
        chain = Absurd("test", world.anvil.url, CHAIN_ID, 2)
        try:
            trader = await world.trader(chain)
            chain.extra = 1_000
            far = await signed(trader)
            chain.extra = 0
            await trader.lane.send(far)
            with pytest.raises(ExecutionError, match="were not signed here"):
                await trader.lane.repair()
        finally:
            await chain.close()

    on_chain(world, steps)


def test_a_count_that_a_block_bears_out_is_believed(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        first = await signed(trader)
        await trader.lane.send(first)
        await mined(trader.lane, first)
        foreign = await world.trader(chain, key=trader.key)
        taken = await signed(foreign, payment(), payment())
        await foreign.lane.send(taken)
        await mined(foreign.lane, taken)
        assert (await signed(trader)).nonces[0] == 3

    on_chain(world, steps)


def test_what_was_bid_when_gas_was_dear_can_still_be_cancelled(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        with world.automine_off():
            world.anvil.call("anvil_setNextBlockBaseFeePerGas", hex(10**10))
            world.mine()
            # Half of what may be bid is less than the base fee.
            cap = await trader.lane.price() * 3 // 2
            lane = Lane(chain, trader.key, FeePolicy(cap=cap))
            paid = await chain.coin(ELSEWHERE)
            batch = await lane.sign([payment(5)], await trader.deadline())
            assert bid(batch) == cap * 8 // 9
            await lane.send(batch)
            with pytest.raises(ExecutionError, match="the cap is"):
                await lane.bump(batch)
            instead = await lane.cancel(batch)
            assert bid(instead) <= cap
            world.mine(3)
            assert (await lane.outcome(batch)).state is BatchState.REPLACED
            assert await chain.coin(ELSEWHERE) == paid
        for _ in range(20):  # the base fee falls by an eighth a block
            world.mine()

    on_chain(world, steps)


def test_a_cancelled_batch_is_not_undone_by_sending_it_after_the_pool_lost_it(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        approve = call_data("approve(address,uint256)", ELSEWHERE, 0)
        with world.automine_off():
            batch = await signed(trader, Call(world.usdc, approve, approval=True), payment(5))
            paid = await chain.coin(ELSEWHERE)
            await trader.lane.send(batch)
            await trader.lane.cancel(batch)
            world.anvil.call("anvil_dropAllTransactions")
            await trader.lane.send(batch)
            world.mine(3)
            assert (await trader.lane.outcome(batch)).state is BatchState.REPLACED
            assert await chain.coin(ELSEWHERE) == paid

    on_chain(world, steps)
