"""What the proofs need of a margin account: settings and tiers are compared before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import chain

import pytest
from exchange_world import FAR, HYPER, IN_QUOTE, MARGIN, PERPETUAL, Keys, World, order, world
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.devnet.exchange.server import LoopbackExchange
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.connect import binance_futures
from agent_fund.execution.exchange.hyperliquid_rows import brackets_of
from agent_fund.execution.exchange.margin_terms import MarginTerms, marginal, require_terms
from agent_fund.execution.live.leg_state import LegState

Change = Callable[[LoopbackExchange], None]
UNIT = 10**PERPETUAL.quote.scale
NO_MORE = 10**6  # of notional, in the quote asset


def hedge(exchange: LoopbackExchange) -> None:
    exchange.futures_rest.hedge = True


def joint(exchange: LoopbackExchange) -> None:
    exchange.futures_rest.joint = True


def isolated(exchange: LoopbackExchange) -> None:
    exchange.futures_rest.isolated = exchange.hyperliquid_rest.isolated = True


def burn(exchange: LoopbackExchange) -> None:
    exchange.margin_account.burn = True


def less_leverage(exchange: LoopbackExchange) -> None:
    exchange.margin_account.leverage = exchange.usdc_account.leverage = Decimal(19)


def stricter(exchange: LoopbackExchange) -> None:
    exchange.futures_rest.tiers = [(Decimal(0), Decimal("0.0201"))]
    exchange.hyperliquid_rest.tiers = [(Decimal(0), 24)]


def stricter_above(exchange: LoopbackExchange) -> None:
    exchange.futures_rest.tiers.append((Decimal(10**9), Decimal("0.0201")))
    exchange.hyperliquid_rest.tiers.append((Decimal(10**9), 24))


def narrower(exchange: LoopbackExchange) -> None:
    """Within what the run file states only with the market's own floors."""
    first, second = (Decimal(0), Decimal("0.005")), (Decimal(10**6), Decimal("0.02"))
    exchange.futures_rest.tiers = [first, second]
    exchange.futures_rest.coefficient = Decimal("0.5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (hedge, "one-way mode"),
        (joint, "single-asset mode"),
        (burn, "configure 'BNB' as prepaid"),
        (isolated, "set BTCUSDT to that"),
        (less_leverage, r"asks for 5\.263158%"),
        (stricter, r'write tiers = \[\{ floor = "0", rate = "2\.01%" \}\]'),
        (stricter_above, r'floor = "1000000000", rate = "2\.01%"'),
    ],
)
def test_a_futures_account_that_is_set_otherwise_does_not_start(change: Change, words: str) -> None:
    async def run() -> None:
        async with world() as w:
            change(w.exchange)
            with pytest.raises(ExecutionError, match=words):
                await w.futures()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (isolated, "set BTC to that"),
        (less_leverage, r"asks for 5\.263158%"),
        (stricter, r'rate = "2\.083334%"'),
        (stricter_above, r'floor = "1000000000", rate = "2\.083334%"'),
    ],
)
def test_a_hyperliquid_account_that_is_set_otherwise_does_not_start(
    change: Change, words: str
) -> None:
    async def run() -> None:
        async with world() as w:
            change(w.exchange)
            with pytest.raises(ExecutionError, match=words):
                await w.hyper()

    asyncio.run(run())


def test_tiers_that_are_narrower_for_the_account_are_compared_as_such() -> None:
    stated = (Tier(0, Fraction(1, 200)), Tier(10**6 * UNIT, Fraction(1, 50)))
    line = replace(PERPETUAL, margin=replace(MARGIN, tiers=stated))

    async def run(coefficient: str) -> None:
        async with world() as w:
            narrower(w.exchange)
            w.exchange.futures_rest.coefficient = Decimal(coefficient)
            await futures_of(w, line)

    for coefficient in ("1", "1.5"):
        asyncio.run(run(coefficient))
    with pytest.raises(ExecutionError, match='floor = "500000", rate = "2%"'):
        asyncio.run(run("0.5"))


def test_accounts_that_ask_for_as_much_as_is_stated_trade() -> None:
    async def run() -> None:
        async with world(maintenance=Decimal("0.02")) as w:
            for adapter, line in ((await w.futures(), PERPETUAL), (await w.hyper(), HYPER)):
                made = order(Side.BUY, "0.5", "60100", instrument=line)
                report = await adapter.submit(await adapter.prepare(made, FAR))
                assert report.state is LegState.SETTLED

    asyncio.run(run())


async def futures_of(w: World, line: Instrument) -> None:
    adapter = binance_futures("futures", Keys(), {line: "BTCUSDT"}, IN_QUOTE, w.setting)
    w.made.append(adapter)
    await adapter.start()


@pytest.mark.parametrize(
    ("number", "expected"),
    [(None, [(0, "1/80")]), (20, [(0, "1/40")]), (56, [(0, "1/80"), (150_000_000, "1/40")])],
)
def test_hyperliquids_tables_are_read_by_their_number(
    number: int | None, expected: list[tuple[int, str]]
) -> None:
    row = {"name": "BTC", "maxLeverage": 40}
    row |= {} if number is None else {"marginTableId": number}
    tiers = [
        {"lowerBound": "0.0", "maxLeverage": 40},
        {"lowerBound": "150000000.0", "maxLeverage": 20},
    ]
    made = brackets_of(row, [[56, {"description": "tiered 40x", "marginTiers": tiers}]])
    assert [(b.floor, b.rate) for b in made] == [(f, Fraction(rate)) for f, rate in expected]


def test_a_table_that_is_not_told_is_no_table() -> None:
    with pytest.raises(Unclear, match="margin table 57"):
        brackets_of({"name": "BTC", "maxLeverage": 40, "marginTableId": 57}, [])


rising = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40)), min_size=1, max_size=4).map(
    lambda rows: list(
        zip(
            sorted({0, *(floor * 1000 for floor, _ in rows[1:])}),
            sorted(rate for _, rate in rows),
            strict=False,
        )
    )
)


@given(stated=rising, asked=rising)
def test_terms_pass_exactly_if_they_never_ask_for_more(
    stated: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    tiers = tuple(Tier(floor * UNIT, Fraction(rate, 100)) for floor, rate in stated)
    line = replace(PERPETUAL, margin=Margin(Fraction(1), tiers, Fraction(0)))
    brackets = marginal([(Fraction(floor), Fraction(rate, 100)) for floor, rate in asked])
    exceeds = any(
        max(bracket.asks(Fraction(notional)) for bracket in brackets) * UNIT
        > line.margin.maintenance(notional * UNIT)
        for notional in chain(range(0, 21_000, 500), [NO_MORE])
    )
    terms = MarginTerms(isolated=False, initial=Fraction(1, 10), brackets=brackets)
    if exceeds:
        with pytest.raises(ExecutionError, match="write tiers"):
            require_terms(line, "X", terms)
    else:
        require_terms(line, "X", terms)
