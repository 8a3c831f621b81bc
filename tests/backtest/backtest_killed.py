"""A backtest in a process of its own that dies where it is told to; what it leaves is resumed.

    python backtest_killed.py RUNFILE PLACE NUMBER

PLACE is ``before`` or ``after`` the NUMBERth commit of the log, ``settle`` (sealed, not yet
closed), ``sealed``, or the name of a file: before it is renamed into place. With ``none`` it runs
to its end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.backtest.run import backtest

DIED = 7


def main(runfile: Path, place: str, number: int) -> None:
    """Run it, with the trap set."""
    commits = 0
    commit, settle, replace = SqliteLog._commit, SqliteLog._settle, Path.replace

    def dying_commit(log: SqliteLog, *, seal: bool = False) -> None:
        nonlocal commits
        commits += 1
        if place == "before" and commits == number:
            os._exit(DIED)
        commit(log, seal=seal)
        if place == "after" and commits == number:
            os._exit(DIED)

    def dying_settle(log: SqliteLog) -> None:
        if place == "settle":
            os._exit(DIED)
        settle(log)
        if place == "sealed":
            os._exit(DIED)

    def dying_replace(source: Path, target: Path) -> Path:
        if Path(target).name == place:
            os._exit(DIED)
        return replace(source, target)

    SqliteLog._commit, SqliteLog._settle = dying_commit, dying_settle  # type: ignore[method-assign]
    Path.replace = dying_replace  # type: ignore[method-assign,assignment]
    backtest(runfile)
    print(commits)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
