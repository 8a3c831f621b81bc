"""One candidate for a repair tried: exact limits, then certificates found before, then new ones.

Certificates hold tangents and multipliers only, so one found for a trade nearby can be tried as it
is; and a scenario that was too bad for one trade is tried on the next. Only what neither decides
goes to the linear program. A trial is a step of a search: what a search ends with is judged again
by the guard, so nothing here has to be believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.band import Band
from agent_fund.guard.cases import TooManyCasesError, cases
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.limits import pre_trade
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import Obligation, Role, obligations
from agent_fund.guard.proof import Proof, Trading, checked, trading_of, worst_of
from agent_fund.guard.repair.points import Points, Vector, active_at, value_at
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.search.finder import Finder, Point
from agent_fund.guard.verdict import Situation

FAULTS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError)
"""What a broken or lying finder may raise; whatever it is, nothing has been proved."""

MEMORY = 4
"""Certificates and scenarios of so many trades are tried on the next."""

CLIMBS = 3
"""Steps from a bad scenario to a worse one, each a linear program, before trees are searched."""

Shape: TypeAlias = tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Compiled:
    """What a trade has to prove: its forms, and what trading can do."""

    every: tuple[Obligation, ...]
    trading: Trading

    @property
    def shape(self) -> Shape:
        """What certificates of another trade must match to be tried on this one."""
        return tuple((o.role.value, o.about, len(o.form.hinges)) for o in self.every)


@dataclass(frozen=True)
class Trial:
    """What came of one candidate.

    Attributes:
        broken: the exact limits that it breaks; then no certificate was looked for.
        points: where it is worst; empty if the finder said nothing that makes sense.
        values: what its forms are there, or more if all that a search proved is more.
        proof: what shows it to be Safe.
    """

    proposal: Proposal
    broken: tuple[str, ...]
    compiled: Compiled | None = None
    points: Points = ()
    values: tuple[int, ...] = ()
    proof: Proof | None = None

    @property
    def passes(self) -> bool:
        """Whether it may be sent, as far as a trial can tell."""
        return self.proof is not None and not self.broken


class Trials:
    """Tries sizes of one proposal in one situation; remembers what it finds.

    Args:
        band: the prices at which a proposal is judged.
        safe: whether bounds are Safe in ``situation``.
        room: the largest loss that would be Safe with the rest of some bounds.
        demanded: the stressed clauses of the mandate that a proposal breaks.
        last: the obligations of a proposal in a situation, if they are known.
    """

    def __init__(
        self,
        mandate: ResolvedMandate,
        situation: Situation,
        finder: Finder,
        band: Callable[[Proposal], Band],
        safe: Callable[[Bounds], bool],
        room: Callable[[Bounds], int],
        demanded: Callable[[Proposal], tuple[str, ...]],
        last: tuple[Proposal, Situation, Sequence[Obligation]] | None,
    ) -> None:
        self.mandate = mandate
        self.situation = situation
        self._finder = finder
        self._band = band
        self._safe = safe
        self._room = room
        self._demanded = demanded
        self._last = last
        box = np.array(mandate.stress.kernel.box, dtype=np.float64).reshape(-1, 2) / SCALE
        self._low, self._high = box[:, 0], box[:, 1]
        self._proofs: list[tuple[Shape, Proof]] = []
        self._points: list[tuple[Shape, Points]] = []
        self._tried: dict[tuple[tuple[str, int], ...], Trial] = {}

    def compiled(self, proposal: Proposal, *, alone: bool = False) -> Compiled | None:
        """The forms of ``proposal`` and the bounds of its trading; None if it has none.

        Args:
            alone: in a book that holds nothing but instruments it trades.
        """
        book = self.situation.book
        if alone:
            traded = {leg.instrument.symbol for leg in proposal.legs}
            book = replace(book, positions={s: q for s, q in book.positions.items() if s in traded})
        try:
            return self._compiled(proposal, book)
        except FAULTS:
            return None

    def _compiled(self, proposal: Proposal, book: Book) -> Compiled:
        band, last = self._band(proposal), self._last
        if last and last[0] is proposal and last[1] is self.situation and book is last[1].book:
            every = tuple(last[2])
        else:
            every = obligations(self.mandate, book, proposal, band)
        return Compiled(every, trading_of(self.mandate, book, proposal, band))

    def broken(self, proposal: Proposal, only: Collection[str] | None = None) -> tuple[str, ...]:
        """The limits that ``proposal`` breaks, by name; those that are proved aside.

        Args:
            only: guardrails and clauses to ask, stressed ones too; what the accounts allow is
                always asked. None: all that are exact.
        """
        mandate = self.mandate
        if only is not None:
            asked = tuple(g for g in mandate.guardrails if g.key in only or g.kind in only)
            clauses = tuple(clause for clause in mandate.clauses if clause.name in only)
            mandate = replace(mandate, guardrails=asked, clauses=clauses)
        try:
            every = cases(self.situation.book, proposal)
        except TooManyCasesError:
            return ("cases",)
        found = pre_trade(mandate, every, self.situation, proposal)
        broken = tuple(finding.guardrail for finding in found if not finding.holds)
        if only is None or not any(clause.stressed for clause in mandate.clauses):
            return broken
        return broken + self._demanded(proposal)

    def attempt(self, proposal: Proposal) -> Trial:
        """Whether ``proposal`` may be sent, and if not, why; asked again, the same trial."""
        sizes = tuple((leg.instrument.symbol, leg.quantity) for leg in proposal.legs)
        if sizes not in self._tried:
            self._tried[sizes] = self._judged(proposal)
        return self._tried[sizes]

    def _judged(self, proposal: Proposal) -> Trial:
        broken = self.broken(proposal)
        if broken:
            return Trial(proposal, broken)
        try:
            trial = self._attempt(proposal)
            return replace(trial, broken=self._demanded(proposal)) if trial.proof else trial
        except FAULTS:
            return Trial(proposal, ())

    def _attempt(self, proposal: Proposal) -> Trial:
        compiled = self._compiled(proposal, self.situation.book)
        every, shape = compiled.every, compiled.shape
        for other, proof in self._proofs:
            if other == shape and self._proves(compiled, proof):
                return Trial(proposal, (), compiled, proof=proof)
        for other, points in self._points:
            if other == shape and not self._bounded(compiled, values := self._at(every, points)):
                return Trial(proposal, (), compiled, points, values)
        leaves = [self._finder.leaf(obligation.form) for obligation in every]
        proof = Proof(tuple(leaf for leaf, _ in leaves))
        points = tuple(self._vector(point) for _, point in leaves)
        proved = checked(self.mandate, every, proof)
        values = tuple(proved)
        if not self._bounded(compiled, proved):
            points, values = self._climbed(compiled, points)
            if self._bounded(compiled, values):
                proof, points = self._split(compiled, proof, points)
                proved = checked(self.mandate, every, proof)
                values = self._at(every, points)
        if self._bounded(compiled, proved):
            self._proofs = [(shape, proof), *self._proofs][:MEMORY]
            return Trial(proposal, (), compiled, proof=proof)
        self._points = [(shape, points), *self._points][:MEMORY]
        # What is possible and not proved counts as bad as it could be.
        worst = tuple(proved) if self._bounded(compiled, values) else values
        return Trial(proposal, (), compiled, points, worst)

    def _climbed(self, compiled: Compiled, points: Points) -> tuple[Points, tuple[int, ...]]:
        """Points at which losses and shortfalls are worse, and the values there.

        From a point, the worst one for the pieces of the form that are active there; as long as
        nothing shows the trade to be bad, and a point gives way to a worse one.
        """
        every, found = compiled.every, list(points)
        values = list(self._at(every, points))
        for number, obligation in enumerate(every):
            if obligation.role is Role.GAIN or not obligation.form.hinges:
                continue
            for _ in range(CLIMBS):
                if not self._bounded(compiled, values):
                    return tuple(found), tuple(values)
                active = active_at(obligation.form, found[number])
                point = self._vector(self._finder.leaf(active)[1])
                value = math.floor(value_at(obligation.form, point))
                if value <= values[number]:
                    break
                found[number], values[number] = point, value
        return tuple(found), tuple(values)

    def _split(self, compiled: Compiled, proof: Proof, points: Points) -> tuple[Proof, Points]:
        """Trees in place of leaves that are too loose, and the points that their search ended at.

        As the guard will search for them; of the gain it takes a leaf, unless there is none at all.
        """
        every, trees, found = compiled.every, list(proof.certificates), list(points)
        for role in (Role.MARGIN, Role.LOSS):
            proved = checked(self.mandate, every, Proof(tuple(trees)))
            room = 0
            if role is Role.LOSS:
                room = self._room(worst_of(every, proved, compiled.trading))
            for number, obligation in enumerate(every):
                loose = obligation.form.hinges and proved[number] > room
                if obligation.role is role and loose:
                    tree = self._finder.bound(obligation.form, target=room)
                    trees[number] = tree.certificate
                    found[number] = self._vector(tree.point)
        return Proof(tuple(trees)), tuple(found)

    def _proves(self, compiled: Compiled, proof: Proof) -> bool:
        """Whether ``proof`` shows the trade to be Safe."""
        return self._bounded(compiled, checked(self.mandate, compiled.every, proof))

    def _bounded(self, compiled: Compiled, values: Sequence[int]) -> bool:
        """Whether the trade is Safe if ``values`` bound its forms."""
        return self._safe(worst_of(compiled.every, values, compiled.trading))

    def _at(self, every: Sequence[Obligation], points: Points) -> tuple[int, ...]:
        """The forms at their points, about; no certificate bounds them by less.

        Of the gain one leaf is all that a search proves, unless there is none at all.
        """
        box = self.mandate.stress.kernel.box
        return tuple(
            math.floor(value_at(o.form, point, box if o.role is Role.GAIN else None))
            for o, point in zip(every, points, strict=True)
        )

    def _vector(self, point: Point) -> Vector:
        """A point as the finder gave it, inside the box.

        Raises:
            ValueError: if it is none.
        """
        vector = np.array(point, dtype=np.float64)
        if vector.shape != self._low.shape or not np.isfinite(vector).all():
            raise ValueError(f"{point!r} is no point of {len(self._low)} drivers")
        inside: Vector = np.minimum(np.maximum(vector, self._low), self._high)
        return inside
