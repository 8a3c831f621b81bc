"""Which verdicts the module believes: every field, signature, nonce, clock, mandate and sender."""

from __future__ import annotations

import dataclasses

import pytest
from contracts_world import (
    CHAIN_ID,
    EXECUTOR,
    GUARD,
    OWNER,
    STRANGER,
    World,
    refusal,
)
from eth_utils.crypto import keccak

from agent_fund.execution.custody.verdict import Domain
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import Call

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_a_verdict_runs_once(world: World) -> None:
    world.run(world.swap())
    assert world.refused(world.swap()) == "NonceUsed"


def test_one_leg_has_one_nonce_whatever_is_signed_for_it(world: World) -> None:
    world.run(world.swap())
    assert world.refused(world.swap(give=7, get=8)) == "NonceUsed"
    assert world.refused(world.swap(), leg="another leg") == ""


@pytest.mark.parametrize("first", [0, 1, 255, 256, 511, 2**255, 2**256 - 1])
def test_nonces_are_used_one_by_one_in_every_word_of_the_bitmap(world: World, first: int) -> None:
    others = {first ^ 1 << bit for bit in (*range(10), 128, 254, 255)}
    world.run(world.swap(give=1, get=1), nonce=first)
    assert world.refused(world.swap(give=1, get=1), nonce=first) == "NonceUsed"
    for nonce in others:
        assert world.refused(world.swap(give=1, get=1), nonce=nonce) == ""
    world.run(world.swap(give=1, get=1), nonce=first ^ 1)
    assert world.refused(world.swap(give=1, get=1), nonce=first) == "NonceUsed"


def test_a_failed_call_uses_no_nonce(world: World) -> None:
    action = world.swap()
    closed = dataclasses.replace(action, call=Call(world.router, call_data("fail()")))
    assert world.refused(closed) == "CallFailed"
    assert world.refused(action) == ""


@pytest.mark.parametrize("part", [0, 3, 40, 67, 99, 131])
def test_tampered_calldata_is_refused(world: World, part: int) -> None:
    action = world.swap()
    verdict = world.verdict(action)
    data = bytearray(action.call.data)
    data[part] ^= 1
    tampered = verdict.execution(bytes(data), world.signature(verdict))
    assert refusal(world.anvil, EXECUTOR.address, world.module, tampered) == "CallMismatch"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("intent_id", b"\1" * 32),
        ("target", STRANGER.address),
        ("value", 1),
        ("spender", STRANGER.address),
        ("token_in", STRANGER.address),
        ("max_in", 101),
        ("token_out", STRANGER.address),
        ("min_out", 249),
        ("nonce", 7),
        ("deadline", 2**41),
    ],
)
def test_every_field_is_under_the_signature(world: World, name: str, value: object) -> None:
    action = world.swap()
    verdict = world.verdict(action)
    changed = dataclasses.replace(verdict, **{name: value})
    data = changed.execution(action.call.data, world.signature(verdict))
    assert refusal(world.anvil, EXECUTOR.address, world.module, data) == "BadSignature"


def test_a_verdict_of_the_executors_own_is_refused(world: World) -> None:
    assert world.refused(world.swap(), key=EXECUTOR) == "BadSignature"
    assert world.refused(world.swap(), key=OWNER) == "BadSignature"


def test_an_expired_verdict_is_refused_and_the_last_second_is_not(world: World) -> None:
    now = int(world.anvil.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    world.anvil.call("evm_setNextBlockTimestamp", now + 1_000)
    world.anvil.call("evm_mine")
    assert world.refused(world.swap(), deadline=now) == "Expired"
    assert world.refused(world.swap(), deadline=now + 999) == "Expired"
    action, stamp = world.swap(), now + 2_000
    data = world.execution(world.verdict(action, deadline=stamp), action.call.data)
    world.anvil.call("evm_setNextBlockTimestamp", stamp)
    receipt = world.send(EXECUTOR.address, world.module, data)
    mined = world.anvil.call("eth_getBlockByNumber", receipt["blockNumber"], False)
    assert int(mined["timestamp"], 16) == stamp


def test_a_stale_mandate_is_refused(world: World) -> None:
    action = world.swap()
    old = world.execution(world.verdict(action), action.call.data)
    world.by_safe("setMandate(bytes32)", keccak(text="another"))
    assert refusal(world.anvil, EXECUTOR.address, world.module, old) == "StaleMandate"
    assert world.refused(action, mandate_hash=keccak(text="another")) == ""


@pytest.mark.parametrize("sender", [STRANGER, GUARD, OWNER])
def test_nobody_but_the_executor_can_bring_a_verdict(world: World, sender: object) -> None:
    address = sender.address  # type: ignore[attr-defined]
    assert world.refused(world.swap(), sender=address) == "NotExecutor"


def test_a_verdict_counts_on_its_chain_and_for_its_module_only(world: World) -> None:
    action = world.swap()
    verdict = world.verdict(action)
    for domain in (Domain(1, world.module), Domain(CHAIN_ID, world.router)):
        data = verdict.execution(action.call.data, world.signature(verdict, domain=domain))
        assert refusal(world.anvil, EXECUTOR.address, world.module, data) == "BadSignature"


def test_after_a_fork_of_the_chain_the_old_chains_verdicts_are_worth_nothing(world: World) -> None:
    action = world.swap()
    data = world.execution(world.verdict(action), action.call.data)
    world.anvil.call("anvil_setChainId", 4_242)
    try:
        assert refusal(world.anvil, EXECUTOR.address, world.module, data) == "BadSignature"
    finally:
        world.anvil.call("anvil_setChainId", CHAIN_ID)


def test_a_signature_has_one_spelling(world: World) -> None:
    action = world.swap()
    verdict = world.verdict(action)
    good = world.signature(verdict)
    s, v = int.from_bytes(good[32:64], "big"), good[64]
    mirrored = good[:32] + (ORDER - s).to_bytes(32, "big") + bytes([27 + 28 - v])
    others = [mirrored, good[:64] + bytes([v - 27]), good + b"\0", good[:64], b""]
    for other in others:
        data = verdict.execution(action.call.data, other)
        assert refusal(world.anvil, EXECUTOR.address, world.module, data) == "BadSignature"


def test_a_signature_of_nobody_is_no_guards(world: World) -> None:
    # ecrecover answers zero to it; a module without a guard cannot be made in the first place.
    action = world.swap()
    nobody = world.verdict(action).execution(action.call.data, bytes(64) + b"\x1b")
    assert refusal(world.anvil, EXECUTOR.address, world.module, nobody) == "BadSignature"
