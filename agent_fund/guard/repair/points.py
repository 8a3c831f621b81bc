"""Forms at points, in floats: what a search for a repair goes by, and no proof rests on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent_fund.guard.kernel.check import Box
from agent_fund.guard.kernel.form import SCALE, Form

Vector: TypeAlias = npt.NDArray[np.float64]
Points: TypeAlias = tuple[Vector, ...]
"""For each obligation, the returns of all drivers at which its form is worst."""


def value_at(form: Form, point: Vector, box: Box | None = None) -> float:
    """The value of ``form`` where the drivers return ``point``, about.

    Args:
        box: if given, of the lines that stand for its hinges in a certificate of one leaf.
    """
    moves = point * SCALE
    total = float(form.constant) + float(np.array(form.linear, dtype=np.float64) @ moves)
    for hinge in form.hinges:
        move = float(moves[hinge.driver])
        inner = hinge.slope * move + hinge.offset
        if box is None:
            total += hinge.weight * max(0.0, inner)
            continue
        low, high = box[hinge.driver]
        left, right = (hinge.slope * end + hinge.offset for end in (low, high))
        if hinge.weight < 0:
            total += hinge.weight * inner if left + right > 0 else 0.0
        elif high > low:
            left, right = max(0, left), max(0, right)
            total += hinge.weight * (left + (right - left) * (move - low) / (high - low))
        else:
            total += hinge.weight * max(0.0, inner)
    return total


def active_at(form: Form, point: Vector) -> Form:
    """The linear form that ``form`` is near ``point``."""
    constant, linear = form.constant, list(form.linear)
    for hinge in form.hinges:
        if hinge.slope * SCALE * float(point[hinge.driver]) + hinge.offset > 0:
            constant += hinge.weight * hinge.offset
            linear[hinge.driver] += hinge.weight * hinge.slope
    return Form(constant, tuple(linear))
