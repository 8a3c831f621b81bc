"""The checker against a second one in rationals, against sampled scenarios, and against garbage."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from guard_random import certificates, forms, scenarios, stress_sets
from guard_reference import form_value, verdict, vertices
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.check import check, proved_bound
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, KernelError, Row, StressSet

SET = StressSet(((-100, 100), (-50, 50)), (Row(((0, 1), (1, 1)), 60),))
FORM = Form(5, (3, -2), (Hinge(2, 0, 1, 10), Hinge(-3, 1, 2, -4)))
LEAF = Leaf((ONE // 2,), ((0, ONE),))


def proved(form: Form, stress: StressSet, tree: Any) -> int | None:
    try:
        return proved_bound(form, stress, tree)
    except KernelError:
        return None


@st.composite
def claims(draw: st.DrawFn, tampered: bool | None = None) -> tuple[Form, StressSet, Certificate]:
    stress = draw(stress_sets())
    form = draw(forms(len(stress.box)))
    bad = draw(st.booleans()) if tampered is None else tampered
    return form, stress, draw(certificates(form, stress, bad))


@settings(deadline=None, max_examples=600)
@given(claims())
def test_two_checkers_agree_on_every_certificate_and_on_its_bound(
    claim: tuple[Form, StressSet, Certificate],
) -> None:
    form, stress, tree = claim
    assert proved(form, stress, tree) == verdict(form, stress, tree)


@settings(deadline=None, max_examples=100)
@given(claims(tampered=False))
def test_an_honest_certificate_is_accepted(claim: tuple[Form, StressSet, Certificate]) -> None:
    assert proved(*claim) is not None


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_scenario_of_the_set_exceeds_a_proved_bound(data: st.DataObject) -> None:
    form, stress, tree = data.draw(claims())
    bound = proved(form, stress, tree)
    if bound is None:
        return
    for _ in range(4):
        scenario = data.draw(scenarios(stress))
        assert form_value(form, scenario) <= bound


@settings(deadline=None, max_examples=60)
@given(claims())
def test_no_vertex_of_the_set_exceeds_a_proved_bound(
    claim: tuple[Form, StressSet, Certificate],
) -> None:
    form, stress, tree = claim
    bound = proved(form, stress, tree)
    if bound is not None:
        assert all(form_value(form, x) <= bound for x in vertices(stress.box, stress.rows))


@given(claims(tampered=False))
@settings(deadline=None, max_examples=60)
def test_a_bound_holds_from_the_proved_value_upward_and_not_below(
    claim: tuple[Form, StressSet, Certificate],
) -> None:
    form, stress, tree = claim
    bound = proved_bound(form, stress, tree)
    assert check(form, stress, tree, bound)
    assert check(form, stress, tree, bound + 1)
    assert not check(form, stress, tree, bound - 1)


def test_the_example_is_accepted_so_that_its_corruptions_mean_something() -> None:
    assert proved(FORM, SET, LEAF) == verdict(FORM, SET, LEAF) is not None


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (Leaf(LEAF.tangents, ((0, -1),)), "no positive integer"),
        (Leaf(LEAF.tangents, ((0, 0),)), "no positive integer"),
        (Leaf(LEAF.tangents, ((0, True),)), "no positive integer"),
        (Leaf(LEAF.tangents, ((0, 1.0),)), "no positive integer"),  # type: ignore[arg-type]
        (Leaf(LEAF.tangents, ((0, float("nan")),)), "no positive integer"),  # type: ignore[arg-type]
        (Leaf(LEAF.tangents, ((0, "1"),)), "no positive integer"),  # type: ignore[arg-type]
        (Leaf(LEAF.tangents, ((0, Fraction(1)),)), "no positive integer"),  # type: ignore[arg-type]
        (Leaf(LEAF.tangents, ((False, 1),)), "no positive integer"),
        (Leaf(LEAF.tangents, ((1, 1),)), "not among 1"),
        (Leaf(LEAF.tangents, ((-1, 1),)), "out of order"),
        (Leaf(LEAF.tangents, ((0, 1), (0, 1))), "out of order"),
        (Leaf((), ()), "only 0 tangents"),
        (Leaf((0, 0), ()), "2 tangents for 1"),
        (Leaf((-1,), ()), "no integer from 0"),
        (Leaf((ONE + 1,), ()), "no integer from 0"),
        (Leaf((False,), ()), "no integer from 0"),
        (Leaf((0.5,), ()), "no integer from 0"),  # type: ignore[arg-type]
    ],
)
def test_a_corrupt_leaf_is_refused(leaf: Leaf, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        proved_bound(FORM, SET, leaf)


def test_every_tangent_of_a_concave_hinge_is_above_its_peak() -> None:
    # -max(0, x) on [-10, 10] is at most 0, where x <= 0; no tangent proves less.
    form, stress = Form(0, (0,), (Hinge(-1, 0, 1, 0),)), StressSet(((-10, 10),))
    assert [proved_bound(form, stress, Leaf((t,), ())) for t in (0, ONE // 2, ONE)] == [0, 5, 10]


@pytest.mark.parametrize("at", [-100, 100, -101, 101, 10**30])
def test_a_split_outside_the_box_is_refused(at: int) -> None:
    with pytest.raises(KernelError, match="outside"):
        proved_bound(FORM, SET, Split(0, at, LEAF, LEAF))


@pytest.mark.parametrize("driver", [-1, 2, True, 0.0, "0"])
def test_a_split_of_an_unknown_driver_is_refused(driver: Any) -> None:
    with pytest.raises(KernelError, match="names driver"):
        proved_bound(FORM, SET, Split(driver, 0, LEAF, LEAF))


@pytest.mark.parametrize("at", [True, 0.0, "0", Fraction(0)])
def test_a_split_at_no_integer_is_refused(at: Any) -> None:
    with pytest.raises(KernelError, match="names driver"):
        proved_bound(FORM, SET, Split(0, at, LEAF, LEAF))


def test_depth_is_limited_exactly() -> None:
    stress, form, leaf = StressSet(((-SCALE, SCALE),)), Form(0, (1,)), Leaf((), ())
    tree: Certificate = leaf
    for at in range(MAX_DEPTH, 0, -1):
        tree = Split(0, at, leaf, tree)
    assert proved_bound(form, stress, tree) == SCALE
    with pytest.raises(KernelError, match="deeper"):
        proved_bound(form, stress, Split(0, -1, leaf, tree))


@pytest.mark.parametrize("thing", [None, 0, "leaf", {}, ((), ())])
def test_what_is_neither_leaf_nor_split_is_refused(thing: Any) -> None:
    with pytest.raises(KernelError, match="no certificate"):
        proved_bound(FORM, SET, thing)


def test_a_form_of_another_number_of_drivers_is_refused() -> None:
    with pytest.raises(KernelError, match="1 drivers"):
        proved_bound(Form(0, (1,)), SET, Leaf((), ()))


@pytest.mark.parametrize(
    "interval",
    [(1, 2), (-2, -1), (5, -5), (-SCALE - 1, 0), (0, -1), (0.0, 1), (False, True), ("0", "1")],
)
def test_a_box_without_no_move_or_below_everything_lost_is_refused(interval: Any) -> None:
    with pytest.raises(KernelError, match="box"):
        StressSet((interval,))


@pytest.mark.parametrize(
    ("row", "message"),
    [(Row(((0, 1),), -1), "no-move"), (Row(((1, 1),), 0), "not there"), (Row((), -1), "no-move")],
)
def test_rows_that_exclude_no_move_or_do_not_fit_are_refused(row: Row, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        StressSet(((-1, 1),), (row,))


@pytest.mark.parametrize("bad", [0.1, True, "1", None, Fraction(1), float("inf")])
def test_forms_rows_and_hinges_read_integers_only(bad: Any) -> None:
    for make in (
        lambda: Form(bad, (0,)),
        lambda: Form(0, (bad,)),
        lambda: Row(((0, bad),), 0),
        lambda: Row(((bad, 1),), 0),
        lambda: Row((), bad),
        lambda: Row.dense((bad,), 0),
        lambda: Hinge(bad, 0, 0, 0),
        lambda: Hinge(0, bad, 0, 0),
        lambda: Hinge(0, 0, bad, 0),
        lambda: Hinge(0, 0, 0, bad),
    ):
        with pytest.raises(KernelError, match="integers only"):
            make()


@pytest.mark.parametrize("terms", [((-1, 1),), ((0, 0),), ((1, 1), (0, 1)), ((0, 1), (0, 1))])
def test_a_row_out_of_order_or_with_a_zero_is_refused(terms: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(KernelError, match="in order"):
        Row(terms, 0)


@pytest.mark.parametrize("driver", [-1, 1, 99])
def test_a_hinge_of_an_unknown_driver_is_refused(driver: int) -> None:
    with pytest.raises(KernelError, match="not there"):
        Form(0, (0,), (Hinge(1, driver, 1, 0),))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_the_kernels_own_evaluation_is_the_forms_definition(data: st.DataObject) -> None:
    stress = data.draw(stress_sets())
    form = data.draw(forms(len(stress.box)))
    x = [data.draw(st.integers(low, high)) for low, high in stress.box]
    assert form.at(x) == form_value(form, [Fraction(v) for v in x])
