"""Repair by scaling: the same share of every leg, rounded down to lots.

The admissible shares of a proposal are an interval that holds 0 if the held book certifies, because
loss, gain, costs and every limit are convex in the share; so the largest is found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from agent_fund.domain.order import Leg, Proposal

STEPS = 1024
"""Shares are tried in steps of 1/STEPS."""


def scale(proposal: Proposal, share: Fraction) -> Proposal:
    """``share`` of every leg, rounded down to lots; legs that vanish are left out.

    Transfers stay whole: they carry what is already there, and what legs need.
    """
    lots = [int(leg.quantity * share) // leg.instrument.lot for leg in proposal.legs]
    return of_lots(proposal, lots)


def bisected(proposal: Proposal, admits: Callable[[Proposal], bool]) -> int:
    """The largest share that ``admits`` says may be sent, in units of 1/STEPS; 0 if none."""
    low, high, best = 0, STEPS, 0
    while high - low > 1:
        middle = (low + high) // 2
        scaled = scale(proposal, Fraction(middle, STEPS))
        if not scaled.legs:
            low = middle  # nothing left after rounding to lots: look higher
        elif admits(scaled):
            best = low = middle
        else:
            high = middle
    return best


def of_lots(proposal: Proposal, lots: list[int]) -> Proposal:
    """So many lots of each leg of ``proposal``; legs that vanish are left out."""
    legs = tuple(
        Leg(leg.instrument, leg.side, number * leg.instrument.lot, leg.limit)
        for leg, number in zip(proposal.legs, lots, strict=True)
        if number
    )
    return Proposal(legs, proposal.ordered, proposal.reason, proposal.transfers)
