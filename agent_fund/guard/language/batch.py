"""The fourth meaning: many trades or scenarios at once, in NumPy's floating point.

It screens: it ranks proposals, draws charts, and finds what is worth an exact look. It decides
nothing, because its numbers are rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent_fund.domain.errors import DomainError
from agent_fund.guard.language.expression import (
    AtMost,
    Expression,
    Leaf,
    Number,
    Positive,
    Product,
    Scaled,
    Sum,
)
from agent_fund.guard.language.normal import Normal

Values: TypeAlias = npt.NDArray[np.float64]


def values(term: Expression, worth: Callable[[Leaf], Values | float]) -> Values:
    """``term`` where each leaf is worth an array; the arrays broadcast."""
    if isinstance(term, Number):
        return np.asarray(float(term.value))
    if isinstance(term, Sum):
        total = values(term.terms[0], worth)
        for inner in term.terms[1:]:
            total = total + values(inner, worth)
        return total
    if isinstance(term, Scaled):
        return float(term.factor) * values(term.term, worth)
    if isinstance(term, Product):
        return values(term.left, worth) * values(term.right, worth)
    if isinstance(term, Positive):
        return np.maximum(0.0, values(term.term, worth))
    return np.asarray(worth(term), dtype=np.float64)


def violations(relation: AtMost, worth: Callable[[Leaf], Values | float]) -> Values:
    """Left side less right side: not above zero where the relation holds, up to rounding."""
    return values(relation.left, worth) - values(relation.right, worth)


def worst(form: Normal, low: Values, high: Values) -> Values:
    """The largest value over each of many boxes, in the units of the term.

    Args:
        low, high: intervals of the drivers, one row a trade and one column a driver.
    """
    if low.shape != high.shape or low.shape[1:] != (len(form.drivers),):
        raise DomainError("intervals", (low.shape, high.shape), "give one column a driver")
    total = np.full(low.shape[0], float(form.form.constant))
    for driver, slope in enumerate(form.form.linear):
        hinges = [
            (float(h.weight), float(h.slope), float(h.offset))
            for h in form.form.hinges
            if h.driver == driver
        ]
        left, right = low[:, driver], high[:, driver]
        kinks = [np.clip(-offset / rise, left, right) for w, rise, offset in hinges if w < 0]
        total += np.max([_at(float(slope), hinges, x) for x in (left, right, *kinks)], axis=0)
    return total / float(form.unit)


def _at(slope: float, hinges: list[tuple[float, float, float]], x: Values) -> Values:
    value = slope * x
    for weight, rise, offset in hinges:
        value = value + weight * np.maximum(0.0, rise * x + offset)
    return value
