"""The guard's acts replayed: each at its place in the bar, with all that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import leaf_hash
from agent_fund.audit.replay_guard import transfers_of
from agent_fund.audit.replay_operators import OPERATORS, OperatorReplay
from agent_fund.audit.schema import number
from agent_fund.domain.book import Book
from agent_fund.domain.order import Purpose
from agent_fund.execution.order_id import client_order_id
from agent_fund.fund.flow_queue import after_flow
from agent_fund.guard.machine import Mode


class ActReplay(OperatorReplay):
    """Every record of kind ``guard``."""

    def _guard(self, record: dict[str, Any]) -> None:
        act, book, machine = record["act"], self._book(), self.machine
        self._turn.require_place(act)
        prices = dict(zip(self._symbols, self._closes, strict=True))
        if act != "kill" and machine.breached and not machine.killed:
            raise AuditError(act, "a broken limit", "a kill must come first")
        # An operator kills between two bars, after the look; a breach before it.
        between = act in OPERATORS or (act == "kill" and not machine.breached)
        if act in ("decide", "flow", "flow_queued") or between:
            self._look()
        elif act != "kill" and (
            self._looked or (machine.mode is not Mode.ACTIVE and book.open_orders)
        ):
            raise AuditError(act, self.bar, "one look a bar, and none while the way out is open")
        self._rules.require_situation(record, book, prices, machine, self.bar)
        self._act = act if act in ("look", "reduce", "kill", "hold") else self._act
        if act == "look":
            self._accept(self._rules.certified(record, book, prices, self._symbols))
        elif act == "decide":
            proposal = self._turn.judged(record)
            locked = machine.mode is not Mode.ACTIVE or self._on_hold
            admitted = self._rules.decided(record, proposal, book, prices, machine, locked=locked)
            if admitted is not None:
                self._accept(replace(admitted, book={}))
                self._expect(record, proposal["intent"], Purpose.AGENT)
        elif act in ("reduce", "exit"):
            anchor = dict(zip(self._symbols, self._anchor or (), strict=True))
            self._rules.require_way_out(record, book, prices, machine, anchor)
            if act == "reduce":
                machine.reduce()
            elif machine.mode is Mode.REDUCING:
                machine.exit()
            elif machine.mode is not Mode.EXITING:
                raise AuditError("exit", machine.mode.value, "a reduction comes first")
            self._expect(record, self._index, Purpose(act))
        elif act == "kill":
            if machine.killed:
                raise AuditError("kill", self.bar, "the fund is killed already")
            by_operator = not machine.breached
            machine.kill()
            if not by_operator:
                return  # what is left of the look still has to come
        elif act in OPERATORS:
            self._operated(record, book, prices)
        elif act == "done":
            if not machine.killed:
                raise AuditError("done", machine.mode.value, "only a kill ends in a halt")
            machine.done(flat=not any(self._held.positions) and not book.open_orders)
        else:
            self._flow(record, book, prices)
        self._looked = True

    def _flow(self, record: dict[str, Any], book: Book, prices: Mapping[str, int]) -> None:
        flow = (record["due"], number(record["amount"]), record["name"])
        if self._flow_tried or flow not in self._flows[:1] or record["due"] > self._time:
            raise AuditError("flow", flow, "the run file does not state it as the next")
        if self.machine.mode is not Mode.ACTIVE or book.open_orders:
            raise AuditError("flow", flow, "money moves while the fund is active, no order open")
        self._flow_tried = True
        if record["act"] == "flow_queued":
            if self._flow_waits:
                raise AuditError("flow", flow, "that it waits is told once")
            left = book.places.get(self._terms.home, 0) + flow[1]
            after = after_flow(book, flow[1], self._terms.home)
            nav = self.machine.v + flow[1]
            kept = self._rules.watched(after, prices) and self.machine.floor_after(nav) <= nav
            if kept and not book.positions and not self.mandate.stress.lost and left > 0:
                raise AuditError("flow", flow, "a fund in cash that can pay has no reason to wait")
            self._flow_waits = True
            return
        del self._flows[0]
        self._flow_waits = False
        after = after_flow(book, flow[1], self._terms.home)
        certificate = self._rules.certified(record, after, prices, self._symbols)
        self.machine.flow(flow[1], certificate.bounds)
        self._held.flow(flow[1], self._terms.home)
        self._certificate = None

    def _expect(self, record: dict[str, Any], source: int, purpose: Purpose) -> None:
        """The legs and transfers of ``record``; their ids are made from the leaf at ``source``."""
        leaf, legs = leaf_hash(self._log.leaf(source)), len(record["legs"])
        self._orders.expect(self._index, record, leaf, purpose)
        transfers = transfers_of(record) if purpose is Purpose.AGENT else ()
        ids = [client_order_id(leaf, legs + n, 0) for n in range(len(transfers))]
        self._held.expect(self._index, transfers, ids, record["bar"])
