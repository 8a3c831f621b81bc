"""The value of the orders sent stays within an allowance that refills: turnover over time.

SEC Rule 15c3-5(c)(1)(ii), orders over a short period of time. The allowance is a token bucket (see
``guard.activity``) of a share of NAV or an amount, whose size is that of NAV at each decision,
rounded down; what has passed since the last order refills at that size. An order draws its quantity
at its limit or at the decision price, whichever is higher, when it is sent, filled or not.
"""

from __future__ import annotations

import math

from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.guard.activity import Allowance, Draw
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.amount import share_or_amount, units
from agent_fund.guard.guardrails.limit import Guardrail, require_bars
from agent_fund.guard.guardrails.max_order_value import order_value
from agent_fund.guard.guardrails.throttle import throttled
from agent_fund.guard.verdict import Situation


def turnover_throttle(limit: Exact, *, bars: int, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: the most at once, a share of NAV or an amount; it refills within ``bars`` bars."""
    terms = {"bars": str(require_bars(bars, "turnover_throttle"))}
    return share_or_amount("turnover_throttle", limit, rule, why, terms)


def draw(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Draw:
    """The value of every leg, in base units of the currency."""
    size = math.floor(units(guardrail, situation.nav, situation.book.currency))
    value = sum(
        order_value(
            leg.instrument, leg.quantity, leg.limit, situation.prices[leg.instrument.symbol]
        )
        for leg in proposal.legs
    )
    return Draw(Allowance(max(0, size), guardrail.bars), {guardrail.kind: value})


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for all legs together."""
    currency = situation.book.currency

    def told(tokens: int) -> str:
        return f"{currency.amount(tokens):,.2f} {currency.symbol} of orders"

    return throttled(guardrail, draw(guardrail, situation, proposal), situation, told)
