"""What is signed is rehearsed by ``submit`` alone; what a rehearsal says ends no order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from near_world import DEADLINE, USD, WRAP, World, in_world, order, prepared_sale, untouched

from agent_fund.devnet.near.contract import Call, Contract
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.keys.errors import KeyRefused, SigningFailed
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.errors import NearUnreachable
from agent_fund.execution.near.verifier import Verifier


def simulation_says(w: World, change: Any) -> None:
    """Let the node answer simulations with ``change(true answer)``."""
    account = w.near.chain.accounts["intents.near"]
    honest = account.contract
    assert honest is not None

    def lie(call: Call, args: Mapping[str, Any]) -> Any:
        return change(honest.views["simulate_intents"](call, args))

    account.contract = Contract(honest.methods, {**honest.views, "simulate_intents": lie})


def lacking(violated: Any) -> Any:
    return lambda answer: {**answer, "invariant_violated": violated}


def published(w: World) -> int:
    return w.near.relay.seen["publish_intent"]


@dataclass
class WatchedKey:
    """A signer that remembers how many requests had arrived anywhere when it last signed."""

    w: World
    requests: int = 0

    @property
    def public_key(self) -> bytes:
        return self.w.key.public_key

    async def sign(self, message: bytes) -> bytes:
        self.requests = everything_seen(self.w)
        return self.w.key.sign_now(message)


def everything_seen(w: World) -> int:
    return Counter.total(w.near.node.seen) + Counter.total(w.near.relay.seen)


@pytest.mark.parametrize("standard", ["raw_ed25519", "nep413"])
@pytest.mark.parametrize("side", list(Side))
def test_nobody_is_asked_anything_between_signing_and_the_answer(side: Side, standard: str) -> None:
    async def check(w: World) -> None:
        key = WatchedKey(w)
        w.venue._signer = key
        await w.venue.prepare(order(side), DEADLINE)
        assert everything_seen(w) == key.requests > 0

    in_world(check, standard=standard)


@pytest.mark.parametrize(
    "change",
    [
        lacking(None),
        lacking({"error": "unmatched_deltas", "unmatched_deltas": {WRAP: "-1", USD: "1"}}),
        lacking({"error": "overflow", "overflow": {}}),
        lambda answer: {**answer, "intents_executed": []},
        lambda answer: {**answer, "intents_executed": [{"intent_hash": "another"}]},
    ],
)
def test_a_rehearsal_of_something_else_publishes_nothing_and_ends_nothing(change: Any) -> None:
    """The invariant is always read: a simulation without an error is not yet a trade."""

    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        simulation_says(w, change)
        for _ in range(2):
            report = await w.venue.submit(prepared)
            assert (report.state, published(w)) == (LegState.SUBMITTED, 0)
            assert report.detail
        w.clock.now = DEADLINE * 10**9
        w.near.chain.advance()
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        w.after_deadline()
        assert (await w.venue.submit(prepared)).state is LegState.CANCELED
        assert published(w) == 0
        assert untouched(w)

    in_world(check)


def test_more_than_the_account_has_is_not_published_and_stays_open_until_the_deadline() -> None:
    async def check(w: World) -> None:
        prepared = await w.venue.prepare(order(Side.SELL, 101 * 10**24), DEADLINE)
        report = await w.venue.submit(prepared)
        assert (report.state, published(w)) == (LegState.SUBMITTED, 0)
        assert "insufficient balance" in report.detail
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        w.after_deadline()
        assert (await w.venue.status(prepared)).state is LegState.CANCELED

    in_world(check)


def test_what_could_not_run_at_first_is_published_when_it_can() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        key = {"public_key": w.key.text}
        w.near.chain.call("fund.near", "intents.near", "remove_public_key", key, 1)
        report = await w.venue.submit(prepared)
        assert (report.state, published(w)) == (LegState.SUBMITTED, 0)
        w.near.chain.call("fund.near", "intents.near", "add_public_key", key, 1)
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


@pytest.mark.parametrize("fault", ["lost", "silent", "500"])
def test_a_rehearsal_without_an_answer_is_unknown_and_is_tried_again(fault: str) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.node.arm("query", fault)
        assert (await w.venue.submit(prepared)).state is LegState.UNKNOWN
        assert published(w) == 0
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        assert (await w.venue.submit(prepared)).state is LegState.SUBMITTED
        assert published(w) == 1
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


def test_an_intent_that_the_rehearsing_node_leaked_is_booked_when_it_trades() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.node.arm("query", "silent")
        assert (await w.venue.submit(prepared)).state is LegState.UNKNOWN
        await w.relay.publish(json.loads(prepared.payload))  # by whoever had it from the node
        for report in (await w.venue.status(prepared), await w.venue.submit(prepared)):
            assert report.state is LegState.SETTLED
            assert len(report.executions) == 1

    in_world(check)


@pytest.mark.parametrize("lag", [0, 3])
def test_sending_again_what_has_settled_reports_the_fill(lag: int) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        if lag:
            assert (await w.venue.submit(prepared)).state is LegState.FILLED
            w.near.chain.advance(lag)
        sent = published(w)
        report = await w.venue.submit(prepared)
        assert report.state is LegState.SETTLED
        assert report.executions[0].exec_id == prepared.reference
        assert published(w) == sent  # its nonce is used, which the rehearsal finds out
        assert w.balance("fund.near", WRAP) == 98 * 10**24

    in_world(check, lag=lag)


READABLE = {"intents_executed": [], "state": {"fee": 1}}
MALFORMED: list[Any] = [
    None,
    [],
    "text",
    5,
    {},
    {"intents_executed": [], "state": {"fee": "many"}},
    {"intents_executed": [], "state": {"fee": -1}},
    {"intents_executed": [], "state": {"fee": 1_000_001}},
    {"intents_executed": [], "state": {"fee": float("inf")}},
    {"intents_executed": ["hash"], "state": {"fee": 1}},
    {"intents_executed": None, "state": {"fee": 1}},
    {"intents_executed": [], "state": None},
    lacking("yes")(READABLE),
    lacking({"error": "unmatched_deltas"})(READABLE),
    lacking({"error": "unmatched_deltas", "unmatched_deltas": {WRAP: "much"}})(READABLE),
    lacking({"error": "unmatched_deltas", "unmatched_deltas": {WRAP: 1.5}})(READABLE),
    lacking({"error": "unmatched_deltas", "unmatched_deltas": [WRAP]})(READABLE),
]


@pytest.mark.parametrize("answer", MALFORMED, ids=str)
def test_a_simulation_that_cannot_be_read_is_no_answer(answer: Any) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        simulation_says(w, lambda _: answer)
        with pytest.raises(NearUnreachable):
            await Verifier(w.rpc, "intents.near").simulate([])
        assert (await w.venue.submit(prepared)).state is LegState.UNKNOWN
        assert published(w) == 0
        w.near.relay.arm("get_status", "failed")
        assert (await w.venue.status(prepared)).state is LegState.UNKNOWN

    in_world(check)


@pytest.mark.parametrize(
    "answer",
    [
        {"result": None},
        {"result": 5},
        {"result": []},
        {"result": {}},
        {"result": {"result": "text"}},
        {"result": {"result": [300]}},
        {"result": {"result": [123]}},
        {"error": "text"},
        {"error": {"cause": "text"}},
    ],
    ids=str,
)
def test_a_node_that_answers_nonsense_is_unreachable(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nonsense(*_: Any) -> Any:
        return answer

    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        monkeypatch.setattr(w.near.node, "around", nonsense)
        assert (await w.venue.submit(prepared)).state is LegState.UNKNOWN
        assert (await w.venue.status(prepared)).state is LegState.UNKNOWN
        assert published(w) == 0

    in_world(check)


def test_amounts_that_overflow_are_a_doubt_when_the_relay_gives_up() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        simulation_says(w, lacking({"error": "overflow", "overflow": {}}))
        w.near.relay.arm("get_status", "failed")
        report = await w.venue.status(prepared)
        assert report.state is LegState.SUBMITTED
        assert "overflow" in report.detail

    in_world(check)


def test_a_fill_between_two_questions_is_not_taken_for_a_rejection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Executed, and its salt invalidated, after the block in which its nonce was unused."""
    salt_valid = Verifier.salt_valid

    async def check(w: World) -> None:
        prepared = await prepared_sale(w)

        async def overtaken(verifier: Verifier, salt: bytes, height: int) -> bool:
            answer = await salt_valid(verifier, salt, height)
            await w.relay.publish(json.loads(prepared.payload))
            w.near.rotate_salt(invalidate=True)
            return answer

        monkeypatch.setattr(Verifier, "salt_valid", overtaken)
        w.near.relay.arm("get_status", "failed")
        assert (await w.venue.status(prepared)).state is LegState.SUBMITTED
        assert (await w.venue.status(prepared)).state is LegState.SETTLED

    in_world(check)


@dataclass
class DownKey:
    """A signer whose service does not answer."""

    error: ExecutionError

    @property
    def public_key(self) -> bytes:
        return DevnetKey("fund.near").public_key

    async def sign(self, message: bytes) -> bytes:
        raise self.error


@pytest.mark.parametrize("which", ["of the intent", "of the transaction"])
@pytest.mark.parametrize(
    "error",
    [
        KeyRefused("key at signer:", "none", "start it"),
        SigningFailed("answer of the signer", "none in 5 s", "start it"),
        ExecutionError("signer", "down", "start it"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_signer_that_is_down_cancels_nothing_and_changes_nothing(
    error: ExecutionError, which: str
) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        before = await w.venue.status(prepared)
        holder = w.venue if which == "of the intent" else w.lane
        holder._signer = DownKey(error)
        report = await w.venue.cancel(prepared)
        assert report == replace(before, detail=report.detail)
        assert "not cancelled" in report.detail
        assert str(error) in report.detail
        assert w.near.node.seen["send_tx"] == 0
        holder._signer = w.key
        assert (await w.venue.cancel(prepared)).state is LegState.CANCELED

    in_world(check, cancels=True)
