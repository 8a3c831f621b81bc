"""Route: ordered stages that reach a goal, with what they cost and expose; and which are like."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.order import Side
from agent_fund.execution.route.cost import RouteCosts, UnderWay
from agent_fund.execution.route.stages import (
    Bridge,
    Stage,
    bridges_of,
    stage_name,
    swaps_of,
)


@dataclass(frozen=True)
class Route:
    """One way to the goal.

    Attributes:
        seconds: expected, from the first leg to the last arrival.
        under_way: what each bridge exposes.
    """

    stages: tuple[Stage, ...]
    costs: RouteCosts
    seconds: int
    under_way: tuple[UnderWay, ...]

    @property
    def name(self) -> str:
        """As people read it, in one line."""
        return ", then ".join(map(stage_name, self.stages))

    @property
    def valid_until(self) -> int:
        """Unix milliseconds at which the first stage's quotes end; later ones are asked again."""
        first = self.stages[0]
        if isinstance(first, Bridge):
            return first.valid_until
        return min(swap.valid_until for swap in first.swaps)

    @property
    def max_spent(self) -> int:
        """Currency that purchases, carriers and gas take together at worst."""
        bought = sum(s.worst for s in swaps_of(self.stages) if s.side is Side.BUY)
        carried = sum(b.cost + b.gas for b in bridges_of(self.stages))
        return bought + carried + sum(s.gas for s in swaps_of(self.stages))

    @property
    def min_received(self) -> int:
        """Currency that is there at the end at worst; 0 for a purchase, which is whole or fails."""
        last = self.stages[-1]
        if isinstance(last, Bridge):
            return last.min_received
        return sum(swap.worst for swap in last.swaps if swap.side is Side.SELL)


def prune(routes: list[Route]) -> tuple[list[Route], list[tuple[Route, Route]]]:
    """The routes that are worth certifying, and those dominated, each with what dominates it.

    One route dominates another only if a mandate cannot tell them apart, but for an intermediary
    that the other trusts and it does not, and it is no dearer and no slower. So pruning never
    drops a route that would have been admitted where the better one is refused.

    Args:
        routes: cheapest first; of equals the first stays.
    """
    kept: list[Route] = []
    dropped: list[tuple[Route, Route]] = []
    for route in routes:
        better = next((other for other in kept if _dominates(other, route)), None)
        if better is None:
            kept.append(route)
        else:
            dropped.append((route, better))
    return kept, dropped


def _dominates(one: Route, other: Route) -> bool:
    return (
        _seen(one) == _seen(other)
        and one.costs.total <= other.costs.total
        and one.seconds <= other.seconds
        and all(
            mine.trusted in ("", theirs.trusted)
            for mine, theirs in zip(one.under_way, other.under_way, strict=True)
        )
    )


def _seen(route: Route) -> list[object]:
    """What a mandate judges of a route, intermediaries aside."""
    seen: list[object] = []
    for stage in route.stages:
        if isinstance(stage, Bridge):
            seen.append((stage.source, stage.target, stage.amount, stage.min_received, stage.own))
        else:
            seen.append(
                tuple(
                    (s.instrument.symbol, s.side, s.quantity, s.limit, s.quoted, s.max_fee, s.own)
                    for s in stage.swaps
                )
            )
    return seen
