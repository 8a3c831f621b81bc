"""Bars replayed: what the market's row makes of the book, NAV and mark, and what came before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.replay_state import ReplayState
from agent_fund.audit.schema import number
from agent_fund.audit.track_record import Marked
from agent_fund.fund.monitor import Prices


class BarReplay(ReplayState):
    """Gaps, marks, and what venues and carriers tell of the coming bar."""

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
                positions=self._held.positions,
                mode=self.machine.mode,
                places=tuple(book.equity(place, prices) for place in places),
                maintenance=tuple(book.maintenance(place, prices) for place in places),
            )

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

    def _forced(self, record: dict[str, Any]) -> None:
        """A position that a real venue closed by itself; its account's orders go with it."""
        self._event(self._held.forced, record)
        instrument = next(i for i in self.instruments if i.symbol == record["instrument"])
        self._orders.forced(instrument.account, self.bar + 1)

    def _settle(self, bar: int, when: str, prices: dict[str, int], stated: str) -> None:
        """The liquidations at these marks, and the NAV that is left."""
        closed = self._held.settle(bar, when, prices)
        nav = self._book().nav(prices)
        if nav != number(stated):
            raise AuditError(f"NAV at the {when} of bar {bar}", stated, f"the book makes {nav}")
        for event in closed:
            if event.exec_id:
                self.monitor.forced(event)
        if closed:
            self.machine.liquidated()
            self.monitor.liquidated(bar, when, nav, self.machine.h, self._anchor_bar)

    def _ticked(self, bar: int, nav_open: int, nav: int) -> None:
        for when, value in (("open", nav_open), ("close", nav)):
            machine, known = self.machine, self.machine.breached
            if not machine.tick(value) and not known:
                since = self._anchor_bar
                self.monitor.broken(bar, when, value, machine.h, since, machine.broken)

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
