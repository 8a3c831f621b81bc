"""The verifier contract against the kernel: the same bound, or both refuse, on every input."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from contracts_leaf import LARGE, REFUSED, by_contract, by_kernel, form_bytes, stress_bytes
from contracts_world import STRANGER, called
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_fund.devnet.anvil import Anvil
from agent_fund.execution.custody.leaf_encoding import (
    check_call,
)
from agent_fund.guard.kernel.certificate import ONE, Leaf
from agent_fund.guard.kernel.compact import pack
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, Row, StressSet


def agrees(verifier: tuple[Anvil, str], form: Form, stress: StressSet, leaf: Leaf) -> int | str:
    """The answer of both."""
    certificate = pack(leaf)
    found = by_contract(verifier, form_bytes(form), stress_bytes(stress), certificate)
    assert found == by_kernel(form, stress, certificate)
    return found


def number(rng: random.Random, bits: int) -> int:
    return rng.choice([-1, 1]) * rng.getrandbits(rng.randint(1, bits))


def problem(rng: random.Random, bits: int = 60) -> tuple[Form, StressSet, Leaf]:
    """A form, a set and a valid leaf, of any size and shape."""
    drivers = rng.randint(0, 6)
    box = tuple(
        (-rng.choice([0, 1, 250_000, SCALE]), rng.choice([0, 1, 300_000, 5 * SCALE]))
        for _ in range(drivers)
    )
    rows = []
    for _ in range(rng.randint(0, 5)):
        named = sorted(rng.sample(range(drivers), rng.randint(0, drivers)))
        terms = tuple((driver, number(rng, 12) or 1) for driver in named)
        rows.append(Row(terms, rng.choice([0, 1, 70_000, rng.getrandbits(40)])))
    hinges = tuple(
        Hinge(number(rng, 3), rng.randrange(drivers), number(rng, 30), number(rng, 50))
        for _ in range(rng.randint(0, 8) if drivers else 0)
    )
    form = Form(number(rng, bits), tuple(number(rng, bits) for _ in range(drivers)), hinges)
    shares = [0, ONE, 1, ONE - 1, ONE // 3, rng.randint(0, ONE)]
    tangents = tuple(rng.choice(shares) for hinge in hinges if hinge.weight < 0)
    chosen = sorted(rng.sample(range(len(rows)), rng.randint(0, len(rows))))
    leaf = Leaf(tangents, tuple((row, rng.getrandbits(rng.randint(1, 90)) + 1) for row in chosen))
    return form, StressSet(box, tuple(rows)), leaf


def tampered(rng: random.Random, leaf: Leaf) -> Leaf:
    tangents, multipliers = list(leaf.tangents), list(leaf.multipliers)
    how = rng.randrange(6)
    if how == 0 and tangents:
        tangents.pop()
    elif how == 1:
        tangents.append(rng.choice([0, 1, ONE]))
    elif how == 2 and tangents:
        tangents[rng.randrange(len(tangents))] = rng.randint(0, ONE)
    elif how == 3 and multipliers:
        row, multiplier = multipliers[-1]
        multipliers[-1] = (row + rng.choice([1, 2, 99]), multiplier)
    elif how == 4 and multipliers:
        at = rng.randrange(len(multipliers))
        row, multiplier = multipliers[at]
        multipliers[at] = (row, multiplier + rng.choice([1, ONE, 10**20]))
    else:
        last = multipliers[-1][0] if multipliers else -1
        multipliers.append((last + rng.choice([1, 3]), 1 << rng.randint(0, 60)))
    return Leaf(tuple(tangents), tuple(multipliers))


@pytest.mark.parametrize("seed", range(8))
def test_contract_and_kernel_prove_the_same_bounds(verifier: tuple[Anvil, str], seed: int) -> None:
    rng = random.Random(seed)
    answers: list[int | str] = []
    for _ in range(50):
        form, stress, leaf = problem(rng)
        answers.append(agrees(verifier, form, stress, leaf))
        answers.append(agrees(verifier, form, stress, tampered(rng, leaf)))
    assert sum(answer == REFUSED for answer in answers) > 10
    assert sum(answer != REFUSED for answer in answers) > 50
    assert LARGE not in answers


def test_numbers_too_large_for_the_chain_prove_nothing_there(
    verifier: tuple[Anvil, str],
) -> None:
    rng = random.Random(9)
    found = []
    for bits in (150, 190, 195, 200, 210, 214, 215, 220, 255, 256, 300, 1_000):
        for _ in range(8):
            form, stress, leaf = problem(rng, bits)
            certificate = pack(leaf)
            by_chain = by_contract(verifier, form_bytes(form), stress_bytes(stress), certificate)
            assert by_chain in (LARGE, by_kernel(form, stress, certificate))
            found.append(by_chain)
    assert LARGE in found
    assert any(isinstance(answer, int) and abs(answer) >> 170 for answer in found)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("bits", [128, 190, 214, 216, 230, 250, 253, 254, 255])
def test_no_number_wraps_round(verifier: tuple[Anvil, str], bits: int, sign: int) -> None:
    large = sign << bits
    high = max(large, 0)
    found = []
    for weight in (3, -3):
        for case in range(9):
            one = [large if case == at else 5 for at in range(8)]
            constant, linear, slope, offset, coefficient, bound, end, y = one
            hinges = (Hinge(large if case == 8 else weight, 0, slope, offset),)
            form = Form(constant, (linear,), hinges)
            rows = (Row(((0, coefficient),), max(bound, 0)),)
            stress = StressSet(((-SCALE, high if case == 6 else end),), rows)
            concave = hinges[0].weight < 0
            leaf = Leaf((ONE,) if concave else (), ((0, abs(y)),))
            parts = form_bytes(form), stress_bytes(stress), pack(leaf)
            found.append(by_contract(verifier, *parts))
            assert found[-1] in (LARGE, by_kernel(form, stress, parts[2]))
    assert (LARGE in found) == (bits > 190)


def test_within_the_stated_size_nothing_is_too_large(verifier: tuple[Anvil, str]) -> None:
    most = (1 << 210) - 1
    box = ((-SCALE, SCALE),)
    for constant in (most, -most):
        agreed = agrees(verifier, Form(constant, (0,)), StressSet(box), Leaf((), ()))
        assert agreed == constant
    linear = Form(0, (most // SCALE,))
    assert agrees(verifier, linear, StressSet(box), Leaf((), ())) == most // SCALE * SCALE
    for weight in (1, -1):
        size = most // 2 // SCALE
        hinge = Form(0, (0,), (Hinge(weight, 0, size, size * SCALE // 2),))
        leaf = Leaf((ONE,) if weight < 0 else (), ())
        assert agrees(verifier, hinge, StressSet(box), leaf) != LARGE


def test_every_kind_of_hinge_at_every_kind_of_box(verifier: tuple[Anvil, str]) -> None:
    boxes = [(0, 0), (-7, 0), (0, 9), (-7, 9), (-SCALE, 4 * SCALE)]
    for low, high in boxes:
        for slope in (-3, 0, 5):
            for offset in (-20, -15, 0, 15, 21, 45):
                for weight in (-2, 0, 3):
                    form = Form(1, (2,), (Hinge(weight, 0, slope, offset),))
                    leaf = Leaf((ONE // 3,) if weight < 0 else (), ())
                    agrees(verifier, form, StressSet(((low, high),)), leaf)


def test_the_check_is_at_the_bound_itself(verifier: tuple[Anvil, str]) -> None:
    anvil, address = verifier
    form, stress = Form(-3, (1,)), StressSet(((-5, 5),))
    parts = form_bytes(form), stress_bytes(stress), pack(Leaf((), ()))
    for bound, proved in ((1, 0), (2, 1), (3, 1), (-5, 0)):
        answer = called(anvil, STRANGER.address, address, check_call(*parts, bound))
        assert int.from_bytes(answer, "big") == proved


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_leaves_of_small_numbers(verifier: tuple[Anvil, str], data: st.DataObject) -> None:
    drivers = data.draw(st.integers(1, 3))
    small = st.integers(-5, 5)
    ends = st.tuples(st.integers(-9, 0), st.integers(0, 9))
    box = tuple(data.draw(ends) for _ in range(drivers))
    rows = tuple(
        Row.dense(data.draw(st.tuples(*[small] * drivers)), data.draw(st.integers(0, 20)))
        for _ in range(data.draw(st.integers(0, 3)))
    )
    hinges = tuple(
        Hinge(data.draw(small), data.draw(st.integers(0, drivers - 1)), data.draw(small), w)
        for w in data.draw(st.lists(st.integers(-30, 30), max_size=4))
    )
    form = Form(data.draw(small), data.draw(st.tuples(*[small] * drivers)), hinges)
    concave = sum(hinge.weight < 0 for hinge in hinges)
    tangents = tuple(data.draw(st.sampled_from([0, 1, ONE // 7, ONE])) for _ in range(concave))
    weights = [data.draw(st.sampled_from([0, 1, ONE // 3, ONE])) for _ in rows]
    leaf = Leaf(tangents, tuple((row, y) for row, y in enumerate(weights) if y))
    assert agrees(verifier, form, StressSet(box, rows), leaf) != REFUSED


def test_a_leaf_is_unchanged_by_rows_that_it_does_not_weigh(verifier: tuple[Anvil, str]) -> None:
    rng = random.Random(3)
    for _ in range(20):
        form, stress, leaf = problem(rng)
        used = {row for row, _ in leaf.multipliers}
        kept = tuple(row for number, row in enumerate(stress.rows) if number in used)
        fewer = Leaf(leaf.tangents, tuple((n, y) for n, (_, y) in enumerate(leaf.multipliers)))
        less = agrees(verifier, form, replace(stress, rows=kept), fewer)
        assert less == agrees(verifier, form, stress, leaf)
