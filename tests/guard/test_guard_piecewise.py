"""Piecewise-linear functions: no operation understates, and none overstates by much."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import Form
from agent_fund.guard.pricing.piecewise import Line, Piecewise, above, below, chords

VALUES = st.integers(-1_000, 1_000) | st.integers(-(10**15), 10**15)
LOW, HIGH = -40, 60
DRIVERS = st.fractions(LOW, HIGH, max_denominator=60)


@st.composite
def functions(draw: st.DrawFn) -> Piecewise:
    inner = draw(st.sets(st.integers(LOW + 1, HIGH - 1), max_size=6))
    return Piecewise(tuple((x, draw(VALUES)) for x in sorted({LOW, HIGH, *inner})))


LINES = st.lists(st.builds(Line, VALUES, VALUES), min_size=1, max_size=7)
UNITS = st.sampled_from([1, 3, 1_000])


@given(functions(), functions(), DRIVERS)
def test_the_maximum_is_nowhere_below_either_and_exact_away_from_crossings(
    f: Piecewise, g: Piecewise, x: Fraction
) -> None:
    exact, found = max(f.at(x), g.at(x)), f.maximum(g)
    assert found.at(x) >= exact
    left, right = math.floor(x), math.ceil(x)
    apart = [f.at(end) - g.at(end) for end in (left, right)]
    if apart[0] * apart[1] >= 0:  # no crossing inside: only points are rounded
        assert found.at(x) < exact + 1


@given(functions(), functions())
def test_the_maximum_at_an_integer_is_exact_but_for_a_rounding(f: Piecewise, g: Piecewise) -> None:
    found = f.maximum(g)
    for x in range(LOW, HIGH + 1):
        assert max(f.at(x), g.at(x)) <= found.at(x) < max(f.at(x), g.at(x)) + 1


@given(functions(), DRIVERS)
def test_the_normal_form_is_nowhere_below_and_less_than_a_piece_above(
    f: Piecewise, x: Fraction
) -> None:
    constant, slope, hinges = f.terms(0)
    form = Form(constant, (slope,), hinges)
    value = form.constant + slope * x
    value += sum(h.weight * max(Fraction(0), h.slope * x + h.offset) for h in hinges)
    assert f.at(x) <= value < f.at(x) + (HIGH - LOW)
    assert all(abs(h.weight) == 1 and h.slope > 0 for h in hinges)


@given(LINES, UNITS, DRIVERS)
def test_lines_bound_from_below_and_above(lines: list[Line], unit: int, x: Fraction) -> None:
    values = [Fraction(line.constant + line.slope * x, unit) for line in lines]
    steepest = max(abs(line.slope) for line in lines)
    # Bends move to an integer, values to one more: two slopes and one unit at most.
    slack = 1 + Fraction(2 * steepest, unit)
    assert max(values) - slack <= below(lines, unit, LOW, HIGH).at(x) <= max(values)
    assert min(values) <= above(lines, unit, LOW, HIGH).at(x) <= min(values) + slack


@given(functions(), st.integers(LOW, HIGH), st.integers(LOW, HIGH), DRIVERS)
def test_chords_cut_to_an_interval_are_nowhere_below(
    f: Piecewise, one: int, two: int, x: Fraction
) -> None:
    low, high = min(one, two), max(one, two)
    cut = chords(f.points, low, high)
    assert (cut.low, cut.high) == (low, high)
    if low <= x <= high:
        assert f.at(x) <= cut.at(x) < f.at(x) + 1


@given(functions(), st.integers(-9, 9), st.integers(1, 9), VALUES, DRIVERS)
def test_products_sums_and_quotients(
    f: Piecewise, factor: int, divisor: int, constant: int, x: Fraction
) -> None:
    assert f.times(factor).at(x) == f.at(x) * factor
    assert f.plus(constant).at(x) == f.at(x) + constant
    assert f.at(x) / divisor <= f.over(divisor).at(x) < f.at(x) / divisor + 1
    assert f.least <= f.at(x) <= f.most
    assert f.positive().at(x) >= max(0, f.at(x))


def test_a_box_without_room_is_one_point() -> None:
    assert Piecewise.constant(7, 0, 0).terms(3) == (7, 0, ())
    assert below([Line(5, 2), Line(4, 9)], 2, 0, 0).points == ((0, 2),)
    assert chords(((-1, 0), (1, 3)), 0, 0).points == ((0, 2),)


def test_points_out_of_order_and_drivers_outside_are_refused() -> None:
    with pytest.raises(DomainError, match="increasing driver"):
        Piecewise(((0, 1), (0, 2)))
    with pytest.raises(DomainError, match="runs 0 to 4"):
        Piecewise(((0, 1), (4, 2))).at(5)
    with pytest.raises(DomainError, match="same drivers"):
        Piecewise.constant(0, 0, 1).maximum(Piecewise.constant(0, 0, 2))
