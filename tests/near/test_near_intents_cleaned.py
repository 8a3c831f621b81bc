"""The verifier forgets used nonces that are over; a fill is a fill all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from near_world import DEADLINE, START, WRAP, World, in_world, prepared_sale, untouched

from agent_fund.devnet.near.contract import Call, Contract, Promise
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.nonce import VersionedNonce
from agent_fund.execution.near.trade import Swap
from agent_fund.execution.near.verifier import Verifier

SALT = bytes.fromhex("2244677b")


def nonce_of(prepared: Prepared) -> bytes:
    return bytes.fromhex(prepared.notes["nonce"])


async def used(w: World, nonce: bytes) -> bool:
    height = w.near.chain.head.height
    return await Verifier(w.rpc, "intents.near").nonce_used("fund.near", nonce, height)


async def forgotten(w: World, prepared: Prepared) -> LegState:
    """The state once the contract and the relay have both forgotten the order."""
    w.near.clean_nonces(nonce_of(prepared))
    w.near.chain.advance(3 + w.near.chain.lag)
    assert not await used(w, nonce_of(prepared))
    w.near.relay.arm("get_status", "forgotten")
    return (await w.venue.status(prepared)).state


def expired(w: World) -> None:
    w.after_deadline()


def invalidated(w: World) -> None:
    w.near.rotate_salt(invalidate=True)


@pytest.mark.parametrize("lag", [0, 3])
@pytest.mark.parametrize("over", [expired, invalidated])
@pytest.mark.parametrize("blocks", [0, 70])
def test_a_fill_stays_a_fill_when_its_nonce_is_cleaned(
    over: Callable[[World], None], lag: int, blocks: int
) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.chain.advance(blocks)
        await w.venue.submit(prepared)
        w.near.chain.advance(blocks)
        over(w)
        w.near.chain.advance(blocks)
        assert await used(w, nonce_of(prepared))
        assert await forgotten(w, prepared) is LegState.SETTLED
        assert w.balance("fund.near", WRAP) == 98 * 10**24

    in_world(check, lag=lag)


def test_a_salt_that_became_invalid_before_the_deadline_passed_hides_no_fill() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        invalidated(w)
        w.near.clean_nonces(nonce_of(prepared))
        expired(w)
        assert await forgotten(w, prepared) is LegState.SETTLED

    in_world(check)


@pytest.mark.parametrize("over", [expired, invalidated])
def test_what_was_never_executed_is_cancelled_cleaned_or_not(over: Callable[[World], None]) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        w.near.chain.advance(5)
        over(w)
        assert await forgotten(w, prepared) is LegState.CANCELED
        assert untouched(w)

    in_world(check)


@pytest.mark.parametrize("over", [expired, invalidated])
def test_a_cancelled_order_is_cancelled_when_its_nonce_is_cleaned(
    over: Callable[[World], None],
) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled")
        await w.venue.submit(prepared)
        await w.venue.cancel(prepared)
        over(w)
        assert await forgotten(w, prepared) is LegState.CANCELED
        assert untouched(w)

    in_world(check, cancels=True)


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("over", [expired, invalidated])
@pytest.mark.parametrize("kept", ["nothing old", "not the block itself"])
def test_a_node_without_the_state_of_that_time_leaves_it_to_a_person(
    kept: str, over: Callable[[World], None], filled: bool
) -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        w.near.relay.arm("publish_intent", "unsettled", 0 if filled else 1)
        await w.venue.submit(prepared)
        w.near.chain.advance(5)
        last = w.near.chain.head.height
        over(w)
        w.near.chain.advance(200)
        w.near.node.oldest = last + (150 if kept == "nothing old" else 1)
        assert await forgotten(w, prepared) is LegState.UNKNOWN

    in_world(check)


def at_once(w: World, prepared: Prepared, steps: list[str], *, hidden: bool = False) -> None:
    """Have one block do ``steps``, whose transaction does not show the intents if ``hidden``."""
    swap, relay, chain = Swap.of_notes(prepared.notes), w.near.relay, w.near.chain
    diff = {
        swap.token_in: str(swap.units_in - -(-swap.units_in * 100 // 10**6)),
        swap.token_out: str(-relay._cost(swap.units_out)),
    }
    other = relay._sign([{"intent": "token_diff", "diff": diff}])
    signed = [json.loads(prepared.payload)["signed_data"], other]
    nonce = json.loads(signed[0]["payload"])["nonce"]
    known: dict[str, tuple[Mapping[str, Any], int]] = {
        "execute_intents": ({"signed": signed}, 0),
        "invalidate_salts": ({"salts": [SALT.hex()]}, 1),
        "cleanup_nonces": ({"nonces": [["fund.near", [nonce]]]}, 1),
    }

    def run(call: Call, args: Mapping[str, Any]) -> None:
        call.promises += [Promise("intents.near", step, *known[step]) for step in steps]

    chain.accounts["owner.near"].contract = Contract({"run": run}, {})
    shown = {} if hidden else {"signed": signed}
    done = chain.call("relayer.near", "owner.near", "run", shown)
    assert not any("Failure" in one.status for one in done.outcomes)
    chain.advance(3)


def test_one_block_that_executes_invalidates_and_cleans_hides_no_fill() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        at_once(w, prepared, ["execute_intents", "invalidate_salts", "cleanup_nonces"])
        assert w.balance("fund.near", WRAP) == 98 * 10**24
        w.near.node.arm("tx", "unknown")
        assert await forgotten(w, prepared) is LegState.UNKNOWN
        assert await forgotten(w, prepared) is LegState.SETTLED

    in_world(check)


def test_a_nonce_cleaned_in_the_block_that_invalidates_its_salt_was_used_before() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        await w.venue.submit(prepared)
        w.near.chain.advance(70)
        at_once(w, prepared, ["invalidate_salts", "cleanup_nonces"])
        assert await forgotten(w, prepared) is LegState.SETTLED

    in_world(check)


def test_a_nonce_used_in_the_block_that_invalidates_its_salt_is_at_least_a_doubt() -> None:
    async def check(w: World) -> None:
        prepared = await prepared_sale(w)
        at_once(w, prepared, ["execute_intents", "invalidate_salts"], hidden=True)
        assert w.balance("fund.near", WRAP) == 98 * 10**24
        assert await forgotten(w, prepared) is LegState.UNKNOWN

    in_world(check)


def test_the_verifier_cleans_what_is_over_and_nothing_else() -> None:
    """As the contract's own tests have it: expired, or of an invalid salt; by its collector."""

    async def check(w: World) -> None:
        state = w.near.chain.accounts["intents.near"].state
        short = VersionedNonce(SALT, DEADLINE * 10**9, bytes(15)).encode()
        sibling = short[:-1] + b"\1"
        long = VersionedNonce(SALT, (START + 9_999) * 10**9, bytes(15)).encode()
        legacy = bytes(32)
        for nonce in (short, sibling, long, legacy):
            state.put(("nonce", "fund.near", nonce), True)

        async def left() -> list[bool]:
            w.near.clean_nonces(short, long, legacy)
            return [await used(w, one) for one in (short, sibling, long, legacy)]

        w.clock.now = DEADLINE * 10**9  # at its deadline a payload is still taken
        assert await left() == [True] * 4
        w.clock.now += 1
        assert await left() == [False, False, True, True]
        assert await left() == [False, False, True, True]
        w.near.rotate_salt(invalidate=False)
        assert await left() == [False, False, True, True]
        args = {"salts": [SALT.hex()]}
        w.near.chain.call("owner.near", "intents.near", "invalidate_salts", args, 1)
        assert await left() == [False, False, False, True]

    in_world(check)


@pytest.mark.parametrize(
    ("caller", "deposit", "reason"),
    [("fund.near", 1, "Insufficient permissions for method"), ("owner.near", 0, "1 yocto")],
)
def test_only_the_collector_cleans_and_with_a_full_access_key(
    caller: str, deposit: int, reason: str
) -> None:
    async def check(w: World) -> None:
        args: dict[str, Any] = {"nonces": []}
        done = w.near.chain.call(caller, "intents.near", "cleanup_nonces", args, deposit)
        assert reason in str(done.status)

    in_world(check)
