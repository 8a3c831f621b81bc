"""Repair by scaling: the same share of every leg, rounded down to lots.

The admissible shares of a proposal are an interval that holds 0 if the held book certifies, because
loss, gain, costs and every limit are convex in the share; so the largest is found by bisection.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.order import Leg, Proposal

STEPS = 1024
"""Shares are tried in steps of 1/STEPS."""


def scale(proposal: Proposal, share: Fraction) -> Proposal:
    """``share`` of every leg, rounded down to lots; legs that vanish are left out.

    Transfers stay whole: they carry what is already there, and what legs need.
    """
    legs = []
    for leg in proposal.legs:
        lots = int(leg.quantity * share) // leg.instrument.lot
        if lots:
            legs.append(Leg(leg.instrument, leg.side, lots * leg.instrument.lot, leg.limit))
    return Proposal(tuple(legs), proposal.ordered, proposal.reason, proposal.transfers)
