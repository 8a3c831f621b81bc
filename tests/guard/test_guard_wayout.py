"""The way out closes evenly, never crosses zero, and fills wherever the market goes in the set."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from guard_world import (
    AAA,
    COSTS,
    INSTRUMENTS,
    PLENTY,
    PRICES,
    STRESS,
    make_book,
    make_mandate,
    make_situation,
    tied_stress,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.cases import cases
from agent_fund.guard.cost_bound import lots_apart
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.reduction import reduction
from agent_fund.guard.wayout import closing, edge

MANDATE = make_mandate("20%")


@st.composite
def held(draw: st.DrawFn) -> dict[str, int]:
    symbols = draw(st.lists(st.sampled_from(sorted(INSTRUMENTS)), min_size=1, unique=True))
    return {s: draw(st.integers(-400, 400)) * INSTRUMENTS[s].lot for s in symbols}


@settings(deadline=None, max_examples=200)
@given(held(), st.fractions(0, 1))
def test_every_leg_closes_the_same_share_toward_flat_within_a_lot(
    positions: dict[str, int], share: Fraction
) -> None:
    situation = make_situation(make_book(positions=positions))
    legs = {g.instrument.symbol: g for g in closing(MANDATE, situation, share, PRICES).legs}
    for symbol, quantity in positions.items():
        leg = legs.get(symbol)
        size = leg.quantity if leg else 0
        lot = INSTRUMENTS[symbol].lot
        assert 0 <= size <= abs(quantity)
        assert 0 <= size - abs(quantity) * share < lot
        assert leg is None or leg.side is (Side.SELL if quantity > 0 else Side.BUY)


def test_a_share_of_one_lot_is_that_lot() -> None:
    (leg,) = closing(
        MANDATE, make_situation(make_book(positions={"AAA": 1})), Fraction(1, 9), PRICES
    ).legs
    assert leg.quantity == 1


SLICED = replace(MANDATE, exit_bars=4)


@settings(deadline=None, max_examples=150)
@given(held(), st.fractions(0, 1), st.integers(0, 500))
def test_no_leg_is_larger_than_one_bar_takes_while_the_slices_are_enough(
    positions: dict[str, int], share: Fraction, room: int
) -> None:
    capacity = {symbol: room * item.lot for symbol, item in INSTRUMENTS.items()}
    situation = make_situation(make_book(positions=positions), capacity=capacity)
    legs = closing(SLICED, situation, share, PRICES).legs
    if all(abs(q) <= capacity[s] * SLICED.exit_bars for s, q in positions.items()):
        assert all(g.quantity <= capacity[g.instrument.symbol] for g in legs)


def test_a_market_that_takes_less_than_it_did_does_not_hold_up_the_way_out() -> None:
    book = make_book(positions={"AAA": 100, "BBB": 1_000})
    situation = make_situation(book, capacity={"AAA": PLENTY, "BBB": 0})
    legs = closing(SLICED, situation, Fraction(1), PRICES).legs
    assert {g.instrument.symbol: g.quantity for g in legs} == {"AAA": 100, "BBB": 1_000}


@given(held())
def test_closing_everything_leaves_nothing(positions: dict[str, int]) -> None:
    situation = make_situation(make_book(positions=positions))
    left = dict(positions)
    for leg in closing(MANDATE, situation, Fraction(1), PRICES).legs:
        left[leg.instrument.symbol] += leg.side.sign * leg.quantity
    assert not any(left.values())


def test_all_legs_wait_for_the_least_liquid() -> None:
    book = make_book(positions={"AAA": 100, "BBB": 1_000})
    situation = make_situation(book, capacity={"AAA": PLENTY, "BBB": 250})
    sizes = {
        g.instrument.symbol: g.quantity
        for g in closing(SLICED, situation, Fraction(1), PRICES).legs
    }
    assert sizes == {"AAA": 25, "BBB": 250}


@pytest.mark.parametrize("slippage", ["0", "1/500", "7/100"])
@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(INSTRUMENTS)),
    st.sampled_from(list(Side)),
    st.integers(1, 10**6),
    st.fractions(0, 1),
)
def test_a_limit_at_the_edge_fills_at_every_price_of_the_set_after_slippage(
    slippage: str, symbol: str, side: Side, ticks: int, where: Fraction
) -> None:
    instrument = INSTRUMENTS[symbol]
    mandate = make_mandate("20%", costs=Costs(Fraction(0), Fraction(slippage)))
    anchor = ticks * instrument.tick
    limit = edge(mandate, symbol, side, anchor, instrument.tick)
    instrument.require_price(limit, "edge")
    low, high = STRESS.box[STRESS.driver(symbol)]
    market = anchor * (1 + (low + (high - low) * where) / SCALE)
    slip = mandate.costs.slippage * market
    if side is Side.BUY:
        paid = -(-(market + slip) // instrument.tick) * instrument.tick
        assert paid <= limit
    else:
        got = (market - slip) // instrument.tick * instrument.tick
        assert got >= limit or limit == instrument.tick  # no venue sells for nothing


def test_the_edge_is_the_edge_and_no_further() -> None:
    free = make_mandate("20%", costs=Costs(Fraction(0), Fraction(0)))
    assert edge(free, "AAA", Side.SELL, 10_000, 1) == 8_000
    assert edge(free, "AAA", Side.BUY, 10_000, 1) == 11_500
    assert edge(MANDATE, "AAA", Side.SELL, 10_000, 1) == 7_984
    assert edge(MANDATE, "AAA", Side.BUY, 10_000, 1) == 11_523


@pytest.mark.parametrize(
    ("quantity", "now", "from_price"),
    [(10, 7_000, 7_000), (10, 12_000, 10_000), (-10, 12_000, 12_000), (-10, 7_000, 10_000)],
)
def test_a_way_out_reaches_as_far_as_decision_and_market_ask(
    quantity: int, now: int, from_price: int
) -> None:
    situation = make_situation(make_book(positions={"AAA": quantity}), {**PRICES, "AAA": now})
    (leg,) = closing(MANDATE, situation, Fraction(1), PRICES).legs
    assert leg.limit == edge(MANDATE, "AAA", leg.side, from_price, 1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 900), st.integers(0, 9_000), st.sampled_from(["3%", "8%", "15%"]))
def test_the_book_after_a_reduction_that_fills_at_these_prices_is_safe(
    aaa: int, bbb: int, limit: str
) -> None:
    positions = {"AAA": aaa, "BBB": bbb // 10 * 10}
    book = make_book(10**7, positions)
    guard = Guard(make_mandate(limit, stress=tied_stress()))
    situation = make_situation(book)
    left, cash = dict(positions), book.cash
    part = reduction(guard, situation)
    for leg in closing(guard.mandate, situation, part, PRICES).legs:
        left[leg.instrument.symbol] -= leg.quantity
        notional = leg.instrument.notional(leg.quantity, PRICES[leg.instrument.symbol])
        cash += notional - COSTS.exit(notional)
    after = make_situation(make_book(cash, left), mark=situation.mark)
    assert guard.look(after) is not None


@pytest.mark.parametrize(
    "rail", [gross_leverage("90%", always=True), concentration("90%", always=True)]
)
def test_a_reduction_for_an_exposure_limit_counts_what_the_sale_brings_in(rail: Guardrail) -> None:
    # All in one asset and no cash: at most 90 % may be kept, and 80 % of that is kept.
    book = make_book(0, {"AAA": 1_000})
    guard = Guard(make_mandate("60%", rail))
    situation = make_situation(book)
    assert guard.look(situation) is None
    part = reduction(guard, situation)
    (leg,) = closing(guard.mandate, situation, part, PRICES).legs
    assert (leg.instrument, leg.side) == (AAA, Side.SELL)
    assert 280 <= leg.quantity <= 290


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 60),
    st.integers(1, 400),
    st.booleans(),
    st.integers(1, 6),
    st.integers(1, 12),
)
def test_slices_that_lots_put_out_of_proportion_miss_no_more_than_is_counted(
    coins: int, hedges: int, short: bool, room: int, exit_bars: int
) -> None:
    """Two instruments that move together are closed slice by slice, each rounded up to lots.

    The market stands at one end of the box while the slices fill and then turns to the other.
    """
    mandate = replace(MANDATE, exit_bars=exit_bars)
    sizes = {"AAA": coins, "BBB": hedges * INSTRUMENTS["BBB"].lot}
    start = {s: -q if short else q for s, q in sizes.items()} | {"BBB": sizes["BBB"]}
    ends = [
        {s: Fraction(STRESS.box[STRESS.driver(s)][side], SCALE) for s in start} for side in (0, 1)
    ]

    def worth(positions: dict[str, int], at: dict[str, Fraction]) -> Fraction:
        parts = (INSTRUMENTS[s].notional(q, PRICES[s]) * at[s] for s, q in positions.items())
        return sum(parts, Fraction(0))

    book = make_book(positions=start)
    band = {s: (PRICES[s], PRICES[s]) for s in start}
    counted = lots_apart(cases(book, Proposal()), STRESS, band, book, exit_bars)
    proportional = [worth(start, at) for at in ends]
    capacity = {"AAA": PLENTY, "BBB": room * INSTRUMENTS["BBB"].lot}
    for first, then in (ends, ends[::-1]):
        left, made = dict(start), Fraction(0)
        for _ in range(exit_bars + 1):
            situation = make_situation(make_book(positions=left), capacity=capacity)
            for leg in closing(mandate, situation, Fraction(1), PRICES).legs:
                sold = {leg.instrument.symbol: -leg.side.sign * leg.quantity}
                made += worth(sold, first)
                left[leg.instrument.symbol] -= sold[leg.instrument.symbol]
            seen = made + worth(left, then)
            assert min(*proportional, 0) - counted <= seen <= max(*proportional, 0) + counted
