"""Random relations of the mandate language, as a quant may write them, from one seed."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from language_world import INSTRUMENTS, PLACES

from agent_fund.guard.language.expression import (
    AtMost,
    By,
    Cash,
    Exposure,
    Expression,
    Known,
    Loss,
    Move,
    Number,
    Positive,
    Product,
    Selection,
    Side,
    When,
    minus,
    plus,
    times,
)

SELECTIONS: tuple[tuple[By, str], ...] = (
    ("all", ""),
    ("asset", "ETH"),
    ("asset", "BTC"),
    ("venue", "alpha"),
    ("venue", "beta"),
    ("chain", "eip155:1"),
    ("chain", "eip155:10"),
    *((("instrument", s)) for s in INSTRUMENTS),
)
ASIDE: tuple[Side, ...] = ("long", "short", "gross", "net")


def factor(rng: Random) -> Fraction:
    return Fraction(rng.choice([-7, -3, -1, 1, 1, 2, 5, 13]), rng.choice([1, 1, 2, 3, 10, 100]))


def known(rng: Random) -> Expression:
    leaf: Expression = rng.choice(
        [
            Known("nav"),
            Known("mark"),
            Known("cash"),
            Known("cash", rng.choice(PLACES)),
            Known("price", rng.choice(sorted(INSTRUMENTS))),
            times(Fraction(rng.randint(1, 10**5)), Known("unit")),
            exposure(rng, "before"),
        ]
    )
    return times(factor(rng), leaf)


def selection(rng: Random) -> Selection:
    return Selection(*rng.choice(SELECTIONS))


def exposure(rng: Random, when: When = "after") -> Expression:
    return Exposure(rng.choice(ASIDE), selection(rng), when)


def of_one_line(rng: Random) -> Expression:
    """Something that bends in the position of one instrument only, and may bend again."""
    chosen = Selection("instrument", rng.choice(sorted(INSTRUMENTS)))
    inner: Expression = times(factor(rng), Exposure(rng.choice(ASIDE), chosen))
    for _ in range(rng.randint(1, 3)):
        again = times(factor(rng), Exposure(rng.choice(ASIDE), chosen))
        inner = times(factor(rng), Positive(plus(inner, again, known(rng))))
    return inner


def exact(rng: Random, *, cash: bool = True) -> AtMost:
    """A comparison that the fills decide."""
    if rng.random() < 0.15:
        asset = Selection("asset", rng.choice(["ETH", "BTC"]))
        units = [times(factor(rng), Exposure(rng.choice(ASIDE), asset, "after", "units"))]
        units += [times(factor(rng), Exposure(rng.choice(ASIDE), asset, "before", "units"))]
        return AtMost(plus(*units), Exposure(rng.choice(ASIDE), asset, "after", "units"))
    left = [times(factor(rng), exposure(rng)) for _ in range(rng.randint(1, 3))]
    left += [of_one_line(rng) for _ in range(rng.randint(0, 2))]
    right = [known(rng) for _ in range(rng.randint(0, 3))]
    right += [times(abs(factor(rng)), exposure(rng)) for _ in range(rng.randint(0, 1))]
    if cash and rng.random() < 0.4:
        place = Cash(rng.choice(["", *PLACES]))
        right.append(times(abs(factor(rng)), place))
        if rng.random() < 0.5:
            left.append(Positive(minus(known(rng), times(abs(factor(rng)), place))))
    return AtMost(plus(*left), plus(*right))


def market(rng: Random) -> Expression:
    """A number of the market: a move, bent once or twice."""
    moved: Expression = times(factor(rng), Move(rng.choice([*sorted(INSTRUMENTS), "market"])))
    for _ in range(rng.randint(0, 2)):
        moved = times(factor(rng), Positive(plus(moved, Number(factor(rng) / 10))))
    return moved


def stressed(rng: Random, *, fills: bool = True) -> AtMost:
    """A comparison that the market decides."""
    left: list[Expression] = [
        times(abs(factor(rng)), Loss(selection(rng))) for _ in range(rng.randint(1, 2))
    ]
    if rng.random() < 0.5:
        one = Loss(Selection("instrument", rng.choice(sorted(INSTRUMENTS))))
        bent = Positive(plus(times(abs(factor(rng)), one), known(rng)))
        left.append(times(abs(factor(rng)), bent))
        left.append(times(abs(factor(rng)), Positive(minus(bent, known(rng)))))
    right = [known(rng) for _ in range(rng.randint(0, 2))]
    if rng.random() < 0.6:
        pair = (known(rng), market(rng))
        right.append(Product(*(pair if rng.random() < 0.5 else pair[::-1])))
    if fills and rng.random() < 0.4:
        right.append(times(factor(rng), exposure(rng)))
    return AtMost(plus(*left), plus(*right))
