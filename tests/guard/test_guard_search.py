"""The search for trees: sound when it reuses, bounded, and near the exact numbers in its floats."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from guard_random import forms, scenarios, stress_sets
from guard_reference import inside, maximum
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.guard.kernel.certificate import Certificate, Split
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, Row, StressSet
from agent_fund.guard.search.finder import MAX_LEAVES, Finder
from agent_fund.guard.search.program import Optimum
from agent_fund.guard.search.relaxation import Box, FloatForm
from agent_fund.guard.search.scenario import Rounding, form_at
from agent_fund.guard.stress.budget import Budget
from agent_fund.guard.stress.stress_set import Stress

TIED = StressSet(
    ((-300_000, 300_000),) * 2, (Row(((0, 1), (1, -1)), 20_000), Row(((0, -1), (1, 1)), 20_000))
)
BENT = Form(0, (0, 0), (Hinge(1, 0, 900, 0), Hinge(1, 1, -700, 0)))


def leaves(tree: Certificate) -> int:
    return leaves(tree.left) + leaves(tree.right) if isinstance(tree, Split) else 1


def scaled(form: Form, factor: int) -> Form:
    """``factor`` thousandths of everything: hinges of the same kinds."""
    hinges = tuple(
        replace(h, slope=h.slope * factor // 1000, offset=h.offset * factor // 1000)
        for h in form.hinges
    )
    linear = tuple(c * factor // 1000 for c in form.linear)
    return Form(form.constant * factor // 1000, linear, hinges)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(500, 2_000), min_size=2, max_size=6))
def test_a_warm_search_proves_the_target_of_every_form_of_its_kind(factors: list[int]) -> None:
    finder = Finder(TIED)
    for factor in factors:
        form = scaled(BENT, factor)
        target = int(maximum(form, TIED) * Fraction(101, 100))
        found = finder.bound(form, target)
        assert maximum(form, TIED) <= found.bound <= target


def test_a_tree_that_still_proves_the_target_is_found_again_without_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finder = Finder(TIED)
    first = finder.bound(BENT, int(maximum(BENT, TIED) * Fraction(101, 100)))
    assert isinstance(first.certificate, Split)
    smaller = scaled(BENT, 900)
    finder.leaf(smaller)

    def solve(self: Finder, form: FloatForm, box: Box) -> Optimum:
        raise AssertionError("a program was solved")

    monkeypatch.setattr(Finder, "_relax", solve)
    again = finder.bound(smaller, int(maximum(smaller, TIED) * Fraction(102, 100)))
    assert again.certificate is first.certificate
    with pytest.raises(AssertionError, match="a program was solved"):
        finder.bound(scaled(BENT, 1_100), int(maximum(BENT, TIED) * Fraction(101, 100)))


def test_a_search_ends_at_its_budget_and_proves_what_one_leaf_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = int(maximum(BENT, TIED) * Fraction(1001, 1000))
    needed = leaves(Finder(TIED).bound(BENT, target).certificate)
    assert 1 < needed <= MAX_LEAVES
    monkeypatch.setattr("agent_fund.guard.search.finder.MAX_LEAVES", needed - 1)
    finder = Finder(TIED)
    assert finder.bound(BENT, target).certificate == finder.leaf(BENT)[0]


def test_a_half_in_which_the_rows_leave_nothing_stands_in_no_way() -> None:
    low_only = StressSet(((-300_000, 300_000),) * 2, (Row(((0, 1), (1, 1)), 0), Row(((1, -1),), 0)))
    form = Form(0, (0, 0), (Hinge(1, 0, 1_000, -200_000_000),))
    found = Finder(low_only).bound(form, 1_000)
    assert isinstance(found.certificate, Split)
    assert maximum(form, low_only) == 0 <= found.bound <= 1_000


@pytest.mark.parametrize("sign", [1, -1])
def test_both_ends_of_a_tie_are_used(sign: int) -> None:
    form = Form(0, (sign * 1_000, -sign * 1_000))
    assert maximum(form, TIED) == 20_000_000
    assert 20_000_000 <= Finder(TIED).bound(form).bound <= 20_000_100


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_floats_are_near_the_exact_value_and_chords_above_it(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    form = data.draw(forms(len(stress.box)))
    scenario = data.draw(scenarios(stress))
    floats, box = FloatForm(form), Box.of(stress.box)
    point = np.array([float(x) / SCALE for x in scenario])
    near = 1e-9 * floats.size(box) + 1e-12
    exact = float(form_at(form, scenario)) / SCALE
    assert abs(floats.at(point) - exact) <= near
    if not floats.shape:
        cost, constant = floats.chords(box)
        assert float((cost * point).sum()) + constant >= exact - near


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_point_becomes_a_scenario_of_the_set(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    numbers = st.floats(-2, 5) | st.just(float("nan")) | st.just(float("inf"))
    point = [data.draw(numbers) for _ in stress.box]
    assert inside(stress, Rounding(stress).scenario(point))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_point_that_spends_a_budget_stays_near_where_it_was(data: st.DataObject) -> None:
    names = ("A", "B", "C")
    edges = data.draw(st.tuples(*[st.integers(1_000, 700_000)] * 3))
    box = tuple((-edge, edge + 77) for edge in edges)
    stress = Stress(names, box, (), 3, budgets=(Budget(names, 3 * SCALE // 2),)).kernel
    linear = data.draw(st.tuples(*[st.integers(-(10**9), 10**9)] * 3))
    form = Form(0, (*linear, 0, 0, 0))
    found = Finder(stress).bound(form)
    assert inside(stress, found.scenario)
    assert form_at(form, found.scenario) >= found.bound * Fraction(999, 1000) - 10**10
