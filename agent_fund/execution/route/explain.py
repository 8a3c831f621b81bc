"""The choice explained: every route considered, its costs in parts, the verdict and its reason."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from agent_fund.domain.instrument import MAX_SCALE, Asset
from agent_fund.domain.money import from_units
from agent_fund.execution.route.goal import Buy, Goal, Move
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.search import Found
from agent_fund.execution.route.stages import Bridge, Stage, shown


class Choice(enum.Enum):
    """What became of a route."""

    CHOSEN = "chosen"
    REFUSED = "refused"
    EXPIRED = "expired"
    DEARER = "dearer"
    DOMINATED = "dominated"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Considered:
    """One route, or what was looked for as one, and what became of it.

    Attributes:
        route: None if it is not to be had.
        reason: why not this one; for the chosen one, at how many points it was certified.
    """

    name: str
    route: Route | None
    choice: Choice
    reason: str


@dataclass(frozen=True)
class Explanation:
    """The whole choice, the chosen route first.

    Attributes:
        considered: the chosen route; then those judged and refused, the dearer ones, the dominated
            ones, and what is not to be had.
        absences: who gave no quote, of what, and why; one line each.
    """

    goal: Goal
    currency: Asset
    considered: tuple[Considered, ...]
    absences: tuple[str, ...]

    @property
    def chosen(self) -> Route | None:
        """The route to take; None is a refusal."""
        first = next(iter(self.considered), None)
        return first.route if first is not None and first.choice is Choice.CHOSEN else None

    def to_json(self) -> dict[str, Any]:
        """Plain values; amounts are strings of base units."""
        return {
            "goal": goal_name(self.goal, self.currency),
            "currency": self.currency.symbol,
            "scale": self.currency.scale,
            "chosen": None if self.chosen is None else self.chosen.name,
            "considered": [_considered_json(one) for one in self.considered],
            "absences": list(self.absences),
        }


def explained(
    found: Found, currency: Asset, judged: Sequence[Considered], others: str
) -> Explanation:
    """The explanation of a search whose routes were ``judged``, cheapest first, until one passed.

    Args:
        others: why the routes that were not judged are not taken.
    """
    known = {one.route for one in judged}
    chosen = [one for one in judged if one.choice is Choice.CHOSEN]
    refused = [one for one in judged if one.choice is not Choice.CHOSEN]
    dearer = [
        Considered(route.name, route, Choice.DEARER, others)
        for route in found.routes
        if route not in known
    ]
    dominated = [
        Considered(route.name, route, Choice.DOMINATED, f"no better than {better.name}")
        for route, better in found.dominated
    ]
    absent = [Considered(one.name, None, Choice.UNAVAILABLE, one.reason) for one in found.dropped]
    return Explanation(
        found.goal,
        currency,
        (*chosen, *refused, *dearer, *dominated, *absent),
        tuple(absence.text for absence in found.absences),
    )


def goal_name(goal: Goal, currency: Asset) -> str:
    """The goal as people read it, in one line."""
    if isinstance(goal, Move):
        amount = f"{currency.amount(goal.amount):,.2f} {currency.symbol}"
        return f"move {amount} from {goal.source} to {goal.target}"
    size = shown(Asset(goal.underlying, goal.scale), goal.quantity)
    bound = "at most" if isinstance(goal, Buy) else "at least"
    words = f"{goal.side.value} {size} {goal.underlying}"
    words += f" as {goal.symbol}" if goal.symbol else ""
    words += f" for {bound} {_price_text(goal.limit)} each"
    if isinstance(goal, Buy):
        return words + (f", paid with {goal.pay_with.symbol}" if goal.pay_with else "")
    return words + (f", proceeds to {goal.to}" if goal.to else "")


def _price_text(price: Fraction) -> str:
    """A price as a decimal if it is one, else as a whole number and a fraction; exact."""
    for scale in range(MAX_SCALE + 1):
        units = price * int(10**scale)
        if units.denominator == 1:
            return f"{from_units(units.numerator, scale):f}"
    whole, rest = divmod(price.numerator, price.denominator)
    return f"{whole} {rest}/{price.denominator}"


def _considered_json(one: Considered) -> dict[str, Any]:
    route = one.route
    value: dict[str, Any] = {"name": one.name, "choice": one.choice.value, "reason": one.reason}
    if route is None:
        return value
    costs = {part.name: str(getattr(route.costs, part.name)) for part in fields(route.costs)}
    return {
        **value,
        "costs": {**costs, "total": str(route.costs.total)},
        "max_spent": str(route.max_spent),
        "min_received": str(route.min_received),
        "seconds": route.seconds,
        "under_way": [
            {"amount": str(one.amount), "seconds": one.seconds, "trusted": one.trusted}
            for one in route.under_way
        ],
        "valid_until": route.valid_until,
        "stages": [_stage_json(stage) for stage in route.stages],
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    if isinstance(stage, Bridge):
        return {
            "bridge": stage.carrier,
            "source": stage.source,
            "target": stage.target,
            "amount": str(stage.amount),
            "min_received": str(stage.min_received),
            "gas": str(stage.gas),
            "seconds": stage.seconds,
            "trusted": stage.trusted,
        }
    return {
        "trade": [
            {
                "symbol": swap.instrument.symbol,
                "venue": swap.instrument.venue.name,
                "side": swap.side.value,
                "quantity": str(swap.quantity),
                "limit": str(swap.limit),
                "quoted": str(swap.quoted),
                "worst": str(swap.worst),
                "gas": str(swap.gas),
            }
            for swap in stage.swaps
        ]
    }
