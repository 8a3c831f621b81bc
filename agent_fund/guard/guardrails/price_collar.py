"""The limit of every order lies within a share of the decision price, on both sides.

A price collar (RTS 6, Commission Delegated Regulation (EU) 2017/589, Art. 15(1)(a); SEC Rule
15c3-5(c)(1)(ii), price parameters): it stops a limit with a slipped digit, up or down.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.verdict import Situation


def price_collar(limit: Exact, *, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: how far a limit price may lie from the decision price, e.g. ``"2%"``."""
    return make("price_collar", limit, False, rule, why)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the leg whose limit lies furthest away."""
    worst, where = Fraction(0), "at the decision price"
    for leg in proposal.legs:
        symbol = leg.instrument.symbol
        away = Fraction(leg.limit, situation.prices[symbol]) - 1
        if abs(away) > worst:
            side = "above" if away > 0 else "below"
            worst, where = abs(away), f"{share(abs(away))} {side} it in {symbol}"
    return Finding(
        "price_collar",
        worst <= guardrail.limit,
        f"limits within {share(guardrail.limit)} of the decision price",
        where,
        "the limit furthest from it",
    )
