"""One tree as a formula, in Unicode or in LaTeX.

Shares are written in percent, parentheses only where they are needed. Nothing is lost: two trees
that differ are written differently, up to the order of evaluation of sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.guard.language.expression import (
    ZERO,
    AtMost,
    Cash,
    Exposure,
    Expression,
    Known,
    Leaf,
    Loss,
    Move,
    Node,
    Number,
    Positive,
    Product,
    Relation,
    Scaled,
    Selection,
    Sum,
    minus,
    relations,
    times,
)

_MINUS_ONE = Fraction(-1)


@dataclass(frozen=True)
class _Style:
    """How one notation writes leaves and operators; ``{}`` stands for what is inside."""

    leaf: Callable[[Leaf], str]
    times: str
    minus: str
    percent: str
    maximum: str
    absolute: str
    brackets: str
    at_most: str
    both: str
    amount: str


def formula(node: Node) -> str:
    """``node`` in Unicode, e.g. ``70% · long(ETH) ≤ short(ETH)``."""
    return _written(node, _UNICODE)


def latex(node: Node) -> str:
    """``node`` in LaTeX's mathematics, without dollar signs."""
    return _written(node, _LATEX)


def number(value: Fraction) -> str:
    """``value`` as a decimal if it has an end, else as a fraction."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1 or value.denominator.bit_length() > 60:
        return str(value)
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    digits = f"{abs(int(value * 10**places)):0{places + 1}d}"
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def share(value: Fraction, percent: str = "%") -> str:
    """A positive factor: whole numbers above 1 as they are, everything else in percent."""
    if value.denominator == 1:
        return number(value)
    hundredths = number(value * 100)
    return number(value) if "/" in hundredths else hundredths + percent


def _written(node: Node, style: _Style) -> str:
    if isinstance(node, AtMost):
        return f"{_term(node.left, style)} {style.at_most} {_term(node.right, style)}"
    if isinstance(node, Relation):
        return f" {style.both} ".join(_written(single, style) for single in relations(node))
    return _term(node, style)


def _term(term: Expression, style: _Style) -> str:
    """A term as it stands in a sum or a comparison, with its sign."""
    if isinstance(term, Sum):
        return _sum(term.terms, style)
    if isinstance(term, Number):
        return number(term.value).replace("-", style.minus)
    if isinstance(term, Scaled):
        if term.factor < 0:
            return f"{style.minus}{_factors(Scaled(-term.factor, term.term), style)}"
        return _factors(term, style)
    return _factors(term, style)


def _sum(terms: tuple[Expression, ...], style: _Style) -> str:
    said, at = "", 0
    while at < len(terms):
        term = terms[at]
        inner = paired(terms[at : at + 2])
        if inner is not None:
            text, at = style.absolute.format(_term(inner, style)), at + 1
        else:
            text = _term(term, style)
        if text.startswith(style.minus):
            said += f" {style.minus} {text.removeprefix(style.minus)}" if said else text
        else:
            said += f" + {text}" if said else text
        at += 1
    return said


def paired(pair: tuple[Expression, ...]) -> Expression | None:
    """``x`` if the pair is max(0, x) and max(0, -x), whose sum is its absolute value."""
    if len(pair) == 2:
        first, second = pair
        if (
            isinstance(first, Positive)
            and isinstance(second, Positive)
            and second.term == negative(first.term)
        ):
            return first.term
    return None


def negative(term: Expression) -> Expression:
    """The term that ``-term`` is written as."""
    return minus(ZERO, term) if isinstance(term, Sum) else times(_MINUS_ONE, term)


def _factors(term: Expression, style: _Style) -> str:
    """A term as it stands in a product: sums in brackets."""
    if isinstance(term, Scaled):
        if isinstance(term.term, Known) and term.term.name == "unit":
            return style.amount.format(number(term.factor))
        if term.factor == 1:
            return _bracketed(term.term, style)
        factor = share(term.factor, style.percent)
        return f"{factor}{style.times}{_bracketed(term.term, style)}"
    if isinstance(term, Product):
        return f"{_bracketed(term.left, style)}{style.times}{_bracketed(term.right, style)}"
    if isinstance(term, Positive):
        return style.maximum.format(_term(term.term, style))
    if isinstance(term, (Number, Sum)):
        return _bracketed(term, style)
    if isinstance(term, Known) and term.name == "unit":
        return style.amount.format("1")
    return style.leaf(term)


def _bracketed(term: Expression, style: _Style) -> str:
    plain = isinstance(term, Number) and term.value >= 0
    if isinstance(term, (Sum, Scaled, Number)) and not plain:
        return style.brackets.format(_term(term, style))
    return _term(term, style)


def _called(leaf: Leaf) -> tuple[str, str]:
    """Name and argument of a leaf."""
    if isinstance(leaf, Known):
        name = {"nav": "NAV", "mark": "mark", "cash": "cash₀"}.get(leaf.name, leaf.name)
        return name, leaf.argument
    if isinstance(leaf, Exposure):
        name = leaf.side + ("₀" if leaf.when == "before" else "")
        units = ", in units" if leaf.measure == "units" else ""
        return name, _selected(leaf.selection) + units
    if isinstance(leaf, Loss):
        return "loss", _selected(leaf.selection)
    if isinstance(leaf, Cash):
        return "cash", leaf.place
    if isinstance(leaf, Move):
        return "move", leaf.name
    return "position", leaf.symbol


def _selected(selection: Selection) -> str:
    if selection.by == "all":
        return ""
    return selection.name if selection.by == "asset" else f"{selection.by} {selection.name}"


def _unicode_leaf(leaf: Leaf) -> str:
    name, argument = _called(leaf)
    return f"{name}({argument})" if argument else name


def _latex_leaf(leaf: Leaf) -> str:
    name, argument = _called(leaf)
    before = name.endswith("₀")
    said = rf"\mathrm{{{name.removesuffix('₀')}}}" + ("_0" if before else "")
    return rf"{said}(\text{{{_escaped(argument)}}})" if argument else said


def _escaped(text: str) -> str:
    special = {c: f"\\{c}" for c in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, c) for c in text)


_UNICODE = _Style(
    leaf=_unicode_leaf,
    times=" · ",
    minus="−",
    percent="%",
    maximum="max(0, {})",
    absolute="|{}|",
    brackets="({})",
    at_most="≤",
    both="∧",
    amount="{} ¤",
)
_LATEX = _Style(
    leaf=_latex_leaf,
    times=r" \cdot ",
    minus="-",
    percent=r"\%",
    maximum=r"\max(0, {})",
    absolute=r"\left|{}\right|",
    brackets=r"\left({}\right)",
    at_most=r"\le",
    both=r"\wedge",
    amount=r"{}\,\text{{¤}}",
)
