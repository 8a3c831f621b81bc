"""A comparison in normal form, and the fills that are worst for it.

What is known may be left open, as variables with an interval of one point. Then one reading serves
for every price and every trade of a run, and a judgement is a handful of integers. Where a bend
hangs on something known, or an asset is counted in its units, the comparison is read anew for each
case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.cases import Case
from agent_fund.guard.language.expand import Variable, expand, interval, over_positions
from agent_fund.guard.language.expression import (
    AtMost,
    Cash,
    Expression,
    Loss,
    Move,
    Position,
    leaves,
    minus,
)
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.formula import formula
from agent_fund.guard.language.normal import Normal, normal
from agent_fund.guard.language.separable import at, worst


@dataclass(frozen=True)
class Reading:
    """Both sides of a comparison and their difference, over the same variables in one order."""

    relation: AtMost
    left: Normal
    right: Normal
    difference: Normal


@dataclass(frozen=True)
class Worst:
    """A comparison at the case and the fills that break it most, or come nearest to that.

    Attributes:
        violation: left side less right side there; not above zero if it holds.
        scenario: what each variable of the reading is there.
    """

    reading: Reading
    case: Case
    violation: Fraction
    scenario: tuple[Fraction | int, ...]

    @property
    def fills(self) -> tuple[tuple[Position | Cash, Fraction | int], ...]:
        """What the fills make of positions and cash, in base units of the currency."""
        pairs = zip(self.reading.difference.drivers, self.scenario, strict=True)
        return tuple((v, x) for v, x in pairs if isinstance(v, (Position, Cash)))

    @property
    def sides(self) -> tuple[Fraction, Fraction]:
        """What the left and the right side come to."""
        left, right = self.reading.left, self.reading.right
        return (
            Fraction(at(left.form, self.scenario)) / left.unit,
            Fraction(at(right.form, self.scenario)) / right.unit,
        )


def read(relation: AtMost, instruments: Mapping[str, Instrument]) -> Reading | None:
    """``relation`` over positions of any size; None if it has to be read case by case."""
    try:
        sides = [over_positions(side, instruments) for side in (relation.left, relation.right)]
        return _reading(relation, *sides)
    except DomainError:
        # Whatever is wrong with it in earnest is said when it is read over a case.
        return None


def worst_fills(
    relation: AtMost, every: Sequence[Case], facts: Facts, known: Reading | None = None
) -> Worst:
    """``relation`` at the worst fills of the worst case.

    Positions and cash are taken at their worst apart, though one fill may move both: never less
    than the truth.

    Args:
        known: its reading over the book's instruments, if there is one.

    Raises:
        DomainError: for a name or a price that is missing, or a term of the market.
    """
    found = [_worst(known or read_in(relation, case, facts), case, facts) for case in every]
    return max(found, key=lambda each: each.violation)


def read_in(relation: AtMost, case: Case, facts: Facts) -> Reading:
    """``relation`` with everything that is known filled in.

    Raises:
        DomainError: for a name or a price that is missing, or a term of the market.
    """
    return _reading(
        relation, expand(relation.left, case, facts), expand(relation.right, case, facts)
    )


def _reading(relation: AtMost, left: Expression, right: Expression) -> Reading:
    order: dict[Variable, None] = {}
    for leaf in (*leaves(left), *leaves(right)):
        if isinstance(leaf, (Loss, Move)):
            raise DomainError("market term", formula(leaf), "prove it over the stress set")
        order[leaf] = None
    variables = tuple(order)
    return Reading(
        relation,
        normal(left, variables),
        normal(right, variables),
        normal(minus(left, right), variables),
    )


def _worst(reading: Reading, case: Case, facts: Facts) -> Worst:
    form = reading.difference
    box = [interval(variable, case, facts) for variable in form.drivers]
    value, scenario = worst(form.form, box)
    return Worst(reading, case, value / form.unit, scenario)
