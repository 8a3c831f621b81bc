"""Whatever an honest run does, the verifier agrees with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from backtest_workspace import MODEL, ROOT, SMA, planned, record_cassette

from agent_fund.audit.verify import verify
from agent_fund.backtest.run import backtest

Workspace = Callable[..., Path]


def test_a_run_over_a_factor_verifies(workspace: Workspace) -> None:
    path = workspace((SMA, MODEL))
    shutil.copy(ROOT / "guardrails" / "index_drawdown.py", path.parent.parent / "guardrails")
    record_cassette(path)
    finished = backtest(path)
    assert verify(finished.folder).guarantee == finished.guarantee


def test_a_book_bought_in_another_order_than_the_run_file_has_verifies(
    workspace: Workspace,
) -> None:
    plan = planned({2: ["buy 100 NASDAQ"], 4: ["buy 100 SP500"], 9: ["sell 50 NASDAQ"]})
    finished = backtest(workspace((SMA, plan)))
    assert verify(finished.folder).fills == 3


def test_a_run_that_never_trades_verifies_and_states_plain_figures(workspace: Workspace) -> None:
    finished = backtest(workspace((SMA, planned({}))))
    assert verify(finished.folder).orders == 0
    assert finished.summary["fund"]["fees"] == "0.00000000"
    assert finished.summary["fund"]["max_drawdown"] == "0.000000"
