"""A strategy that raises, exits, lies or never answers: the fund goes on under its guard."""

from __future__ import annotations

from pathlib import Path

import pytest
from accounts_world import Accounts, accounts, records, slow
from carry_world import carry

from agent_fund.audit.verify import verify
from agent_fund.fund.control_command import Act, Outcome
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


FLAKY = '''

class Hung(BaseException):
    """Stands for a call that never returns, and for the signal that ends it."""


class Flaky(CashAndCarry):
    """Carries, and fails at some of its turns."""

    turns = 0

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        self.turns += 1
        if self.turns in {turns}:
            {body}
        return super().decide(snapshot, book)
'''


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def flaky(folder: Path, bars: int, body: str, turns: tuple[int, ...] = (4, 5)) -> Path:
    """A carry run whose strategy does ``body`` at these turns, counted from 1."""
    runfile = carry(folder, bars, lambda text: slow(text).replace('"CashAndCarry"', '"Flaky"'))
    file = runfile.parent.parent / "strategies" / "cash_and_carry.py"
    more = FLAKY.replace("{turns}", repr(set(turns))).replace("{body}", body)
    file.write_text(file.read_text() + more)
    return runfile


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


FAILURES = {
    "raises": ('raise ValueError(f"boom {object()}")', "ValueError"),
    "exits": ("raise SystemExit(0)", "ConfigurationError"),
    "gives a list": ("return []", "ConfigurationError"),
    "reads nonsense": ("return snapshot.closes('NO SUCH THING', 5)", ""),
    "divides by zero": ("return 1 // 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_turn_that_fails_is_an_abstention_with_an_alarm_and_the_next_one_is_asked(
    tmp_path: Path, world: Accounts, failure: str
) -> None:
    body, kind = FAILURES[failure]
    finished = world.run(flaky(tmp_path, 12, body))
    aborts = records(finished.folder, "abort")
    assert [record["bar"] for record in aborts] == [3, 4]
    assert all(f"the strategy failed with {kind}" in record["reason"] for record in aborts)
    assert {(alarm.venue, alarm.subject) for alarm in world.alarms} == {("run", "strategy")}
    assert any("cash_and_carry.py" in a.text or "strategy.py" in a.text for a in world.alarms)
    guards = records(finished.folder, "guard")
    assert max(r["bar"] for r in guards if r["act"] == "decide") > 4
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]


def test_a_run_whose_strategy_failed_is_resumed_and_flattened(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = flaky(tmp_path, 12, 'raise ValueError(f"boom {object()}")', (4, 5, 6, 7, 8))

    def dies(tick, session, stores) -> None:
        if tick.bar == 6:
            raise Killed

    with pytest.raises(Killed):
        world.run(runfile, dies)
    modes: list[Mode] = []

    def told(tick, session, stores) -> None:
        modes.append(tick.mode)
        if tick.bar == 8:
            ControlFile(run_of(tmp_path)).ask(Act.FLATTEN, "bob", "its strategy is broken")

    finished = world.run(runfile, told, resume=run_of(tmp_path))
    assert modes[-1] is Mode.HALTED
    assert [held for _, held in world.booked().values()] == [0, 0]
    assert verify(finished.folder).run == finished.summary["run"]


def test_a_strategy_that_never_answers_is_kept_out_by_a_halt_given_while_nothing_runs(
    tmp_path: Path, world: Accounts
) -> None:
    runfile = flaky(tmp_path, 12, 'raise Hung("for ever")', tuple(range(5, 40)))
    for _ in range(2):
        runs = list((tmp_path / "runs").glob("*"))
        with pytest.raises(BaseException, match="for ever"):
            world.run(runfile, resume=runs[0] if runs else None)
    assert any(held for _, held in world.there().values())
    ControlFile(run_of(tmp_path)).ask(Act.FLATTEN, "bob", "it hangs")
    finished = world.run(runfile, resume=run_of(tmp_path))
    assert [held for _, held in world.booked().values()] == [0, 0]
    (command,) = ControlFile(finished.folder).read().commands
    assert command.outcome is Outcome.DONE
    assert verify(finished.folder).run == finished.summary["run"]
