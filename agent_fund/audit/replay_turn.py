"""The agent's turns replayed: asked when due, committed first, one closed question a close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.audit.canonical import JSON, decode
from agent_fund.audit.commitment import commit, salt_for
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log
from agent_fund.audit.replay_terms import RunTerms

COMMITTED = ("fund", "mandate", "code", "lock", "strategy", "data")
"""Fields that every commitment takes over from the genesis record."""


class TurnReplay:
    """What was asked and answered at the close of one bar after the other."""

    def __init__(self, log: Log, genesis: Mapping[str, Any], terms: RunTerms) -> None:
        self._log = log
        self._genesis = genesis
        self._terms = terms
        self._secret = bytes.fromhex(genesis["secret"]["hex"])
        self._bar = self._time = -1
        self._due = self._asked = False
        self._count = 0
        self._open: int | None = None
        self._state = ""
        self._fields: Mapping[str, JSON] = {}
        self._proposed: tuple[int, Mapping[str, Any]] | None = None

    def begin(self, bar: int, time: int) -> None:
        """``bar`` closed at ``time``."""
        self._bar, self._time, self._asked = bar, time, False
        self._due = self._terms.cadence.due(bar, time)

    def end(self) -> None:
        """The bar is over: every question is closed, every proposal judged."""
        if self._open is not None:
            raise AuditError("intent", self._open, "it must close within its bar")
        if self._proposed is not None:
            raise AuditError("proposal", self._proposed[0], "the guard must judge it")

    def ask(self, record: Mapping[str, Any], *, halted: bool) -> None:
        """The agent is asked once at a close, when the run file says so, never while halted."""
        self._require_bar(record)
        if not self._due or self._asked or halted:
            fix = "the agent is asked once, when due, and not while halted"
            raise AuditError(record["kind"], self._bar, fix)
        self._asked = True

    def intent(self, index: int, record: Mapping[str, Any]) -> None:
        """The commitment is that of the fields, and the fields are those of this run and bar."""
        name = f"{self._bar}/{self._count}"
        if record["time"] != self._time or record["id"] != name:
            raise AuditError("intent", record["id"], f"it is {name}, at {self._time}")
        self._count += 1
        fields = decode(self._log.blob(record["fields"]))
        if not isinstance(fields, dict):
            raise AuditError("fields", fields, "write an object")
        salts = {field: salt_for(self._secret, name, field) for field in fields}
        if commit(fields, salts).hex() != record["commitment"]:
            raise AuditError("commitment", record["commitment"], "the fields make another one")
        known = {field: self._genesis[field] for field in COMMITTED} | {"as_of": self._time}
        if "request" in fields:
            known["model"] = self._terms.model
        for field, value in known.items():
            if fields.get(field) != value:
                raise AuditError(f"committed {field}", fields.get(field), f"the run's is {value}")
        self._fields, self._open, self._state = fields, index, "intent"

    def call(self, record: Mapping[str, Any]) -> None:
        """The request that left is the one that was committed."""
        self._require_open(record, "intent")
        if record["raw"] != self._fields.get("request"):
            raise AuditError("call", record["raw"], "another request was committed")
        self._state = "call"

    def response(self, record: Mapping[str, Any]) -> None:
        """The answer was kept."""
        self._require_open(record, "call")
        if not record["failure"]:
            self._log.blob(record["body"])
            if record["digest"] != record["body"]:
                raise AuditError("response", record["digest"], "it is not the body's")
        self._state = "response"

    def abort(self, record: Mapping[str, Any]) -> None:
        """The question came to nothing."""
        self._require_bar(record)
        self._require_open(record, "response")
        self._open = None

    def proposal(self, index: int, record: Mapping[str, Any]) -> None:
        """The question has its answer; one with legs goes to the guard."""
        self._require_bar(record)
        self._require_open(record, "response" if "request" in self._fields else "intent")
        if record["legs"] or record["transfers"]:
            self._proposed = (index, record)
        self._open = None

    def require_place(self, act: str) -> None:
        """A record of the guard comes before a question or behind its answer, none within.

        Between a proposal and its verdict an operator may stop the fund, and nothing else happens.
        """
        if self._open is not None:
            raise AuditError(act, self._bar, f"the question of record {self._open} is open")
        if self._proposed is not None and act not in ("decide", "hold", "kill"):
            raise AuditError(act, self._bar, "a proposal waits for its verdict")

    def judged(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The proposal that a verdict is about; it is judged once, in its own bar."""
        index, proposal = self._proposed or (None, {})
        if record["proposal"] != index:
            raise AuditError("decide", record["proposal"], f"the proposal is record {index}")
        self._proposed = None
        return proposal

    def _require_bar(self, record: Mapping[str, Any]) -> None:
        if record["bar"] != self._bar:
            raise AuditError(record["kind"], record["bar"], f"bar {self._bar} has just closed")

    def _require_open(self, record: Mapping[str, Any], state: str) -> None:
        if record["intent"] != self._open or self._state != state:
            raise AuditError("intent", record["intent"], f"open is {self._open}")
