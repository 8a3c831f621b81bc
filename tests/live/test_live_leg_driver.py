"""When a driver sends again what nobody has seen, with a higher fee or not, and when not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from live_world import driven

from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_state import LegState as S
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile

DEADLINE, PATIENCE = 100, 10


class Line:
    """A sender that notes what it is asked, and a driver with a clock that stands still."""

    def __init__(self, path: Path) -> None:
        self.file = LiveFile(path)
        self.alarms = Alarms(self.file, lambda: 0)
        self.legs = LegStore(self.file, self.alarms, lambda: 0)
        self.now, self.says = 0, S.UNKNOWN
        self.sent: list[bytes] = []
        self.driver = self.again()

    def again(self) -> LegDriver:
        """The driver of a new process."""
        self.driver = LegDriver("here", self, self.legs, driven, lambda: self.now, PATIENCE)
        return self.driver

    def begin(self) -> S:
        async def prepare() -> Prepared:
            return Prepared("leg", "ref", b"first", DEADLINE, {})

        return self.driver.begin("leg", {"kind": "order"}, DEADLINE, prepare).state

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.driver.tend()

    async def submit(self, prepared: Prepared) -> Report:
        (kept,) = [leg.prepared for leg in self.legs.working("here")]
        assert kept == prepared, "it leaves before it is durable"
        self.sent.append(prepared.payload)
        return Report(prepared.leg_id, self.says)

    async def status(self, prepared: Prepared) -> Report:
        return Report(prepared.leg_id, self.says)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        return replace(prepared, payload=prepared.payload + b"+")

    async def cancel(self, prepared: Prepared) -> Report:
        return Report(prepared.leg_id, S.CANCELED)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "live.sqlite")
    yield made
    made.file.close()


def test_what_nobody_has_seen_is_sent_again_as_it_was_after_some_patience(line: Line) -> None:
    line.begin()
    line.wait(PATIENCE - 1)
    assert line.sent == [b"first"]
    line.wait(1)
    assert line.sent == [b"first", b"first"]


def test_what_waits_in_the_pool_is_bumped(line: Line) -> None:
    line.says = S.SUBMITTED
    line.begin()
    line.wait(PATIENCE)
    assert line.sent == [b"first", b"first+"]


def test_nothing_is_sent_again_at_its_deadline_or_later(line: Line) -> None:
    line.begin()
    line.wait(DEADLINE)
    line.wait(PATIENCE)
    assert line.sent == [b"first"]


@pytest.mark.parametrize(("at", "sent"), [(DEADLINE - 1, [b"first"]), (DEADLINE, [])])
def test_a_leg_is_not_begun_at_its_deadline(line: Line, at: int, sent: list[bytes]) -> None:
    line.now = at
    assert line.begin() is (S.UNKNOWN if sent else S.REJECTED)
    assert line.sent == sent


@pytest.mark.parametrize(("at", "sent"), [(DEADLINE - 1, [b"first"]), (DEADLINE, [])])
def test_bytes_that_never_left_are_sent_by_the_next_process_while_there_is_time(
    line: Line, at: int, sent: list[bytes]
) -> None:
    line.legs.open_leg("leg", "here", {"kind": "order"}, DEADLINE)
    line.legs.keep(Prepared("leg", "ref", b"first", DEADLINE, {}))
    line.now = at
    line.again().wake()
    assert line.sent == sent


def test_an_intent_without_bytes_never_left_and_never_will(line: Line) -> None:
    line.legs.open_leg("leg", "here", {"kind": "order"}, DEADLINE)
    line.again().wake()
    assert line.begin() is S.REJECTED
    assert line.sent == []


def test_an_unwanted_leg_is_cancelled_and_not_sent_again(line: Line) -> None:
    line.begin()
    line.driver.unwant("leg", line.cancel)
    line.wait(PATIENCE)
    assert line.sent == [b"first"]
    assert line.legs.leg("leg").state is S.CANCELED
