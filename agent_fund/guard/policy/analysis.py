"""What each guardrail of a mandate adds to the others, and whether they leave anything to do.

never     no fund satisfies it
dead      it admits no order, or no position: nothing but holding
vacuous   no book and no order can break it
implied   the others imply it: without it the mandate admits the same
binds     it refuses a book that all others admit, which is shown
proved    it is about what the guard proves of a book; whether it is implied is not asked
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from agent_fund.guard.language.expression import (
    AtMost,
    Expression,
    Leaf,
    Number,
    leaves,
)
from agent_fund.guard.language.solvers import SOLVERS, Solver
from agent_fund.guard.policy.asking import Asking, Reply
from agent_fund.guard.policy.proved import Proved
from agent_fund.guard.policy.sayable import RANGES
from agent_fund.guard.policy.statements import Statement, statements
from agent_fund.guard.policy.subject import Subject
from agent_fund.guard.policy.unknowns import (
    MESSAGES,
    REPEATED,
    facts,
    gross,
    sent,
    traded,
)
from agent_fund.guard.stress.stress_set import Stress

Standing = Literal[
    "never", "dead", "vacuous", "implied", "binds", "proved", "unknown", "not compared"
]
FINDINGS: frozenset[Standing] = frozenset({"never", "dead", "vacuous", "implied", "unknown"})


@dataclass(frozen=True)
class Judged:
    """Where one guardrail stands.

    Attributes:
        reason: in words.
        by: the guardrails that imply it, as few as were found.
        book: that it refuses and all others admit, if it binds.
    """

    guardrail: str
    standing: Standing
    reason: str
    by: tuple[str, ...] = ()
    book: Mapping[Leaf, Fraction] = field(default_factory=dict)


@dataclass(frozen=True)
class Analysis:
    """All of a mandate.

    Attributes:
        consistent: whether a book with a position and an order is admitted; None if not settled.
        conflict: guardrails that together admit none, as few as were found.
        book: one that is admitted, with an order where orders are limited.
    """

    judged: tuple[Judged, ...]
    consistent: bool | None
    conflict: tuple[str, ...]
    book: Mapping[Leaf, Fraction]

    @property
    def findings(self) -> bool:
        """Whether there is anything to mend or to look at."""
        return self.consistent is not True or any(j.standing in FINDINGS for j in self.judged)


def analyse(subject: Subject, solvers: tuple[Solver, ...] = SOLVERS) -> Analysis:
    """Ask of every guardrail where it stands.

    Raises:
        SolverMissingError: if a solver is not installed.
    """
    said = statements(subject)
    return _Questions(subject, said, solvers).analysis()


def asking(
    subject: Subject, said: Sequence[Statement], solvers: tuple[Solver, ...] = SOLVERS
) -> Asking:
    """The solvers with every fact of ``subject`` that ``said`` needs."""
    asked = [relation for statement in said for relation in statement.relations]
    proved = None
    if isinstance(subject.stress, Stress):
        symbols = tuple(
            s
            for s, line in sorted(subject.instruments.items())
            if s in subject.stress.instruments and line.kind not in RANGES
        )
        proved = Proved(subject.stress, subject.costs, symbols)
    known = facts(subject.instruments, asked, known=subject.known)
    return Asking(known, proved, solvers)


class _Questions:
    """The questions about one mandate."""

    def __init__(
        self, subject: Subject, said: Sequence[Statement], solvers: tuple[Solver, ...]
    ) -> None:
        self._said = said
        self._compared = [s for s in said if s.relations]
        self._ask = asking(subject, said, solvers)
        self._position = gross(subject.instruments)
        named = {leaf for s in said for r in s.relations for leaf in leaves(r)}
        counted = {MESSAGES, REPEATED} & named
        trades = counted or traded(named, subject.instruments)
        self._order = (sent(subject.instruments),) if trades else ()
        # An order is one message at least, and one of its instrument and side.
        self._ordered = [AtMost(Number(Fraction(1)), each) for each in sorted(counted, key=repr)]

    def analysis(self) -> Analysis:
        """All of them."""
        whole = self._something(self._compared)
        conflict: tuple[str, ...] = ()
        if whole.verdict == "unsat":
            conflict = _fewest(self._compared, self._something)
        consistent = {"sat": True, "unsat": False}.get(whole.verdict)
        return Analysis(tuple(map(self._judged, self._said)), consistent, conflict, whole.book)

    def _something(self, kept: Sequence[Statement], opinions: int | None = None) -> Reply:
        """A book with a position, and with an order if orders are limited."""
        some = (self._position, *self._order)
        return self._ask.book([*_all(kept), *self._ordered], some=some, opinions=opinions)

    def _judged(self, one: Statement) -> Judged:
        if one.reason:
            return Judged(one.name, "not compared", one.reason)
        if not one.relations:
            return Judged(one.name, "vacuous", "it says nothing of these instruments")
        alone = self._alone(one)
        if alone is not None:
            return alone
        if one.proved:
            reason = "of every trade, over the stress set; whether the others imply it is not asked"
            return Judged(one.name, "proved", reason)
        others = [s for s in self._compared if s is not one]

        def breaking(kept: Sequence[Statement], opinions: int | None) -> Reply:
            return self._ask.book(_all(kept), breaking=one.relations, opinions=opinions)

        reply = self._ask.plain_book(_all(others), one.relations)
        if reply.verdict == "sat":
            reason = "it alone refuses"
            return Judged(one.name, "binds", reason, book=reply.book)
        if reply.verdict == "unknown":
            return Judged(one.name, "unknown", reply.reason)
        by = _fewest(others, breaking)
        if not by:
            return Judged(one.name, "vacuous", "no book and no order can break it")
        reason = "without it the mandate admits the same"
        return Judged(one.name, "implied", reason, by)

    def _alone(self, one: Statement) -> Judged | None:
        """What is wrong with it whatever the others say."""
        questions: list[tuple[Standing, str, Sequence[AtMost], Sequence[Expression]]] = [
            ("never", "no fund satisfies it", (), ()),
            ("dead", "it admits no position but none", (), (self._position,)),
        ]
        if self._order:
            questions.append(("dead", "it admits no order", self._ordered, self._order))
        for standing, reason, besides, some in questions:
            reply = self._ask.book([*one.relations, *besides], some=some)
            if reply.verdict == "unsat":
                return Judged(one.name, standing, reason)
            if reply.verdict == "unknown":
                return Judged(one.name, "unknown", reply.reason)
        return None


def _all(kept: Sequence[Statement]) -> list[AtMost]:
    return [relation for statement in kept for relation in statement.relations]


def _fewest(
    every: Sequence[Statement], question: Callable[[Sequence[Statement], int | None], Reply]
) -> tuple[str, ...]:
    """Names of so few of ``every``, of which ``question`` is *unsat*, that all solvers say so."""
    kept = list(every)
    for one in every:
        fewer = [s for s in kept if s is not one]
        if question(fewer, 1).verdict == "unsat":
            kept = fewer
    agreed = question(kept, None).verdict == "unsat"
    return tuple(s.name for s in (kept if agreed else every))
