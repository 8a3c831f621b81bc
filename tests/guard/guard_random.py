"""Hypothesis strategies for forms, stress sets and certificates, honest and tampered."""

from __future__ import annotations

from fractions import Fraction

from guard_reference import inside
from hypothesis import strategies as st

from agent_fund.guard.kernel.certificate import ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, Row, StressSet

Box = list[tuple[int, int]]


@st.composite
def stress_sets(draw: st.DrawFn, drivers: int | None = None, rows: int = 3) -> StressSet:
    count = draw(st.integers(1, 3)) if drivers is None else drivers
    lows = st.sampled_from([0, -1, -7, -250_000, -SCALE])
    highs = st.sampled_from([0, 1, 9, 300_000, 4 * SCALE])
    box = tuple((draw(lows), draw(highs)) for _ in range(count))
    coefficients = st.tuples(*[st.integers(-5, 5)] * count)
    bounds = st.sampled_from([0, 1, 50, 100_000, SCALE])
    ties = draw(st.lists(st.builds(Row.dense, coefficients, bounds), max_size=rows))
    return StressSet(box, tuple(ties))


@st.composite
def forms(draw: st.DrawFn, count: int, hinges: int = 3) -> Form:
    number = st.integers(-1_000, 1_000)
    kinks = st.builds(
        Hinge,
        st.integers(-4, 4),
        st.integers(0, count - 1),
        st.integers(-6, 6),
        st.sampled_from([0, 1, -1, 5, -5, 70_000, -70_000, SCALE, -SCALE]),
    )
    return Form(
        draw(number),
        draw(st.tuples(*[number] * count)),
        tuple(draw(st.lists(kinks, max_size=hinges))),
    )


@st.composite
def certificates(draw: st.DrawFn, form: Form, stress: StressSet, tampered: bool) -> Certificate:
    tree = draw(_trees(form, stress, list(stress.box), 2))
    return draw(_tamper(tree)) if tampered else tree


@st.composite
def _trees(draw: st.DrawFn, form: Form, stress: StressSet, box: Box, depth: int) -> Certificate:
    wide = [i for i, (low, high) in enumerate(box) if high - low > 1]
    if depth and wide and draw(st.booleans()):
        driver = draw(st.sampled_from(wide))
        low, high = box[driver]
        at = draw(st.integers(low + 1, high - 1))
        left, right = list(box), list(box)
        left[driver], right[driver] = (low, at), (at, high)
        return Split(
            driver,
            at,
            draw(_trees(form, stress, left, depth - 1)),
            draw(_trees(form, stress, right, depth - 1)),
        )
    shares = st.sampled_from([0, ONE, 0, ONE, 1, ONE // 3, ONE - 1])
    tangents = tuple(draw(shares) for hinge in form.hinges if hinge.weight < 0)
    weights = st.sampled_from([0, 0, 1, ONE // 3, ONE, 100 * ONE + 7])
    drawn = [(row, draw(weights)) for row in range(len(stress.rows))]
    return Leaf(tangents, tuple((row, weight) for row, weight in drawn if weight))


@st.composite
def _tamper(draw: st.DrawFn, tree: Certificate) -> Certificate:
    if isinstance(tree, Split):
        how = draw(st.integers(0, 3))
        if how == 0:
            shifted = tree.at + draw(st.sampled_from([-1, 1, -SCALE, SCALE, 10**9]))
            return Split(tree.driver, shifted, tree.left, tree.right)
        if how == 1:
            driver = tree.driver + draw(st.sampled_from([-1, 1, 7]))
            return Split(driver, tree.at, tree.left, tree.right)
        if how == 2:
            return Split(tree.driver, tree.at, draw(_tamper(tree.left)), tree.right)
        return Split(tree.driver, tree.at, tree.left, draw(_tamper(tree.right)))
    tangents, multipliers = list(tree.tangents), list(tree.multipliers)
    step = draw(st.sampled_from([-1, 1, -ONE, ONE, -3 * ONE, 10**20, -(10**20)]))
    how = draw(st.integers(0, 5))
    if how == 0 and tangents:
        tangents[draw(st.integers(0, len(tangents) - 1))] += step
    elif how == 1 and tangents:
        tangents.pop()
    elif how == 2 and multipliers:
        index = draw(st.integers(0, len(multipliers) - 1))
        row, weight = multipliers[index]
        multipliers[index] = (row, weight + step)
    elif how == 3:
        tangents = [*tangents, 0]
    elif how == 4 and multipliers:
        index = draw(st.integers(0, len(multipliers) - 1))
        row, weight = multipliers[index]
        multipliers[index] = (row + draw(st.sampled_from([-1, 1, 2, 99])), weight)
    elif multipliers:
        multipliers.append(multipliers[-1])
    else:
        multipliers.append((draw(st.integers(-1, 4)), ONE))
    return Leaf(tuple(tangents), tuple(multipliers))


@st.composite
def scenarios(draw: st.DrawFn, stress: StressSet) -> tuple[Fraction, ...]:
    """A point of the set: a corner or a random point of the box, shrunk until the rows hold."""
    point = []
    for low, high in stress.box:
        eighths = draw(st.sampled_from([0, 8, 0, 8, 1, 3, 5, 7]))
        point.append(low + (high - low) * Fraction(eighths, 8))
    # The set is convex and holds no move, so the way there always meets it.
    share = Fraction(1)
    for row in stress.rows:
        use = sum((c * point[n] for n, c in row.terms), Fraction(0))
        if use > row.bound:
            share = min(share, Fraction(row.bound) / use)
    scenario = tuple(x * share for x in point)
    assert inside(stress, scenario)
    return scenario
