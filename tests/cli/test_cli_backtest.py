from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_workspace import told

from agent_fund.cli.interruption import between_bars
from agent_fund.cli.main import run
from agent_fund.cli.terminal import one_line

Capture = pytest.CaptureFixture[str]


def test_the_summary_is_one_json_object_and_names_the_folder(
    runfile: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(runfile), "--out", str(tmp_path), "--json"]) == 0
    summary = told(capsys)
    folder = Path(str(summary["folder"]))
    assert folder.parent == tmp_path.resolve()
    assert (folder / "manifest.json").is_file()
    assert summary["guarantee"] == "held"
    assert summary["exit"] == 0


def test_what_a_strategy_prints_stays_out_of_the_json(workspace: Path, capsys: Capture) -> None:
    strategy = workspace / "strategies" / "moving_average_cross.py"
    strategy.write_text(strategy.read_text() + '\nprint("hello from a strategy")\n')
    assert run(["backtest", str(workspace / "backtests" / "small.toml"), "--json"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("{")
    assert "hello from a strategy" in said.err


def test_the_summary_for_people_says_what_was_promised_and_how_to_verify(
    runfile: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(["backtest", str(runfile), "--out", str(tmp_path), "--json"]) == 0
    summary = told(capsys)
    assert run(["backtest", str(runfile), "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    shown = said.out
    assert "Guarantee held" in shown
    assert "unguarded" in shown
    fund = summary["fund"]
    assert isinstance(fund, dict)
    assert f"{Decimal(fund['nav']):,.2f}" in shown
    second = next(p for p in tmp_path.iterdir() if str(p) != summary["folder"])
    assert f"agent-fund audit verify {second}" in shown
    assert "report.html" in shown
    assert "guarded: 151 of 151" in said.err


def test_no_twin_no_column(workspace: Path, capsys: Capture) -> None:
    runfile = workspace / "backtests" / "small.toml"
    runfile.write_text(runfile.read_text().replace("unguarded = true", "unguarded = false"))
    assert run(["backtest", str(runfile)]) == 0
    assert "unguarded" not in capsys.readouterr().out


def test_no_color_leaves_no_escape_even_in_a_terminal(
    runfile: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = ["check", str(runfile), "--trade", "buy 1 COIN @ 100"]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    run(ask)
    assert "\x1b[" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    run(ask)
    assert "\x1b[" not in capsys.readouterr().out


def test_words_of_a_model_cannot_steer_the_terminal() -> None:
    assert one_line("up\x1b[2J\nand away\x07") == "up\ufffd[2J and away\ufffd"


def test_the_first_ctrl_c_waits_for_the_bar_and_the_second_does_not() -> None:
    with between_bars() as interruption:
        interruption.at_bar()
        interruption._pressed(2, None)
        interruption.at_bar(finishing=True)
        with pytest.raises(KeyboardInterrupt):
            interruption.at_bar()
        with pytest.raises(KeyboardInterrupt):
            interruption._pressed(2, None)
