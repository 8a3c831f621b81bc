"""Who may change what: keys, mandate and pause, and that it holds from the next call on."""

from __future__ import annotations

from typing import Any

import pytest
from contracts_world import (
    CHAIN_ID,
    DEVELOPMENT_KEYS,
    EXECUTOR,
    GUARD,
    OWNER,
    PAUSER,
    STRANGER,
    World,
    refusal,
)
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from agent_fund.execution.custody.verdict import Domain
from agent_fund.execution.evm.abi import call_data, topic
from agent_fund.execution.evm.call import NOTHING

SUCCESSOR = Account.from_key(DEVELOPMENT_KEYS[4])
SUCCESSION = keccak(text="Succession(address predecessor,address successor)")


def accepted(world: World, by: Any, predecessor: str, successor: str, module: str = "") -> bytes:
    """The successor's signature under its succession, by the EIP, not by the contract."""
    separator = Domain(CHAIN_ID, module or world.module).separator()
    kinds = ["bytes32", "address", "address"]
    struct = keccak(encode(kinds, [SUCCESSION, predecessor, successor]))
    digest = keccak(b"\x19\x01" + separator + struct)
    return bytes(by.unsafe_sign_hash(digest).signature)


def rotation(world: World, successor: Any = SUCCESSOR, **changed: Any) -> bytes:
    old = changed.pop("predecessor", GUARD.address)
    signature = accepted(world, changed.pop("by", successor), old, successor.address, **changed)
    return call_data("rotateGuard(address,bytes)", successor.address, signature)


def by_safe(world: World, data: bytes) -> str:
    """With what the module would refuse a call of the Safe's."""
    world.anvil.call("anvil_impersonateAccount", world.safe.address)
    return refusal(world.anvil, world.safe.address, world.module, data)


def test_a_new_guards_key_is_taken_at_once_and_the_old_one_dropped(world: World) -> None:
    receipt = world.run_by_safe(world.module, rotation(world))
    assert topic("GuardRotated(address,address)") in [log["topics"][0] for log in receipt["logs"]]
    assert world.refused(world.swap(), key=GUARD) == "BadSignature"
    assert world.refused(world.swap(), key=SUCCESSOR) == ""


def test_a_new_guards_key_must_show_that_it_exists_and_means_this_module(world: World) -> None:
    assert by_safe(world, rotation(world)) == ""
    assert by_safe(world, rotation(world, by=GUARD)) == "BadSignature"
    assert by_safe(world, rotation(world, predecessor=OWNER.address)) == "BadSignature"
    assert by_safe(world, rotation(world, module=world.router)) == "BadSignature"


def test_a_key_that_was_the_guards_once_never_becomes_it_again(world: World) -> None:
    world.run_by_safe(world.module, rotation(world))
    assert world.number(world.module, "retired(address)", GUARD.address) == 1
    back = rotation(world, GUARD, predecessor=SUCCESSOR.address)
    assert by_safe(world, back) == "BadKey"
    again = rotation(world, SUCCESSOR, predecessor=SUCCESSOR.address)
    assert by_safe(world, again) == "BadKey"


def test_guard_and_executor_cannot_become_one_key_or_nobody(world: World) -> None:
    assert by_safe(world, rotation(world, EXECUTOR)) == "BadKey"
    nobody = call_data("rotateGuard(address,bytes)", NOTHING, bytes(64) + b"\x1b")
    assert by_safe(world, nobody) == "BadKey"
    for key in (GUARD.address, NOTHING):
        assert by_safe(world, call_data("rotateExecutor(address)", key)) == "BadKey"


def test_a_new_executor_is_taken_at_once_and_the_old_one_dropped(world: World) -> None:
    receipt = world.by_safe("rotateExecutor(address)", STRANGER.address)
    events = [log["topics"][0] for log in receipt["logs"]]
    assert topic("ExecutorRotated(address,address)") in events
    assert world.refused(world.swap()) == "NotExecutor"
    assert world.refused(world.swap(), sender=STRANGER.address) == ""


@pytest.mark.parametrize("who", [PAUSER, "safe"])
def test_the_pauser_and_the_safe_can_pause_and_only_the_safe_resumes(
    world: World, who: Any
) -> None:
    if who == "safe":
        receipt = world.by_safe("pause()")
    else:
        receipt = world.send(PAUSER.address, world.module, call_data("pause()"))
    assert topic("Paused(address)") in [log["topics"][0] for log in receipt["logs"]]
    assert world.refused(world.swap()) == "IsPaused"
    for key in (PAUSER, OWNER, EXECUTOR, GUARD):
        unpause = call_data("unpause()")
        assert refusal(world.anvil, key.address, world.module, unpause) == "NotSafe"
    receipt = world.by_safe("unpause()")
    assert topic("Unpaused()") in [log["topics"][0] for log in receipt["logs"]]
    assert world.refused(world.swap()) == ""


@pytest.mark.parametrize("key", [OWNER, EXECUTOR, GUARD, STRANGER])
def test_nobody_else_can_pause(world: World, key: Any) -> None:
    assert refusal(world.anvil, key.address, world.module, call_data("pause()")) == "NotPauser"


def test_the_pauser_is_the_safes_to_name(world: World) -> None:
    receipt = world.by_safe("setPauser(address)", STRANGER.address)
    events = [log["topics"][0] for log in receipt["logs"]]
    assert topic("PauserChanged(address,address)") in events
    pause = call_data("pause()")
    assert refusal(world.anvil, PAUSER.address, world.module, pause) == "NotPauser"
    assert refusal(world.anvil, STRANGER.address, world.module, pause) == ""


@pytest.mark.parametrize("key", [OWNER, EXECUTOR, GUARD, PAUSER])
def test_what_the_safe_decides_nobody_else_does(world: World, key: Any) -> None:
    for data in (
        rotation(world),
        call_data("rotateExecutor(address)", STRANGER.address),
        call_data("setPauser(address)", STRANGER.address),
        call_data("setMandate(bytes32)", b"\1" * 32),
        call_data("unpause()"),
    ):
        assert refusal(world.anvil, key.address, world.module, data) == "NotSafe"
        assert by_safe(world, data) == ""


def test_a_new_mandate_is_told(world: World) -> None:
    receipt = world.by_safe("setMandate(bytes32)", b"\1" * 32)
    events = [log["topics"] for log in receipt["logs"] if log["address"] == world.module.lower()]
    assert events[0][0] == topic("MandateChanged(bytes32,bytes32)")
    assert events[0][2] == "0x" + "01" * 32
