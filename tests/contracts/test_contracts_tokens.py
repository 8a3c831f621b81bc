"""Tokens that are not quite ERC-20: what the module makes of each of them."""

from __future__ import annotations

import dataclasses

import pytest
from contracts_world import OWNER, STRANGER, World

from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import Call


def test_a_token_that_returns_nothing_is_spent_and_received(world: World) -> None:
    silent = world.double("SilentToken")
    world.mint(silent, world.safe.address, 1_000)
    world.run(world.swap(token_in=silent), leg="in")
    assert (world.held(silent), world.allowance(silent, world.router)) == (900, 0)
    world.mint(silent, world.router, 1_000)
    world.run(world.swap(token_out=silent), leg="out")
    assert world.held(silent) == 1_150


def test_a_token_that_wants_a_zero_first_is_spent_over_a_standing_allowance(world: World) -> None:
    silent = world.double("SilentToken")
    world.mint(silent, world.safe.address, 1_000)
    world.run_by_safe(silent, call_data("approve(address,uint256)", world.router, 5))
    world.run(world.swap(token_in=silent), leg="in")
    assert world.allowance(silent, world.router) == 0


@pytest.mark.parametrize("kind", ["DenyingToken", "ForgetfulToken"])
def test_a_token_whose_approval_cannot_be_believed_is_refused(world: World, kind: str) -> None:
    token = world.double(kind)
    world.mint(token, world.safe.address, 1_000)
    assert world.refused(world.swap(token_in=token)) == "ApprovalFailed"


def test_a_token_that_keeps_an_allowance_is_refused_unless_all_of_it_is_used(world: World) -> None:
    token = world.double("StickyToken")
    world.mint(token, world.safe.address, 1_000)
    assert world.refused(world.swap(token_in=token)) == ""
    less = dataclasses.replace(world.swap(token_in=token), max_in=101)
    assert world.refused(less) == "ApprovalFailed"


def test_of_a_token_with_a_fee_only_what_arrives_counts(world: World) -> None:
    fee = world.double("FeeToken")
    world.mint(fee, world.router, 10_000)
    action = world.swap(get=1_000, token_out=fee)
    assert world.refused(action) == "Undelivered"
    world.run(dataclasses.replace(action, min_out=990))
    assert world.held(fee) == 990


def test_of_a_token_with_a_surcharge_all_that_leaves_counts(world: World) -> None:
    token = world.double("SurchargeToken")
    world.mint(token, world.safe.address, 1_000)
    assert world.refused(world.swap(token_in=token)) == "Overspent"
    assert world.refused(world.swap(give=99, token_in=token), max_in=99) == ""


def test_an_address_without_a_token_is_neither_spent_nor_received(world: World) -> None:
    call = Call(world.router, call_data("deposit(address,uint256)", world.gold, 0))
    action = dataclasses.replace(world.swap(), call=call, min_out=0)
    assert world.refused(action) == ""
    for name in ("token_in", "token_out"):
        assert world.refused(action, **{name: STRANGER.address}) == "no reason"


def test_a_token_may_do_what_it_likes_to_others_but_the_safes_loss_is_seen(world: World) -> None:
    hooked, thief = world.double("HookToken"), world.double("Accomplice")
    world.mint(hooked, world.router, 1_000)
    world.run_by_safe(world.gold, call_data("approve(address,uint256)", thief, 10**30))
    theft = call_data("take(address,address,uint256)", world.gold, world.safe.address, 1)
    world.send(OWNER.address, hooked, call_data("onMove(address,bytes)", thief, theft))
    assert world.refused(world.swap(token_out=hooked)) == "Overspent"
