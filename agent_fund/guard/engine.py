"""The guard itself, in the design's decision order: exact limits, certificates, repair, refusal.

Pre-trade limits are judged first, in exact integers over every way the orders may fill. Then the
finder looks for certificates and the kernel says what they prove. What fails is repaired, to its
largest share or to the nearest trade, and judged again as the exact integers that will be sent.
What cannot be certified is refused, with the reason computed here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Proposal
from agent_fund.guard.band import price_band
from agent_fund.guard.cases import Case, TooManyCasesError, cases
from agent_fund.guard.certifier import Answer, Certifier
from agent_fund.guard.clauses import checked_demands, demanded, demands_of, facts_of
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import fixed_floor, margin_safety, max_drawdown
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.limits import ALWAYS, always, pre_trade
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import Obligation, Role
from agent_fund.guard.proof import Proof
from agent_fund.guard.repair.nearest import nearest
from agent_fund.guard.repair.scaled import STEPS, bisected, scale
from agent_fund.guard.repair.share import largest_share
from agent_fund.guard.repair.trial import FAULTS, Trials
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import HOLD, Certified, Outcome, Situation, Verdict


class Guard:
    """Judges proposals and looks at held books, under one resolved mandate.

    Attributes:
        watchful: whether a limit is marked ``always``, so that every look has to ask ``holds``.
    """

    def __init__(self, mandate: ResolvedMandate) -> None:
        self.mandate = mandate
        self._certifier = Certifier(mandate)
        ready_made = any(g.always and g.kind in ALWAYS for g in mandate.guardrails)
        self.watchful = ready_made or any(clause.always for clause in mandate.clauses)

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The verdict on ``proposal``; what cannot be judged is refused, and nothing raises."""
        try:
            _require_known(proposal, situation.book)
            return self._judge(proposal, situation)
        except (DomainError, ArithmeticError, LookupError) as error:
            words = ("a fund and a trade that can be judged", str(error), "nothing was proved")
            finding = Finding("judgement", False, *words)
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), (finding,), (finding,), None)

    def _judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        findings, certified = self._try(proposal, situation)
        broken = tuple(f for f in findings if not f.holds)
        if certified is not None:
            return Verdict(Outcome.ADMITTED, proposal, Fraction(1), findings, (), certified)
        if not proposal.legs:
            return Verdict(Outcome.REFUSED, HOLD, Fraction(0), findings, broken, None)
        for kept, theta, known in self._repairs(proposal, situation):
            found, certified = self._try(kept, situation, known=known)
            if certified is not None:
                asked = proposal if self.mandate.repair.nearest else None
                return Verdict(Outcome.REPAIRED, kept, theta, found, broken, certified, asked)
        return Verdict(Outcome.REFUSED, HOLD, Fraction(0), findings, broken, None)

    def _repairs(
        self, proposal: Proposal, situation: Situation
    ) -> Iterator[tuple[Proposal, Fraction, Proof | None]]:
        """What may be sent instead, as far as trials can tell, the share that it keeps, a proof.

        Should the guard not certify that, a plain bisection by its own judgement follows.
        """

        def demanded(kept: Proposal) -> tuple[str, ...]:
            found, _ = self._demands(cases(situation.book, kept), situation, kept)
            return tuple(finding.guardrail for finding in found if not finding.holds)

        trials = Trials(
            self.mandate,
            situation,
            self._certifier.finder,
            lambda kept: price_band(situation.book, kept, situation.prices, Fraction(0)),
            lambda bounds: self._certifier.safe(bounds, situation),
            lambda bounds: self._certifier.loss_room(situation, bounds),
            demanded,
            self._certifier.last,
        )
        repair = self.mandate.repair

        def theta(kept: Proposal, share: int) -> Fraction:
            near = repair.nearest
            return repair.kept(proposal, kept, situation.prices) if near else Fraction(share, STEPS)

        share, trial = 0, None
        if repair.nearest:
            trial = nearest(trials, proposal)
        else:
            share, trial = largest_share(trials, proposal)
        if trial is None:
            return
        yield trial.proposal, theta(trial.proposal, share), trial.proof

        def admits(kept: Proposal) -> bool:
            return self._try(kept, situation, brief=True)[1] is not None

        if share := bisected(proposal, admits):
            kept = scale(proposal, Fraction(share, STEPS))
            yield kept, theta(kept, share), None

    def look(self, situation: Situation) -> Certified | None:
        """A certificate for the book held, over a band of prices if one is Safe; None if not Safe.

        The limits marked ``always`` must hold too, at the prices of this look and of every coming
        one that rests on the certificate; see ``holds``.
        """
        if situation.nav <= 0 or not self.holds(situation):
            return None
        held = self._certifier.held
        return held(situation, self.mandate.band) or held(situation, Fraction(0))

    def passes(self, situation: Situation) -> bool:
        """Whether the held book would pass a look at the very prices of ``situation``."""
        return self.holds(situation) and self._certifier.held(situation, Fraction(0)) is not None

    def holds(self, situation: Situation) -> bool:
        """Whether every limit marked ``always`` holds for the book held, at these prices."""
        return all(finding.holds for finding in self._always(situation))

    def explain(self, situation: Situation) -> Finding:
        """What of the held book is broken first, or else how it stands within the drawdown."""
        for finding in self._always(situation):
            if not finding.holds:
                return finding
        band = price_band(situation.book, HOLD, situation.prices, Fraction(0))
        drawdown, *others = self._proved(situation, self._certifier.certify(HOLD, situation, band))
        return next((finding for finding in others if not finding.holds), drawdown)

    def bounds(self, proposal: Proposal, situation: Situation) -> Bounds:
        """What can be proved of a trade at the prices of ``situation``, Safe or not.

        Raises:
            KernelError: if nothing can be.
        """
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        answer = self._certifier.certify(proposal, situation, band)
        if answer.certified is None:
            raise KernelError(answer.words())
        return answer.certified.bounds

    def _proved(self, situation: Situation, answer: Answer) -> list[Finding]:
        """What the certificates say: of the drawdown, of a floor, and of margin accounts if any."""
        mandate, nav, words = self.mandate, situation.nav, answer.words()
        bounds = None if answer.certified is None else answer.certified.bounds
        found = [max_drawdown.judge(mandate.drawdown, nav, situation.mark, bounds, words)]
        if mandate.guardrail("fixed_floor") is not None:
            currency = situation.book.currency
            found.append(fixed_floor.judge(situation.floor, nav, bounds, currency, words))
        if any(i.margin is not None for i in situation.book.instruments.values()):
            found.append(margin_safety.judge(mandate.margin_multiple, nav, bounds, words))
        return found

    def _always(self, situation: Situation) -> list[Finding]:
        every = cases(situation.book, HOLD)
        return always(self.mandate, every, situation.book, situation.prices)

    def _try(
        self,
        proposal: Proposal,
        situation: Situation,
        *,
        brief: bool = False,
        known: Proof | None = None,
    ) -> tuple[tuple[Finding, ...], Certified | None]:
        """Every guardrail's finding, and the certificate if all of them hold.

        Args:
            brief: stop at the exact limits if one of them is broken.
            known: certificates that may do where one leaf is too loose.
        """
        try:
            every = cases(situation.book, proposal)
        except TooManyCasesError as error:
            finding = Finding("cases", False, "a bounded number of ways", str(error), "any fills")
            return (finding,), None
        band = price_band(situation.book, proposal, situation.prices, Fraction(0))
        findings = pre_trade(self.mandate, every, situation, proposal)
        if brief and not all(f.holds for f in findings):
            return tuple(findings), None
        answer = self._certifier.certify(proposal, situation, band, known)
        certified = answer.certified
        if brief and (certified is None or not self._certifier.safe(certified.bounds, situation)):
            return tuple(findings), None
        findings += self._proved(situation, answer)
        demanded, demands = self._demands(every, situation, proposal)
        findings += demanded
        if certified is None or not all(f.holds for f in findings):
            return tuple(findings), None
        proof = replace(certified.proof, demands=demands)
        return tuple(findings), replace(certified, proof=proof)

    def _demands(
        self, every: Sequence[Case], situation: Situation, proposal: Proposal
    ) -> tuple[list[Finding], tuple[Certificate, ...]]:
        """What the mandate's own stressed clauses say of a trade, and the certificates for it."""
        mandate, facts = self.mandate, facts_of(situation, proposal)
        if proposal.holds or not any(clause.stressed for clause in mandate.clauses):
            return [], ()
        try:
            asked = demands_of(mandate, every, facts)
            found = [self._certifier.finder.bound(demand.form, target=0) for _, demand in asked]
            certificates = tuple(one.certificate for one in found)
            bounds = checked_demands(mandate, asked, certificates)
        except FAULTS as error:
            reason = f"no proof was found: {error}"
            return demanded(mandate, (), None, facts, lambda clause, number: reason), ()

        def words(clause: Clause, number: int) -> str:
            demand = asked[number][1]
            about = Obligation(Role.LOSS, "", demand.case, demand.form)
            return self._certifier.words(about, found[number].scenario)

        return demanded(mandate, asked, bounds, facts, words), certificates


def _require_known(proposal: Proposal, book: Book) -> None:
    """Every leg trades an instrument of the fund, as the fund knows it.

    Raises:
        DomainError: for another, or for one of the same name and other terms.
    """
    for leg in proposal.legs:
        if book.instruments.get(leg.instrument.symbol) != leg.instrument:
            fix = f"the fund trades: {', '.join(book.instruments)}"
            raise DomainError("instrument of a leg", leg.instrument.symbol, fix)
