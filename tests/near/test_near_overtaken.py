"""A used nonce is no death certificate: the block in which it was taken must name who took it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from near_world import FUND, World, in_world

from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.execution.near.errors import NearUnreachable
from agent_fund.execution.near.lane import Fate, Lane
from agent_fund.execution.near.rpc import Block
from agent_fund.execution.near.transaction import FunctionCall, NearTransaction, sign_call
from agent_fund.execution.near.turning import turning_point


def faucet(units: int) -> FunctionCall:
    return FunctionCall("wrap.near", "mint", {"amount": str(units)})


async def overtaken(w: World) -> tuple[NearTransaction, NearTransaction]:
    """Two transactions of one key, of which the second ran, ten blocks later."""
    first, second = await w.lane.sign(faucet(5)), await w.lane.sign(faucet(7))
    w.near.chain.advance(10)
    await w.lane.send(second)
    w.near.chain.advance(10)
    return first, second


def test_a_node_that_does_not_know_a_transaction_that_ran_is_a_doubt() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        w.near.node.arm("tx", "unknown")
        assert (await w.lane.send(made)).fate is Fate.UNKNOWN
        assert (await w.lane.outcome(made)).fate is Fate.DONE

    in_world(check)


def test_the_result_of_another_transaction_is_no_answer() -> None:
    async def check(w: World) -> None:
        first, second = await overtaken(w)
        known = w.near.chain.executed
        known[first.hash] = known[second.hash]
        assert (await w.lane.outcome(first)).fate is Fate.UNKNOWN

    in_world(check)


def test_a_run_waits_for_the_node_that_knows_its_result() -> None:
    async def check(w: World) -> None:
        w.near.node.arm("tx", "unknown", 3)
        result = await w.lane.run(faucet(5))
        assert (result.failure, w.near.chain.accounts["wrap.near"].state.get(FUND)) == ("", 5)

    in_world(check)


@pytest.mark.parametrize("lag", [0, 3])
def test_what_took_the_nonce_is_named_once_it_is_final(lag: int) -> None:
    async def check(w: World) -> None:
        first, second = await w.lane.sign(faucet(5)), await w.lane.sign(faucet(7))
        await w.lane.send(second)
        if lag:
            assert (await w.lane.outcome(first)).fate is Fate.PENDING
            w.near.chain.advance(lag)
        found = await w.lane.outcome(first)
        assert (found.fate, second.hash in found.detail) == (Fate.DEAD, True)

    in_world(check, lag=lag)


@pytest.mark.parametrize("before", [range(0), range(1, 9)])
@pytest.mark.parametrize("after", [range(0), range(12, 20)])
def test_skipped_heights_hide_no_overtaker(before: range, after: range) -> None:
    async def check(w: World) -> None:
        start = w.near.chain.head.height
        first, _ = await overtaken(w)
        w.near.node.skipped = {start + height for height in (*before, *after)}
        assert (await w.lane.outcome(first)).fate is Fate.DEAD

    in_world(check)


def test_the_very_nonce_taken_by_another_process_is_death_too() -> None:
    async def check(w: World) -> None:
        mine = await w.lane.sign(faucet(5))
        other = await sign_call(w.key, FUND, faucet(7), mine.nonce, mine.block_hash)
        assert (await Lane(w.rpc, w.key, FUND).send(other)).fate is Fate.DONE
        assert (await w.lane.outcome(mine)).fate is Fate.DEAD
        w.near.node.arm("tx", "unknown")
        assert (await w.lane.outcome(other)).fate is Fate.UNKNOWN

    in_world(check)


@pytest.mark.parametrize("lost", ["signing", "taking", "between", "chunk", "key"])
def test_without_the_blocks_that_prove_it_nothing_is_dead(lost: str) -> None:
    async def check(w: World) -> None:
        start = w.near.chain.head.height
        first, _ = await overtaken(w)
        node = w.near.node
        match lost:
            case "signing":
                node.oldest = start + 1
            case "taking":
                node.skipped = {start + 11}
            case "between":
                node.oldest = start + 11
            case "chunk":
                node.arm("chunk", "500")
            case "key":
                w.near.chain.accounts[FUND].keys.clear()
                w.near.chain.advance()
        assert (await w.lane.outcome(first)).fate is Fate.UNKNOWN

    in_world(check)


def test_a_nonce_that_rose_without_a_transaction_of_the_key_proves_nothing() -> None:
    async def check(w: World) -> None:
        made = await w.lane.sign(faucet(5))
        w.near.chain.accounts[FUND].keys[w.key.public_key] = made.nonce + 1
        # In the very block a stranger's transaction runs, with a larger nonce.
        other = DevnetKey("maker.near")
        theirs = await sign_call(other, "maker.near", faucet(7), 10**9, made.block_hash)
        await w.rpc.send(theirs.raw)
        w.near.chain.advance(3)
        assert (await w.lane.outcome(made)).fate is Fate.UNKNOWN

    in_world(check)


class Heights:
    """A node of the blocks 0 to ``top`` that were not ``skipped``, but for those ``lacking``."""

    def __init__(self, top: int, skipped: frozenset[int], lacking: frozenset[int]) -> None:
        self.there = [height for height in range(top + 1) if height not in skipped]
        self.lacking = lacking

    def at(self, height: int) -> Block:
        before = max((one for one in self.there if one < height), default=0)
        return Block(height, b"%d" % height, height, b"%d" % before)

    async def block(self, height: int) -> Block | None:
        known = height in self.there and height not in self.lacking
        return self.at(height) if known else None


@settings(deadline=None)
@given(
    st.integers(1, 300).flatmap(
        lambda top: st.tuples(
            st.just(top),
            st.integers(1, top),
            st.frozensets(st.integers(1, top - 1)) if top > 1 else st.just(frozenset()),
            st.frozensets(st.integers(1, top - 1), max_size=3) if top > 1 else st.just(frozenset()),
        )
    )
)
def test_a_turning_point_is_two_neighbours_or_nothing(
    drawn: tuple[int, int, frozenset[int], frozenset[int]],
) -> None:
    top, turn, skipped, lacking = drawn
    node = Heights(top, skipped, lacking)

    async def turned(block: Block) -> bool:
        return block.height >= turn

    async def look() -> tuple[Block, Block]:
        return await turning_point(node, node.at(0), node.at(top), turned)  # type: ignore[arg-type]

    low = max(height for height in node.there if height < turn)
    high = min(height for height in node.there if height >= turn)
    try:
        found = asyncio.run(look())
    except NearUnreachable:
        assert {low, high} & (lacking - skipped) or len(skipped) > 100
    else:
        assert [one.height for one in found] == [low, high]
