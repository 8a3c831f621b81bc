"""The operators' acts replayed: whoever they were, what they might do, and what follows from it.

A backtest has none. What a person settles or adjusts is that person's word, as a venue's is its;
that the fund was halted first, that the order was in doubt, and what an adjustment makes of the
book, NAV and mark, is recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.replay_bars import BarReplay
from agent_fund.audit.schema import number
from agent_fund.domain.book import Book
from agent_fund.fund.adjustment import Adjustment, count
from agent_fund.guard.machine import Mode

OPERATORS = ("hold", "resume", "settle", "adjust")


class OperatorReplay(BarReplay):
    """Hold, resume, settle and adjust; a kill may be a breach, and stands with the guard's acts."""

    def _operated(self, record: dict[str, Any], book: Book, prices: Mapping[str, int]) -> None:
        act = record["act"]
        if not self._terms.live:
            raise AuditError(act, self.bar, "nobody operates a backtest")
        if act == "hold":
            if self._on_hold:
                raise AuditError("hold", self.bar, "the fund is held already")
            self._on_hold = True
        elif act == "resume":
            self._resume(record, book, prices)
        elif not (self._on_hold or self.machine.killed or self.machine.mode is Mode.HALTED):
            raise AuditError(act, self.machine.mode.value, "the fund was not halted first")
        elif act == "settle":
            self._orders.settle(record["order"], self.bar)
        else:
            self._adjust(record, book, prices)

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

    def _adjust(self, record: dict[str, Any], book: Book, prices: Mapping[str, int]) -> None:
        """A person corrects the books at one place: they, NAV and the mark follow."""
        units = {symbol: number(text) for symbol, text in record["units"].items()}
        adjustment = Adjustment(record["place"], units)
        adjustment.require(book)
        value = adjustment.value(book, prices)
        if number(record["value"]) != value:
            raise AuditError("adjust", record["value"], f"at these prices it makes {value}")
        self._held.adjust(adjustment.place, adjustment.assets(book))
        machine, known = self.machine, self.machine.breached
        self._taken = count(machine, value, self._taken)
        self.monitor.adjusted(self.bar, adjustment.place)
        if machine.breached and not known:
            nav, mark, since = machine.v, machine.h, self._anchor_bar
            self.monitor.broken(self.bar, "close", nav, mark, since, machine.broken)
