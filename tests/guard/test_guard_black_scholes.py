"""Certified bounds of N, exp and Black-Scholes values against long decimals and floats."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from guard_prices import DIGITS, option_value
from guard_prices import normal as second_normal
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.guard.pricing.black_scholes import MOST, YEAR, knots, tangents, total_volatility
from agent_fund.guard.pricing.gaussian import ONE, exponential, normal

NEAR = 1e-13
"""What floats may be off by, as a share of the price."""


def exact(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@settings(deadline=None, max_examples=300)
@given(st.fractions(-12, 12, max_denominator=4096))
def test_bounds_of_the_normal_distribution_hold_the_long_decimal(z: Fraction) -> None:
    low, high = normal(z)
    with localcontext() as context:
        context.prec = DIGITS
        value = second_normal(exact(z)) * ONE
        assert low <= value <= high
    # One in 2**64 is far below any price; beyond 8 the tail is bounded and no more.
    assert high - low <= 2 or abs(z) > 8
    assert high - low <= ONE // 10**15 + 1


@settings(deadline=None, max_examples=300)
@given(st.fractions(-30, 30, max_denominator=4096))
def test_bounds_of_exp_hold_the_long_decimal(w: Fraction) -> None:
    low, high = exponential(w)
    with localcontext() as context:
        context.prec = DIGITS
        value = exact(w).exp() * ONE
        assert low <= value <= high
        assert high - low <= 2 + value * Decimal(10) ** -18


@settings(deadline=None, max_examples=200)
@given(st.fractions(0, 20, max_denominator=1000), st.integers(0, 10 * YEAR))
def test_total_volatility_is_rounded_outwards_by_less_than_three_thousandths(
    volatility: Fraction, seconds: int
) -> None:
    square = volatility * volatility * seconds / YEAR
    low = total_volatility(volatility, seconds, up=False)
    high = total_volatility(volatility, seconds, up=True)
    assert low * low <= square <= high * high
    least = Fraction(1, 2**30)
    assert high - low <= Fraction(3, 1000) * high + least


TOTALS = [Fraction(n, d) for n, d in [(1, 1000), (1, 50), (1, 10), (3, 10), (1, 1), (2, 1), (4, 1)]]


def prices_around(total: float) -> list[float]:
    return [math.exp(total * (-4.5 + 9 * i / 700) - total * total / 2) for i in range(701)]


@pytest.mark.parametrize("total", TOTALS)
def test_lines_lie_below_a_call_of_any_higher_volatility_and_near_it(total: Fraction) -> None:
    lines = [(t.slope / ONE, t.short / ONE) for t in tangents(total)]
    gap = 0.0
    for price in prices_around(float(total)):
        below = max(slope * price - short for slope, short in lines)
        value = option_value(True, price, 1.0, float(total))
        assert below <= value + NEAR * price
        gap = max(gap, (value - below) / max(1.0, price))
        for more in (1.001, 1.5, 4.0):
            assert below <= option_value(True, price, 1.0, float(total) * more) + NEAR * price
    # For a small total volatility 1.1 % of the value at the money, which is 0.4 * total.
    assert gap <= 0.007 * total


@pytest.mark.parametrize("total", TOTALS)
def test_chords_lie_above_a_call_of_any_lower_volatility_and_near_it(total: Fraction) -> None:
    ends = [(0.0, 0.0)]
    ends += [(k.high / ONE, (k.value + k.high - k.low) / ONE) for k in knots(total)]
    top = max(ends[-1][0], *prices_around(float(total))) + 1
    ends.append((top, ends[-1][1] + top - ends[-1][0]))
    gap = 0.0
    for price in prices_around(float(total)):
        (a, f), (b, g) = next(p for p in pairwise(ends) if p[0][0] <= price <= p[1][0])
        above = f + (g - f) * (price - a) / (b - a)
        value = option_value(True, price, 1.0, float(total))
        assert above >= value - NEAR * max(1.0, price)
        gap = max(gap, (above - value) / max(1.0, price))
        for less in (0.0, 0.3, 0.999):
            lower = option_value(True, price, 1.0, float(total) * less)
            assert above >= lower - NEAR * max(1.0, price)
    assert gap <= 0.007 * total


def test_the_value_at_the_money_is_that_of_the_literature() -> None:
    """S*N(v/2) - K*N(-v/2) at S = K is about v/sqrt(2*pi) (Brenner and Subrahmanyam 1988)."""
    total = Fraction(1, 10)
    value = 1 / math.sqrt(2 * math.pi) / 10
    line = max((t.slope - t.short) / ONE for t in tangents(total))
    knot = min(knots(total), key=lambda k: abs(k.high - ONE))
    assert line == pytest.approx(value, rel=0.02)
    assert knot.value / ONE == pytest.approx(value, rel=0.1)


def test_beyond_the_most_total_volatility_the_knots_refuse() -> None:
    knots(MOST)
    with pytest.raises(ValueError, match="use the price"):
        knots(MOST + 1)
