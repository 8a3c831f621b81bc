"""Limits, worst cases and amounts: exact, against the fund, and never beyond the goal."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from route_world import DOLLAR, LATER, NOW, PRICE, FakeCarrier, curve, everywhere, line, make_terms

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Quote
from agent_fund.execution.route.goal import (
    Buy,
    Move,
    Sale,
    common_lot,
    in_line,
    units,
)
from agent_fund.execution.route.pricing import (
    Hop,
    UnavailableError,
    bridge_bringing,
    goal_price,
    limit_price,
)
from agent_fund.execution.route.quotes import NoQuoteError, Quotes
from agent_fund.execution.route.stages import Bridge, Swap, shown
from agent_fund.execution.route.terms import RouteTerms

LINES = st.builds(
    lambda scale, lot, tick, price_scale: line(
        "ETH", "a", scale=scale, lot=lot, tick=tick, price_scale=price_scale
    ),
    st.integers(0, 8),
    st.integers(1, 30),
    st.integers(1, 25),
    st.integers(0, 4),
)
SHARES = st.fractions(min_value=0, max_value=Fraction(1, 5), max_denominator=1000)


def quote_of(instrument: Instrument, side: Side, quantity: int, money: int, firm: bool) -> Quote:
    spent, received = (money, quantity) if side is Side.BUY else (quantity, money)
    return Quote(instrument, side, quantity, spent, received, 0, LATER, firm)


@settings(deadline=None, max_examples=300)
@given(
    LINES,
    st.sampled_from(Side),
    st.integers(1, 10**6),
    st.integers(1, 10**7),
    st.integers(0, 10**9),
    SHARES,
    st.fractions(min_value=Fraction(4, 5), max_value=Fraction(5, 4), max_denominator=10**4),
    st.booleans(),
)
def test_a_limit_gets_the_quote_and_stays_within_the_goal(
    instrument: Instrument,
    side: Side,
    lots: int,
    price: int,
    odd: int,
    tolerance: Fraction,
    away: Fraction,
    firm: bool,
) -> None:
    quantity = lots * instrument.lot
    limit = Fraction(price, int(10**instrument.price_scale)) * away
    money = instrument.notional(quantity, price) + odd % instrument.notional(quantity, 1)
    quote = quote_of(instrument, side, quantity, money, firm)
    found = limit_price(quote, limit, tolerance)
    whole = int(10**instrument.price_scale)
    if found is None:
        # Not even the nearest price on the tick is within the goal, or there is none.
        tick, unit = instrument.tick, instrument.notional(quantity, 1)
        steps = -(-money // (unit * tick)) if side is Side.BUY else money // (unit * tick)
        tight = Fraction(steps * tick, whole)
        assert tight > limit if side is Side.BUY else tight < limit or not steps
        return
    assert found > 0
    assert found % instrument.tick == 0
    at_limit = instrument.notional(quantity, found)
    if side is Side.BUY:
        assert at_limit >= money, "the quote can be had"
        assert Fraction(found, whole) <= limit
        tight = (found - instrument.tick) * instrument.multiplier * quantity
        assert tight < money * (1 + (0 if firm else tolerance)), "and no more is conceded"
    else:
        assert at_limit <= money
        assert Fraction(found, whole) >= limit
        tight = (found + instrument.tick) * instrument.multiplier * quantity
        assert tight > money * (1 - (0 if firm else tolerance)), "and no more is conceded"


def test_the_goals_limit_is_never_rounded_beyond_it() -> None:
    instrument = line("ETH", "a", tick=25)
    assert goal_price(instrument, Side.BUY, Fraction("100.99")) == 100_75
    assert goal_price(instrument, Side.SELL, Fraction("100.01")) == 100_25
    assert goal_price(instrument, Side.BUY, Fraction("0.24")) == 0


def swap(quantity: int, limit: int, ready: int, lot: int = 5) -> Swap:
    instrument = line("ETH", "a", lot=lot)
    quoted = instrument.notional(quantity, limit)
    terms = (quoted, min(ready, 7), ready, 0, 0, LATER)
    return Swap(instrument, Side.BUY, quantity, limit, *terms)


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 200), st.integers(1, 10**5), st.integers(0, 10**9), st.integers(0, 10**13))
def test_a_purchase_within_a_budget_is_the_largest_in_whole_lots(
    lots: int, limit: int, ready: int, budget: int
) -> None:
    whole = swap(lots * 5, limit, ready)
    found = whole.within(budget)
    lot = whole.instrument.notional(5, limit)
    if found is None:
        assert budget < lot + ready
        return
    assert found.reserve <= budget
    assert found.quantity % 5 == 0
    assert found == whole or found.reserve + lot > budget


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(0, 1000),
    st.fractions(min_value=0, max_value=Fraction(1, 10), max_denominator=1000),
)
def test_what_another_amount_brings_is_never_promised_too_high(
    amount: int, other: int, fixed: int, part: Fraction
) -> None:
    carrier = FakeCarrier("c", everywhere("a", "b"), fixed=fixed, part=part)
    assume(carrier.brings(amount) > 0)
    bridge = Bridge(
        "c", "a", "b", amount, carrier.brings(amount), 0, 60, "", amount, False, 1, LATER
    )
    found = bridge.carrying(other)
    if found is not None:
        assert found.amount == other
        assert 0 < found.min_received <= carrier.brings(other)


def test_another_amount_is_moved_in_whole_steps() -> None:
    bridge = Bridge("c", "a", "b", 1000, 990, 0, 60, "", 0, True, 100, LATER)
    found = bridge.carrying(850)
    assert found is not None
    assert (found.amount, found.min_received) == (800, 790)
    assert bridge.carrying(99) is None
    assert bridge.carrying(1099) == bridge


def bring(carrier: FakeCarrier, need: int, most: int, step: int = 1) -> Bridge:
    async def inside() -> Bridge:
        async with Quotes({}, {"c": carrier}, 5, lambda: NOW) as quotes:
            hop = Hop("c", "a", "b")
            return await bridge_bringing(quotes, hop, need, most, own=True, step=step)

    return asyncio.run(inside())


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 10**12),
    st.integers(0, 10**6),
    st.fractions(min_value=0, max_value=Fraction(1, 10), max_denominator=1000),
    st.integers(1, 10**6),
)
def test_a_bridge_brings_what_is_needed_with_two_questions(
    need: int, fixed: int, part: Fraction, step: int
) -> None:
    carrier = FakeCarrier("c", everywhere("a", "b"), fixed=fixed, part=part)
    declined = carrier.brings(-(-need // step) * step) <= 0
    found = bring(carrier, need, 10**14, step)
    assert found.min_received >= need
    assert found.amount % step == 0
    assert found.own == found.amount
    assert len(carrier.asked) <= (3 if declined else 2)
    if not part and step == 1 and not declined:
        # For a fixed sum alone nothing but its own square over the need is left over.
        assert found.amount - (need + fixed) <= fixed * fixed // max(1, need - fixed) + 1


def test_all_that_is_there_is_tried_before_a_bridge_is_given_up() -> None:
    carrier = FakeCarrier("c", everywhere("a", "b"), fixed=100)
    found = bring(carrier, 1000, 1100)
    assert (found.amount, found.min_received) == (1100, 1000)
    with pytest.raises(UnavailableError, match="all of it brings 999"):
        bring(carrier, 1000, 1099)
    with pytest.raises(UnavailableError, match="needed from there"):
        bring(carrier, 1000, 999)


def test_a_carrier_that_does_not_carry_so_little_is_given_more() -> None:
    carrier = FakeCarrier("c", everywhere("a", "b"), fixed=100)
    found = bring(carrier, 5, 1000)
    assert (found.amount, found.min_received) == (105, 5)
    with pytest.raises(NoQuoteError, match="does not carry that now"):
        bring(carrier, 5, 100)


def test_a_quantity_of_the_underlying_is_whole_lots_of_a_line_or_nothing() -> None:
    fine, coarse = line("ETH", "a", scale=8, lot=10), line("ETH-B", "b", scale=4, lot=5)
    assert units(fine, 15, 1) == 150_000_000
    assert units(coarse, 15, 1) == 15_000
    assert units(coarse, 15, 5) is None, "1.5 of its own units"
    assert units(coarse, 10, 4) == 10
    assert units(coarse, 11, 4) is None, "no whole lots"
    assert common_lot((fine, coarse), 8) == 50_000
    assert in_line(coarse, 15, PRICE) == (15, 4, Fraction(100))


def test_amounts_are_shown_without_empty_zeros() -> None:
    assert shown(Asset("ETH", 6), 2_100_000_000) == "2100"
    assert shown(Asset("ETH", 6), 1_500_000) == "1.5"
    assert shown(Asset("ETH", 0), 100) == "100"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Buy("ETH", 0, 6, Fraction(1)),
        lambda: Buy("ETH", 1, -1, Fraction(1)),
        lambda: Buy("ETH", 1, 6, Fraction(0)),
        lambda: Buy("", 1, 6, Fraction(1)),
        lambda: Buy("ETH", 1, 6, 1.5),  # type: ignore[arg-type]
        lambda: Sale("ETH", Fraction(-1)),
        lambda: Move(1, "a", "a"),
        lambda: Move(0, "a", "b"),
        lambda: make_terms([], risk=Fraction(1)),
        lambda: make_terms([], parts=0),
        lambda: make_terms([], time_out=0),
        lambda: make_terms([], step=0),
        lambda: RouteTerms(1, 1, Fraction(0), Fraction(0), Fraction(0), {"a": -1}, 1),
        lambda: RouteTerms(1, 1, Fraction(0), 0.1, Fraction(0), {}, 1),  # type: ignore[arg-type]
    ],
)
def test_goals_and_terms_that_cannot_be_are_refused(make: object) -> None:
    with pytest.raises((DomainError, ExecutionError)):
        make()  # type: ignore[operator]


def test_the_price_of_time_is_exact_and_rounded_up() -> None:
    terms = make_terms([], risk=Fraction(1, 1000))
    assert terms.risk(DOLLAR, 3600) == DOLLAR // 1000
    assert terms.risk(1, 1) == 1
    assert make_terms([]).risk(DOLLAR, 3600) == 0


def test_the_worlds_own_quotes_worsen_with_size() -> None:
    instrument = line("ETH", "a", lot=10**6)
    money = curve(PRICE, per_lot=10_000)
    assert money(instrument, Side.BUY, 10**6) == 1001 * DOLLAR // 10
    assert money(instrument, Side.BUY, 2 * 10**6) == 2003 * DOLLAR // 10
    assert money(instrument, Side.SELL, 2 * 10**6) == 1997 * DOLLAR // 10
