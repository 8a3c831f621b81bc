"""Real venues' clearing: funding and liquidations as they tell them, each told to the fund once.

What was told stands on the tape, and a run that is made again is told the same. A liquidation that
is more than the books hold is not told at all: it raises an alarm, and is tried again at every bar,
since a fill of ours may not be final yet, until a person has answered the alarm: what the books
lack then is that person's to correct.
"""

from __future__ import annotations

from collections import deque
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
_FUNDING, _FORCED, _EARLY = "funding", "forced", "forced before fills"


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
        self._closes = [int(body[1]) for body in tape.bars()]
        self._replayed = len(self._closes)
        # Unix ms and positions, of the last day's bars.
        self._past: deque[tuple[int, dict[str, int]]] = deque()
        self._recorded: dict[tuple[str, str, int], list[Any]] = {}
        # A venue may number payments and trades alike.
        self._known: set[tuple[str, str, str]] = set()
        self._since = dict.fromkeys(adapters, since)
        self._asked = dict.fromkeys(adapters, -PAUSE)
        self._heard = dict.fromkeys(adapters, now())
        self._receipts: dict[str, list[FundingReceipt]] = {name: [] for name in adapters}
        self._forced: dict[str, list[ForcedTrade]] = {name: [] for name in adapters}
        self._refused: set[tuple[str, str]] = set()  # forced trades that raised an alarm
        for name in adapters:
            for answer in tape.answers(_tape_name(name)):
                self._recorded[name, answer.call, answer.bar] = answer.body
                for item in answer.body:
                    self._keep(name, answer.call, item)

    def due(self, rates: Sequence[int], flat: bool) -> bool:
        """Always where a venue margins: it may tell of what is not held any more."""
        return bool(self._adapters)

    def fundings(
        self, book: Book, marks: Mapping[str, int], rates: Mapping[str, int], bar: int
    ) -> tuple[Funding, ...]:
        """What was paid and received since the last bar, in the order of the book's instruments."""
        amounts: dict[str, int] = {}
        held: dict[str, int] = {}
        self._remember(bar, book)
        for name in self._adapters:
            told = self._told(name, _FUNDING, bar, partial(self._new_receipts, name))
            for _, symbol, amount, _, quantity in told:
                amounts[symbol] = amounts.get(symbol, 0) + int(amount)
                held[symbol] = max(held.get(symbol, 0), int(quantity), key=abs)
            self._refuse_hopeless(name, book)
        return tuple(
            Funding.as_told(instrument, held[symbol], marks[symbol], bar, amounts[symbol])
            for symbol, instrument in book.instruments.items()
            if amounts.get(symbol, 0)
        )

    def liquidations(
        self, book: Book, marks: Mapping[str, int], bar: int, when: str
    ) -> tuple[Liquidation, ...]:
        """The venues' own trades since the last bar: those that the book allows before the fills of
        the open, and those that it allows after them."""
        events: list[Liquidation] = []
        call = {"before": _EARLY, "open": _FORCED}.get(when, "")
        for name in self._adapters if call else ():
            news = partial(self._new_forced, name, book, last=call == _FORCED)
            for exec_id, symbol, quantity, _, price, fee in self._told(name, call, bar, news):
                instrument = book.instruments[symbol]
                amounts = int(quantity), int(price), int(fee)
                events.append(Liquidation(instrument, *amounts, 0, bar, when, exec_id))
        return tuple(events)

    def pending(self, venue: str) -> bool:
        """Whether ``venue`` has something to tell that the fund has not heard yet.

        A trade that the books do not allow is not waited for: nobody knows when they will.

        Raises:
            ExecutionError: if it does not answer.
        """
        failure = self._ask(venue)
        if failure is not None:
            raise ExecutionError(f"clearing of {venue}", failure, "it is asked again")
        waiting = [t for t in self._forced[venue] if (venue, t.exec_id) not in self._refused]
        return bool(self._receipts[venue] or waiting)

    # -- asking -------------------------------------------------------------------------------

    def _told(
        self, name: str, call: str, bar: int, news: Callable[[], list[list[Any]]]
    ) -> list[list[Any]]:
        """What was told at this bar before, or is told now and kept first."""
        if bar < self._replayed:
            return self._recorded.get((name, call, bar), [])
        if not 0 <= self._now() - self._asked[name] < PAUSE:
            failure = self._ask(name)
            # What is not told now is told later, unless nobody can tell it.
            if failure is not None and self._now() - self._heard[name] >= _PATIENCE:
                self._alarms.raise_alarm(name, "clearing", failure)
        told = news()
        if told:
            self._tape.answer(Answer(_tape_name(name), call, bar, "", told))
            for item in told:
                self._keep(name, call, item)
        return told

    def _ask(self, name: str) -> str | None:
        """Fetch what is new; it waits in ``_receipts`` and ``_forced`` until a bar tells it.

        Returns:
            Why one of the two could not be asked; the other is heard all the same.
        """
        adapter, since, now = self._adapters[name], self._since[name], self._now()
        self._asked[name] = now
        failure = None
        try:
            forced = self._run(adapter.forced(since))
            self._forced[name] = [t for t in forced if not self._is_known(name, _FORCED, t.exec_id)]
        except FAULTS as error:
            failure = str(error)
        try:
            receipts = self._run(adapter.funding(since))
            self._receipts[name] = [
                r for r in receipts if not self._is_known(name, _FUNDING, r.payment_id)
            ]
        except FAULTS as error:
            failure = str(error)
        if failure is None:
            self._heard[name] = self._now()
            if not (self._forced[name] or self._receipts[name]):  # what waits is asked for again
                self._since[name] = max(since, now - _OVERLAP)
        return failure

    def _is_known(self, name: str, call: str, key: str) -> bool:
        """Whether it was told, or a person has answered the alarm that it raised."""
        if (name, call, key) in self._known:
            return True
        answered = call == _FORCED and any(
            (alarm.venue, alarm.subject) == (name, key) and alarm.cleared
            for alarm in self._alarms.all(open_only=False)
        )
        if answered:
            self._known.add((name, call, key))
        return answered

    def _new_receipts(self, name: str) -> list[list[Any]]:
        found, self._receipts[name] = self._receipts[name], []
        return [
            [r.payment_id, r.symbol, str(r.amount), r.time, str(self._held_at(r.symbol, r.time))]
            for r in found
        ]

    def _remember(self, bar: int, book: Book) -> None:
        """Keep the positions at the open of ``bar``, for a payment that is told later."""
        now = self._closes[bar] if bar < self._replayed else self._now()
        self._past.append((now, dict(book.positions)))
        while self._past[0][0] < now - _OVERLAP:
            self._past.popleft()

    def _held_at(self, symbol: str, time: int) -> int:
        """The largest position that a payment of ``time`` can have been on: that of the bar before
        it, or of one since. On a smaller one the same amount would be a rate that nobody charged.
        """
        known = [positions.get(symbol, 0) for at, positions in self._past if at >= time]
        before = [positions.get(symbol, 0) for at, positions in self._past if at < time][-2:]
        return max([*known, *before], key=abs)

    def _new_forced(self, name: str, book: Book, last: bool) -> list[list[Any]]:
        """Those that the positions held allow, one after another.

        Args:
            last: nothing more of this bar will change them, so what is left over is an alarm.
        """
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
                if last:
                    self._refuse(name, trade, position)
        self._forced[name] = left
        return told

    def _refuse_hopeless(self, name: str, book: Book) -> None:
        """Raise the alarm of a trade in what is not held, and which no order can open."""
        opening = {order.instrument.symbol for order in book.open_orders}
        for trade in self._forced[name]:
            if not book.position(trade.symbol) and trade.symbol not in opening:
                self._refuse(name, trade, 0)

    def _refuse(self, name: str, trade: ForcedTrade, position: int) -> None:
        if (name, trade.exec_id) in self._refused:
            return
        self._refused.add((name, trade.exec_id))
        text = f"it closed {trade.quantity} of {trade.symbol}, the books hold {position}"
        self._alarms.raise_alarm(name, trade.exec_id, text)

    def _keep(self, name: str, call: str, item: Sequence[Any]) -> None:
        """``item`` was told: its id is known, and what is much older need not be asked for."""
        self._known.add((name, _FORCED if call == _EARLY else call, item[0]))
        happened = min(int(item[3]), self._now())  # a time to come is no time of it
        self._since[name] = max(self._since[name], happened - _OVERLAP)


def _tape_name(venue: str) -> str:
    """Venues answer for their orders under their own name."""
    return f"{venue} clearing"
