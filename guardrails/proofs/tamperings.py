"""Twenty-odd ways to tamper with a claim, so that every checker must refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeAlias

from agent_fund.guard.kernel.certificate import MAX_DEPTH, ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.form import SCALE
from guardrails.proofs.random_cases import Case, Pairs, chain, halves, honest, leaf

Tampering: TypeAlias = Callable[[Random, Case], Case | None]
"""None where a case has nothing of the kind that is tampered with."""


def _of_leaf(change: Callable[[Random, Case, Leaf], Leaf | None]) -> Tampering:
    """The tampering that changes one leaf."""

    def apply(rng: Random, case: Case) -> Case | None:
        def go(tree: Certificate) -> Certificate | None:
            if isinstance(tree, Leaf):
                return change(rng, case, tree)
            left = rng.random() < 0.5
            below = go(tree.left if left else tree.right)
            return None if below is None else _with_side(tree, left, below)

        tree = go(case.tree)
        return None if tree is None else replace(case, tree=tree)

    return apply


def _of_split(change: Callable[[Random, Split, Pairs], Split]) -> Tampering:
    """The tampering that changes one split, of the box that it is given."""

    def apply(rng: Random, case: Case) -> Case | None:
        def go(tree: Certificate, box: Pairs) -> Certificate | None:
            if isinstance(tree, Leaf):
                return None
            lower, upper = halves(box, tree.driver, tree.at)
            left = rng.random() < 0.5
            below = go(tree.left, lower) if left else go(tree.right, upper)
            if below is None or rng.random() < 0.4:
                return change(rng, tree, box)
            return _with_side(tree, left, below)

        tree = go(case.tree, case.box)
        return None if tree is None else replace(case, tree=tree)

    return apply


def _with_side(tree: Split, left: bool, below: Certificate) -> Split:
    return replace(tree, left=below) if left else replace(tree, right=below)


def _tangent(value: Callable[[Random], int]) -> Tampering:
    def change(rng: Random, case: Case, old: Leaf) -> Leaf | None:
        if not old.tangents:
            return None
        tangents = list(old.tangents)
        tangents[rng.randrange(len(tangents))] = value(rng)
        return replace(old, tangents=tuple(tangents))

    return _of_leaf(change)


def _multiplier(value: Callable[[Random, Case, int, int], tuple[int, int]]) -> Tampering:
    def change(rng: Random, case: Case, old: Leaf) -> Leaf | None:
        if not old.multipliers:
            return None
        pairs = list(old.multipliers)
        index = rng.randrange(len(pairs))
        pairs[index] = value(rng, case, *pairs[index])
        return replace(old, multipliers=tuple(pairs))

    return _of_leaf(change)


def _fewer_tangents(rng: Random, case: Case, old: Leaf) -> Leaf | None:
    return replace(old, tangents=old.tangents[1:]) if old.tangents else None


def _more_tangents(rng: Random, case: Case, old: Leaf) -> Leaf:
    return replace(old, tangents=(*old.tangents, rng.choice((0, ONE))))


def _repeated_row(rng: Random, case: Case, old: Leaf) -> Leaf | None:
    if not old.multipliers:
        return None
    return replace(old, multipliers=(*old.multipliers, old.multipliers[-1]))


def _rows_swapped(rng: Random, case: Case, old: Leaf) -> Leaf | None:
    if len(old.multipliers) < 2:
        return None
    return replace(old, multipliers=old.multipliers[::-1])


def _hinge_elsewhere(rng: Random, case: Case) -> Case | None:
    if not case.hinges:
        return None
    (weight, _, slope, offset), *rest = case.hinges
    driver = _no_driver(rng, len(case.box))
    return replace(case, hinges=((weight, driver, slope, offset), *rest))


def _no_driver(rng: Random, drivers: int) -> int:
    return rng.choice((-1, drivers, -drivers, drivers + 1, 2**64, 2**120, -(2**63)))


def _interval(value: Callable[[Random], tuple[int, int]]) -> Tampering:
    def apply(rng: Random, case: Case) -> Case:
        driver = rng.randrange(len(case.box))
        box = (*case.box[:driver], value(rng), *case.box[driver + 1 :])
        return replace(case, box=box, tree=leaf(rng, case))

    return apply


def _of_row(change: Callable[[Random, Case, Pairs, int], tuple[Pairs, int] | None]) -> Tampering:
    def apply(rng: Random, case: Case) -> Case | None:
        if not case.rows:
            return None
        index = rng.randrange(len(case.rows))
        row = change(rng, case, *case.rows[index])
        rows = case.rows
        return None if row is None else replace(case, rows=(*rows[:index], row, *rows[index + 1 :]))

    return apply


def _unordered(rng: Random, case: Case, terms: Pairs, bound: int) -> tuple[Pairs, int] | None:
    return (rng.choice((terms[::-1], (*terms, terms[-1]))), bound) if len(terms) > 1 else None


TAMPERINGS: dict[str, Tampering] = {
    "tangent below zero": _tangent(lambda rng: -1 - rng.getrandbits(rng.choice((0, 60)))),
    "tangent above one": _tangent(lambda rng: ONE + 1 + rng.getrandbits(rng.choice((0, 60)))),
    "tangent missing": _of_leaf(_fewer_tangents),
    "tangent too many": _of_leaf(_more_tangents),
    "multiplier negative": _multiplier(lambda rng, case, row, y: (row, -y)),
    "multiplier zero": _multiplier(lambda rng, case, row, y: (row, 0)),
    "row unknown": _multiplier(lambda rng, case, row, y: (_no_driver(rng, len(case.rows)), y)),
    "row repeated": _of_leaf(_repeated_row),
    "rows out of order": _of_leaf(_rows_swapped),
    "split at an end": _of_split(lambda rng, s, box: replace(s, at=rng.choice(box[s.driver]))),
    "split outside": _of_split(
        lambda rng, s, box: replace(
            s, at=rng.choice((box[s.driver][0] - 1, box[s.driver][1] + 1, -(2**120), 2**121))
        )
    ),
    "split of no driver": _of_split(
        lambda rng, s, box: replace(s, driver=_no_driver(rng, len(box)))
    ),
    "too deep": lambda rng, case: replace(
        case, box=((-SCALE, SCALE), *case.box[1:]), tree=chain(rng, case, MAX_DEPTH + 1)
    ),
    "form too short": lambda rng, case: replace(
        case, linear=case.linear[:-1], hinges=(), tree=Leaf((), ())
    ),
    "form too long": lambda rng, case: replace(case, linear=(*case.linear, 0)),
    "hinge of no driver": _hinge_elsewhere,
    "interval without no move": _interval(
        lambda rng: rng.choice(((1, 2), (-2, -1), (5, -5), (0, -1)))
    ),
    "interval below everything": _interval(
        lambda rng: (-SCALE - 1 - rng.getrandbits(rng.choice((0, 60))), 9)
    ),
    "row without no move": _of_row(lambda rng, case, terms, bound: (terms, -1 - bound)),
    "row of no driver": _of_row(
        lambda rng, case, terms, bound: ((*terms, (_no_driver(rng, len(case.box)), 1)), bound)
    ),
    "row with a zero": _of_row(
        lambda rng, case, terms, bound: (tuple((d, 0) for d, _ in terms), bound) if terms else None
    ),
    "row out of order": _of_row(_unordered),
}


def tampered(rng: Random) -> Case:
    """A case with one thing wrong, so that every checker must refuse it."""
    name = rng.choice(tuple(TAMPERINGS))
    while True:  # until a case has what is to be tampered with
        case = TAMPERINGS[name](rng, honest(rng))
        if case is not None:
            return replace(case, tampering=name)
