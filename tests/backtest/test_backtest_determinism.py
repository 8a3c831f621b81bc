"""The same run file and data give the same bytes; nothing of this machine or day is in them."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from backtest_workspace import MODEL, SMA, changed, record_cassette

from agent_fund.audit.verify import HISTORY, LOG, SUMMARY, verify
from agent_fund.backtest.run import backtest

Workspace = Callable[..., Path]
SHORT = ("end = 2008-04-01", "end = 2007-10-01")


def test_two_runs_differ_in_nothing_but_the_folders_name(workspace: Workspace) -> None:
    path = workspace(SHORT)
    first, second = backtest(path).folder, backtest(path).folder
    assert second.name == f"{first.name}-2"
    assert re.fullmatch(r"run-[0-9a-f]{8}", first.name)
    for name in (SUMMARY, HISTORY, "report.html"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert leaves(first) == leaves(second)
    assert verify(first) == verify(second)
    assert backtest(path).folder.name == f"{first.name}-3"


def test_another_workspace_makes_the_same_run(workspace: Workspace) -> None:
    paths = [workspace(SHORT, (SMA, MODEL), name=name) for name in ("here", "there")]
    for path in paths:
        record_cassette(path)
    here, there = (backtest(path).folder for path in paths)
    assert here.name == there.name
    assert verify(here) == verify(there)
    assert (here / SUMMARY).read_bytes() == (there / SUMMARY).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        ('cash = "1000000"', 'cash = "1000001"'),
        ("fast = 5", "fast = 6"),
        ("2007-10-01", "2007-09-28"),
        ('rate = "0.02%"', 'rate = "0.03%"'),
        ("calibrate_start = 2003-01-01", "calibrate_start = 2003-01-02"),
        ('share = "1%"', 'share = "2%"'),
    ],
)
def test_another_run_file_has_another_name(workspace: Workspace, change: tuple[str, str]) -> None:
    path = workspace(SHORT)
    first = backtest(path).folder
    path.write_text(changed(path.read_text(), change))
    second = backtest(path).folder
    assert first.name != second.name.removesuffix("-2")
    assert verify(first).run != verify(second).run


@pytest.mark.parametrize(
    "name", ["strategies/moving_average_cross.py", "guardrails/index_drawdown.py"]
)
def test_another_strategy_or_mandate_file_has_another_name(workspace: Workspace, name: str) -> None:
    path = workspace(SHORT)
    first = backtest(path).folder
    file = path.parent.parent / name
    file.write_text(file.read_text().replace('"75%"', '"74%"') + "\n# another byte\n")
    assert backtest(path).folder.name != first.name


def test_nothing_of_this_machine_or_day_is_in_a_run_folder(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = workspace(SHORT, (SMA, MODEL))
    record_cassette(path)
    folder = backtest(path).folder
    today = dt.datetime.now(dt.UTC).date()
    days = [today + dt.timedelta(days=n) for n in (-1, 0, 1)]
    words = [str(tmp_path), str(Path.home()), str(Path.cwd()), socket.gethostname()]
    words += [day.isoformat() for day in days] + ["/tmp/", "/home/", "/site-packages/"]
    # A user called root is in every Merkle tree; other names are looked for.
    words += [name for name in (getpass.getuser(), os.environ.get("USER", "")) if name != "root"]
    words = [word for word in words if len(word) > 2]
    bodies = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
    bodies |= {f"{LOG} {n}": body for n, body in enumerate(stored(folder))}
    # The page carries Plotly's own script, in which short words may stand by chance.
    bodies["report.html"] = bodies["report.html"][-2_000_000:]
    for name, body in bodies.items():
        for word in words:
            if name != "report.html" or len(word) > 5:
                assert word.encode() not in body, (name, word)


def leaves(folder: Path) -> list[bytes]:
    """The bodies of all leaves."""
    with closing(sqlite3.connect(folder / LOG)) as log:
        return [body for (body,) in log.execute("SELECT body FROM leaf ORDER BY seq")]


def stored(folder: Path) -> list[bytes]:
    """The bodies of all leaves and blobs."""
    with closing(sqlite3.connect(folder / LOG)) as log:
        blobs = [body for (body,) in log.execute("SELECT body FROM blob")]
    return [*leaves(folder), *blobs]
