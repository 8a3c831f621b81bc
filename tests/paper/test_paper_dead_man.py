"""Timers at venues that cancel what rests there: armed while the run lives, else an alarm."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.paper.dead_man import SECONDS, DeadMan

BEGIN = 1_790_000_000_000


class Venue:
    """What it was asked for; ``failure`` is what it raises."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.failure: Exception | None = None

    async def arm_dead_man(self, seconds: int) -> None:
        if self.failure is not None:
            raise self.failure
        self.asked.append(seconds)


class World:
    def __init__(self, path: Path) -> None:
        self.now = BEGIN
        self.venues = {"one": Venue(), "two": Venue()}
        self.file = LiveFile(path)
        self.alarms = Alarms(self.file, lambda: self.now)
        adapters: Any = self.venues
        self.timers = DeadMan(adapters, self.alarms, asyncio.run, lambda: self.now)

    def live(self, seconds: int, each: int = 5) -> None:
        """So many seconds pass, in which the run shows that it lives."""
        for _ in range(seconds // each):
            self.now += each * 1000
            self.timers.live()

    def raised(self) -> list[tuple[str, str]]:
        return [(alarm.venue, alarm.subject) for alarm in self.alarms.all()]


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.file.close()


def test_every_timer_is_armed_at_once_and_again_long_before_it_runs_out(world: World) -> None:
    world.timers.live()
    assert [venue.asked for venue in world.venues.values()] == [[SECONDS], [SECONDS]]
    for _ in range(120):
        before = len(world.venues["one"].asked)
        world.live(60)
        assert len(world.venues["one"].asked) >= before + 2
    # And not at every turn: such requests are counted.
    assert len(world.venues["one"].asked) <= 2 * 120 + 2


def test_one_venue_that_fails_does_not_leave_another_unarmed(world: World) -> None:
    world.venues["one"].failure = ExecutionError("timer", "no answer", "ask again")
    world.live(60)
    assert len(world.venues["two"].asked) == 2


def test_a_timer_that_may_have_run_out_is_an_alarm_and_one_that_has_not_is_none(
    world: World,
) -> None:
    world.timers.live()
    world.venues["one"].failure = TimeoutError("no answer")
    world.live(SECONDS - 5)
    assert world.raised() == []
    world.live(35)
    assert world.raised() == [("one", "dead-man timer")]


def test_a_venue_that_never_took_a_timer_is_shown_and_freezes_nobody(world: World) -> None:
    world.venues["one"].failure = ExecutionError("timer", "needs more volume", "trade more")
    world.live(SECONDS + 30)
    assert world.raised() == []
    assert [(venue, subject) for venue, subject, _ in world.alarms.orphans()] == [
        ("one", "dead-man timer")
    ]


def test_a_timer_that_is_armed_again_in_time_is_no_alarm(world: World) -> None:
    world.timers.live()
    world.venues["one"].failure = OSError("line down")
    world.live(SECONDS - 35)
    world.venues["one"].failure = None
    world.live(300)
    assert world.raised() == []


def test_a_clock_that_is_set_back_leaves_no_timer_to_run_out(world: World) -> None:
    world.timers.live()
    world.now -= 3_600_000
    world.timers.live()
    assert world.venues["one"].asked == [SECONDS, SECONDS]


def test_at_the_end_timers_are_disarmed_and_a_failure_there_is_no_matter(world: World) -> None:
    world.timers.live()
    world.venues["one"].failure = OSError("line down")
    world.timers.rest()
    assert world.venues["two"].asked == [SECONDS, 0]
    assert world.raised() == []


def test_what_was_never_tried_is_not_disarmed(world: World) -> None:
    world.timers.rest()
    assert not world.venues["one"].asked
