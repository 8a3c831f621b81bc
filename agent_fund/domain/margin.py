"""Margin terms of a perpetual: initial rate, maintenance tiers, liquidation fee; exact, as data.

Maintenance is marginal: each tier's rate applies to the part of the notional above its floor, so
the requirement is convex in the notional. That is what exchanges write as ``notional * rate -
maintenance amount``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ceil_div, require_int


@dataclass(frozen=True)
class Tier:
    """From ``floor`` (base units of the quote asset) on, each unit of notional needs ``rate``."""

    floor: int
    rate: Fraction


@dataclass(frozen=True)
class Margin:
    """What a venue asks of a margined position.

    Attributes:
        initial: share of notional that must stand there to open it; 1/initial is the leverage.
        tiers: maintenance tiers, floors rising from 0, rates not falling.
        liquidation_fee: share of the notional that a liquidation takes.
        isolated: the position has a margin account of its own; otherwise it shares its venue's.
    """

    initial: Fraction
    tiers: tuple[Tier, ...]
    liquidation_fee: Fraction
    isolated: bool = False

    def __post_init__(self) -> None:
        for name, rate in (
            ("initial margin", self.initial),
            ("liquidation fee", self.liquidation_fee),
            *((f"maintenance from {tier.floor}", tier.rate) for tier in self.tiers),
        ):
            if not isinstance(rate, Fraction) or not 0 <= rate <= 1:
                raise DomainError(name, str(rate), "write a share from 0% to 100%")
        for tier in self.tiers:
            require_int(tier.floor, "floor of a maintenance tier", minimum=0)
        floors, rates = [t.floor for t in self.tiers], [t.rate for t in self.tiers]
        if not floors or floors[0] != 0 or sorted(set(floors)) != floors or sorted(rates) != rates:
            raise DomainError(
                "maintenance tiers",
                [(t.floor, str(t.rate)) for t in self.tiers],
                "floors rise from 0 and rates do not fall",
            )
        if self.tiers[0].rate > self.initial or not self.initial:
            raise DomainError(
                "initial margin", str(self.initial), "it is positive and covers maintenance"
            )

    def maintenance(self, notional: int) -> int:
        """The requirement for an absolute ``notional`` in base units of the quote, rounded up."""
        unit, steps = self._in_units
        total = 0
        for rise, floor in steps:
            if notional > floor:
                total += rise * (notional - floor)
        return ceil_div(total, unit)

    @cached_property
    def _in_units(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        """The steps with their rises as integers of 1/unit."""
        unit = math.lcm(*(rise.denominator for rise, _ in self.steps))
        return unit, tuple((int(rise * unit), floor) for rise, floor in self.steps)

    @cached_property
    def steps(self) -> tuple[tuple[Fraction, int], ...]:
        """The requirement as a sum of ``rise * max(0, notional - floor)``."""
        rates = [Fraction(0), *(tier.rate for tier in self.tiers)]
        return tuple(
            (tier.rate - before, tier.floor)
            for tier, before in zip(self.tiers, rates, strict=False)
            if tier.rate > before
        )
