"""A relation of the mandate language over what a question leaves open.

Exposures become sums over positions, before the trade and after it; whatever is known when a trade
is judged stays open too.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.language.expand import over_positions, positive
from agent_fund.guard.language.expression import (
    AtMost,
    Exposure,
    Expression,
    Known,
    Loss,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Relation,
    Scaled,
    Sum,
    plus,
    relations,
    times,
)
from agent_fund.guard.language.formula import formula
from agent_fund.guard.policy.unknowns import before, worst_loss

_NOT_PRICES = "units of an asset are values over prices, and a question takes one of them as open"


def opened(
    relation: Relation, instruments: Mapping[str, Instrument], *, lost: bool = False
) -> list[AtMost]:
    """``relation`` over what is open.

    Args:
        lost: whether its one loss may stand for the worst that is proved of it.

    Raises:
        DomainError: naming what no linear question can be asked about.
    """

    return [
        AtMost(*(_open(side, instruments, lost=lost) for side in (r.left, r.right)))
        for r in relations(relation)
    ]


def _open(term: Expression, instruments: Mapping[str, Instrument], *, lost: bool) -> Expression:
    """``term`` over what is open; solvers are asked linear questions only."""
    if isinstance(term, Sum):
        return plus(*(_open(inner, instruments, lost=lost) for inner in term.terms))
    if isinstance(term, Scaled):
        return times(term.factor, _open(term.term, instruments, lost=lost))
    if isinstance(term, Positive):
        return positive(_open(term.term, instruments, lost=lost))
    if isinstance(term, Product):
        left, right = (_open(side, instruments, lost=lost) for side in (term.left, term.right))
        for constant, other in ((left, right), (right, left)):
            if isinstance(constant, Number):
                return times(constant.value, other)
        fix = "both sides are open here: multiply by a number"
        raise DomainError("product", formula(term), fix)
    if isinstance(term, Known) and term.name == "unit":
        return Number(Fraction(1))
    if isinstance(term, Loss) and lost:
        return worst_loss(term.selection)
    if isinstance(term, (Loss, Move)):
        fix = "it has a scenario of its own: one loss in a comparison may be asked about, no more"
        raise DomainError("market term", formula(term), fix)
    if isinstance(term, Exposure):
        if term.measure == "units":
            raise DomainError("units of an asset", formula(term), _NOT_PRICES)
        after = over_positions(Exposure(term.side, term.selection), instruments)
        return after if term.when == "after" else _earlier(after)
    return term


def _earlier(term: Expression) -> Expression:
    """Positions after the trade, as positions before it."""
    if isinstance(term, Sum):
        return plus(*map(_earlier, term.terms))
    if isinstance(term, Scaled):
        return times(term.factor, _earlier(term.term))
    if isinstance(term, Positive):
        return Positive(_earlier(term.term))
    return before(term.symbol) if isinstance(term, Position) else term
