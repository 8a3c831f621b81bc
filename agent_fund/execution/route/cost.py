"""What a route costs, in parts that add up: venues, carriers, gas, slippage, and time at risk.

Everything is in base units of the currency and rounded against the fund. Slippage is measured from
one middle for all routes of a goal, the best that any sibling's venue states, so that the cheapest
route is the one that leaves most. A quote has its venue's costs inside: what the venue itself says
it may charge stands under fees, and the rest of the distance from the middle under slippage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Side
from agent_fund.execution.route.goal import worth
from agent_fund.execution.route.stages import Bridge, Stage, Swap, bridges_of, swaps_of
from agent_fund.execution.route.terms import RouteTerms


@dataclass(frozen=True)
class RouteCosts:
    """The parts; only slippage may be negative.

    Attributes:
        fees: what venues may charge and carriers keep.
        risk: the price of what is under way, for as long as it is.
    """

    slippage: int
    fees: int
    gas: int
    risk: int

    @property
    def total(self) -> int:
        """Net cost against the middle."""
        return self.slippage + self.fees + self.gas + self.risk


@dataclass(frozen=True)
class UnderWay:
    """Currency that one bridge exposes: how much, for how long, in whose hands."""

    amount: int
    seconds: int
    trusted: str


def route_costs(
    stages: tuple[Stage, ...],
    middles: Mapping[str, Fraction],
    terms: RouteTerms,
    currency: Asset,
) -> RouteCosts:
    """The costs of ``stages`` as quoted.

    Args:
        middles: by underlying, currency for one unit of it.
    """
    slippage = fees = gas = risk = 0
    for swap in swaps_of(stages):
        slippage += _beyond(swap, middles[swap.instrument.underlying], currency) - swap.max_fee
        fees += swap.max_fee
        gas += swap.gas
    for bridge in bridges_of(stages):
        fees += bridge.cost
        gas += bridge.gas
        risk += terms.risk(bridge.amount, bridge.seconds)
    return RouteCosts(slippage, fees, gas, risk)


def under_way(stages: tuple[Stage, ...]) -> tuple[UnderWay, ...]:
    """What each bridge exposes."""
    return tuple(UnderWay(b.amount, b.seconds, b.trusted) for b in bridges_of(stages))


def expected_seconds(stages: tuple[Stage, ...], terms: RouteTerms) -> int:
    """From the first leg to the last arrival; swaps of one stage run at once."""
    total = 0
    for stage in stages:
        if isinstance(stage, Bridge):
            total += stage.seconds
        else:
            total += max(terms.settles[s.instrument.venue.name] for s in stage.swaps)
    return total


def _beyond(swap: Swap, middle: Fraction, currency: Asset) -> int:
    """What the quote concedes against ``middle``, rounded up."""
    exact = worth(swap.instrument, swap.quantity) * middle * int(10**currency.scale)
    if swap.side is Side.BUY:
        return swap.quoted - exact.numerator // exact.denominator
    return ceil_div(exact.numerator, exact.denominator) - swap.quoted
