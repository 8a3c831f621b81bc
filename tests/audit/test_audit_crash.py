"""kill -9 at any moment: what a flush has acknowledged is there when the log is opened again."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent_fund.audit.merkle import leaf_hash, root_of
from agent_fund.audit.sqlite_log import SqliteLog

KILLS = 10

# Appends batches for ever and says how many leaves are acknowledged after each flush.
WRITER = """
import sys
from pathlib import Path
from agent_fund.audit.sqlite_log import SqliteLog

log = SqliteLog(Path(sys.argv[1]))
batch = int(sys.argv[2])
while True:
    for _ in range(batch):
        log.append(b"leaf %d" % log.size + b"." * (log.size % 500))
    log.put_blob(b"blob %d" % log.size)
    log.flush()
    print(log.size, flush=True)
"""


def expected(size: int) -> list[bytes]:
    return [b"leaf %d" % index + b"." * (index % 500) for index in range(size)]


@pytest.mark.parametrize("batch", [1, 37])
def test_no_acknowledged_leaf_is_lost_to_kill_9(tmp_path: Path, batch: int) -> None:
    path = tmp_path / "log.sqlite"
    SqliteLog(path, create=True).close()
    rng = random.Random(batch)
    acknowledged = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(path), str(batch)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 30)):
                assert writer.stdout.readline()
            writer.kill()
            said = writer.stdout.read().splitlines(keepends=True)
        # A line cut short by the kill acknowledges nothing.
        whole = [int(line) for line in said if line.endswith("\n")]
        with closing(SqliteLog(path)) as log:
            acknowledged = max([acknowledged, *whole])
            assert log.size >= acknowledged
            assert log.size % batch == 0
            assert list(log.leaves()) == expected(log.size)
            assert log.root() == root_of([leaf_hash(leaf) for leaf in log.leaves()])
            acknowledged = log.size
    assert acknowledged >= KILLS * batch


def test_a_crash_between_seal_and_close_leaves_a_sealed_log(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    program = """
import os, sqlite3, sys
from pathlib import Path
from agent_fund.audit import sqlite_log

class Crashing(sqlite_log.SqliteLog):
    def _settle(self):
        os._exit(9)

log = Crashing(Path(sys.argv[1]), create=True)
log.append(b"last")
log.seal()
"""
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert path.with_name("log.sqlite-wal").exists()
    with closing(SqliteLog(path)) as log:
        assert log.sealed
        assert list(log.leaves()) == [b"last"]
    assert [found.name for found in tmp_path.iterdir()] == ["log.sqlite"]


def test_a_log_whose_creation_was_cut_short_can_be_created_again(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.touch()
    with closing(SqliteLog(path, create=True)) as log:
        log.append(b"first")
    with closing(SqliteLog(path)) as log:
        assert log.size == 1
