"""A declared stress set by names: instruments' all-in returns, factors, and the rows that tie them.

Drivers are the instruments' all-in returns relative to decision prices, then the factors'
returns. The all-in return of a perpetual is its price move, of mark and last price alike, less the
funding that a long has paid since the decision; of spot it is the price move alone. A factor is a
stated basket of the instruments, so its value is observed, not modelled. A tie bounds how far two
instruments can part, a budget how much of their boxes several use at once, a combination a stated
sum of moves. What an instrument under a budget uses of its box is one more driver, after the
factors. Resolved sets are exact integers; the kernel's StressSet is built from nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ratio
from agent_fund.guard.kernel.form import SCALE, Row, StressSet
from agent_fund.guard.pricing.assumptions import Pricing
from agent_fund.guard.stress.budget import Budget, Combination, use_rows, used
from agent_fund.guard.stress.factor import BETA_UNIT, Factor
from agent_fund.guard.stress.losses import Loss
from agent_fund.guard.stress.tie import Tie

EXPECTED = Fraction(1, 1000)
NO_PRICING = Pricing()


@dataclass(frozen=True)
class Stress:
    """Every market against which the mandate's loss limits are proved.

    Attributes:
        instruments: symbols, in driver order.
        box: (low, high) of each driver in 1/SCALE; instruments first, then factors.
        factors: the factors, in driver order.
        horizon: number of bar opens after the decision that the set covers.
        origin: where the numbers come from, in words; recorded, never evaluated.
        ties: the bases that the set bounds.
        carry: by perpetual, the most that funding can take from a long's return over the horizon
            and the most that it can add: a share of the decision's price, in 1/SCALE, not negative.
        lost: venues, chains and issuers of which any one may fail, as ``Loss`` writes them.
        pricing: what is assumed of options, futures and pool shares.
        budgets, combinations: what bounds moves taken together.
        expected: share of the windows of any horizon that the mandate expects outside the box of
            an instrument. Reports test it; the guard makes no use of it.
    """

    instruments: tuple[str, ...]
    box: tuple[tuple[int, int], ...]
    factors: tuple[Factor, ...]
    horizon: int
    origin: str = ""
    ties: tuple[Tie, ...] = ()
    carry: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    pricing: Pricing = NO_PRICING
    budgets: tuple[Budget, ...] = ()
    combinations: tuple[Combination, ...] = ()
    expected: Fraction = EXPECTED

    def __post_init__(self) -> None:
        if len(self.box) != len(self.instruments) + len(self.factors):
            raise DomainError("stress box", len(self.box), "give one interval a driver")
        for symbol, (paid, received) in self.carry.items():
            self.driver(symbol)
            if min(paid, received) < 0:
                raise DomainError(f"carry of {symbol}", (paid, received), "write bounds from 0 on")
        for loss in self.lost:
            if str(Loss.parse(loss)) != loss:
                raise DomainError("lost", loss, f"write {Loss.parse(loss)}")
        if not 0 < self.expected < 1:
            raise DomainError("expected", str(self.expected), "write a share between 0% and 100%")
        self.kernel  # noqa: B018  (built once here, so that a set without no-move is refused)

    def price_box(self, symbol: str) -> tuple[int, int]:
        """Every price move in the set, whatever funding took or brought, in 1/SCALE."""
        low, high = self.box[self.driver(symbol)]
        paid, received = self.carry.get(symbol, (0, 0))
        return max(-SCALE, low - received), high + paid

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """The instruments whose use of their box is a driver, in the order of these drivers."""
        named = {symbol for budget in self.budgets for symbol in budget.of}
        return tuple(sorted(named, key=self.driver))

    @cached_property
    def kernel(self) -> StressSet:
        """The set as the kernel reads it."""
        rows: list[Row] = []
        count = len(self.box)
        for number, factor in enumerate(self.factors):
            column = len(self.instruments) + number
            unit = math.lcm(*(weight.denominator for weight in factor.weights.values()))
            definition = [0] * count
            definition[column] = unit
            for symbol, weight in factor.weights.items():
                definition[self.driver(symbol)] -= int(weight * unit)
            rows.append(Row.dense(tuple(definition), 0))
            rows.append(Row.dense(tuple(-c for c in definition), 0))
            # In driver order, not in the mapping's: the order of rows is part of every proof.
            for symbol in filter(factor.betas.__contains__, self.instruments):
                beta = factor.betas[symbol]
                tie = [0] * count
                tie[self.driver(symbol)] = BETA_UNIT
                tie[column] = -beta
                bound = factor.residuals[symbol] * BETA_UNIT
                rows.append(Row.dense(tuple(tie), bound))
                rows.append(Row.dense(tuple(-c for c in tie), bound))
        for basis in self.ties:
            part = [0] * count
            part[self.driver(basis.first)], part[self.driver(basis.second)] = 1, -1
            rows.append(Row.dense(tuple(part), basis.high))
            rows.append(Row.dense(tuple(-c for c in part), -basis.low))
        uses = {symbol: count + number for number, symbol in enumerate(self.watched)}
        for symbol, use in uses.items():
            driver = self.driver(symbol)
            rows += use_rows(driver, use, self.box[driver])
        for budget in self.budgets:
            rows.append(Row(tuple(sorted((uses[s], 1) for s in budget.of)), budget.most))
        rows += [combination.row(self.driver) for combination in self.combinations]
        return StressSet((*self.box, *[(0, SCALE)] * len(uses)), tuple(rows))

    def driver(self, symbol: str) -> int:
        """The number of the driver that moves ``symbol``."""
        column = self._columns.get(symbol)
        if column is None:
            known = ", ".join(self.instruments)
            raise DomainError("instrument", symbol, f"the stress set knows: {known}")
        return column

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {symbol: column for column, symbol in enumerate(self.instruments)}

    def moves(
        self, before: Mapping[str, int], after: Mapping[str, int | Fraction]
    ) -> tuple[Fraction, ...]:
        """Every driver's move from prices ``before`` to ``after``, exactly, in 1/SCALE.

        Args:
            after: price units, less the funding that one unit held long has paid since ``before``.
        """
        moves = [Fraction((after[s] - before[s]) * SCALE) / before[s] for s in self.instruments]
        for factor in self.factors:
            moves.append(
                sum((w * moves[self.driver(s)] for s, w in factor.weights.items()), Fraction(0))
            )
        moves += [self._used(symbol, moves) for symbol in self.watched]
        return tuple(moves)

    def _used(self, symbol: str, moves: Sequence[Fraction]) -> Fraction:
        driver = self.driver(symbol)
        return used(moves[driver], self.box[driver])

    def outside(self, moves: Sequence[Fraction], only: Collection[str] | None = None) -> str | None:
        """What of ``moves`` leaves the set, in words; None if all lies inside.

        Args:
            only: instruments that matter; a factor, a tie, a budget and a combination matter with
                any of theirs. None: all.
        """
        drivers = [(s, {s}) for s in self.instruments]
        drivers += [(f.name, set(f.weights)) for f in self.factors]
        declared = moves[: len(self.box)]
        for (name, concerns), move, (low, high) in zip(drivers, declared, self.box, strict=True):
            if only is not None and concerns.isdisjoint(only):
                continue
            if not low <= move <= high:
                return f"{name} moved {percent(move)}, declared {percent(low)} to {percent(high)}"
        for number, factor in enumerate(self.factors):
            basket = moves[len(self.instruments) + number]
            for symbol in filter(factor.betas.__contains__, self.instruments):
                beta = factor.betas[symbol]
                residual = moves[self.driver(symbol)] - Fraction(beta, BETA_UNIT) * basket
                if (only is None or symbol in only) and abs(residual) > factor.residuals[symbol]:
                    return (
                        f"{symbol} moved {percent(residual)} against {factor.name}, "
                        f"declared {percent(factor.residuals[symbol])} at most"
                    )
        for basis in self.ties:
            if only is not None and {basis.first, basis.second}.isdisjoint(only):
                continue
            parted = moves[self.driver(basis.first)] - moves[self.driver(basis.second)]
            if not basis.low <= parted <= basis.high:
                return (
                    f"{basis.first} moved {percent(parted)} against {basis.second}, "
                    f"declared {percent(basis.low)} to {percent(basis.high)}"
                )
        return self._together(moves, only)

    def _together(self, moves: Sequence[Fraction], only: Collection[str] | None) -> str | None:
        """The budget or the combination that ``moves`` break, in words."""
        for budget in self.budgets:
            total = sum((self._used(symbol, moves) for symbol in budget.of), Fraction(0))
            if total > budget.most and (only is None or not set(budget.of).isdisjoint(only)):
                share, most = (percent(part).removeprefix("+") for part in (total, budget.most))
                names = ", ".join(budget.of)
                return f"{names} used {share} of a box together, declared {most} at most"
        for combination in self.combinations:
            value = combination.value(lambda symbol: moves[self.driver(symbol)])
            concerned = only is None or not set(combination.weights).isdisjoint(only)
            if value > combination.most and concerned:
                most = percent(combination.most)
                return f"{combination.name} reached {percent(value)}, declared {most} at most"
        return None

    def to_json(self) -> dict[str, Any]:
        """The set as canonical JSON values; what few sets have is left out of the others."""
        return {
            "instruments": list(self.instruments),
            "box": [[low, high] for low, high in self.box],
            "horizon": self.horizon,
            "origin": self.origin,
            "factors": [
                {
                    "name": f.name,
                    "weights": {s: str(w) for s, w in f.weights.items()},
                    "betas": dict(f.betas),
                    "residuals": dict(f.residuals),
                }
                for f in self.factors
            ],
            "ties": [[t.first, t.second, t.low, t.high] for t in self.ties],
            "carry": {s: list(bounds) for s, bounds in sorted(self.carry.items())},
            "lost": list(self.lost),
            **({} if self.pricing == NO_PRICING else {"pricing": self.pricing.to_json()}),
            **({"budgets": [b.to_json() for b in self.budgets]} if self.budgets else {}),
            **(
                {"combinations": [c.to_json() for c in self.combinations]}
                if self.combinations
                else {}
            ),
            **({} if self.expected == EXPECTED else {"expected": str(self.expected)}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Stress:
        """The set that ``to_json`` wrote."""
        return cls(
            tuple(value["instruments"]),
            tuple((low, high) for low, high in value["box"]),
            tuple(
                Factor(
                    f["name"],
                    {s: ratio(w) for s, w in f["weights"].items()},
                    f["betas"],
                    f["residuals"],
                )
                for f in value["factors"]
            ),
            value["horizon"],
            value["origin"],
            tuple(Tie(*tie) for tie in value["ties"]),
            {s: (paid, received) for s, (paid, received) in value["carry"].items()},
            tuple(value["lost"]),
            Pricing.from_json(value["pricing"]) if "pricing" in value else NO_PRICING,
            tuple(map(Budget.from_json, value.get("budgets", ()))),
            tuple(map(Combination.from_json, value.get("combinations", ()))),
            ratio(value.get("expected", EXPECTED)),
        )


def percent(move: Fraction | int) -> str:
    """A move in 1/SCALE as people read it, e.g. ``-12.42%``."""
    hundredths = round(Fraction(move) * 10_000 / SCALE)
    sign = "-" if hundredths < 0 else "+"
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}%"
