"""Orders go into named instruments only: by symbol, or by what they are an exposure to.

SEC Rule 15c3-5(c)(2)(ii), RTS 6, Art. 15(5): nothing is traded that the fund is not permitted to
trade. What it holds of something else may only leave by the guard's own way out.
"""

from __future__ import annotations

from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail, make, require_names
from agent_fund.guard.verdict import Situation


def instrument_allow_list(*names: str, rule: str = "", why: str = "") -> Guardrail:
    """``names``: symbols or underlyings; ``"BTC"`` allows its perpetual too."""
    terms = {"names": require_names(names, "instrument_allow_list")}
    return make("instrument_allow_list", 0, False, rule, why, terms)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the first leg in anything else."""
    names = guardrail.terms["names"].split()
    others = [
        leg.instrument.symbol
        for leg in proposal.legs
        if leg.instrument.symbol not in names and leg.instrument.underlying not in names
    ]
    return Finding(
        "instrument_allow_list",
        not others,
        f"orders in {', '.join(names)}",
        f"an order in {', '.join(others)}" if others else "no other",
        "whatever fills",
    )
