"""Orders that become swaps: what is spent, what arrives, and what is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from evm_world import (
    COIN,
    ETH,
    ETH_USD,
    POOL,
    PRICE,
    USD,
    Trader,
    World,
    mined,
    new_key,
    on_chain,
    running_world,
)

from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.packages import missing
from agent_fund.devnet.tokens import deploy_token, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, add_liquidity_v3, deploy_v3
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.history import block_since
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.evm.uniswap_v3 import UniswapV3
from agent_fund.execution.live.adapter import Adapter, Report
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
LIMIT = {Side.BUY: 4_000_00, Side.SELL: 2_000_00}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


async def traded(trader: Trader, side: Side, quantity: int, limit: int | None = None) -> Report:
    return await trader.trade(side, quantity, LIMIT[side] if limit is None else limit)


@pytest.mark.parametrize("amm", ["v2", "v3"])
@pytest.mark.parametrize("side", list(Side))
def test_a_swap_moves_what_its_execution_says_and_settles_at_the_depth(
    world: World, amm: str, side: Side
) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, amm)
        adapter: Adapter = trader.adapter
        before = await trader.balances()
        order = trader.order(side, COIN, LIMIT[side])
        prepared = await adapter.prepare(order, await trader.deadline())
        assert await trader.balances() == before
        assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
        report = await trader.status(prepared, LegState.FILLED)
        (trade,) = report.executions
        assert not trade.final
        assert trade.quantity == COIN
        assert 0 <= trade.fee < adapter.maximum_fee(order)
        base, quote = (
            now - then for now, then in zip(await trader.balances(), before, strict=True)
        )
        notional = ETH_USD.notional(trade.quantity, trade.price)
        assert base == side.sign * COIN
        assert quote * 10**14 == -side.sign * notional - trade.fee
        assert (trade.price - order.limit) * side.sign <= 0
        world.mine(2)
        settled = await trader.status(prepared, LegState.SETTLED)
        # The allowance that goes back to nothing may be in the block after the swap's.
        assert settled.gas == 100 * COIN - await chain.coin(trader.key.address)
        assert settled.state is LegState.SETTLED
        assert settled.executions == (replace(trade, final=True),)

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
@pytest.mark.parametrize("side", list(Side))
def test_no_allowance_is_left_after_a_swap(world: World, amm: str, side: Side) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, amm)
        await traded(trader, side, COIN)
        for token in trader.tokens.values():
            assert await trader.allowance(token, world.amm(amm).router) == 0

    on_chain(world, steps)


def test_the_allowance_is_the_limit_and_not_more(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        order = trader.order(Side.BUY, COIN, 3_100_00)
        prepared = await trader.adapter.prepare(order, await trader.deadline())
        signed = Batch.decode(prepared.payload).transactions
        approval, _, reset = (int.from_bytes(one.read()[0].data[-32:], "big") for one in signed)
        assert (approval, reset) == (3_100 * 10**6, 0)

    on_chain(world, steps)


def test_the_gas_of_a_pairs_first_swap_in_a_new_second_is_enough(world: World) -> None:
    async def steps(chain: Chain) -> None:
        deployer = await Deployer.of(chain)
        fresh = await deploy_token(deployer, "Fresh", "FRSH", 6)
        await mint(deployer, fresh, deployer.address, 10**15)
        key = (await world.trader(chain)).key
        await mint(deployer, fresh, key.address, 10**12)
        # The simulation is in the second of the pair's last update, the swap itself is not.
        amounts = (world.weth, 10 * COIN, fresh, 30_000 * 10**6)
        await add_liquidity_v2(deployer, world.v2, *amounts)
        trader = await replace(world, usdc=fresh).trader(chain, key=key)
        order = trader.order(Side.BUY, COIN, LIMIT[Side.BUY])
        prepared = await trader.adapter.prepare(order, await trader.deadline())
        world.anvil.call("evm_increaseTime", 10)
        await trader.adapter.submit(prepared)
        report = await trader.status(prepared, LegState.FILLED)
        assert report.state is LegState.FILLED

    on_chain(world, steps)


def test_a_foreign_allowance_is_taken_back(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        data = call_data("approve(address,uint256)", world.v2.router, 2**256 - 1)
        batch = await trader.lane.sign([Call(world.usdc, data)], await trader.deadline())
        await trader.lane.send(batch)
        await mined(trader.lane, batch)
        assert await trader.allowance(world.usdc, world.v2.router) == 2**256 - 1
        assert (await traded(trader, Side.BUY, COIN)).state is LegState.FILLED
        assert await trader.allowance(world.usdc, world.v2.router) == 0

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_a_quote_is_what_the_swap_then_moves(world: World, amm: str) -> None:
    async def steps(chain: Chain) -> None:
        for side in Side:
            trader = await world.trader(chain, amm)
            quote = await trader.adapter.quote(ETH_USD, side, COIN)
            assert quote is not None
            assert quote.gas > 0
            assert not quote.firm
            (trade,) = (await traded(trader, side, COIN)).executions
            notional = ETH_USD.notional(trade.quantity, trade.price)
            if side is Side.BUY:
                assert (quote.max_spent, quote.min_received) == (notional + trade.fee, COIN)
            else:
                assert (quote.max_spent, quote.min_received) == (COIN, notional - trade.fee)

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_more_than_the_pool_holds_is_not_quoted(world: World, amm: str) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, amm)
        assert await trader.adapter.quote(ETH_USD, Side.BUY, 10**6 * COIN) is None

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
@pytest.mark.parametrize("below", [False, True])
def test_the_middle_price_and_the_depth_are_the_pools(world: World, amm: str, below: bool) -> None:
    async def steps(chain: Chain) -> None:
        # A pool orders its two tokens by their addresses: here either way.
        deployer = await Deployer.of(chain)
        token = ""
        while not token or (int(token, 16) < int(world.weth, 16)) is not below:
            token = await deploy_token(deployer, "Other", "OTHR", 6)
        await mint(deployer, token, deployer.address, 10**15)
        await wrap(deployer, world.weth, 500 * COIN)
        amounts = (world.weth, 500 * COIN, token, 500 * PRICE * 10**6)
        if amm == "v2":
            await add_liquidity_v2(deployer, world.v2, *amounts)
        else:
            await add_liquidity_v3(deployer, world.v3, *amounts)
        trader = await replace(world, usdc=token).trader(chain, amm)
        price = (await trader.adapter.prices([ETH_USD]))["ETH-USD"]
        depth = (await trader.adapter.depth([ETH_USD]))["ETH-USD"]
        sell = await trader.adapter.quote(ETH_USD, Side.SELL, COIN // 1000)
        buy = await trader.adapter.quote(ETH_USD, Side.BUY, COIN // 1000)
        assert sell is not None
        assert buy is not None
        middle = ETH_USD.notional(COIN // 1000, price)
        assert sell.min_received < middle < buy.max_spent
        assert abs(price - PRICE * 100) <= 1
        assert abs(depth - 500 * COIN) < COIN

    on_chain(world, steps)


def test_a_swap_beyond_its_limit_is_refused_before_anything_is_signed(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain)
        for side, limit in ((Side.BUY, 2_000_00), (Side.SELL, 4_000_00)):
            with pytest.raises(ExecutionError, match="AMOUNT"):
                await traded(trader, side, COIN, limit)
        assert (await traded(trader, Side.BUY, COIN)).state is LegState.FILLED

    on_chain(world, steps)


def test_more_than_the_account_has_is_refused_before_anything_is_signed(world: World) -> None:
    async def steps(chain: Chain) -> None:
        for amm in ("v2", "v3"):
            trader = await world.trader(chain, amm, base=COIN // 2, quote=10)
            for side in Side:
                with pytest.raises(ExecutionError, match=r"TRANSFER_FROM_FAILED|STF"):
                    await traded(trader, side, COIN)
            assert await chain.rpc("eth_getTransactionCount", trader.key.address, "pending") == (
                "0x0"
            )

    on_chain(world, steps)


def test_without_coin_for_gas_nothing_is_signed(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, ether=10**12)
        with pytest.raises(InsufficientFunds, match="coin"):
            await traded(trader, Side.BUY, COIN)

    on_chain(world, steps)


def test_gas_above_the_cap_is_refused(world: World) -> None:
    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, fees=FeePolicy(cap=1000, least_tip=1))
        with pytest.raises(ExecutionError, match="cap"):
            await traded(trader, Side.BUY, COIN)

    on_chain(world, steps)


def test_holdings_tell_balances_and_every_trade_since(world: World) -> None:
    async def steps(chain: Chain) -> None:
        for amm in ("v2", "v3"):
            trader = await world.trader(chain, amm)
            world.anvil.call("evm_increaseTime", 100)
            world.mine()
            start = await chain.now()
            order = trader.order(Side.BUY, COIN, LIMIT[Side.BUY])
            prepared = await trader.adapter.prepare(order, await trader.deadline())
            await trader.adapter.submit(prepared)
            (bought,) = (await trader.status(prepared, LegState.FILLED)).executions
            (sold,) = (await traded(trader, Side.SELL, COIN // 2)).executions
            world.mine(3)
            holdings = await trader.adapter.holdings(start * 1000)
            base, quote = await trader.balances()
            assert holdings.assets == {"ETH": base, "USD": quote * 10**14}
            assert holdings.coin == await chain.coin(trader.key.address)
            assert [trade for _, trade in holdings.executions] == [
                replace(bought, final=True),
                replace(sold, final=True),
            ]
            assert holdings.executions[0][0] == prepared.reference
            assert holdings.open_references == ()
            world.anvil.call("evm_increaseTime", 100)
            world.mine()
            later = await trader.adapter.holdings(await chain.now() * 1000)
            assert later.executions == ()

    on_chain(world, steps)


def configured(world: World, chain: Chain, **changes: object) -> SwapAdapter:
    key = new_key()
    tokens = {"ETH": Token(world.weth, 18), "USD": Token(world.usdc, 6)}
    config = replace(SwapConfig("pool", (ETH_USD,), tokens), **changes.pop("config", {}))
    amm = changes.pop("amm", UniswapV2(world.v2.router))
    return SwapAdapter(config, amm, DirectAccount(chain, key.address), chain, Lane(chain, key))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: {"config": {"tokens": {"ETH": Token(w.weth, 18), "USD": Token(w.usdc, 18)}}},
         "decimals"),
        (lambda w: {"config": {"tokens": {"ETH": Token(w.weth, 18), "USD": Token(w.v2.router, 6)}}},
         "token of USD"),
        (lambda w: {"config": {"tokens": {"ETH": Token("0x" + "11" * 20, 18),
                                          "USD": Token(w.usdc, 6)}}}, "no contract is there"),
        (lambda w: {"amm": UniswapV2(w.usdc)}, "router"),
        (lambda w: {"amm": UniswapV3(w.v3.router, w.v3.quoter, 500)}, "fee of 500"),
        (lambda w: {"amm": UniswapV3(w.v3.router, w.usdc, 3000)}, "QuoterV2"),
        (lambda w: {"config": {"instruments": (
            Instrument("X", Asset("ETH", 22), Asset("USD", 24), POOL, price_scale=2),)}}, "lots"),
        (lambda w: {"config": {"coin": "BTC-USD"}}, "BTC-USD"),
        (lambda w: {"config": {"tokens": {"ETH": Token(w.usdc, 6), "USD": Token(w.usdc, 6)},
                               "instruments": (
            Instrument("X", Asset("ETH", 6), USD, POOL, price_scale=2),)}}, "pair"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused_at_the_start(world: World, change, words) -> None:
    async def steps(chain: Chain) -> None:
        with pytest.raises(ExecutionError, match=words):
            await configured(world, chain, **change(world)).start()

    on_chain(world, steps)


def test_the_quoter_of_another_deployment_is_refused(world: World) -> None:
    async def steps(chain: Chain) -> None:
        other = await deploy_v3(await Deployer.of(chain), world.weth)
        mixed = UniswapV3(world.v3.router, other.quoter, 3_000)
        with pytest.raises(ExecutionError, match="same deployment"):
            await configured(world, chain, amm=mixed).start()

    on_chain(world, steps)


def test_the_first_block_since_a_time_is_found(world: World) -> None:
    async def steps(chain: Chain) -> None:
        for seconds in (1, 1, 5, 1, 30):
            world.anvil.call("evm_increaseTime", seconds)
            world.mine(2)
        head = await chain.head()
        times = [
            int((await chain.rpc("eth_getBlockByNumber", hex(number), False))["timestamp"], 16)
            for number in range(head + 1)
        ]
        for time in sorted({one + shift for one in times[-14:] for shift in (-1, 0, 1)}):
            first = next((n for n, one in enumerate(times) if one >= time), head + 1)
            assert await block_since(chain, time, head) == first
        assert await block_since(chain, 0, head) == 0

    on_chain(world, steps)


def test_an_instrument_of_another_venue_or_without_a_token_is_refused(world: World) -> None:
    chain = world.chain()
    elsewhere = Instrument("X", ETH, USD, Venue("other"), price_scale=2)
    with pytest.raises(ExecutionError, match="this venue is pool"):
        configured(world, chain, config={"instruments": (elsewhere,)})
    with pytest.raises(ExecutionError, match="state this asset's token"):
        configured(world, chain, config={"tokens": {"ETH": Token(world.weth, 18)}})


def test_a_node_of_another_chain_is_refused(world: World) -> None:
    async def steps(chain: Chain) -> None:
        other = Chain("other", world.anvil.url, 1, 2)
        try:
            with pytest.raises(ExecutionError, match="give a node of chain 1"):
                await other.start()
        finally:
            await other.close()

    on_chain(world, steps)
