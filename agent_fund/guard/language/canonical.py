"""A relation as canonical JSON and back: one tree, one text.

    ["at_most", ["scaled", "7/10", ["long", "after", "value", "asset", "ETH"]], ...]

What does not decode to a tree that encodes to the same is refused, and so is what may not be
written: a mandate's JSON is held to the same rules as the function that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_name
from agent_fund.guard.language.discipline import MAX_DEPTH, MAX_DIGITS, MAX_SIZE, require_relation
from agent_fund.guard.language.expression import (
    MEASURES,
    NAMES,
    SELECTIONS,
    SIDES,
    AtMost,
    Both,
    Cash,
    Exposure,
    Expression,
    Known,
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
    relations,
)

Json: TypeAlias = str | Sequence["Json"]

_RATIO = re.compile(r"(0|-?[1-9][0-9]*)(/[1-9][0-9]*)?")
_FIX = "write it as the mandate language does; a mandate's JSON is not edited by hand"


def to_json(relation: Relation) -> list[Json]:
    """``relation`` as lists and strings."""
    return _encoded(relation)


def from_json(value: object) -> Relation:
    """The relation that ``to_json`` wrote.

    Raises:
        DomainError: for anything that ``to_json`` does not write.
    """
    _require_size(value)
    head, rest = _parts(value)
    if head == "both":
        singles = tuple(_at_most(part) for part in rest)
        if len(singles) < 2:
            raise DomainError("both", len(singles), _FIX)
        return require_relation(Both(singles))
    return require_relation(_at_most(value))


def _encoded(node: Node) -> list[Json]:
    match node:
        case Number(value):
            return ["number", str(value)]
        case Known(name, argument):
            return ["known", name, argument]
        case Exposure(side, selection, when, measure):
            return [side, when, measure, selection.by, selection.name]
        case Cash(place):
            return ["cash", place]
        case Loss(selection):
            return ["loss", selection.by, selection.name]
        case Move(name):
            return ["move", name]
        case Sum(terms):
            return ["sum", *map(_encoded, terms)]
        case Scaled(factor, term):
            return ["scaled", str(factor), _encoded(term)]
        case Product(left, right):
            return ["product", _encoded(left), _encoded(right)]
        case Positive(term):
            return ["positive", _encoded(term)]
        case AtMost(left, right):
            return ["at_most", _encoded(left), _encoded(right)]
        case Both():
            return ["both", *map(_encoded, relations(node))]
    raise DomainError("term of a mandate", node, "positions stand in exposures only")


def _at_most(value: object) -> AtMost:
    match _parts(value):
        case "at_most", [left, right]:
            return AtMost(_term(left), _term(right))
    raise DomainError("relation", value, _FIX)


def _term(value: object) -> Expression:
    head, rest = _parts(value)
    match head, rest:
        case "number", [str() as text]:
            return Number(_ratio(text))
        case "known", [str() as name, str() as argument]:
            return _known(name, argument)
        case "cash", [str() as place]:
            return Cash(_name(place, optional=True))
        case "loss", [str() as by, str() as name]:
            return Loss(_selection(by, name))
        case "move", [str() as name]:
            return Move(_name(name))
        case "sum", terms:
            if len(terms) < 2:
                raise DomainError("sum", len(terms), _FIX)
            return Sum(tuple(map(_term, terms)))
        case "scaled", [str() as factor, term]:
            return Scaled(_ratio(factor), _term(term))
        case "product", [left, right]:
            return Product(_term(left), _term(right))
        case "positive", [term]:
            return Positive(_term(term))
        case str(), [str() as when, str() as measure, str() as by, str() as name]:
            return _exposure(head, when, measure, by, name)
    raise DomainError("term", value, _FIX)


def _exposure(side: str, when: str, measure: str, by: str, name: str) -> Exposure:
    found = next((each for each in SIDES if each == side), None)
    counted = next((each for each in MEASURES if each == measure), None)
    if found is None or counted is None or (counted == "units" and by != "asset"):
        raise DomainError("exposure", [side, measure, by], _FIX)
    selection = _selection(by, name)
    if when == "before":
        return Exposure(found, selection, "before", counted)
    if when == "after":
        return Exposure(found, selection, "after", counted)
    raise DomainError("exposure", when, _FIX)


def _known(name: str, argument: str) -> Known:
    found = next((each for each in NAMES if each == name), None)
    named = name == "price" or (name == "cash" and argument != "")
    if found is None or (not named and argument):
        raise DomainError("known value", [name, argument], _FIX)
    return Known(found, _name(argument) if named else "")


def _selection(by: str, name: str) -> Selection:
    found = next((each for each in SELECTIONS if each == by), None)
    if found is None:
        raise DomainError("selection", by, f"write one of {', '.join(SELECTIONS)}")
    if found == "all" and name:
        raise DomainError("selection", [by, name], _FIX)
    return Selection(found, name if found == "all" else _name(name))


def _name(text: str, *, optional: bool = False) -> str:
    return text if optional and not text else require_name(text, "name in a mandate")


def _ratio(text: str) -> Fraction:
    if len(text) > MAX_DIGITS or not _RATIO.fullmatch(text):
        raise DomainError("number", text[:MAX_DIGITS], "write it as a reduced fraction, 7/10")
    value = Fraction(text)
    if str(value) != text:
        raise DomainError("number", text, f"write {value}")
    return value


def _parts(value: object) -> tuple[str, list[object]]:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
        return value[0], list(value[1:])
    raise DomainError("term", value, _FIX)


def _require_size(value: object) -> None:
    """Not deeper or longer than a relation can be, before anything is read of it."""
    level: list[object] = [value]
    count = 0
    for _ in range(MAX_DEPTH + 2):
        level = [part for item in level if isinstance(item, (list, tuple)) for part in item]
        count += len(level)
        if not level:
            return
        if count > 6 * MAX_SIZE:
            break
    fix = f"a guardrail has at most {MAX_SIZE} terms, nested at most {MAX_DEPTH} deep"
    raise DomainError("size of a guardrail", f"{count} parts or more", fix)
