"""The second meaning, the one that is judged and proved: the kernel's normal form, in integers.

    unit * value = constant + sum linear * x + sum weight * max(0, slope * x + offset)

Every nonlinearity is a hinge in one driver. A ``max(0, .)`` of any piecewise-linear function of one
driver becomes hinges at its kinks; one of several drivers is refused, because no certificate of
this kind covers it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.language.expand import Variable
from agent_fund.guard.language.expression import (
    Exposure,
    Expression,
    Loss,
    Move,
    Number,
    Positive,
    Product,
    Scaled,
    Sum,
)
from agent_fund.guard.language.formula import formula


@dataclass(frozen=True)
class Normal:
    """A term in normal form.

    Attributes:
        drivers: what each x stands for: money of positions and cash in base units, moves in
            1/SCALE.
        unit: the form's value for one base unit of the term.
    """

    drivers: tuple[Variable, ...]
    form: Form
    unit: int


@dataclass(frozen=True)
class _Bend:
    """``sign * max(0, slope * driver + offset)``."""

    sign: int
    driver: Variable
    slope: Fraction
    offset: Fraction


@dataclass
class _Pieces:
    """Constant, slopes and bends, in rationals; drivers as the evaluator knows them."""

    constant: Fraction = Fraction(0)
    linear: dict[Variable, Fraction] = field(default_factory=dict)
    bends: list[_Bend] = field(default_factory=list)

    def add(self, other: _Pieces, factor: Fraction) -> None:
        """Add ``factor`` times ``other``."""
        self.constant += factor * other.constant
        for driver, slope in other.linear.items():
            self.linear[driver] = self.linear.get(driver, 0) + factor * slope
        size, sign = abs(factor), 1 if factor > 0 else -1
        for bend in other.bends if factor else ():
            sized = _Bend(sign * bend.sign, bend.driver, size * bend.slope, size * bend.offset)
            self.bends.append(sized)

    @property
    def drivers(self) -> set[Variable]:
        """Every driver that the value depends on."""
        moved = {driver for driver, slope in self.linear.items() if slope}
        return moved | {bend.driver for bend in self.bends}

    def at(self, x: Fraction) -> Fraction:
        """The value where its only driver is ``x``."""
        value = self.constant + sum(self.linear.values(), Fraction(0)) * x
        for bend in self.bends:
            value += bend.sign * max(Fraction(0), bend.slope * x + bend.offset)
        return value


def normal(
    term: Expression, drivers: Sequence[Variable] | None = None, multiple: int = 1
) -> Normal:
    """``term`` in normal form.

    Args:
        term: expanded, over drivers and numbers, or over positions of any size.
        drivers: their order; None for the order in which the term names them.
        multiple: what the unit is to be a multiple of.

    Raises:
        DomainError: for a maximum over several drivers, or a driver that ``drivers`` leaves out.
    """
    pieces = _pieces(term)
    order = tuple(_named(pieces) if drivers is None else drivers)
    place = {driver: number for number, driver in enumerate(order)}
    if missing := [formula(d) for d in sorted(pieces.drivers, key=formula) if d not in place]:
        raise DomainError("drivers", missing, "give the place of each driver of the term")
    return _in_integers(pieces, order, place, multiple)


def _named(pieces: _Pieces) -> list[Variable]:
    moved = [driver for driver, slope in pieces.linear.items() if slope]
    return list(dict.fromkeys([*moved, *(bend.driver for bend in pieces.bends)]))


def _in_integers(
    pieces: _Pieces, order: tuple[Variable, ...], place: Mapping[Variable, int], multiple: int
) -> Normal:
    scales = [SCALE if isinstance(driver, Move) else 1 for driver in order]
    linear = [Fraction(0)] * len(order)
    for driver, slope in pieces.linear.items():
        if slope:
            linear[place[driver]] = _per(slope, scales[place[driver]])
    bends = [
        (bend.sign, place[bend.driver], _per(bend.slope, scales[place[bend.driver]]), bend.offset)
        for bend in pieces.bends
    ]
    parts = [pieces.constant, *linear, *(part for bend in bends for part in bend[2:])]
    # A max(0, .) grows in proportion to what is in it, so one factor clears every denominator.
    unit = math.lcm(multiple, *{part.denominator for part in parts})

    def whole(value: Fraction) -> int:
        return value.numerator * (unit // value.denominator)

    form = Form(
        whole(pieces.constant),
        tuple(map(whole, linear)),
        tuple(
            Hinge(sign, number, whole(slope), whole(offset))
            for sign, number, slope, offset in bends
        ),
    )
    return Normal(order, form, unit)


def _per(slope: Fraction, scale: int) -> Fraction:
    return slope if scale == 1 else slope / scale


def _pieces(term: Expression) -> _Pieces:
    found = _Pieces()
    _gather(term, Fraction(1), found)
    return found


def _gather(term: Expression, factor: Fraction, into: _Pieces) -> None:
    """Add ``factor`` times ``term``."""
    if isinstance(term, Sum):
        for inner in term.terms:
            _gather(inner, factor, into)
    elif isinstance(term, Scaled):
        _gather(term.term, factor * term.factor, into)
    elif isinstance(term, Number):
        into.constant += factor * term.value
    elif isinstance(term, Positive):
        into.add(_positive(_pieces(term.term), term.term), factor)
    elif isinstance(term, Product):
        fix = "give one side a number: expand the term over a case first"
        raise DomainError("product", formula(term), fix)
    elif isinstance(term, Loss) or (isinstance(term, Exposure) and term.when == "after"):
        raise DomainError("term", formula(term), "expand it over a case first")
    else:
        into.linear[term] = into.linear.get(term, 0) + factor


def _positive(inner: _Pieces, term: Expression) -> _Pieces:
    """``max(0, inner)``; ``term`` is what it was written as."""
    drivers = inner.drivers
    if not drivers:
        return _Pieces(max(Fraction(0), inner.constant))
    if len(drivers) > 1:
        names = ", ".join(sorted(formula(driver) for driver in drivers))
        fix = (
            f"it depends on {names}; for max(0, x) <= limit or |x| <= limit write one comparison "
            "for each side, (x <= limit) & (-x <= limit); for the spread of two moves declare a "
            "factor or a tie"
        )
        raise DomainError("maximum over several drivers", f"max(0, {formula(term)})", fix)
    (driver,) = drivers
    if not inner.bends:
        slope = inner.linear[driver]
        return _Pieces(bends=[_Bend(1, driver, slope, inner.constant)])
    return _bent(inner, driver)


def _bent(inner: _Pieces, driver: Variable) -> _Pieces:
    """``max(0, inner)`` for a function that bends already: its line at the left, then each bend."""
    kinks = sorted({-bend.offset / bend.slope for bend in inner.bends})
    points = sorted({*kinks, *_zeros(inner, kinks)})

    def value(x: Fraction) -> Fraction:
        return max(Fraction(0), inner.at(x))

    slopes = _slopes(value, points)
    result = _Pieces(value(points[0]) - slopes[0] * points[0], {driver: slopes[0]})
    for point, (before, after) in zip(points, pairwise(slopes), strict=True):
        turn = after - before
        if turn:
            sign = 1 if turn > 0 else -1
            result.bends.append(_Bend(sign, driver, abs(turn), -abs(turn) * point))
    return result


def _slopes(value: Callable[[Fraction], Fraction], points: Sequence[Fraction]) -> list[Fraction]:
    """The slope before, between and after ``points``, at which alone the function may bend."""
    grid = [points[0] - 1, *points, points[-1] + 1]
    return [(value(right) - value(left)) / (right - left) for left, right in pairwise(grid)]


def _zeros(inner: _Pieces, kinks: Sequence[Fraction]) -> Iterator[Fraction]:
    """Where ``inner`` crosses zero, in each piece between its kinks."""
    for number, slope in enumerate(_slopes(inner.at, kinks)):
        if slope:
            anchor = kinks[max(number - 1, 0)]
            zero = anchor - inner.at(anchor) / slope
            first, last = number == 0, number == len(kinks)
            if (first or kinks[number - 1] <= zero) and (last or zero <= kinks[number]):
                yield zero
