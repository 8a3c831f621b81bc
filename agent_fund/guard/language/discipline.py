"""What may be written: every refusal names the term and says what to write instead.

The rules keep a mandate piecewise linear, with each nonlinearity a hinge in one driver, so that
every clause can be judged exactly or proved by a certificate:

    sums and comparisons are of one dimension: money, numbers, or units of one asset
    of the two sides of a product at most one varies
    a loss stands where more of it is worse, cash after the trade where less of it is worse

Whether a max(0, .) has one driver only depends on the instruments of the fund; ``expand`` and
``normal`` see to that when the mandate is resolved.
"""

from __future__ import annotations

from agent_fund.domain.errors import DomainError
from agent_fund.guard.language.expression import (
    AtMost,
    Cash,
    Exposure,
    Expression,
    Known,
    Loss,
    Move,
    Node,
    Number,
    Position,
    Positive,
    Product,
    Relation,
    Scaled,
    Sum,
    children,
    leaves,
    relations,
)
from agent_fund.guard.language.formula import formula

MAX_DEPTH = 32
MAX_SIZE = 1024
MAX_DIGITS = 60

MONEY = "money"
NUMBER = "a number"
ANY = "zero"
"""Zero is of every dimension."""


def dimension(term: Expression) -> str:
    """MONEY, NUMBER, ``units of`` an asset, or ANY for zero.

    Raises:
        DomainError: if ``term`` mixes dimensions, or multiplies two that are not numbers.
    """
    if isinstance(term, Number):
        return NUMBER if term.value else ANY
    if isinstance(term, Move):
        return NUMBER
    if isinstance(term, Exposure) and term.measure == "units":
        return f"units of {term.selection.name}"
    if isinstance(term, (Known, Exposure, Cash, Loss, Position)):
        return MONEY
    if isinstance(term, (Scaled, Positive)):
        return dimension(term.term)
    if isinstance(term, Sum):
        return _common(term, term.terms)
    return _of_product(term)


def _common(whole: Node, terms: tuple[Expression, ...]) -> str:
    found = ANY
    for term in terms:
        own = dimension(term)
        if ANY in (own, found) or own == found:
            found = own if found == ANY else found
            continue
        instead = "bring both to one dimension"
        if {own, found} == {MONEY, NUMBER}:
            instead = 'write a share of something, "10%" * s.nav, or an amount, s.money("1000")'
        raise DomainError("mixed dimensions", formula(whole), f"{found} meets {own}: {instead}")
    return found


def _of_product(term: Product) -> str:
    left, right = dimension(term.left), dimension(term.right)
    if left not in (NUMBER, ANY) and right not in (NUMBER, ANY):
        fix = "the product is of no dimension that a limit has; multiply one of them by a number"
        raise DomainError("product of two amounts", formula(term), fix)
    return right if left in (NUMBER, ANY) else left


def varies(node: Node) -> frozenset[str]:
    """What the value depends on beyond what is known: ``fills``, ``market``, both or nothing."""
    found = set()
    for leaf in leaves(node):
        if isinstance(leaf, (Loss, Move)):
            found.add("market")
        elif isinstance(leaf, (Cash, Position)) or (
            isinstance(leaf, Exposure) and leaf.when == "after"
        ):
            found.add("fills")
    return frozenset(found)


def require_term(term: Expression) -> Expression:
    """``term`` if its size, dimensions and products are in order.

    Raises:
        DomainError: naming what is not.
    """
    _require_size(term)
    _require_products(term)
    dimension(term)
    return term


def require_relation(relation: Relation) -> Relation:
    """``relation`` if it may stand in a mandate.

    Raises:
        DomainError: naming the term that may not, and what to write instead.
    """
    _require_size(relation)
    if not relations(relation):
        raise DomainError("guardrail", formula(relation), "compare two terms with <= or >=")
    for single in relations(relation):
        for side in (single.left, single.right):
            require_term(side)
        _common(single, (single.left, single.right))
        _require_direction(single, single.left, 1)
        _require_direction(single, single.right, -1)
    return relation


def _require_size(node: Node) -> None:
    if _outgrows(node, MAX_DEPTH) or sum(1 for _ in _nodes(node)) > MAX_SIZE:
        fix = f"write at most {MAX_SIZE} terms, nested at most {MAX_DEPTH} deep"
        raise DomainError("size of a guardrail", type(node).__name__, fix)
    for inner in _nodes(node):
        value = (
            inner.value
            if isinstance(inner, Number)
            else inner.factor
            if isinstance(inner, Scaled)
            else None
        )
        if value is not None and len(str(value)) > MAX_DIGITS:
            fix = f"write at most {MAX_DIGITS} digits"
            raise DomainError("number", f"{len(str(value))} digits", fix)


def _outgrows(node: Node, depth: int) -> bool:
    return depth == 0 or any(_outgrows(child, depth - 1) for child in children(node))


def _nodes(node: Node) -> list[Node]:
    found, at = [node], 0
    while at < len(found) and len(found) <= MAX_SIZE:
        found += children(found[at])
        at += 1
    return found


def _require_products(term: Expression) -> None:
    for inner in _nodes(term):
        if not isinstance(inner, Product):
            continue
        left, right = varies(inner.left), varies(inner.right)
        if not left or not right:
            continue
        if left == right == {"market"}:
            what, fix = "two market terms", "bound each of them by itself, or declare a factor"
        elif left == right == {"fills"}:
            what, fix = "two positions", "multiply a position by a number, or compare two positions"
        else:
            what = "a position and a market term"
            fix = "write after.loss(...), which is what the positions lose in a scenario"
        raise DomainError(f"product of {what}", formula(inner), fix)


def _require_direction(relation: AtMost, term: Expression, sign: int) -> None:
    """Loss only where the relation gets worse with it, cash only where it gets better."""
    if isinstance(term, Loss) and sign < 0:
        fix = "fills can make it smaller; a loss can only be limited from above: loss <= limit"
        raise DomainError("loss asked for from below", formula(relation), fix)
    if isinstance(term, Cash) and sign > 0:
        fix = "fills at better prices leave more; cash can only have a floor: cash >= limit"
        raise DomainError("cash limited from above", formula(relation), fix)
    if isinstance(term, Scaled):
        _require_direction(relation, term.term, sign if term.factor > 0 else -sign)
    elif isinstance(term, Product):
        # What is known may have either sign, so the other side may go either way.
        for side in (term.left, term.right):
            _require_direction(relation, side, 1)
            _require_direction(relation, side, -1)
    elif isinstance(term, (Sum, Positive)):
        for child in term.terms if isinstance(term, Sum) else (term.term,):
            _require_direction(relation, child, sign)
