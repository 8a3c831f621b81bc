"""Orders and money go to named venues only, or to named accounts there.

An order goes to its instrument's venue, a transfer to its target. A name is that of a venue, which
allows every account there, or of one account: ``"futures/BTC-PERP"``.
"""

from __future__ import annotations

from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail, make, require_names
from agent_fund.guard.verdict import Situation


def destination_allow_list(*names: str, rule: str = "", why: str = "") -> Guardrail:
    """``names``: venues, or accounts at them."""
    terms = {"names": require_names(names, "destination_allow_list")}
    return make("destination_allow_list", 0, False, rule, why, terms)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for the first order or transfer to anywhere else."""
    names = guardrail.terms["names"].split()
    places = [leg.instrument.account for leg in proposal.legs]
    places += [transfer.target for transfer in proposal.transfers]
    others = [p for p in places if p not in names and p.partition("/")[0] not in names]
    return Finding(
        "destination_allow_list",
        not others,
        f"orders and transfers to {', '.join(names)}",
        f"to {', '.join(dict.fromkeys(others))}" if others else "to nowhere else",
        "whatever fills",
    )
