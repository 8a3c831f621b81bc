"""The legs that a live run has begun: written ahead, then what is known of them, and all trades.

A leg's intent and its exact bytes are durable before anything of it leaves. What
a venue reports is taken over only where it fits what is known; what does not fit is a doubt.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Execution, Prepared, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_state import LegState, follows
from agent_fund.execution.live.live_file import LiveFile, to_json

_COLUMNS = "id, venue, request, deadline, state, payload, reference, notes, received, gas, detail"


@dataclass(frozen=True)
class StoredLeg:
    """A leg as the file has it.

    Attributes:
        request: the order or transfer in plain JSON values. ``deadline``: Unix seconds.
        prepared: None until its bytes are decided; then at once durable.
    """

    leg_id: str
    venue: str
    request: Mapping[str, Any]
    deadline: int
    state: LegState
    prepared: Prepared | None
    received: int | None
    gas: int
    detail: str


class LegStore:
    """The legs in one live file.

    Args:
        now: Unix milliseconds, for people: nothing is decided by it.
    """

    def __init__(self, file: LiveFile, alarms: Alarms, now: Callable[[], int]) -> None:
        self._file = file
        self._alarms = alarms
        self._now = now

    def open_leg(self, leg_id: str, venue: str, request: Mapping[str, Any], deadline: int) -> None:
        """Write the intent ahead, on the disk with the bytes at the latest; no id is used twice.

        Raises:
            ExecutionError: if the id is taken.
        """
        try:
            with self._file.transaction(synced=False):
                self._file.execute(
                    "INSERT INTO leg (id, venue, request, deadline, state) VALUES (?, ?, ?, ?, ?)",
                    (leg_id, venue, to_json(request), deadline, LegState.PENDING.value),
                )
                self._note(leg_id, LegState.PENDING, "")
        except sqlite3.IntegrityError as error:
            raise ExecutionError("leg", leg_id, "its intent is written; ask what it came to") from (
                error
            )

    def keep(self, prepared: Prepared) -> None:
        """Keep the bytes that are about to leave, in the place of earlier ones if it is a bump."""
        with self._file.transaction():
            self._file.execute(
                "UPDATE leg SET payload = ?, reference = ?, notes = ?, deadline = ? WHERE id = ?",
                (
                    prepared.payload,
                    prepared.reference,
                    to_json(prepared.notes),
                    prepared.deadline,
                    prepared.leg_id,
                ),
            )
            self._note(prepared.leg_id, self.leg(prepared.leg_id).state, prepared.reference)

    def take(self, venue: str, report: Report) -> LegState:
        """Take over what a venue reports; the state that the leg is in now.

        A step that no leg can make is a doubt: the state becomes UNKNOWN and an alarm is raised.
        So is a final trade that now reads otherwise. An ended leg stays as it ended. It is on the
        disk with the answer that the fund is told of it; what a power cut takes is asked for again.
        """
        with self._file.transaction(synced=False):
            before = self.leg(report.leg_id)
            state, detail = report.state, report.detail
            if wrong := self._contradiction(venue, before.state, report):
                state = before.state if before.state.ended else LegState.UNKNOWN
                detail = wrong
                self._alarms.raise_alarm(venue, report.leg_id, wrong)
            else:
                self._trades(venue, report)
            if state is LegState.STUCK and before.state is not LegState.STUCK:
                self._alarms.raise_alarm(
                    venue, report.leg_id, f"stuck: {detail or 'no fill and no refund'}"
                )
            if state is not before.state or detail != before.detail:
                self._note(report.leg_id, state, detail)
            received = None if report.received is None else str(report.received)
            self._file.execute(
                "UPDATE leg SET state = ?, received = coalesce(?, received), gas = ?, detail = ? "
                "WHERE id = ?",
                (state.value, received, str(max(report.gas, before.gas)), detail, report.leg_id),
            )
            return state

    def settle(self, leg_id: str) -> None:
        """A person has ended the leg: it is asked after no more.

        A person's word is no report, so no step is too large for it. A leg that had ended stays as
        it ended; its history says who did it.
        """
        with self._file.transaction():
            state = self.leg(leg_id).state
            state = state if state.ended else LegState.CANCELED
            detail = "settled by a person"
            self._note(leg_id, state, detail)
            self._file.execute(
                "UPDATE leg SET state = ?, detail = ? WHERE id = ?", (state.value, detail, leg_id)
            )

    def doubt(self, venue: str, leg_id: str, text: str) -> None:
        """Raise an alarm about a leg that is not a report of its venue."""
        self._alarms.raise_alarm(venue, leg_id, text)

    def leg(self, leg_id: str) -> StoredLeg:
        """The leg of that id.

        Raises:
            ExecutionError: if there is none.
        """
        found = self._legs("WHERE id = ?", leg_id)
        if not found:
            raise ExecutionError("leg", leg_id, "this store has no such leg")
        return found[0]

    def knows(self, leg_id: str) -> bool:
        """Whether the intent of that leg was ever written."""
        return bool(self._file.rows("SELECT 1 FROM leg WHERE id = ?", leg_id))

    def working(self, venue: str) -> list[StoredLeg]:
        """The legs at ``venue`` that have not ended, in the order of their intents."""
        return self._legs(
            "WHERE venue = ? AND state NOT IN ('settled', 'refunded', 'canceled', 'rejected') "
            "ORDER BY rowid",
            venue,
        )

    def asked_for(self, wanted: Mapping[str, Any]) -> list[StoredLeg]:
        """The legs whose requests say what ``wanted`` says, in the order of their intents."""
        return [
            leg
            for leg in self._legs("ORDER BY rowid")
            if all(leg.request.get(name) == value for name, value in wanted.items())
        ]

    def owner(self, venue: str, reference: str) -> str | None:
        """The leg that has that reference at the venue, if it is one of ours."""
        found = self._file.rows(
            "SELECT id FROM leg WHERE venue = ? AND (reference = ? OR id = ?)",
            venue,
            reference,
            reference,
        )
        return str(found[0][0]) if found else None

    def executions(self, leg_id: str) -> list[Execution]:
        """The trades of a leg, in the order in which they were first reported."""
        found = self._file.rows(
            "SELECT exec, quantity, price, fee, final FROM execution WHERE leg = ?", leg_id
        )
        return [Execution(e, int(q), int(p), int(f), bool(final)) for e, q, p, f, final in found]

    def history(self, leg_id: str) -> list[tuple[LegState, str]]:
        """Every state of a leg, oldest first, with what was said about it."""
        found = self._file.rows(
            "SELECT state, detail FROM history WHERE leg = ? ORDER BY seq", leg_id
        )
        return [(LegState(state), detail) for state, detail in found]

    def refusals(self, since: int) -> list[tuple[int, str, str, str]]:
        """(number, leg, venue, why) of the legs refused after number ``since``, oldest first."""
        found = self._file.rows(
            "SELECT history.seq, leg.id, leg.venue, history.detail FROM history "
            "JOIN leg ON leg.id = history.leg "
            "WHERE history.seq > ? AND history.state = 'rejected' ORDER BY history.seq",
            since,
        )
        return [(number, leg, venue, why) for number, leg, venue, why in found]

    def _contradiction(self, venue: str, before: LegState, report: Report) -> str:
        if not follows(before, report.state):
            return f"reported as {report.state.value} after {before.value}"
        for trade in report.executions:
            if report.state.ended and not trade.final:
                return f"ended as {report.state.value}, with a trade that is not final"
            found = self._file.rows(
                "SELECT leg, quantity, price, fee, final FROM execution "
                "WHERE venue = ? AND exec = ?",
                venue,
                trade.exec_id,
            )
            told = (str(trade.quantity), str(trade.price), str(trade.fee))
            if before.ended and not found:
                return f"trade {trade.exec_id} is reported after the leg ended as {before.value}"
            if found and (found[0][0] != report.leg_id or (found[0][4] and found[0][1:4] != told)):
                return f"trade {trade.exec_id} reads otherwise than before"
        if report.state is LegState.UNKNOWN:
            return ""  # who does not know takes nothing back
        kept = {trade.exec_id for trade in report.executions}
        for known in self.executions(report.leg_id):
            if known.final and known.exec_id not in kept and not before.ended:
                return f"the final trade {known.exec_id} is no longer reported"
        return ""

    def _trades(self, venue: str, report: Report) -> None:
        # A provisional trade that a reorganisation took back is forgotten here; its history stays.
        if report.state is not LegState.UNKNOWN:
            self._file.execute(
                "DELETE FROM execution WHERE leg = ? AND final = 0", (report.leg_id,)
            )
        for e in report.executions:
            self._file.execute(
                "INSERT OR IGNORE INTO execution VALUES (?, ?, ?, ?, ?, ?, ?)",
                (venue, e.exec_id, report.leg_id, *map(str, (e.quantity, e.price, e.fee)), e.final),
            )

    def _note(self, leg_id: str, state: LegState, detail: str) -> None:
        self._file.execute(
            "INSERT INTO history (leg, state, time, detail) VALUES (?, ?, ?, ?)",
            (leg_id, state.value, self._now(), detail),
        )

    def _legs(self, where: str, *values: object) -> list[StoredLeg]:
        found = self._file.rows(
            f"SELECT {_COLUMNS} FROM leg {where}",  # noqa: S608 - only this file says where
            *values,
        )
        return [_stored(*row) for row in found]


def _stored(
    leg_id: str,
    venue: str,
    request: str,
    deadline: int,
    state: str,
    payload: bytes | None,
    reference: str | None,
    notes: str | None,
    received: str | None,
    gas: str,
    detail: str,
) -> StoredLeg:
    prepared = None
    if payload is not None and reference is not None and notes is not None:
        prepared = Prepared(leg_id, reference, payload, deadline, json.loads(notes))
    return StoredLeg(
        leg_id,
        venue,
        json.loads(request),
        deadline,
        LegState(state),
        prepared,
        None if received is None else int(received),
        int(gas),
        detail,
    )
