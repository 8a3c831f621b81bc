"""Four meanings of one tree agree: evaluator, normal form, SMT by two solvers, and NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from language_random import exact, stressed
from language_world import (
    INSTRUMENTS,
    STRESS,
    Outcome,
    World,
    every_fill,
    in_units,
    random_scenario,
    random_world,
)

from agent_fund.guard.cases import cases
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.language import batch
from agent_fund.guard.language.evaluate import evaluate, violation
from agent_fund.guard.language.expand import Driver, expand, interval
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    Cash,
    Exposure,
    Expression,
    Leaf,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Scaled,
    Selection,
    Sum,
    children,
    leaves,
    minus,
)
from agent_fund.guard.language.normal import Normal, normal
from agent_fund.guard.language.separable import worst
from agent_fund.guard.language.smtlib import Script
from agent_fund.guard.language.solvers import SOLVERS, Solver, ask

Settled = Mapping[Driver, Fraction]


def drivers_of(outcome: Outcome) -> Settled:
    """What every driver is worth in ``outcome``."""
    drivers: dict[Driver, Fraction] = {
        Position(s): outcome.worth(Exposure("net", Selection("instrument", s))) for s in INSTRUMENTS
    }
    for place in ("", *outcome.world.book.places):
        drivers[Cash(place)] = outcome.worth(Cash(place))
    return drivers | {Move(name): move for name, move in outcome.moves.items()}


def at(form: Normal, drivers: Settled) -> Fraction:
    """The form's value, worked out here and not by the kernel."""
    x = [drivers[d] * (SCALE if isinstance(d, Move) else 1) for d in form.drivers]
    total = Fraction(form.form.constant)
    total += sum((c * v for c, v in zip(form.form.linear, x, strict=True)), Fraction(0))
    for hinge in form.form.hinges:
        bent = hinge.slope * x[hinge.driver] + hinge.offset
        total += hinge.weight * max(Fraction(0), bent)
    return total / form.unit


def some_outcome(world: World, rng: Random) -> Outcome:
    fills = rng.choice(list(every_fill(world, 3)))
    return Outcome(world, fills, random_scenario(rng))


def magnitude(term: Expression, worth: Mapping[Leaf, Fraction]) -> Fraction:
    """What the terms add up to without their signs: rounding is relative to it."""
    if isinstance(term, Number):
        return abs(term.value)
    if isinstance(term, Sum):
        return sum((magnitude(t, worth) for t in term.terms), Fraction(0))
    if isinstance(term, Scaled):
        return abs(term.factor) * magnitude(term.term, worth)
    if isinstance(term, Product):
        return magnitude(term.left, worth) * magnitude(term.right, worth)
    if isinstance(term, Positive):
        return magnitude(term.term, worth)
    return abs(worth[term])


@pytest.mark.parametrize("seed", range(8))
def test_the_normal_form_of_exact_relations_is_what_they_evaluate_to(seed: int) -> None:
    rng = Random(seed)
    bent = 0
    for _ in range(250):
        world = random_world(rng)
        outcome = some_outcome(world, rng)
        relation = exact(rng)
        drivers = drivers_of(outcome)
        for case in cases(world.book, world.proposal):
            # A case does not matter to what positions are worth, only to how far they can go. Where
            # it leaves out a position that is here, it is not the case of this outcome.
            if any(case.span(s) == (0, 0) and drivers[Position(s)] for s in INSTRUMENTS):
                continue
            form = normal(expand(minus(relation.left, relation.right), case, world.facts))
            bent += len(form.form.hinges)
            assert at(form, drivers) == violation(relation, outcome.worth)
    assert bent > 500


@pytest.mark.parametrize("seed", range(8))
def test_a_stressed_relation_is_worst_at_its_worst_fills(seed: int) -> None:
    """Over all histories of the orders, the forms are met exactly by one of them."""
    rng = Random(100 + seed)
    met = 0
    for _ in range(120):
        world = random_world(rng)
        scenario = random_scenario(rng)
        relation = stressed(rng, fills=False)
        forms = [
            normal(expand(minus(relation.left, relation.right), case, world.facts, STRESS))
            for case in cases(world.book, world.proposal)
        ]
        drivers: Settled = {Move(name): move for name, move in scenario.items()}
        bound = max(at(form, drivers) for form in forms)
        seen = [
            violation(relation, Outcome(world, fills, scenario).worth)
            for fills in every_fill(world, 2)
        ]
        assert max(seen) <= bound
        # Several bends in one sum may each have other worst fills; else the bound is attained.
        met += max(seen) == bound
    assert met > 80


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_read_the_text_as_the_evaluator_does(seed: int, solver: Solver) -> None:
    """Twenty relations a script; it must be unsatisfiable that any of them is worth another."""
    rng = Random(200 + seed)
    for _ in range(12):
        script, equal = Script(), []
        for number in range(20):
            world = random_world(rng)
            outcome = some_outcome(world, rng)
            relation = rng.choice([exact, stressed])(rng)
            drivers = drivers_of(outcome)
            case = rng.choice(cases(world.book, world.proposal))
            term = expand(minus(relation.left, relation.right), case, world.facts, STRESS)
            worth = evaluate(term, drivers.__getitem__)
            apart = renamed(term, number)
            for leaf, own in zip(leaves(term), leaves(apart), strict=True):
                script.within(own, drivers[leaf], drivers[leaf])
            equal += [AtMost(apart, Number(worth)), AtMost(Number(worth), apart)]
        assert ask(script, solver).verdict == "sat"
        script.deny(Both(tuple(equal)))
        assert ask(script, solver).verdict == "unsat"


def renamed(term: Expression, number: int) -> Expression:
    """``term`` with leaves of its own, so that many terms stand in one script."""
    match term:
        case Position(symbol):
            return Position(f"{symbol}.{number}")
        case Move(name):
            return Move(f"{name}.{number}")
        case Cash(place):
            return Cash(f"{place}.{number}")
        case Sum(terms):
            return Sum(tuple(renamed(t, number) for t in terms))
        case Scaled(factor, inner):
            return Scaled(factor, renamed(inner, number))
        case Positive(inner):
            return Positive(renamed(inner, number))
    assert not children(term)
    return term


@pytest.mark.parametrize("seed", range(6))
def test_solvers_find_fills_beyond_a_limit_exactly_where_the_worst_fills_are(seed: int) -> None:
    rng = Random(300 + seed)
    said = {"sat": 0, "unsat": 0}
    for _ in range(60):
        world = random_world(rng)
        relation = exact(rng)
        case = rng.choice(cases(world.book, world.proposal))
        term = expand(minus(relation.left, relation.right), case, world.facts)
        form = normal(term)
        box = [interval(d, case, world.facts) for d in form.drivers if not isinstance(d, Move)]
        value, scenario = worst(form.form, box)
        drivers = dict(zip(form.drivers, map(Fraction, scenario), strict=True))
        assert at(form, drivers) == value / form.unit
        # Just beyond the worst nothing is found; a hair inside it, something is.
        most = value / form.unit
        for limit, expected in ((most, "unsat"), (most - 1, "sat")):
            script = Script()
            for driver in dict.fromkeys(leaves(term)):
                assert isinstance(driver, (Position, Cash))
                script.within(driver, *interval(driver, case, world.facts))
            script.deny(AtMost(term, Number(limit)))
            answers = [ask(script, solver) for solver in SOLVERS]
            assert [a.verdict for a in answers] == [expected, expected]
            said[expected] += 1
            for answer in answers:
                if answer.verdict == "sat":
                    assert evaluate(term, answer.model.__getitem__) > limit
    assert said == {"sat": 60, "unsat": 60}


@pytest.mark.parametrize("seed", range(4))
def test_numpy_is_near_the_evaluator_on_many_outcomes_at_once(seed: int) -> None:
    rng = Random(400 + seed)
    for _ in range(60):
        relation = rng.choice([exact, stressed])(rng)
        outcomes = [some_outcome(random_world(rng), rng) for _ in range(10)]
        needed = set(leaves(relation))
        worth = [{leaf: o.worth(leaf) for leaf in needed} for o in outcomes]
        arrays = {leaf: np.array([float(w[leaf]) for w in worth]) for leaf in needed}
        near = batch.violations(relation, arrays.__getitem__)
        term = minus(relation.left, relation.right)
        for own, value in zip(worth, np.broadcast_to(near, len(outcomes)), strict=True):
            error = abs(float(violation(relation, own.__getitem__)) - value)
            assert error <= 1e-9 * float(magnitude(term, own))


@pytest.mark.parametrize("seed", range(4))
def test_numpy_is_near_the_worst_of_many_trades_at_once(seed: int) -> None:
    rng = Random(500 + seed)
    for _ in range(40):
        world = random_world(rng)
        relation = exact(rng)
        case = rng.choice(cases(world.book, world.proposal))
        form = normal(expand(minus(relation.left, relation.right), case, world.facts))
        reach = [rng.choice([10**6, 10**9, 10**11]) for _ in form.drivers]
        boxes = [
            [tuple(sorted((rng.randint(-r, r), rng.randint(-r, r)))) for r in reach]
            for _ in range(5)
        ]
        ends = np.array(boxes, dtype=np.float64).reshape(5, len(reach), 2)
        near = batch.worst(form, ends[:, :, 0], ends[:, :, 1])
        for box, value in zip(boxes, near, strict=True):
            exactly = float(worst(form.form, box)[0] / form.unit)
            size = abs(form.form.constant) + sum(
                abs(c) * r for c, r in zip(form.form.linear, reach, strict=True)
            )
            size += sum(
                abs(h.weight) * (abs(h.slope) * reach[h.driver] + abs(h.offset))
                for h in form.form.hinges
            )
            assert abs(exactly - value) <= 1e-9 * float(Fraction(size, form.unit))


def test_scenarios_of_these_tests_count_as_the_kernel_does() -> None:
    moves = random_scenario(Random(1))
    assert in_units(moves)[STRESS.driver("ETH")] == moves["ETH"] * SCALE
