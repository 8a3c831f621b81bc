"""The exact maximum of a normal form over a box: each driver by itself, at its ends and kinks.

A form is a sum of functions of one driver each, so nothing has to be searched: no linear program,
no rounding. Drivers that the fills choose are judged with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from agent_fund.guard.kernel.form import Form, Hinge
from agent_fund.guard.language.expand import Interval


def worst(form: Form, box: Sequence[Interval]) -> tuple[Fraction, tuple[int | Fraction, ...]]:
    """The largest value over ``box`` and a scenario that attains it.

    Args:
        box: lowest and highest value of each driver.
    """
    hinges: list[list[Hinge]] = [[] for _ in box]
    for hinge in form.hinges:
        hinges[hinge.driver].append(hinge)
    total: int | Fraction = form.constant
    scenario = []
    for slope, own, interval in zip(form.linear, hinges, box, strict=True):
        value, at = _highest(slope, own, *interval)
        total += value
        scenario.append(at)
    return Fraction(total), tuple(scenario)


def _highest(
    slope: int, hinges: Sequence[Hinge], low: int | Fraction, high: int | Fraction
) -> tuple[int | Fraction, int | Fraction]:
    points: list[int | Fraction] = [high] if high != low else []
    for hinge in hinges:
        # Inside, the function can only turn down where a hinge of negative weight begins.
        if hinge.weight < 0 and hinge.slope:
            kink = Fraction(-hinge.offset, hinge.slope)
            if low < kink < high:
                points.append(kink)
    best, attained = _at(slope, hinges, low), low
    for x in points:
        value = _at(slope, hinges, x)
        if value > best:
            best, attained = value, x
    return best, attained


def _at(slope: int, hinges: Sequence[Hinge], x: int | Fraction) -> int | Fraction:
    value = slope * x
    for hinge in hinges:
        inner = hinge.slope * x + hinge.offset
        if inner > 0:
            value += hinge.weight * inner
    return value


def at(form: Form, x: Sequence[int | Fraction]) -> int | Fraction:
    """The exact value at ``x``, which need not be made of integers."""
    value: int | Fraction = form.constant
    for slope, moved in zip(form.linear, x, strict=True):
        value += slope * moved
    for hinge in form.hinges:
        inner = hinge.slope * x[hinge.driver] + hinge.offset
        if inner > 0:
            value += hinge.weight * inner
    return value
