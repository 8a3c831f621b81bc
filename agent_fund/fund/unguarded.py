"""The gate left open: what a fund without a mandate would do, for comparison only.

It has the guard's face, so the loop does not know the difference; every record of such a run says
``unguarded``. Solvency still holds, because the ledger cannot lend.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Proposal
from agent_fund.guard.costs import Costs
from agent_fund.guard.limits import LIFE
from agent_fund.guard.machine import Bounds
from agent_fund.guard.proof import Proof
from agent_fund.guard.repair import STEPS, scale
from agent_fund.guard.solvency import solvency
from agent_fund.guard.verdict import Certified, Outcome, Situation, Verdict

_NOTHING = Bounds(0, 0, 0)


class Unguarded:
    """Admits whatever the account can pay for."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The proposal, or the largest share of it that cash pays for."""
        finding = solvency(situation.book, proposal, self._costs)
        share, kept = STEPS, proposal
        while share and not solvency(situation.book, kept, self._costs).holds:
            share -= 1
            kept = scale(proposal, Fraction(share, STEPS))
        certified = _open(situation)
        if share == STEPS:
            outcome = Outcome.ADMITTED
        elif kept.legs:
            outcome = Outcome.REPAIRED
        else:
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), (finding,), (finding,), None)
        broken = () if finding.holds else (finding,)
        return Verdict(outcome, kept, Fraction(share, STEPS), (finding,), broken, certified)

    def look(self, situation: Situation) -> Certified | None:
        """Nothing is asked of the held book."""
        return _open(situation)


def _open(situation: Situation) -> Certified:
    """No proof, no bounds, for as long as the book is held."""
    until = situation.bar + LIFE
    return Certified(Proof(()), {}, _NOTHING, until, until)
