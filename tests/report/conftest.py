from __future__ import annotations

from typing import Any

import pytest
from report_world import workspace

from agent_fund.backtest import run as backtest_run
from agent_fund.report.page import write_report
from agent_fund.report.run import Run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The autumn of 2008 as a real backtest gave it to the report."""
    seen: list[Run] = []

    def keep(folder: Any, *given: Any) -> None:
        seen.append(Run(*given))
        write_report(folder, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest_run, "write_report", keep)
        path = workspace(tmp_path_factory.mktemp("autumn"))
        finished = backtest_run.backtest(path)
    assert (finished.folder / "report.html").stat().st_size > 1_000_000
    return seen[0]
