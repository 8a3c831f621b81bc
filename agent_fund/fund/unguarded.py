"""The gate left open: what a fund without a mandate would do, for comparison only.

It has the guard's face, so the loop does not know the difference; every record of such a run says
``unguarded``. Solvency still holds, because the ledger cannot lend.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Proposal
from agent_fund.guard.cases import TooManyCasesError, cases
from agent_fund.guard.costs import Costs
from agent_fund.guard.finding import Finding
from agent_fund.guard.limits import LIFE
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import after_transfers
from agent_fund.guard.proof import Proof
from agent_fund.guard.repair.scaled import STEPS, scale
from agent_fund.guard.solvency import initial_margin, solvency
from agent_fund.guard.verdict import Certified, Outcome, Situation, Verdict

_NOTHING = Bounds(0, 0, 0)


class Unguarded:
    """Admits whatever the accounts can pay for and their venues would margin."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The proposal, or the largest share of it that cash and initial margin pay for."""
        broken = self._broken(proposal, situation)
        if not broken:
            certified = _open(situation)
            return Verdict(Outcome.ADMITTED, proposal, Fraction(1), (), (), certified)
        low, high = 0, STEPS
        while high - low > 1:
            middle = (low + high) // 2
            if self._broken(scale(proposal, Fraction(middle, STEPS)), situation):
                high = middle
            else:
                low = middle
        share = Fraction(low, STEPS)
        kept = scale(proposal, share)
        if kept.holds or self._broken(kept, situation):
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), broken, broken, None)
        return Verdict(Outcome.REPAIRED, kept, share, broken, broken, _open(situation))

    def _broken(self, proposal: Proposal, situation: Situation) -> tuple[Finding, ...]:
        book, prices = situation.book, situation.prices
        after = after_transfers(book, proposal)
        try:
            every = cases(book, proposal)
        except TooManyCasesError as error:
            return (Finding("cases", False, "a bounded number of ways", str(error), "any fills"),)
        found = (
            solvency(book, proposal, self._costs),
            initial_margin(every, after, proposal, prices, self._costs),
        )
        return tuple(f for f in found if f is not None and not f.holds)

    def look(self, situation: Situation) -> Certified | None:
        """Nothing is asked of the held book."""
        return _open(situation)


def _open(situation: Situation) -> Certified:
    """No proof, no bounds, for as long as the book is held."""
    until = situation.bar + LIFE
    return Certified(Proof(()), {}, _NOTHING, until, until)
