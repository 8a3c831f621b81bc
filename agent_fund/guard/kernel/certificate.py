"""A certificate: a tree of splits whose leaves hold tangents and multipliers.

    Split(driver, at, left, right)   x[driver] <= at  |  x[driver] >= at
    Leaf(tangents, multipliers)

A leaf's multipliers weigh the rows of the stress set, as in linear-programming duality. A convex
hinge needs no word: on a box it lies below its chord. A concave one, of negative weight, lies below
every line between zero and its own slope; its tangent says which. So a certificate holds nothing of
the prices of the day, and one that was found for a form can be tried on another of the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

SHIFT = 40
ONE = 1 << SHIFT
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """Weak duality on one box.

    Attributes:
        tangents: for each concave hinge, in the form's order, from 0 (the zero line) to ONE (the
            hinge's own line).
        multipliers: (row, multiplier) pairs, rows increasing; a multiplier is positive, in units of
            2**-SHIFT. Rows that are left out weigh nothing.
    """

    tangents: tuple[int, ...]
    multipliers: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The box cut in two at ``at``, strictly inside the driver's interval."""

    driver: int
    at: int
    left: Certificate
    right: Certificate


Certificate: TypeAlias = Leaf | Split
