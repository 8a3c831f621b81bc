"""A Safe trading in the real Uniswap V2, through the same adapter as a plain key's account."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from contracts_world import CHAIN_ID, EXECUTOR, GUARD, MANDATE, OWNER, ROLES, KeyOf
from eth_account import Account

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.safe import Safe, deploy_safe
from agent_fund.devnet.tokens import deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, deploy_v2
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.safe_account import SafeAccount
from agent_fund.execution.custody.verdict import Domain
from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
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
    admitted: dict[str, Cover]

    def admit(self, order: Order) -> Order:
        venues = {self.router: self.router}
        cover = Cover.of_order(order, self.weth, self.cash, venues, DEADLINE)
        self.admitted[order.order_id] = cover
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
    return Desk(adapter, deployer, safe, v2.router, weth, cash, admitted)


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
