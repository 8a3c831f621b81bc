"""One relation as one English sentence: what an investor reads of a guardrail."""

from __future__ import annotations

from fractions import Fraction

from agent_fund.guard.language.expression import (
    AtMost,
    Cash,
    Exposure,
    Expression,
    Known,
    Leaf,
    Loss,
    Move,
    Number,
    Position,
    Positive,
    Product,
    Relation,
    Scaled,
    Selection,
    Sum,
    leaves,
    relations,
    times,
)
from agent_fund.guard.language.formula import number, paired, share


def sentence(relation: Relation) -> str:
    """``relation`` as one English sentence, without a full stop."""
    parts = [_compared(single) for single in relations(relation)]
    found = list(leaves(relation))
    after = any(
        isinstance(leaf, (Cash, Position)) or (isinstance(leaf, Exposure) and leaf.when == "after")
        for leaf in found
    )
    lost = any(isinstance(leaf, Loss) for leaf in found)
    market = lost or any(isinstance(leaf, Move) for leaf in found)
    said = ", and ".join(parts)
    if after or lost:
        said += ", after any fills of the trade and of the open orders"
    if market:
        said += ", in every scenario of the stress set"
    return said


def _compared(relation: AtMost) -> str:
    """The plainer side first: ``x is at most y``, or ``y is at least x``."""
    left, right = relation.left, relation.right
    if _plain(right) and not _plain(left):
        return f"{_words(right)} is at least {_words(left)}"
    return f"{_words(left)} is at most {_words(right)}"


def _plain(term: Expression) -> bool:
    return isinstance(term, (Exposure, Cash, Loss, Position))


def _words(term: Expression) -> str:
    if isinstance(term, Number):
        return number(term.value)
    if isinstance(term, Sum):
        return _summed(term.terms)
    if isinstance(term, Scaled):
        return _share_of(term.factor, term.term)
    if isinstance(term, Product):
        return f"{_grouped(term.left)} times {_grouped(term.right)}"
    if isinstance(term, Positive):
        return f"the part above zero of {_grouped(term.term)}"
    return _named(term)


def _summed(terms: tuple[Expression, ...]) -> str:
    said, at = "", 0
    while at < len(terms):
        term, less = terms[at], False
        inner = paired(terms[at : at + 2])
        if inner is not None:
            text, at = f"the size of {_grouped(inner)}", at + 1
        elif isinstance(term, Scaled) and term.factor < 0 and said:
            text, less = _words(times(-term.factor, term.term)), True
        elif isinstance(term, Number) and term.value < 0 and said:
            text, less = number(-term.value), True
        else:
            text = _words(term)
        said += (f" less {text}" if less else f" plus {text}") if said else text
        at += 1
    return said


def _share_of(factor: Fraction, term: Expression) -> str:
    if factor < 0:
        return f"minus {_grouped(times(-factor, term))}"
    if isinstance(term, Known) and term.name == "unit":
        return f"{number(factor)} of the currency"
    said = share(factor)
    of = "of" if factor < 1 or said.endswith("%") else "times"
    return f"{said} {of} {_grouped(term)}"


def _grouped(term: Expression) -> str:
    return f"({_words(term)})" if isinstance(term, (Sum, Product)) else _words(term)


def _named(leaf: Leaf) -> str:
    if isinstance(leaf, Known):
        return {
            "nav": "NAV",
            "mark": "the high-water mark",
            "unit": "1 of the currency",
            "price": f"the price of {leaf.argument}",
            "cash": _at_place("cash", leaf.argument) + " before the trade",
        }[leaf.name]
    if isinstance(leaf, Exposure):
        what = f"{leaf.side} {'side' if leaf.side in ('long', 'short') else 'exposure'}"
        units = f" in units of {leaf.selection.name}" if leaf.measure == "units" else ""
        before = " before the trade" if leaf.when == "before" else ""
        return f"the {what}{_where(leaf.selection)}{units}{before}"
    if isinstance(leaf, Loss):
        where = _where(leaf.selection) or " of the whole book"
        return f"the loss{where}"
    if isinstance(leaf, Cash):
        return _at_place("cash", leaf.place)
    if isinstance(leaf, Move):
        return f"the return of {leaf.name}"
    return f"the position in {leaf.symbol}"


def _at_place(what: str, place: str) -> str:
    return f"{what} at {place}" if place else f"all {what}"


def _where(selection: Selection) -> str:
    return {
        "all": "",
        "asset": f" in {selection.name}",
        "instrument": f" in instrument {selection.name}",
        "venue": f" at {selection.name}",
        "chain": f" on {selection.name}",
    }[selection.by]
