"""A mandate's clauses, written in its language, at work: judged exactly, or proved like a loss.

An exact clause is a pre-trade limit like the ready-made ones. A stressed one makes demands, forms
that a certificate must prove at most zero for every way the orders may fill; a trade is admitted
only with all of them. Demands are made of a trade when it is proposed, and not at later looks: what
guards the book that is held is the drawdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding
from agent_fund.guard.kernel.certificate import Certificate
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.language.clause import Clause
from agent_fund.guard.language.demand import Demand, forms, proved
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.obligations import after_transfers
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Situation


def facts_of(situation: Situation, proposal: Proposal) -> Facts:
    """What a clause knows of the fund when ``proposal`` is judged."""
    book: Book = situation.book
    after = after_transfers(book, proposal)
    return Facts(book, after, situation.prices, situation.nav, situation.mark)


def judged(
    mandate: ResolvedMandate, every: Sequence[Case], facts: Facts, *, always_only: bool
) -> Iterator[Finding]:
    """What each exact clause says."""
    for clause, judge in zip(mandate.clauses, mandate.judges, strict=True):
        if clause.always or not always_only:
            finding = judge.judge(every, facts)
            if finding is not None:
                yield finding


def demands_of(
    mandate: ResolvedMandate, every: Sequence[Case], facts: Facts
) -> list[tuple[Clause, Demand]]:
    """Everything that the stressed clauses ask to have proved, in an order that a proof keeps.

    Raises:
        DomainError: for a name or a price that is missing.
    """
    return [
        (clause, demand)
        for clause in mandate.clauses
        if clause.stressed
        for demand in forms(clause, every, facts, mandate.stress)
    ]


def checked_demands(
    mandate: ResolvedMandate,
    asked: Sequence[tuple[Clause, Demand]],
    certificates: Sequence[Certificate],
) -> list[int]:
    """The bound that each certificate proves of its demand's form.

    Raises:
        KernelError: if one is malformed, or there are more or fewer than demands.
    """
    if len(asked) != len(certificates):
        raise KernelError(f"{len(certificates)} certificates for {len(asked)} demands")
    stress = mandate.stress.kernel
    return [
        proved_bound(demand.form, stress, certificate)
        for (_, demand), certificate in zip(asked, certificates, strict=True)
    ]


def demanded(
    mandate: ResolvedMandate,
    asked: Sequence[tuple[Clause, Demand]],
    bounds: Sequence[int] | None,
    facts: Facts,
    words: Callable[[Clause, int], str],
) -> list[Finding]:
    """One finding for each stressed clause.

    Args:
        bounds: proved of each demand; None if nothing is proved, and then nothing is allowed.
        words: the scenario of a demand of a clause, by its number; -1 if nothing is proved.
    """
    found = []
    for clause in filter(lambda c: c.stressed, mandate.clauses):
        own = [n for n, (other, _) in enumerate(asked) if other == clause]
        if bounds is None or not own:
            found.append(proved(clause, (), None, facts, words(clause, -1)))
            continue
        worst = max(own, key=lambda n: (bounds[n] > 0, Fraction(bounds[n], asked[n][1].unit)))
        demands, reached = [asked[n][1] for n in own], [bounds[n] for n in own]
        found.append(proved(clause, demands, reached, facts, words(clause, worst)))
    return found
