from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from control_world import STATUS, control, held, last, later, running, turns, until

from agent_fund.cli.main import run
from agent_fund.fund.control_command import Act, Outcome
from agent_fund.fund.control_file import CONTROL, ControlFile
from agent_fund.fund.control_status import OpenOrder, Position

Capture = pytest.CaptureFixture[str]
CODE = "from agent_fund.cli.main import main; main()"


def words(act: str, folder: Path, *more: str, by: str = "Ada", reason: str = "a test") -> list[str]:
    return [act, str(folder), "--by", by, "--reason", reason, *more]


def told(capsys: Capture) -> dict[str, Any]:
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def apart(*arguments: str, cwd: Path | None = None) -> tuple[int, dict[str, Any]]:
    """The command in a process of its own, as from another terminal."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_a_halt_from_another_terminal_stops_the_agent_and_is_answered(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        code, said = apart(*words("halt", tmp_path))
        assert (code, said["outcome"], said["process"]) == (0, "done", "running")
        assert "no new trades" in said["answer"]
        before = held(tmp_path)
        later(tmp_path, process, 20)
        assert held(tmp_path) == before
        assert apart("status", str(tmp_path))[1]["status"]["mode"] == "halted"


def test_flatten_is_followed_to_flat_and_resume_sets_it_going_again(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path) as process:
        until(process, lambda: held(tmp_path) == 9)
        assert run(words("flatten", tmp_path)) == 0
        assert "done: flat, and halted" in capsys.readouterr().out
        assert held(tmp_path) == 0
        later(tmp_path, process)
        assert held(tmp_path) == 0
        assert run(words("resume", tmp_path, by="Grace")) == 0
        assert "active again, by Grace" in capsys.readouterr().out
        until(process, lambda: held(tmp_path) > 0)


def test_a_resume_during_a_flatten_waits_until_the_fund_is_flat(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path) as process:
        until(process, lambda: held(tmp_path) == 9)
        file = ControlFile(tmp_path)
        file.ask(Act.FLATTEN, "Ada", "a")
        assert run(words("resume", tmp_path)) == 0
        first, second = control(tmp_path).commands
        assert (first.answer, first.outcome) == ("flat, and halted", Outcome.DONE)
        assert second.outcome is Outcome.DONE
        lines = (tmp_path / "trades.txt").read_text().split()
        assert lines[9:18] == ["sell"] * 9


def test_a_resume_that_the_fund_refuses_is_13_with_its_reason(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "unsafe").touch()
    with running(tmp_path) as process:
        assert run(words("halt", tmp_path)) == 0
        assert run(words("resume", tmp_path)) == 13
        assert "refused: the book is not Safe" in capsys.readouterr().out
        before = held(tmp_path)
        later(tmp_path, process)
        assert held(tmp_path) == before


def test_a_fund_that_does_not_answer_in_time_is_14_and_the_command_stands(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "deaf").touch()
    with running(tmp_path) as process:
        assert run(words("halt", tmp_path, "--wait", "0.05")) == 14
        said = capsys.readouterr().out
        assert "No last answer in 0.05 s. The command is recorded, and stands." in said
        before = held(tmp_path)
        later(tmp_path, process)
        assert held(tmp_path) <= before + 1  # deaf to the command, and yet not to the stance
        (tmp_path / "deaf").unlink()
        until(process, lambda: last(tmp_path).finished)


def test_without_waiting_a_given_command_is_0(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as process:
        assert run(words("halt", tmp_path, "--wait", "0")) == 0
        assert "halt, command 1" in capsys.readouterr().out
        until(process, lambda: last(tmp_path).outcome is Outcome.DONE)


def test_a_command_after_a_crash_is_15_stands_and_says_how_to_start(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path) as process:
        until(process, lambda: held(tmp_path) > 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert run(words("flatten", tmp_path)) == 15
        said = capsys.readouterr().out
        assert "No process runs this fund" in said
        assert f"Start it with: python control_loop.py {tmp_path}" in said
        before = held(tmp_path)
    with running(tmp_path) as process:
        until(process, lambda: last(tmp_path).finished)
        assert last(tmp_path).answer == "flat, and halted"
        lines = (tmp_path / "trades.txt").read_text().split()
        assert lines[-before:] == ["sell"] * before  # not one trade of the agent after the command


def test_a_halted_fund_that_is_killed_is_halted_when_it_starts_again(tmp_path: Path) -> None:
    with running(tmp_path):
        assert run(words("halt", tmp_path)) == 0
        before = held(tmp_path)
    with running(tmp_path) as process:
        later(tmp_path, process, 10)
        assert held(tmp_path) == before


def test_a_fund_that_dies_while_its_answer_is_waited_for_is_15(tmp_path: Path) -> None:
    (tmp_path / "deaf").touch()
    with running(tmp_path) as process, ThreadPoolExecutor() as pool:
        waiting = pool.submit(run, words("halt", tmp_path, "--wait", "600"))
        until(process, lambda: bool(control(tmp_path).commands))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert waiting.result() == 15


def test_commands_from_many_terminals_at_once_are_each_answered_once(tmp_path: Path) -> None:
    acts = ["halt", "resume", "flatten", "halt", "resume", "halt"]
    with running(tmp_path) as process, ThreadPoolExecutor(6) as pool:
        calls = [
            pool.submit(apart, *words(act, tmp_path, by=f"person {number}"))
            for number, act in enumerate(acts)
        ]
        results = [call.result() for call in calls]
        assert {code for code, _ in results} <= {0, 13}
        for _, said in results:
            assert said["outcome"] in ("done", "refused")
        commands = control(tmp_path).commands
        assert [command.id for command in commands] == list(range(1, len(commands) + 1))
        assert {said["command"] for _, said in results} == {command.id for command in commands}
        # Whatever their order was, the fund ends where the last of them says.
        stands = next(c for c in reversed(commands) if c.outcome is Outcome.DONE)
        later(tmp_path, process)
        status = control(tmp_path).status
        assert status is not None
        assert (status.mode == "active") == (stands.act is Act.RESUME)


def test_a_command_given_again_is_the_same_and_says_who_gave_it(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "deaf").touch()
    with running(tmp_path):
        run(words("halt", tmp_path, "--wait", "0", by="Ada"))
        capsys.readouterr()
        run(words("halt", tmp_path, "--wait", "0", by="Grace"))
        said = capsys.readouterr().out
        assert "command 1" in said
        assert "by Ada" in said
        assert "It was given already" in said


def test_a_damaged_control_file_is_16_and_the_fund_halts_by_itself(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path) as process:
        later(tmp_path, process)
        os.kill(process.pid, signal.SIGSTOP)
        (tmp_path / CONTROL).write_bytes(b"no database" * 1000)
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"{CONTROL}{suffix}").unlink(missing_ok=True)
        before = held(tmp_path)
        assert run(words("halt", tmp_path)) == 16
        said = capsys.readouterr().err
        assert "the command was NOT given" in said
        assert run(["status", str(tmp_path)]) == 16
        assert run(["status", str(tmp_path), "--json"]) == 16
        os.kill(process.pid, signal.SIGCONT)
        until(process, lambda: _readable(tmp_path) and last(tmp_path).outcome is Outcome.DONE)
        assert last(tmp_path).by == "agent-fund"
        assert held(tmp_path) <= before + 1
        capsys.readouterr()
        assert run(words("resume", tmp_path, by="Ada")) == 0
        until(process, lambda: held(tmp_path) > before + 1 or held(tmp_path) == 9)


def _readable(folder: Path) -> bool:
    code, said = apart("status", str(folder))
    return code == 0 and bool(said["commands"])


def test_a_run_that_is_over_takes_no_command_and_shows_its_last_status(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path) as process:
        (tmp_path / "finish").touch()
        process.wait()
    assert run(words("halt", tmp_path)) == 2
    assert "this run has ended for good: all bars are done" in capsys.readouterr().err
    assert run(["status", str(tmp_path)]) == 0
    assert "over: all bars are done" in capsys.readouterr().out


def test_a_fund_that_was_let_go_is_not_over(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as process:
        (tmp_path / "quit").touch()
        process.wait()
    assert run(["status", str(tmp_path)]) == 15
    assert "NOT RUNNING" in capsys.readouterr().out
    (tmp_path / "quit").unlink()
    with running(tmp_path):
        assert run(["status", str(tmp_path)]) == 0


def test_a_fund_that_hangs_is_silent_and_15(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as process:
        (tmp_path / "hang").touch()
        until(process, lambda: run(["status", str(tmp_path), "--json"]) == 15)
        capsys.readouterr()
        run(["status", str(tmp_path)])
        assert "SILENT for 0 min" in capsys.readouterr().out


def test_the_status_shows_everything_that_a_person_asks(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as process:
        until(process, lambda: held(tmp_path) == 9)
        later(tmp_path, process)
        assert run(["status", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        shown = [
            "running; process",
            "active",
            "998,750.25 USD",
            "0.13% of at most 10.00%",
            "COIN",
            "900.00",
            "a1b2c3",
            "frozen",
            "2 legs are stuck",
        ]
        for text in shown:
            assert text in said
        assert run(["status", str(tmp_path), "--json"]) == 0
        value = told(capsys)
        assert value["life"] == "running"
        assert value["process"]["pid"] == process.pid
        assert value["status"]["positions"] == [
            {"symbol": "COIN", "quantity": "9", "price": "100.00", "value": "900.00"}
        ]
        assert value["exit"] == 0


def test_what_a_fund_says_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as process:
        ControlFile(tmp_path).answer(1, "x", Outcome.DONE)
        assert run(words("halt", tmp_path, reason="[bold]red[/bold] :smile:")) == 0
        assert "[bold]red[/bold] :smile:" in capsys.readouterr().out
        process.kill()
        process.wait()
        file = ControlFile(tmp_path)
        file.ask(Act.RESUME, "Ada", "b")
        file.answer(2, "\x1b[2Jgone", Outcome.REFUSED)
        run(["status", str(tmp_path)])
        assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("act", ["halt", "flatten", "resume"])
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--reason", "a"], "--by"),
        (["--by", "Ada"], "--reason"),
        (["--by", " ", "--reason", "a"], "a name is needed"),
        (["--by", "Ada", "--reason", ""], "a reason is needed"),
        (["--by", "Ada", "--reason", "a", "--wait", "-1"], "--wait"),
    ],
)
def test_without_a_name_or_a_reason_nothing_is_given(
    tmp_path: Path, capsys: Capture, act: str, more: list[str], says: str
) -> None:
    with_control(tmp_path)
    assert run([act, str(tmp_path), *more]) == 2
    assert says in capsys.readouterr().err
    assert control(tmp_path).commands == ()


def with_control(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    ControlFile(folder).create()
    (folder / "control.lock").touch()


@pytest.mark.parametrize("command", [["status"], ["halt", "--by", "Ada", "--reason", "a"]])
def test_what_is_no_run_is_2_and_said(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    backtest = tmp_path / "backtest"
    backtest.mkdir()
    for folder, says in (
        (tmp_path / "absent", "there is no such folder"),
        (backtest, f"without {CONTROL}"),
        (None, "no fund was started under runs/"),
    ):
        assert run([*command, *([] if folder is None else [str(folder)])]) == 2
        assert says in " ".join(capsys.readouterr().err.split())
    (backtest / "manifest.json").touch()
    assert run([*command, str(backtest)]) == 2
    assert "a finished backtest" in capsys.readouterr().err


def test_the_run_left_out_is_the_newest_and_never_a_guess_between_two_that_run(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    older, newer = tmp_path / "runs" / "b", tmp_path / "runs" / "a"
    (tmp_path / "runs" / "not-a-fund").mkdir(parents=True)
    for folder in (older, newer):
        with_control(folder)
    os.utime(older / "control.lock", ns=(1, 1))
    assert run(["status"]) == 15
    assert "runs/a" in capsys.readouterr().out
    (older / CONTROL).unlink()
    with running(older), running_in(newer):
        assert run(["halt", "--by", "Ada", "--reason", "a"]) == 2
        assert "2 funds run; name one: runs/a, runs/b" in capsys.readouterr().err
    os.utime(older / "control.lock", ns=(1, 1))
    with running(older):
        os.utime(older / "control.lock", ns=(1, 1))
        assert run(["halt", "--by", "Ada", "--reason", "a"]) == 0  # the one that runs
        assert "runs/b" in capsys.readouterr().out


def test_a_fund_that_lives_comes_before_a_newer_run_that_does_not_and_others_are_named(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    older, other, newest = (tmp_path / "runs" / name for name in "abc")
    (tmp_path / "runs").mkdir()
    for folder in (older, other, newest):
        with_control(folder)
    (older / CONTROL).unlink()
    with running(older):
        os.utime(older / "control.lock", ns=(1, 1))
        assert run(["status"]) == 0
        said = capsys.readouterr().out
        assert "runs/a" in said
        assert "running; process" in said
        assert "Running too" not in said
        with running_in(other):
            assert run(["status", "runs/a"]) == 0
            assert "Running too: runs/b" in capsys.readouterr().out
            assert run(["status", "--json"]) == 0
            value = told(capsys)
            assert value["run"] == str(other)
            assert value["others"] == [str(older)]


LONG = "yflfpudhlz5fpoj5jukmj7nuykped3ny"


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_an_order_s_id_and_the_command_that_starts_again_stand_in_one_piece(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with_control(tmp_path)
    file, restart = ControlFile(tmp_path), f"agent-fund paper {'x' * 90}.toml --resume RUN"
    file.begin(restart)
    order = OpenOrder(
        LONG, "hyperliquid", "sell", "ETH-PERP", "48.556", "0", "1999.12345678", "reduce", "unknown"
    )
    held = Position("ETH-PERP", "-48.556", "1999.12345678", "-97069.43856789")
    gone = Position("ETH", "0.0000", "2000", "0")
    file.beat(replace(STATUS, orders=(order,), positions=(gone, held)))
    assert run(["status", str(tmp_path)]) == 15
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == [LONG[:12]] for line in lines)
    assert f"Start it with: {restart}" in lines
    assert any("ETH-PERP" in line and "-97,069.44" in line for line in lines)
    assert not any("0.0000" in line for line in lines)


def running_in(folder: Path) -> Any:
    (folder / CONTROL).unlink()
    return running(folder)


def test_watching_needs_a_terminal_and_shows_turns_go_by(tmp_path: Path, capsys: Capture) -> None:
    with running(tmp_path) as fund:
        assert run(["status", str(tmp_path), "--watch"]) == 2
        assert "it needs a terminal" in capsys.readouterr().err
        assert run(["status", str(tmp_path), "--watch", "--json"]) == 2
        first = turns(tmp_path)
        ours, theirs = pty.openpty()
        watching = subprocess.Popen(
            [sys.executable, "-c", CODE, "status", str(tmp_path), "--watch"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        )
        os.close(theirs)
        seen = b""
        while seen.count(b"Drawdown") < 2:
            seen += os.read(ours, 65536)
        os.kill(watching.pid, signal.SIGINT)
        while chunk := _rest(ours):
            seen += chunk
        assert watching.wait() == 0
        os.close(ours)
        assert b"running" in seen
        until(fund, lambda: turns(tmp_path) > first)


def _rest(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError:
        return b""
