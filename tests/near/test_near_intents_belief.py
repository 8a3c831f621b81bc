"""Nobody's word is a fill: not the relay's, not a failed transaction's, not another contract's."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from near_world import DEADLINE, World, in_world, order, prepared_sale

from agent_fund.devnet.near.contract import Contract
from agent_fund.domain.order import Side
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

FILE = Path(__file__).parents[2].parent / "shared" / "vectors" / "near" / "intents_vectors.json"


def test_settled_is_not_believed_without_the_chain() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        w.near.relay.arm("get_status", "settled", 2)
        report = await w.venue.status(prepared)
        assert (report.state, report.executions) == (LegState.SUBMITTED, ())
        w.after_deadline()
        assert (await w.venue.status(prepared)).state is LegState.CANCELED

    in_world(check)


async def told_settled(w: World, prepared: Prepared) -> LegState:
    """The state after the relay has said SETTLED with the hash of the newest transaction."""
    w.near.relay.arm("get_status", "settled")
    return (await w.venue.status(prepared)).state


def test_the_fill_of_another_order_is_not_this_ones() -> None:
    async def check(w: World) -> None:
        first = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(first)
        second = await w.venue.prepare(replace(order(Side.SELL), order_id="o2"), DEADLINE)
        await w.venue.submit(second)
        assert await told_settled(w, first) is LegState.SUBMITTED
        assert await told_settled(w, second) is LegState.SETTLED

    in_world(check)


def test_the_events_of_a_failed_transaction_are_no_fill() -> None:
    """Alone the intent violates the invariant; the log has its events all the same."""

    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        signed = {"signed": [json.loads(prepared.payload)["signed_data"]]}
        done = w.near.chain.call("relayer.near", "intents.near", "execute_intents", signed)
        assert prepared.reference in str(done.outcomes[0].logs)
        assert await told_settled(w, prepared) is LegState.SUBMITTED

    in_world(check)


def test_the_events_of_another_contract_are_no_fill() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        nonce = base64.b64encode(bytes.fromhex(prepared.notes["nonce"])).decode()
        said = {"intent_hash": prepared.reference, "account_id": "fund.near", "nonce": nonce}
        w.near.chain.create(
            "evil.near",
            contract=Contract(
                {
                    "shout": lambda call, args: call.event(
                        "dip4", "0.3.1", "intents_executed", [said]
                    )
                },
                {},
            ),
        )
        w.near.chain.call("relayer.near", "evil.near", "shout", {})
        assert await told_settled(w, prepared) is LegState.SUBMITTED

    in_world(check)


def test_a_fill_of_other_amounts_than_remembered_is_a_doubt() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        other = replace(prepared, notes={**prepared.notes, "units_out": "1"})
        assert (await w.venue.status(other)).state is LegState.UNKNOWN

    in_world(check)


@pytest.mark.parametrize("word", ["failed", "forgotten", "lost", "500"])
def test_a_fill_is_found_on_the_chain_whatever_the_relay_says(word: str) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.chain.advance(37)
        await w.venue.submit(prepared)
        w.near.chain.advance(20)
        w.near.relay.arm("get_status", word)
        report = await w.venue.status(prepared)
        assert report.state is LegState.SETTLED
        assert report.executions[0].exec_id == prepared.reference

    in_world(check)
