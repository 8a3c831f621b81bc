"""A log in one SQLite file: what ``flush`` acknowledges survives a crash, and open re-audits it.

Tables: ``leaf`` holds the leaves; ``tile`` their hashes in the geometry of C2SP tlog-tiles, 256 a
tile, where hash i of level l is the root over leaves [i·256^l, (i+1)·256^l), so that a proof reads
a few tiles instead of all leaves; ``blob`` bodies by digest; ``seal`` the final size and root of a
finished log.

One writer: it holds an exclusive lock from open to close. It works in WAL mode with
``synchronous=FULL``; ``flush`` commits leaves, tiles and blobs in one transaction. When a commit
fails the log takes no more, because after a failed fsync nobody knows what the disk holds: it has
to be opened, and so audited, again. After ``close`` the log is a single file in rollback-journal
mode that can be read from a folder without write permission. No wall-clock time is stored.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_fund.audit.canonical import sha256_hex
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import require_blob, require_index, require_leaf
from agent_fund.audit.merkle import (
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
)
from agent_fund.audit.sqlite_audit import RESTORE, audit
from agent_fund.audit.tiles import Tiles, nodes_from_tiles

_SCHEMA = (
    "CREATE TABLE blob (digest TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) STRICT",
    "CREATE TABLE leaf (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
    "CREATE TABLE seal (size INTEGER NOT NULL, root BLOB NOT NULL) STRICT",
    "CREATE TABLE tile (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL, "
    "PRIMARY KEY (level, n)) STRICT, WITHOUT ROWID",
)

_UNREADABLE = "it must be a log file that can be read and that no other process writes to"

_READ_AHEAD = 256


class SqliteLog:
    """A durable ``Log`` in the file ``path``.

    Args:
        path: the file.
        create: make a new log; else there must be one, and all of it is audited, in time linear
            in its leaves.
        read_only: open without the right to write; also while the file lies in a folder that
            cannot be written.

    Raises:
        AuditError: if the file is there and ``create`` is given, is not there and it is not, is
            in use, is not such a log, or does not agree with itself; the first bad leaf is named.
    """

    def __init__(self, path: Path, create: bool = False, *, read_only: bool = False) -> None:
        if create and read_only:
            raise AuditError(f"log {path}", "create, read_only", "ask for one of them")
        self._path = path
        self._tiles = Tiles()
        self._leaves: list[bytes] = []
        self._blobs: dict[str, bytes] = {}
        self._refusal: str | None = "open it for writing" if read_only else None
        file = path.resolve()
        wal = file.with_name(f"{file.name}-wal")
        if read_only and wal.exists():
            # SQLite would have to write beside the file to read both.
            raise AuditError(f"log {path}", wal.name, "its writer has to close it first")
        mode = "ro" if read_only else "rwc" if create else "rw"
        uri = f"{file.as_uri()}?mode={mode}"
        with contextlib.ExitStack() as on_error:
            try:
                self._db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
                on_error.callback(self._db.close)
                self._open(create, read_only)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise AuditError(f"log {path}", str(error), _UNREADABLE) from error
            on_error.pop_all()

    @property
    def size(self) -> int:
        """Leaves appended so far, durable or not."""
        return self._tiles.size

    @property
    def sealed(self) -> bool:
        """Whether the log is finished for good."""
        return bool(self._rows("SELECT size FROM seal"))

    def append(self, leaf: bytes) -> int:
        """Add ``leaf`` in memory and return its index; ``flush`` makes it durable."""
        require_leaf(leaf)
        self._require_writable()
        self._leaves.append(leaf)
        return self._tiles.append(leaf_hash(leaf))

    def put_blob(self, body: bytes) -> str:
        """Keep ``body`` and return its SHA-256 in hexadecimal; ``flush`` makes it durable."""
        self._require_writable()
        digest = sha256_hex(body)
        if not self.has_blob(digest):
            self._blobs[digest] = body
        return digest

    def blob(self, digest: str) -> bytes:
        """The body whose SHA-256 is ``digest``; see ``Log.blob``."""
        body = self._blobs.get(digest)
        if body is None:
            rows = self._rows("SELECT body FROM blob WHERE digest = ?", digest)
            body = rows[0][0] if rows else None
        return require_blob(digest, body)

    def has_blob(self, digest: str) -> bool:
        """Whether a body is stored under ``digest``."""
        return digest in self._blobs or bool(
            self._rows("SELECT 1 FROM blob WHERE digest = ?", digest)
        )

    def flush(self) -> None:
        """Commit what was appended and put since the last flush, in one durable transaction.

        Raises:
            AuditError: if the commit fails; from then on the log takes no more.
        """
        if self._leaves or self._blobs:
            self._require_writable()
            self._commit()

    def seal(self) -> None:
        """Flush and finish the log for good: one file remains, which can only be read.

        Raises:
            AuditError: if the log takes no more already, or the commit fails.
        """
        self._require_writable()
        self._commit(seal=True)
        self._refusal = "it is sealed"
        self._settle()

    def root(self) -> bytes:
        """RFC 6962 root over all leaves appended, durable or not."""
        return root_at(self.size, self._node())

    def inclusion(self, index: int) -> list[bytes]:
        """Inclusion proof of leaf ``index`` under ``root()``; see ``merkle.inclusion_proof``."""
        return inclusion_proof(index, self.size, self._node())

    def consistency(self, old_size: int) -> list[bytes]:
        """Consistency proof from ``old_size`` to ``size``; see ``merkle.consistency_proof``."""
        return consistency_proof(old_size, self.size, self._node())

    def leaf(self, index: int) -> bytes:
        """The leaf at ``index``; see ``Log.leaf``."""
        require_index(index, self.size)
        return self._bodies(index, index + 1)[0]

    def leaves(self) -> Iterator[bytes]:
        """The leaves in order, read 256 at a time."""
        size = self.size
        for start in range(0, size, _READ_AHEAD):
            yield from self._bodies(start, min(start + _READ_AHEAD, size))

    def close(self) -> None:
        """Flush, fold the write-ahead log into the file, and release it.

        A log whose commit has failed is released as it is.
        """
        try:
            if self._refusal is None:
                self.flush()
                self._refusal = "it is closed; open it again"
                self._settle()
        finally:
            self._db.close()

    def _open(self, create: bool, read_only: bool) -> None:
        db = self._db
        if not read_only:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA fullfsync = ON")
        schema = db.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
        found = tuple(sql for (sql,) in schema)
        if create and found:
            raise AuditError(f"log {self._path}", found, "it exists; open it, or name another")
        # Its writer may have died between making the file and its tables: a log of nothing yet.
        # A file of more than its first page held something, and is damaged.
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        if create or not (found or read_only or pages > 1):
            self._set_journal("wal")
            with db:
                db.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    db.execute(statement)
        elif found != _SCHEMA:
            raise AuditError(f"log {self._path}", found, "its tables are not those of a log")
        # Audited before the first write, so that a damaged file stays as it was found.
        self._audit()
        sealed = self.sealed
        if not read_only:
            # A crash between the seal and the end of the WAL is finished here.
            self._set_journal("delete" if sealed else "wal")
        if sealed:
            self._refusal = "it is sealed"

    def _audit(self) -> None:
        audit(self._db, self._rows, self._tiles)
        for size, root in self._rows("SELECT size, root FROM seal"):
            if (size, root) != (self.size, self.root()):
                raise AuditError("seal", (size, root), f"the log is another; {RESTORE}")

    def _commit(self, *, seal: bool = False) -> None:
        durable = self.size - len(self._leaves)
        tiles = [*self._tiles.full.items(), *self._tiles.partial(since=durable)]
        try:
            with self._db as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT INTO leaf VALUES (?, ?)", enumerate(self._leaves, durable))
                db.executemany(
                    "INSERT OR REPLACE INTO tile VALUES (?, ?, ?)",
                    ((level, n, hashes) for (level, n), hashes in tiles),
                )
                db.executemany("INSERT INTO blob VALUES (?, ?)", self._blobs.items())
                if seal:
                    db.execute("INSERT INTO seal VALUES (?, ?)", (self.size, self.root()))
        except sqlite3.Error as error:
            self._refusal = f"a commit has failed ({error}); open it again, which audits it"
            raise AuditError(f"commit to log {self._path}", str(error), self._refusal) from error
        self._leaves.clear()
        self._blobs.clear()
        self._tiles.full.clear()

    def _settle(self) -> None:
        # Folds the write-ahead log into the file, which alone is the log from here on.
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")
        self._set_journal("delete")
        # The lock, and the journal of the change itself, go at the next read.
        self._rows("PRAGMA locking_mode = NORMAL")
        self._rows("SELECT size FROM seal")

    def _set_journal(self, mode: str) -> None:
        # SQLite answers with the mode in force, and does not raise when it is another.
        (answer,) = self._rows(f"PRAGMA journal_mode = {mode}")[0]
        if answer != mode:
            raise AuditError(f"journal mode of {self._path}", answer, f"its disk must allow {mode}")

    def _bodies(self, start: int, end: int) -> list[bytes]:
        durable = self.size - len(self._leaves)
        rows = self._rows(
            "SELECT body FROM leaf WHERE seq >= ? AND seq < ? ORDER BY seq",
            start,
            min(end, durable),
        )
        unwritten = self._leaves[max(start - durable, 0) : max(end - durable, 0)]
        bodies = [body for (body,) in rows] + unwritten
        if len(bodies) != end - start:
            raise AuditError(f"leaves {start} to {end - 1}", len(bodies), RESTORE)
        return bodies

    def _node(self) -> Node:
        # One proof reads a tile for up to eight levels; it is fetched once.
        return nodes_from_tiles(functools.cache(self._tile))

    def _tile(self, level: int, n: int) -> bytes:
        hashes = self._tiles.find(level, n)
        if hashes is None:
            rows = self._rows("SELECT hashes FROM tile WHERE level = ? AND n = ?", level, n)
            if not rows:
                raise AuditError(f"tile {level}/{n}", None, "open the log again, which audits it")
            hashes = rows[0][0]
        return hashes

    def _rows(self, query: str, *values: int | str) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise AuditError(f"log {self._path}", str(error), "open it again") from error

    def _require_writable(self) -> None:
        if self._refusal is not None:
            raise AuditError("write to a log", str(self._path), self._refusal)
