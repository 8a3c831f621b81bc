"""How far a repaired trade is from what was proposed, and what a repair may do to a proposal.

The distance of a mandate that asks for the nearest trade is a weighted L1 norm, leg by leg:

    sum over legs of  weight * |notional proposed - notional kept|

at the decision's prices. A repair only takes away: no leg grows, changes its side or its limit, and
none is added. In an ordered proposal the shares kept do not rise along the order, but for a lot of
rounding: what waits for a leg is not kept where that leg is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_name
from agent_fund.domain.order import Leg, Proposal
from agent_fund.guard.finding import share

METHODS = ("scale", "nearest")


@dataclass(frozen=True)
class Repair:
    """How a mandate repairs what does not certify.

    Attributes:
        method: "scale", the largest share of the whole that certifies; or "nearest", the trade
            at the least distance that a search by cutting planes finds, never further than "scale".
        weights: what a unit of notional counts in the distance, by instrument; 1 if not named. An
            option or a pool share counts as the instrument that moves it.
    """

    method: str = "scale"
    weights: Mapping[str, Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise DomainError("repair", self.method, 'write "scale" or "nearest"')
        if self.weights and not self.nearest:
            raise DomainError("repair", dict(self.weights), 'weights belong to "nearest"')
        for symbol, weight in self.weights.items():
            require_name(symbol, "instrument of a repair's weight")
            if not isinstance(weight, Fraction) or weight <= 0:
                raise DomainError(f"weight of {symbol}", str(weight), "write a positive number")

    @property
    def nearest(self) -> bool:
        """Whether every leg may keep a share of its own."""
        return self.method == "nearest"

    def value(self, leg: Leg, prices: Mapping[str, int]) -> Fraction:
        """What all of ``leg`` counts in the distance."""
        weight = self.weights.get(leg.instrument.moves_with, Fraction(1))
        return weight * leg.instrument.notional(leg.quantity, prices[leg.instrument.symbol])

    def kept(self, asked: Proposal, kept: Proposal, prices: Mapping[str, int]) -> Fraction:
        """The share of ``asked`` that is left: 1 less its distance from ``kept`` over that to none.

        Args:
            asked: with a leg at least.
        """
        whole, left = (
            sum((self.value(leg, prices) for leg in p.legs), Fraction(0)) for p in (asked, kept)
        )
        return left / whole

    def to_json(self) -> dict[str, Any]:
        """As it stands in a mandate's canonical JSON, unless it is the default."""
        weights = {symbol: str(weight) for symbol, weight in sorted(self.weights.items())}
        return {"method": self.method, "weights": weights}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Repair:
        """The repair that ``to_json`` wrote."""
        return cls(value["method"], {s: ratio(w) for s, w in value["weights"].items()})


BY_SCALE = Repair()


def nearest(weights: Mapping[str, Exact] | None = None) -> Repair:
    """The nearest trade that certifies; ``weights`` by instrument, e.g. ``{"ETH": "2"}``."""
    given = (weights or {}).items()
    return Repair("nearest", {s: ratio(w, f"weight of {s}") for s, w in given})


def departure(asked: Proposal, kept: Proposal) -> str | None:
    """What a repair of ``asked`` may not do and ``kept`` does, in words; None if it is a repair."""
    if kept.transfers != asked.transfers or kept.ordered != asked.ordered:
        return "transfers and the order of legs stay as proposed"
    if not kept.legs or kept.legs == asked.legs:
        return "a repair leaves something, and not all"
    quantities = {leg.instrument.symbol: leg.quantity for leg in kept.legs}
    left = [leg for leg in asked.legs if leg.instrument.symbol in quantities]
    if len(left) != len(kept.legs):
        return "a repair adds no leg"
    for before, after in zip(left, kept.legs, strict=True):
        same = (before.instrument, before.side, before.limit)
        if same != (after.instrument, after.side, after.limit):
            return f"{before.instrument.symbol} was proposed with another side, limit or place"
        if after.quantity > before.quantity:
            return f"more of {before.instrument.symbol} than was proposed"
    if asked.ordered:
        for first, second in itertools.pairwise(asked.legs):
            ahead = quantities.get(first.instrument.symbol, 0) + first.instrument.lot
            behind = quantities.get(second.instrument.symbol, 0)
            if behind * first.quantity >= ahead * second.quantity:
                return f"{second.instrument.symbol} waits for {first.instrument.symbol}, kept less"
    return None


def words(asked: Proposal, kept: Proposal) -> str:
    """What is left of each leg, as people read it: ``62.00% of AAA, all of BBB, none of CCC``."""
    left = {leg.instrument.symbol: leg.quantity for leg in kept.legs}
    parts = []
    for leg in asked.legs:
        part = Fraction(left.get(leg.instrument.symbol, 0), leg.quantity)
        much = "none" if part == 0 else "all" if part == 1 else share(part)
        parts.append(f"{much} of {leg.instrument.symbol}")
    return ", ".join(parts)
