"""Piecewise-linear functions of one driver between integer points, and their normal form.

Every operation returns a function that is nowhere below the exact result, so a loss or a gain that
is built of them is never understated; what is lost to rounding is less than one unit a point. With
scenarios in units of 1/SCALE that is a millionth of a base unit of money.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import Hinge

Point = tuple[int, int]


@dataclass(frozen=True)
class Piecewise:
    """Straight between ``points``, (driver, value) pairs with drivers increasing, and nothing
    outside them.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        drivers = [x for x, _ in self.points]
        if not drivers or any(b <= a for a, b in pairwise(drivers)):
            raise DomainError("points of a function", drivers, "give them by increasing driver")

    @classmethod
    def constant(cls, value: int, low: int, high: int) -> Piecewise:
        """``value`` everywhere from ``low`` to ``high``."""
        return cls(((low, value), (high, value)) if high > low else ((low, value),))

    @property
    def low(self) -> int:
        """Where it begins."""
        return self.points[0][0]

    @property
    def high(self) -> int:
        """Where it ends."""
        return self.points[-1][0]

    def at(self, x: int | Fraction) -> Fraction:
        """The exact value at ``x``.

        Raises:
            DomainError: outside the points.
        """
        if not self.low <= x <= self.high:
            raise DomainError("driver", str(x), f"the function runs {self.low} to {self.high}")
        index = bisect_left(self.points, x, key=_driver)
        right, above = self.points[index]
        if right == x:
            return Fraction(above)
        left, below = self.points[index - 1]
        return below + Fraction(above - below) * (x - left) / (right - left)

    def _ratio(self, x: int) -> tuple[int, int]:
        """The exact value at an integer, as numerator and positive denominator."""
        index = bisect_left(self.points, x, key=_driver)
        right, above = self.points[index]
        if right == x:
            return above, 1
        left, below = self.points[index - 1]
        return below * (right - x) + above * (x - left), right - left

    @property
    def most(self) -> int:
        """The largest value."""
        return max(y for _, y in self.points)

    @property
    def least(self) -> int:
        """The smallest value."""
        return min(y for _, y in self.points)

    def times(self, factor: int) -> Piecewise:
        """Every value times ``factor``, exactly; a negative one turns a lower bound into an upper
        bound of the negative.
        """
        return Piecewise(tuple((x, y * factor) for x, y in self.points))

    def plus(self, constant: int) -> Piecewise:
        """Every value and ``constant`` more, exactly."""
        return Piecewise(tuple((x, y + constant) for x, y in self.points))

    def over(self, divisor: int) -> Piecewise:
        """Every value divided by a positive ``divisor``, rounded up."""
        return Piecewise(tuple((x, -(-y // divisor)) for x, y in self.points))

    def positive(self) -> Piecewise:
        """The larger of the function and 0."""
        return self.maximum(Piecewise.constant(0, self.low, self.high))

    def maximum(self, other: Piecewise) -> Piecewise:
        """The larger of two functions over the same drivers.

        Where they cross between two integers the larger one is convex, so the chord between those
        integers lies above it.
        """
        if (self.low, self.high) != (other.low, other.high):
            raise DomainError("functions", (self.low, other.low), "give them the same drivers")
        drivers = sorted({x for x, _ in (*self.points, *other.points)})
        apart = []
        for x in drivers:
            (mine, parts), (theirs, others) = self._ratio(x), other._ratio(x)
            apart.append((mine * others - theirs * parts, parts * others))
        for number in range(len(drivers) - 1):
            (before, first), (after, second) = apart[number : number + 2]
            if (before > 0 > after) or (before < 0 < after):
                left, right = drivers[number : number + 2]
                share, whole = before * second, before * second - after * first
                crossing = left + (right - left) * share // whole
                drivers += [crossing, crossing + 1]
        return Piecewise(
            tuple(
                (x, max(_up(*self._ratio(x)), _up(*other._ratio(x)))) for x in sorted(set(drivers))
            )
        )

    def terms(self, driver: int) -> tuple[int, int, tuple[Hinge, ...]]:
        """Constant, slope and hinges of weight 1 or -1, with a slope rounded up in each piece.

        Each piece ends at its point or less than a unit of the value for each unit of the driver
        above it; the next one starts there and comes back, so the excess does not add up.
        """
        (at, height), *rest = self.points
        slopes: list[Point] = []
        for x, y in rest:
            slope = -((height - y) // (x - at))
            slopes.append((at, slope))
            at, height = x, height + slope * (x - at)
        if not slopes:
            return height, 0, ()
        first = slopes[0][1]
        hinges = tuple(
            Hinge(1 if bend > 0 else -1, driver, abs(bend), -abs(bend) * x)
            for (_, before), (x, after) in pairwise(slopes)
            if (bend := after - before)
        )
        return self.points[0][1] - first * self.low, first, hinges


@dataclass(frozen=True)
class Line:
    """``constant + slope * x``, counted in parts of a unit that all lines of one call share."""

    constant: int
    slope: int

    def at(self, x: int) -> int:
        """The value at ``x``."""
        return self.constant + self.slope * x


def below(lines: Sequence[Line], unit: int, low: int, high: int) -> Piecewise:
    """A function nowhere above the largest of ``lines``, of 1/``unit``, over [low, high].

    At an integer beside each bend it is the smaller of the two lines there, rounded down: so each
    piece has both of its ends at or below its line.
    """
    line = max(lines, key=lambda each: (each.at(low), each.slope))
    points = {low: line.at(low) // unit}
    while (bend := _next_bend(line, lines)) is not None:
        after, rise, run = bend
        if rise >= high * run:
            break
        before = rise // run
        beside = {max(before, *points), max(before + 1, *points)}
        heights = {x: min(line.at(x), after.at(x)) // unit for x in sorted(beside)}
        at = max(heights, key=heights.__getitem__)
        height = heights[at]
        points[at] = min(height, points.get(at, height))
        line = after
    last = line.at(high) // unit
    points[high] = min(last, points.get(high, last))
    return Piecewise(tuple(sorted(points.items())))


def above(lines: Sequence[Line], unit: int, low: int, high: int) -> Piecewise:
    """A function nowhere below the smallest of ``lines``: ``below``, upside down."""
    turned = [Line(-line.constant, -line.slope) for line in lines]
    return below(turned, unit, low, high).times(-1)


def chords(points: Sequence[Point], low: int, high: int) -> Piecewise:
    """Straight between ``points``, which reach beyond [low, high], cut there and rounded up."""
    whole = Piecewise(tuple(points))
    inside = [(x, y) for x, y in points if low < x < high]
    ends = [(x, _up(*whole._ratio(x))) for x in ((low, high) if high > low else (low,))]
    return Piecewise(tuple(sorted([*inside, *ends])))


def _next_bend(line: Line, lines: Sequence[Line]) -> tuple[Line, int, int] | None:
    """The line that is the next to be larger than ``line``, from the driver rise/run on."""
    found: tuple[Line, int, int] | None = None
    for each in lines:
        run = each.slope - line.slope
        if run <= 0:
            continue
        rise = line.constant - each.constant
        if found is None or rise * found[2] < found[1] * run:
            found = each, rise, run
    return found


def _driver(point: Point) -> int:
    return point[0]


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
