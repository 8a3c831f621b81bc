"""The ledger and the chain agree to the last unit, whatever is traded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from evm_world import COARSE, ETH_USD, World, on_chain, running_world
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_fund.devnet.packages import missing
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Fill, Side
from agent_fund.execution.account import Bucket
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import topic
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.receipt import Log, Receipt
from agent_fund.execution.evm.token import Token
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.leg_state import LegState

NEEDS_CHAIN = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
OWNER, POOL_ADDRESS = "0x" + "11" * 20, "0x" + "22" * 20
BASE, QUOTE = "0x" + "33" * 20, "0x" + "44" * 20


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as one:
        yield one


@NEEDS_CHAIN
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    amm=st.sampled_from(["v2", "v3"]),
    coarse=st.booleans(),
    side=st.sampled_from(list(Side)),
    lots=st.integers(1, 2 * 10**8),
    dust=st.integers(0, 10**10 - 1),
)
def test_the_ledger_after_a_fill_is_what_the_account_holds(
    world: World, amm: str, coarse: bool, side: Side, lots: int, dust: int
) -> None:
    instrument = COARSE if coarse else ETH_USD
    quantity = lots if coarse else lots * 10**10 + dust

    async def steps(chain: Chain) -> None:
        trader = await world.trader(chain, amm, instrument=instrument)
        base, quote = instrument.base, instrument.quote
        ledger = Ledger(quote, {instrument.symbol: instrument})
        held = (await trader.adapter.holdings(2**50)).assets
        for asset in (base, quote):
            ledger.deposit(asset, held[asset.symbol], "pool", f"deposit {asset.symbol}")
        order = trader.order(side, quantity, 4_000_00 if side is Side.BUY else 2_000_00)
        ledger.reserve([(order, trader.adapter.maximum_fee(order))])
        prepared = await trader.adapter.prepare(order, await trader.deadline())
        await trader.adapter.submit(prepared)
        report = await trader.status(prepared, LegState.FILLED)
        (trade,) = report.executions
        amounts = (trade.quantity, trade.price, trade.fee)
        fill = Fill(trade.exec_id, order.order_id, instrument, side, *amounts, 0)
        ledger.fill(fill, order)
        now = (await trader.adapter.holdings(2**50)).assets
        assert ledger.balance("pool", base, Bucket.AVAILABLE) == now["ETH"]
        booked = ledger.balance("pool", quote, Bucket.AVAILABLE)
        # Where the token has more decimals than the fund, what is less than a unit is not booked.
        assert now["USD"] - booked in ((0, 1) if coarse and side is Side.SELL else (0,))
        assert ledger.balance("pool", base, Bucket.RESERVED) == 0
        assert ledger.balance("pool", quote, Bucket.RESERVED) == 0

    on_chain(world, steps)


decimals = st.integers(0, 24)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    base_scale, price_scale = draw(st.integers(0, 18)), draw(st.integers(0, 6))
    quote_scale = base_scale + price_scale + draw(st.integers(0, 6))
    venue = Venue("pool")
    base_decimals = draw(decimals)
    lot = 10 ** max(base_scale - base_decimals, 0)
    instrument = Instrument(
        "A-B", Asset("A", base_scale), Asset("B", quote_scale), venue, price_scale, lot=lot
    )
    return Pair(instrument, Token(BASE, base_decimals), Token(QUOTE, draw(decimals)), POOL_ADDRESS)


def moved(token: str, source: str, target: str, amount: int, index: int) -> Log:
    words = [f"0x{int(one, 16):064x}" for one in (source, target)]
    topics = (topic("Transfer(address,address,uint256)"), *words)
    return Log(token, topics, amount.to_bytes(32, "big"), index)


def receipt(*logs: Log) -> Receipt:
    return Receipt("0xab", 1, True, 1, logs)


amount = st.integers(1, 10**30)


@given(pairs(), st.sampled_from(list(Side)), amount, amount)
def test_price_and_fee_account_for_every_unit_against_the_fund(
    pair: Pair, side: Side, base: int, quote: int
) -> None:
    ends = (POOL_ADDRESS, OWNER) if side is Side.BUY else (OWNER, POOL_ADDRESS)
    base_log = moved(BASE, *ends, base, 4)
    quote_log = moved(QUOTE, *reversed(ends), quote, 3)
    one = pair.instrument
    exact_base = Fraction(base * 10**one.base.scale, 10**pair.base.decimals)
    exact_quote = Fraction(quote * 10**one.quote.scale, 10**pair.quote.decimals)
    if side is Side.BUY and exact_base < 1:
        return  # less than a base unit was bought: no order is so small
    found = pair.execution(receipt(quote_log, base_log), OWNER, final=True)
    assert found is not None
    assert found[0] is side
    trade = found[1]
    assert trade.exec_id == "0xab:4"
    notional = one.notional(trade.quantity, trade.price)
    assert 0 <= trade.fee < one.notional(trade.quantity, 1)
    if side is Side.BUY:
        assert 0 <= exact_base - trade.quantity < 1
        assert 0 <= notional + trade.fee - exact_quote < 1
    else:
        assert 0 <= trade.quantity - exact_base < 1
        assert 0 <= exact_quote - (notional - trade.fee) < 1


@given(pairs(), st.integers(1, 10**20), st.integers(1, 10**9))
def test_what_is_sent_to_the_chain_is_rounded_against_the_fund(
    pair: Pair, quantity: int, limit: int
) -> None:
    one = pair.instrument
    exact = Fraction(one.notional(quantity, limit) * 10**pair.quote.decimals, 10**one.quote.scale)
    assert 0 <= exact - pair.most_spent(quantity, limit) < 1
    assert 0 <= pair.least_received(quantity, limit) - exact < 1


def test_transfers_that_are_no_swap_of_the_account_are_no_execution() -> None:
    pair = Pair(ETH_USD, Token(BASE, 18), Token(QUOTE, 6), POOL_ADDRESS)
    bought = moved(BASE, POOL_ADDRESS, OWNER, 5, 0)
    paid = moved(QUOTE, OWNER, POOL_ADDRESS, 7, 1)
    nft = Log(BASE, (*bought.topics, "0x" + "0" * 64), b"", 0)
    # Some old contracts state all three in the data.
    unindexed = Log(BASE, bought.topics[:1], bytes(96), 0)
    for logs in (
        (),
        (bought,),
        (paid,),
        (bought, moved(QUOTE, POOL_ADDRESS, OWNER, 7, 1)),
        (moved(BASE, POOL_ADDRESS, POOL_ADDRESS, 5, 0), paid),
        (bought, moved(BASE, OWNER, POOL_ADDRESS, 5, 2), paid),
        (nft, paid),
        (unindexed, paid),
    ):
        assert pair.execution(receipt(*logs), OWNER, final=True) is None
    assert pair.execution(receipt(bought, paid), OWNER, final=True) is not None


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 50))
def test_the_middle_price_is_the_ratio_rounded_down_to_the_tick(
    numerator: int, denominator: int, tick: int
) -> None:
    instrument = Instrument(
        "X", Asset("ETH", 18), Asset("USD", 20), Venue("pool"), price_scale=2, tick=tick
    )
    pair = Pair(instrument, Token(BASE, 18), Token(QUOTE, 6), POOL_ADDRESS)
    price = pair.middle(Fraction(numerator, denominator))
    exact = Fraction(numerator, denominator) * Fraction(10**18, 10**6) * 100
    assert price % tick == 0
    assert price <= exact < price + tick


def test_a_pool_trades_in_whole_units_of_its_token() -> None:
    with pytest.raises(ExecutionError, match="lots"):
        Pair(ETH_USD, Token(BASE, 6), Token(QUOTE, 6), POOL_ADDRESS)
    assert Pair(replace(ETH_USD, lot=10**12), Token(BASE, 6), Token(QUOTE, 6), POOL_ADDRESS)
