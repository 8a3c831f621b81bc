"""What a live run must not forget, in one SQLite file: a crash at any write loses nothing.

Tables: ``leg`` holds the intent of each leg, written before anything is sent, then the exact bytes
that leave, then what is known of them; ``history`` every state a leg was ever in; ``execution``
the trades that venues reported, by (venue, exec_id); ``answer`` everything that the fund was told,
in order, so that a run can be made again exactly; ``bar`` the rows that the market gave; ``act``
what operators did between two bars; ``alarm`` and ``orphan`` what a person has to look at.

One writer, a WAL. A transaction groups what belongs together, so a crash leaves all of it or none.
What is committed outlives the process; it is on the disk, safe from a power cut, when the call
returns (``synchronous=FULL``), unless it was left to the next commit that is (``NORMAL``): one
fsync of the WAL takes along all commits before it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from agent_fund.execution.errors import ExecutionError

FILE = "live.sqlite"
_SCHEMA = (
    "CREATE TABLE leg (id TEXT NOT NULL PRIMARY KEY, venue TEXT NOT NULL, request TEXT NOT NULL, "
    "deadline INTEGER NOT NULL, state TEXT NOT NULL, payload BLOB, reference TEXT, notes TEXT, "
    "received TEXT, gas TEXT NOT NULL DEFAULT '0', detail TEXT NOT NULL DEFAULT '') STRICT",
    "CREATE INDEX leg_working ON leg (venue) WHERE state NOT IN "
    "('settled', 'refunded', 'canceled', 'rejected')",
    "CREATE TABLE history (seq INTEGER PRIMARY KEY, leg TEXT NOT NULL, state TEXT NOT NULL, "
    "time INTEGER NOT NULL, detail TEXT NOT NULL) STRICT",
    "CREATE TABLE execution (venue TEXT NOT NULL, exec TEXT NOT NULL, leg TEXT NOT NULL, "
    "quantity TEXT NOT NULL, price TEXT NOT NULL, fee TEXT NOT NULL, final INTEGER NOT NULL, "
    "PRIMARY KEY (venue, exec)) STRICT, WITHOUT ROWID",
    "CREATE TABLE answer (seq INTEGER PRIMARY KEY, venue TEXT NOT NULL, call TEXT NOT NULL, "
    "bar INTEGER NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE TABLE bar (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT",
    "CREATE TABLE act (seq INTEGER PRIMARY KEY, bar INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE TABLE alarm (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, venue TEXT NOT NULL, "
    "subject TEXT NOT NULL, text TEXT NOT NULL, cleared TEXT NOT NULL DEFAULT '') "
    "STRICT",
    "CREATE UNIQUE INDEX alarm_open ON alarm (venue, subject, text) WHERE cleared = ''",
    "CREATE INDEX execution_leg ON execution (leg)",
    "CREATE INDEX leg_reference ON leg (venue, reference)",
    "CREATE TABLE orphan (venue TEXT NOT NULL, reference TEXT NOT NULL, time INTEGER NOT NULL, "
    "detail TEXT NOT NULL, PRIMARY KEY (venue, reference)) STRICT, WITHOUT ROWID",
)


class LiveFile:
    """The file ``path``; made if it is not there.

    Raises:
        ExecutionError: if the file is in use, or is not such a file.
    """

    LEVELS: ClassVar = {True: "FULL", False: "NORMAL"}

    def __init__(self, path: Path) -> None:
        self._depth = 0
        self._synced: bool | None = None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise ExecutionError(
                f"store {path}", str(error), "no other process may run this fund; is one running?"
            ) from error

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            if not self.rows("SELECT name FROM sqlite_master WHERE name = 'leg'"):
                for statement in _SCHEMA:
                    self._db.execute(statement)

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[None]:
        """What is written inside is durable when the outermost block ends, all of it or none.

        Args:
            synced: False where nothing may come of it before the next transaction that is synced:
                a power cut may take it back, the end of the process may not.
        """
        if self._depth == 0:
            if synced is not self._synced:
                self._synced = synced
                self._db.execute(f"PRAGMA synchronous = {self.LEVELS[synced]}")
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._commit()

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> None:
        """One writing statement, inside a transaction."""
        self._db.execute(statement, values)

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What a query finds."""
        return self._db.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _commit(self) -> None:
        self._db.execute("COMMIT")


def to_json(value: object) -> str:
    """Plain values as one line of JSON, keys in order."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
