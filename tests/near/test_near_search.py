"""The transaction that used a nonce up is found from the chain alone, wherever it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from near_world import DEADLINE, World, in_world, order

from agent_fund.domain.order import Side
from agent_fund.execution.live.leg_state import LegState


@pytest.mark.parametrize("before", [0, 1, 2, 61, 500])
@pytest.mark.parametrize("after", [0, 1, 333])
def test_it_is_found_among_other_blocks(before: int, after: int) -> None:
    async def check(w: World) -> None:
        prepared = await w.venue.prepare(order(Side.SELL), DEADLINE)
        w.near.chain.advance(before)
        await w.venue.submit(prepared)
        w.near.chain.advance(after)
        w.near.relay.arm("get_status", "forgotten")
        views = w.near.node.seen["query"]
        assert (await w.venue.status(prepared)).state is LegState.SETTLED
        assert w.near.node.seen["query"] - views <= 2 + (before + after + 2).bit_length()

    in_world(check)


@pytest.mark.parametrize("skipped", [range(20, 60), range(58, 61), range(62, 90), range(1, 0)])
def test_skipped_heights_do_not_hide_it(skipped: range) -> None:
    async def check(w: World) -> None:
        prepared = await w.venue.prepare(order(Side.SELL), DEADLINE)
        start = w.near.chain.head.height
        w.near.chain.advance(60)
        await w.venue.submit(prepared)  # in block start + 61
        w.near.chain.advance(40)
        w.near.node.skipped = {start + height for height in skipped}
        w.near.relay.arm("get_status", "forgotten")
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


def test_two_orders_of_the_same_amounts_are_told_apart() -> None:
    async def check(w: World) -> None:
        first = await w.venue.prepare(order(Side.SELL), DEADLINE)
        second = await w.venue.prepare(replace(order(Side.SELL), order_id="o2"), DEADLINE)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(first)
        await w.venue.submit(second)
        await w.venue.cancel(first)
        w.near.relay.arm("get_status", "forgotten", 2)
        states = await asyncio.gather(w.venue.status(first), w.venue.status(second))
        assert [one.state for one in states] == [LegState.CANCELED, LegState.SETTLED]

    in_world(check, cancels=True)


def test_what_cannot_be_found_is_unknown() -> None:
    """The node has lost the block in which it happened: nobody can say which payload it was."""

    async def check(w: World) -> None:
        prepared = await w.venue.prepare(order(Side.SELL), DEADLINE)
        await w.venue.submit(prepared)
        height = w.near.chain.head.height
        w.near.chain.advance(10)
        w.near.node.skipped = {height}
        w.near.relay.arm("get_status", "forgotten")
        assert (await w.venue.status(prepared)).state is LegState.UNKNOWN

    in_world(check)
