"""A linear program over one stress set that stays warm: new costs, kinks and bounds, no rebuild.

    maximise  cost . x - weights . s   with x in the set,  s >= 0,  s >= sign * (x[driver] - kink)

One column ``s`` stands for each concave hinge, so that the program chooses its tangent. Two rows
that say ``a . x <= b`` and ``-a . x <= c`` are one row with two ends: half the rows, and no basis
that is degenerate by construction. Moves are returns, as floats; nothing here is trusted.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import highspy
import numpy as np
from numpy.typing import NDArray

from agent_fund.guard.kernel.certificate import ONE, SHIFT
from agent_fund.guard.kernel.form import SCALE, StressSet

Floats: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[tuple[int, int], ...]
"""Driver and sign of the slope of each concave hinge."""

MAX_ITERATIONS = 100_000
NEGLIGIBLE = 1e-12
DIGITS = 24


class Optimum(NamedTuple):
    """What the program came to.

    Attributes:
        value: the largest value; minus infinity if no scenario is left in the box.
        point: the drivers' returns there.
        duals: of each of the program's rows; if no scenario is left, of a contradiction.
    """

    value: float
    point: Floats
    duals: Floats


class Program:
    """The program for one stress set and one shape of concave hinges."""

    def __init__(self, stress: StressSet, shape: Shape) -> None:
        self._drivers, self._concave = len(stress.box), len(shape)
        upper, lower = _paired(stress)
        self._upper = np.array(upper, dtype=np.intp)
        self._lower = np.array([-1 if row is None else row for row in lower], dtype=np.intp)
        self._low = np.array([low / SCALE for low, _ in stress.box])
        self._high = np.array([high / SCALE for _, high in stress.box])
        rows = len(self._upper)
        self._columns = np.arange(self._drivers + self._concave, dtype=np.int32)
        self._bends = np.arange(rows, rows + self._concave, dtype=np.int32)
        self._signs = np.array([float(sign) for _, sign in shape])
        self._no_end = np.full(self._concave, highspy.kHighsInf)
        self._solver = self._build(stress, shape)

    def solve(
        self, cost: Floats, weights: Floats, kinks: Floats, low: Floats, high: Floats
    ) -> Optimum:
        """The optimum for these costs, in the box from ``low`` to ``high``.

        Args:
            weights: what a unit of each concave hinge takes away. ``kinks``: where each begins.

        Raises:
            RuntimeError: if the solver gives up.
        """
        solver = self._solver
        for column in np.flatnonzero((low != self._low) | (high != self._high)):
            solver.changeColBounds(int(column), low[column], high[column])
        self._low, self._high = low, high
        if self._concave:
            cost = np.concatenate((cost, -weights))
            starts = -self._signs * kinks
            solver.changeRowsBounds(  # type: ignore[attr-defined]
                self._concave, self._bends, starts, self._no_end
            )
        size = float(np.abs(cost).max()) or 1.0
        solver.changeColsCost(len(self._columns), self._columns, cost / size)
        solver.run()
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return Optimum(-math.inf, np.zeros(self._drivers), self._contradiction())
        if status != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"the linear program ended {status.name}")
        solution = solver.getSolution()
        point = np.array(solution.col_value[: self._drivers])
        return Optimum(solver.getObjectiveValue() * size, point, np.array(solution.row_dual) * size)

    def multipliers(self, duals: Floats) -> tuple[tuple[int, int], ...]:
        """What ``duals`` weigh the set's own rows with, as a leaf has it: of DIGITS binary digits.

        Weights that are nothing beside the largest are left out.
        """
        duals = duals[: len(self._upper)]
        sizes = np.abs(duals)
        rows = np.where(duals > 0, self._upper, self._lower)
        kept = (sizes > NEGLIGIBLE * sizes.max(initial=0.0)) & (rows >= 0)
        fractions, exponents = np.frexp(sizes[kept])
        digits = np.rint(np.ldexp(fractions, DIGITS)).astype(np.int64).tolist()
        shifts = (exponents + (SHIFT - DIGITS)).tolist()
        weights = [n << by if by >= 0 else n >> -by for n, by in zip(digits, shifts, strict=True)]
        return tuple(
            (row, weight)
            for row, weight in zip(rows[kept].tolist(), weights, strict=True)
            if weight
        )

    def shares(self, duals: Floats, weights: Floats) -> list[int]:
        """Of each concave hinge, the share of its own line in the tangent that ``duals`` choose."""
        shares = np.clip(-duals[len(self._upper) :] / weights, 0.0, 1.0)
        unit = ONE >> DIGITS
        return [n * unit for n in np.rint(np.ldexp(shares, DIGITS)).astype(np.int64).tolist()]

    def _contradiction(self) -> Floats:
        """Duals that no scenario in the box can satisfy; zeros if the solver has none."""
        _, known, ray = self._solver.getDualRay()  # type: ignore[attr-defined]
        rows = len(self._upper) + self._concave
        return -np.array(ray) if known and np.isfinite(ray).all() else np.zeros(rows)

    def _build(self, stress: StressSet, shape: Shape) -> highspy.Highs:
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("presolve", "off"),
            ("solver", "simplex"),
            ("simplex_iteration_limit", MAX_ITERATIONS),
        ):
            solver.setOptionValue(option, value)
        infinity = highspy.kHighsInf
        starts, indices, values = [0], [], []
        for row in self._upper.tolist():
            for driver, coefficient in stress.rows[row].terms:
                indices.append(driver)
                values.append(float(coefficient))
            starts.append(len(indices))
        for number, (driver, sign) in enumerate(shape):
            indices += [driver, self._drivers + number]
            values += [-float(sign), 1.0]
            starts.append(len(indices))
        ends = [stress.rows[row].bound / SCALE for row in self._upper.tolist()]
        begins = [
            -infinity if row < 0 else -stress.rows[row].bound / SCALE
            for row in self._lower.tolist()
        ]
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self._columns), len(starts) - 1
        model.sense_ = highspy.ObjSense.kMaximize
        model.col_cost_ = np.zeros(len(self._columns))
        model.col_lower_ = np.concatenate((self._low, np.zeros(self._concave)))
        model.col_upper_ = np.concatenate((self._high, self._no_end))
        model.row_lower_ = np.array(begins + [0.0] * self._concave)
        model.row_upper_ = np.array(ends + [infinity] * self._concave)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(starts, dtype=np.int32)
        model.a_matrix_.index_ = np.array(indices, dtype=np.int32)
        model.a_matrix_.value_ = np.array(values)
        solver.passModel(model)
        return solver


def _paired(stress: StressSet) -> tuple[list[int], list[int | None]]:
    """Rows of the set, each with the one after it if that is its negative."""
    upper: list[int] = []
    lower: list[int | None] = []
    rows, number = stress.rows, 0
    while number < len(rows):
        after = rows[number + 1].terms if number + 1 < len(rows) else ()
        twin = bool(after) and after == tuple((d, -c) for d, c in rows[number].terms)
        upper.append(number)
        lower.append(number + 1 if twin else None)
        number += 2 if twin else 1
    return upper, lower
