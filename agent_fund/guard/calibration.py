"""Calibration: the box is a declared multiple of the worst move of the true horizon.

The multiple is fixed beforehand and the calibration window ends before the test window begins.
The horizon is the whole way out: from the decision at a close, over every open and close, to the
open at which the last exit fills. A move is that of the mark price, or of the last price at an
open, where orders fill, each relative to the mark at the decision. All arithmetic is exact; moves
round outward.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress import BETA_UNIT, Factor, Stress, Tie

Moves = npt.NDArray[np.int64]
_CHUNK = 1 << 14  # products of moves below 2**24 summed so many at a time stay inside 64 bits
_LARGEST = 1 << 24


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


@dataclass(frozen=True)
class Calibration:
    """How a stress set is to be made from past prices.

    Attributes:
        multiple: of the worst move seen; at least 1 unless the user insists on a smaller set.
        factors: baskets by name; weights are shares summing to 1.
        horizon: opens covered, or None to take the way out that the run file implies.
        basis: by instrument, the one whose moves it follows; the box of the first is that of the
            second and the basis together, so that a young perpetual has its coin's history.
        basis_multiple: of the worst move of a basis; ``multiple`` if None.
        lose: venues of which any one may fail, by name; ``"any"``: every venue of the run.
    """

    multiple: Fraction
    factors: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    horizon: int | None = None
    basis: Mapping[str, str] = field(default_factory=dict)
    basis_multiple: Fraction | None = None
    lose: tuple[str, ...] = ()

    def resolve(
        self,
        past: Mapping[str, Past],
        horizon: int,
        window: str = "the window given",
        venues: Sequence[str] = (),
    ) -> Stress:
        """The stress set for the bars of ``past``, by symbol; each on its own history.

        Args:
            window: the calibration window in words, for the record.
            venues: the run's venues, by name.

        Raises:
            DomainError: if a history is shorter than the horizon, or a name is unknown.
        """
        instruments = tuple(past)
        named = {*self.basis, *self.basis.values(), *(s for w in self.factors.values() for s in w)}
        if unknown := sorted(named - set(instruments)):
            known = ", ".join(instruments)
            raise DomainError("stress set", unknown, f"instruments are: {known}")
        box: dict[str, tuple[int, int]] = {}
        for symbol in sorted(instruments, key=self.basis.__contains__):
            if symbol not in self.basis:
                moves = _excursions(past[symbol], horizon, symbol)
                low, high = _outward(moves, self.multiple)
                box[symbol] = max(-SCALE, low), high  # a price cannot fall by more than all of it
        ties = {s: self._tie(s, other, past, horizon) for s, other in self.basis.items()}
        for symbol, tie in ties.items():
            if tie.second in self.basis:
                raise DomainError(
                    "basis", tie.second, "an instrument follows one that follows none"
                )
            low, high = box[tie.second]
            box[symbol] = max(-SCALE, low + tie.low), high + tie.high
        carry = {s: _carry(past[s], box[s][1]) for s in instruments if past[s].fundings}
        factors, boxes = self._factors(instruments, past, horizon, carry)
        intervals = [_all_in(s, box[s], carry) for s in instruments]
        lost = tuple(venues) if self.lose == ("any",) else self.lose
        if unknown := sorted(set(lost) - set(venues)):
            raise DomainError("lost venue", unknown, f"venues are: {', '.join(venues)}")
        basis = "" if not ties else f", of a basis {self._basis_multiple} times"
        origin = f"{self.multiple} times the worst move of {horizon} opens in {window}{basis}"
        return Stress(
            instruments,
            (*intervals, *boxes),
            factors,
            horizon,
            origin,
            tuple(_wider(tie, carry) for tie in ties.values()),
            carry,
            lost,
        )

    @property
    def _basis_multiple(self) -> Fraction:
        return self.multiple if self.basis_multiple is None else self.basis_multiple

    def _tie(self, symbol: str, other: str, past: Mapping[str, Past], horizon: int) -> Tie:
        """How far the two parted, where both have bars."""
        common = set(past[symbol].times) & set(past[other].times)
        pair = (past[symbol].at(common), past[other].at(common))
        first, second = (
            _excursions(p, horizon, s) for p, s in zip(pair, (symbol, other), strict=True)
        )
        # Each move was rounded by less than 1, so the difference is known to 2.
        return Tie(symbol, other, *_outward(first - second, self._basis_multiple, 2))

    def _factors(
        self,
        instruments: Sequence[str],
        past: Mapping[str, Past],
        horizon: int,
        carry: Mapping[str, tuple[int, int]],
    ) -> tuple[tuple[Factor, ...], list[tuple[int, int]]]:
        if not self.factors:
            return (), []
        common = set.intersection(*(set(past[s].times) for s in instruments))
        paths = {s: _excursions(past[s].at(common), horizon, s) for s in instruments}
        factors: list[Factor] = []
        boxes: list[tuple[int, int]] = []
        for name, weights in self.factors.items():
            basket = _basket(paths, weights)
            # Rounded moves weigh in with either sign, so the basket's own rounding is bounded here.
            slack = _ceil(sum(map(abs, weights.values()), Fraction(0)))
            funding = _ceil(
                sum((w * max(carry.get(s, (0,))) for s, w in weights.items()), Fraction())
            )
            low, high = _outward(basket, self.multiple, slack)
            boxes.append((max(-SCALE, low - funding), high + funding))
            betas = {s: _beta(paths[s], basket) for s in instruments}
            residuals = {
                s: self._residual(paths[s], basket, betas[s], slack)
                + max(carry.get(s, (0,)))
                + _ceil(Fraction(abs(betas[s]) * funding, BETA_UNIT))
                for s in instruments
            }
            factors.append(Factor(name, dict(weights), betas, residuals))
        return tuple(factors), boxes

    def _residual(self, moves: Moves, basket: Moves, beta: int, slack: int) -> int:
        worst = int(np.abs(moves * BETA_UNIT - beta * basket).max())
        # The exact move is less than 1 from its rounding, the basket's less than slack + 1.
        worst += BETA_UNIT + abs(beta) * (slack + 1)
        return _ceil(Fraction(worst, BETA_UNIT) * self.multiple)


def _outward(moves: Moves, multiple: Fraction, slack: int = 0) -> tuple[int, int]:
    """``multiple`` of the worst move either way, rounded outward."""
    low, high = min(0, int(moves.min())) - slack, max(0, int(moves.max())) + slack
    return -_ceil(-low * multiple), _ceil(high * multiple)


def _carry(past: Past, high: int) -> tuple[int, int]:
    """The most that funding over the horizon can take or bring, at the highest price of the box."""
    worst = _ceil(past.funding * past.fundings * (SCALE + high))
    return worst, worst


def _all_in(
    symbol: str, box: tuple[int, int], carry: Mapping[str, tuple[int, int]]
) -> tuple[int, int]:
    paid, received = carry.get(symbol, (0, 0))
    low, high = box[0] - paid, box[1] + received
    if low < -SCALE:
        if not paid:
            return -SCALE, high
        fix = "with its funding it passes -100%: choose a smaller multiple"
        raise DomainError(f"stress box of {symbol}", box[0], fix)
    return low, high


def _wider(tie: Tie, carry: Mapping[str, tuple[int, int]]) -> Tie:
    """The tie of the all-in returns: each side's funding comes on top."""
    (paid, received), (gives, takes) = carry.get(tie.first, (0, 0)), carry.get(tie.second, (0, 0))
    return Tie(tie.first, tie.second, tie.low - paid - takes, tie.high + received + gives)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _excursions(past: Past, horizon: int, symbol: str) -> Moves:
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
    if int(np.abs(moves).max()) >= _LARGEST:
        fix = f"it rose more than {_LARGEST // SCALE}-fold within the horizon: check the data"
        raise DomainError(f"calibration window of {symbol}", int(moves.max()), fix)
    return moves


def _moved(before: Sequence[int], after: Sequence[int]) -> Moves:
    moves = [
        -((base - price) * SCALE // base) if price >= base else (price - base) * SCALE // base
        for base, price in zip(before, after, strict=True)
    ]
    return np.array(moves, dtype=np.int64)


def _basket(paths: Mapping[str, Moves], weights: Mapping[str, Fraction]) -> Moves:
    """The basket's moves, rounded away from zero."""
    unit = math.lcm(*(weight.denominator for weight in weights.values()))
    if unit * _LARGEST * len(weights) >= 1 << 63:
        raise DomainError("weights of a factor", unit, "write shares with fewer decimals")
    total = sum(int(weight * unit) * paths[symbol] for symbol, weight in weights.items())
    rounded: Moves = np.sign(total) * -(-np.abs(total) // unit)
    return rounded


def _beta(moves: Moves, basket: Moves) -> int:
    """Least-squares loading through the origin, in 1/BETA_UNIT, by exact integer sums."""
    square = _dot(basket, basket)
    return round(Fraction(BETA_UNIT * _dot(moves, basket), square)) if square else 0


def _dot(first: Moves, second: Moves) -> int:
    """The sum of products, in 64 bits a chunk at a time, then in whole integers."""
    return sum(
        int(np.dot(first[start : start + _CHUNK], second[start : start + _CHUNK]))
        for start in range(0, len(first), _CHUNK)
    )
