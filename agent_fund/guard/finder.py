"""The untrusted finder: proposes certificates by linear programming and branch and bound.

It may use floats, because nothing that it says is believed: the kernel computes what each
certificate proves. A wrong finder costs a refusal, never a bad trade.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import highspy
import numpy as np

from agent_fund.guard.kernel.certificate import ONE, SHIFT, Certificate, Leaf, Split
from agent_fund.guard.kernel.check import chord, leaf_bound, proved_bound, tangent
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, KernelError, StressSet

MAX_LEAVES = 64
DIGITS = 24

Point: TypeAlias = Sequence[float]
"""Returns of all drivers, as the linear program has them."""


@dataclass(frozen=True)
class Found:
    """A certificate, what the kernel says it proves, and a bad scenario inside the set."""

    certificate: Certificate
    bound: int
    scenario: tuple[Fraction, ...]


class Finder:
    """Certificates for forms over one stress set; the linear program stays warm between calls."""

    def __init__(self, stress: StressSet) -> None:
        self._stress = stress
        self._columns = len(stress.box)
        self._index = np.arange(self._columns, dtype=np.int32)
        self._solver = _solver(stress)
        self._box = list(stress.box)
        self._baskets = _baskets(stress)

    def leaf(self, form: Form) -> tuple[Leaf, Point]:
        """The best one-leaf certificate found, and the point at which it is worst."""
        return self._leaf(form, list(self._stress.box))

    def bound(self, form: Form, target: int | None = None) -> Found:
        """The best certificate found for an upper bound of ``form``.

        Args:
            target: stop as soon as this bound is proved; None: one leaf, no search.
        """
        box = list(self._stress.box)
        leaf, point = self._leaf(form, box)
        bound, scenario = proved_bound(form, self._stress, leaf), self.scenario(point)
        if target is None or bound <= target or not form.hinges:
            return Found(leaf, bound, scenario)
        if form_at(form, scenario) > target:
            return Found(leaf, bound, scenario)
        tree, worst = self._split(form, box, target, [MAX_LEAVES])
        bound = proved_bound(form, self._stress, tree)
        return Found(tree, bound, worst or scenario)

    def scenario(self, point: Point) -> tuple[Fraction, ...]:
        """A point that was found, as an exact scenario inside the set.

        Rounded, baskets recomputed, and shrunk toward no move until the set holds it.
        """
        exact = [
            min(Fraction(high), max(Fraction(low), Fraction(round(x * SCALE))))
            for x, (low, high) in zip(point, self._stress.box, strict=True)
        ]
        for column, terms in self._baskets:
            others = sum((c * exact[n] for n, c in terms if n != column), Fraction(0))
            exact[column] = -others / dict(terms)[column]
        for shrink in (0, 20, 16, 12, 8):
            factor = 1 - Fraction(1, 1 << shrink) if shrink else Fraction(1)
            trial = [x * factor for x in exact]
            if _holds(self._stress, trial):
                return tuple(trial)
        return tuple(Fraction(0) for _ in exact)

    def _split(
        self, form: Form, box: list[tuple[int, int]], target: int, budget: list[int]
    ) -> tuple[Certificate, tuple[Fraction, ...] | None]:
        """Branch at the kink of the hinge whose majorant is loosest where the leaf is worst."""
        leaf, point = self._leaf(form, box)
        scenario = self.scenario(point)
        budget[0] -= 1
        if form_at(form, scenario) > target:
            return leaf, scenario
        cut = self._loosest(form, box, scenario)
        if budget[0] <= 0 or cut is None or _leaf_proves(form, self._stress, leaf, box, target):
            return leaf, None
        driver, at = cut
        low, high = box[driver]
        left, right = list(box), list(box)
        left[driver], right[driver] = (low, at), (at, high)
        left_tree, bad = self._split(form, left, target, budget)
        if bad is not None:
            return leaf, bad
        right_tree, bad = self._split(form, right, target, budget)
        return Split(driver, at, left_tree, right_tree), bad

    def _leaf(self, form: Form, box: list[tuple[int, int]]) -> tuple[Leaf, Point]:
        lines, tangents = _lines(form, box)
        cost = [float(c) for c in form.linear]
        for hinge, (slope, _) in zip(form.hinges, lines, strict=True):
            cost[hinge.driver] += slope / (1 << SHIFT)
        if not self._stress.rows:  # a box alone: each driver at the end that costs more
            ends = [high if c > 0 else low for c, (low, high) in zip(cost, box, strict=True)]
            return Leaf(tangents, ()), [end / SCALE for end in ends]
        size = max(map(abs, cost), default=0.0) or 1.0
        if box != self._box:
            self._solver.changeColsBounds(
                self._columns,
                self._index,
                np.array([low / SCALE for low, _ in box]),
                np.array([high / SCALE for _, high in box]),
            )
            self._box = box
        self._solver.changeColsCost(self._columns, self._index, np.array(cost) / size)
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return Leaf(tangents, ()), [0.0] * self._columns
        solution = self._solver.getSolution()
        unit = size * (1 << SHIFT)
        multipliers = [
            (row, multiplier)
            for row, dual in enumerate(solution.row_dual)
            if dual > 0 and (multiplier := _rounded(dual * unit))
        ]
        return Leaf(tangents, tuple(multipliers)), list(solution.col_value)

    def _loosest(
        self,
        form: Form,
        box: list[tuple[int, int]],
        scenario: tuple[Fraction, ...],
    ) -> tuple[int, int] | None:
        best: tuple[Fraction, int, int] | None = None
        lines, _ = _lines(form, box)
        for hinge, (slope, offset) in zip(form.hinges, lines, strict=True):
            if hinge.slope == 0:
                continue
            low, high = box[hinge.driver]
            at = round(Fraction(-hinge.offset, hinge.slope))
            x = scenario[hinge.driver]
            gap = (slope * x + offset) / (1 << SHIFT) - _hinge_at(hinge, x)
            if low < at < high and (best is None or gap > best[0]):
                best = (gap, hinge.driver, at)
        return None if best is None else (best[1], best[2])


def _rounded(value: float) -> int:
    """``value`` as an integer of DIGITS binary digits and zeros; nothing that is not finite."""
    if not math.isfinite(value):
        return 0
    exponent = max(0, math.frexp(value)[1] - DIGITS)
    return round(math.ldexp(value, -exponent)) << exponent


def _baskets(stress: StressSet) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """The rows that define a driver, ``row . x = 0``, each with the column that it defines."""
    found = []
    for row, opposite in itertools.pairwise(stress.rows):
        negated = tuple((d, -c) for d, c in opposite.terms) == row.terms
        if negated and row.bound == opposite.bound == 0 and row.terms:
            found.append((row.terms[-1][0], row.terms))
    return found


def _holds(stress: StressSet, x: Sequence[Fraction]) -> bool:
    return all(low <= v <= high for v, (low, high) in zip(x, stress.box, strict=True)) and all(
        sum(c * x[n] for n, c in row.terms) <= row.bound for row in stress.rows
    )


def _lines(
    form: Form, box: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], tuple[int, ...]]:
    """A line above each hinge on ``box``, and the tangents that choose those of concave ones."""
    lines, tangents = [], []
    for hinge in form.hinges:
        low, high = box[hinge.driver]
        if hinge.weight >= 0:
            lines.append(chord(hinge, low, high))
        else:
            # The own line where it is the lower one over most of the box, else zero.
            share = ONE if hinge.slope * (low + high) + 2 * hinge.offset > 0 else 0
            tangents.append(share)
            lines.append(tangent(hinge, share))
    return lines, tuple(tangents)


def form_at(form: Form, x: tuple[Fraction, ...]) -> Fraction:
    """The exact value of ``form`` in a rational scenario."""
    total = Fraction(form.constant)
    for coefficient, move in zip(form.linear, x, strict=True):
        total += coefficient * move
    for hinge in form.hinges:
        total += _hinge_at(hinge, x[hinge.driver])
    return total


def _hinge_at(hinge: Hinge, x: Fraction) -> Fraction:
    inner = hinge.slope * x + hinge.offset
    return hinge.weight * inner if inner > 0 else Fraction(0)


def _leaf_proves(
    form: Form, stress: StressSet, leaf: Leaf, box: list[tuple[int, int]], target: int
) -> bool:
    """Whether the leaf proves ``target`` on ``box``, a part of the set's own box."""
    try:
        return leaf_bound(form, stress, leaf, box) <= target
    except KernelError:
        return False


def _solver(stress: StressSet) -> highspy.Highs:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    model = highspy.HighsLp()
    columns, rows = len(stress.box), len(stress.rows)
    model.num_col_, model.num_row_ = columns, rows
    model.sense_ = highspy.ObjSense.kMaximize
    model.col_cost_ = np.zeros(columns)
    model.col_lower_ = np.array([low / SCALE for low, _ in stress.box])
    model.col_upper_ = np.array([high / SCALE for _, high in stress.box])
    model.row_lower_ = np.full(rows, -highspy.kHighsInf)
    model.row_upper_ = np.array([row.bound / SCALE for row in stress.rows])
    starts, indices, values = [0], [], []
    for row in stress.rows:
        for column, coefficient in row.terms:
            indices.append(column)
            values.append(float(coefficient))
        starts.append(len(indices))
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.array(starts, dtype=np.int32)
    model.a_matrix_.index_ = np.array(indices, dtype=np.int32)
    model.a_matrix_.value_ = np.array(values)
    solver.passModel(model)
    return solver
