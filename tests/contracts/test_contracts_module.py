"""What the module refuses, on a chain with the real Safe: each refusal by the error it names."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from contracts_world import (
    CHAIN_ID,
    EXECUTOR,
    GUARD,
    MANDATE,
    OWNER,
    STRANGER,
    World,
    create,
    module_on,
    nothing,
    refusal,
)
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.packages import artifact as packaged
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.custody.verdict import ETH, Domain, intent_id
from agent_fund.execution.evm.abi import call_data, topic
from agent_fund.execution.evm.call import NOTHING, Action, Call


def test_a_covered_swap_runs_and_leaves_no_allowance(world: World) -> None:
    receipt = world.run(world.swap())
    assert (world.held(world.gold), world.held(world.cash)) == (900, 250)
    assert world.allowance(world.gold, world.router) == 0
    (event,) = [log for log in receipt["logs"] if log["address"] == world.module.lower()]
    name = "Executed(bytes32,bytes32,uint256,uint256,uint256)"
    assert event["topics"] == [
        topic(name),
        "0x" + intent_id("leg").hex(),
        "0x" + MANDATE.hex(),
    ]
    assert [int(event["data"][at : at + 64], 16) for at in (66, 130)] == [100, 250]


def test_a_venue_that_takes_less_leaves_no_allowance_either(world: World) -> None:
    world.run(dataclasses.replace(world.swap(), max_in=170))
    assert world.held(world.gold) == 900
    assert world.allowance(world.gold, world.router) == 0


def test_a_standing_allowance_is_replaced_by_the_exact_one(world: World) -> None:
    approve = call_data("approve(address,uint256)", world.router, 10**30)
    world.run_by_safe(world.gold, approve)
    action = world.swap(give=101)
    assert world.refused(dataclasses.replace(action, max_in=100)) == "CallFailed"
    world.run(action)
    assert world.allowance(world.gold, world.router) == 0


def test_a_venue_that_gives_less_makes_it_fail(world: World) -> None:
    lie = call_data("lie(uint256,uint256,address)", 0, 1, NOTHING)
    world.send(OWNER.address, world.router, lie)
    assert world.refused(world.swap()) == "Undelivered"
    assert world.refused(dataclasses.replace(world.swap(), min_out=249)) == ""


def test_a_venue_that_wants_more_than_was_allowed_fails(world: World) -> None:
    assert world.refused(dataclasses.replace(world.swap(give=101), max_in=100)) == "CallFailed"


def test_what_an_accomplice_takes_meanwhile_counts_as_spent(world: World) -> None:
    thief = world.double("Accomplice")
    world.run_by_safe(world.gold, call_data("approve(address,uint256)", thief, 10**30))
    lie = call_data("lie(uint256,uint256,address)", 5, 0, thief)
    world.send(OWNER.address, world.router, lie)
    assert world.refused(world.swap(give=96), max_in=100) == "Overspent"
    assert world.refused(world.swap(give=95), max_in=100) == ""


def test_eth_that_another_module_takes_meanwhile_counts_as_spent(world: World) -> None:
    thief = world.double("Accomplice")
    world.run_by_safe(world.safe.address, call_data("enableModule(address)", thief))
    lie = call_data("lie(uint256,uint256,address)", 1, 0, thief)
    world.send(OWNER.address, world.router, lie)
    selling_eth = world.swap(give=40, value=40, token_in=NOTHING, spender=NOTHING)
    assert world.refused(selling_eth) == "Overspent"
    free = dataclasses.replace(selling_eth, call=dataclasses.replace(selling_eth.call, value=0))
    assert world.refused(free) == "Overspent"


def test_eth_is_sold_and_bought(world: World) -> None:
    world.run(world.swap(give=40, value=40, token_in=NOTHING, spender=NOTHING), leg="sell")
    assert (world.coin(), world.held(world.cash)) == (9_960, 250)
    data = call_data("swap(address,uint256,address,uint256)", world.gold, 100, NOTHING, 60)
    buying = Action(Call(world.router, data), world.router, world.gold, 100, ETH, 60)
    assert world.refused(dataclasses.replace(buying, min_out=61)) == "Undelivered"
    world.run(buying, leg="buy")
    assert (world.coin(), world.held(world.gold)) == (10_020, 900)


def test_a_deposit_that_brings_nothing_back_is_bounded_by_what_it_spends(world: World) -> None:
    call = Call(world.router, call_data("deposit(address,uint256)", world.gold, 70))
    deposit = Action(call, world.router, world.gold, 70, NOTHING, 0)
    assert world.refused(dataclasses.replace(deposit, max_in=69)) == "CallFailed"
    world.run(deposit)
    assert (world.held(world.gold), world.allowance(world.gold, world.router)) == (930, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"spender": NOTHING},
        {"token_in": NOTHING},
        {"token_in": NOTHING, "max_in": 0},
        {"token_in": NOTHING, "spender": NOTHING, "max_in": 1},
        {"token_in": ETH, "spender": NOTHING, "max_in": 1},
        {"token_in": ETH},
        {"token_out": NOTHING},
        {"token_out": "token_in"},
    ],
)
def test_terms_that_could_not_be_checked_are_refused(
    world: World, changed: dict[str, object]
) -> None:
    named = {name: world.gold if value == "token_in" else value for name, value in changed.items()}
    assert world.refused(world.swap(), **named) == "BadTerms"


def test_forbidden_targets(world: World) -> None:
    third = world.double("Token")
    other_module = world.double("Accomplice")
    world.run_by_safe(world.safe.address, call_data("enableModule(address)", other_module))
    enable = call_data("enableModule(address)", STRANGER.address)
    theft = call_data("transfer(address,uint256)", STRANGER.address, 1)
    unpause = call_data("unpause()")
    for target, data in (
        (world.safe.address, enable),
        (world.module, unpause),
        (other_module, b""),
        (world.gold, theft),
        (world.cash, theft),
        (third, theft),
        (STRANGER.address, b""),
        ("0x" + "00" * 19 + "04", b""),
    ):
        call = dataclasses.replace(world.swap().call, to=target, data=data)
        action = dataclasses.replace(world.swap(), call=call, token_out=NOTHING, min_out=0)
        assert world.refused(action) == "ForbiddenTarget", target
        assert world.refused(nothing(action)) == "ForbiddenTarget", target
        with_eth = dataclasses.replace(nothing(action), call=dataclasses.replace(call, value=5))
        assert world.refused(with_eth) == "ForbiddenTarget", target


def test_the_safe_calls_and_never_delegates(world: World) -> None:
    scribe = world.double("Scribe")
    call = Call(scribe, call_data("write(uint256)", 7))
    world.run(nothing(dataclasses.replace(world.swap(), call=call, token_out=NOTHING, min_out=0)))
    assert world.number(scribe, "number()") == 7
    world.run(world.swap(), leg="second")
    assert called_by(world) == world.safe.address.lower()


def test_the_safes_own_batch_contract_cannot_be_delegated_to(world: World) -> None:
    path = "build/artifacts/contracts/libraries/MultiSend.sol/MultiSend.json"
    code = packaged("@safe-global/safe-contracts", path)[1]
    batch = create(world.anvil, code)
    call = Call(batch, call_data("multiSend(bytes)", b""))
    action = nothing(dataclasses.replace(world.swap(), call=call, token_out=NOTHING, min_out=0))
    assert world.refused(action) == "CallFailed"


def test_the_bytecode_holds_no_delegatecall_and_no_way_to_vanish() -> None:
    found = opcodes(artifact("VerdictModule").bytecode)
    assert not found & {0xF2, 0xF4, 0xFF}  # CALLCODE, DELEGATECALL, SELFDESTRUCT
    assert 0xF1 in found


def test_a_disabled_module_moves_nothing(world: World) -> None:
    sentinel = "0x" + "00" * 19 + "01"
    data = call_data("disableModule(address,address)", sentinel, world.module)
    world.run_by_safe(world.safe.address, data)
    assert world.refused(world.swap()) == "GS104"


def test_a_module_that_was_never_enabled_moves_nothing(world: World) -> None:
    another = asyncio.run(module_on(world.anvil.url, world.safe.address))
    action = world.swap()
    verdict = world.verdict(action)
    signed = world.signature(verdict, domain=Domain(CHAIN_ID, another))
    data = verdict.execution(action.call.data, signed)
    assert refusal(world.anvil, EXECUTOR.address, another, data) == "GS104"


def test_a_token_that_calls_back_cannot_use_a_second_verdict(world: World) -> None:
    inner_executor = world.double("ContractExecutor")
    world.by_safe("rotateExecutor(address)", inner_executor)
    hooked = world.double("HookToken")
    world.mint(hooked, world.safe.address, 1_000)
    outer, inner = world.swap(token_in=hooked), world.swap(give=1, get=1)
    second = world.execution(world.verdict(inner, leg="second"), inner.call.data)
    nested = call_data("run(address,bytes)", world.module, second)
    assert refusal(world.anvil, STRANGER.address, inner_executor, nested) == ""
    hook = call_data("onMove(address,bytes)", inner_executor, nested)
    first = world.execution(world.verdict(outer, leg="first"), outer.call.data)
    data = call_data("run(address,bytes)", world.module, first)
    assert refusal(world.anvil, STRANGER.address, inner_executor, data) == ""
    world.send(OWNER.address, hooked, hook)
    # The router hands the token's revert on, the module wraps it.
    request = {"from": STRANGER.address, "to": inner_executor, "data": "0x" + data.hex()}
    assert keccak(text="Reentered()")[:4].hex() in failure(world, request)


def test_the_lock_opens_again_within_one_transaction(world: World) -> None:
    executor = world.double("ContractExecutor")
    world.by_safe("rotateExecutor(address)", executor)
    action = world.swap(give=1, get=1)
    first, second = (
        world.execution(world.verdict(action, leg=leg), action.call.data) for leg in ("1", "2")
    )
    both = call_data("runBoth(address,bytes,bytes)", world.module, first, second)
    world.send(STRANGER.address, executor, both)
    assert world.held(world.cash) == 2


def called_by(world: World) -> str:
    return f"0x{world.number(world.router, 'lastSender()'):040x}"


def failure(world: World, request: dict[str, str]) -> str:
    with pytest.raises(DevnetError) as caught:
        world.anvil.call("eth_call", request, "latest")
    assert isinstance(caught.value.value, dict)
    return str(caught.value.value["data"])


def opcodes(code: bytes) -> set[int]:
    """The instructions in ``code``, without what PUSH1 to PUSH32 carry."""
    found, at = set(), 0
    while at < len(code):
        found.add(code[at])
        at += 1 + (code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0)
    return found


def test_constructor_refuses_roles_that_would_not_be_two(world: World) -> None:
    good = (world.safe.address, GUARD.address, EXECUTOR.address, NOTHING, MANDATE)
    bad = [
        (STRANGER.address, *good[1:]),
        (good[0], NOTHING, *good[2:]),
        (*good[:2], NOTHING, *good[3:]),
        (*good[:2], GUARD.address, *good[3:]),
    ]
    kinds = ["address", "address", "address", "address", "bytes32"]
    for given, expected in [(good, False), *((one, True) for one in bad)]:
        code = artifact("VerdictModule").bytecode + encode(kinds, given)
        request = {"from": OWNER.address, "data": "0x" + code.hex()}
        if expected:
            assert failure(world, request).startswith(
                "0x" + keccak(text="BadKey(address)")[:4].hex()
            )
        else:
            world.anvil.call("eth_call", request, "latest")
