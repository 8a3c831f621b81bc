"""What an order's limit concedes against the decision price stays within a share of it.

One-sided: a purchase may not pay more than that above the decision price, a sale not take less than
that below it. A limit on the better side concedes nothing (SEC Rule 15c3-5(c)(1)(ii)).
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.verdict import Situation


def slippage_cap(limit: Exact, *, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: the most that a limit concedes, as a share of the decision price, ``"0.5%"``."""
    return make("slippage_cap", limit, False, rule, why)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the leg that concedes most."""
    worst, where = Fraction(0), "nothing conceded"
    for leg in proposal.legs:
        symbol = leg.instrument.symbol
        conceded = (Fraction(leg.limit, situation.prices[symbol]) - 1) * leg.side.sign
        if conceded > worst:
            worst, where = conceded, f"{share(conceded)} conceded in {symbol}"
    return Finding(
        "slippage_cap",
        worst <= guardrail.limit,
        f"at most {share(guardrail.limit)} worse than the decision price",
        where,
        "every order fills at its limit",
    )
