"""One workspace, and one finished run in it, for all tests that only read them."""

from __future__ import annotations

import shutil
from pathlib import Path

import cli_workspace
import pytest

from agent_fund.cli.main import run


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "workspace"
    cli_workspace.make(folder)
    assert run(["backtest", str(folder / "backtests" / "small.toml")]) == 0
    return folder


@pytest.fixture
def runfile(_made: Path) -> Path:
    """The run file of a workspace that is only read, or run."""
    return _made / "backtests" / "small.toml"


@pytest.fixture
def finished(_made: Path, tmp_path: Path) -> Path:
    """A copy of a finished run folder, to do with as one likes."""
    folder = next((_made / "runs").iterdir())
    return Path(shutil.copytree(folder, tmp_path / folder.name))


@pytest.fixture
def workspace(_made: Path, tmp_path: Path) -> Path:
    """A copy of the workspace without its runs, to do with as one likes."""
    ignore = shutil.ignore_patterns("runs")
    return Path(shutil.copytree(_made, tmp_path / "workspace", ignore=ignore))
