"""Random well-formed claims: convex and concave hinges, sparse rows, splits, big numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import SCALE

Pairs: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A form, a stress set and a certificate in plain integers, before anybody judges them.

    Attributes:
        hinges: (weight, driver, slope, offset). rows: (terms, bound).
        tampering: what was done to it, so that it must be refused; empty if it must be accepted.
    """

    constant: int
    linear: tuple[int, ...]
    hinges: tuple[tuple[int, int, int, int], ...]
    box: Pairs
    rows: tuple[tuple[Pairs, int], ...]
    tree: Certificate
    tampering: str = ""


def honest(rng: Random) -> Case:
    """A claim that every checker must accept, with splits up to four deep; a few MAX_DEPTH deep."""
    drivers = rng.randint(1, 5)
    box = tuple((_low(rng), _high(rng)) for _ in range(drivers))
    linear = tuple(_number(rng) for _ in range(drivers))
    rows = tuple(_row(rng, drivers) for _ in range(rng.randint(0, 4)))
    hinges = tuple(_hinge(rng, box) for _ in range(rng.randint(0, 5)))
    case = Case(_number(rng), linear, hinges, box, rows, Leaf((), ()))
    if rng.random() < 0.01:
        return replace(case, box=((-SCALE, SCALE), *box[1:]), tree=chain(rng, case, MAX_DEPTH))
    return replace(case, tree=_tree(rng, case, box, rng.randint(0, 4)))


def _number(rng: Random) -> int:
    return rng.randint(-1, 1) * rng.getrandbits(rng.choice((2, 8, 40, 120)))


def _low(rng: Random) -> int:
    return rng.choice((0, -1, -7, -rng.randint(0, SCALE), -SCALE))


def _high(rng: Random) -> int:
    return rng.choice((0, 1, 9, rng.randint(0, 4 * SCALE), rng.getrandbits(120)))


def _row(rng: Random, drivers: int) -> tuple[Pairs, int]:
    named = sorted(rng.sample(range(drivers), rng.randint(0, min(3, drivers))))
    terms = tuple((driver, _number(rng) or 1) for driver in named)
    return terms, rng.choice((0, abs(_number(rng))))


def _hinge(rng: Random, box: Pairs) -> tuple[int, int, int, int]:
    driver = rng.randrange(len(box))
    slope, offset = _number(rng), _number(rng)
    if rng.random() < 0.7:  # the kink inside the box, or next to it
        offset = -slope * rng.randint(*box[driver]) + rng.randint(-1, 1)
    return _number(rng), driver, slope, offset


def leaf(rng: Random, case: Case) -> Leaf:
    """A leaf that fits the form and the rows of ``case``."""
    shares = (0, 1, ONE // 3, rng.randint(0, ONE), ONE - 1, ONE)
    tangents = tuple(rng.choice(shares) for hinge in case.hinges if hinge[0] < 0)
    weights = []
    for index, (terms, _) in enumerate(case.rows):
        if rng.random() < 0.5:
            weights.append((index, _weight(rng, case.linear, terms)))
    return Leaf(tangents, tuple(weights))


def _weight(rng: Random, linear: tuple[int, ...], terms: Pairs) -> int:
    """Any positive multiplier, or the one that takes a driver out of the linear part."""
    fits = [linear[d] * ONE // c for d, c in terms if linear[d] * c > 0]
    return max(1, rng.choice((*fits, *fits, 1, ONE // 3, ONE, rng.getrandbits(120))))


def _tree(rng: Random, case: Case, box: Pairs, depth: int) -> Certificate:
    wide = [driver for driver, (low, high) in enumerate(box) if high - low > 1]
    if not depth or not wide:
        return leaf(rng, case)
    driver = rng.choice(wide)
    at = rng.randint(box[driver][0] + 1, box[driver][1] - 1)
    left, right = halves(box, driver, at)
    depth -= rng.randint(1, depth)
    return Split(driver, at, _tree(rng, case, left, depth), _tree(rng, case, right, depth))


def halves(box: Pairs, driver: int, at: int) -> tuple[Pairs, Pairs]:
    """The two boxes that a split makes of ``box``."""
    low, high = box[driver]
    before, after = box[:driver], box[driver + 1 :]
    return (*before, (low, at), *after), (*before, (at, high), *after)


def chain(rng: Random, case: Case, depth: int) -> Certificate:
    """Splits one under the other, of a first driver that spans [-SCALE, SCALE]."""
    tree: Certificate = leaf(rng, case)
    for at in range(depth, 0, -1):
        tree = Split(0, at, leaf(rng, case), tree)
    return tree
