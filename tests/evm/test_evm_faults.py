"""What chains do to a swap: reorganisations, sandwiches, full queues, silence; and restarts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from evm_world import (
    COIN,
    ETH_USD,
    Trader,
    World,
    on_chain,
    running_world,
)

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain, ChainSilent
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
LIMIT = {Side.BUY: 4_000_00, Side.SELL: 2_000_00}
S = LegState


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


async def prepared_buy(trader: Trader, limit: int = LIMIT[Side.BUY], seconds: int = 600) -> Any:
    order = trader.order(Side.BUY, COIN, limit)
    return await trader.adapter.prepare(order, await trader.deadline(seconds))


async def nonces(chain: Chain, trader: Trader) -> int:
    return int(await chain.rpc("eth_getTransactionCount", trader.key.address, "latest"), 16)


def test_a_reorganisation_takes_a_fill_back_and_it_fills_again_once(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        world.mine(3)  # so that what funded the account stays
        before = await trader.balances()
        with world.automine_off():
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            world.mine(3)
            filled = await trader.adapter.status(prepared)
            assert filled.state is S.FILLED
            assert not filled.executions[0].final
            moved = await trader.balances()
            assert moved != before
            world.anvil.call("anvil_reorg", 3, [])
            assert await trader.balances() == before
            back = await trader.adapter.status(prepared)
            assert back.state is S.SUBMITTED
            assert back.executions == ()
            # That status sent the same bytes again.
            for one in Batch.decode(prepared.payload).transactions:
                assert await chain.rpc("eth_getTransactionByHash", one.hash) is not None
            world.mine(1)
            again = await trader.adapter.status(prepared)
            assert again.state is S.FILLED
            world.mine(3)
            settled = await trader.adapter.status(prepared)
        assert settled.state is S.SETTLED
        assert await trader.balances() == moved
        assert await nonces(chain, trader) == 3
        assert settled.executions == (replace(again.executions[0], final=True),)

    on_chain(world, steps, finality=3)


def test_a_fill_in_another_block_after_a_reorganisation_is_followed(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        world.mine(3)
        with world.automine_off():
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            world.mine(2)
            first = Batch.decode(prepared.payload)
            block = (await trader.lane.outcome(first)).essential[1].block
            # The chain itself puts the transactions into the replacement's second block.
            raws = [["0x" + one.raw.hex(), 1] for one in first.transactions]
            world.anvil.call("anvil_reorg", 2, raws)
            outcome = await trader.lane.outcome(first)
            assert outcome.essential[1].block == block + 1
            assert (await trader.adapter.status(prepared)).state is S.FILLED
            world.mine(2)
            assert (await trader.adapter.status(prepared)).state is S.FILLED
            world.mine(1)
            assert (await trader.adapter.status(prepared)).state is S.SETTLED

    on_chain(world, steps, finality=3)


async def sandwiched(world: World, chain: Chain, limit: int) -> tuple[Trader, Any, tuple[int, int]]:
    """A victim's buy between an attacker's buy and sell, in one block, by their tips."""
    victim = await world.trader(chain, fees=FeePolicy(least_tip=2 * 10**9))
    attacker = await world.trader(chain, fees=FeePolicy(least_tip=3 * 10**9), base=200 * COIN)
    prepared = await prepared_buy(victim, limit)
    front = attacker.order(Side.BUY, 100 * COIN, 10_000_00)
    before = await victim.balances()
    with world.automine_off():
        first = await attacker.adapter.prepare(front, await attacker.deadline())
        behind = await world.trader(chain, key=attacker.key, fees=FeePolicy(least_tip=10**9))
        await behind.lane.restore([Batch.decode(first.payload)])
        back = await behind.adapter.prepare(
            behind.order(Side.SELL, 100 * COIN, 1_00), await attacker.deadline()
        )
        for trader, leg in ((attacker, first), (victim, prepared), (behind, back)):
            await trader.adapter.submit(leg)
        world.mine(1)
        outcomes = [
            (await trader.lane.outcome(Batch.decode(leg.payload)))
            for trader, leg in ((attacker, first), (victim, prepared), (behind, back))
        ]
        assert len({one.essential[0].block for one in outcomes}) == 1
        report = await victim.status(prepared, S.FILLED, S.CANCELED, S.SUBMITTED)
        assert report.state is not S.CANCELED
    world.mine(2)
    report = await victim.adapter.status(prepared)
    base, quote = await victim.balances()
    return victim, report, (base - before[0], quote - before[1])


def test_a_sandwich_makes_an_order_with_a_tight_limit_revert_and_moves_nothing(
    world: World,
) -> None:
    async def steps(chain: Chain) -> None:
        probe = await world.trader(chain)
        quote = await probe.adapter.quote(ETH_USD, Side.BUY, COIN)
        assert quote is not None
        half_percent_more = quote.max_spent * 1005 // 1000 // ETH_USD.notional(COIN, 1)
        victim, report, moved = await sandwiched(world, chain, half_percent_more)
        assert report.state is S.CANCELED
        assert report.executions == ()
        assert moved == (0, 0)
        assert report.gas > 0
        assert await victim.allowance(world.usdc, world.v2.router) == 0

    on_chain(world, steps)


def test_the_same_sandwich_costs_an_order_without_a_tight_limit_dearly(world: World) -> None:
    async def steps(chain: Chain) -> None:
        probe = await world.trader(chain)
        quote = await probe.adapter.quote(ETH_USD, Side.BUY, COIN)
        assert quote is not None
        _, report, (base, spent) = await sandwiched(world, chain, 10_000_00)
        assert report.state is S.SETTLED
        assert base == COIN
        assert -spent * 10**14 > quote.max_spent * 11 // 10

    on_chain(world, steps)


def test_a_swap_after_its_deadline_reverts_and_moves_nothing(world: World) -> None:
    async def steps(chain: Chain) -> None:
        for amm in ("v2", "v3"):
            trader = await world.trader(chain, amm)
            before = await trader.balances()
            prepared = await prepared_buy(trader, seconds=60)
            world.anvil.call("evm_increaseTime", 100)
            await trader.adapter.submit(prepared)
            world.mine(4)
            report = await trader.status(prepared, S.CANCELED)
            assert report.state is S.CANCELED
            assert report.executions == ()
            assert await trader.balances() == before

    on_chain(world, steps)


def test_what_was_never_mined_is_expired_until_its_nonce_is_taken_for_good(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        before = await trader.balances()
        with world.automine_off():
            prepared = await prepared_buy(trader, seconds=60)
            world.anvil.call("evm_increaseTime", 100)
            world.mine()
            report = await trader.adapter.status(prepared)
            assert report.state is S.EXPIRED
            assert await trader.adapter.bump(prepared) is None
            report = await trader.adapter.cancel(prepared)
            assert report.state is S.EXPIRED
            # A pool that loses the replacement gets it again.
            world.anvil.call("anvil_dropAllTransactions")
            assert (await trader.adapter.status(prepared)).state is S.EXPIRED
            world.mine(2)
            report = await trader.adapter.status(prepared)
            assert not report.state.ended
            world.mine(1)
            report = await trader.adapter.status(prepared)
        assert report.state is S.CANCELED
        assert report.gas > 0
        assert await trader.balances() == before
        assert await trader.allowance(world.usdc, world.v2.router) == 0
        assert (await trader.trade(Side.BUY, COIN, LIMIT[Side.BUY])).state is S.FILLED

    on_chain(world, steps)


def test_a_cancelled_order_in_the_queue_moves_nothing(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        before = await trader.balances()
        with world.automine_off():
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            report = await trader.adapter.cancel(prepared)
            assert report.state is S.SUBMITTED
            # Whatever is sent again now, the replacement has the nonce.
            await trader.adapter.submit(prepared)
            world.mine(1)
            assert (await trader.adapter.status(prepared)).state is S.SUBMITTED
            world.mine(2)
            report = await trader.adapter.status(prepared)
        assert report.state is S.CANCELED
        assert report.executions == ()
        assert await trader.balances() == before
        assert await trader.allowance(world.usdc, world.v2.router) == 0

    on_chain(world, steps)


def test_a_cancel_that_comes_too_late_reports_the_fill(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        prepared = await prepared_buy(trader)
        await trader.adapter.submit(prepared)
        assert (await trader.status(prepared, S.FILLED)).state is S.FILLED
        late = await trader.adapter.cancel(prepared)
        assert late.state is S.FILLED
        assert len(late.executions) == 1

    on_chain(world, steps)


def test_a_bump_is_not_a_second_order_and_cannot_undo_a_cancel(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        before = await trader.balances()
        with world.automine_off():
            first = await prepared_buy(trader)
            await trader.adapter.submit(first)
            higher = await trader.adapter.bump(first)
            assert higher is not None
            assert higher.reference == first.reference
            await trader.adapter.submit(higher)
            await trader.adapter.submit(first)
            world.mine(1)
        assert (await trader.status(higher, S.FILLED)).state is S.FILLED
        assert (await trader.balances())[0] - before[0] == COIN
        with world.automine_off():
            second = await prepared_buy(trader)
            await trader.adapter.submit(second)
            await trader.adapter.cancel(second)
            assert await trader.adapter.bump(second) is None

    on_chain(world, steps)


def test_sending_three_times_trades_once(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        before = await trader.balances()
        prepared = await prepared_buy(trader)
        for _ in range(3):
            assert (await trader.adapter.submit(prepared)).state is S.SUBMITTED
            await trader.status(prepared, S.FILLED)
        world.mine(2)
        assert (await trader.adapter.submit(prepared)).state is S.SUBMITTED
        report = await trader.status(prepared, S.SETTLED)
        assert report.state is S.SETTLED
        assert len(report.executions) == 1
        assert (await trader.balances())[0] - before[0] == COIN
        assert await nonces(chain, trader) == 3

    on_chain(world, steps)


def test_a_restart_between_signing_and_sending_trades_once(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        before = await first.balances()
        kept = await prepared_buy(first)
        # A new process: what is durable is all it knows.
        second = await world.trader(chain, key=first.key)
        await second.adapter.restore([kept])
        other = await prepared_buy(second)
        taken = [list(Batch.decode(one.payload).nonces) for one in (kept, other)]
        assert taken == [[0, 1, 2], [3, 4, 5]]
        await second.adapter.submit(other)
        await second.adapter.submit(kept)
        for one in (kept, other):
            assert (await second.status(one, S.FILLED, S.SETTLED)).executions
        assert (await second.balances())[0] - before[0] == 2 * COIN

    on_chain(world, steps)


def test_asking_about_a_leg_after_a_restart_keeps_its_nonces(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        kept = await prepared_buy(first)
        second = await world.trader(chain, key=first.key)
        assert (await second.adapter.status(kept)).state is S.SUBMITTED
        # It was never sent by this process, so asking does not send it.
        only = Batch.decode(kept.payload).transactions[0].hash
        assert await chain.rpc("eth_getTransactionByHash", only) is None
        other = await prepared_buy(second)
        assert Batch.decode(other.payload).nonces[0] == 3

    on_chain(world, steps)


def test_bytes_that_were_not_kept_leave_their_nonces_to_the_next(world: World) -> None:
    async def steps(chain: Chain) -> None:
        first = await world.trader(chain)
        await prepared_buy(first)
        second = await world.trader(chain, key=first.key)
        prepared = await prepared_buy(second)
        assert Batch.decode(prepared.payload).nonces[0] == 0
        await second.adapter.submit(prepared)
        assert (await second.status(prepared, S.FILLED)).state is S.FILLED

    on_chain(world, steps)


def test_a_nonce_taken_by_another_program_ends_in_cancelled_only_at_the_depth(
    world: World,
) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        foreign = await world.trader(chain, key=trader.key)
        with world.automine_off():
            prepared = await prepared_buy(trader)
            to_self = Call(trader.key.address, b"")
            await foreign.lane.send(await foreign.lane.sign([to_self] * 3, await trader.deadline()))
            world.mine(1)
            assert (await trader.adapter.submit(prepared)).state is S.SUBMITTED
            assert not (await trader.adapter.status(prepared)).state.ended
            world.mine(2)
            report = await trader.adapter.status(prepared)
        assert report.state is S.CANCELED
        assert "nonce" in report.detail

    on_chain(world, steps)


class Silent(Chain):
    """A chain whose answers to the methods in ``mute`` are lost, after they had their effect."""

    mute: frozenset[str] = frozenset()

    async def rpc(self, method: str, *parameters: Any) -> Any:
        answer = await super().rpc(method, *parameters)
        if method in self.mute:
            raise ChainSilent(f"{method}: no answer")
        return answer

    async def rpc_many(self, requests: Any) -> Any:
        answer = await super().rpc_many(requests)
        if any(method in self.mute for method, _ in requests):
            raise ChainSilent("batch: no answer")
        return answer


def test_a_lost_answer_to_the_sending_is_unknown_and_the_trade_is_found(world: World) -> None:
    async def steps(_: Chain) -> None:
        chain = Silent("test", world.anvil.url, 31337, 2)
        try:
            trader = await world.trader(chain)
            prepared = await prepared_buy(trader)
            chain.mute = frozenset({"eth_sendRawTransaction"})
            assert (await trader.adapter.submit(prepared)).state is S.UNKNOWN
            assert (await trader.adapter.submit(prepared)).state is S.UNKNOWN
            report = await trader.status(prepared, S.FILLED)
            assert report.state is S.FILLED
            assert len(report.executions) == 1
        finally:
            await chain.close()

    on_chain(world, steps)


@pytest.mark.parametrize(
    "method", ["eth_blockNumber", "eth_getTransactionCount", "eth_getTransactionReceipt"]
)
def test_a_chain_that_does_not_answer_is_a_doubt_and_never_an_end(
    world: World, method: str
) -> None:
    async def steps(_: Chain) -> None:
        chain = Silent("test", world.anvil.url, 31337, 2)
        try:
            trader = await world.trader(chain)
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            await trader.status(prepared, S.FILLED)
            chain.mute = frozenset({method})
            assert (await trader.adapter.status(prepared)).state is S.UNKNOWN
            assert (await trader.adapter.cancel(prepared)).state is S.UNKNOWN
            chain.mute = frozenset()
            assert (await trader.adapter.status(prepared)).state is S.FILLED
        finally:
            await chain.close()

    on_chain(world, steps)


@pytest.mark.parametrize(
    "method",
    ["eth_simulateV1", "eth_feeHistory", "eth_getTransactionCount", "eth_getBalance", "eth_call"],
)
def test_nothing_is_signed_while_the_chain_does_not_answer(world: World, method: str) -> None:
    async def steps(_: Chain) -> None:
        chain = Silent("test", world.anvil.url, 31337, 2)
        try:
            trader = await world.trader(chain)
            chain.mute = frozenset({method})
            with pytest.raises(ExecutionError, match="no answer"):
                await prepared_buy(trader)
            assert await trader.adapter.quote(ETH_USD, Side.BUY, COIN) is None or (
                method not in ("eth_call", "eth_feeHistory")
            )
            chain.mute = frozenset()
            prepared = await prepared_buy(trader)
            assert Batch.decode(prepared.payload).nonces[0] == 0
        finally:
            await chain.close()

    on_chain(world, steps)


def test_a_node_that_is_away_is_a_doubt_too_and_its_url_is_not_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        prepared = await prepared_buy(trader)
        away = Chain("away", "http://127.0.0.1:9/secret-api-key", 31337, 2)
        try:
            lost = moved_to(away, trader, world)
            for report in (await lost.submit(prepared), await lost.status(prepared)):
                assert report.state is S.UNKNOWN
                assert "secret" not in report.detail
            with pytest.raises(ExecutionError) as error:
                await away.start()
            assert "secret" not in str(error.value)
            with pytest.raises(ExecutionError):
                await lost.holdings(0)
            assert "secret" not in f"{away.web3.provider} {away.web3.provider!r}"
        finally:
            await away.close()

    on_chain(world, steps)
    assert "secret" not in caplog.text


def moved_to(away: Chain, trader: Trader, world: World) -> SwapAdapter:
    tokens = {"ETH": Token(world.weth, 18), "USD": Token(world.usdc, 6)}
    config = SwapConfig("pool", (ETH_USD,), tokens)
    account = DirectAccount(away, trader.key.address)
    return SwapAdapter(config, world.amm("v2"), account, away, Lane(away, trader.key))


def test_orders_prepared_at_once_get_nonces_of_their_own_and_all_trade(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        before = await trader.balances()
        deadline = await trader.deadline()
        orders = [trader.order(Side.BUY, COIN // 10, LIMIT[Side.BUY]) for _ in range(8)]
        legs: list[Prepared] = await asyncio.gather(
            *(trader.adapter.prepare(order, deadline) for order in orders)
        )
        taken = sorted(n for leg in legs for n in Batch.decode(leg.payload).nonces)
        assert taken == list(range(24))
        # Mining at once, anvil may keep for ever what came just behind its predecessor.
        with world.automine_off():
            await asyncio.gather(*(trader.adapter.submit(leg) for leg in reversed(legs)))
        for leg in legs:
            assert (await trader.status(leg, S.FILLED, S.SETTLED)).executions
        assert (await trader.balances())[0] - before[0] == 8 * (COIN // 10)

    on_chain(world, steps)
