"""How far prices went within a horizon, from every close of a history: what calibration measures.

Moves are integers in 1/SCALE, each rounded away from zero, so that what is made of them is never
too small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.budget import used

Moves = npt.NDArray[np.int64]
LARGEST = 1 << 24


@dataclass(frozen=True)
class Past:
    """One instrument's bars before the test window, oldest first; lists of one length.

    Attributes:
        times: close times. opens: last prices, at which orders fill.
        mark_opens, mark_closes: what positions are valued at; of spot the last prices.
        funding: the largest share of notional that one funding can move, by the venue's rule; 0
            for spot. ``fundings``: how many can fall into one horizon.
    """

    times: Sequence[int]
    opens: Sequence[int]
    mark_opens: Sequence[int]
    mark_closes: Sequence[int]
    funding: Fraction = Fraction(0)
    fundings: int = 0

    def at(self, times: set[int]) -> Past:
        """The bars that close at one of ``times``."""
        kept = [row for row, time in enumerate(self.times) if time in times]

        def rows(column: Sequence[int]) -> list[int]:
            return [column[row] for row in kept]

        opens, mark_opens, mark_closes = self.opens, self.mark_opens, self.mark_closes
        return Past(rows(self.times), rows(opens), rows(mark_opens), rows(mark_closes))


def excursions(past: Past, horizon: int, symbol: str) -> Moves:
    """Moves from each close to every open and close up to the horizon's last open, in 1/SCALE.

    Each is rounded away from zero, so that the box made of them is never too small. For each
    number of steps: of the last price at the open, of the mark at the open, of the mark at the
    close. The horizon ends at its last open; the close of that bar is beyond it.
    """
    bars = len(past.times)
    if bars <= horizon + 1:
        fix = f"give it more than the {horizon} of the way out"
        raise DomainError(f"calibration window of {symbol}", f"{bars} bars", fix)
    starts = past.mark_closes[: bars - horizon]
    columns = []
    for step in range(1, horizon + 1):
        later = [past.opens, past.mark_opens] + ([past.mark_closes] if step < horizon else [])
        columns += [_moved(starts, prices[step : step + len(starts)]) for prices in later]
    moves = np.concatenate(columns)
    if int(np.abs(moves).max()) >= LARGEST:
        fix = f"it rose more than {LARGEST // SCALE}-fold within the horizon: check the data"
        raise DomainError(f"calibration window of {symbol}", int(moves.max()), fix)
    return moves


def _moved(before: Sequence[int], after: Sequence[int]) -> Moves:
    moves = [
        -((base - price) * SCALE // base) if price >= base else (price - base) * SCALE // base
        for base, price in zip(before, after, strict=True)
    ]
    return np.array(moves, dtype=np.int64)


def worst_use(
    paths: Mapping[str, Moves],
    boxes: Mapping[str, tuple[int, int]],
    carry: Mapping[str, tuple[int, int]],
    multiple: Fraction,
) -> int:
    """``multiple`` times the largest use at once, and all funding on top, in 1/SCALE, rounded up.

    Uses are sublinear: that of a multiple is the multiple of the use, that of a move with funding
    is at most the use of each.

    Args:
        paths: moves at the same times, by instrument, rounded away from zero.
    """
    together = np.zeros(1, dtype=np.int64)
    funding = Fraction(0)
    for symbol, moves in paths.items():
        low, high = boxes[symbol]
        edges = np.where(moves > 0, high, -low)
        exact = np.where(edges > 0, -(-np.abs(moves) * SCALE // np.maximum(edges, 1)), SCALE)
        together = together + np.where(moves == 0, 0, np.minimum(exact, SCALE))
        paid, received = carry.get(symbol, (0, 0))
        funding += max(used(Fraction(-paid), (low, high)), used(Fraction(received), (low, high)))
    whole = multiple * int(together.max()) + funding
    return max(SCALE, min(len(paths) * SCALE, -(-whole.numerator // whole.denominator)))
