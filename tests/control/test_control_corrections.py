"""Settle and adjust from another terminal: what they are about, who says so, and old files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from control_world import control, held, last, later, running

from agent_fund.cli.main import run
from agent_fund.fund import control_file
from agent_fund.fund.control import ControlBoard
from agent_fund.fund.control_command import Act, Outcome, Stance
from agent_fund.fund.control_file import CommandError, ControlError, ControlFile

Capture = pytest.CaptureFixture[str]
WHO = ("--by", "Ada", "--why", "their error 4711")


def test_a_settle_is_refused_until_the_fund_is_halted_and_then_answered(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path):
        assert run(["settle", str(tmp_path), "a1b2c3", *WHO]) == 13
        assert "halt or flatten the fund first" in capsys.readouterr().out
        assert run(["halt", str(tmp_path), *WHO]) == 0
        assert run(["settle", str(tmp_path), "a1b2c3", *WHO, "--json"]) == 0
    command = last(tmp_path)
    assert (command.act, command.about, command.by) == (Act.SETTLE, ("a1b2c3",), "Ada")
    assert command.reason == "their error 4711"
    assert command.answer == "a1b2c3, by Ada"


def test_an_adjustment_states_several_assets_with_their_signs(
    tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path):
        run(["halt", str(tmp_path), *WHO])
        capsys.readouterr()
        words = ["adjust", str(tmp_path), "dex", "USD", "-12.5", "COIN", "+0.1"]
        assert run([*words, *WHO, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["act"], said["outcome"]) == ("adjust", "done")
        assert said["about"] == ["dex", "USD", "-12.5", "COIN", "+0.1"]
        assert run(["status", str(tmp_path)]) == 0
        assert "-12.5" in capsys.readouterr().out
        assert run(["status", str(tmp_path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["commands"][-1]["about"] == said["about"]


def test_without_a_run_the_one_that_runs_is_meant(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with running(folder):
        run(["halt", *WHO])
        assert run(["settle", "a1b2", *WHO]) == 0
        assert run(["adjust", "dex", "USD", "-1", *WHO]) == 0
    assert [c.about for c in control(folder).commands[1:]] == [("a1b2",), ("dex", "USD", "-1")]


@pytest.mark.parametrize(
    "words",
    [
        ["settle"],
        ["settle", "RUN", "a", "b"],
        ["adjust", "dex", "USD"],
        ["adjust", "RUN", "dex"],
    ],
)
def test_too_few_or_too_many_words_are_bad_input(
    words: list[str], tmp_path: Path, capsys: Capture
) -> None:
    with running(tmp_path):
        named = [str(tmp_path) if word == "RUN" else word for word in words]
        assert run([*named, *WHO]) == 2
        assert not control(tmp_path).commands


@pytest.mark.parametrize("missing", ["--by", "--why"])
def test_nobody_corrects_without_a_name_and_a_reason(tmp_path: Path, missing: str) -> None:
    with running(tmp_path):
        words = ["settle", str(tmp_path), "a1b2c3", *WHO]
        at = words.index(missing)
        assert run(words[:at] + words[at + 2 :]) == 2
        assert not control(tmp_path).commands


def test_a_correction_changes_neither_the_stance_nor_a_resume(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        run(["halt", str(tmp_path), *WHO])
        run(["adjust", str(tmp_path), "dex", "USD", "1", *WHO])
        run(["resume", str(tmp_path), *WHO])
        run(["settle", str(tmp_path), "a1b2c3", *WHO])
        assert last(tmp_path).outcome is Outcome.REFUSED
        before = held(tmp_path)
        later(tmp_path, process)
        assert held(tmp_path) > before or held(tmp_path) == 9


# -- the file ---------------------------------------------------------------------------------


def test_the_same_correction_again_is_the_same_until_it_is_answered(tmp_path: Path) -> None:
    file = ControlFile(tmp_path)
    file.create()
    about = ("dex", "USD", "1")
    first, new = file.ask(Act.ADJUST, "Ada", "a", about)
    assert new
    assert file.ask(Act.ADJUST, "Grace", "b", about) == (first, False)
    other, new = file.ask(Act.ADJUST, "Grace", "b", ("dex", "USD", "2"))
    assert new
    assert file.read().commands == (first, other)
    for command in (first, other):
        file.answer(command.id, "done", Outcome.DONE)
    assert file.ask(Act.ADJUST, "Ada", "a", ("dex", "USD", "2"))[1]


def earlier(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ControlFile:
    """A file as it was before commands could be about something, with a command in it."""
    file = ControlFile(folder)
    with monkeypatch.context() as before:
        before.setattr(control_file, "_SCHEMA", control_file._EARLIER)
        file.create()
        file.ask(Act.HALT, "Ada", "a look")
    return file


def test_an_earlier_file_is_read_and_a_correction_in_it_refused_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = earlier(tmp_path, monkeypatch)
    (command,) = file.read().commands
    assert (command.act, command.about) == (Act.HALT, ())
    file.ask(Act.RESUME, "Ada", "it is right")
    with pytest.raises(CommandError, match="stop it and start it again"):
        file.ask(Act.SETTLE, "Ada", "theirs", ("a1b2c3",))
    assert len(file.read().commands) == 2


def test_whoever_takes_an_earlier_file_over_makes_it_one_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier(tmp_path, monkeypatch)
    board = ControlBoard(tmp_path, restart="x", first=False)
    try:
        assert not board.fault
        standing = board.standing()
        assert (standing.stance, standing.fault) == (Stance.HALT, "")
        command, _ = ControlFile(tmp_path).ask(Act.SETTLE, "Ada", "theirs", ("a1b2c3",))
        assert board.standing().pending[-1] == command
    finally:
        board.close()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    ControlFile(fresh).create()
    assert _tables(tmp_path) == _tables(fresh)


def _tables(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / control_file.CONTROL)) as db:
        return [sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema ORDER BY name")]


@pytest.mark.parametrize("about", ["no json", "{}", "[1]", '"word"'])
def test_a_command_about_no_words_is_a_damaged_file(tmp_path: Path, about: str) -> None:
    file = ControlFile(tmp_path)
    file.create()
    file.ask(Act.SETTLE, "Ada", "theirs", ("a1b2c3",))
    with closing(sqlite3.connect(file.path)) as db:
        db.execute("UPDATE command SET about = ?", (about,))
        db.commit()
    with pytest.raises(ControlError) as caught:
        file.read()
    assert caught.value.damaged
