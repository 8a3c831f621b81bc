"""The guard's look at every bar: the book held is certified, else reduced, else closed.

A certificate in force that covers this very book at these prices is enough. On the way out nothing
new is sent while an order of it is open, and what is not confirmed as cancelled may still fill:
nothing is closed beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Purpose
from agent_fund.fund.state import FundState
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding
from agent_fund.guard.machine import Bounds, Mode
from agent_fund.guard.reduction import reduction
from agent_fund.guard.verdict import Situation
from agent_fund.guard.wayout import closing


class GuardedFund(FundState):
    """A fund and the guard that looks at it; ``_guard`` is None behind an open gate."""

    _guard: Guard | None
    _watchful: bool

    def _look(self, bar: int, closes: tuple[int, ...]) -> None:
        machine = self.machine
        if machine.mode is Mode.ACTIVE:
            bounds = self._covered(bar, closes)
            watched = bounds is not None and (not self._watchful or self._holds())
            if bounds is not None and watched and machine.try_decide(bounds):
                self._anchor, self._anchor_bar = closes, bar
            elif not self._recertify():
                self._reduce()
        elif self._orders.any_open:
            return  # on the way out, inside the horizon of the last decision
        elif machine.killed:
            if self._holdings.flat:
                self._journal.mode("done", self.situation(), "flat")
                machine.done(flat=True)
            else:
                self._exit()
        elif not self._recertify():
            if machine.mode is Mode.REDUCING:
                machine.exit()
            self._exit()

    def _holds(self) -> bool:
        """Whether the limits marked ``always`` hold at this close too."""
        return self._require_guard().holds(self.situation())

    def _covered(self, bar: int, closes: tuple[int, ...]) -> Bounds | None:
        """The bounds in force, if their certificate covers this very book at these prices."""
        certified = self._certified
        if not self._covering or certified is None or bar > certified.until:
            return None
        for column, low, high in self._band:
            if not low <= closes[column] <= high:
                return None
        return certified.bounds

    def _recertify(self) -> bool:
        """Certify the held book anew, if that is Safe."""
        situation = self.situation()
        certified = self._gate.look(situation)
        if certified is None:
            return False
        self._journal.look(certified, situation)
        self._accept(certified, covering=True)
        return True

    def _reduce(self) -> None:
        """The held book is no longer Safe: cancel, then close the same fraction of every leg."""
        guard = self._require_guard()
        if self._orders.any_open:
            self._orders.cancel(self._bar)
            if self._recertify():
                return  # without its open orders the book is Safe
            if self._orders.any_open:
                return  # what is not confirmed as cancelled may fill: nothing is closed beside it
        situation = self.situation()
        why, fraction = guard.explain(situation), reduction(guard, situation)
        self.machine.reduce()
        self._leave(Purpose.REDUCE, fraction, situation, why)

    def _exit(self) -> None:
        """On to flat: close every position, at limits that fill anywhere inside the set."""
        guard, situation = self._require_guard(), self.situation()
        why = None if self.machine.killed else guard.explain(situation)
        self._leave(Purpose.EXIT, Fraction(1), situation, why)

    def _leave(
        self, purpose: Purpose, fraction: Fraction, situation: Situation, why: Finding | None
    ) -> None:
        mandate = self._require_guard().mandate
        proposal = closing(mandate, situation, fraction, self._anchor_prices())
        guard = self._journal.way_out(purpose.value, situation, fraction, proposal, why)
        if proposal.legs:
            leaf = self._journal.recorder.leaf_hash(guard)
            marks = self._named(self._closes)
            self._orders.send(proposal, purpose, guard, self._bar, leaf, marks)
            self._covering = False

    def _require_guard(self) -> Guard:
        if self._guard is None:
            raise DomainError("way out", "unguarded", "only a guard reduces or exits")
        return self._guard

    def _anchor_prices(self) -> Mapping[str, int]:
        if self._anchor is None:
            raise DomainError("anchor", None, "a way out follows an accepted decision")
        return self._named(self._anchor)
