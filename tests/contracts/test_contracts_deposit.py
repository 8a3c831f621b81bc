"""Transfers out of a Safe through the real Across: only to where the admitted transfer goes."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from contracts_world import CHAIN_ID, EXECUTOR, GUARD, MANDATE, OWNER, ROLES, STRANGER, KeyOf
from eth_abi.abi import decode

from agent_fund.devnet.across import deploy_across
from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.safe import deploy_safe
from agent_fund.devnet.tokens import balance, deploy_token, deploy_weth, mint
from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transfer
from agent_fund.execution.across.contracts import DEPOSITED, OPEN, ORDER_DATA_TUPLE
from agent_fund.execution.across.place import Place
from agent_fund.execution.across.relay import BridgeOrder
from agent_fund.execution.custody.across_deposit import AcrossDeposit
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.safe_account import SafeAccount
from agent_fund.execution.custody.verdict import Domain
from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.token import Token

SAFE, HOME, CASH, FAR_CASH = ("0x" + f"{n:02x}" * 20 for n in (17, 34, 51, 68))
DEADLINE = 1_900_000_000
ORDER = BridgeOrder(SAFE, HOME, CASH, FAR_CASH, 500, 490, 1, 8453, DEADLINE)
ADMITTED = AcrossDeposit(SAFE, HOME, CASH, 500, FAR_CASH, 490, 1, 8453, DEADLINE)


def opening(order: BridgeOrder, **changed: Any) -> bytes:
    return call_data(OPEN, dataclasses.replace(order, **changed).onchain)


def test_an_admitted_transfer_may_bring_more_and_end_earlier() -> None:
    ADMITTED.require(opening(ORDER))
    ADMITTED.require(opening(ORDER, output_amount=491, fill_deadline=DEADLINE - 1))


@pytest.mark.parametrize(
    "changed",
    [
        {"recipient": STRANGER.address},
        {"input_token": FAR_CASH},
        {"output_token": CASH},
        {"input_amount": 501},
        {"input_amount": 499},
        {"output_amount": 489},
        {"destination_chain": 10},
        {"fill_deadline": DEADLINE + 1},
    ],
)
def test_a_transfer_to_elsewhere_is_not_covered(changed: dict[str, Any]) -> None:
    with pytest.raises(ExecutionError):
        ADMITTED.require(opening(ORDER, **changed))


def test_whatever_byte_of_the_opening_differs_it_is_not_covered() -> None:
    good = opening(ORDER)
    for at in range(len(good)):
        for bit in (1, 128):
            other = bytearray(good)
            other[at] ^= bit
            try:
                ADMITTED.require(bytes(other))
            except ExecutionError:
                continue
            ((until, _, data),) = decode(["(uint32,bytes32,bytes)"], bytes(other[4:]))
            brought = decode([ORDER_DATA_TUPLE], data)[0][3]
            assert brought >= 490
            assert until <= DEADLINE
            assert bytes(other) == opening(ORDER, output_amount=brought, fill_deadline=until)
    for other_length in (good[:-32], good + bytes(32), good[:40], b""):
        with pytest.raises(ExecutionError):
            ADMITTED.require(other_length)


def test_a_safes_deposit_goes_to_the_real_bridge_and_to_the_admitted_place(anvil: Anvil) -> None:
    async def whole() -> None:
        chain = Chain("devnet", anvil.url, CHAIN_ID, 0)
        state = await chain.rpc("evm_snapshot")
        try:
            await deposited(Deployer(chain, OWNER.address))
        finally:
            await chain.rpc("evm_revert", state)
            await chain.close()

    asyncio.run(whole())


async def deposited(deployer: Deployer) -> None:
    cash = Token(await deploy_token(deployer, "Cash", "CASH", 6), 6)
    side = await deploy_across(deployer, cash, await deploy_weth(deployer))
    route = call_data("setEnableRoute(address,uint256,bool)", cash.address, 8453, True)
    await deployer.transact(side.spoke_pool, route)
    settler = call_data("setDestinationSettler(uint256,address)", 8453, HOME)
    await deployer.transact(side.depositor, settler)
    safe = await deploy_safe(deployer, ROLES, salt=3)
    await mint(deployer, cash.address, safe.address, 800)

    deadline = await deployer.chain.now() + 600
    made = (safe.address, HOME, cash.address, FAR_CASH, 500, 490, CHAIN_ID, 8453, deadline)
    order = BridgeOrder(*made)
    covers: dict[str, Cover] = {}
    signer = VerdictSigner(KeyOf(GUARD), Domain(CHAIN_ID, safe.module), MANDATE, covers.get)
    account = SafeAccount(safe.address, signer)
    lane = Lane(deployer.chain, KeyOf(EXECUTOR))
    here = Place("a", deployer.chain, account, lane, cash, side.spoke_pool, side.depositor)
    there = Place(
        *("b", Chain("b", "http://127.0.0.1:1", 8453, 0)),
        *(DirectAccount(deployer.chain, HOME), lane, Token(FAR_CASH, 6), HOME, HOME),
    )
    admitted = AcrossDeposit.of_transfer(
        Transfer(50_000, "a", "b"), 48_901, here, there, Asset("USD", 8), deadline
    )
    assert admitted.least_out == 490  # 489.01 of the token, rounded up
    covers["t1"] = Cover.of_deposit(side.depositor, cash.address, 500, admitted, deadline)

    def action(**changed: Any) -> Action:
        call = Call(side.depositor, opening(order, **changed))
        return Action(call, side.depositor, cash.address, 500, NOTHING, 0)

    with pytest.raises(ExecutionError):
        await account.calls(action(recipient=STRANGER.address), "t1", deadline)
    (call,) = await account.calls(action(), "t1", deadline)
    receipt = await deployer.transact(call.to, call.data, sender=EXECUTOR.address)
    (event,) = (DEPOSITED.read(log) for log in receipt.logs if log.topics[0] == DEPOSITED.topic)
    assert (event["depositor"], event["recipient"]) == (safe.address, HOME)
    assert (event["inputAmount"], event["outputAmount"]) == (500, 490)
    assert await balance(deployer, cash.address, safe.address) == 300
    assert await balance(deployer, cash.address, side.spoke_pool) == 500
