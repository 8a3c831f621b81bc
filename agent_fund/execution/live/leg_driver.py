"""The order in which things happen to every leg that leaves the house: intent, bytes, sending.

The intent is written before the bytes are decided, both are durable before they leave, and what a
venue says before the fund is told of it. After a crash each leg is found at one of these points:
without bytes it never left; with bytes they may have left, and the same bytes may be sent again. A
leg whose deadline has passed is never begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore, StoredLeg

T = TypeVar("T")
Ask = Callable[[Prepared], Coroutine[Any, Any, Report]]
FAULTS = (Exception,)
"""What an adapter may raise: it is code around libraries of others and answers of strangers, and
whatever comes out of it is a doubt with an alarm, never the end of the run and never a success."""

_WAITING = (LegState.PENDING, LegState.UNKNOWN, LegState.SUBMITTED)


class Run(Protocol):
    """Runs a coroutine to its end, as ``asyncio.Runner.run`` does."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T:
        """What the coroutine returns."""


class Sender(Protocol):
    """What adapters and carriers have in common."""

    async def submit(self, prepared: Prepared) -> Report:
        """Send the bytes, or send them again."""

    async def status(self, prepared: Prepared) -> Report:
        """What became of it."""

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same leg with a higher fee, in the place of the first."""


@runtime_checkable
class Restoring(Protocol):
    """A sender that holds something for its legs while they are under way, such as nonces."""

    async def restore(self, prepared: Sequence[Prepared]) -> None:
        """Take up the legs of an earlier process that have not ended, before anything else."""


class LegDriver:
    """Drives the legs at one venue, or of one carrier.

    Args:
        name: under which the legs are kept.
        now: Unix seconds. ``patience``: seconds after which a leg that nobody has seen is sent
            again, the same bytes, and one that no block took is bumped.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        legs: LegStore,
        run: Run,
        now: Callable[[], int],
        patience: int = 30,
    ) -> None:
        self.name = name
        self._sender = sender
        self._legs = legs
        self._run = run
        self._now = now
        self._patience = patience
        self._sent: dict[str, int] = {}
        self._unwanted: dict[str, Ask] = {}

    def begin(
        self,
        leg_id: str,
        request: Mapping[str, Any],
        deadline: int,
        prepare: Callable[[], Coroutine[Any, Any, Prepared]],
    ) -> StoredLeg:
        """Begin a leg, or go on with one that a crash left; as it stands then.

        Args:
            deadline: Unix seconds after which it is not begun.
        """
        if self._legs.knows(leg_id):
            return self._again(self._legs.leg(leg_id))
        self._legs.open_leg(leg_id, self.name, request, deadline)
        if self._now() >= deadline:
            return self._refused(leg_id, "its deadline had passed before anything was sent")
        try:
            prepared = self._run(prepare())
        except FAULTS as error:
            return self._refused(leg_id, _words(error))
        self._legs.keep(prepared)
        return self._submit(prepared)

    def restore(self) -> None:
        """At a start, for every driver before any ``wake``: what legs hold is taken up again."""
        under_way = [leg.prepared for leg in self._legs.working(self.name)]
        held = [prepared for prepared in under_way if prepared is not None]
        if not held or not isinstance(self._sender, Restoring):
            return
        try:
            self._run(self._sender.restore(held))
        except FAULTS as error:
            for prepared in held:
                self._legs.doubt(self.name, prepared.leg_id, f"not taken up: {_words(error)}")

    def wake(self) -> None:
        """At a start: send again what may never have left, and ask after everything else."""
        for leg in self._legs.working(self.name):
            if leg.prepared is not None:
                self._again(leg)

    def overdue(self, deadline: int, seconds: int) -> bool:
        """Whether ``deadline`` (Unix seconds) passed so long ago."""
        return self._now() >= deadline + seconds

    def unwant(self, leg_id: str, cancel: Ask) -> None:
        """From now on nothing more shall come of a leg: it is never sent again, only cancelled."""
        self._unwanted[leg_id] = cancel
        self._sent[leg_id] = 0

    def cancel(self, prepared: Prepared) -> StoredLeg:
        """Ask that nothing more comes of an unwanted leg; the leg as it stands then."""
        self._sent[prepared.leg_id] = self._now()
        return self.take(self._run(self._told(prepared, self._unwanted[prepared.leg_id])))

    def insist(self) -> None:
        """Cancel every unwanted leg again that has not ended: an answer may have been lost."""
        for leg in self._legs.working(self.name):
            if leg.leg_id in self._unwanted and leg.prepared is not None:
                self.cancel(leg.prepared)

    def ask(self) -> None:
        """Ask what became of every leg that has not ended."""
        asked = [leg.prepared for leg in self._legs.working(self.name) if leg.prepared is not None]
        if not asked:
            return
        reports = self._run(self._statuses(asked))
        for report in reports:
            self._legs.take(self.name, report)

    def tend(self) -> None:
        """Between bars: ask; send again what nobody has seen, with a higher fee if it waits.

        What is unwanted is cancelled again instead, whether its deadline has passed or not.
        """
        self.ask()
        now = self._now()
        for leg in self._legs.working(self.name):
            prepared = leg.prepared
            if prepared is None or leg.state not in _WAITING:
                continue
            since = self._sent.setdefault(leg.leg_id, now)
            if now - since < self._patience:
                continue
            if leg.leg_id in self._unwanted:
                self.cancel(prepared)
                continue
            if leg.deadline and now >= leg.deadline:
                continue
            if leg.state is LegState.SUBMITTED:
                prepared = self._bumped(prepared)
            self._submit(prepared)

    def take(self, report: Report) -> StoredLeg:
        """Take a report over; the leg as it stands then."""
        self._legs.take(self.name, report)
        return self._legs.leg(report.leg_id)

    def _again(self, leg: StoredLeg) -> StoredLeg:
        if leg.state.ended:
            return leg
        prepared = leg.prepared
        if prepared is None:
            return self._refused(leg.leg_id, "a crash came before its bytes were decided")
        late = leg.leg_id in self._unwanted or (leg.deadline and self._now() >= leg.deadline)
        if leg.state is LegState.PENDING and not late:
            return self._submit(prepared)
        return self.take(self._run(self._told(prepared, self._sender.status)))

    def _bumped(self, prepared: Prepared) -> Prepared:
        """With a higher fee if there is such a thing, and durable; else the same bytes."""
        try:
            higher = self._run(self._sender.bump(prepared))
        except FAULTS as error:
            self._legs.doubt(self.name, prepared.leg_id, f"no higher fee: {_words(error)}")
            return prepared
        if higher is None:
            return prepared
        self._legs.keep(higher)
        return higher

    def _submit(self, prepared: Prepared) -> StoredLeg:
        self._sent[prepared.leg_id] = self._now()
        return self.take(self._run(self._told(prepared, self._sender.submit)))

    def _refused(self, leg_id: str, why: str) -> StoredLeg:
        return self.take(Report(leg_id, LegState.REJECTED, detail=why))

    async def _statuses(self, asked: Sequence[Prepared]) -> list[Report]:
        return await asyncio.gather(*(self._told(p, self._sender.status) for p in asked))

    async def _told(self, prepared: Prepared, ask: Ask) -> Report:
        """What the venue says; a failure of its adapter is a doubt, and never ends the run."""
        try:
            return await ask(prepared)
        except FAULTS as error:
            text = f"its adapter failed: {_words(error)}"
            self._legs.doubt(self.name, prepared.leg_id, text)
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=text)


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, ExecutionError) else f"{type(error).__name__}: {error}"
