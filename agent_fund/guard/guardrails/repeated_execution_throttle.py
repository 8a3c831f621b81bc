"""The same trade is not made over and over: orders by instrument and side, with an allowance.

A repeated automated execution throttle (RTS 6, Art. 15(3); SEC Rule 15c3-5(c)(1)(ii), duplicative
orders): after so many orders in one instrument and on one side within the bars, the next is refused
until the allowance has refilled. The regulation has the system disabled until a person enables it
again; here it comes back by itself, so choose ``bars`` long where that is asked for.
"""

from __future__ import annotations

from agent_fund.domain.order import Proposal
from agent_fund.guard.activity import Allowance, Draw
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail, make, require_bars, require_count
from agent_fund.guard.guardrails.throttle import throttled
from agent_fund.guard.verdict import Situation


def repeated_execution_throttle(
    *, times: int, bars: int, rule: str = "", why: str = ""
) -> Guardrail:
    """``times``: orders in one instrument and side at once; refilled within ``bars`` bars."""
    kind = "repeated_execution_throttle"
    terms = {"bars": str(require_bars(bars, kind)), "unit": "orders"}
    return make(kind, require_count(times, f"times of {kind}"), False, rule, why, terms)


def draw(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Draw:
    """One of its own allowance for each leg."""
    keys = (f"{guardrail.kind} {g.instrument.symbol} {g.side.value}" for g in proposal.legs)
    return Draw(Allowance(int(guardrail.limit), guardrail.bars), dict.fromkeys(keys, 1))


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the instrument and side of which least is left."""
    return throttled(guardrail, draw(guardrail, situation, proposal), situation, _told)


def _told(tokens: int) -> str:
    return f"{tokens:,} order{'s' if tokens != 1 else ''} in one instrument and side"
