"""Whatever happens in whatever order: states follow each other, an ended one is true for good."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from near_world import DEADLINE, USD, WRAP, World, order, world

from agent_fund.domain.order import Side
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState, follows

STEPS = (
    "submit",
    "status",
    "cancel",
    "block",
    "late",
    "salt",
    "relay unsettled",
    "relay silent",
    "relay lost",
    "relay refused",
    "said settled",
    "said failed",
    "said forgotten",
    "said lost",
    "node lost tx",
    "node lost block",
    "node lost query",
    "node silent query",
    "node dropped",
)


async def step(w: World, prepared: Prepared, name: str) -> LegState | None:
    """Do one thing; the state that the venue reports, if it was asked."""
    relay, node = w.near.relay, w.near.node
    match name.split():
        case ["submit"]:
            return (await w.venue.submit(prepared)).state
        case ["status"]:
            return (await w.venue.status(prepared)).state
        case ["cancel"]:
            return (await w.venue.cancel(prepared)).state
        case ["block"]:
            w.near.chain.advance()
        case ["late"]:
            w.clock.now = max(w.clock.now, (DEADLINE + 1) * 10**9)
            w.near.chain.advance()
        case ["salt"]:
            w.near.rotate_salt(invalidate=True)
        case ["relay", fault]:
            relay.arm("publish_intent", fault)
        case ["said", fault]:
            relay.arm("get_status", fault)
        case ["node", "lost" | "silent" as fault, method]:
            node.arm(method, fault)
        case ["node", "dropped"]:
            node.arm("send_tx", "dropped")
    return None


def moved(w: World) -> bool:
    return (w.balance("fund.near", WRAP), w.balance("fund.near", USD)) != (100 * 10**24, 10**9)


async def play(script: list[str], lag: int) -> None:
    async with world(cancels=True, lag=lag) as w:
        prepared = await w.venue.prepare(order(Side.SELL), DEADLINE)
        state = LegState.PENDING
        for name in script:
            after = await step(w, prepared, name)
            if after is None:
                continue
            assert follows(state, after), (state, after)
            state = after
            if state.ended:
                break
        if state.ended:
            settled = state is LegState.SETTLED
            assert moved(w) == settled
            # Whoever has the bytes tries again, for as long as he likes: nothing more happens.
            w.near.relay.faults.clear()
            await w.venue.submit(prepared)
            signed = {"signed": [json.loads(prepared.payload)["signed_data"]]}
            w.near.chain.call("relayer.near", "intents.near", "execute_intents", signed)
            assert moved(w) == settled
        # In the end everything ends, and the venue says what the balances say.
        w.near.relay.faults.clear()
        w.near.node.faults.clear()
        w.after_deadline()
        last = (await w.venue.status(prepared)).state
        assert last is (LegState.SETTLED if moved(w) else LegState.CANCELED)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=14), st.integers(0, 2))
def test_an_ended_state_is_true_for_good(script: list[str], lag: int) -> None:
    asyncio.run(play(script, lag))
