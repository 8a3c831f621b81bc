"""What must be on the disk when a call returns is there; the rest goes along with the next."""

from __future__ import annotations

from pathlib import Path

from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.tape import Answer, Tape

NORMAL, FULL = 1, 2  # https://sqlite.org/pragma.html#pragma_synchronous


def test_bytes_and_answers_are_synced_before_they_leave_and_before_they_are_told(
    tmp_path: Path,
) -> None:
    file = LiveFile(tmp_path / "live.sqlite")
    alarms = Alarms(file, lambda: 0)
    legs, tape = LegStore(file, alarms, lambda: 0), Tape(file)

    def level() -> int:
        return int(file.rows("PRAGMA synchronous")[0][0])

    assert level() == FULL
    legs.open_leg("leg", "venue", {}, 0)
    assert level() == NORMAL
    legs.keep(Prepared("leg", "reference", b"bytes", 0, {}))
    assert level() == FULL
    legs.take("venue", Report("leg", LegState.SUBMITTED))
    assert level() == NORMAL
    tape.answer(Answer("venue", "submit", 0, "leg", []))
    assert level() == FULL
    for number, write in enumerate(
        (
            lambda: tape.add_bar(0, []),
            lambda: tape.act(0, {}),
            lambda: alarms.raise_alarm("venue", "leg", "text"),
            lambda: alarms.quarantine("venue", "leg", "text"),
            lambda: alarms.clear("a person", 2**62),
        )
    ):
        legs.take("venue", Report("leg", LegState.SUBMITTED, detail=str(number)))
        assert level() == NORMAL
        write()
        assert level() == FULL
    file.close()


def test_answers_are_read_in_order_across_pages_and_only_those_of_the_venue(tmp_path: Path) -> None:
    file = LiveFile(tmp_path / "live.sqlite")
    tape = Tape(file)
    with file.transaction():
        for number in range(1203):
            tape.answer(Answer("here" if number % 2 else "there", "open", number, "", [number]))
    told = list(tape.answers("here"))
    assert [answer.bar for answer in told] == list(range(1, 1203, 2))
    assert [answer.body for answer in told] == [[n] for n in range(1, 1203, 2)]
    assert list(tape.answers("nowhere")) == []
    file.close()
