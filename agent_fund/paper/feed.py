"""Bars as a live market makes them: sampled at venues, written down before the fund sees them.

A bar is as long as the run file says, and ends when every instrument has a price. Without one it
waits for some bars; then the last price is carried on, with an alarm, because one silent venue must
not keep the guard from looking at all the others. A run that is made again is first given the bars
of its tape.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.live.adapter import Adapter
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.tape import Tape
from agent_fund.market.bars import Row, Values
from agent_fund.paper.errors import PaperError

_SAMPLES = 4
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
        bar: length in milliseconds.
        idle: called at every sample, between two bars: what is under way is tended there.
        stop: asked between two bars; the feed ends where it says so.
        stale: told of an instrument whose last price is carried on for want of one.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        adapters: Mapping[str, Adapter],
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
            last = row_of(body)
            number += 1
            self.replayed = number
            yield last
        prices = None if last is None else last[5]
        time = self._clock.now() if last is None else last[1]
        while not self._stop(number):
            row = self._sampled(max(time, self._clock.now() - self._length), prices)
            if row is None:
                return
            self._tape.add_bar(number, row)
            number += 1
            prices, time = row[5], row[1]
            yield row

    def _sampled(self, open_time: int, before: Values | None) -> Row | None:
        """One bar from ``open_time`` on; None if the run is to stop meanwhile."""
        seen: list[Values] = [] if before is None else [before]
        due = open_time + self._length
        latest: dict[str, int] = {}
        while True:
            self._idle()
            if self._stop(-1):
                return None
            found = self._run(self._prices())
            latest |= {symbol: price for symbol, price in found.items() if price > 0}
            if before is not None and self._clock.now() >= due + _PATIENCE * self._length:
                latest = self._carried(latest, before)
            missing = [i for i in self._instruments if i.symbol not in latest]
            if missing and before is None and self._clock.now() >= due + _PATIENCE * self._length:
                names = ", ".join(f"{i.symbol} at {i.venue.name}" for i in missing)
                raise PaperError(
                    "prices", f"none of {names}", "is the venue up, and the probe right?"
                )
            whole = not missing
            if whole:
                seen.append(tuple(latest[i.symbol] for i in self._instruments))
            now = self._clock.now()
            if now >= due and whole:
                break
            self._clock.sleep(max(min(self._length // _SAMPLES, due - now), 10))
        depth = self._run(self._depth())
        volumes = tuple(depth.get(i.symbol, 0) for i in self._instruments)
        opens, closes = seen[0], seen[-1]
        highs, lows = tuple(map(max, *seen, opens)), tuple(map(min, *seen, opens))
        close_time = max(self._clock.now(), open_time + 1)
        return open_time, close_time, opens, highs, lows, closes, volumes, opens, closes, (), ()

    def _carried(self, latest: dict[str, int], before: Values) -> dict[str, int]:
        """With the last price of what has had none for too long: others must go on."""
        last = {i.symbol: price for i, price in zip(self._instruments, before, strict=True)}
        for instrument in self._instruments:
            if instrument.symbol not in latest:
                self._stale(instrument)
        return last | latest

    async def _prices(self) -> dict[str, int]:
        asked = [(self._adapters[n], lines) for n, lines in self._by_venue.items() if lines]
        found = await asyncio.gather(*(_told(adapter.prices(lines)) for adapter, lines in asked))
        return {symbol: price for prices in found for symbol, price in prices.items()}

    async def _depth(self) -> dict[str, int]:
        asked = [(self._adapters[n], lines) for n, lines in self._by_venue.items() if lines]
        found = await asyncio.gather(*(_told(adapter.depth(lines)) for adapter, lines in asked))
        return {symbol: units for depths in found for symbol, units in depths.items()}


async def _told(asked: Awaitable[Mapping[str, int]]) -> Mapping[str, int]:
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
