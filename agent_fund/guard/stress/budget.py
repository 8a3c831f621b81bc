"""Limits on moves taken together: budgets of the boxes that are used, and weighted sums of moves.

A budget says that not everything is at its worst at once. What an instrument uses of its box is
its move as a share of the edge that it moved towards, ``r / high`` or ``r / low``: each side is
measured by itself, so that a box which is wide to one side lends no room to the other. The sum of
what several use is at most the budget. For the kernel each use is a driver of its own, from 0 to a
whole box, with two rows that keep it no smaller than the move makes it: the scenarios of the
instruments are then exactly those whose uses sum to no more than the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ratio, require_int, require_name
from agent_fund.guard.kernel.form import SCALE, Row

Interval = tuple[int, int]


@dataclass(frozen=True)
class Budget:
    """The uses of the boxes of ``of`` sum to ``most`` at most, in 1/SCALE of a box.

    At least one whole box, so that each instrument still reaches the edges of its own.
    """

    of: tuple[str, ...]
    most: int

    def __post_init__(self) -> None:
        _require_several(self.of)
        if require_int(self.most, f"budget of {', '.join(self.of)}") < SCALE:
            raise DomainError(
                f"budget of {', '.join(self.of)}",
                str(Fraction(self.most, SCALE)),
                "write 1 or more: each instrument alone may use the whole of its box",
            )

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON values."""
        return {"of": list(self.of), "most": self.most}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Budget:
        """The budget that ``to_json`` wrote."""
        return cls(tuple(value["of"]), value["most"])


@dataclass(frozen=True)
class Combination:
    """``sum weight * move <= most``, in 1/SCALE; ``most`` from 0 on, so that no move is inside."""

    name: str
    weights: Mapping[str, Fraction]
    most: int

    def __post_init__(self) -> None:
        require_name(self.name, "name of a combination")
        if not self.weights or not all(self.weights.values()):
            raise DomainError(self.name, dict(self.weights), "weigh each instrument, none with 0")
        require_int(self.most, f"bound of {self.name}", minimum=0)  # so that no move is inside

    def value(self, move: Callable[[str], Fraction]) -> Fraction:
        """The weighted sum of moves, in 1/SCALE."""
        return sum((w * move(s) for s, w in self.weights.items()), Fraction(0))

    def row(self, driver: Callable[[str], int]) -> Row:
        """The kernel's row."""
        unit = math.lcm(*(weight.denominator for weight in self.weights.values()))
        terms = sorted((driver(s), int(weight * unit)) for s, weight in self.weights.items())
        return Row(tuple(terms), self.most * unit)

    def to_json(self) -> dict[str, Any]:
        """Canonical JSON values."""
        weights = {s: str(w) for s, w in self.weights.items()}
        return {"name": self.name, "weights": weights, "most": self.most}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Combination:
        """The combination that ``to_json`` wrote."""
        weights = {s: ratio(w, f"weight of {s}") for s, w in value["weights"].items()}
        return cls(value["name"], weights, value["most"])


def used(move: Fraction, box: Interval) -> Fraction:
    """What ``move`` uses of ``box``, in 1/SCALE; more than SCALE outside it."""
    if not move:
        return Fraction(0)
    edge = box[1] if move > 0 else box[0]
    return move * SCALE / edge if edge else SCALE + abs(move)


def use_rows(driver: int, use: int, box: Interval) -> tuple[Row, Row]:
    """Driver number ``use`` is at least what driver number ``driver`` uses of ``box``."""
    rows = []
    for sign, edge in ((1, box[1]), (-1, -box[0])):
        # sign * move / edge <= use, both in 1/SCALE
        common = math.gcd(SCALE, edge)
        terms = ((driver, sign * SCALE // common), (use, -edge // common))
        rows.append(Row(terms if edge else terms[:1], 0))
    return rows[0], rows[1]


def _require_several(of: tuple[str, ...]) -> None:
    if len(of) < 2 or len(set(of)) != len(of):
        raise DomainError("budget", of, "name two instruments or more, each once")


@dataclass(frozen=True)
class BudgetRule:
    """A budget as a mandate states it.

    Attributes:
        most: boxes; None to take what calibration finds.
    """

    of: tuple[str, ...]
    most: Fraction | None

    def __post_init__(self) -> None:
        _require_several(self.of)
        if self.most is not None:
            self.resolve(0)

    def resolve(self, found: int) -> Budget:
        """The budget; ``found`` is what calibration finds, in 1/SCALE."""
        if self.most is None:
            return Budget(self.of, found)
        whole = self.most * SCALE
        return Budget(self.of, -(-whole.numerator // whole.denominator))
