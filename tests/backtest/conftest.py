"""A catalog of the two indices, imported once a process; workspaces copy it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import backtest_workspace
import pytest

from agent_fund.market.catalog import Catalog
from agent_fund.market.sources import arch_indices


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a catalog that holds both indices; only read."""
    folder = tmp_path_factory.mktemp("market") / "catalog"
    arch_indices.import_into(Catalog(folder))
    return folder


@pytest.fixture
def workspace(market: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a workspace in ``tmp_path / NAME`` and returns its run file; see ``make``."""

    def make(*changes: tuple[str, str], name: str = "workspace") -> Path:
        return backtest_workspace.make(tmp_path / name, *changes, market=market)

    return make
