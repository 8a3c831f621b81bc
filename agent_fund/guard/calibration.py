"""Calibration: the box is a declared multiple of the worst move of the true horizon.

The multiple is fixed beforehand and the calibration window ends before the test window begins.
The horizon is the whole way out: from the decision at a close, over every open and close, to the
open at which the last exit fills. All arithmetic is exact; moves round outward.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress import BETA_UNIT, Factor, Stress


@dataclass(frozen=True)
class Calibration:
    """How a stress set is to be made from past prices.

    Attributes:
        multiple: of the worst move seen; at least 1 unless the user insists on a smaller set.
        factors: baskets by name; weights are shares summing to 1.
        horizon: opens covered, or None to take the way out that the run file implies.
    """

    multiple: Fraction
    factors: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    horizon: int | None = None

    def resolve(
        self,
        opens: Mapping[str, Sequence[int]],
        closes: Mapping[str, Sequence[int]],
        horizon: int,
        window: str = "the window given",
    ) -> Stress:
        """The stress set for ``opens`` and ``closes``, synchronous prices by symbol, oldest first.

        Args:
            window: the calibration window in words, for the record.

        Raises:
            DomainError: if the window is shorter than the horizon.
        """
        instruments = tuple(opens)
        bars = len(next(iter(opens.values())))
        if bars <= horizon + 1:
            raise DomainError(
                "calibration window", f"{bars} bars", f"give it more than the {horizon} of the way"
            )
        paths = {s: _excursions(opens[s], closes[s], horizon) for s in instruments}
        box = [self._box(paths[s]) for s in instruments]
        factors: list[Factor] = []
        for name, weights in self.factors.items():
            unknown = set(weights) - set(instruments)
            if unknown:
                known = ", ".join(instruments)
                raise DomainError(f"factor {name}", sorted(unknown), f"instruments are: {known}")
            basket = _basket(paths, weights)
            # Rounded moves weigh in with either sign, so the basket's own rounding is bounded here.
            slack = _ceil(sum(map(abs, weights.values()), Fraction(0)))
            box.append(self._box(basket, slack))
            betas = {s: _beta(paths[s], basket) for s in instruments}
            residuals = {s: self._residual(paths[s], basket, betas[s], slack) for s in instruments}
            factors.append(Factor(name, dict(weights), betas, residuals))
        origin = f"{self.multiple} times the worst move of {horizon} opens in {window}"
        return Stress(instruments, tuple(box), tuple(factors), horizon, origin)

    def _box(self, moves: Sequence[int], slack: int = 0) -> tuple[int, int]:
        low, high = min(0, *moves) - slack, max(0, *moves) + slack
        # -(-x // 1) rounds outward; a spot price cannot fall by more than all of it.
        return max(-SCALE, -_ceil(-low * self.multiple)), _ceil(high * self.multiple)

    def _residual(self, moves: Sequence[int], basket: Sequence[int], beta: int, slack: int) -> int:
        worst = max(abs(m * BETA_UNIT - beta * f) for m, f in zip(moves, basket, strict=True))
        # The exact move is less than 1 from its rounding, the basket's less than slack + 1.
        worst += BETA_UNIT + abs(beta) * (slack + 1)
        return _ceil(Fraction(worst, BETA_UNIT) * self.multiple)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _excursions(opens: Sequence[int], closes: Sequence[int], horizon: int) -> list[int]:
    """Moves from each close to every open and close up to the horizon's last open, in 1/SCALE.

    Each is rounded away from zero, so that the box made of them is never too small.
    """
    moves: list[int] = []
    for start in range(len(closes) - horizon):
        base = closes[start]
        for step in range(1, horizon + 1):
            moves.append(_away(opens[start + step] - base, base))
            # The horizon ends at its last open; the close of that bar is beyond it.
            moves.append(_away(closes[start + step] - base, base) if step < horizon else 0)
    return moves


def _away(change: int, base: int) -> int:
    scaled = abs(change) * SCALE
    magnitude = -(-scaled // base)
    return magnitude if change >= 0 else -magnitude


def _basket(paths: Mapping[str, Sequence[int]], weights: Mapping[str, Fraction]) -> list[int]:
    columns = [(paths[s], w) for s, w in weights.items()]
    unit = math.lcm(*(weight.denominator for _, weight in columns))
    shares = [int(w * unit) for _, w in columns]
    result: list[int] = []
    for row in zip(*(moves for moves, _ in columns), strict=True):
        total = sum(share * move for share, move in zip(shares, row, strict=True))
        magnitude = -(-abs(total) // unit)
        result.append(magnitude if total >= 0 else -magnitude)
    return result


def _beta(moves: Sequence[int], basket: Sequence[int]) -> int:
    """Least-squares loading through the origin, in 1/BETA_UNIT, by exact integer sums."""
    cross = sum(m * f for m, f in zip(moves, basket, strict=True))
    square = sum(f * f for f in basket)
    return round(Fraction(BETA_UNIT * cross, square)) if square else 0
