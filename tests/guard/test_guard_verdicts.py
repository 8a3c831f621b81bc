"""Certificates, witnesses and two SMT solvers agree, on books with options, factors and leg order.

For each random question a loss is named, near the worst one. A certificate that no market and no
fills lose more has to mean ``unsat`` to Z3 and to cvc5, and a witness ``sat``. Losses that come
within a billionth of the worst are set apart, and so is what the search gives up on; few may be.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from smt_verdicts import Question, Script, ask_cvc5, ask_z3, with_factors, with_options

from agent_fund.guard.cases import cases
from agent_fund.guard.compile import loss_form
from agent_fund.guard.search.finder import Finder, form_at

CASES, PARTS = 2_100, 30


def worst(question: Question) -> tuple[int, Fraction]:
    """The least bound that is proved of every case, and the largest loss that a scenario shows."""
    book, proposal, stress, band = question
    finder, proved, shown = Finder(stress.kernel), 0, Fraction(0)
    for case in cases(book, proposal):
        form = loss_form(case, stress, band, book)
        found = finder.bound(form)
        proved, shown = max(proved, found.bound), max(shown, form_at(form, found.scenario))
    return proved, shown


def verdict(question: Question, target: int) -> str:
    """``unsat`` with a certificate for every case, ``sat`` with a witness of one, else nothing."""
    book, proposal, stress, band = question
    finder, certified = Finder(stress.kernel), True
    for case in cases(book, proposal):
        form = loss_form(case, stress, band, book)
        found = finder.bound(form, target=target)
        if form_at(form, found.scenario) > target:
            return "sat"
        certified = certified and found.bound <= target
    return "unsat" if certified else "gave up"


@pytest.mark.parametrize("part", range(PARTS))
def test_certificate_means_unsat_and_witness_means_sat(part: int) -> None:
    rng = Random(part)
    seen = dict.fromkeys(["sat", "unsat", "gave up", "apart"], 0)
    for number in range(CASES // PARTS):
        question = (with_options if number % 2 else with_factors)(rng)
        proved, shown = worst(question)
        near = rng.choice([-30, -3, 0, 0, 3, 30])
        target = int(rng.choice([proved, int(shown)]) * (1 + Fraction(near, 1_000)))
        said = verdict(question, target)
        script = Script(question)
        if said == "gave up":
            seen[said] += 1
            continue
        answers = {ask_z3(script.more_than(target)), ask_cvc5(script.more_than(target))}
        if answers != {said}:
            # Forms are rounded up to whole units: a loss within a billionth of it is apart.
            margin = max(abs(target) // 10**9, 10)
            asked = script.more_than(target - margin if said == "sat" else target + margin)
            assert {ask_z3(asked), ask_cvc5(asked)} == {said}, (part, number)
            seen["apart"] += 1
            continue
        seen[said] += 1
    assert min(seen["sat"], seen["unsat"]) >= 10, seen
    # The multipliers have 24 digits and cuts lie on the grid of moves: a target within some
    # millionths of the worst loss may stay unproved.
    assert seen["gave up"] <= 6, seen
    assert seen["apart"] <= 12, seen
