"""A certificate: a tree of splits whose leaves hold majorants and multipliers.

    Split(driver, at, left, right)   x[driver] <= at  |  x[driver] >= at
    Leaf(majorants, multipliers)

A leaf has one affine majorant ``(slope, offset)`` for each hinge of the form, in the hinge's own
driver, and one multiplier for each row of the stress set; all are integers in units of 2**-SHIFT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

SHIFT = 40
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """Weak duality on one box: lines above the hinges, nonnegative multipliers of the rows."""

    majorants: tuple[tuple[int, int], ...]
    multipliers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The box cut in two at ``at``, strictly inside the driver's interval."""

    driver: int
    at: int
    left: Certificate
    right: Certificate


Certificate: TypeAlias = Leaf | Split
