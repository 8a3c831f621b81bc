"""An anvil chain with the real GPv2Settlement and Uniswap V2, a loopback API, and an adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from eth_utils.crypto import keccak
from time_outs import withheld_answers_time_out

from agent_fund.devnet.anvil import DEVELOPMENT_KEYS, Anvil
from agent_fund.devnet.cow import Cow, deploy_cow
from agent_fund.devnet.cow_server import CowServer
from agent_fund.devnet.cow_solver import Solver
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.tokens import deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, deploy_v2
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.instrument import Chain as ChainId
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.cow.adapter import CowAdapter
from agent_fund.execution.cow.leg import Leg
from agent_fund.execution.cow.market import CowConfig, Market
from agent_fund.execution.cow.order_book import OrderBook
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.receipt import Receipt
from agent_fund.execution.evm.token import Token
from agent_fund.execution.keys.evm import EvmKey, local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

USD = Asset("USD", 8)
ETH = Asset("ETH", 6)
ETH_USD = Instrument("ETH", ETH, USD, Venue("cow", ChainId("eip155:31337")), price_scale=2)
ONE = 10**6  # one ETH in base units
PRICE = 300_000  # 3 000.00 USD, where the pool begins
FINALITY = 2
LIFE = 600
FUND_ETH, FUND_USD = 10 * ONE, 50_000 * 10**8


@dataclass(frozen=True)
class Deployment:
    """The addresses on one chain."""

    anvil: Anvil
    settlement: str
    vault_relayer: str
    solver: str
    router: str
    weth: Token
    usd: Token


def signer() -> EvmKey:
    """The fund's key."""
    return local_evm(Secret(bytes.fromhex(DEVELOPMENT_KEYS[1][2:])), "the development mnemonic")


def verdict_of(order_id: str) -> bytes:
    """Stands for the leaf hash of the guard's record."""
    return keccak(text=f"verdict of {order_id}")


@contextmanager
def deployment() -> Iterator[Deployment]:
    """The chain with everything on it; stopped at the end."""
    anvil = Anvil(31337)
    try:
        yield asyncio.run(_deploy(anvil))
    finally:
        anvil.stop()


async def _deploy(anvil: Anvil) -> Deployment:
    chain = Chain("devnet", anvil.url, anvil.chain_id, 0)
    deployer = await Deployer.of(chain)
    accounts = await chain.rpc("eth_accounts")
    weth, usd = await deploy_weth(deployer), await deploy_token(deployer, "US Dollar", "USD", 6)
    v2 = await deploy_v2(deployer, weth)
    owner = signer().address
    await wrap(deployer, weth, 1_000 * 10**18)
    await mint(deployer, usd, deployer.address, 3_000_000 * 10**6)
    await add_liquidity_v2(deployer, v2, weth, 1_000 * 10**18, usd, 3_000_000 * 10**6)
    await wrap(deployer, weth, FUND_ETH * 10**12, owner)
    await mint(deployer, usd, owner, FUND_USD // 100)
    cow = await deploy_cow(deployer, accounts[7])
    await chain.close()
    where = (cow.settlement, cow.vault_relayer, cow.solver, v2.router)
    return Deployment(anvil, *where, Token(weth, 18), Token(usd, 6))


class Forgetful(Chain):
    """A connection to a node whose receipts have lost their transfers."""

    async def receipt(self, hash: str) -> Receipt | None:
        """The receipt without any Transfer."""
        found = await super().receipt(hash)
        if found is None:
            return None
        moved = {one.index for one in found.transfers()}
        return replace(found, logs=tuple(log for log in found.logs if log.index not in moved))


class Forging(Chain):
    """A connection to a node that forges logs, or which transaction a receipt is of."""

    forge: Callable[[list[Any]], list[Any]]
    answered: Mapping[str, str]

    async def rpc(self, method: str, *parameters: Any) -> Any:
        """The node's answer, logs forged."""
        answer = await super().rpc(method, *parameters)
        return self.forge(answer) if method == "eth_getLogs" else answer

    async def receipt(self, hash: str) -> Receipt | None:
        """The receipt of the transaction that is answered for this one."""
        return await super().receipt(self.answered.get(hash, hash))


class World:
    """The adapter of one test, the API behind it, and what it may do to the chain."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.anvil = deployment.anvil
        self.signer = signer()
        self.chain = Chain("devnet", self.anvil.url, self.anvil.chain_id, FINALITY)
        self.pair = Pair(ETH_USD, deployment.weth, deployment.usd, deployment.settlement)
        self.adapter: CowAdapter
        self.server: CowServer
        self.solver: Solver

    async def open(self) -> None:
        """Connect."""
        deployer = await Deployer.of(self.chain)
        one = self.deployment
        cow = Cow(deployer, one.settlement, one.vault_relayer, one.solver)
        self.solver = Solver(cow, one.router)
        self.server = CowServer(cow, self.solver)
        self.api = OrderBook(await self.server.start(), timeout=30)
        self.restart()
        await self.adapter.start()

    async def reach(self, url: str) -> None:
        """An adapter of the API at another address."""
        await self.api.close()
        self.api = OrderBook(url, timeout=30)
        self.restart()
        await self.adapter.start()

    def restart(self) -> None:
        """A new adapter and lane that know nothing, as after a crash."""
        self.adapter = self.configured(self.pair)

    def configured(
        self, pair: Pair, settlement: str | None = None, chain: Chain | None = None
    ) -> CowAdapter:
        """An adapter with something else in it."""
        market = Market(pair, probe=ONE // 100, depth=100 * ONE)
        config = CowConfig("cow", settlement or self.deployment.settlement, (market,))
        over = chain or self.chain
        lane = Lane(over, self.signer)
        return CowAdapter(config, self.api, over, lane, self.signer, verdict_of)

    def blinded(self) -> CowAdapter:
        """An adapter over a node whose receipts have lost their transfers."""
        chain = Forgetful("devnet", self.anvil.url, self.anvil.chain_id, FINALITY)
        return self.configured(self.pair, chain=chain)

    def deceived(
        self,
        forge: Callable[[list[Any]], list[Any]],
        answered: Mapping[str, str] | None = None,
    ) -> CowAdapter:
        """An adapter over a node that forges logs, or answers other transactions' receipts."""
        chain = Forging("devnet", self.anvil.url, self.anvil.chain_id, FINALITY)
        chain.forge, chain.answered = forge, answered or {}
        return self.configured(self.pair, chain=chain)

    async def close(self) -> None:
        """Disconnect."""
        await self.server.stop()
        await self.adapter.close()

    async def prepare(self, order: Order) -> Prepared:
        """The order, with LIFE seconds."""
        return await self.adapter.prepare(order, await self.chain.now() + LIFE)

    async def sent(self, order: Order) -> Prepared:
        """The same, submitted, its allowance mined, and at the API."""
        prepared = await self.prepare(order)
        report = await self.adapter.submit(prepared)
        assert report.state is LegState.SUBMITTED, report
        await self.mined(prepared)
        assert (await self.status(prepared)).state is LegState.SUBMITTED
        assert prepared.reference in self.server.orders
        return prepared

    async def mined(self, prepared: Prepared) -> None:
        """Wait for the block: the node mines a moment after it took a transaction."""
        for one in Leg.of(prepared).batch.transactions:
            while await self.chain.receipt(one.hash) is None:
                await asyncio.sleep(0.002)

    async def allowed(self, token: Token, amount: int) -> None:
        """Wait until that is the allowance."""
        for _ in range(3_000):
            if (found := await self.allowance(token)) == amount:
                return
            await asyncio.sleep(0.002)
        raise AssertionError(f"the allowance stays {found}")

    async def status(self, prepared: Prepared) -> Report:
        """What the adapter says of it."""
        return await self.adapter.status(prepared)

    async def held(self) -> tuple[int, int]:
        """The fund's ETH and USD by the chain, in base units."""
        owner = self.signer.address
        weth = await self.deployment.weth.balance(self.chain, owner)
        usd = await self.deployment.usd.balance(self.chain, owner)
        return self.deployment.weth.arrived(weth, ETH), self.deployment.usd.arrived(usd, USD)

    async def allowance(self, token: Token) -> int:
        """What the vault relayer may take of the fund, in the token's own units."""
        pair = (self.signer.address, self.deployment.vault_relayer)
        data = call_data("allowance(address,address)", *pair)
        return int.from_bytes(await self.chain.call(token.address, data), "big")

    def finalize(self, blocks: int = FINALITY + 1) -> None:
        """More blocks than finality needs."""
        self.anvil.call("anvil_mine", hex(blocks))

    def sleep(self, seconds: int) -> None:
        """The chain's clock goes forward, and a block says so."""
        self.anvil.call("evm_increaseTime", hex(seconds))
        self.anvil.call("anvil_mine", "0x1")


def order(side: Side, quantity: int, limit: int, order_id: str = "o1") -> Order:
    """An order of the agent's."""
    return Order(order_id, ETH_USD, side, quantity, limit, Purpose.AGENT, expires=1)


def play(deployment: Deployment, scenario: Callable[[World], Awaitable[None]]) -> None:
    """Run ``scenario`` in a world of its own; the chain is then as it was before."""
    snapshot = deployment.anvil.call("evm_snapshot")

    async def run() -> None:
        world = World(deployment)
        try:
            await world.open()
            with withheld_answers_time_out(world.server):
                await scenario(world)
        finally:
            await world.close()

    try:
        asyncio.run(run())
    finally:
        deployment.anvil.call("evm_revert", snapshot)
