from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_workspace import closes, told, write_market

from agent_fund.cli.exit_codes import MEANINGS, ExitCode
from agent_fund.cli.main import run
from agent_fund.fund.monitor import Monitor

Capture = pytest.CaptureFixture[str]


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def small(workspace: Path) -> Path:
    return workspace / "backtests" / "small.toml"


def test_help_states_every_exit_code(capsys: Capture) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for code, meaning in MEANINGS.items():
        assert f"{code.value}  {meaning}" in shown
    assert set(MEANINGS) == set(ExitCode)


def test_a_misspelt_key_is_2_and_the_nearest_key_is_named(workspace: Path, capsys: Capture) -> None:
    edit(small(workspace), "exit_bars", "exit_bras")
    assert run(["backtest", str(small(workspace))]) == 2
    told_of = capsys.readouterr().err
    assert "small.toml: execution.exit_bras: unknown key; did you mean 'exit_bars'?" in told_of
    assert "Traceback" not in told_of


def test_a_missing_run_file_is_2_and_the_nearest_file_is_named(
    workspace: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(workspace / "backtests" / "smal.toml")]) == 2
    assert "did you mean 'small.toml'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bcktest"], "Did you mean 'backtest'?"),
        (["check", "x.toml"], "Missing option '--trade'"),
        (["backtest", "x.toml", "--out", "a", "--resume", "b"], "--resume names the run folder"),
        (["audit", "verify", "nowhere"], "name a folder that holds log.sqlite"),
    ],
)
def test_usage_errors_are_2_with_a_hint(arguments: list[str], says: str, capsys: Capture) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


def test_usage_errors_are_json_under_json(capsys: Capture) -> None:
    assert run(["check", "x.toml", "--json"]) == 2
    value = told(capsys)
    assert value["exit"] == 2
    assert "--trade" in str(value["error"])


def test_no_arguments_show_the_help(capsys: Capture) -> None:
    assert run([]) == 2
    said = capsys.readouterr()
    assert "backtest" in said.out
    assert said.err == ""


def test_a_strategy_that_raises_is_2_with_its_own_file_and_line(
    workspace: Path, capsys: Capture
) -> None:
    edit(
        workspace / "strategies" / "moving_average_cross.py",
        "        bar = snapshot.bar\n",
        "        bar = snapshot.bar // 0\n",
    )
    assert run(["backtest", str(small(workspace))]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "moving_average_cross.py, line" in said
    assert "raised ZeroDivisionError" in said
    assert "agent_turn.py" not in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "def decide(self, snapshot: Snapshot, book: Book)",
            "def decide(self, snapshot)",
            "asked as",
        ),
        ("    def decide(self", "    async def decide(self", "async, and nothing awaits it"),
        ("        bar = snapshot.bar\n", '        snapshot.closes("COIN", -5)\n', "-5"),
    ],
)
def test_a_strategy_s_own_mistake_is_2_with_its_file_and_line(
    workspace: Path, capsys: Capture, old: str, new: str, said: str
) -> None:
    edit(workspace / "strategies" / "moving_average_cross.py", old, new)
    assert run(["backtest", str(small(workspace))]) == 2
    told_of = capsys.readouterr().err
    assert said in told_of
    assert "moving_average_cross.py, line" in told_of
    assert "please report" not in told_of
    assert "Traceback" not in told_of


def test_a_refused_parameter_is_2_with_the_run_file_and_the_strategy_s_line(
    workspace: Path, capsys: Capture
) -> None:
    edit(small(workspace), "fast = 2", "fast = 9")
    assert run(["backtest", str(small(workspace))]) == 2
    said = capsys.readouterr().err
    assert f"see strategy.parameters in {small(workspace)}" in said
    assert "moving_average_cross.py, line" in said
    assert "Traceback" not in said


def test_a_strategy_that_is_not_python_is_2(workspace: Path, capsys: Capture) -> None:
    (workspace / "strategies" / "moving_average_cross.py").write_text("def decide(:\n")
    assert run(["backtest", str(small(workspace))]) == 2
    said = capsys.readouterr().err
    assert "moving_average_cross.py, line 1" in said
    assert "Traceback" not in said


def test_a_limit_broken_because_an_assumption_failed_is_3_and_it_is_named(
    workspace: Path, capsys: Capture
) -> None:
    write_market(workspace, closes(crash=True))
    _forget(workspace)
    assert run(["backtest", str(small(workspace))]) == 3
    shown = capsys.readouterr().out
    assert "An assumption failed" in shown
    assert "A1, bar 126: COIN moved" in shown


def test_a_limit_broken_with_every_assumption_intact_is_4_and_loud(
    workspace: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_market(workspace, closes(crash=True))
    _forget(workspace)
    # A monitor that does not see the crash leaves the breach without a failed assumption.
    monkeypatch.setattr(Monitor, "moved", lambda self, *bar: None)
    assert run(["backtest", str(small(workspace))]) == 4
    assert "DEFECT IN AGENT-FUND" in capsys.readouterr().out


def test_market_data_with_a_gap_is_5(workspace: Path, capsys: Capture) -> None:
    write_market(workspace, closes(), missing=frozenset({300}))
    _forget(workspace)
    assert run(["backtest", str(small(workspace)), "--json"]) == 5
    value = told(capsys)
    assert value["exit"] == 5
    assert "gap after" in str(value["error"])


def test_a_cassette_shorter_than_the_run_is_6(workspace: Path, capsys: Capture) -> None:
    (workspace / "strategies" / "asking.py").write_text(ASKING)
    (workspace / "strategies" / "asking.j2").write_text(
        "{% block system %}Be brief.{% endblock %}{% block user %}{{ close }}{% endblock %}"
    )
    (workspace / "backtests" / "empty.jsonl").write_text(
        '{"format":"agent-fund/cassette/v1","model":"m","weights_sha256":null,'
        '"server":"s","recorded":"2026-01-01"}\n'
    )
    edit(small(workspace), "moving_average_cross.py", "asking.py")
    edit(small(workspace), "MovingAverageCross", "Asking")
    edit(
        small(workspace),
        '[strategy.parameters]\nsymbol = "COIN"\nfast = 2\nslow = 5\n',
        '[strategy.model]\nname = "m"\ncassette = "backtests/empty.jsonl"\n',
    )
    assert run(["backtest", str(small(workspace))]) == 6
    assert "0 answers were recorded and one more is asked for" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_made_is_7(
    runfile: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    assert run(["backtest", str(runfile), "--out", str(tmp_path / "taken")]) == 7
    assert "cannot make the run folder" in capsys.readouterr().err


def test_what_nobody_expected_is_70_with_a_traceback(
    runfile: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise LookupError("the moon")

    monkeypatch.setattr("agent_fund.backtest.run.assemble", broken)
    assert run(["backtest", str(runfile), "--json"]) == 70
    said = capsys.readouterr()
    assert '"type": "LookupError"' in said.out
    assert "Traceback" in said.err


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_before_anything_is_logged_is_130(
    runfile: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: signal.Signals
) -> None:
    def pressed(path: Path) -> None:
        os.kill(os.getpid(), name)

    before = signal.getsignal(name)
    monkeypatch.setattr("agent_fund.backtest.run.assemble", pressed)
    assert run(["backtest", str(runfile)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(name) is before


@pytest.mark.parametrize("stage", ["guarded", "unguarded"])
def test_a_run_stopped_by_ctrl_c_and_resumed_has_the_root_of_one_that_was_not(
    workspace: Path, capsys: Capture, stage: str
) -> None:
    stopping = workspace / "backtests" / "stopping.toml"
    code = "from agent_fund.cli.main import main; main()"
    stopped = subprocess.run(
        [sys.executable, "-c", code, "backtest", str(stopping), "--json"],
        env={**os.environ, "PRESS_CTRL_C": stage},
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 130
    (folder,) = (workspace / "runs").iterdir()
    assert f"--resume {folder}" in stopped.stdout
    assert run(["audit", "show", str(folder)]) == 0
    assert run(["audit", "verify", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "there is no manifest.json; it did not finish, or the file was removed" in said
    assert f"go on with: agent-fund backtest RUNFILE --resume {folder}" in said
    assert not (folder / "manifest.json").exists()
    capsys.readouterr()
    assert run(["backtest", str(stopping), "--resume", str(folder), "--json"]) == 0
    resumed = told(capsys)
    assert run(["backtest", str(stopping), "--out", str(workspace / "other"), "--json"]) == 0
    whole = told(capsys)
    assert resumed["log"] == whole["log"]
    assert run(["audit", "verify", str(folder)]) == 0


def _forget(workspace: Path) -> None:
    """Let the next run import the market again."""
    for file in (workspace / "catalog").iterdir():
        file.unlink()


ASKING = '''"""Asks a model at every bar."""

from pathlib import Path

from agent_fund.agents.language_model import Answer, LanguageModelStrategy
from agent_fund.agents.strategy import HOLD


class View(Answer):
    up: bool


class Asking(LanguageModelStrategy[View]):
    answer_model = View

    def __init__(self, model, model_name):
        super().__init__(model, model_name, Path(__file__).parent / "asking.j2")

    def context(self, snapshot, book):
        return {"close": snapshot.price("COIN")}

    def proposal(self, answer, snapshot, book):
        return HOLD
'''
