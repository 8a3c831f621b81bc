"""Every position can be closed within the horizon, at a share of the market's volume.

Stating it does not pretend that a large position goes in one bar: the way out gets as many bars as
it says, the stress horizon grows with them, and with the horizon the box. No position may then be
larger than those bars take, at ``participation`` of the smallest recent volume.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact
from agent_fund.guard.guardrails.limit import Guardrail, make

MOST_BARS = 100


def liquidity(participation: Exact, *, bars: int = 1, rule: str = "", why: str = "") -> Guardrail:
    """``participation``: share of a bar's volume, e.g. ``"2%"``; ``bars``: to close anything in."""
    if type(bars) is not int or not 1 <= bars <= MOST_BARS:
        raise DomainError("bars of liquidity", bars, f"write an integer from 1 to {MOST_BARS}")
    found = make("liquidity", participation, False, rule, why, {"bars": str(bars)})
    if not 0 < found.limit <= 1:
        raise DomainError("liquidity", str(participation), "write a share above 0% to 100%")
    return found


def way_out(
    guardrail: Guardrail | None, participation: Fraction, bars: int
) -> tuple[Fraction, int]:
    """Share of volume and bars of a way out: the venue's own terms, or the guardrail's if slower.

    Args:
        participation, bars: what venue and run file allow.
    """
    if guardrail is None:
        return participation, bars
    return min(participation, guardrail.limit), max(bars, int(guardrail.terms["bars"]))
