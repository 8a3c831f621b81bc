"""Replay: the log's records, one after another, through the fund's own rules, and nothing else.

What is rebuilt: the book from orders and fills, NAV from the book and the marks, the mode machine,
and at every certificate the loss and gain forms, which the kernel then checks. What the log cannot
show (volumes, and so the venue's capacity; the twin; that prices are the market's) is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent_fund.audit.errors import AuditError, VerificationError
from agent_fund.audit.log import Log
from agent_fund.audit.merkle import leaf_hash
from agent_fund.audit.replay_book import BookReplay
from agent_fund.audit.replay_guard import Certificate, GuardReplay, transfers_of
from agent_fund.audit.replay_orders import OrderReplay
from agent_fund.audit.replay_terms import RunTerms
from agent_fund.audit.replay_turn import TurnReplay
from agent_fund.audit.schema import number, parse
from agent_fund.audit.track_record import Marked
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset
from agent_fund.domain.order import Purpose
from agent_fund.execution.order_id import client_order_id
from agent_fund.fund.flow_queue import after_flow
from agent_fund.fund.instruments import instrument_from_json
from agent_fund.fund.monitor import Monitor, Prices
from agent_fund.guard.guardrails.fixed_floor import floor_of
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.machine import MachineError, Mode
from agent_fund.guard.relation import WatchedMachine
from agent_fund.guard.resolved_mandate import ResolvedMandate

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
            "transfer": lambda record: self._held.transfer(record),
            "arrival": self._arrival,
            "funding": lambda record: self._event(self._held.funding, record),
            "liquidation": lambda record: self._event(self._held.liquidation, record),
            "forced": lambda record: self._event(self._held.forced, record),
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
        self._on_hold = False
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

    # -- genesis ------------------------------------------------------------------------------

    def _genesis(self, record: dict[str, Any]) -> None:
        if record["kind"] != "genesis" or record["v"] != 3 or not record["guarded"]:
            raise AuditError("genesis", record.get("kind"), "a log begins with one, of version 2")
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
        bar, open_time, close_time, opens_text, closes_text, nav_open_text, nav_text, marks = row
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
        mark_opens = self._mark_opens(opens, marks)
        if min(closes) < 1:
            raise AuditError("mark", row, "prices are positive")
        self._time, self._closes = close_time, closes
        self._orders.opened(bar, self._named(opens))
        self._held.opened(bar, self._named(mark_opens))
        traded = self._held.positions
        points = (("open", mark_opens, nav_open_text), ("close", closes, nav_text))
        for when, prices, text in points:
            self._settle(bar, when, self._named(prices), text)
        self._ticked(bar, number(nav_open_text), number(nav_text))
        paid = self._held.end_row()
        rate = {event.instrument.symbol: event.rate for event in paid}
        if self._anchor is not None:
            before, since = self.marks[-1].positions, self._anchor_bar
            rates = tuple(rate.get(s, 0) for s in self._symbols) if self._margined else ()
            prices_of = Prices(opens, mark_opens, closes, rates)
            self.monitor.moved(bar, since, self._anchor, prices_of, before, traded)
        self.marks.append(
            Marked(
                bar,
                close_time,
                number(nav_open_text),
                self.machine.v,
                self.machine.h,
                self._held.cash,
                self._held.positions,
                self.machine.mode,
                funding=sum(event.amount for event in paid),
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
            watched = self._rules.watched(self._book(), prices)
            if not watched or not machine.try_decide(certificate.bounds):
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
            last, book, prices = self.marks[-1], self._book(), self._named(self._closes)
            places = tuple(book.places) if self._margined else ()
            self.marks[-1] = replace(
                last,
                nav=self.machine.v,
                mark=self.machine.h,
                cash=self._held.cash,
                mode=self.machine.mode,
                places=tuple(book.equity(place, prices) for place in places),
                maintenance=tuple(book.maintenance(place, prices) for place in places),
            )

    def _book(self) -> Book:
        return self._held.book(self._orders.open.values())

    def _named(self, values: Sequence[int]) -> dict[str, int]:
        return dict(zip(self._symbols, values, strict=True))

    def _mark_opens(self, opens: tuple[int, ...], stated: list[Any]) -> tuple[int, ...]:
        """Marks at the open: those of trades, but for margined instruments."""
        if not self._margined:
            if stated:
                raise AuditError("mark", stated, "spot is valued at the prices of trades")
            return opens
        marks = tuple(map(number, stated))
        if len(marks) != len(opens) or min(marks) < 1:
            raise AuditError("mark", stated, "one positive mark an instrument")
        for instrument, mark, price in zip(self.instruments, marks, opens, strict=True):
            if instrument.margin is None and mark != price:
                raise AuditError(f"mark of {instrument.symbol}", mark, f"it trades at {price}")
        return marks

    def _arrival(self, record: dict[str, Any]) -> None:
        self._end_bar()
        self.monitor.arrived(self.bar + 1, self._held.arrival(record, self.bar + 1))

    def _event(self, take: Callable[[dict[str, Any], int], None], record: dict[str, Any]) -> None:
        """Something that the venue reports of the coming bar."""
        self._end_bar()
        take(record, self.bar + 1)

    def _settle(self, bar: int, when: str, prices: dict[str, int], stated: str) -> None:
        """The liquidations at these marks, and the NAV that is left."""
        closed = self._held.settle(bar, when, prices)
        nav = self._book().nav(prices)
        if nav != number(stated):
            raise AuditError(f"NAV at the {when} of bar {bar}", stated, f"the book makes {nav}")
        if closed:
            self.machine.liquidated()
            self.monitor.liquidated(bar, when, nav, self.machine.h, self._anchor_bar)

    def _ticked(self, bar: int, nav_open: int, nav: int) -> None:
        for when, value in (("open", nav_open), ("close", nav)):
            machine, known = self.machine, self.machine.breached
            if not machine.tick(value) and not known:
                since = self._anchor_bar
                self.monitor.broken(bar, when, value, machine.h, since, machine.broken)

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
        # An operator kills between two bars, after the look; a breach before it.
        between = act in ("hold", "resume") or (act == "kill" and not machine.breached)
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
        elif act in ("hold", "resume") and not self._terms.live:
            raise AuditError(act, self.bar, "nobody operates a backtest")
        elif act == "hold":
            if self._on_hold:
                raise AuditError("hold", self.bar, "the fund is held already")
            self._on_hold = True
        elif act == "resume":
            self._resume(record, book, prices)
        elif act == "done":
            if not machine.killed:
                raise AuditError("done", machine.mode.value, "only a kill ends in a halt")
            machine.done(flat=not any(self._held.positions) and not book.open_orders)
        else:
            self._flow(record, book, prices)
        self._looked = True

    def _resume(self, record: dict[str, Any], book: Book, prices: Mapping[str, int]) -> None:
        """A named person lets the agent trade again; the book is certified once more."""
        halted = self.machine.mode is Mode.HALTED
        if not (halted or (self._on_hold and self.machine.mode is Mode.ACTIVE)):
            raise AuditError("resume", self.machine.mode.value, "there is nothing to resume from")
        certificate = self._rules.certified(record, book, prices, self._symbols)
        self._on_hold = False
        if halted:
            self.machine.resume(certificate.bounds)
        self._accept(certificate)

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

    # -- orders and fills ---------------------------------------------------------------------

    def _expect(self, record: dict[str, Any], source: int, purpose: Purpose) -> None:
        """The legs and transfers of ``record``; their ids are made from the leaf at ``source``."""
        leaf, legs = leaf_hash(self._log.leaf(source)), len(record["legs"])
        self._orders.expect(self._index, record, leaf, purpose)
        transfers = transfers_of(record) if purpose is Purpose.AGENT else ()
        ids = [client_order_id(leaf, legs + n, 0) for n in range(len(transfers))]
        self._held.expect(self._index, transfers, ids, record["bar"])

    def _fill(self, record: dict[str, Any]) -> None:
        self._end_bar()
        fill = self._orders.fill(record, self.bar + 1)
        self._held.fill(fill)

    def _status(self, record: dict[str, Any]) -> None:
        if record["bar"] == self.bar + 1:
            self._end_bar()
        elif record["bar"] != self.bar:
            raise AuditError("status", record["bar"], f"bar {self.bar} or the one after it")
        self._orders.status(record, self._held.liquidated)

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
