"""The moving-average cross decides as a naive recomputation does, and pays only from cash."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from agents_market import STRATEGIES, book_of, feed, history_of, tracker
from hypothesis import example, given
from hypothesis import strategies as st

from agent_fund.agents.errors import ConfigurationError
from agent_fund.agents.loading import load_class
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.market.snapshot import History

Cross: Any = load_class(STRATEGIES / "moving_average_cross.py", "MovingAverageCross")
GOLD, OTHER = tracker("GOLD", lot=10, tick=5), tracker("OTHER")
prices = st.integers(100, 130).map(lambda ticks: 5 * ticks)


def naive_long(closes: list[int], fast: int, slow: int) -> bool:
    if len(closes) < slow:
        return False
    return Fraction(sum(closes[-fast:]), fast) > Fraction(sum(closes[-slow:]), slow)


@given(
    st.lists(prices, min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 10),
    st.sets(st.integers(0, 59)),
)
def test_decides_as_a_naive_recomputation_even_when_bars_are_not_shown(
    closes: list[int], fast: int, more: int, skipped: set[int]
) -> None:
    slow = fast + more
    strategy = Cross("GOLD", fast, slow)
    history = History((OTHER, GOLD))
    flat, invested = (book_of(10**12, {GOLD: held, OTHER: 0}) for held in (0, 100))
    for bar, close in enumerate(closes):
        feed(history, bar, (7, close))
        if bar in skipped:
            continue
        long = naive_long(closes[: bar + 1], fast, slow)
        buy = strategy.decide(history.snapshot(), flat)
        assert [leg.side for leg in buy.legs] == ([Side.BUY] if long else [])
        sale = strategy.decide(history.snapshot(), invested)
        assert [(leg.side, leg.quantity) for leg in sale.legs] == (
            [] if long else [(Side.SELL, 100)]
        )


@given(
    st.integers(0, 10**13),
    prices,
    st.integers(0, 10_000),
    st.integers(0, 9_999),
    st.integers(0, 9_999),
)
@example(10**12, 600, 10_000, 0, 5_000)
@example(10**12, 600, 10_000, 5_000, 0)
@example(10**12, 600, 5_000, 0, 0)
def test_a_buy_leaves_the_reserve_and_keeps_to_the_exposure(
    cash: int, close: int, exposure: int, tolerance: int, reserve: int
) -> None:
    strategy = Cross(
        "GOLD",
        1,
        2,
        exposure=f"{exposure}/10000",
        tolerance=f"{tolerance}/10000",
        reserve=f"{reserve}/10000",
    )
    snapshot = history_of({GOLD: [close - 5, close], OTHER: [1, 1]}).snapshot()
    for leg in strategy.decide(snapshot, book_of(cash, {GOLD: 0, OTHER: 0})).legs:
        assert leg.limit <= close * Fraction(10_000 + tolerance, 10_000)
        assert cash - GOLD.notional(leg.quantity, leg.limit) >= cash * Fraction(reserve, 10_000)
        assert GOLD.notional(leg.quantity, close) <= cash * Fraction(exposure, 10_000)


def test_a_fixed_quantity_is_bought_whole_or_not_at_all() -> None:
    snapshot = history_of({GOLD: [500, 600]}).snapshot()
    strategy = Cross("GOLD", 1, 2, quantity="0.05", tolerance="0", reserve="0")
    enough = GOLD.notional(50, 600)
    (leg,) = strategy.decide(snapshot, book_of(enough, {GOLD: 0})).legs
    assert (leg.quantity, leg.limit) == (50, 600)
    assert strategy.decide(snapshot, book_of(enough - 1, {GOLD: 0})) is HOLD


def test_an_open_buy_is_not_doubled_and_nothing_to_do_is_the_shared_proposal() -> None:
    snapshot = history_of({GOLD: [500, 600]}).snapshot()
    buy = Order("o", GOLD, Side.BUY, 10, 600, Purpose.AGENT, expires=9)
    strategy = Cross("GOLD", 1, 2)
    assert strategy.decide(snapshot, book_of(10**12, {GOLD: 0}, (buy,))) is HOLD
    assert strategy.decide(snapshot, book_of(10**12, {GOLD: 10})) is HOLD
    assert len(strategy.decide(snapshot, book_of(10**12, {GOLD: 0})).legs) == 1


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="fast < slow"):
        Cross("GOLD", 100, 20)
    with pytest.raises(DomainError, match="tolerance"):
        Cross("GOLD", tolerance="100%")
    with pytest.raises(DomainError, match="exposure"):
        Cross("GOLD", exposure=0.5)
