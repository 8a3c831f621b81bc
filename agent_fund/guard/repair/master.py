"""The master problem of cutting planes: the shares nearest to the whole that no cut forbids.

A scenario that is too bad, or a limit that is broken, gives a cut: a linear inequality in the
shares that every admissible trade satisfies, about. The linear program keeps as much as the cuts
allow (Kelley 1960). Each cut stands back by what rounding down to lots can take away from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.obligations import Role
from agent_fund.guard.repair.model import Model, Row
from agent_fund.guard.repair.points import Vector
from agent_fund.guard.repair.trial import Trial, Trials

_HAIR = 1e-9
"""Cuts stand back by that much of NAV at first, so that an exact check agrees with floats."""

_OPTIONS: tuple[tuple[str, str | bool | int | float], ...] = (
    ("output_flag", False),
    ("threads", 1),
    ("presolve", "off"),
    ("primal_feasibility_tolerance", 1e-10),
    ("dual_feasibility_tolerance", 1e-10),
)


class Master:
    """The linear program; columns are the shares, then the worst loss and gain as parts of NAV.

    Args:
        values: what all of each direction is worth.
        lots: what one lot of each direction is of it; rounding takes less than that.
        ordered: whether shares may not rise from one direction to the next.
    """

    def __init__(
        self,
        trials: Trials,
        model: Model,
        values: Sequence[float],
        lots: Sequence[float],
        *,
        ordered: bool,
    ) -> None:
        mandate, situation = trials.mandate, trials.situation
        self._model = model
        self._nav = float(situation.nav)
        self._lots = np.array(lots, dtype=np.float64)
        self._back = _HAIR
        self._bounds: list[tuple[int, float]] = []
        self._count = count = len(values)
        self._solver = solver = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in _OPTIONS:
            solver.setOptionValue(option, value)
        for value in np.array(values) / max(values):
            solver.addVar(0.0, 1.0)
            solver.changeColCost(solver.getNumCol() - 1, -float(value))
        for _ in (Role.LOSS, Role.GAIN):
            solver.addVar(0.0, highspy.kHighsInf)
        for leg in range(count - 1 if ordered else 0):
            order = np.zeros(count)
            order[leg], order[leg + 1] = -1.0, 1.0
            self._add(Row(0.0, order), rounded=False)
        kept = float(1 - mandate.drawdown.limit)
        mark = max(situation.mark / self._nav, 0.0)
        costs, legging = (
            self._traded(model.trading(lambda t: t.costs)),
            model.trading(lambda t: t.legging),
        )
        # Safe, as parts of NAV: loss and costs leave the floor, and the share kept of any mark.
        lowest = Row(costs.constant - 1, costs.slopes)
        peak = self._traded(legging)
        self._add(Row(lowest.constant + kept * mark, lowest.slopes), loss=1.0)
        self._add(Row(lowest.constant + situation.floor / self._nav, lowest.slopes), loss=1.0)
        rise = Row(lowest.constant + kept * (1 + peak.constant), lowest.slopes + kept * peak.slopes)
        self._add(rise, loss=1.0, gain=kept)

    def cut(self, trial: Trial, shares: Sequence[float]) -> None:
        """Forbid what is too bad where ``trial``, of these shares, is worst."""
        for role, row in self._model.rows(trial, np.array(shares, dtype=np.float64)):
            part = Row(row.constant / self._nav / SCALE, row.slopes / self._nav / SCALE)
            self._add(
                part,
                loss=-1.0 if role is Role.LOSS else 0.0,
                gain=-1.0 if role is Role.GAIN else 0.0,
            )

    def limit(self, row: Row) -> None:
        """Forbid shares at which ``row`` is positive."""
        self._add(row)

    def drop(self, direction: int) -> None:
        """Keep nothing of ``direction``."""
        self._solver.changeColBounds(direction, 0.0, 0.0)

    def stand_back(self) -> None:
        """Keep further away from the cuts to come: the last one came too close."""
        self._back *= 64

    def solve(self) -> Vector | None:
        """The shares; None if there are none, or the program fails.

        Where lots are so large that what rounding may take away leaves nothing, it is not counted.
        """
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            for row, bound in self._bounds:
                self._solver.changeRowBounds(row, -highspy.kHighsInf, bound)
            self._bounds, self._lots = [], np.zeros(self._count)
            self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        shares = np.array(self._solver.getSolution().col_value[: self._count], dtype=np.float64)
        return np.minimum(np.maximum(shares, 0.0), 1.0)

    def _traded(self, row: Row) -> Row:
        return Row(row.constant / self._nav, row.slopes / self._nav)

    def _add(self, row: Row, *, loss: float = 0.0, gain: float = 0.0, rounded: bool = True) -> None:
        """``row + loss * W + gain * G <= 0``."""
        bound = -row.constant
        if rounded:
            self._bounds.append((self._solver.getNumRow(), bound - self._back))
            bound -= self._back + float(np.maximum(-row.slopes, 0.0) @ self._lots)
        terms = [*row.slopes, loss, gain]
        used = [column for column, value in enumerate(terms) if value]
        self._solver.addRow(
            -highspy.kHighsInf,
            bound,
            len(used),
            np.array(used, dtype=np.int32),
            np.array([terms[column] for column in used], dtype=np.float64),
        )
