from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.audit.track_record import share_up
from agent_fund.cli.terminal import percent_up as up_in_terminal
from agent_fund.guard.finding import share
from agent_fund.report import thinning
from agent_fund.report.numbers import count, limit_percent, money, percent, percent_up, plain
from agent_fund.report.thinning import evenly, kept_rows

GAP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1128380.13, f"USD{GAP}1,128,380"),
        (-1128380.13, f"USD{GAP}{MINUS}1,128,380"),
        (1472.64, f"USD{GAP}1,472.64"),
        (0.0312, f"USD{GAP}0.031200"),
        (0, f"USD{GAP}0.00"),
    ],
)
def test_money_has_the_digits_that_its_size_asks_for(value: float, text: str) -> None:
    assert money(value, "USD") == text


def test_percentages_as_people_write_them() -> None:
    assert percent(0.128380) == f"12.8{GAP}%"
    assert percent(-0.0927) == f"{MINUS}9.3{GAP}%"
    assert percent(-0.00001) == f"0.0{GAP}%"
    assert percent(float("nan")) == "\N{EN DASH}"
    assert limit_percent(0.075) == f"7.5{GAP}%"
    assert limit_percent(1 - 0.2) == f"80{GAP}%"
    assert plain(-0.044) == f"{MINUS}0.04"
    assert count(1, "bar") == f"1{GAP}bar"
    assert count(1259, "bar") == f"1,259{GAP}bars"


@given(st.floats(0, 1))
def test_a_loss_is_never_told_smaller_than_it_is(loss: float) -> None:
    told = float(percent_up(-loss).removesuffix(f"{GAP}%")) / 100
    assert loss - 1e-8 <= told < loss + 1.01e-4


def test_a_loss_just_beyond_its_limit_is_not_told_as_the_limit() -> None:
    assert percent_up(-0.200001) == f"20.01{GAP}%"


@given(st.integers(1, 30_000), st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_ends_and_every_deepest_point(length: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    lowest = [pd.Series(random.random(length)), pd.Series(random.random(length))]
    kept = kept_rows(length, lowest)
    assert len(kept) <= max(thinning.MAX_ROWS, 1) + 1
    assert {0, length - 1} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    for series in lowest:
        assert series.idxmin() in kept


@given(st.integers(0, 10_000))
def test_marks_are_at_most_so_many_and_in_order(length: int) -> None:
    marks = evenly(range(length))
    assert len(marks) == min(length, thinning.MAX_MARKS)
    assert marks == sorted(set(marks))
    assert not length or (marks[0], marks[-1]) == (0, length - 1)


def test_a_drawdown_reads_alike_everywhere_and_never_as_within_a_limit_that_it_broke() -> None:
    for fall in (Fraction(1, 5) + Fraction(1, 10**12), Fraction(199441, 10**6)):
        stored = share_up(-fall)
        told = share(fall)
        assert up_in_terminal(stored) == f"-{told}"
        assert percent_up(stored) == told.replace("%", f"{GAP}%")
    assert percent_up(share_up(Fraction(1, 5))) == f"20.00{GAP}%"
    assert percent_up(share_up(-Fraction(1, 5) - Fraction(1, 10**12))) == f"20.01{GAP}%"


@given(st.fractions(0, 1))
def test_a_stored_drawdown_is_never_less_than_it_was(fall: Fraction) -> None:
    stored = -Fraction(share_up(-fall))
    assert fall <= stored < fall + Fraction(1, 10**6)
