"""Bars with perpetuals in them: marks, indices, and every funding rate in one bar."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.margin import Mark
from agent_fund.execution.live.tape import Tape
from agent_fund.market.bars import Row
from agent_fund.market.snapshot import History
from agent_fund.paper.errors import PaperError
from agent_fund.paper.feed import LiveFeed

USD = Asset("USD", 6)
TERMS = Margin(Fraction(1, 20), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))
SPOT = Instrument("COIN", Asset("COIN", 3), USD, Venue("spot"), price_scale=2)


def perpetual(venue: str) -> Instrument:
    return Instrument(
        f"P-{venue}",
        Asset(f"C{venue}", 3),
        USD,
        Venue(venue),
        price_scale=2,
        kind=Kind.PERPETUAL,
        margin=TERMS,
    )


NEAR, FAR = perpetual("near"), perpetual("far")
LINES = (SPOT, NEAR, FAR)
BEGIN, BAR = 1_790_000_000_000, 20_000


class World:
    """Three venues, their clock, and one tape; a feed is made anew for each process."""

    def __init__(self, path: Path) -> None:
        self.now = BEGIN
        self.price, self.mark, self.index = 100_00, 101_00, 99_00
        self.payments: dict[str, list[tuple[int, int]]] = {"near": [], "far": []}
        self.windows: dict[str, list[tuple[int, int]]] = {"near": [], "far": []}
        self.without: set[str] = set()  # what is not told: "price near", "mark far", "rates near"
        self.stale: list[str] = []
        self.stop_at = 10**9
        self.file = LiveFile(path)
        self.loop = asyncio.Runner()

    def close(self) -> None:
        self.file.close()
        self.loop.close()

    # -- the clock ----------------------------------------------------------------------------

    def sleep(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.price += 1
        self.mark += 2
        self.index += 3

    def idle(self) -> None:
        """What a run does between two samples takes its time, and the market does not wait."""
        self.price += 1
        self.mark += 2

    def clock(self) -> Any:
        world = self

        class Clock:
            def now(self) -> int:
                return world.now

            def sleep(self, milliseconds: int) -> None:
                world.sleep(milliseconds)

        return Clock()

    # -- bars ---------------------------------------------------------------------------------

    def feed(self) -> LiveFeed:
        adapters: Any = {line.venue.name: Speaker(self, line.venue.name) for line in LINES}
        margined = {name: adapters[name] for name in ("near", "far")}
        return LiveFeed(
            LINES,
            adapters,
            margined,
            Tape(self.file),
            self.loop.run,
            self.clock(),
            BAR,
            self.idle,
            lambda number: number >= self.stop_at,
            lambda line: self.stale.append(line.symbol),
        )

    def bars(self, number: int) -> list[Row]:
        """The rows of one process until there are so many."""
        return list(itertools.islice(self.feed().rows(), number))


class Speaker:
    """A venue as far as a feed asks it."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def _require(self, what: str) -> None:
        if f"{what} {self.name}" in self.world.without:
            raise ExecutionError(what, "no answer", "ask again")

    async def prices(self, lines: Sequence[Instrument]) -> Mapping[str, int]:
        self._require("price")
        return {line.symbol: self.world.price for line in lines}

    async def depth(self, lines: Sequence[Instrument]) -> Mapping[str, int]:
        return {line.symbol: 7 for line in lines}

    async def marks(self, lines: Sequence[Instrument]) -> Mapping[str, Mark]:
        self._require("mark")
        return {line.symbol: Mark(self.world.mark, self.world.index) for line in lines}

    async def funding_rates(
        self, lines: Sequence[Instrument], since: int, until: int
    ) -> Mapping[str, int]:
        self.world.windows[self.name].append((since, until))
        self._require("rates")
        paid = self.world.payments[self.name]
        return {
            line.symbol: sum(rate for time, rate in paid if since < time <= until) for line in lines
        }


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.close()


def test_a_bar_has_each_perpetuals_mark_and_index_and_spot_at_its_last_price(
    world: World,
) -> None:
    rows = world.bars(3)
    for row in rows:
        opens, closes, mark_opens, mark_closes, indices = row[2], row[5], row[7], row[8], row[10]
        # Spot is valued where it trades: an audit refuses a mark of its own.
        assert mark_opens[0] == opens[0]
        assert mark_closes[0] == closes[0] == indices[0]
        assert set(mark_closes[1:]) == {closes[0] + (mark_closes[1] - closes[0])}
        assert mark_closes[1] != closes[1]
        assert indices[1] not in (closes[1], mark_closes[1])
    assert [row[7] for row in rows[1:]] == [row[8] for row in rows[:-1]]
    assert [row[2] for row in rows[1:]] == [row[5] for row in rows[:-1]]


def test_the_mark_at_the_first_open_is_the_first_that_was_told(world: World) -> None:
    (row,) = world.bars(1)
    assert row[7][1:] == (101_02, 101_02)
    assert row[8][1] > row[7][1]


def test_a_bar_waits_for_a_mark(world: World) -> None:
    world.bars(1)
    world.without = {"mark far"}
    slept, sleep = [], world.sleep

    def sleeps(milliseconds: int) -> None:
        slept.append(milliseconds)
        sleep(milliseconds)
        if sum(slept) >= 2 * BAR:
            world.without = set()

    world.sleep = sleeps  # type: ignore[method-assign]
    row = world.bars(2)[1]
    assert row[1] - row[0] >= 2 * BAR
    assert world.stale == []


def test_a_mark_that_stays_away_is_carried_on_with_an_alarm_and_its_price_is_the_new_one(
    world: World,
) -> None:
    first = world.bars(1)[0]
    world.without = {"mark far"}
    row = world.bars(2)[1]
    assert set(world.stale) == {"P-far"}
    assert row[8][2] == first[8][2]
    assert row[10][2] == first[10][2]
    assert row[5][2] > first[5][2]
    assert row[8][1] > first[8][1]


def silent_from(world: World, what: str, begin: int, end: int) -> None:
    """``what`` is not told between two times, in milliseconds since the run began."""
    sleep = world.sleep

    def sleeps(milliseconds: int) -> None:
        sleep(milliseconds)
        world.without = {what} if begin <= world.now - BEGIN < end else set()

    world.sleep = sleeps  # type: ignore[method-assign]


def test_a_price_told_early_in_a_bar_is_not_its_close(world: World) -> None:
    early = BAR + BAR // 2
    silent_from(world, "price far", early, 3 * BAR)
    row = world.bars(2)[1]
    assert row[1] - row[0] >= 2 * BAR
    assert row[5][2] == row[5][1]  # both were told at the close
    assert world.stale == []


def test_a_price_that_stays_away_since_then_is_carried_on_from_there_with_an_alarm(
    world: World,
) -> None:
    first = world.bars(1)[0]
    silent_from(world, "price far", BAR + BAR // 2, 100 * BAR)
    row = world.bars(2)[1]
    assert set(world.stale) == {"P-far"}
    assert first[5][2] < row[5][2] < row[5][1]


def test_venues_are_asked_no_more_often_because_one_of_them_is_silent(world: World) -> None:
    world.bars(1)
    world.without = {"price far"}
    slept, sleep = [], world.sleep

    def sleeps(milliseconds: int) -> None:
        slept.append(milliseconds)
        sleep(milliseconds)

    world.sleep = sleeps  # type: ignore[method-assign]
    world.bars(2)
    assert len(slept) <= 4 * 4  # samples a bar, bars of patience and its own


def test_a_price_that_stays_away_leaves_the_mark_its_own(world: World) -> None:
    first = world.bars(1)[0]
    world.without = {"price far"}
    row = world.bars(2)[1]
    assert set(world.stale) == {"P-far"}
    assert row[5][2] == first[5][2]
    assert row[8][2] > first[8][2]


def test_a_run_does_not_begin_without_a_mark(world: World) -> None:
    world.without = {"mark near"}
    with pytest.raises(PaperError, match="P-near at near"):
        world.bars(1)


def test_a_mark_of_nothing_is_no_mark(world: World) -> None:
    world.mark = -10_000_00
    with pytest.raises(PaperError, match="P-near at near, P-far at far"):
        world.bars(1)


def test_funding_rates_are_asked_for_in_windows_that_meet_and_end_a_bar_earlier(
    world: World,
) -> None:
    rows = world.bars(5)
    for windows in world.windows.values():
        assert windows[0][0] == rows[0][0]
        assert [until for _, until in windows] == [row[1] for row in rows[:-1]]
        assert [since for since, _ in windows[1:]] == [until for _, until in windows[:-1]]


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_payment_at_the_very_end_of_a_bar_stands_in_one_bar(world: World, off: int) -> None:
    world.stop_at = 2
    at = world.bars(2)[1][1] + off
    world.payments["near"] = [(at, 500)]
    world.stop_at = 10**9
    rates = [row[9][1] for row in world.bars(6)]
    assert sum(rates) == 500
    assert rates.index(500) == (2 if off <= 0 else 3)


def test_a_run_resumed_after_one_bar_tells_every_rate_once(world: World) -> None:
    first = world.bars(1)
    world.now += 10 * BAR
    world.payments["near"] = [(first[0][0] + 1, 3), (first[0][1] + 5 * BAR, 40)]
    rows = world.bars(4)
    assert rows[:1] == first
    assert [row[9][1] for row in rows] == [0, 3, 40, 0]
    # After a pause the bar is as long as any other, and does not reach back over it.
    assert rows[1][1] - rows[1][0] <= BAR


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 50_000), max_size=12),
    lives=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    failing=st.sets(st.tuples(st.integers(0, 15), st.sampled_from(["near", "far"]))),
)
def test_each_rate_stands_in_one_bar_whatever_fails_within_one_life(
    tmp_path_factory, gaps: list[int], lives: list[int], failing: set[tuple[int, str]]
) -> None:
    world = World(tmp_path_factory.mktemp("feed") / "live.sqlite")
    times = list(itertools.accumulate(gaps, initial=BEGIN + 1))
    for name in world.payments:
        world.payments[name] = [(time, 1) for time in times]
    done, rows = 0, list[Row]()
    for number in lives:
        feed = world.feed().rows()
        rows = [next(feed) for _ in range(done)]
        for bar in range(done, done + number):
            # The last bar of a life finds the venue up: what failed is asked for by the next.
            failed = {f"rates {name}" for at, name in failing if at == bar}
            world.without = failed if bar < done + number - 1 else set()
            rows.append(next(feed))
        done += number
        world.now += 45_000
    world.without = set()
    feed = world.feed().rows()
    rows = [next(feed) for _ in range(done + 40)]
    assert [sum(row[9][column] for row in rows) for column in (0, 1, 2)] == [0, *2 * [len(times)]]
    world.close()


def test_what_fails_at_one_venue_is_told_by_neither_and_by_both_at_the_next_bar(
    world: World,
) -> None:
    world.payments = {"near": [(BEGIN + 1, 5)], "far": [(BEGIN + 2, 7)]}
    feed = world.feed().rows()
    rows = [next(feed)]
    world.without = {"rates far"}
    rows.append(next(feed))
    world.without = set()
    rows += [next(feed), next(feed)]
    assert [row[9] for row in rows] == [(0, 0, 0), (0, 0, 0), (0, 5, 7), (0, 0, 0)]


def test_rows_of_the_tape_are_the_rows_that_were_told_and_a_history_takes_them(
    world: World,
) -> None:
    world.payments["near"] = [(BEGIN + 1, 5)]
    told = world.bars(4)
    again = world.bars(4)
    assert again == told
    history = History(LINES)
    for row in again:
        history.append(*row)
    assert history.snapshot().mark("P-near") == told[-1][8][1]
    assert history.snapshot().funding_rates("P-near", 2) == [5]
