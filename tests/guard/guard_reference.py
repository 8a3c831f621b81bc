"""A second checker, written from the certificate's definition in rationals, not from the code.

It shares the kernel's data types and nothing else. ``verdict`` is the least integer bound that
a certificate proves, or None if it proves nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from agent_fund.guard.kernel.certificate import SHIFT, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import Form, Hinge, Row, StressSet

UNIT = Fraction(1, 2**SHIFT)
Interval = tuple[Fraction, Fraction]


def verdict(form: Form, stress: StressSet, tree: Certificate) -> int | None:
    box = [(Fraction(low), Fraction(high)) for low, high in stress.box]
    value = _proves(form, stress, tree, box, 0)
    return None if value is None else math.ceil(value)


def _proves(
    form: Form, stress: StressSet, tree: Certificate, box: list[Interval], depth: int
) -> Fraction | None:
    if isinstance(tree, Split):
        if depth >= 64 or not 0 <= tree.driver < len(box):
            return None
        low, high = box[tree.driver]
        if tree.at <= low or tree.at >= high:
            return None
        halves = []
        for half, side in ((tree.left, (low, tree.at)), (tree.right, (tree.at, high))):
            part = list(box)
            part[tree.driver] = (Fraction(side[0]), Fraction(side[1]))
            halves.append(_proves(form, stress, half, part, depth + 1))
        left, right = halves
        return None if left is None or right is None else max(left, right)
    return _leaf(form, stress, tree, box)


def _leaf(form: Form, stress: StressSet, leaf: Leaf, box: Sequence[Interval]) -> Fraction | None:
    rows = [row for row, _ in leaf.multipliers]
    if rows != sorted(set(rows)) or any(not 0 <= row < len(stress.rows) for row in rows):
        return None
    prices = [Fraction(0)] * len(stress.rows)
    for row, y in leaf.multipliers:
        if y <= 0:
            return None
        prices[row] = y * UNIT
    shares = [t * UNIT for t in leaf.tangents]
    if len(shares) != sum(hinge.weight < 0 for hinge in form.hinges):
        return None
    if any(not 0 <= share <= 1 for share in shares):
        return None
    lines: list[tuple[Fraction, Fraction]] = []
    for hinge in form.hinges:
        low, high = box[hinge.driver]
        if hinge.weight < 0:
            share = shares.pop(0) * hinge.weight
            line = (share * hinge.slope, share * hinge.offset)
        else:
            line = _chord(hinge, low, high)
        # A piecewise-linear function lies below a line iff it does at its ends and kinks.
        points = [low, high]
        if hinge.slope:
            kink = Fraction(-hinge.offset, hinge.slope)
            if low <= kink <= high:
                points.append(kink)
        assert all(line[0] * x + line[1] >= hinge_value(hinge, x) for x in points)
        lines.append(line)
    # The Lagrangian: constant + offsets + y.b + sup over the box of a separable linear function.
    supremum = form.constant + sum((o for _, o in lines), Fraction(0))
    supremum += sum(
        (y * row.bound for y, row in zip(prices, stress.rows, strict=True)), Fraction(0)
    )
    for index, (low, high) in enumerate(box):
        slope = Fraction(form.linear[index])
        slope += sum(
            (s for h, (s, _) in zip(form.hinges, lines, strict=True) if h.driver == index),
            Fraction(0),
        )
        slope -= sum(
            (y * dict(r.terms).get(index, 0) for y, r in zip(prices, stress.rows, strict=True)),
            Fraction(0),
        )
        supremum += max(slope * low, slope * high)
    return supremum


def _chord(hinge: Hinge, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The line through both ends, its slope and then its offset rounded to units of UNIT."""
    left, right = hinge_value(hinge, low), hinge_value(hinge, high)
    if low == high:
        return Fraction(0), left
    slope = math.floor((right - left) / (high - low) / UNIT) * UNIT
    return slope, max(left - slope * low, right - slope * high)


def hinge_value(hinge: Hinge, x: Fraction) -> Fraction:
    return hinge.weight * max(Fraction(0), hinge.slope * x + hinge.offset)


def form_value(form: Form, x: Sequence[Fraction]) -> Fraction:
    linear = sum((c * v for c, v in zip(form.linear, x, strict=True)), Fraction(form.constant))
    return linear + sum((hinge_value(h, x[h.driver]) for h in form.hinges), Fraction(0))


def inside(stress: StressSet, x: Sequence[Fraction]) -> bool:
    return _within(stress.box, stress.rows, x)


def _within(box: Sequence[tuple[int, int]], rows: Sequence[Row], x: Sequence[Fraction]) -> bool:
    boxed = all(low <= v <= high for v, (low, high) in zip(x, box, strict=True))
    return boxed and all(sum(c * x[n] for n, c in row.terms) <= row.bound for row in rows)


def maximum(form: Form, stress: StressSet) -> Fraction:
    """The form's exact maximum over the set: it is piecewise linear, so a vertex attains it."""
    kinks = [(h.driver, Fraction(-h.offset, h.slope)) for h in form.hinges if h.slope]
    return max(form_value(form, x) for x in vertices(stress.box, stress.rows, kinks))


def vertices(
    box: Sequence[tuple[int, int]],
    rows: Sequence[Row],
    kinks: Sequence[tuple[int, Fraction]] = (),
) -> Iterator[tuple[Fraction, ...]]:
    """Every vertex of the polytope cut at ``kinks``: each choice of as many planes as drivers."""
    count = len(box)
    cuts = {(i, Fraction(end)) for i, interval in enumerate(box) for end in interval} | set(kinks)
    planes: list[tuple[list[Fraction], Fraction]] = [
        ([Fraction(int(i == driver)) for i in range(count)], at) for driver, at in sorted(cuts)
    ]
    for row in rows:
        dense = dict(row.terms)
        planes.append(([Fraction(dense.get(n, 0)) for n in range(count)], Fraction(row.bound)))
    for chosen in itertools.combinations(planes, count):
        point = _solve([list(a) for a, _ in chosen], [b for _, b in chosen])
        if point is not None and _within(box, rows, point):
            yield point


def _solve(matrix: list[list[Fraction]], right: list[Fraction]) -> tuple[Fraction, ...] | None:
    size = len(right)
    for column in range(size):
        pivot = next((r for r in range(column, size) if matrix[r][column]), None)
        if pivot is None:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        for r in range(size):
            if r != column and matrix[r][column]:
                share = matrix[r][column] / matrix[column][column]
                matrix[r] = [a - share * b for a, b in zip(matrix[r], matrix[column], strict=True)]
                right[r] -= share * right[column]
    return tuple(right[i] / matrix[i][i] for i in range(size))
