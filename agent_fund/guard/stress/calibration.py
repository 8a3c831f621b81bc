"""Calibration: the box is a declared multiple of the worst move of the true horizon.

The multiple is fixed beforehand and the calibration window ends before the test window begins.
The horizon is the whole way out: from the decision at a close, over every open and close, to the
open at which the last exit fills. A move is that of the mark price, or of the last price at an
open, where orders fill, each relative to the mark at the decision. All arithmetic is exact; moves
round outward. A mandate may declare boxes of its own beside the calibrated ones, or for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.assumptions import Pricing
from agent_fund.guard.stress.budget import Budget, BudgetRule, Combination
from agent_fund.guard.stress.declared import Declared
from agent_fund.guard.stress.excursions import LARGEST, Moves, Past, excursions, worst_use
from agent_fund.guard.stress.factor import BETA_UNIT, Factor
from agent_fund.guard.stress.losses import resolve_losses
from agent_fund.guard.stress.stress_set import EXPECTED, NO_PRICING, Stress
from agent_fund.guard.stress.tie import Tie

_CHUNK = 1 << 14  # products of moves below 2**24 summed so many at a time stay inside 64 bits
NOTHING = Declared({}, "")


@dataclass(frozen=True)
class Calibration:
    """How a stress set is to be made from past prices.

    Attributes:
        multiple: of the worst move seen; at least 1 unless the user insists on a smaller set. None:
            nothing is calibrated, all is declared.
        factors: baskets by name; weights are shares summing to 1.
        horizon: opens covered, or None to take the way out that the run file implies.
        basis: by instrument, the one whose moves it follows; the box of the first is that of the
            second and the basis together, so that a young perpetual has its coin's history.
        basis_multiple: of the worst move of a basis; ``multiple`` if None.
        lose: venues, chains and issuers of which any one may fail; see ``resolve_losses``.
        declared: boxes that are taken as they are stated.
        budgets, combinations: what bounds moves taken together.
        expected: share of windows that may lie outside, for the reports' tests.
        pricing: what is assumed of options, futures and pool shares.
    """

    multiple: Fraction | None
    factors: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    horizon: int | None = None
    basis: Mapping[str, str] = field(default_factory=dict)
    basis_multiple: Fraction | None = None
    lose: tuple[str, ...] = ()
    declared: Declared = NOTHING
    budgets: tuple[BudgetRule, ...] = ()
    combinations: tuple[Combination, ...] = ()
    expected: Fraction = EXPECTED
    pricing: Pricing = NO_PRICING

    def __post_init__(self) -> None:
        stated = self.declared.boxes
        baskets = {s for weights in self.factors.values() for s in weights}
        if both := sorted({s for s in baskets if self.basis.get(s, s) in stated}):
            fix = (
                "no basket holds what is declared, or follows it: history would bound it after all"
            )
            raise DomainError("stress set", both, fix)
        if both := sorted(set(self.basis) & set(stated)):
            raise DomainError("stress set", both, "declare its box, or let it follow, not both")

    def resolve(
        self,
        past: Mapping[str, Past],
        horizon: int,
        window: str = "the window given",
        venues: Sequence[str] = (),
        chains: Sequence[str] = (),
        issuers: Sequence[str] = (),
    ) -> Stress:
        """The stress set for the bars of ``past``, by symbol; each on its own history.

        Args:
            window: the calibration window in words, for the record.
            venues, chains, issuers: those of the run, by name.

        Raises:
            DomainError: if a history is shorter than the horizon, or a name is unknown.
        """
        instruments = tuple(past)
        named = {*self.basis, *self.basis.values(), *(s for w in self.factors.values() for s in w)}
        named |= {*self.declared.boxes, *(s for b in self.budgets for s in b.of)}
        named |= {s for c in self.combinations for s in c.weights}
        if unknown := sorted(named - set(instruments)):
            known = ", ".join(instruments)
            raise DomainError("stress set", unknown, f"instruments are: {known}")
        box = dict(self.declared.boxes)
        for symbol in instruments:
            if symbol not in self.basis and symbol not in box:
                moves = excursions(past[symbol], horizon, symbol)
                low, high = _outward(moves, self._times(symbol))
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
        all_in = dict(zip(instruments, intervals, strict=True))
        return Stress(
            instruments,
            (*intervals, *boxes),
            factors,
            horizon,
            self._origin(horizon, window),
            tuple(_wider(tie, carry) for tie in ties.values()),
            carry,
            resolve_losses(self.lose, venues, chains, issuers),
            budgets=tuple(self._budget(b, past, horizon, all_in, carry) for b in self.budgets),
            combinations=self.combinations,
            expected=self.expected,
            pricing=self.pricing,
        )

    def _origin(self, horizon: int, window: str) -> str:
        calibrated = ""
        if self.multiple is not None:
            basis = f", of a basis {self._basis_multiple} times" if self.basis else ""
            calibrated = (
                f"{self.multiple} times the worst move of {horizon} opens in {window}{basis}"
            )
        return "; ".join(filter(None, (calibrated, self.declared.words)))

    def _times(self, what: str) -> Fraction:
        """The multiple, for ``what`` is not declared."""
        if self.multiple is None:
            fix = "it is not declared, and declared(...) calibrates nothing: declare it too"
            raise DomainError("stress set", what, fix)
        return self.multiple

    @property
    def _basis_multiple(self) -> Fraction:
        return self._times("basis") if self.basis_multiple is None else self.basis_multiple

    def _budget(
        self,
        rule: BudgetRule,
        past: Mapping[str, Past],
        horizon: int,
        boxes: Mapping[str, tuple[int, int]],
        carry: Mapping[str, tuple[int, int]],
    ) -> Budget:
        if rule.most is not None:
            return rule.resolve(0)
        times = self._times(f"budget of {', '.join(rule.of)}")
        common = set.intersection(*(set(past[s].times) for s in rule.of))
        paths = {s: excursions(past[s].at(common), horizon, s) for s in rule.of}
        return rule.resolve(worst_use(paths, boxes, carry, times))

    def _tie(self, symbol: str, other: str, past: Mapping[str, Past], horizon: int) -> Tie:
        """How far the two parted, where both have bars."""
        common = set(past[symbol].times) & set(past[other].times)
        pair = (past[symbol].at(common), past[other].at(common))
        first, second = (
            excursions(p, horizon, s) for p, s in zip(pair, (symbol, other), strict=True)
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
        # History would tie what is declared, and what follows it, to a basket that it left.
        free = [s for s in instruments if self.basis.get(s, s) not in self.declared.boxes]
        common = set.intersection(*(set(past[s].times) for s in free))
        paths = {s: excursions(past[s].at(common), horizon, s) for s in free}
        factors: list[Factor] = []
        boxes: list[tuple[int, int]] = []
        for name, weights in self.factors.items():
            basket = _basket(paths, weights)
            # Rounded moves weigh in with either sign, so the basket's own rounding is bounded here.
            slack = _ceil(sum(map(abs, weights.values()), Fraction(0)))
            funding = _ceil(
                sum((w * max(carry.get(s, (0,))) for s, w in weights.items()), Fraction())
            )
            low, high = _outward(basket, self._times(name), slack)
            boxes.append((max(-SCALE, low - funding), high + funding))
            betas = {s: _beta(paths[s], basket) for s in free}
            residuals = {
                s: self._residual(paths[s], basket, betas[s], slack)
                + max(carry.get(s, (0,)))
                + _ceil(Fraction(abs(betas[s]) * funding, BETA_UNIT))
                for s in free
            }
            factors.append(Factor(name, dict(weights), betas, residuals))
        return tuple(factors), boxes

    def _residual(self, moves: Moves, basket: Moves, beta: int, slack: int) -> int:
        times = self._times("factors")
        worst = int(np.abs(moves * BETA_UNIT - beta * basket).max())
        # The exact move is less than 1 from its rounding, the basket's less than slack + 1.
        worst += BETA_UNIT + abs(beta) * (slack + 1)
        return _ceil(Fraction(worst, BETA_UNIT) * times)


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


def _basket(paths: Mapping[str, Moves], weights: Mapping[str, Fraction]) -> Moves:
    """The basket's moves, rounded away from zero."""
    unit = math.lcm(*(weight.denominator for weight in weights.values()))
    if unit * LARGEST * len(weights) >= 1 << 63:
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
