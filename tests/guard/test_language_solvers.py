"""Asking solvers: the text that they are given, limits, lies, and a solver that is not there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from fractions import Fraction
from random import Random

import pytest
from language_random import exact
from language_world import INSTRUMENTS, STRESS

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.language import solvers
from agent_fund.guard.language.clause import written
from agent_fund.guard.language.expand import over_positions
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    Cash,
    Exposure,
    Expression,
    Known,
    Leaf,
    Loss,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Scaled,
    Selection,
    Sum,
    minus,
    plus,
    relations,
    times,
)
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.smtlib import Script, rational
from agent_fund.guard.language.solvers import SOLVERS, Solver, SolverMissingError, ask
from agent_fund.guard.language.term import Claim
from agent_fund.guard.stress.budget import Budget
from agent_fund.guard.stress.stress_set import Stress

NAV = Known("nav")


def test_the_text_is_smt_lib_as_anybody_reads_it() -> None:
    script = Script()
    both = plus(Positive(Position("ETH")), times(Fraction(-2, 3), Cash("a|b")))
    script.assume(AtMost(both, Number(Fraction(-7, 10))))
    script.deny(Both((AtMost(Move("x"), Number(Fraction(1))), AtMost(both, NAV))))
    assert script.text == (
        "(set-logic QF_LRA)\n"
        "(declare-const |position(ETH)| Real)\n"
        "(declare-const |cash(a%7c;b)| Real)\n"
        "(declare-const |move(x)| Real)\n"
        "(declare-const |NAV| Real)\n"
        "(define-fun max0 () Real (ite (>= |position(ETH)| 0.0) |position(ETH)| 0.0))\n"
        "(assert (<= (+ max0 (* (- (/ 2.0 3.0)) |cash(a%7c;b)|)) (- (/ 7.0 10.0))))\n"
        "(assert (not (and (<= |move(x)| 1.0) "
        "(<= (+ max0 (* (- (/ 2.0 3.0)) |cash(a%7c;b)|)) |NAV|))))\n"
        "(check-sat)\n"
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_names_that_solvers_do_not_take_stand_for_different_leaves(solver: Solver) -> None:
    names = ["a|b", "a%7c;b", "a\\b", "aéb", "a b", "a", "A", ")", "a%b", "ab", "¤"]
    script = Script()
    for worth, name in enumerate(names):
        script.within(Position(name), worth, worth)
        script.within(Move(name), -worth, -worth)
    answer = ask(script, solver)
    assert answer.verdict == "sat"
    assert [answer.model[Position(name)] for name in names] == list(range(len(names)))
    assert [answer.model[Move(name)] for name in names] == [-n for n in range(len(names))]


@pytest.mark.parametrize("term", [Loss(), Exposure("long"), Exposure("net", Selection(), "before")])
def test_a_term_that_is_no_number_of_its_own_is_refused(term: Expression) -> None:
    with pytest.raises(DomainError, match="expand it"):
        Script().assume(AtMost(term, NAV))


def test_products_of_two_unknowns_are_refused_and_those_with_a_number_are_not() -> None:
    with pytest.raises(DomainError, match="linear questions only"):
        Script().assume(AtMost(Product(NAV, Position("ETH")), NAV))
    for product in (Product(Number(Fraction(2)), NAV), Product(NAV, Number(Fraction(2)))):
        script = Script()
        script.within(NAV, 3, 3)
        script.assume(AtMost(product, Number(Fraction(6))))
        script.assume(AtMost(Number(Fraction(6)), product))
        assert {ask(script, solver).verdict for solver in SOLVERS} == {"sat"}


@pytest.mark.parametrize("value", ["0", "7", "-7", "1/3", "-1/3", f"{10**40}/{10**39 + 7}"])
def test_rationals_are_exact(value: str) -> None:
    script = Script()
    script.within(NAV, Fraction(value), Fraction(value))
    for solver in SOLVERS:
        assert ask(script, solver).model == {NAV: Fraction(value)}
    assert "e" not in rational(Fraction(value))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_limit_of_resources_makes_an_answer_unknown_and_a_larger_one_does_not(
    solver: Solver,
) -> None:
    rng = Random(5)
    script = Script()
    for _ in range(12):
        relation = exact(rng, cash=False)
        term = minus(relation.left, relation.right)
        try:
            script.assume(AtMost(over_positions(filled(term), INSTRUMENTS), NAV))
        except DomainError:
            continue
    few = ask(script, solver, resources=1)
    assert few.verdict == "unknown"
    assert few.reason
    assert not few.model
    assert ask(script, solver, resources=10**9, milliseconds=60_000).verdict != "unknown"


def filled(term: Expression) -> Expression:
    """``term`` with one for everything that is known."""
    if isinstance(term, Known) or (isinstance(term, Exposure) and term.when == "before"):
        return Number(Fraction(1))
    if isinstance(term, Sum):
        return plus(*map(filled, term.terms))
    if isinstance(term, Scaled):
        return times(term.factor, filled(term.term))
    return Positive(filled(term.term)) if isinstance(term, Positive) else term


def test_a_model_that_does_not_satisfy_the_script_is_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lie(script: Script, milliseconds: int | None, resources: int | None) -> object:
        return "sat", {"|NAV|": Fraction(5)}, ""

    script = Script()
    script.within(NAV, 0, 4)
    monkeypatch.setattr(solvers, "_z3", lie)
    answer = ask(script, "z3")
    assert (answer.verdict, answer.model) == ("unknown", {})
    assert answer.reason == "its model does not satisfy the script"


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_that_is_not_installed_is_named_with_its_extra(
    solver: Solver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, solver, None)
    with pytest.raises(SolverMissingError, match=rf"{solver} is not installed.*agent-fund\[smt\]"):
        ask(Script(), solver)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_stress_set_is_asked_about_as_it_stands(solver: Solver) -> None:
    """No move lies in it, and nothing beyond an edge of its box or beyond a tie does."""
    script = Script()
    script.within_stress(STRESS)
    resting: Mapping[Leaf, Fraction] = {leaf: Fraction(0) for leaf in script.names.values()}
    assert script.satisfied(resting.__getitem__)
    for name, (low, high) in zip(STRESS.instruments, STRESS.box, strict=False):
        for edge, sign in ((low, -1), (high, 1)):
            beyond = Script()
            beyond.within_stress(STRESS)
            limit = Number(Fraction(sign * edge, SCALE))
            beyond.deny(AtMost(times(Fraction(sign), Move(name)), limit))
            assert ask(beyond, solver).verdict == "unsat"
    apart = Script()
    apart.within_stress(STRESS)
    apart.deny(AtMost(minus(Move("ETH-PERP"), Move("ETH")), Number(Fraction(2, 100))))
    assert ask(apart, solver).verdict == "unsat"


def test_a_set_with_budgets_has_drivers_that_no_mandate_names() -> None:
    """What the kernel's set has beyond instruments and factors is bounded too."""
    stress = Stress(
        ("A", "B"), ((-500_000, 500_000),) * 2, (), 3, budgets=(Budget(("A", "B"), SCALE),)
    )
    script = Script()
    script.within_stress(stress)
    script.assume(AtMost(plus(Move("A"), Move("B")), Number(Fraction(-1, 2))))
    answers = [ask(script, solver) for solver in SOLVERS]
    assert [a.verdict for a in answers] == ["sat", "sat"]
    script.assume(AtMost(plus(Move("A"), Move("B")), Number(Fraction(-51, 100))))
    assert [ask(script, solver).verdict for solver in SOLVERS] == ["unsat", "unsat"]


def capped(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t)
    return after.gross() <= 3 * s.nav


def each_capped(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t)
    return (after.gross("ETH") <= s.nav) & (after.gross("BTC") <= 2 * s.nav)


@pytest.mark.parametrize("solver", SOLVERS)
def test_questions_about_policies_are_asked_over_positions_of_any_size(solver: Solver) -> None:
    """One limit an asset implies the limit on all of them, and not the other way round."""
    whole, apart = (
        tuple(
            AtMost(over_positions(r.left, INSTRUMENTS), over_positions(r.right, INSTRUMENTS))
            for r in relations(written(each).relation)
        )
        for each in (capped, each_capped)
    )
    for premises, conclusion, expected in ((apart, whole, "unsat"), (whole, apart, "sat")):
        script = Script()
        script.within(NAV, 1, 1)
        for premise in premises:
            script.assume(premise)
        script.deny(Both(conclusion))
        assert ask(script, solver).verdict == expected


def test_units_need_prices_and_are_no_question_about_a_policy() -> None:
    term = Exposure("long", Selection("asset", "ETH"), "after", "units")
    with pytest.raises(DomainError, match="ask about values instead"):
        over_positions(term, INSTRUMENTS)
