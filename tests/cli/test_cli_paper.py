"""``agent-fund paper`` as a person sees it: how it is stopped, and what its lines say."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from agent_fund.backtest.errors import Interrupted
from agent_fund.cli.main import run
from agent_fund.paper.clock import WallClock

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_between_two_bars_when_it_is_told_to_and_says_how_to_go_on(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: signal.Signals
) -> None:
    def paper(runfile: Path, *, clock: WallClock, **more: Any) -> None:
        os.kill(os.getpid(), name)
        assert clock.stopped
        raise Interrupted(str(tmp_path / "runs" / "small"))

    before = signal.getsignal(name)
    monkeypatch.setattr("agent_fund.paper.run.paper", paper)
    assert run(["paper", "small.toml"]) == 130
    said = capsys.readouterr().err
    assert "interrupted: stopped; what was logged is whole" in said
    assert f"go on with: agent-fund paper small.toml --resume {tmp_path}" in said
    assert signal.getsignal(name) is before


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_second_time_stops_it_at_once(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: signal.Signals
) -> None:
    def paper(runfile: Path, **more: Any) -> None:
        os.kill(os.getpid(), name)
        os.kill(os.getpid(), name)
        raise AssertionError("it was not stopped")

    monkeypatch.setattr("agent_fund.paper.run.paper", paper)
    assert run(["paper", "small.toml"]) == 130
    assert "go on with --resume" in capsys.readouterr().err
