"""A form and a box in floats, for the finder: chords over the box, values, and where to cut.

Money is in base units, moves are returns. A convex hinge lies below its chord on the box; a concave
one is left to the program, which chooses its tangent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np

from agent_fund.guard.kernel.certificate import ONE
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.search.program import Floats, Shape

Kinds: TypeAlias = tuple[tuple[int, bool, bool], ...]
"""Driver of each hinge, whether it is convex, and whether it rises."""


class Box:
    """Part of a stress set's box: its ends as integers of 1/SCALE, and as returns."""

    __slots__ = ("ends", "high", "low")

    def __init__(self, ends: list[tuple[int, int]], low: Floats, high: Floats) -> None:
        self.ends, self.low, self.high = ends, low, high

    @classmethod
    def of(cls, ends: Sequence[tuple[int, int]]) -> Box:
        """The box with these ends."""
        low = np.array([low / SCALE for low, _ in ends])
        return cls(list(ends), low, np.array([high / SCALE for _, high in ends]))

    def cut(self, driver: int, at: int) -> tuple[Box, Box]:
        """Its two parts."""
        (first, last), left, right = self.ends[driver], list(self.ends), list(self.ends)
        left[driver], right[driver] = (first, at), (at, last)
        high, low = self.high.copy(), self.low.copy()
        high[driver] = low[driver] = at / SCALE
        return Box(left, self.low, high), Box(right, low, self.high)


class FloatForm:
    """A form in floats.

    Attributes:
        exact: the form itself.
        shape: driver and sign of the slope of each concave hinge that bends.
        kinds: what a certificate for it has to fit.
        weights, kinks: what a unit of each of those takes away, and where it begins.
    """

    def __init__(self, form: Form) -> None:
        self.exact = form
        self._constant = form.constant / SCALE
        self._linear = np.array(form.linear, dtype=np.float64)
        drivers: list[int] = []
        slopes: list[float] = []
        offsets: list[float] = []
        shape: list[tuple[int, int]] = []
        weights: list[float] = []
        kinks: list[float] = []
        for hinge in form.hinges:
            weight, slope, offset = hinge.weight, hinge.slope, hinge.offset
            if weight >= 0:
                drivers.append(hinge.driver)
                slopes.append(float(weight * slope))
                offsets.append(weight * offset / SCALE)
            elif slope:
                shape.append((hinge.driver, 1 if slope > 0 else -1))
                weights.append(float(-weight * abs(slope)))
                kinks.append(-offset / slope / SCALE)
            elif offset > 0:
                self._constant += weight * offset / SCALE
        self.kinds: Kinds = tuple((h.driver, h.weight >= 0, h.slope > 0) for h in form.hinges)
        self.shape: Shape = tuple(shape)
        self._concave = len(form.hinges) - len(drivers)
        self.weights, self.kinks = np.array(weights), np.array(kinks)
        self._drivers = np.array(drivers, dtype=np.intp)
        self._slopes, self._offsets = np.array(slopes), np.array(offsets)
        self._bends = np.array([driver for driver, _ in shape], dtype=np.intp)
        self._signs = np.array([float(sign) for _, sign in shape])

    def chords(self, box: Box) -> tuple[Floats, float]:
        """Slopes by driver, and constant, with every convex hinge on its chord."""
        if not len(self._drivers):
            return self._linear, self._constant
        rises, left = self._chords(box)
        slopes = np.bincount(self._drivers, rises, len(self._linear))
        constant = self._constant + float((left - rises * box.low[self._drivers]).sum())
        return self._linear + slopes, constant

    def _chords(self, box: Box) -> tuple[Floats, Floats]:
        """Of each convex hinge, its chord's rise and its value at the lower end."""
        low, high = box.low[self._drivers], box.high[self._drivers]
        left = np.maximum(0.0, self._slopes * low + self._offsets)
        right = np.maximum(0.0, self._slopes * high + self._offsets)
        width = high - low
        width[width == 0.0] = 1.0
        return (right - left) / width, left

    def at(self, point: Floats) -> float:
        """About the value at ``point``."""
        total = self._constant + float((self._linear * point).sum())
        if len(self._drivers):
            inner = self._slopes * point[self._drivers] + self._offsets
            total += float(np.maximum(0.0, inner).sum())
        if self.shape:
            beyond = np.maximum(0.0, self._signs * (point[self._bends] - self.kinks))
            total -= float((self.weights * beyond).sum())
        return total

    def size(self, box: Box) -> float:
        """A magnitude of the terms that its values are made of."""
        reach = np.maximum(-box.low, box.high)
        total = abs(self._constant) + float((np.abs(self._linear) * reach).sum())
        bent = np.abs(self._slopes) * reach[self._drivers] + np.abs(self._offsets)
        return total + float(bent.sum()) + float((self.weights * reach[self._bends]).sum())

    def tangents(self, shares: Sequence[int]) -> tuple[int, ...]:
        """A leaf's tangents, given those of the concave hinges that bend."""
        if len(shares) == self._concave:
            return tuple(shares)
        chosen = iter(shares)
        return tuple(
            next(chosen) if hinge.slope else (ONE if hinge.offset > 0 else 0)
            for hinge in self.exact.hinges
            if hinge.weight < 0
        )

    def cuts(self, box: Box, point: Floats, room: float) -> list[tuple[int, int]]:
        """Drivers and integers at which to cut, so that chords no longer stand in the way there.

        Drivers whose chords lie furthest above the form at ``point`` come first, each with its kink
        nearest to it, until what is left of all gaps is within ``room``.
        """
        rises, left = self._chords(box)
        at = point[self._drivers]
        chords = left + rises * (at - box.low[self._drivers])
        gaps = chords - np.maximum(0.0, self._slopes * at + self._offsets)
        by_driver = np.bincount(self._drivers, gaps, len(self._linear))
        rest = float(by_driver.sum())
        found: list[tuple[int, int]] = []
        for driver in np.argsort(-by_driver, kind="stable").tolist():
            if found and (rest <= room or by_driver[driver] <= 0):
                break
            low, high = box.ends[driver]
            inside = [kink for kink in self._kinks.get(driver, ()) if low < kink < high]
            if inside:
                here = point[driver] * SCALE
                found.append((driver, min(inside, key=lambda kink: abs(kink - here))))
                rest -= float(by_driver[driver])
        return found

    @cached_property
    def _kinks(self) -> dict[int, list[int]]:
        """Where the convex hinges of each driver bend, to the nearest integer."""
        found: dict[int, list[int]] = {}
        for hinge in self.exact.hinges:
            if hinge.weight > 0 and hinge.slope:
                found.setdefault(hinge.driver, []).append(round(-hinge.offset / hinge.slope))
        return found
