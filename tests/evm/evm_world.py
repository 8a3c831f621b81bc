"""One anvil chain with Uniswap V2 and V3 for a test module; a fresh account for every test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.tokens import balance, deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import (
    UniswapV2,
    UniswapV3,
    add_liquidity_v2,
    add_liquidity_v3,
    deploy_v2,
    deploy_v3,
)
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.evm import uniswap_v2, uniswap_v3
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.amm import Amm
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState, Outcome
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.keys.evm import EvmKey, local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

T = TypeVar("T")
CHAIN_ID = 31337
COIN = 10**18
PRICE = 3_000
USDC_UNIT = 10**6
_PATIENCE = 3_000  # questions to a chain that has not mined yet, a few milliseconds each
_keys = itertools.count(1)

POOL = Venue("pool")
ETH = Asset("ETH", 18)
USD = Asset("USD", 20)
ETH_USD = Instrument("ETH-USD", ETH, USD, POOL, price_scale=2)
# Fewer decimals than the tokens have, on both sides.
COARSE_ETH = Asset("ETH", 8)
COARSE_USD = Asset("USD", 10)
COARSE = Instrument("ETH-USD", COARSE_ETH, COARSE_USD, POOL, price_scale=2)


def new_key() -> EvmKey:
    """A key that nobody used yet in this process."""
    return local_evm(Secret((10**40 + next(_keys)).to_bytes(32, "big")), "test")


@dataclass
class Trader:
    """An adapter with its own key, and what it is made of."""

    key: EvmKey
    chain: Chain
    lane: Lane
    account: DirectAccount
    adapter: SwapAdapter
    world: World
    instrument: Instrument
    tokens: dict[str, str] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def order(self, side: Side, quantity: int, limit: int) -> Order:
        name = f"order{next(self._ids)}"
        return Order(name, self.instrument, side, quantity, limit, Purpose.AGENT, 10)

    async def status(self, prepared: Prepared, *awaited: LegState) -> Report:
        """The status, once it is one of ``awaited``: the chain mines when it gets to it."""
        for _ in range(_PATIENCE):
            report = await self.adapter.status(prepared)
            if report.state in awaited:
                break
            await asyncio.sleep(0.002)
        return report

    async def trade(self, side: Side, quantity: int, limit: int) -> Report:
        """What became of a swap once it is mined."""
        prepared = await self.adapter.prepare(
            self.order(side, quantity, limit), await self.deadline()
        )
        await self.adapter.submit(prepared)
        return await self.status(prepared, LegState.FILLED, LegState.SETTLED)

    async def deadline(self, seconds: int = 600) -> int:
        return await self.chain.now() + seconds

    async def balances(self) -> tuple[int, int]:
        """Own units of the base token and of the quote token."""
        deployer = Deployer(self.chain, self.key.address)
        base = await balance(deployer, self.tokens["base"], self.key.address)
        return base, await balance(deployer, self.tokens["quote"], self.key.address)

    async def allowance(self, token: str, spender: str) -> int:
        data = call_data("allowance(address,address)", self.key.address, spender)
        return int.from_bytes(await self.chain.call(token, data), "big")


@dataclass
class World:
    """Addresses; ``usdc`` has 6 decimals, ``dai`` 18."""

    anvil: Anvil
    weth: str
    usdc: str
    dai: str
    v2: UniswapV2
    v3: UniswapV3

    def chain(self, finality: int = 2) -> Chain:
        return Chain("test", self.anvil.url, CHAIN_ID, finality)

    def amm(self, name: str) -> Amm:
        if name == "v2":
            return uniswap_v2.UniswapV2(self.v2.router)
        return uniswap_v3.UniswapV3(self.v3.router, self.v3.quoter, 3_000)

    def mine(self, blocks: int = 1) -> None:
        self.anvil.call("anvil_mine", hex(blocks))

    @contextmanager
    def automine_off(self) -> Iterator[None]:
        self.anvil.call("evm_setAutomine", False)
        try:
            yield
        finally:
            self.anvil.call("evm_setAutomine", True)
            self.mine()

    async def trader(
        self,
        chain: Chain,
        amm: str = "v2",
        *,
        key: EvmKey | None = None,
        instrument: Instrument = ETH_USD,
        fees: FeePolicy | None = None,
        ether: int = 100 * COIN,
        base: int = 50 * COIN,
        quote: int = 500_000,
    ) -> Trader:
        """A started adapter whose key has coin, ``base`` wei of WETH and ``quote`` whole dollars.

        With a key given, nothing is added to what it has.
        """
        coarse = instrument.quote.scale < 18
        dollars, decimals = (self.dai, 18) if coarse else (self.usdc, 6)
        if key is None:
            key = new_key()
            self.anvil.call("anvil_setBalance", key.address, hex(ether))
            deployer = await Deployer.of(chain)
            await wrap(deployer, self.weth, base, key.address)
            await mint(deployer, dollars, key.address, quote * 10**decimals)
        tokens = {"ETH": Token(self.weth, 18), "USD": Token(dollars, decimals)}
        lane, account = Lane(chain, key, fees), DirectAccount(chain, key.address)
        config = SwapConfig("pool", (instrument,), tokens, coin=instrument.symbol)
        adapter = SwapAdapter(config, self.amm(amm), account, chain, lane)
        await adapter.start()
        addresses = {"base": self.weth, "quote": dollars}
        return Trader(key, chain, lane, account, adapter, self, instrument, addresses)


async def mined(lane: Lane, batch: Batch) -> Outcome:
    """The outcome of a batch, once it is mined: the chain mines when it gets to it."""
    for _ in range(_PATIENCE):
        found = await lane.outcome(batch)
        if found.state is BatchState.MINED:
            break
        await asyncio.sleep(0.002)
    return found


async def _deployed(anvil: Anvil) -> World:
    chain = Chain("test", anvil.url, CHAIN_ID, 0)
    try:
        deployer = await Deployer.of(chain)
        weth = await deploy_weth(deployer)
        usdc = await deploy_token(deployer, "USD Coin", "USDC", 6)
        dai = await deploy_token(deployer, "Dai", "DAI", 18)
        await wrap(deployer, weth, 6_000 * COIN)
        v2, v3 = await deploy_v2(deployer, weth), await deploy_v3(deployer, weth)
        for token, unit in ((usdc, USDC_UNIT), (dai, COIN)):
            await mint(deployer, token, deployer.address, 10**8 * unit)
            amounts = (weth, 1_000 * COIN, token, 1_000 * PRICE * unit)
            await add_liquidity_v2(deployer, v2, *amounts)
            await add_liquidity_v3(deployer, v3, *amounts)
    finally:
        await chain.close()
    return World(anvil, weth, usdc, dai, v2, v3)


@contextmanager
def running_world() -> Iterator[World]:
    anvil = Anvil(CHAIN_ID, "--accounts", "2", "--balance", "1000000")
    try:
        yield asyncio.run(_deployed(anvil))
    finally:
        anvil.stop()


def on_chain(world: World, steps: Callable[[Chain], Awaitable[T]], finality: int = 2) -> T:
    """Run ``steps`` with a chain of its own, closed afterwards."""

    async def go() -> T:
        chain = world.chain(finality)
        try:
            return await steps(chain)
        finally:
            await chain.close()

    return asyncio.run(go())
