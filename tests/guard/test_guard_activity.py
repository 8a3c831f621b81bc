"""Allowances against a bucket in fractions filled bar by bar, and what no splitting beats."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from agent_fund.guard.activity import NOTHING_SENT, Activity, Allowance, Draw, Drawn

ALLOWANCES = st.builds(Allowance, st.integers(0, 40), st.integers(1, 30))
STEPS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 50)), max_size=30)
"""Bars that pass, and tokens that are then asked for."""


def send(activity: Activity, allowance: Allowance, bar: int, tokens: int) -> tuple[Activity, bool]:
    """What a throttle does: let through what there is room for, and draw that."""
    if tokens > activity.room("all", allowance, bar):
        return activity, False
    return activity.after(Draw(allowance, {"all": tokens}), bar), True


@given(ALLOWANCES, STEPS)
def test_an_allowance_is_a_bucket_that_fills_evenly(
    allowance: Allowance, steps: list[tuple[int, int]]
) -> None:
    level, bar, activity = Fraction(allowance.size), 5, NOTHING_SENT
    for passed, tokens in steps:
        for _ in range(passed):
            level = min(Fraction(allowance.size), level + Fraction(allowance.size, allowance.bars))
        bar += passed
        assert activity.room("all", allowance, bar) == level.numerator // level.denominator
        activity, let_through = send(activity, allowance, bar, tokens)
        assert let_through == (tokens <= level)
        level -= tokens if let_through else 0


@given(ALLOWANCES, STEPS)
def test_no_splitting_sends_more_than_one_allowance_and_what_refills(
    allowance: Allowance, steps: list[tuple[int, int]]
) -> None:
    bar, activity, taken = 0, NOTHING_SENT, list[tuple[int, int]]()
    for passed, tokens in steps:
        bar += passed
        activity, let_through = send(activity, allowance, bar, tokens)
        taken += [(bar, tokens)] if let_through else []
    for first, _ in taken:
        for last, _ in taken:
            total = sum(tokens for at, tokens in taken if first <= at <= last)
            most = allowance.size + Fraction(allowance.size * (last - first), allowance.bars)
            assert last < first or total <= most


@given(ALLOWANCES, st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_questions_change_nothing(allowance: Allowance, one: int, two: int, bars: int) -> None:
    activity = NOTHING_SENT.after(Draw(allowance, {"all": one}), 3)
    again = activity
    for bar in range(3, 3 + bars):
        again.room("all", allowance, bar)
    draw = Draw(allowance, {"all": two})
    assert again.after(draw, 3 + bars) == activity.after(draw, 3 + bars)


def test_an_allowance_of_nothing_lets_nothing_through_and_never_refills() -> None:
    allowance = Allowance(0, 7)
    assert NOTHING_SENT.room("all", allowance, 10**9) == 0
    assert not send(NOTHING_SENT, allowance, 10**9, 1)[1]


def test_each_key_has_an_allowance_of_its_own() -> None:
    allowance = Allowance(3, 10)
    activity = NOTHING_SENT.after(Draw(allowance, {"one": 3, "two": 0}), 1)
    assert [activity.room(k, allowance, 1) for k in ("one", "two", "three")] == [0, 3, 3]
    assert set(activity.drawn) == {"one"}


def test_an_allowance_that_shrank_is_overdrawn_until_it_has_refilled() -> None:
    activity = NOTHING_SENT.after(Draw(Allowance(100, 10), {"all": 100}), 0)
    smaller = Allowance(50, 10)
    assert activity.room("all", smaller, 0) == -50
    assert activity.room("all", smaller, 10) == 0
    assert activity.room("all", smaller, 20) == 50


def test_time_that_runs_backwards_refills_nothing() -> None:
    activity = Activity({"all": Drawn(30, 8)})
    allowance = Allowance(3, 10)
    assert activity.room("all", allowance, 2) == activity.room("all", allowance, 8) == 0
    assert activity.after(Draw(allowance, {"all": 1}), 2).room("all", allowance, 8) == -1
