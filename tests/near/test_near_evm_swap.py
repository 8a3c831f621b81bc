"""A NEAR account swaps on Uniswap: the EVM adapter with a signer that asks the MPC contract."""

from __future__ import annotations

import pytest
from near_world import World, in_world

from agent_fund.devnet.anvil import Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.packages import missing
from agent_fund.devnet.tokens import balance, deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import UniswapV2, add_liquidity_v2, deploy_v2
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.evm import uniswap_v2
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.chain_signatures import ChainSignatureSigner

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
COIN = 10**18
ETH, USD = Asset("ETH", 18), Asset("USD", 20)
ETH_USD = Instrument("ETH-USD", ETH, USD, Venue("pool"), price_scale=2)


async def pool(deployer: Deployer, owner: str) -> tuple[str, str, UniswapV2]:
    """A pool at 3,000 USD; ``owner`` has 5 WETH and coin for gas."""
    weth = await deploy_weth(deployer)
    usd = await deploy_token(deployer, "USD", "USD", 6)
    v2 = await deploy_v2(deployer, weth)
    await wrap(deployer, weth, 1_000 * COIN)
    await wrap(deployer, weth, 5 * COIN, owner)
    await mint(deployer, usd, deployer.address, 3_000_000 * 10**6)
    await add_liquidity_v2(deployer, v2, weth, 1_000 * COIN, usd, 3_000_000 * 10**6)
    return weth, usd, v2


def test_an_order_is_swapped_from_the_derived_address() -> None:
    anvil = Anvil(31_337, "--accounts", "2", "--balance", "1000000")

    async def check(w: World) -> None:
        chain = Chain("test", anvil.url, anvil.chain_id, 0)
        signer = await ChainSignatureSigner.connect(w.rpc, w.lane, "ethereum-1")
        anvil.call("anvil_setBalance", signer.address, hex(10 * COIN))
        deployer = await Deployer.of(chain)
        weth, usd, v2 = await pool(deployer, signer.address)
        tokens = {"ETH": Token(weth, 18), "USD": Token(usd, 6)}
        config = SwapConfig("pool", (ETH_USD,), tokens, coin="ETH-USD")
        account, lane = DirectAccount(chain, signer.address), Lane(chain, signer)
        venue = SwapAdapter(config, uniswap_v2.UniswapV2(v2.router), account, chain, lane)
        try:
            await venue.start()
            order = Order("o1", ETH_USD, Side.SELL, COIN, ETH_USD.price("2900"), Purpose.AGENT, 10)
            prepared = await venue.prepare(order, await chain.now() + 600)
            report = await venue.submit(prepared)
            while report.state is not LegState.SETTLED:
                report = await venue.status(prepared)
            [trade] = report.executions
            got = ETH_USD.notional(trade.quantity, trade.price) - trade.fee
            assert await balance(deployer, usd, signer.address) * 10**14 == got
            assert await balance(deployer, weth, signer.address) == 4 * COIN
        finally:
            await venue.close()
            await chain.close()

    try:
        in_world(check)
    finally:
        anvil.stop()
