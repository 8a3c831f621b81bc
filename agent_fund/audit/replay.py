"""Replay: the log's records, one after another, through the fund's own rules, and nothing else.

What is rebuilt: the book from orders and fills, NAV from the book and the marks, the mode machine,
and at every certificate the loss and gain forms, which the kernel then checks. What the log cannot
show (volumes, and so the venue's capacity; the twin; that prices are the market's) is not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.audit.errors import AuditError, VerificationError
from agent_fund.audit.log import Log
from agent_fund.audit.replay_acts import ActReplay
from agent_fund.audit.schema import number, parse
from agent_fund.domain.errors import DomainError
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.machine import MachineError, Mode

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Replay(ActReplay):
    """The state of the fund after the records taken so far, each held against the rules.

    Attributes:
        records: all of them. ``closed``: whether the last one was the close.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._takers: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "gap": self._gap,
            "mark": self._mark,
            "intent": self._intent,
            "call": lambda record: self._turn.call(record),
            "response": lambda record: self._turn.response(record),
            "abort": self._abort,
            "proposal": lambda record: self._turn.proposal(self._index, record),
            "guard": self._guard,
            "order": lambda record: self._orders.order(record, self.bar),
            "transfer": lambda record: self._held.transfer(record),
            "arrival": self._arrival,
            "funding": lambda record: self._event(self._held.funding, record),
            "liquidation": lambda record: self._event(self._held.liquidation, record),
            "forced": self._forced,
            "fill": self._fill,
            "status": self._status,
            "close": self._close,
        }
        self.records: list[dict[str, Any]] = []
        self.closed = False

    def take(self, leaf: bytes) -> None:
        """The next record.

        Raises:
            VerificationError: naming the record and what is wrong with it.
        """
        self._index += 1
        kind = "record"
        try:
            record = parse(leaf)
            kind = f"{record['kind']} {record.get('act', '')}".strip()
            if self.closed:
                raise AuditError("record", kind, "nothing follows the close")
            if self._index == 0:
                self._genesis(record)
            else:
                self._held.require_complete(kind)
                if record["kind"] not in ("order", "transfer"):
                    self._orders.require_complete(kind)
                taker = self._takers.get(record["kind"])
                if taker is None:
                    raise AuditError("record", kind, "it has no place here")
                taker(record)
            self.records.append(record)
        except (AuditError, DomainError, KernelError, MachineError) as error:
            raise self._bad(f"{kind}: {error}") from error
        except _MALFORMED as error:
            raise self._bad(f"{kind}: malformed: {error!r}") from error

    def finish(self) -> None:
        """The log has ended.

        Raises:
            VerificationError: if it has no close record.
        """
        if not self.closed:
            self._index += 1
            raise self._bad("the log ends without its close record")

    def _bad(self, problem: str) -> VerificationError:
        return VerificationError(self._index, f"record {self._index}", problem)

    # -- the agent ----------------------------------------------------------------------------

    def _ask(self, record: dict[str, Any]) -> None:
        self._look()
        self._require_flow()
        self._turn.ask(record, halted=self.machine.mode is Mode.HALTED)

    def _intent(self, record: dict[str, Any]) -> None:
        self._ask(record)
        self._turn.intent(self._index, record)

    def _abort(self, record: dict[str, Any]) -> None:
        if record["intent"] == -1:
            self._ask(record)
        else:
            self._turn.abort(record)

    # -- the end ------------------------------------------------------------------------------

    def _close(self, record: dict[str, Any]) -> None:
        self._end_bar()
        if not self.marks:
            raise AuditError("close", record["bars"], "a run has at least one bar")
        machine = self.machine
        stated = (
            record["bars"],
            number(record["nav"]),
            number(record["mark"]),
            record["mode"],
            record["breaches"],
        )
        breaches = [b.bar for b in self.monitor.breaches]
        found = (len(self.marks), machine.v, machine.h, machine.mode.value, breaches)
        if stated != found:
            raise AuditError("close", stated, f"the log makes {found}")
        self.closed = True
