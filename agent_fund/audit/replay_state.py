"""What a replay knows between two records: the first of them, book, machine and certificate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log
from agent_fund.audit.replay_book import BookReplay
from agent_fund.audit.replay_guard import Certificate, GuardReplay
from agent_fund.audit.replay_orders import OrderReplay
from agent_fund.audit.replay_terms import RunTerms
from agent_fund.audit.replay_turn import TurnReplay
from agent_fund.audit.schema import number
from agent_fund.audit.track_record import Marked
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset
from agent_fund.fund.instruments import instrument_from_json
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.guardrails.fixed_floor import floor_of
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.machine import Mode
from agent_fund.guard.relation import WatchedMachine
from agent_fund.guard.resolved_mandate import ResolvedMandate


class ReplayState:
    """The state of the fund after the records taken so far.

    Attributes:
        marks: one a bar, as the log implies it.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._index = -1
        self.marks: list[Marked] = []
        self._flow_tried = self._flow_waits = False
        self._gap_ends: int | None = None
        self._certificate: Certificate | None = None
        self._anchor: tuple[int, ...] | None = None
        self._anchor_bar = -1
        self._looked = True
        self._on_hold = False
        self._bar_open = False
        self._act = ""
        self._closes: tuple[int, ...] = ()
        self._time = -1
        # What adjustments have taken from NAV and not given back.
        self._taken = 0

    def _genesis(self, record: dict[str, Any]) -> None:
        if record["kind"] != "genesis" or record["v"] != 3 or not record["guarded"]:
            raise AuditError("genesis", record.get("kind"), "a log begins with one, of version 3")
        self.mandate = ResolvedMandate.from_json(self._canonical(record["mandate"]))
        config = self._canonical(record["config"])
        currency = Asset(record["currency"]["symbol"], record["currency"]["scale"])
        self.instruments = tuple(instrument_from_json(i, currency) for i in record["instruments"])
        self._symbols = tuple(i.symbol for i in self.instruments)
        self._margined = any(i.margin is not None for i in self.instruments)
        if set(self.mandate.stress.instruments) != set(self._symbols):
            raise AuditError("stress set", self.mandate.stress.instruments, "other instruments")
        self.currency = currency
        self.capital = number(record["cash"])
        floor = floor_of(self.mandate.guardrail("fixed_floor"), self.capital, currency)
        self.machine = WatchedMachine(self.mandate.drawdown.limit, self.capital, floor)
        self.monitor = Monitor(self.mandate, self._symbols)
        self._rules = GuardReplay(self._log, self.mandate, str(record["mandate"]))
        live = record["mode"] == "paper"
        if not live and record["mode"] != "backtest":
            raise AuditError("mode", record["mode"], "a run is a backtest or a paper run")
        self._terms = RunTerms(config, currency, live=live)
        self._terms.require_genesis(record)
        self._terms.require_mandate(self.mandate)
        capital = {place: number(cash) for place, cash in record["capital"].items()}
        if sum(capital.values()) != self.capital or min(capital.values()) <= 0:
            raise AuditError("capital", record["capital"], f"it makes {self.capital}")
        bars = self._terms.transfer_bars
        self._held = BookReplay(currency, self.instruments, capital, bars, live=live)
        self._flows = list(self._terms.flows)
        instruments = {i.symbol: i for i in self.instruments}
        self._orders = OrderReplay(instruments, self._terms, self.monitor)
        self._turn = TurnReplay(self._log, record, self._terms)

    def _canonical(self, digest: str) -> Any:
        """The JSON value kept under ``digest``, which has one encoding only."""
        body = self._log.blob(digest)
        value = json.loads(body)
        if dumps(value) != body:
            raise AuditError("blob", digest, "it is not in canonical form")
        return value

    @property
    def bar(self) -> int:
        """Number of the last bar marked; -1 before the first."""
        return len(self.marks) - 1

    def _book(self) -> Book:
        return self._held.book(self._orders.open.values())

    def _named(self, values: Sequence[int]) -> dict[str, int]:
        return dict(zip(self._symbols, values, strict=True))

    def _accept(self, certificate: Certificate) -> None:
        self.machine.decide(certificate.bounds)
        self._certificate = certificate
        self._anchor, self._anchor_bar = self._closes, self.bar

    def _require_flow(self) -> None:
        """The first flow that is due has been tried, if the fund could try it."""
        if self._flow_tried or not self._flows or self._flows[0][0] > self._time:
            return
        waits = self.machine.mode is not Mode.ACTIVE or self._orders.open
        if not waits and not self._flow_waits:
            raise AuditError("flow", self._flows[0], "it is due and was not tried")

    def _look(self) -> None:
        """The look that leaves no record: the certificate in force covers this book and price."""
        if self._looked:
            return
        self._looked = True
        machine = self.machine
        if machine.breached and not machine.killed:
            raise AuditError(f"bar {self.bar}", "a broken limit", "a kill must follow")
        if machine.mode is Mode.ACTIVE:
            certificate = self._certificate
            prices = dict(zip(self._symbols, self._closes, strict=True))
            if certificate is None or not certificate.covers(self._book(), prices, self.bar):
                raise AuditError(f"bar {self.bar}", "no certificate", "the held book needs one")
            watched = self._rules.watched(self._book(), prices)
            if not watched or not machine.try_decide(certificate.bounds):
                raise AuditError(f"bar {self.bar}", "not Safe", "the book must be reduced")
            self._anchor, self._anchor_bar = self._closes, self.bar
        elif machine.mode is not Mode.HALTED and not self._orders.open:
            raise AuditError(f"bar {self.bar}", machine.mode.value, "the way out must go on")
