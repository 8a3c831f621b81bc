"""Real venues' clearing: funding and liquidations as they tell them, each told to the fund once.

What was told stands on the tape, and a run that is made again is told the same. A liquidation that
is more than the books hold is not told at all: it raises an alarm, and is tried again at every bar,
since a fill of ours may not be final yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from agent_fund.domain.book import Book
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.margin import ForcedTrade, FundingReceipt, MarginAdapter
from agent_fund.execution.live.tape import Answer, Tape

PAUSE = 10_000
"""Milliseconds between two questions: such requests are dear, and funding comes by the hour."""
_PATIENCE = 120_000  # milliseconds for which a venue may tell nothing before that is an alarm
_OVERLAP = 86_400_000  # of the time that is asked about again: venues post some payments late
_FUNDING, _FORCED = "funding", "forced"


class LiveClearing:
    """The margin accounts of one run.

    Args:
        adapters: of the venues that margin, by name.
        now: Unix milliseconds.
        since: Unix milliseconds from which on payments and liquidations are the run's.
    """

    def __init__(
        self,
        adapters: Mapping[str, MarginAdapter],
        tape: Tape,
        alarms: Alarms,
        run: Run,
        now: Callable[[], int],
        since: int,
    ) -> None:
        self._adapters = adapters
        self._tape = tape
        self._alarms = alarms
        self._run = run
        self._now = now
        self._replayed = len(tape.bars())
        self._recorded: dict[tuple[str, str, int], list[Any]] = {}
        self._known: set[tuple[str, str]] = set()
        self._since = dict.fromkeys(adapters, since)
        self._asked = dict.fromkeys(adapters, -PAUSE)
        self._heard = dict.fromkeys(adapters, now())
        self._receipts: dict[str, list[FundingReceipt]] = {name: [] for name in adapters}
        self._forced: dict[str, list[ForcedTrade]] = {name: [] for name in adapters}
        for name in adapters:
            for answer in tape.answers(_tape_name(name)):
                self._recorded[name, answer.call, answer.bar] = answer.body
                for item in answer.body:
                    self._keep(name, item)

    def due(self, rates: Sequence[int], flat: bool) -> bool:
        """Always where a venue margins: it may tell of what is not held any more."""
        return bool(self._adapters)

    def fundings(
        self, book: Book, marks: Mapping[str, int], rates: Mapping[str, int], bar: int
    ) -> tuple[Funding, ...]:
        """What was paid and received since the last bar, in the order of the book's instruments."""
        amounts: dict[str, int] = {}
        for name in self._adapters:
            told = self._told(name, _FUNDING, bar, partial(self._new_receipts, name))
            for _, symbol, amount, _ in told:
                amounts[symbol] = amounts.get(symbol, 0) + int(amount)
        return tuple(
            Funding.as_told(instrument, book.position(symbol), marks[symbol], bar, amounts[symbol])
            for symbol, instrument in book.instruments.items()
            if amounts.get(symbol, 0)
        )

    def liquidations(
        self, book: Book, marks: Mapping[str, int], bar: int, when: str
    ) -> tuple[Liquidation, ...]:
        """The venues' own trades since the last bar, at its open."""
        events: list[Liquidation] = []
        for name in self._adapters if when == "open" else ():
            told = self._told(name, _FORCED, bar, partial(self._new_forced, name, book))
            for exec_id, symbol, quantity, _, price, fee in told:
                instrument = book.instruments[symbol]
                amounts = int(quantity), int(price), int(fee)
                events.append(Liquidation(instrument, *amounts, 0, bar, when, exec_id))
        return tuple(events)

    def pending(self, venue: str) -> bool:
        """Whether ``venue`` has something to tell that the fund has not heard yet.

        Raises:
            ExecutionError: if it does not answer.
        """
        try:
            self._ask(venue)
        except FAULTS as error:
            raise ExecutionError(f"clearing of {venue}", str(error), "it is asked again") from None
        return bool(self._receipts[venue] or self._forced[venue])

    # -- asking -------------------------------------------------------------------------------

    def _told(
        self, name: str, call: str, bar: int, news: Callable[[], list[list[Any]]]
    ) -> list[list[Any]]:
        """What was told at this bar before, or is told now and kept first."""
        if bar < self._replayed:
            return self._recorded.get((name, call, bar), [])
        if self._now() - self._asked[name] >= PAUSE:
            try:
                self._ask(name)
            except FAULTS as error:
                # What is not told now is told later, unless nobody can tell it.
                if self._now() - self._heard[name] >= _PATIENCE:
                    self._alarms.raise_alarm(name, "clearing", str(error))
        told = news()
        if told:
            self._tape.answer(Answer(_tape_name(name), call, bar, "", told))
            for item in told:
                self._keep(name, item)
        return told

    def _ask(self, name: str) -> None:
        """Fetch what is new; it waits in ``_receipts`` and ``_forced`` until a bar tells it."""
        adapter, since = self._adapters[name], self._since[name]
        self._asked[name] = self._now()
        receipts = self._run(adapter.funding(since))
        forced = self._run(adapter.forced(since))
        self._heard[name] = self._now()
        self._receipts[name] = [r for r in receipts if (name, r.payment_id) not in self._known]
        self._forced[name] = [t for t in forced if (name, t.exec_id) not in self._known]

    def _new_receipts(self, name: str) -> list[list[Any]]:
        found, self._receipts[name] = self._receipts[name], []
        return [[r.payment_id, r.symbol, str(r.amount), r.time] for r in found]

    def _new_forced(self, name: str, book: Book) -> list[list[Any]]:
        """Those that the positions held allow, one after another."""
        held = dict(book.positions)
        told: list[list[Any]] = []
        left: list[ForcedTrade] = []
        for trade in self._forced[name]:
            position = held.get(trade.symbol, 0)
            if 0 < trade.quantity * position <= position * position:
                held[trade.symbol] = position - trade.quantity
                amounts = str(trade.quantity), trade.time, str(trade.price), str(trade.fee)
                told.append([trade.exec_id, trade.symbol, *amounts])
            else:
                left.append(trade)
                text = f"it closed {trade.quantity} of {trade.symbol}, the books hold {position}"
                self._alarms.raise_alarm(name, trade.exec_id, text)
        self._forced[name] = left
        return told

    def _keep(self, name: str, item: Sequence[Any]) -> None:
        """``item`` was told: its id is known, and what is much older need not be asked for."""
        self._known.add((name, item[0]))
        self._since[name] = max(self._since[name], int(item[3]) - _OVERLAP)


def _tape_name(venue: str) -> str:
    """Venues answer for their orders under their own name."""
    return f"{venue} clearing"
