"""The first meaning, and the reference for the others: the exact value in rationals.

What every leaf is worth is given; nothing here knows of books, orders or markets.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

from agent_fund.guard.language.expression import (
    AtMost,
    Expression,
    Leaf,
    Number,
    Positive,
    Product,
    Relation,
    Scaled,
    Sum,
    relations,
)

Environment: TypeAlias = Callable[[Leaf], Fraction | int]
"""What a leaf is worth; money in base units of the currency of NAV, moves as shares."""


def evaluate(term: Expression, worth: Environment) -> Fraction:
    """The exact value of ``term``."""
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Sum):
        return sum((evaluate(inner, worth) for inner in term.terms), Fraction(0))
    if isinstance(term, Scaled):
        return term.factor * evaluate(term.term, worth)
    if isinstance(term, Product):
        return evaluate(term.left, worth) * evaluate(term.right, worth)
    if isinstance(term, Positive):
        return max(Fraction(0), evaluate(term.term, worth))
    return Fraction(worth(term))


def violation(relation: AtMost, worth: Environment) -> Fraction:
    """Left side less right side: not above zero if the relation holds."""
    return evaluate(relation.left, worth) - evaluate(relation.right, worth)


def holds(relation: Relation, worth: Environment) -> bool:
    """Whether every comparison of ``relation`` holds."""
    return all(violation(single, worth) <= 0 for single in relations(relation))
