"""Finished runs for tests that tamper with them, each made once a process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Workspaces are built by the module that the backtests' tests use.
sys.path.append(str(Path(__file__).resolve().parent.parent / "backtest"))

import audit_runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> audit_runs.Runs:
    """Finished runs by name; see ``audit_runs``."""
    return audit_runs.Runs(tmp_path_factory.mktemp("runs"))
