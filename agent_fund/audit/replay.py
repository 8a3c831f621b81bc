"""Replay: the log's records, one after another, through the fund's own rules, and nothing else.

What is rebuilt: the book from orders and fills, NAV from the book and the marks, the mode machine,
and at every certificate the loss and gain forms, which the kernel then checks. What the log cannot
show (volumes, and so the venue's capacity; the twin; that prices are the market's) is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent_fund.audit.errors import AuditError, VerificationError
from agent_fund.audit.log import Log
from agent_fund.audit.merkle import leaf_hash
from agent_fund.audit.replay_guard import Certificate, GuardReplay
from agent_fund.audit.replay_orders import OrderReplay
from agent_fund.audit.replay_terms import RunTerms
from agent_fund.audit.replay_turn import TurnReplay
from agent_fund.audit.schema import number, parse
from agent_fund.audit.track_record import Marked
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.order import Purpose
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.machine import Machine, MachineError, Mode
from agent_fund.guard.mandate import ResolvedMandate

_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Replay:
    """The state of the fund after the records taken so far."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._index = -1
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
            "fill": self._fill,
            "status": self._status,
            "close": self._close,
        }
        self.records: list[dict[str, Any]] = []
        self.marks: list[Marked] = []
        self.closed = False
        self._flow_tried = self._flow_waits = False
        self._gap_ends: int | None = None
        self._certificate: Certificate | None = None
        self._anchor: tuple[int, ...] | None = None
        self._anchor_bar = -1
        self._looked = True
        self._bar_open = False
        self._act = ""
        self._closes: tuple[int, ...] = ()
        self._time = -1

    # -- driving ------------------------------------------------------------------------------

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
                if record["kind"] != "order":
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

    # -- genesis ------------------------------------------------------------------------------

    def _genesis(self, record: dict[str, Any]) -> None:
        if record["kind"] != "genesis" or record["v"] != 1 or not record["guarded"]:
            raise AuditError("genesis", record.get("kind"), "a log begins with one, of version 1")
        self.mandate = ResolvedMandate.from_json(self._canonical(record["mandate"]))
        config = self._canonical(record["config"])
        currency = Asset(record["currency"]["symbol"], record["currency"]["scale"])
        self.instruments = tuple(
            Instrument(
                i["symbol"],
                Asset(i["symbol"], i["asset_scale"]),
                currency,
                Venue(i["venue"]),
                i["price_scale"],
                number(i["lot"]),
                number(i["tick"]),
                Kind(i["kind"]),
            )
            for i in record["instruments"]
        )
        self._symbols = tuple(i.symbol for i in self.instruments)
        if set(self.mandate.stress.instruments) != set(self._symbols):
            raise AuditError("stress set", self.mandate.stress.instruments, "other instruments")
        self.currency = currency
        self.capital = self._cash = number(record["cash"])
        self._positions = dict.fromkeys(self._symbols, 0)
        self.machine = Machine(self.mandate.drawdown.limit, self._cash)
        self.monitor = Monitor(self.mandate, self._symbols)
        self._rules = GuardReplay(self._log, self.mandate, str(record["mandate"]))
        self._terms = RunTerms(config, currency)
        self._terms.require_genesis(record)
        self._terms.require_mandate(self.mandate)
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

    # -- the market ---------------------------------------------------------------------------

    def _gap(self, record: dict[str, Any]) -> None:
        self._end_bar()
        if not self._terms.skips_gaps or record["after"] >= record["before"]:
            raise AuditError("gap", record, "the run file does not skip gaps")
        if self._gap_ends is not None or (record["after"] != self._time and self.marks):
            raise AuditError("gap", record["after"], f"the last bar closed at {self._time}")
        self._gap_ends = record["before"]

    def _mark(self, record: dict[str, Any]) -> None:
        if not record["rows"]:
            raise AuditError("mark", [], "it has no rows")
        for row in record["rows"]:
            self._end_bar()
            self._row(row)

    def _row(self, row: list[Any]) -> None:
        bar, open_time, close_time, opens_text, closes_text, nav_open_text, nav_text = row
        if any(type(n) is not int for n in (bar, open_time, close_time)) or bar != self.bar + 1:
            raise AuditError("mark", row[:3], f"bar {self.bar + 1} comes next")
        if not self._time <= open_time < close_time:
            raise AuditError("mark", row[:3], f"it comes later than {self._time}")
        if self._gap_ends not in (None, close_time):
            raise AuditError("mark", close_time, f"the gap ends at {self._gap_ends}")
        self._terms.require_time(close_time)
        opens, closes = tuple(map(number, opens_text)), tuple(map(number, closes_text))
        if len(opens) != len(self._symbols) or len(closes) != len(opens) or min(opens) < 1:
            raise AuditError("mark", row, "one positive price an instrument")
        if min(closes) < 1:
            raise AuditError("mark", row, "prices are positive")
        self._time, self._closes = close_time, closes
        self._orders.opened(bar, dict(zip(self._symbols, opens, strict=True)))
        breached = self.machine.breached
        for when, prices, text in (("open", opens, nav_open_text), ("close", closes, nav_text)):
            nav = self._book().nav(dict(zip(self._symbols, prices, strict=True)))
            if nav != number(text):
                raise AuditError(f"NAV at the {when} of bar {bar}", text, f"the book makes {nav}")
            if not self.machine.tick(nav) and not breached:
                breached = True
                self.monitor.broken(bar, when, nav, self.machine.h, self._anchor_bar)
        after = tuple(self._positions[s] for s in self._symbols)
        if self._anchor is not None:
            before, since = self.marks[-1].positions, self._anchor_bar
            self.monitor.moved(bar, since, self._anchor, opens, closes, before, after)
        self.marks.append(
            Marked(
                bar,
                close_time,
                number(nav_open_text),
                self.machine.v,
                self.machine.h,
                self._cash,
                after,
                self.machine.mode,
            )
        )
        self._looked, self._bar_open, self._act = False, True, ""
        self._flow_tried, self._gap_ends = False, None
        self._turn.begin(bar, close_time)

    @property
    def bar(self) -> int:
        """Number of the last bar marked; -1 before the first."""
        return len(self.marks) - 1

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
            if not machine.try_decide(certificate.bounds):
                raise AuditError(f"bar {self.bar}", "not Safe", "the book must be reduced")
            self._anchor, self._anchor_bar = self._closes, self.bar
        elif machine.mode is not Mode.HALTED and not self._orders.open:
            raise AuditError(f"bar {self.bar}", machine.mode.value, "the way out must go on")

    def _end_bar(self) -> None:
        self._look()
        if self._bar_open:
            self._require_flow()
            self._bar_open = False
            self._turn.end()
            self._orders.end_bar(self.bar, self._act, killed=self.machine.killed)
            # What the last acts of the bar made of the state.
            last = self.marks[-1]
            self.marks[-1] = replace(
                last,
                nav=self.machine.v,
                mark=self.machine.h,
                cash=self._cash,
                mode=self.machine.mode,
            )

    def _book(self) -> Book:
        held = {s: q for s, q in self._positions.items() if q}
        instruments = {i.symbol: i for i in self.instruments}
        return Book(self.currency, self._cash, instruments, held, tuple(self._orders.open.values()))

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

    # -- the guard ----------------------------------------------------------------------------

    def _guard(self, record: dict[str, Any]) -> None:
        act, book, machine = record["act"], self._book(), self.machine
        prices = dict(zip(self._symbols, self._closes, strict=True))
        if act != "kill" and machine.breached and not machine.killed:
            raise AuditError(act, "a broken limit", "a kill must come first")
        if act in ("decide", "flow", "flow_queued"):
            self._look()
        elif act != "kill" and (
            self._looked or (machine.mode is not Mode.ACTIVE and book.open_orders)
        ):
            raise AuditError(act, self.bar, "one look a bar, and none while the way out is open")
        self._rules.require_situation(record, book, prices, machine, self.bar)
        self._act = act if act in ("look", "reduce", "kill") else self._act
        if act == "look":
            self._accept(self._rules.certified(record, book, prices, self._symbols))
        elif act == "decide":
            proposal = self._turn.judged(record)
            admitted = self._rules.decided(record, proposal, book, prices, machine)
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
            machine.kill()
            return  # what is left of the look still has to come
        elif act == "done":
            if not machine.killed:
                raise AuditError("done", machine.mode.value, "only a kill ends in a halt")
            machine.done(flat=not any(self._positions.values()) and not book.open_orders)
        else:
            self._flow(record, book, prices)
        self._looked = True

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
            if not book.positions and book.cash + flow[1] > 0:
                raise AuditError("flow", flow, "a fund in cash that can pay has no reason to wait")
            self._flow_waits = True
            return
        del self._flows[0]
        self._flow_waits = False
        after = Book(book.currency, book.cash + flow[1], book.instruments, book.positions)
        if after.cash < 0:
            raise AuditError("flow", flow, "cash cannot pay for it")
        certificate = self._rules.certified(record, after, prices, self._symbols)
        self.machine.flow(flow[1], certificate.bounds)
        self._cash = after.cash
        self._certificate = None

    # -- orders and fills ---------------------------------------------------------------------

    def _expect(self, record: dict[str, Any], source: int, purpose: Purpose) -> None:
        """The legs of ``record`` as orders; their ids are made from the leaf at ``source``."""
        self._orders.expect(self._index, record, leaf_hash(self._log.leaf(source)), purpose)

    def _fill(self, record: dict[str, Any]) -> None:
        self._end_bar()
        fill = self._orders.fill(record, self.bar + 1)
        symbol, notional = (
            fill.instrument.symbol,
            fill.instrument.notional(fill.quantity, fill.price),
        )
        self._cash -= fill.side.sign * notional + fill.fee
        self._positions[symbol] += fill.side.sign * fill.quantity
        if self._cash < 0 or self._positions[symbol] < 0:
            raise AuditError("fill", record["exec"], "it borrows: cash or position below zero")

    def _status(self, record: dict[str, Any]) -> None:
        if record["bar"] == self.bar + 1:
            self._end_bar()
        elif record["bar"] != self.bar:
            raise AuditError("status", record["bar"], f"bar {self.bar} or the one after it")
        self._orders.status(record)

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
