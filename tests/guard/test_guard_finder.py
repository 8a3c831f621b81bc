"""The finder is tight where the truth can be enumerated, and powerless where it lies."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest
from guard_random import forms, stress_sets
from guard_reference import form_value, inside, maximum
from guard_world import (
    AAA,
    BBB,
    buy,
    make_book,
    make_mandate,
    make_situation,
    tied_stress,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.order import Proposal
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.certificate import SHIFT, Leaf
from agent_fund.guard.kernel.check import leaf_bound
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, KernelError, StressSet
from agent_fund.guard.machine import is_safe
from agent_fund.guard.search.finder import Finder, Found
from agent_fund.guard.search.program import Optimum
from agent_fund.guard.search.relaxation import Box, FloatForm
from agent_fund.guard.search.scenario import form_at
from agent_fund.guard.verdict import Outcome

ONE = 1 << SHIFT
SMALL_TRADE = Proposal((buy(AAA, 100, 10_000), buy(BBB, 1_000, 5_000)), ordered=True)
LARGE_TRADE = Proposal((buy(AAA, 5_000, 10_000), buy(BBB, 80_000, 5_000)))
HELD = make_book(10**10, {"CCC": 300})


def slack(form: Form, stress: StressSet) -> Fraction:
    """2**-20 of the form's own size on the box: what a floating-point dual may cost."""
    size = Fraction(abs(form.constant))
    for coefficient, (low, high) in zip(form.linear, stress.box, strict=True):
        size += abs(coefficient) * max(-low, high)
    for hinge in form.hinges:
        low, high = stress.box[hinge.driver]
        size += abs(hinge.at(low)) + abs(hinge.at(high))
        size += abs(hinge.weight * hinge.slope) * 2**20  # cuts lie on integers, kinks need not
    return 2 + size / 2**20


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_linear_form_is_bounded_by_its_maximum_over_the_vertices(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    form = data.draw(forms(len(stress.box), hinges=0))
    exact = maximum(form, stress)
    assert exact <= Finder(stress).bound(form).bound <= exact + slack(form, stress)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_branch_and_bound_reaches_the_maximum_of_a_form_with_hinges(data: st.DataObject) -> None:
    stress = data.draw(stress_sets(rows=2))
    form = data.draw(forms(len(stress.box)))
    exact = maximum(form, stress)
    target = exact + slack(form, stress)
    found = Finder(stress).bound(form, target=int(target))
    assert exact <= found.bound
    assert found.bound <= target


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_on_a_plain_box_branch_and_bound_is_always_tight(data: st.DataObject) -> None:
    stress = data.draw(stress_sets(rows=0))
    form = data.draw(forms(len(stress.box)))
    exact = maximum(form, stress)
    target = exact + slack(form, stress)
    assert exact <= Finder(stress).bound(form, target=int(target)).bound <= target


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_scenario_found_lies_in_the_set_and_below_the_bound(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    form = data.draw(forms(len(stress.box)))
    target = data.draw(st.none() | st.integers(-(10**9), 10**9))
    found = Finder(stress).bound(form, target)
    assert inside(stress, found.scenario)
    assert form_value(form, found.scenario) == form_at(form, found.scenario) <= found.bound


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_warm_finder_finds_what_a_fresh_one_finds(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    count = len(stress.box)
    warm = Finder(stress)
    for _ in range(4):
        form = data.draw(forms(count))
        target = data.draw(st.none() | st.just(0))
        fresh = Finder(stress).bound(form, target)
        assert abs(warm.bound(form, target).bound - fresh.bound) <= 2 * slack(form, stress)


@given(
    st.builds(
        Hinge,
        st.integers(-9, 9),
        st.just(0),
        st.integers(-(10**9), 10**9),
        st.integers(-(10**15), 10**15),
    ),
    st.integers(-SCALE, 0),
    st.integers(0, 5 * SCALE),
)
def test_every_line_is_one_that_the_kernel_believes(hinge: Hinge, low: int, high: int) -> None:
    form, stress = Form(0, (0,), (hinge,)), StressSet(((low, high),))
    leaf, _ = Finder(stress).leaf(form)
    assert leaf_bound(form, stress, leaf, stress.box) >= max(form.at((low,)), form.at((high,)))


NUMBERS: list[Any] = [0, 1, -1, ONE, -ONE, 10**30, -(10**30), 0.5, math.nan, math.inf, True, None]
POINTS = [0.0, -1e9, 1e9, 1e30]
VALUES = [*POINTS, math.inf, -math.inf, math.nan]


def garbage(honest: Leaf, rng: Random) -> Leaf:
    """What a broken or hostile solver may return in place of ``honest``."""
    tangents = tuple(rng.choice(NUMBERS) for _ in honest.tangents)
    duals = tuple((rng.choice(NUMBERS), rng.choice(NUMBERS)) for _ in honest.multipliers)
    naturals = [1, ONE, 7 * ONE, 10**30]
    weights = tuple((row, rng.choice(naturals)) for row, _ in honest.multipliers)
    lies = [
        Leaf(honest.tangents, duals),
        Leaf(honest.tangents, weights),
        Leaf(tangents, honest.multipliers),
        Leaf(tangents, duals),
        Leaf((), ()),
        Leaf((*honest.tangents, 0), honest.multipliers),
        Leaf(honest.tangents, (*honest.multipliers, (0, 1))),
    ]
    return rng.choice(lies)


def lie(patch: pytest.MonkeyPatch, rng: Random) -> None:
    """Leaves are garbage, and what the program came to is anything at all."""
    leaf, relax = Finder._leaf, Finder._relax

    def lying_leaf(self: Finder, form: FloatForm, relaxed: Optimum) -> Leaf:
        return garbage(leaf(self, form, relaxed), rng)

    def lying_relax(self: Finder, form: FloatForm, box: Box) -> Optimum:
        found = relax(self, form, box)
        if rng.random() < 0.5:
            return found
        point = np.array([rng.choice(POINTS) for _ in box.ends])
        return Optimum(rng.choice(VALUES), point, found.duals)

    patch.setattr(Finder, "_leaf", lying_leaf)
    patch.setattr(Finder, "_relax", lying_relax)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_lying_finder_only_loosens_the_bound_or_is_refused(data: st.DataObject) -> None:
    stress = data.draw(stress_sets(rows=2))
    form = data.draw(forms(len(stress.box)))
    exact = maximum(form, stress)
    with pytest.MonkeyPatch.context() as patch:
        lie(patch, Random(data.draw(st.integers(0, 2**32))))
        try:
            found = Finder(stress).bound(form, data.draw(st.none() | st.integers(-(10**6), 0)))
            bound = found.bound
        except (KernelError, TypeError, ValueError, OverflowError):
            return  # the kernel refused the lie, or the search itself stumbled over it
    assert bound >= exact


@settings(deadline=None, max_examples=120)
@given(st.data())
def test_no_lie_of_the_finder_admits_what_an_honest_one_shows_to_be_unsafe(
    data: st.DataObject,
) -> None:
    mandate = make_mandate("10%", stress=tied_stress())
    situation = make_situation(HELD)
    trade = data.draw(st.sampled_from([SMALL_TRADE, LARGE_TRADE]))
    truth = Guard(mandate).bounds(trade, situation)
    with pytest.MonkeyPatch.context() as patch:
        lie(patch, Random(data.draw(st.integers(0, 2**32))))
        try:
            verdict = Guard(mandate).judge(trade, situation)
        except (KernelError, TypeError, ValueError):
            return  # nothing was admitted
    if verdict.outcome is Outcome.REFUSED:
        assert verdict.certified is None
        assert verdict.proposal.legs == ()
        return
    assert verdict.certified is not None
    proved, nav = verdict.certified.bounds, situation.nav
    assert is_safe(mandate.drawdown.limit, nav, situation.mark, proved)
    honest = Guard(mandate).bounds(verdict.proposal, situation)
    # One unit in a million for the honest solver's own rounding.
    assert proved.loss >= honest.loss * (1 - Fraction(1, 10**6))
    assert proved.gain >= honest.gain * (1 - Fraction(1, 10**6))
    assert proved.costs == honest.costs
    assert trade is not LARGE_TRADE or verdict.outcome is not Outcome.ADMITTED
    assert not is_safe(mandate.drawdown.limit, nav, nav, truth) or trade is SMALL_TRADE


def test_an_honest_finder_admits_the_small_trade_and_not_the_large_one() -> None:
    guard, situation = Guard(make_mandate("10%", stress=tied_stress())), make_situation(HELD)
    assert guard.judge(SMALL_TRADE, situation).outcome is Outcome.ADMITTED
    large = guard.judge(LARGE_TRADE, situation)
    assert large.outcome is Outcome.REPAIRED
    assert [f.guardrail for f in large.broken] == ["max_drawdown"]


def test_a_tree_that_the_finder_merely_claims_to_prove_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def boastful(self: Finder, form: Form, target: int | None = None) -> Found:
        leaf, point = Finder(tied_stress().kernel).leaf(form)
        found = Found(form, self._stress, leaf, point)
        found.__dict__["bound"] = -(10**30)
        return found

    mandate, situation = make_mandate("10%", stress=tied_stress()), make_situation(HELD)
    monkeypatch.setattr(Finder, "bound", boastful)
    verdict = Guard(mandate).judge(LARGE_TRADE, situation)
    assert verdict.outcome is not Outcome.ADMITTED
    assert [f.guardrail for f in verdict.broken] == ["max_drawdown"]
    if verdict.certified is not None:
        assert is_safe(
            mandate.drawdown.limit, situation.nav, situation.mark, verdict.certified.bounds
        )
        assert verdict.certified.bounds.loss > 0


@pytest.mark.parametrize(
    "error",
    [
        KernelError("the solver died"),
        TypeError("the solver died"),
        OverflowError("died"),
        RuntimeError("died"),
    ],
)
def test_a_finder_that_fails_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(self: Finder, *arguments: object) -> Found:
        raise error

    for method in ("leaf", "bound"):
        monkeypatch.setattr(Finder, method, broken)
    guard, situation = Guard(make_mandate()), make_situation(HELD)
    verdict = guard.judge(SMALL_TRADE, situation)
    assert verdict.outcome is Outcome.REFUSED
    assert "nothing proved" in verdict.text
    assert "died" in verdict.text
    assert guard.look(situation) is None
    assert not guard.explain(situation).holds
