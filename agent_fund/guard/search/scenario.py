"""A point found in floats, as an exact scenario inside the stress set; and a form's value there.

Rounded to integers, baskets recomputed from their rows, and shrunk toward no move until the set
holds it: the set is convex and holds no move. All in integers of one common unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TypeAlias

from agent_fund.guard.kernel.form import SCALE, Form, StressSet

Scenario: TypeAlias = tuple[Fraction, ...]
"""An exact move of every driver, in 1/SCALE."""

Terms: TypeAlias = tuple[tuple[int, int], ...]

SHRINKS = (0, 20, 16, 12, 8)
GRID = 1 << 10
"""Parts of 1/SCALE in which a move is rounded."""


class Rounding:
    """Points to scenarios of one stress set."""

    def __init__(self, stress: StressSet) -> None:
        self._stress = stress
        # Rows that define their last driver, row . x = 0, and rows that it has to outweigh.
        self._baskets: list[tuple[int, int, Terms]] = []
        self._floors: list[tuple[int, int, Terms]] = []
        before: Terms = ()
        for row in stress.rows:
            negated = tuple((driver, -coefficient) for driver, coefficient in row.terms)
            if row.terms and not row.bound:
                *others, (column, coefficient) = row.terms
                if negated == before:
                    self._baskets.append((column, coefficient, tuple(others)))
                elif coefficient < 0:
                    self._floors.append((column, coefficient, tuple(others)))
            before = () if row.bound else row.terms
        self._unit = math.lcm(*(abs(coefficient) for _, coefficient, _ in self._baskets))

    def scenario(self, point: Iterable[float]) -> Scenario:
        """The scenario next to ``point``, which is in returns; no move if none is near."""
        unit = self._unit * GRID
        moves = [
            round(min(high, max(low, x * SCALE)) * GRID) * self._unit  # NaN: the lower end
            for x, (low, high) in zip(point, self._stress.box, strict=True)
        ]
        for column, coefficient, others in self._baskets:
            moves[column] = -sum(c * moves[n] for n, c in others) // coefficient
        for column, coefficient, others in self._floors:
            if all(column != basket for basket, _, _ in self._baskets):
                least = sum(c * moves[n] for n, c in others) // coefficient
                moves[column] = max(moves[column], -least)
        for shrink in SHRINKS:
            trial = [x * ((1 << shrink) - 1) for x in moves] if shrink else moves
            if self._holds(trial, unit << shrink):
                return tuple(Fraction(x, unit << shrink) for x in trial)
        return (Fraction(0),) * len(moves)

    def _holds(self, moves: Sequence[int], unit: int) -> bool:
        box, rows = self._stress.box, self._stress.rows
        return all(
            low * unit <= x <= high * unit for x, (low, high) in zip(moves, box, strict=True)
        ) and all(sum(c * moves[n] for n, c in row.terms) <= row.bound * unit for row in rows)


def form_at(form: Form, scenario: Scenario) -> Fraction:
    """The exact value of ``form`` in ``scenario``."""
    unit = math.lcm(*(x.denominator for x in scenario))
    moves = [x.numerator * (unit // x.denominator) for x in scenario]
    total = form.constant * unit + sum(map(int.__mul__, form.linear, moves))
    for hinge in form.hinges:
        total += hinge.weight * max(0, hinge.slope * moves[hinge.driver] + hinge.offset * unit)
    return Fraction(total, unit)
