"""What took a nonce is what a block shows: what a node has lost is a doubt, and ends no leg."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from evm_world import CHAIN_ID, COIN, Trader, World, on_chain, running_world
from web3.exceptions import Web3RPCError

from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Side
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain, ChainSilent
from agent_fund.execution.evm.nonce import taker
from agent_fund.execution.evm.outcome import BatchState
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
S = LegState
FINALITY = 2


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


class Lossy(Chain):
    """A node that answers some questions with null, some states with an error, others truly."""

    nulls: frozenset[str] = frozenset()
    oldest: int = 0  # the first block whose state it still has
    ahead: bool = False  # whether it counts nonces as of its latest block, whatever is asked

    async def rpc(self, method: str, *parameters: Any) -> Any:
        if method in self.nulls and parameters[-1] is not False:
            return None
        if method == "eth_getTransactionCount" and parameters[1].startswith("0x"):
            if int(parameters[1], 16) < self.oldest:
                raise Web3RPCError("missing trie node")
            parameters = (parameters[0], "latest") if self.ahead else parameters
        return await super().rpc(method, *parameters)

    async def rpc_many(self, requests: Any) -> Any:
        found = await super().rpc_many(requests)
        return [
            None if method in self.nulls else answer
            for (method, _), answer in zip(requests, found, strict=True)
        ]


Steps = Callable[[Lossy, Trader], Coroutine[Any, Any, None]]


def on_lossy(world: World, steps: Steps) -> None:
    """Run ``steps`` with a trader over a lossy node, whose connection is closed afterwards."""

    async def go(_: Chain) -> None:
        chain = Lossy("test", world.anvil.url, CHAIN_ID, FINALITY)
        try:
            await steps(chain, await world.trader(chain))
        finally:
            await chain.close()

    on_chain(world, go)


async def prepared_buy(trader: Trader) -> Prepared:
    order = trader.order(Side.BUY, COIN, 4_000_00)
    return await trader.adapter.prepare(order, await trader.deadline())


def test_a_filled_swap_whose_receipts_the_node_lost_is_a_doubt_and_not_cancelled(
    world: World,
) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        prepared = await prepared_buy(trader)
        await trader.adapter.submit(prepared)
        await trader.status(prepared, S.FILLED)
        world.mine(5)
        chain.nulls = frozenset({"eth_getTransactionReceipt"})
        for report in (
            await trader.adapter.status(prepared),
            await trader.adapter.cancel(prepared),
        ):
            assert report.state is S.UNKNOWN
            assert "receipt" in report.detail
        chain.nulls = frozenset()
        assert (await trader.adapter.status(prepared)).state is S.SETTLED

    on_lossy(world, steps)


def test_a_version_that_no_record_kept_is_a_doubt_and_not_cancelled(world: World) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        with world.automine_off():
            kept = await prepared_buy(trader)
            await trader.adapter.submit(kept)
            higher = await trader.adapter.bump(kept)
            assert higher is not None
            await trader.adapter.submit(higher)
            world.mine(4)
        other = await world.trader(chain, key=trader.key)
        report = await other.adapter.status(kept)
        assert report.state is S.UNKNOWN
        assert (await other.adapter.status(higher)).state is S.SETTLED

    on_lossy(world, steps)


def test_a_cancelled_order_is_found_cancelled_after_a_crash_by_what_stands_in_its_place(
    world: World,
) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        with world.automine_off():
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            await trader.adapter.cancel(prepared)
            world.mine(1)
            other = await world.trader(chain, key=trader.key)
            assert not (await other.adapter.status(prepared)).state.ended
            world.mine(20)
            assert (await other.adapter.status(prepared)).state is S.CANCELED

    on_lossy(world, steps)


@pytest.mark.parametrize("lost", ["states", "blocks"])
def test_what_a_pruned_node_cannot_show_is_a_doubt(world: World, lost: str) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        with world.automine_off():
            prepared = await prepared_buy(trader)
            await trader.adapter.submit(prepared)
            await trader.adapter.cancel(prepared)
            world.mine(20)
        other = await world.trader(chain, key=trader.key)
        if lost == "states":
            chain.oldest = await chain.head() - FINALITY
        else:
            chain.nulls = frozenset({"eth_getBlockByNumber"})
        assert (await other.adapter.status(prepared)).state is S.UNKNOWN
        chain.oldest, chain.nulls = 0, frozenset()
        assert (await other.adapter.status(prepared)).state is S.CANCELED

    on_lossy(world, steps)


def test_what_stands_in_a_block_that_is_not_final_is_not_final(world: World) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        batch = await trader.lane.sign([_payment()], 2**40)
        with world.automine_off():
            await trader.lane.send(batch)
            world.mine(1)
            chain.ahead = True
            found = await trader.lane.outcome(batch)
            assert (found.state, found.final) == (BatchState.MINED, False)
            world.mine(FINALITY)
            assert (await trader.lane.outcome(batch)).final

    on_lossy(world, steps)


def test_a_replacement_that_is_not_final_replaces_nothing_for_good(world: World) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        batch = await trader.lane.sign([_payment()], 2**40)
        world.mine(FINALITY + 1)
        with world.automine_off():
            await trader.lane.send(batch)
            await trader.lane.cancel(batch)
            world.mine(1)
            final = await chain.head() - FINALITY
            with pytest.raises(ChainSilent, match="nonce 0"):
                await taker(chain, trader.key.address, 0, final)
            chain.ahead = True
            with pytest.raises(ChainSilent, match="nonce 0"):
                await trader.lane.outcome(batch)
            chain.ahead = False
            world.mine(FINALITY)
            found = await trader.lane.outcome(batch)
            assert (found.state, found.final) == (BatchState.REPLACED, True)

    on_lossy(world, steps)


def test_every_transaction_of_a_key_is_found_by_its_nonce(world: World) -> None:
    async def steps(chain: Lossy, trader: Trader) -> None:
        sent: list[Batch] = []
        with world.automine_off():
            for gap in (1, 4, 2, 9):
                sent.append(await trader.lane.sign([_payment()] * 2, 2**40))
                await trader.lane.send(sent[-1])
                world.mine(gap)
        head = await chain.head()
        for batch in sent:
            for one in batch.transactions:
                found = await taker(chain, trader.key.address, one.nonce, head)
                assert found["hash"] == one.hash
        with pytest.raises(ChainSilent, match="nonce 8"):
            await taker(chain, trader.key.address, 8, head)

    on_lossy(world, steps)


def _payment() -> Call:
    return Call("0x00000000000000000000000000000000000000AA", b"", 1)
