"""From what was written to what is judged: numbers for all that is known, drivers for the rest.

Exposures become sums over positions, losses sums over positions and legs. What is left depends on
three kinds of driver. The value of a position after the trade, and the cash at a place, are chosen
by the fills, each from an interval of its own; the move of an instrument or a factor is chosen by
the stress set. A leg that may fill in part is an option given to the market, ``max(0, effect)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TypeAlias

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.guard.cases import Case, Option
from agent_fund.guard.compile import loss_form
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.language.expression import (
    ZERO,
    Cash,
    Exposure,
    Expression,
    Known,
    Loss,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Scaled,
    Side,
    Sum,
    plus,
    times,
)
from agent_fund.guard.language.facts import Facts, cash_at, selected
from agent_fund.guard.language.formula import formula
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.stress.stress_set import Stress

Driver: TypeAlias = Position | Cash | Move
Variable: TypeAlias = Driver | Known | Exposure
"""A driver; or what is known but left open, an interval of one point."""


def expand(term: Expression, case: Case, facts: Facts, stress: Stress | None = None) -> Expression:
    """``term`` over the drivers of ``case``.

    Args:
        stress: needed for terms of the market.

    Raises:
        DomainError: for a name or a price that is missing.
    """
    if isinstance(term, (Number, Position)):
        return term
    if isinstance(term, Known):
        return Number(Fraction(facts.known(term)))
    if isinstance(term, Cash):
        cash_at(facts.book, term.place)
        return term
    if isinstance(term, Exposure):
        return _exposure(term, case, facts)
    if isinstance(term, (Loss, Move)):
        if stress is None:
            raise DomainError("market term", formula(term), "judge it over a stress set")
        return _loss(term, case, facts, stress) if isinstance(term, Loss) else _move(term, stress)
    if isinstance(term, Sum):
        return plus(*(expand(inner, case, facts, stress) for inner in term.terms))
    if isinstance(term, Scaled):
        return times(term.factor, expand(term.term, case, facts, stress))
    if isinstance(term, Product):
        return _product(term, case, facts, stress)
    return positive(expand(term.term, case, facts, stress))


def positive(term: Expression) -> Expression:
    """``max(0, term)``, worked out if it is a number."""
    if isinstance(term, Number):
        return term if term.value > 0 else ZERO
    return Positive(term)


def _product(term: Product, case: Case, facts: Facts, stress: Stress | None) -> Expression:
    left, right = (expand(side, case, facts, stress) for side in (term.left, term.right))
    if isinstance(left, Number):
        return times(left.value, right)
    if isinstance(right, Number):
        return times(right.value, left)
    fix = "at most one side may depend on fills or market"
    raise DomainError("product of two drivers", formula(term), fix)


def _exposure(term: Exposure, case: Case, facts: Facts) -> Expression:
    if term.when == "before":
        return Number(facts.before(term))
    lines = selected(term.selection, facts.book.instruments)
    held = [line.symbol for line in lines if case.span(line.symbol) != (0, 0)]
    if term.measure == "value":
        return _sided(term.side, ((symbol, Fraction(1)) for symbol in held))
    return _sided(term.side, ((symbol, facts.per_value(symbol)) for symbol in held))


def over_positions(term: Expression, instruments: Mapping[str, Instrument]) -> Expression:
    """``term`` with every exposure after the trade as a sum over positions of any size.

    For questions about a policy, in which no case, price or book is given; everything else that is
    known stays unknown.

    Raises:
        DomainError: for an exposure in units, which needs prices.
    """
    if isinstance(term, Exposure) and term.when == "after":
        if term.measure == "units":
            raise DomainError("units of an asset", formula(term), "ask about values instead")
        lines = selected(term.selection, instruments)
        return _sided(term.side, ((line.symbol, Fraction(1)) for line in lines))
    if isinstance(term, Sum):
        return plus(*(over_positions(inner, instruments) for inner in term.terms))
    if isinstance(term, Scaled):
        return times(term.factor, over_positions(term.term, instruments))
    if isinstance(term, Product):
        return Product(*(over_positions(side, instruments) for side in (term.left, term.right)))
    if isinstance(term, Positive):
        return positive(over_positions(term.term, instruments))
    return term


def _sided(side: Side, positions: Iterable[tuple[str, Fraction]]) -> Expression:
    """One side of positions, each with what it counts."""
    parts: list[Expression] = []
    for symbol, count in positions:
        position = times(count, Position(symbol))
        if side == "net":
            parts.append(position)
        if side in ("long", "gross"):
            parts.append(Positive(position))
        if side in ("short", "gross"):
            parts.append(Positive(times(Fraction(-1), position)))
    return plus(*parts)


def _move(term: Move, stress: Stress) -> Move:
    driver_number(term, stress)
    return term


def driver_number(move: Move, stress: Stress) -> int:
    """The number of the driver in ``stress``: instruments first, then factors.

    Raises:
        DomainError: if the set does not know it.
    """
    names = (*stress.instruments, *(factor.name for factor in stress.factors))
    if move.name not in names:
        raise DomainError("move", move.name, f"the stress set knows: {', '.join(names)}")
    return names.index(move.name)


def _loss(term: Loss, case: Case, facts: Facts, stress: Stress) -> Expression:
    parts: list[Expression] = []
    band = {symbol: (price, price) for symbol, price in facts.prices.items()}
    symbols = case.symbols
    for line in selected(term.selection, facts.book.instruments):
        symbol = line.symbol
        if symbol not in symbols:
            continue
        if line.terms is not None and envelope(line, stress, band, facts.book) is not None:
            parts.append(_written(loss_form(case.only({symbol}), stress, band, facts.book), stress))
            continue
        stress.driver(symbol)
        held = case.positions.get(symbol, 0)
        if held:
            parts.append(times(Fraction(-facts.worth(symbol, held)), Move(symbol)))
        parts += [_effect(leg, facts, stress) for leg in case.full if leg.symbol == symbol]
        parts += [
            positive(_effect(leg, facts, stress)) for leg in case.options if leg.symbol == symbol
        ]
    return plus(*parts)


def _written(form: Form, stress: Stress) -> Expression:
    """What the compiler says of an option, a pool share or an expiring future, as a term."""
    moves = [Move(name) for name in stress.instruments]
    parts: list[Expression] = [Number(Fraction(form.constant, SCALE))]
    # Both a form and its drivers count in 1/SCALE, so that slopes are slopes of shares.
    parts += [times(Fraction(c), move) for c, move in zip(form.linear, moves, strict=False) if c]
    for hinge in form.hinges:
        inner = times(Fraction(hinge.slope), moves[hinge.driver])
        bent = positive(plus(inner, Number(Fraction(hinge.offset, SCALE))))
        parts.append(times(Fraction(hinge.weight), bent))
    return plus(*parts)


def _effect(leg: Option, facts: Facts, stress: Stress) -> Expression:
    """What the whole fill of ``leg`` loses: paid its limit for what is worth price * (1 + x) later.

    The return x counts the funding since the decision. A leg that fills later has neither paid nor
    received what fell due before, so the most of it that would have been in its favour is added.
    """
    worth = facts.worth(leg.symbol, leg.quantity)  # of either sign
    agreed = leg.instrument.notional(leg.quantity, leg.limit)
    paid, received = stress.carry.get(leg.symbol, (0, 0))
    funding = Fraction(abs(worth) * (received if leg.quantity > 0 else paid), SCALE)
    return plus(Number(agreed - worth + funding), times(Fraction(-worth), Move(leg.symbol)))


Interval: TypeAlias = tuple[Fraction | int, Fraction | int]


def interval(variable: Variable, case: Case, facts: Facts) -> Interval:
    """The least and the most of ``variable``, in base units of the currency.

    What fills choose has an interval, what is known a single point.

    Raises:
        DomainError: for a name or a price that is missing, or a move.
    """
    if isinstance(variable, Position):
        low, high = case.span(variable.symbol)
        if low == high == 0:
            return 0, 0
        first = facts.exposed(variable.symbol, low)
        last = facts.exposed(variable.symbol, high) if high != low else first
        return (first, last) if first <= last else (last, first)
    if isinstance(variable, Cash):
        return _cash(variable, case, facts)
    if isinstance(variable, Known):
        known = facts.known(variable)
        return known, known
    if isinstance(variable, Exposure) and variable.when == "before":
        held = facts.before(variable)
        return held, held
    raise DomainError("term", formula(variable), "fills do not choose it")


def _cash(cash: Cash, case: Case, facts: Facts) -> Interval:
    least = most = cash_at(facts.book, cash.place)
    for leg, whole in [(leg, True) for leg in case.full] + [(leg, False) for leg in case.options]:
        if cash.place in ("", leg.instrument.account):
            paid = leg.instrument.notional(leg.quantity, leg.limit)
            least -= paid if whole else max(0, paid)
            most -= paid if whole else min(0, paid)
    return least, most
