"""The normal form: an integer piecewise-linear function over a boxed stress set.

    value(x) = constant + sum linear[i] * x[i] + sum weight * max(0, slope * x[driver] + offset)

``x`` are drivers (returns) in integer units of 1/SCALE: x = -250_000 is a fall of 25 %. A money
amount m therefore stands in a form as m * SCALE. A stress set is a box, one interval a driver,
and rows ``coefficients . x <= bound``. The no-move scenario x = 0 must lie in it: an empty set
would prove anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SCALE = 1_000_000


class KernelError(ValueError):
    """Something the kernel refuses to read or to believe; the message names the place."""


def _ints(values: Sequence[object], place: str) -> None:
    if {int}.issuperset(map(type, values)):
        return
    for index, value in enumerate(values):
        if type(value) is not int:
            raise KernelError(f"{place}[{index}] is {value!r}; the kernel reads integers only")


@dataclass(frozen=True, slots=True)
class Hinge:
    """``weight * max(0, slope * x[driver] + offset)``: a nonlinearity in one driver."""

    weight: int
    driver: int
    slope: int
    offset: int

    def __post_init__(self) -> None:
        _ints((self.weight, self.driver, self.slope, self.offset), "hinge")

    def at(self, x: int) -> int:
        """The hinge's value where its driver is ``x``."""
        inner = self.slope * x + self.offset
        return self.weight * inner if inner > 0 else 0


@dataclass(frozen=True, slots=True)
class Form:
    """A piecewise-linear function of the drivers, in money units times SCALE."""

    constant: int
    linear: tuple[int, ...]
    hinges: tuple[Hinge, ...] = ()

    def __post_init__(self) -> None:
        _ints((self.constant, *self.linear), "form")
        for index, hinge in enumerate(self.hinges):
            if not 0 <= hinge.driver < len(self.linear):
                raise KernelError(f"hinge[{index}] names driver {hinge.driver}, which is not there")

    def at(self, x: Sequence[int]) -> int:
        """The exact value in scenario ``x``."""
        total = self.constant
        for coefficient, move in zip(self.linear, x, strict=True):
            total += coefficient * move
        for hinge in self.hinges:
            total += hinge.at(x[hinge.driver])
        return total


@dataclass(frozen=True, slots=True)
class Row:
    """``sum coefficient * x[driver] <= bound``: a tie between drivers, over ``terms``.

    Attributes:
        terms: (driver, coefficient) pairs, drivers increasing, no coefficient zero.
    """

    terms: tuple[tuple[int, int], ...]
    bound: int

    def __post_init__(self) -> None:
        _ints((self.bound,), "row bound")
        last = -1
        for driver, coefficient in self.terms:
            _ints((driver, coefficient), "row")
            if driver <= last or not coefficient:
                raise KernelError(f"row {self.terms} is not in order, or has a zero")
            last = driver

    @classmethod
    def dense(cls, coefficients: Sequence[int], bound: int) -> Row:
        """The row with one coefficient a driver."""
        _ints(coefficients, "row")
        return cls(tuple((n, c) for n, c in enumerate(coefficients) if c), bound)

    def at(self, x: Sequence[int]) -> int:
        """The left-hand side in scenario ``x``."""
        return sum(coefficient * x[driver] for driver, coefficient in self.terms)


@dataclass(frozen=True, slots=True)
class StressSet:
    """Every driver boxed, tied by rows, with the no-move scenario inside.

    Raises:
        KernelError: if the box is malformed, a return can fall below -100 %, a row names a driver
            that is not there, or x = 0 is excluded.
    """

    box: tuple[tuple[int, int], ...]
    rows: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        for index, (low, high) in enumerate(self.box):
            _ints((low, high), f"box[{index}]")
            if not -SCALE <= low <= 0 <= high:
                raise KernelError(
                    f"box[{index}] is [{low}, {high}]; it must hold 0 and stay above -{SCALE}"
                )
        for index, row in enumerate(self.rows):
            if row.terms and row.terms[-1][0] >= len(self.box):
                raise KernelError(f"rows[{index}] names a driver that is not there")
            if row.bound < 0:
                raise KernelError(f"rows[{index}] excludes the no-move scenario")

    def holds(self, x: Sequence[int]) -> bool:
        """Whether scenario ``x`` lies in the set."""
        if len(x) != len(self.box):
            raise KernelError(f"a scenario of {len(x)} drivers in a set of {len(self.box)}")
        if not all(low <= move <= high for move, (low, high) in zip(x, self.box, strict=True)):
            return False
        return all(row.at(x) <= row.bound for row in self.rows)
