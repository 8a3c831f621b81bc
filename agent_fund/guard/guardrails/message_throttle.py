"""The messages that an agent causes stay within an allowance that refills.

Maximum messages limits (RTS 6, Art. 15(1)(d)), as a token bucket (see ``guard.activity``). Every
order and every transfer is one message. An order that waits for another counts twice, for it is
cancelled if that one ends unfilled; other orders expire at the venue without a message.
"""

from __future__ import annotations

from agent_fund.domain.order import Proposal
from agent_fund.guard.activity import Allowance, Draw
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail, make, require_bars, require_count
from agent_fund.guard.guardrails.throttle import throttled
from agent_fund.guard.verdict import Situation


def message_throttle(*, orders: int, bars: int, rule: str = "", why: str = "") -> Guardrail:
    """``orders``: messages at once at most; the allowance refills within ``bars`` bars."""
    terms = {"bars": str(require_bars(bars, "message_throttle")), "unit": "messages"}
    number = require_count(orders, "orders of message_throttle")
    return make("message_throttle", number, False, rule, why, terms)


def draw(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Draw:
    """One for each leg and each transfer, and one more for each leg that waits."""
    waiting = max(0, len(proposal.legs) - 1) if proposal.ordered else 0
    messages = len(proposal.legs) + waiting + len(proposal.transfers)
    return Draw(Allowance(int(guardrail.limit), guardrail.bars), {guardrail.kind: messages})


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the whole proposal."""
    return throttled(guardrail, draw(guardrail, situation, proposal), situation, _told)


def _told(tokens: int) -> str:
    return f"{tokens:,} message{'s' if tokens != 1 else ''}"
