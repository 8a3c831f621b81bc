"""A Safe trading in the real Uniswap V2, through the same adapter as a plain key's account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from contracts_world import (
    CHAIN_ID,
    EXECUTOR,
    GUARD,
    MANDATE,
    OWNER,
    ROLES,
    STRANGER,
    KeyOf,
    doubles,
)
from eth_account import Account

from agent_fund.devnet.across import deploy_across
from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.safe import Safe, deploy_safe
from agent_fund.devnet.tokens import allow_all, deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, deploy_v2
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.across.contracts import RELAY_TUPLE
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.safe_account import SafeAccount
from agent_fund.execution.custody.verdict import Domain, Verdict
from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.swap import SwapAdapter, SwapConfig
from agent_fund.execution.evm.token import Token
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.keys.evm import local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

UNIT = 10**18
LINE = Instrument("ETH", Asset("ETH", 8), Asset("USD", 10), Venue("pool"), 2, lot=10_000)
DEADLINE = 2**40


@dataclass
class Desk:
    """One adapter over a Safe, and the orders that the guard has admitted."""

    adapter: SwapAdapter
    deployer: Deployer
    safe: Safe
    router: str
    weth: Token
    cash: Token
    account: SafeAccount
    admitted: dict[str, Cover]

    def admit(self, order: Order) -> Order:
        safe, amm = self.safe.address, UniswapV2(self.router)
        self.admitted[order.order_id] = Cover.of_order(
            order, self.weth, self.cash, amm, safe, DEADLINE
        )
        return order

    async def sent(self, prepared: Prepared) -> Report:
        """The last report on what is sent now."""
        await self.adapter.submit(prepared)
        while not (report := await self.adapter.status(prepared)).state.ended:
            await asyncio.sleep(0.01)
        return report

    async def holds(self) -> tuple[int, int]:
        chain, safe = self.deployer.chain, self.safe.address
        return await self.weth.balance(chain, safe), await self.cash.balance(chain, safe)

    async def allowance(self) -> int:
        asked = call_data("allowance(address,address)", self.safe.address, self.router)
        answers = [
            await self.deployer.chain.call(one.address, asked) for one in (self.weth, self.cash)
        ]
        return sum(int.from_bytes(one, "big") for one in answers)


async def desk_on(chain: Chain) -> Desk:
    deployer = Deployer(chain, OWNER.address)
    weth = Token(await deploy_weth(deployer), 18)
    cash = Token(await deploy_token(deployer, "Cash", "CASH", 6), 6)
    await wrap(deployer, weth.address, 1_000 * UNIT)
    await mint(deployer, cash.address, OWNER.address, 2 * 10**12)
    v2 = await deploy_v2(deployer, weth.address)
    await add_liquidity_v2(deployer, v2, weth.address, 900 * UNIT, cash.address, 18 * 10**11)
    safe = await deploy_safe(deployer, ROLES, salt=2)
    await wrap(deployer, weth.address, 10 * UNIT, safe.address)
    await mint(deployer, cash.address, safe.address, 10**11)
    admitted: dict[str, Cover] = {}
    domain = Domain(CHAIN_ID, safe.module)
    account = SafeAccount(safe.address, VerdictSigner(KeyOf(GUARD), domain, MANDATE, admitted.get))
    tokens = {"ETH": weth, "USD": cash}
    config = SwapConfig("pool", (LINE,), tokens)
    key = local_evm(Secret(bytes(EXECUTOR.key)), "a test")
    lane = Lane(chain, key)
    adapter = SwapAdapter(config, UniswapV2(v2.router), account, chain, lane)
    await adapter.start()
    return Desk(adapter, deployer, safe, v2.router, weth, cash, account, admitted)


@pytest.fixture
def with_desk(anvil: Anvil) -> Callable[[Callable[[Desk], Awaitable[None]]], None]:
    def run(test: Callable[[Desk], Awaitable[None]]) -> None:
        async def whole() -> None:
            chain = Chain("devnet", anvil.url, CHAIN_ID, 0)
            state = await chain.rpc("evm_snapshot")
            try:
                await test(await desk_on(chain))
            finally:
                await chain.rpc("evm_revert", state)
                await chain.close()

        asyncio.run(whole())

    return run


def order(side: Side, limit: int, leg: str = "leg") -> Order:
    return Order(leg, LINE, side, 10**8, limit, Purpose.AGENT, 1)


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, 201_500), (Side.SELL, 198_500)])
def test_an_admitted_order_is_swapped_for_the_safe(
    with_desk: Callable[[Callable[[Desk], Awaitable[None]]], None], side: Side, limit: int
) -> None:
    async def test(desk: Desk) -> None:
        before = await desk.holds()
        made = desk.admit(order(side, limit))
        prepared = await desk.adapter.prepare(made, DEADLINE)
        report = await desk.sent(prepared)
        assert report.state is LegState.SETTLED
        (trade,) = report.executions
        after = await desk.holds()
        assert after[0] - before[0] == side.sign * UNIT
        moved = LINE.notional(trade.quantity, trade.price) + side.sign * trade.fee
        assert (after[1] - before[1]) * 10**4 == -side.sign * moved
        assert await desk.allowance() == 0
        # The same bytes again move nothing, and the same leg signed anew is refused beforehand.
        await desk.adapter.submit(prepared)
        assert await desk.holds() == after
        with pytest.raises(ExecutionError):
            await desk.adapter.prepare(made, DEADLINE)

    with_desk(test)


def test_an_order_that_the_guard_did_not_admit_is_not_even_signed(
    with_desk: Callable[[Callable[[Desk], Awaitable[None]]], None],
) -> None:
    async def test(desk: Desk) -> None:
        desk.admit(order(Side.BUY, 201_500))
        for other in (
            order(Side.BUY, 201_500, "another"),
            order(Side.BUY, 201_501),
            order(Side.SELL, 198_500),
            replace(order(Side.BUY, 201_500), quantity=2 * 10**8),
        ):
            with pytest.raises(ExecutionError) as caught:
                await desk.adapter.prepare(other, DEADLINE)
            assert caught.value.subject in ("leg", "max_in", "tokens")

    with_desk(test)


def test_a_limit_that_the_pool_does_not_meet_moves_nothing(
    with_desk: Callable[[Callable[[Desk], Awaitable[None]]], None],
) -> None:
    async def test(desk: Desk) -> None:
        before = await desk.holds()
        with pytest.raises(ExecutionError):
            await desk.adapter.prepare(desk.admit(order(Side.BUY, 200_000)), DEADLINE)
        assert await desk.holds() == before

    with_desk(test)


def test_after_a_sandwich_the_safes_swap_reverts(
    with_desk: Callable[[Callable[[Desk], Awaitable[None]]], None],
) -> None:
    async def test(desk: Desk) -> None:
        prepared = await desk.adapter.prepare(desk.admit(order(Side.BUY, 201_500)), DEADLINE)
        swap = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        path = [desk.cash.address, desk.weth.address]
        front = call_data(swap, 10**11, 1, path, Account.create().address, DEADLINE)
        await mint(desk.deployer, desk.cash.address, OWNER.address, 10**11)
        await desk.deployer.transact(desk.router, front)
        before = await desk.holds()
        report = await desk.sent(prepared)
        assert (report.state, report.executions) == (LegState.CANCELED, ())
        assert await desk.holds() == before
        assert await desk.allowance() == 0

    with_desk(test)


async def detour(desk: Desk, owed: int) -> bytes:
    """A stranger's swap of the Safe's WETH for a token that brings the Safe ``owed`` on the way.

    The ``owed`` is what Across has under way to the Safe anyway; who fills it is paid elsewhere.
    """
    thief = Deployer(desk.deployer.chain, STRANGER.address)
    made = doubles()["HookToken"]
    evil = await thief.creation("HookToken", made["abi"], made["bytecode"])
    await wrap(thief, desk.weth.address, UNIT // 1_000)
    await mint(thief, evil, thief.address, UNIT)
    for token in (desk.weth.address, evil):
        await allow_all(thief, token, desk.router)
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    stake = (desk.weth.address, evil, UNIT // 1_000, UNIT, 0, 0, thief.address, DEADLINE)
    await thief.transact(desk.router, call_data(signature, *stake))
    side = await deploy_across(desk.deployer, desk.cash, desk.weth.address)
    await mint(desk.deployer, desk.cash.address, evil, owed)
    until = int(await desk.deployer.chain.now()) + 3_600
    ends = (desk.safe.address, desk.safe.address, NOTHING, desk.cash.address, desk.cash.address)
    relay = (*ends, owed, owed, 999, 7, until, 0, b"")
    on_move = "onMove(address,bytes)"
    approve = call_data("approve(address,uint256)", side.spoke_pool, owed)
    await thief.transact(evil, call_data(on_move, desk.cash.address, approve))
    await thief.transact(evil, call_data("transfer(address,uint256)", thief.address, 0))
    fill = call_data(f"fillV3Relay({RELAY_TUPLE},uint256)", relay, 999)
    await thief.transact(evil, call_data(on_move, side.spoke_pool, fill))
    path = [desk.weth.address, evil]
    swap = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    return call_data(swap, UNIT, 0, path, thief.address, DEADLINE)


def test_what_is_owed_to_the_safe_anyway_does_not_pay_for_its_tokens(
    with_desk: Callable[[Callable[[Desk], Awaitable[None]]], None],
) -> None:
    async def test(desk: Desk) -> None:
        owed = 2_000 * 10**6
        data, before = await detour(desk, owed), await desk.holds()
        desk.admit(order(Side.SELL, 198_500))
        bounds = (desk.weth.address, UNIT, desk.cash.address, 1_985 * 10**6)
        action = Action(Call(desk.router, data), desk.router, *bounds)
        with pytest.raises(ExecutionError) as caught:
            await desk.account.calls(action, "leg", DEADLINE)
        assert caught.value.subject == "calldata"
        # The module alone would let it through: to it, the Safe gave no more than it may, and got.
        domain = Domain(CHAIN_ID, desk.safe.module)
        verdict = Verdict.of(action, "leg", MANDATE, DEADLINE)
        signature = await KeyOf(GUARD).sign_typed_data(verdict.typed_data(domain))
        execution = verdict.execution(data, signature)
        await desk.deployer.transact(desk.safe.module, execution, sender=EXECUTOR.address)
        after = await desk.holds()
        assert (after[0] - before[0], after[1] - before[1]) == (-UNIT, owed)

    with_desk(test)
