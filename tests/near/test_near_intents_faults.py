"""What can go wrong between a signed intent and its fill, and what the venue says of it then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from near_world import DEADLINE, WRAP, World, in_world, order, prepared_sale, untouched

from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.rejection import Rejection, classify

FILE = Path(__file__).parents[2].parent / "shared" / "vectors" / "near" / "intents_vectors.json"


def test_a_relay_that_never_settles_leaves_it_open_until_the_deadline_is_final() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        w.clock.now = (DEADLINE + 1) * 10**9
        w.near.chain.advance(2)  # the newest block is past the deadline, the final one is not
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        w.near.chain.advance(2)
        assert (await w.venue.status(prepared)).state is LegState.CANCELED
        assert untouched(w)

    in_world(check, lag=3)


def test_an_intent_in_the_very_block_of_its_deadline_still_counts() -> None:
    """At the deadline itself the contract still executes, so it is not over yet."""

    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.clock.now = DEADLINE * 10**9
        w.near.chain.advance()
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        signed = {"signed": [json.loads(prepared.payload)["signed_data"]]}
        done = w.near.chain.call("relayer.near", "intents.near", "execute_intents", signed)
        assert "unmatched_deltas" in str(done.status)

    in_world(check)


def test_a_time_out_after_publishing_is_unknown_and_the_chain_knows() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "silent")
        assert (await w.venue.submit(prepared)).state is LegState.UNKNOWN
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


def test_publishing_twice_trades_once() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        held = w.balance("fund.near", WRAP)
        again = await w.venue.submit(prepared)
        assert again.state is LegState.SETTLED
        assert w.balance("fund.near", WRAP) == held == 98 * 10**24

    in_world(check)


def test_an_unreachable_node_is_unknown_never_rejected() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        for fault in ("lost", "500"):
            for method in ("tx", "block"):
                w.near.node.arm(method, fault)
            assert (await w.venue.status(prepared)).state is LegState.UNKNOWN
            w.near.node.faults.clear()
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


@pytest.mark.parametrize("fault", ["expired", "refused"])
def test_what_the_relay_refuses_stays_open_since_the_bytes_are_out(fault: str) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        if fault == "expired":
            w.clock.now += 90 * 10**9  # the offer stood for a minute, the order has two
            w.near.chain.advance()
        else:
            w.near.relay.arm("publish_intent", "refused")
        report = await w.venue.submit(prepared)
        assert report.state is LegState.SUBMITTED
        assert report.detail == ("expired" if fault == "expired" else "internal")
        w.after_deadline()
        assert (await w.venue.status(prepared)).state is LegState.CANCELED

    in_world(check)


def test_an_offer_that_is_over_already_is_not_signed() -> None:
    async def check(w: World) -> None:
        w.near.relay.arm("quote", "expired")
        with pytest.raises(ExecutionError, match="passed already"):
            await prepared_sale(w)

    in_world(check)


def test_a_deadline_that_has_passed_is_not_signed() -> None:
    async def check(w: World) -> None:
        w.after_deadline()
        with pytest.raises(ExecutionError, match="passed already"):
            await prepared_sale(w)

    in_world(check)


def test_another_process_finds_out_what_became_of_a_stored_order() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        stored = Prepared(
            prepared.leg_id,
            prepared.reference,
            bytes.fromhex(prepared.payload.hex()),
            prepared.deadline,
            json.loads(json.dumps(dict(prepared.notes))),
        )
        other = World(w.near, w.clock, cancels=True, standard="nep413")
        try:
            assert (await other.venue.status(stored)).state is LegState.SUBMITTED
            assert (await other.venue.submit(stored)).state is LegState.SUBMITTED
            assert (await w.venue.submit(prepared)).state is LegState.SETTLED
            assert (await other.venue.status(stored)).state is LegState.SETTLED
            assert w.balance("fund.near", WRAP) == 98 * 10**24
        finally:
            await other.venue.close()

    in_world(check)


def test_a_rotated_salt_ends_what_was_signed_with_the_old_one_only_if_invalidated() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.rotate_salt(invalidate=False)
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        fresh = await w.venue.prepare(replace(order(Side.SELL), order_id="o2"), DEADLINE)
        w.near.rotate_salt(invalidate=True)
        await w.venue.submit(fresh)
        assert (await w.venue.status(fresh)).state is LegState.CANCELED
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


def test_a_cancel_uses_the_nonce_up_and_is_confirmed_when_final() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        assert (await w.venue.cancel(prepared)).state is LegState.SUBMITTED
        w.near.chain.advance(2)
        report = await w.venue.status(prepared)
        assert (report.state, report.executions) == (LegState.CANCELED, ())
        signed = {"signed": [json.loads(prepared.payload)["signed_data"]]}
        late = w.near.chain.call("relayer.near", "intents.near", "execute_intents", signed)
        assert "nonce was already used" in str(late.status)
        assert untouched(w)

    in_world(check, cancels=True, lag=2)


def test_a_cancel_that_comes_too_late_reports_the_fill() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        report = await w.venue.cancel(prepared)
        assert report.state is LegState.SETTLED
        assert len(report.executions) == 1

    in_world(check, cancels=True)


def test_without_a_lane_nothing_is_cancelled_before_the_deadline() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        assert not w.venue.capabilities.resting
        assert (await w.venue.cancel(prepared)).state is LegState.SUBMITTED

    in_world(check)


def test_a_relay_without_offers_is_no_quote_and_a_refused_order() -> None:
    async def check(w: World) -> None:
        w.near.relay.arm("quote", "500", 2)
        assert await w.venue.quote(order(Side.SELL).instrument, Side.SELL, 10**24) is None
        with pytest.raises(ExecutionError):
            await prepared_sale(w)
        w.near.relay.rates.clear()
        with pytest.raises(ExecutionError, match="nobody offers"):
            await prepared_sale(w)

    in_world(check)


def test_nothing_secret_is_in_what_is_stored() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        secret = bytes(w.key._key).hex()
        text = repr(prepared) + repr(w.venue) + repr(w.lane) + prepared.payload.hex()
        assert secret not in text
        assert bytes(w.key._key) not in prepared.payload

    in_world(check)


EXPECTED = {
    "replay": (Rejection.USED, LegState.UNKNOWN),
    "unmatched_deltas": (Rejection.NOT_NOW, LegState.SUBMITTED),
    "tampered_payload": (Rejection.NEVER, LegState.REJECTED),
    "wrong_key": (Rejection.NOT_NOW, LegState.SUBMITTED),
    "deadline_expired": (Rejection.NOT_NOW, LegState.SUBMITTED),
    "wrong_verifying_contract": (Rejection.NEVER, LegState.REJECTED),
    "invalid_salt": (Rejection.NEVER, LegState.REJECTED),
    "deadline_greater_than_nonce": (Rejection.NEVER, LegState.REJECTED),
    "overdraw": (Rejection.NOT_NOW, LegState.SUBMITTED),
    "self_transfer": (Rejection.NEVER, LegState.REJECTED),
    "zero_diff": (Rejection.NEVER, LegState.REJECTED),
    "partial_batch_is_atomic": (Rejection.NOT_NOW, LegState.SUBMITTED),
}


def errors() -> list[Any]:
    if not FILE.is_file():
        return []
    cases = json.loads(FILE.read_text("utf-8"))["vectors"]
    return [pytest.param(c["name"], c["error"], id=c["name"]) for c in cases if c["error"]]


@pytest.mark.parametrize(("name", "message"), errors())
def test_each_recorded_refusal_has_a_state(name: str, message: str) -> None:
    refusal, state = EXPECTED[name]
    assert classify(message) is refusal
    assert refusal.state is state


def test_bytes_that_the_verifier_will_never_take_are_rejected() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        params = json.loads(prepared.payload)
        params["signed_data"]["payload"] += " "
        broken = replace(prepared, payload=json.dumps(params).encode())
        w.near.relay.arm("get_status", "failed")
        assert (await w.venue.status(broken)).state is LegState.REJECTED

    in_world(check)
