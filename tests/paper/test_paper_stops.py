"""What stops a run, from inside and outside: Ctrl-C, its last bar, and operators around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from accounts_world import Accounts, accounts, records, slow
from carry_world import carry

from agent_fund.audit.verify import verify
from agent_fund.backtest.errors import Interrupted
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.fund.agent_turn import AgentTurn
from agent_fund.fund.control_command import Act, Outcome
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def run_of(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def press(folder: Path, act: Act, about: tuple[str, ...] = ()) -> None:
    ControlFile(run_of(folder)).ask(act, "ann", "enough", about)


def quiet_from(patch: pytest.MonkeyPatch, bar: int) -> None:
    """From ``bar`` on the agent holds, and its bars leave no record but their marks."""
    ask = AgentTurn.ask

    def asked(turn: AgentTurn, at: int, snapshot: Any, book: Any) -> Any:
        if at < bar:
            return ask(turn, at, snapshot, book)
        turn._commitments.begin(at, snapshot.time)
        return None

    patch.setattr(AgentTurn, "ask", asked)


@pytest.mark.parametrize("stops", [(8,), (9, 10), (8, 11, 12)])
def test_a_quiet_run_that_was_stopped_goes_on_and_its_log_is_whole(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch, stops: tuple[int, ...]
) -> None:
    quiet_from(monkeypatch, 6)
    left, runfile = list(stops), carry(tmp_path, 14, slow)

    def told(tick, session, stores) -> None:
        if left and tick.bar == left[0]:
            left.pop(0)
            world.clock.stop()

    for _ in stops:
        runs = list((tmp_path / "runs").glob("*"))
        with pytest.raises(Interrupted):
            world.run(runfile, told, resume=runs[0] if runs else None)
        world.clock._stopped.clear()
    finished = world.run(runfile, told, resume=run_of(tmp_path))
    assert verify(finished.folder).run == finished.summary["run"]
    rows = [row[0] for record in records(finished.folder, "mark") for row in record["rows"]]
    assert rows == list(range(14))


@pytest.mark.parametrize("act", [Act.HALT, Act.FLATTEN])
@pytest.mark.parametrize("when", ["in its last turn", "while it was down", "when it was held"])
def test_what_is_said_around_the_last_bar_is_done(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch, act: Act, when: str
) -> None:
    runfile, last = carry(tmp_path, 9, slow), 8
    modes: list[Mode] = []
    done: list[str] = []

    def told(tick, session, stores) -> None:
        modes.append(tick.mode)
        if tick.bar == last and not done and when == "while it was down":
            done.append(when)
            raise Killed
        if tick.bar == last and not done and when == "when it was held":
            done.append(when)
            press(tmp_path, act)

    if when == "in its last turn":
        ask = AgentTurn.ask

        def asked(turn: AgentTurn, bar: int, snapshot: Any, book: Any) -> Any:
            answer = ask(turn, bar, snapshot, book)
            if bar == last and not done:
                done.append(when)
                press(tmp_path, act)
            return answer

        monkeypatch.setattr(AgentTurn, "ask", asked)
    if when == "while it was down":
        with pytest.raises(Killed):
            world.run(runfile, told)
        press(tmp_path, act)
        finished = world.run(runfile, told, resume=run_of(tmp_path))
    else:
        finished = world.run(runfile, told)
    (command,) = ControlFile(finished.folder).read().commands
    assert command.outcome is Outcome.DONE
    held = [quantity for _, quantity in world.booked().values()]
    if act is Act.FLATTEN:
        assert (held, modes[-1]) == ([0, 0], Mode.HALTED)
    else:
        assert "hold" in {record["act"] for record in records(finished.folder, "guard")}
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]


def test_an_order_that_had_no_bytes_when_the_halt_came_never_leaves(
    tmp_path: Path, world: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    runfile, opened, bars = carry(tmp_path, 8, slow), LegStore.open_leg, list[int]()
    ask = AgentTurn.ask

    def asked(turn: AgentTurn, bar: int, snapshot: Any, book: Any) -> Any:
        bars.append(bar)
        return ask(turn, bar, snapshot, book)

    def mortal(legs: LegStore, *leg: Any) -> None:
        if bars[-1] == 3 and bars.count(3) == 1:
            raise Killed
        opened(legs, *leg)

    monkeypatch.setattr(AgentTurn, "ask", asked)
    monkeypatch.setattr(LegStore, "open_leg", mortal)
    with pytest.raises(Killed):
        world.run(runfile)
    before = world.there()
    press(tmp_path, Act.HALT)
    finished = world.run(runfile, resume=run_of(tmp_path))
    assert [held for _, held in world.there().values()] == [held for _, held in before.values()]
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]


@pytest.mark.parametrize("amount", ["1e5000", "1e999999999", "-1e-999999999", "9" * 900, "nan"])
def test_an_amount_that_nobody_means_is_refused_and_the_run_goes_on(
    tmp_path: Path, world: Accounts, amount: str
) -> None:
    def told(tick, session, stores) -> None:
        if tick.bar == 4:
            press(tmp_path, Act.HALT)
        if tick.bar == 5:
            press(tmp_path, Act.ADJUST, ("exchange", "USDT", amount))
        if tick.bar == 6:
            press(tmp_path, Act.FLATTEN)

    finished = world.run(carry(tmp_path, 9, slow), told)
    _, adjust, flatten = ControlFile(finished.folder).read().commands
    assert (adjust.outcome, flatten.outcome) == (Outcome.REFUSED, Outcome.DONE)
    assert [held for _, held in world.booked().values()] == [0, 0]


def test_a_run_whose_control_file_was_damaged_and_is_being_read_verifies(
    tmp_path: Path, world: Accounts
) -> None:
    def told(tick, session, stores) -> None:
        if tick.bar == 2:
            (run_of(tmp_path) / "control.sqlite").write_bytes(b"garbage" * 1000)
        if tick.bar == 4:
            press(tmp_path, Act.RESUME)

    finished = world.run(carry(tmp_path, 8, slow), told)
    names = {path.name for path in finished.folder.iterdir()}
    assert any(name.startswith("control.sqlite.damaged-") for name in names)
    (finished.folder / "control.sqlite-shm").write_bytes(b"a reader")
    assert verify(finished.folder).run == finished.summary["run"]
