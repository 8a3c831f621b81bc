"""Tokens that keep a part of a transfer, or take one on top: the limit holds by balances."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evm_world import COIN, ETH_USD, PRICE, Trader, World, new_key, on_chain, running_world

from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.packages import missing
from agent_fund.devnet.tokens import mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, add_liquidity_v3
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Fill, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.terms import Terms, TermsError
from agent_fund.execution.live.leg_state import LegState
from contracts.compile import compile_sources

pytestmark = pytest.mark.skipif(
    bool(missing()) or shutil.which("node") is None,
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
TOKENS = Path(__file__).parents[2] / "contracts" / "doubles" / "Tokens.sol"
USDC_UNIT = 10**6
GOLD, CASH, OWNER = ("0x" + f"{n:02x}" * 20 for n in (17, 34, 51))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


@pytest.fixture(scope="module")
def toll_token() -> dict[str, object]:
    return compile_sources({TOKENS.name: TOKENS.read_text("utf-8")})["TollToken"]


async def trading(
    world: World, chain: Chain, code: dict[str, object], amm: str, *, tolled: str
) -> tuple[Trader, str]:
    """A trader in a pool of WETH or USDC and a token with tolls, which are none yet; that token."""
    deployer = await Deployer.of(chain)
    decimals = 6 if tolled == "quote" else 18
    token = await deployer.creation("TollToken", code["abi"], code["bytecode"], decimals)
    changed = {"usdc": token} if tolled == "quote" else {"weth": token}
    here = replace(world, **changed)
    key = new_key()
    world.anvil.call("anvil_setBalance", key.address, hex(100 * COIN))
    for owner, coins in ((deployer.address, 100), (key.address, 10)):
        if tolled == "quote":
            await wrap(deployer, here.weth, coins * COIN, owner)
        else:
            await mint(deployer, here.weth, owner, coins * COIN)
        await mint(deployer, here.usdc, owner, coins * PRICE * USDC_UNIT)
    amounts = (here.weth, 100 * COIN, here.usdc, 100 * PRICE * USDC_UNIT)
    add = add_liquidity_v2 if amm == "v2" else add_liquidity_v3
    await add(deployer, world.v2 if amm == "v2" else world.v3, *amounts)
    return await here.trader(chain, amm, key=key), token


async def set_tolls(chain: Chain, token: str, kept: int, added: int = 0) -> None:
    data = call_data("setTolls(uint256,uint256)", kept, added)
    await (await Deployer.of(chain)).transact(token, data)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_a_sale_of_which_a_part_is_kept_must_still_bring_its_limit(
    world: World, toll_token: dict[str, object], amm: str
) -> None:
    async def steps(chain: Chain) -> None:
        trader, token = await trading(world, chain, toll_token, amm, tolled="quote")
        await set_tolls(chain, token, 200)
        before = await trader.balances()
        with pytest.raises(TermsError, match="arrival"):
            await trader.trade(Side.SELL, COIN // 100, 2_980_00)
        assert await trader.balances() == before
        report = await trader.trade(Side.SELL, COIN // 100, 2_900_00)
        assert report.state is LegState.FILLED
        after = await trader.balances()
        assert after[1] - before[1] >= 29 * USDC_UNIT
        assert before[0] - after[0] == COIN // 100

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_a_purchase_of_which_a_part_is_kept_is_refused(
    world: World, toll_token: dict[str, object], amm: str
) -> None:
    async def steps(chain: Chain) -> None:
        trader, token = await trading(world, chain, toll_token, amm, tolled="base")
        await set_tolls(chain, token, 1)
        with pytest.raises(TermsError, match="arrival"):
            await trader.trade(Side.BUY, COIN // 100, 4_000_00)
        await set_tolls(chain, token, 0)
        assert (await trader.trade(Side.BUY, COIN // 100, 4_000_00)).state is LegState.FILLED

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_a_sale_that_takes_more_than_is_sold_is_refused(
    world: World, toll_token: dict[str, object], amm: str
) -> None:
    async def steps(chain: Chain) -> None:
        trader, token = await trading(world, chain, toll_token, amm, tolled="base")
        await set_tolls(chain, token, 0, 1)
        with pytest.raises(TermsError, match="spent"):
            await trader.trade(Side.SELL, COIN // 100, 2_000_00)
        await set_tolls(chain, token, 0)
        assert (await trader.trade(Side.SELL, COIN // 100, 2_000_00)).state is LegState.FILLED

    on_chain(world, steps)


@pytest.mark.parametrize("amm", ["v2", "v3"])
def test_a_purchase_that_takes_more_than_the_limit_is_refused(
    world: World, toll_token: dict[str, object], amm: str
) -> None:
    async def steps(chain: Chain) -> None:
        trader, token = await trading(world, chain, toll_token, amm, tolled="quote")
        await set_tolls(chain, token, 0, 200)
        with pytest.raises(TermsError, match="spent"):
            await trader.trade(Side.BUY, COIN // 100, 3_020_00)
        assert (await trader.trade(Side.BUY, COIN // 100, 3_100_00)).state is LegState.FILLED

    on_chain(world, steps)


def test_a_toll_that_is_set_after_the_signature_is_told_as_it_was_and_is_no_fill(
    world: World, toll_token: dict[str, object]
) -> None:
    async def steps(chain: Chain) -> None:
        trader, token = await trading(world, chain, toll_token, "v2", tolled="quote")
        order = trader.order(Side.SELL, COIN // 100, 2_980_00)
        prepared = await trader.adapter.prepare(order, await trader.deadline())
        await set_tolls(chain, token, 200)
        before = await trader.balances()
        await trader.adapter.submit(prepared)
        (trade,) = (await trader.status(prepared, LegState.FILLED)).executions
        after = await trader.balances()
        brought = ETH_USD.notional(trade.quantity, trade.price) - trade.fee
        assert (after[1] - before[1]) * 10**14 == brought
        fill = (trade.exec_id, order.order_id, ETH_USD, Side.SELL)
        with pytest.raises(DomainError, match="limit"):
            order.with_fill(Fill(*fill, trade.quantity, trade.price, trade.fee, 1))

    on_chain(world, steps)


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def terms(token_in: str, token_out: str) -> Terms:
    return Terms(OWNER, Action(Call(OWNER, b""), OWNER, token_in, 100, token_out, 50))


def test_terms_hold_to_the_unit() -> None:
    one, before = terms(GOLD, CASH), [word(500), word(7)]
    assert [look.to for look in one.looks] == [GOLD, CASH]
    for spent, arrived, held in (
        (100, 50, True),
        (0, 51, True),
        (-3, 50, True),
        (101, 50, False),
        (100, 49, False),
        (100, -1, False),
    ):
        after = [word(500 - spent), word(7 + arrived)]
        if held:
            one.require(before, after)
        else:
            with pytest.raises(TermsError):
                one.require(before, after)


def test_where_there_is_no_token_nothing_is_asked_and_nothing_arrives() -> None:
    deposit = replace(terms(GOLD, NOTHING).action, min_out=0)
    gives = Terms(OWNER, deposit)
    assert [look.to for look in gives.looks] == [GOLD]
    gives.require([word(100)], [word(0)])
    with pytest.raises(TermsError):
        gives.require([word(101)], [word(0)])
    takes = terms(NOTHING, CASH)
    assert [look.to for look in takes.looks] == [CASH]
    takes.require([word(0)], [word(50)])
    with pytest.raises(TermsError):
        takes.require([word(0)], [word(49)])
    with pytest.raises(TermsError):
        terms(NOTHING, NOTHING).require([], [])


@pytest.mark.parametrize("answer", [b"", bytes(31), bytes(33)])
def test_what_states_no_balance_is_refused(answer: bytes) -> None:
    with pytest.raises(ExecutionError, match="balance"):
        terms(GOLD, CASH).require([word(1), answer], [word(1), word(1)])
