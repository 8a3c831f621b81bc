"""Real carriers as the desk knows them: each transfer is a leg, and its end is told once.

A carrier that cannot begin gives the money back at once: nothing had left. A transfer that is
refunded comes back to its source; one that is stuck stays under way, with an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent_fund.domain.transfer import Arrival, Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Carrier, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore, StoredLeg
from agent_fund.execution.live.tape import Answer, Tape

NAME = "carriage"
_HOME = (LegState.REFUNDED, LegState.REJECTED, LegState.CANCELED)


class LiveCarriage:
    """The carriers of one fund; the first that serves a pair of places carries there.

    Args:
        carriers: each with the driver of its legs.
        deadline: of a transfer begun at the close of a bar, Unix seconds.

    Attributes:
        halted: whether operators have halted the fund; then nothing begins.
    """

    def __init__(
        self,
        carriers: Sequence[tuple[Carrier, LegDriver]],
        legs: LegStore,
        tape: Tape,
        alarms: Alarms,
        deadline: Callable[[int], int],
    ) -> None:
        self._carriers = list(carriers)
        self._legs = legs
        self._tape = tape
        self._alarms = alarms
        self._deadline = deadline
        self._admitted: dict[str, tuple[Transit, int]] = {}
        self._recorded = iter(tape.answers(NAME))
        self._next = next(self._recorded, None)
        self.halted: Callable[[], bool] = lambda: False

    @property
    def replaying(self) -> bool:
        """Whether the tape still has an answer to give."""
        return self._next is not None

    def carrier(self, source: str, target: str) -> Carrier | None:
        """The carrier that serves this pair of places, if there is one."""
        found = self._serving(source, target)
        return None if found is None else found[0]

    def admitted(self, transfer_id: str) -> tuple[Transit, int] | None:
        """A transfer that the desk has begun, and its deadline; None for any other."""
        return self._admitted.get(transfer_id)

    def send(self, transit: Transit, bar: int) -> None:
        """Begin to carry what the ledger has just booked as under way."""
        recorded = self._next
        if recorded is not None:
            if (recorded.call, recorded.bar, recorded.key) != ("send", bar, transit.transfer_id):
                raise _changed(recorded, ("send", bar, transit.transfer_id))
            self._next = next(self._recorded, None)
            return
        self._begin(transit, bar)
        self._tape.answer(Answer(NAME, "send", bar, transit.transfer_id, []))

    def arrived(self, under_way: Sequence[Transit], bar: int) -> list[Arrival]:
        """Those of ``under_way`` that have ended by the open of ``bar``, in the same order."""
        recorded = self._next
        if recorded is not None:
            if (recorded.call, recorded.bar) != ("open", bar):
                raise _changed(recorded, ("open", bar))
            self._next = next(self._recorded, None)
            told = recorded.body
        else:
            self.tend()
            told = self._ended(under_way)
            self._tape.answer(Answer(NAME, "open", bar, "", told))
        by_id = {transit.transfer_id: transit for transit in under_way}
        return [Arrival(by_id[name], int(received), home) for name, received, home in told]

    def tend(self) -> None:
        """Between bars: keep what is under way moving."""
        if not self.replaying:
            for _, driver in self._carriers:
                driver.tend()

    def _serving(self, source: str, target: str) -> tuple[Carrier, LegDriver] | None:
        return next((c for c in self._carriers if c[0].carries(source, target)), None)

    def _begin(self, transit: Transit, bar: int) -> None:
        transfer = transit.transfer
        found = self._serving(transfer.source, transfer.target)
        leg_id, deadline = transit.transfer_id, self._deadline(bar)
        self._admitted[leg_id] = (transit, deadline)
        if found is None:
            # Nothing serves this pair: a leg that is refused at once gives the money back.
            if not self._legs.knows(leg_id):
                self._legs.open_leg(leg_id, NAME, transfer_request(transit, bar), deadline)
            self._alarms.raise_alarm(
                NAME, leg_id, f"no carrier from {transfer.source} to {transfer.target}"
            )
            return
        carrier, driver = found
        frozen = [
            name
            for name in (carrier.name, transfer.source, transfer.target)
            if self._alarms.frozen(name)
        ]
        why = f"an alarm about {', '.join(frozen)} is open" if frozen else ""
        why = why or ("operators have halted the fund" if self.halted() else "")
        if why and not self._legs.knows(leg_id):
            self._legs.open_leg(leg_id, carrier.name, transfer_request(transit, bar), deadline)
            self._legs.take(carrier.name, Report(leg_id, LegState.REJECTED, detail=why))
            return
        least = transfer.amount - transfer.cost
        driver.begin(
            leg_id,
            transfer_request(transit, bar),
            deadline,
            lambda: carrier.prepare(transit, least, deadline),
        )

    def _ended(self, under_way: Sequence[Transit]) -> list[list[Any]]:
        told: list[list[Any]] = []
        for transit in under_way:
            if not self._legs.knows(transit.transfer_id):
                continue
            leg = self._legs.leg(transit.transfer_id)
            if leg.state in _HOME or leg.venue == NAME:
                told.append([leg.leg_id, str(self._amount(leg, transit, home=True)), True])
            elif leg.state is LegState.SETTLED:
                told.append([leg.leg_id, str(self._amount(leg, transit, home=False)), False])
        return told

    def _amount(self, leg: StoredLeg, transit: Transit, *, home: bool) -> int:
        """What is booked: never more than left; too little, and too much, raise an alarm."""
        transfer = transit.transfer
        amount, cost = transfer.amount, transfer.cost
        if leg.received is None or leg.state in (LegState.REJECTED, LegState.CANCELED):
            if not home:
                raise ExecutionError("transfer", leg.leg_id, "a settled one states what arrived")
            return amount
        least = amount if home else amount - cost
        if not least <= leg.received <= amount:
            text = f"{leg.received} came of {amount}, at least {least} was agreed"
            self._alarms.raise_alarm(leg.venue, leg.leg_id, text)
        return min(leg.received, amount)


def transfer_request(transit: Transit, bar: int) -> Mapping[str, Any]:
    """The intent of a transfer in plain JSON values, as it is written ahead."""
    transfer = transit.transfer
    return {
        "kind": "transfer",
        "bar": bar,
        "source": transfer.source,
        "target": transfer.target,
        "amount": str(transfer.amount),
        "cost": str(transfer.cost),
    }


def _changed(recorded: Answer, asked: object) -> ExecutionError:
    return ExecutionError(
        f"tape of {NAME}",
        (recorded.call, recorded.bar, recorded.key),
        f"the run made again asks {asked}: its inputs or code have changed",
    )
