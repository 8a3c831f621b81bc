from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from cli_workspace import told

from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.main import run

Capture = pytest.CaptureFixture[str]

PEEKING = '''"""Buys ahead of a rise of its own market, which it reads from the catalog."""

from pathlib import Path

from agent_fund.agents.strategy import HOLD
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.market.catalog import Catalog


class MovingAverageCross:
    def __init__(self, symbol, fast, slow):
        bars = Catalog(Path(__file__).parent.parent / "catalog").read_bars("coin")
        self.closes = dict(zip(bars.close_times, bars.closes))
        print("hello from a strategy")

    def decide(self, snapshot, book):
        now, held = snapshot.last_close("COIN"), book.position("COIN")
        later = [close for time, close in self.closes.items() if time > snapshot.time]
        up = bool(later) and later[0] > now
        if up is (held > 0):
            return HOLD
        side, units = (Side.BUY, 10000) if up else (Side.SELL, held)
        limit = now + side.sign * (now // 50)
        return Proposal((Leg(snapshot.instruments["COIN"], side, units, limit),), reason="I know")
'''


@pytest.fixture
def cheating(workspace: Path) -> Path:
    """A run file whose strategy knows the next close."""
    (workspace / "strategies" / "moving_average_cross.py").write_text(PEEKING)
    return workspace / "backtests" / "small.toml"


def test_a_strategy_that_does_not_look_ahead_is_0_and_makes_no_run_folder(
    workspace: Path, capsys: Capture
) -> None:
    path = workspace / "backtests" / "small.toml"
    assert run(["backtest", str(path), "--lookahead-check"]) == 0
    said = capsys.readouterr()
    assert said.out.count("no decision changed") == 4
    assert "look-ahead" not in said.out
    assert "cannot see a strategy that reads an absolute path" in said.out
    assert "as it is: 151 of 151" in said.err
    assert "point 4: " in said.err
    assert not (workspace / "runs").exists()


def test_look_ahead_is_11_and_says_at_which_bar_what_was_another(
    cheating: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(cheating), "--lookahead-check", "--points", "1"]) == 11
    assert ExitCode.LOOKAHEAD == 11
    shown = capsys.readouterr().out
    (bar,) = (line.split()[4].strip(",") for line in shown.splitlines() if "after bar" in line)
    assert f"  bar {bar}, " in shown
    assert ", proposal; the data sets in its workspace were perturbed too" in shown
    sides = [line.split(":", 1)[1].strip() for line in shown.splitlines() if "future:  " in line]
    assert len(sides) == 2
    assert sides[1] == "nothing"
    assert sides[0].endswith(": I know")
    assert "1.0000 COIN @ " in sides[0]


def test_under_json_every_cut_is_told_and_what_a_strategy_prints_is_not(
    cheating: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(cheating), "--lookahead-check", "--points", "2", "--json"]) == 11
    value = told(capsys)
    assert (value["exit"], value["looks_ahead"], value["bars"]) == (11, True, 151)
    cuts = value["cuts"]
    assert isinstance(cuts, list)
    assert len(cuts) == 2
    for cut in cuts:
        assert cut["time"].startswith("202")
        difference = cut["difference"]
        assert difference["bar"] == cut["bar"]
        assert difference["time"] == cut["time"]
        assert (difference["tried"], difference["what"]) == ("files", "proposal")
        assert difference["expected"]["reason"] == "I know"
        assert difference["seen"] is None


def test_under_json_a_run_without_look_ahead_has_no_difference(
    runfile: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(runfile), "--lookahead-check", "--json"]) == 0
    value = told(capsys)
    assert (value["exit"], value["looks_ahead"]) == (0, False)
    assert isinstance(value["cuts"], list)
    assert [cut["difference"] for cut in value["cuts"]] == [None] * 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--lookahead-check", "--out", "x"], "the look-ahead check makes no run folder"),
        (["--lookahead-check", "--resume", "x"], "the look-ahead check makes no run folder"),
        (["--points", "3"], "it belongs to --lookahead-check"),
        (["--lookahead-check", "--points", "0"], "greater than or equal to 1"),
    ],
)
def test_options_that_do_not_go_together_are_2(
    runfile: Path, capsys: Capture, options: list[str], says: str
) -> None:
    assert run(["backtest", str(runfile), *options]) == 2
    assert says in capsys.readouterr().err


def test_bad_input_is_told_as_of_any_run(workspace: Path, capsys: Capture) -> None:
    (workspace / "strategies" / "moving_average_cross.py").write_text("def decide(:\n")
    path = workspace / "backtests" / "small.toml"
    assert run(["backtest", str(path), "--lookahead-check"]) == 2
    assert "moving_average_cross.py, line 1" in capsys.readouterr().err


def test_ctrl_c_is_130_and_keeps_nothing(
    cheating: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(path: Path) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("agent_fund.backtest.lookahead.assemble", pressed)
    assert run(["backtest", str(cheating), "--lookahead-check"]) == 130
    said = capsys.readouterr().err
    assert "the check keeps nothing" in said
    assert "--resume" not in said
