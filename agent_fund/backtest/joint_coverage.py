"""How often moves left the set as a whole: baskets, bases, budgets and combinations besides boxes.

Rows of a set are claims about moves taken together, and history may contradict them where it does
not leave a single box. Moves are computed in floats, and every one that comes within a thousandth
of 1/SCALE of an edge is judged again exactly, so that counts are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.factor import BETA_UNIT
from agent_fund.guard.stress.stress_set import Stress

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
NEAR = 1e-3


def joint_counts(stress: Stress, pasts: Mapping[str, Past]) -> list[tuple[int, int]]:
    """For each horizon from 1 on: windows of the bars that all have, and how many left the set."""
    common = set.intersection(*(set(pasts[s].times) for s in stress.instruments))
    aligned = [pasts[s].at(common) for s in stress.instruments]
    closes = [past.mark_closes for past in aligned]
    opens = [past.opens for past in aligned]
    mark_opens = [past.mark_opens for past in aligned]

    def left(prices: Sequence[Sequence[int]]) -> Flags:
        kept = max(0, len(common) - step)
        return _outside(stress, [c[:kept] for c in closes], [p[step:] for p in prices])

    found = []
    outside = np.zeros(len(common), dtype=np.bool_)
    for step in range(1, stress.horizon + 1):
        outside = outside[: max(0, len(common) - step)] | left(opens) | left(mark_opens)
        found.append((len(outside), int(outside.sum())))
        outside |= left(closes)
    return found


def _outside(
    stress: Stress, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> Flags:
    """Whether each move from ``before`` to ``after`` leaves the set; one list an instrument."""
    room = np.min(list(_rooms(stress, before, after)), axis=0)
    outside: Flags = room < 0
    for row in np.flatnonzero(np.abs(room) < NEAR).tolist():
        first, then = (
            {s: column[row] for s, column in zip(stress.instruments, prices, strict=True)}
            for prices in (before, after)
        )
        outside[row] = stress.outside(stress.moves(first, then)) is not None
    return outside


def _rooms(
    stress: Stress, before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]
) -> Iterator[Floats]:
    """How far each move is from each edge of the set, in 1/SCALE; negative outside it."""
    starts, ends = np.array(before, dtype=np.float64), np.array(after, dtype=np.float64)
    move = dict(zip(stress.instruments, (ends - starts) * SCALE / starts, strict=True))
    boxes = dict(zip(stress.instruments, stress.box, strict=False))
    for symbol, (low, high) in boxes.items():
        yield np.minimum(move[symbol] - low, high - move[symbol])
    for number, factor in enumerate(stress.factors, len(boxes)):
        basket = _sum(move, factor.weights)
        low, high = stress.box[number]
        yield np.minimum(basket - low, high - basket)
        for symbol, beta in factor.betas.items():
            yield factor.residuals[symbol] - abs(move[symbol] - beta / BETA_UNIT * basket)
    for tie in stress.ties:
        parted = move[tie.first] - move[tie.second]
        yield np.minimum(parted - tie.low, tie.high - parted)
    for budget in stress.budgets:
        yield budget.most - np.sum([_used(move[s], *boxes[s]) for s in budget.of], axis=0)
    for combination in stress.combinations:
        yield combination.most - _sum(move, combination.weights)


def _sum(move: Mapping[str, Floats], weights: Mapping[str, Fraction]) -> Floats:
    total: Floats = np.sum([float(w) * move[s] for s, w in weights.items()], axis=0)
    return total


def _used(move: Floats, low: int, high: int) -> Floats:
    """See ``budget.used``; a move towards an edge of 0 leaves the box, whatever this says."""
    edge = np.where(move > 0, float(high), float(low))
    return move * SCALE / np.where(edge == 0, 1.0, edge)
