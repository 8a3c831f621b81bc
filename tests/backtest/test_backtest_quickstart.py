"""The quickstart, whole, as a newcomer runs it: what it promises, and twice the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent_fund.audit.verify import verify
from agent_fund.backtest.run import Finished, backtest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quickstart")
    for name in ("strategies", "guardrails", "backtests"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def finished(workspace: Path) -> Finished:
    return backtest(workspace / "backtests" / "quickstart.toml")


def test_no_bar_leaves_the_set_and_the_limit_holds(finished: Finished) -> None:
    summary = json.loads((finished.folder / "summary.json").read_bytes())
    assert summary["coverage"]["outside"] == 0
    assert summary["coverage"]["inside"] == summary["window"]["bars"] - 1
    assert summary["failures"] == summary["breaches"] == []
    assert summary["guarantee"] == "held"
    assert -0.20 <= float(summary["fund"]["max_drawdown"]) < -0.15
    assert float(summary["unguarded"]["max_drawdown"]) < -0.40


def test_the_guard_does_more_than_refuse(finished: Finished) -> None:
    summary = finished.summary
    assert isinstance(summary["exposure"], dict)
    assert float(str(summary["exposure"]["share_of_cap"])) >= 0.5


def test_a_model_decided_and_every_answer_was_used(finished: Finished) -> None:
    decisions = finished.summary["decisions"]
    assert isinstance(decisions, dict)
    cassette = (ROOT / "backtests" / "cassettes" / "quickstart.jsonl").read_text()
    assert decisions["intents"] == len(cassette.splitlines()) - 1 == 261


def test_the_folder_verifies_and_names_its_root(finished: Finished) -> None:
    log = finished.summary["log"]
    assert isinstance(log, dict)
    verified = verify(finished.folder, str(log["root"]))
    assert verified.guarantee == "held"
    assert verified.drawdown <= verified.limit


def test_a_second_run_is_the_same_to_the_last_byte(workspace: Path, finished: Finished) -> None:
    again = backtest(workspace / "backtests" / "quickstart.toml")
    assert again.folder.name == f"{finished.folder.name}-2"
    for name in ("summary.json", "manifest.json", "report.html", "history.parquet"):
        assert (again.folder / name).read_bytes() == (finished.folder / name).read_bytes(), name
