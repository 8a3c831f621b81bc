"""What one mandate admits and another does not: a book as a witness, or none.

Asked of a book and its orders over the instruments of both mandates. What is proved of a book is
compared if both prove it over one stress set and with one bound of costs; else the bounds are two,
and what is proved is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.guard.language.expression import Leaf
from agent_fund.guard.language.solvers import SOLVERS, Solver, Verdict
from agent_fund.guard.policy.analysis import asking
from agent_fund.guard.policy.statements import statements
from agent_fund.guard.policy.subject import Subject


@dataclass(frozen=True)
class Refusal:
    """Whether a guardrail refuses something that the other mandate admits.

    Attributes:
        verdict: ``sat`` if it does, ``unsat`` if it does not.
        book: that it refuses.
        reason: why it is not known.
    """

    guardrail: str
    verdict: Verdict
    book: Mapping[Leaf, Fraction] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Beyond:
    """What ``admits`` admits and ``refuses`` does not.

    Attributes:
        refusals: of each guardrail of the latter that could be asked about.
        not_compared: its other guardrails, with the reason, but for those that both share.
    """

    admits: str
    refuses: str
    refusals: tuple[Refusal, ...]
    not_compared: Mapping[str, str]

    @property
    def found(self) -> tuple[Refusal, ...]:
        """Those with a witness."""
        return tuple(r for r in self.refusals if r.verdict == "sat")

    @property
    def settled(self) -> bool:
        """Whether every guardrail was compared, and every question answered."""
        return not self.not_compared and all(r.verdict != "unknown" for r in self.refusals)


def difference(
    first: Subject, second: Subject, solvers: tuple[Solver, ...] = SOLVERS
) -> tuple[Beyond, Beyond]:
    """What ``first`` admits beyond ``second``, and the other way round.

    Raises:
        SolverMissingError: if a solver is not installed.
    """
    both = {**second.instruments, **first.instruments}
    if first.known != second.known:
        both = dict((first if first.known else second).instruments)
    one, other = first.over(both), second.over(both)
    return _beyond(one, other, solvers), _beyond(other, one, solvers)


def _beyond(wide: Subject, narrow: Subject, solvers: tuple[Solver, ...]) -> Beyond:
    admitted, asked = statements(wide), statements(narrow)
    alike = wide.proves_like(narrow)
    shared = _shared(wide, narrow) if alike else set()
    left_out = {s.name: s.reason for s in asked if s.reason and s.name not in shared}
    compared = [s for s in asked if s.relations]
    if not alike:
        reason = "it is proved over another stress set, or with other costs"
        left_out |= {s.name: reason for s in compared if s.proved}
        compared = [s for s in compared if not s.proved]
    ask = asking(wide, (*admitted, *compared), solvers)
    holding = [relation for statement in admitted for relation in statement.relations]
    found = []
    for one in compared:
        reply = ask.plain_book(holding, one.relations)
        found.append(Refusal(one.name, reply.verdict, reply.book, reply.reason))
    return Beyond(wide.name, narrow.name, tuple(found), left_out)


def _shared(first: Subject, second: Subject) -> set[str]:
    """Names of what both mandates state alike, rules and reasons aside."""
    guardrails = {(g.key, g.limit, g.always, *sorted(g.terms.items())) for g in first.guardrails}
    same = {
        g.key
        for g in second.guardrails
        if (g.key, g.limit, g.always, *sorted(g.terms.items())) in guardrails
    }
    clauses = {(c.name, c.always, c.relation) for c in first.clauses}
    return same | {c.name for c in second.clauses if (c.name, c.always, c.relation) in clauses}
