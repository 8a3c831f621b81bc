"""The syntax tree of a guardrail: plain frozen values, equal if they are written alike.

    number      7/10
    known       nav, mark, unit, cash, price: a number when the check is made
    exposure    long, short, gross or net of a selection of positions, before or after the trade
    cash        at a place after the trade
    loss        of a selection of positions, after the trade, in a scenario of the stress set
    move        return of an instrument or a factor in that scenario
    + k* * max(0, .)  and the relations  left <= right,  several of them at once

Money is in base units of the currency in which NAV is stated; a move is a share, -1/4 for a fall of
25 %. What may be written is decided in ``discipline``; the tree itself judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

Name = Literal["nav", "mark", "unit", "cash", "price"]
Side = Literal["long", "short", "gross", "net"]
By = Literal["all", "asset", "instrument", "venue", "chain"]
When = Literal["before", "after"]
Measure = Literal["value", "units"]

NAMES: tuple[Name, ...] = get_args(Name)
SIDES: tuple[Side, ...] = get_args(Side)
SELECTIONS: tuple[By, ...] = get_args(By)
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True)
class Number:
    """A number that the mandate states."""

    value: Fraction


@dataclass(frozen=True)
class Known:
    """A number when the check is made: of the fund as it is, before the trade.

    Attributes:
        name: ``nav``; ``mark``, the high-water mark; ``unit``, one whole unit of the currency;
            ``cash``, at the place ``argument`` or, if that is empty, all of it; ``price``, what one
            whole unit of the instrument ``argument`` is worth.
    """

    name: Name
    argument: str = ""


@dataclass(frozen=True)
class Selection:
    """Which instruments count: all, or those of one underlying asset, venue, or chain, or one."""

    by: By = "all"
    name: str = ""


EVERYTHING = Selection()


@dataclass(frozen=True)
class Exposure:
    """One side of the selected positions, at decision prices.

    An option counts as what it is an option on, a put as a sale of it. ``long`` adds up the
    positions above zero, ``short`` those below it, turned positive; ``gross``
    is both together, ``net`` long less short. After the trade, positions are what its fills and
    those of the open orders make of them, each fill anything from nothing to the whole.

    Attributes:
        measure: ``value`` in money; ``units`` of the underlying asset.
    """

    side: Side
    selection: Selection = EVERYTHING
    when: When = "after"
    measure: Measure = "value"


@dataclass(frozen=True)
class Cash:
    """Cash at ``place`` (all of it if empty) after fills at their limits, trading costs aside.

    A fill at a better price leaves more, so cash may only be asked for from below.
    """

    place: str = ""


@dataclass(frozen=True)
class Loss:
    """Money lost in a scenario by the selected positions and by the worst fills of their orders.

    Trading costs aside; a gain is a negative loss. Fills at better prices lose less, so a loss may
    only be limited from above.
    """

    selection: Selection = EVERYTHING


@dataclass(frozen=True)
class Move:
    """All-in return of an instrument, or return of a factor, in a scenario of the stress set."""

    name: str


@dataclass(frozen=True)
class Position:
    """One position after the trade, at decision prices; exposures are made of these.

    It counts as ``Facts.exposed`` says: at its value, and an option as what it is an option on.
    """

    symbol: str


@dataclass(frozen=True)
class Sum:
    """All of ``terms`` together."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True)
class Scaled:
    """``factor`` times ``term``."""

    factor: Fraction
    term: Expression


@dataclass(frozen=True)
class Product:
    """``left`` times ``right``, of which at most one may vary with fills or market."""

    left: Expression
    right: Expression


@dataclass(frozen=True)
class Positive:
    """``max(0, term)``."""

    term: Expression


Leaf: TypeAlias = Known | Exposure | Cash | Loss | Move | Position
Expression: TypeAlias = Number | Leaf | Sum | Scaled | Product | Positive


@dataclass(frozen=True)
class AtMost:
    """``left <= right``."""

    left: Expression
    right: Expression


@dataclass(frozen=True)
class Both:
    """Every one of ``relations`` holds."""

    relations: tuple[AtMost, ...]


Relation: TypeAlias = AtMost | Both
Node: TypeAlias = Expression | Relation

ZERO = Number(Fraction(0))


def plus(*terms: Expression) -> Expression:
    """The sum, with sums inside it opened and its numbers added up."""
    constant = Fraction(0)
    kept: list[Expression] = []
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            if isinstance(part, Number):
                constant += part.value
            else:
                kept.append(part)
    if constant or not kept:
        kept.append(Number(constant))
    return kept[0] if len(kept) == 1 else Sum(tuple(kept))


def times(factor: Fraction, term: Expression) -> Expression:
    """``factor`` times ``term``, numbers multiplied out."""
    if isinstance(term, Number):
        return Number(factor * term.value)
    if isinstance(term, Scaled):
        return times(factor * term.factor, term.term)
    if factor == 0:
        return ZERO
    return term if factor == 1 else Scaled(factor, term)


def minus(left: Expression, right: Expression) -> Expression:
    """``left`` less ``right``."""
    if isinstance(right, Sum):
        return plus(left, *(times(Fraction(-1), term) for term in right.terms))
    return plus(left, times(Fraction(-1), right))


def relations(relation: Relation) -> tuple[AtMost, ...]:
    """Each single comparison of ``relation``."""
    return relation.relations if isinstance(relation, Both) else (relation,)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below ``node``."""
    if isinstance(node, Sum):
        return node.terms
    if isinstance(node, (Scaled, Positive)):
        return (node.term,)
    if isinstance(node, (Product, AtMost)):
        return (node.left, node.right)
    if isinstance(node, Both):
        return node.relations
    return ()


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf of ``node``, from left to right, as often as it stands there."""
    if isinstance(node, (Known, Exposure, Cash, Loss, Move, Position)):
        yield node
    for child in children(node):
        yield from leaves(child)
