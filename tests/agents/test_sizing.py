"""Limits never leave the tolerance, lots never exceed the budget, shares are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from agents_market import book_of, tracker
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.agents.sizing import free_cash, limit_price, sellable, share, whole_lots
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Order, Purpose, Side

steps = st.integers(1, 50)
tolerances = st.fractions(0, 1).filter(lambda value: value < 1)


@given(steps, st.integers(1, 10_000), st.sampled_from(Side), tolerances)
def test_a_limit_is_the_furthest_tick_inside_the_tolerance(
    tick: int, ticks: int, side: Side, tolerance: Fraction
) -> None:
    instrument, close = tracker("X", tick=tick), ticks * tick
    limit = limit_price(instrument, close, side, tolerance)
    assert limit > 0
    assert limit % tick == 0
    assert abs(limit - close) <= close * tolerance
    assert (limit - close) * side.sign >= 0
    beyond = limit + side.sign * tick
    assert abs(beyond - close) > close * tolerance or beyond <= 0


@given(steps, st.integers(-10, 10**15), st.integers(1, 10**6))
def test_whole_lots_are_the_most_that_the_budget_pays(lot: int, budget: int, price: int) -> None:
    instrument = tracker("X", lot=lot)
    quantity = whole_lots(instrument, budget, price)
    assert quantity % lot == 0
    assert quantity >= 0
    assert instrument.notional(quantity, price) <= max(budget, 0)
    assert instrument.notional(quantity + lot, price) > budget


def order(instrument_lot: int, side: Side, quantity: int, limit: int) -> Order:
    return Order(
        "o", tracker("X", lot=instrument_lot), side, quantity, limit, Purpose.AGENT, expires=9
    )


def test_open_orders_are_counted() -> None:
    instrument = tracker("X", lot=10)
    buying = book_of(10**9, {instrument: 55}, (order(10, Side.BUY, 20, 100),))
    assert free_cash(buying) == 10**9 - instrument.notional(20, 100)
    assert sellable(buying, instrument) == 50
    selling = book_of(10**9, {instrument: 55}, (order(10, Side.SELL, 20, 100),))
    assert free_cash(selling) == 10**9
    assert sellable(selling, instrument) == 30
    assert sellable(book_of(0, {instrument: -55}), instrument) == 0


def test_shares_outside_their_range_are_refused() -> None:
    assert share("2.5%", "tolerance") == Fraction(1, 40)
    for bad in ("101%", "-1%", 0.5):
        with pytest.raises(DomainError, match="tolerance"):
            share(bad, "tolerance")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="below 100 %"):
        share("100%", "tolerance", below_one=True)
