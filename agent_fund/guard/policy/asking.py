"""One question to two solvers: is there a book, with its orders, of which all of this holds?

*Sat* rests on neither: the book is evaluated exactly, by the language's own evaluator, before it is
shown. *Unsat* is said only if every solver says so. Whatever else happens is *unknown*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.guard.language.expression import ZERO, AtMost, Both, Expression, Leaf
from agent_fund.guard.language.smtlib import Script
from agent_fund.guard.language.solvers import SOLVERS, Answer, Solver, Verdict, ask
from agent_fund.guard.policy.proved import Proved
from agent_fund.guard.policy.unknowns import Facts

MILLISECONDS = 10_000
"""For one question to one solver."""

MOST_LOOKS = 64
"""Books of one question that may turn out to lose more than they were given."""


@dataclass(frozen=True)
class Reply:
    """What is known of a question.

    Attributes:
        book: if ``sat``, what every unknown is worth.
        reason: why it is ``unknown``.
    """

    verdict: Verdict
    book: Mapping[Leaf, Fraction] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Asking:
    """The solvers, and what is always a fact.

    Attributes:
        proved: what a resolved stress set says; None if there is none.
    """

    facts: Facts
    proved: Proved | None = None
    solvers: tuple[Solver, ...] = SOLVERS

    def book(
        self,
        holding: Iterable[AtMost],
        *,
        breaking: Sequence[AtMost] = (),
        some: Iterable[Expression] = (),
        opinions: int | None = None,
    ) -> Reply:
        """A book of which all of ``holding`` holds.

        Args:
            breaking: not all of these hold, if there are any.
            some: terms that are above zero.
            opinions: how many solvers have to say *unsat*; all of them if None.
        """
        wanted, above = tuple(holding), (*self.facts.positive, *some)
        for _ in range(MOST_LOOKS):
            known = () if self.proved is None else self.proved.facts
            script = Script()
            for relation in (*self.facts.hold, *known, *wanted):
                script.assume(relation)
            for term in above:
                script.deny(AtMost(term, ZERO))
            if breaking:
                script.deny(Both(tuple(breaking)) if len(breaking) > 1 else breaking[0])
            reply = _asked(script, self.solvers[:opinions])
            if reply.verdict != "sat" or self.proved is None or self.proved.look(reply.book):
                return reply
        return Reply("unknown", reason=f"not settled by {MOST_LOOKS} scenarios")

    def plain_book(self, holding: Sequence[AtMost], breaking: Sequence[AtMost]) -> Reply:
        """A book that is easy to read if there is one: without orders, or without concessions."""
        for plain in self.facts.plain:
            reply = self.book([*holding, *plain], breaking=breaking, opinions=1)
            if reply.verdict == "sat":
                return reply
        return self.book(holding, breaking=breaking)


def _asked(script: Script, solvers: Sequence[Solver]) -> Reply:
    answers: list[Answer] = []
    for solver in solvers:
        answer = ask(script, solver, milliseconds=MILLISECONDS)
        if answer.verdict == "sat":
            return Reply("sat", answer.model)
        answers.append(answer)
    if all(answer.verdict == "unsat" for answer in answers):
        return Reply("unsat")
    said = ", ".join(f"{a.solver}: {a.reason or a.verdict}" for a in answers)
    return Reply("unknown", reason=said)
