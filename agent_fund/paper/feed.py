"""Bars as a live market makes them: sampled at venues, written down before the fund sees them.

A bar is as long as the run file says, and ends when every instrument has a price of that time.
Without one it waits for some bars; then the last price is carried on, with an alarm, because one
silent venue must not keep the guard from looking at all the others. A perpetual has its venue's
mark and index too. Its funding rates stand in the bar after the one in which they were due, when a
venue is sure to tell them. A run that is made again is first given the bars of its tape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.live.adapter import Adapter
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.margin import MarginAdapter, Mark
from agent_fund.execution.live.tape import Tape
from agent_fund.market.bars import Row, Values
from agent_fund.paper.errors import PaperError

T = TypeVar("T")

_SAMPLES = 4
_SHORTEST = 500  # milliseconds between two samples: exchanges count requests
_LONGEST = 5_000  # milliseconds between two samples, at which operators are heard and legs tended
_PATIENCE = 3  # bars for which a bar waits for a price before the last one is carried on


class Clock(Protocol):
    """The time, and waiting for it."""

    def now(self) -> int:
        """Unix milliseconds."""

    def sleep(self, milliseconds: int) -> None:
        """Return after that time, or earlier if the run is to stop."""


class LiveFeed:
    """The rows of one run.

    Args:
        adapters: by venue name; each is asked about the instruments of its venue.
        margined: those of them that margin perpetuals.
        bar: length in milliseconds.
        idle: called at every sample, between two bars: what is under way is tended there.
        stop: asked between two bars; the feed ends where it says so.
        stale: told of an instrument whose last price is carried on for want of one.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        adapters: Mapping[str, Adapter],
        margined: Mapping[str, MarginAdapter],
        tape: Tape,
        run: Run,
        clock: Clock,
        bar: int,
        idle: Callable[[], None],
        stop: Callable[[int], bool],
        stale: Callable[[Instrument], None],
    ) -> None:
        self._instruments = tuple(instruments)
        self._by_venue = {
            name: [i for i in instruments if i.venue.name == name] for name in adapters
        }
        self._adapters = adapters
        self._margined = margined
        self._rated = 0  # Unix ms up to which funding rates stand in bars
        self._tape = tape
        self._run = run
        self._clock = clock
        self._length = bar
        self._idle = idle
        self._stop = stop
        self._stale = stale
        self.replayed = 0

    def rows(self) -> Iterator[Row]:
        """The bars on the tape, then those to come, until the run is to stop."""
        last: Row | None = None
        number = 0
        for body in self._tape.bars():
            row = row_of(body)
            self._rated = row[0] if last is None else last[1]
            last = row
            number += 1
            self.replayed = number
            yield last
        while not self._stop(number):
            now = self._clock.now()
            time = now if last is None else last[1]
            sampled = self._sampled(max(time, now - self._length), last)
            if sampled is None:
                return
            self._tape.add_bar(number, sampled)
            number += 1
            last = sampled
            yield sampled

    def _sampled(self, open_time: int, last: Row | None) -> Row | None:
        """One bar from ``open_time`` on; None if the run is to stop meanwhile."""
        before = None if last is None else last[5]
        seen: list[Values] = [] if before is None else [before]
        due = open_time + self._length
        latest: dict[str, int] = {}
        marks: dict[str, Mark] = {}
        known, known_marks = self._last(last)
        ending = False
        mark_opens: Values | None = None if last is None else last[8]
        while True:
            self._idle()
            if self._stop(-1):
                return None
            prices, marked = self._run(self._market())
            now = self._clock.now()
            if now >= due and not ending:
                # What was told earlier in the bar is no price at its close.
                ending, known, known_marks = True, known | latest, known_marks | marks
                latest, marks = {}, {}
            latest |= {symbol: price for symbol, price in prices.items() if price > 0}
            marks |= {symbol: mark for symbol, mark in marked.items() if mark.mark > 0}
            missing = self._missing(latest, marks)
            tired = now >= due + _PATIENCE * self._length
            if tired and missing and not self._missing(known | latest, known_marks | marks):
                for instrument in missing:
                    self._stale(instrument)
                latest, marks, missing = known | latest, known_marks | marks, []
            if tired and missing:
                names = ", ".join(f"{i.symbol} at {i.venue.name}" for i in missing)
                raise PaperError(
                    "prices", f"none of {names}", "is the venue up, and the probe right?"
                )
            whole = not missing
            if whole:
                seen.append(tuple(latest[i.symbol] for i in self._instruments))
                mark_opens = mark_opens or self._marked(latest, marks)
            if ending and whole:
                break
            pause = min(max(self._length // _SAMPLES, _SHORTEST), _LONGEST)
            # Behind its end a bar waits for a price, which is no reason to ask more often.
            self._clock.sleep(max(min(pause, due - now), 10) if now < due else pause)
        depth = self._run(self._depth())
        volumes = tuple(depth.get(i.symbol, 0) for i in self._instruments)
        opens, closes = seen[0], seen[-1]
        highs, lows = tuple(map(max, *seen, opens)), tuple(map(min, *seen, opens))
        close_time = max(self._clock.now(), open_time + 1)
        traded = (open_time, close_time, opens, highs, lows, closes, volumes)
        if not self._margined:
            return (*traded, opens, closes, (), ())
        rates = self._rates(open_time if last is None else last[1])
        indices = tuple(
            latest[i.symbol] if i.margin is None else marks[i.symbol].index
            for i in self._instruments
        )
        mark_closes = self._marked(latest, marks)
        return (*traded, mark_opens or mark_closes, mark_closes, rates, indices)

    def _marked(self, latest: Mapping[str, int], marks: Mapping[str, Mark]) -> Values:
        """Marks in instrument order; spot is valued at its last price."""
        return tuple(
            latest[i.symbol] if i.margin is None else marks[i.symbol].mark
            for i in self._instruments
        )

    def _rates(self, until: int) -> Values:
        """Funding rates due since the last time that venues told them, and up to ``until``."""
        found: dict[str, int] = {}
        try:
            for name, adapter in self._margined.items():
                lines = [i for i in self._by_venue[name] if i.margin is not None]
                if self._rated:
                    found |= self._run(adapter.funding_rates(lines, self._rated, until))
            self._rated = until
        except FAULTS:
            found = {}  # the next bar tells them all
        return tuple(found.get(i.symbol, 0) for i in self._instruments)

    def _missing(self, prices: Mapping[str, int], marks: Mapping[str, Mark]) -> list[Instrument]:
        return [
            i
            for i in self._instruments
            if i.symbol not in prices or (i.margin is not None and i.symbol not in marks)
        ]

    def _last(self, last: Row | None) -> tuple[dict[str, int], dict[str, Mark]]:
        """Prices and marks at the close of the bar before."""
        if last is None:
            return {}, {}
        lines = list(enumerate(self._instruments))
        marked = {i.symbol: Mark(last[8][n], last[10][n]) for n, i in lines if i.margin is not None}
        return {i.symbol: last[5][n] for n, i in lines}, marked

    async def _market(self) -> tuple[dict[str, int], dict[str, Mark]]:
        """Prices and marks, asked for at once: one market, not two."""
        prices, marks = await asyncio.gather(self._prices(), self._marks())
        return prices, marks

    async def _prices(self) -> dict[str, int]:
        asked = [(self._adapters[n], lines) for n, lines in self._by_venue.items() if lines]
        found = await asyncio.gather(*(_told(adapter.prices(lines)) for adapter, lines in asked))
        return {symbol: price for prices in found for symbol, price in prices.items()}

    async def _marks(self) -> dict[str, Mark]:
        asked = [
            (adapter, [i for i in self._by_venue[name] if i.margin is not None])
            for name, adapter in self._margined.items()
        ]
        found = await asyncio.gather(*(_told(adapter.marks(lines)) for adapter, lines in asked))
        return {symbol: mark for marks in found for symbol, mark in marks.items()}

    async def _depth(self) -> dict[str, int]:
        asked = [(self._adapters[n], lines) for n, lines in self._by_venue.items() if lines]
        found = await asyncio.gather(*(_told(adapter.depth(lines)) for adapter, lines in asked))
        return {symbol: units for depths in found for symbol, units in depths.items()}


async def _told(asked: Awaitable[Mapping[str, T]]) -> Mapping[str, T]:
    """What a venue says; nothing if it cannot say it now, and then the bar waits for it."""
    try:
        return await asked
    except FAULTS:
        return {}


def row_of(body: Sequence[Any]) -> Row:
    """The row that was written down as plain JSON values."""
    open_time, close_time, *columns = body
    opens, highs, lows, closes, volumes, mark_opens, mark_closes, rates, indices = (
        tuple(map(int, column)) for column in columns
    )
    prices = (opens, highs, lows, closes, volumes)
    return (open_time, close_time, *prices, mark_opens, mark_closes, rates, indices)
