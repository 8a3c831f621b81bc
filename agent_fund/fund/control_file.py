"""The control file: commands to a fund and its last status, in SQLite, shared by two processes.

``control.sqlite`` in the run folder, in WAL mode with ``synchronous=FULL``: what a call has
returned from is on the disk. Every call opens the file anew, checks it whole and closes it, so a
file that was damaged, moved or replaced meanwhile is noticed by the next call, whoever makes it.

Tables: ``command``, one row each, with its answer; ``fund``, one row: how to start the fund again,
why it ended for good if it did, its last status and when that was written.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_fund.fund.control_command import Act, Command, Outcome, superseded
from agent_fund.fund.control_status import Status

CONTROL = "control.sqlite"
_PATIENCE = 2.0
_LONGEST = 1000
_ABOUT = "about TEXT NOT NULL DEFAULT '[]'"
_SCHEMA = (
    "CREATE TABLE command (id INTEGER PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL, "
    "person TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, outcome TEXT, "
    f"answer TEXT NOT NULL DEFAULT '', {_ABOUT}) STRICT",
    "CREATE TABLE fund (id INTEGER PRIMARY KEY CHECK (id = 1), restart TEXT NOT NULL, "
    "ended TEXT NOT NULL, status TEXT, beat INTEGER NOT NULL) STRICT",
)
# Of a fund that was started before commands could be about something.
_EARLIER = (_SCHEMA[0].replace(f", {_ABOUT}", ""), _SCHEMA[1])
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class ControlError(RuntimeError):
    """The control file cannot be used; the message says why.

    Attributes:
        damaged: whether what is there is not a control file any more, so that waiting is no help.
    """

    def __init__(self, path: Path, seen: object, *, damaged: bool) -> None:
        # A damaged file may put anything into SQLite's message.
        text = f"{path}: {seen}"
        printed = (c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
        super().__init__("".join(printed))
        self.damaged = damaged


class CommandError(ValueError):
    """A command that is not taken: no name, no reason, or a run that has ended for good."""


@dataclass(frozen=True)
class Control:
    """All that stands in a control file.

    Attributes:
        restart: the shell command that starts the fund again.
        ended: why the run is over for good; empty if it is not.
        status: the last one; None before the first. ``beat``: when it was written, Unix ms.
        commands: all of them, by id.
    """

    restart: str
    ended: str
    status: Status | None
    beat: int
    commands: tuple[Command, ...]


class ControlFile:
    """The file in ``folder``; every method may raise ``ControlError``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CONTROL

    def create(self) -> None:
        """Make an empty one, whole or not at all; there must be none."""
        scratch = self.path.with_name(f"{CONTROL}.{os.getpid()}.new")
        try:
            scratch.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(scratch, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute("INSERT INTO fund VALUES (1, '', '', NULL, 0)")
                db.execute("COMMIT")
                db.execute("PRAGMA journal_mode = WAL")
            self.path.hardlink_to(scratch)
            scratch.unlink()
            _sync_folder(self.path.parent)
        except (OSError, sqlite3.Error) as error:
            raise ControlError(self.path, error, damaged=False) from error

    def set_aside(self) -> None:
        """Move a damaged file out of the way, with its write-ahead log; it is kept to be read."""
        mark = f"damaged-{time.time_ns() // 1_000_000}"
        try:
            for suffix in ("", "-wal", "-shm"):
                path = self.path.with_name(CONTROL + suffix)
                if path.exists():
                    path.rename(path.with_name(f"{CONTROL}.{mark}{suffix}"))
        except OSError as error:
            raise ControlError(self.path, error, damaged=False) from error

    def read(self) -> Control:
        """All that stands in it."""
        with self._open() as db:
            return self._read(db)

    def begin(self, restart: str) -> None:
        """A process takes the fund over; ``restart`` is the command that starts it again."""
        with self._transaction() as db:
            if _earlier(db):
                db.execute(f"ALTER TABLE command ADD COLUMN {_ABOUT}")
            db.execute("UPDATE fund SET restart = ?, ended = ''", (restart,))

    def end(self, why: str) -> None:
        """The run is over for good: no command is taken from now on."""
        with self._transaction() as db:
            db.execute("UPDATE fund SET ended = ?", (why,))

    def beat(self, status: Status) -> None:
        """Write down the last status."""
        with self._transaction() as db:
            db.execute("UPDATE fund SET status = ?, beat = ?", (status.to_json(), _now()))

    def ask(
        self, act: Act, by: str, reason: str, about: Sequence[str] = ()
    ) -> tuple[Command, bool]:
        """Give a command; it is durable when this returns.

        Returns:
            The command, and whether it is new: the same act that was given last and is not answered
            yet stands for both.

        Raises:
            CommandError: without a name or a reason, if the run has ended for good, or if the
                process that runs it cannot know what a command is about.
        """
        by, reason = _line(by, "name"), _line(reason, "reason")
        about = tuple(_line(word, "word") for word in about)
        with self._transaction() as db:
            known = self._read(db)
            if known.ended:
                raise CommandError(f"this run has ended for good: {known.ended}")
            if about and _earlier(db):
                fix = "stop it and start it again with this one"
                raise CommandError(f"this run was started by an earlier version: {fix}")
            if known.commands:
                last = known.commands[-1]
                if (last.act, last.about) == (act, about) and not last.finished:
                    return last, False
            at = _now()
            cursor = db.execute(
                "INSERT INTO command (act, person, reason, at) VALUES (?, ?, ?, ?)",
                (act.value, by, reason, at),
            )
            if about:
                values = (json.dumps(about), cursor.lastrowid)
                db.execute("UPDATE command SET about = ? WHERE id = ?", values)
            return Command(int(cursor.lastrowid or 0), act, by, reason, at, about=about), True

    def answer(self, id: int, text: str, outcome: Outcome) -> None:
        """What the fund says to command ``id``; a final answer stays as it is."""
        with self._transaction() as db:
            db.execute(
                "UPDATE command SET outcome = ?, answer = ? WHERE id = ? "
                "AND (outcome IS NULL OR outcome = 'working')",
                (outcome.value, text, id),
            )

    def refuse_superseded(self) -> Control:
        """Answer every resume that a later halt or flatten beats; returns all there is then."""
        known = self.read()
        for resume, later in superseded(known.commands):
            text = f"command {later.id}, {later.act.value} by {later.by}, came after it"
            self.answer(resume.id, text, Outcome.REFUSED)
        return self.read() if superseded(known.commands) else known

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self.path.resolve().as_uri()}?mode=rw"
        try:
            db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_PATIENCE)
            with contextlib.closing(db):
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA fullfsync = ON")
                self._check(db)
                yield db
        except (sqlite3.Error, UnicodeDecodeError) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            absent = not self.path.is_file()
            seen = "there is no such file" if absent else error
            damaged = absent or code in _DAMAGED or isinstance(error, UnicodeDecodeError)
            raise ControlError(self.path, seen, damaged=damaged) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def _check(self, db: sqlite3.Connection) -> None:
        rows = db.execute(
            "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        found = tuple(sql for (sql,) in rows)
        if found not in (_SCHEMA, _EARLIER):
            raise ControlError(self.path, "its tables are others", damaged=True)
        ((told,),) = db.execute("PRAGMA quick_check(1)").fetchall()
        if told != "ok":
            raise ControlError(self.path, told, damaged=True)

    def _read(self, db: sqlite3.Connection) -> Control:
        funds = db.execute("SELECT restart, ended, status, beat FROM fund").fetchall()
        about = "'[]'" if _earlier(db) else "about"
        rows = db.execute(
            f"SELECT id, act, person, reason, at, outcome, answer, {about} FROM command "  # noqa: S608
            "ORDER BY id"
        ).fetchall()
        # No row is ever deleted, so what SQLite counted and what is there are the same ids.
        counted = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'command'").fetchall()
        expected = counted[0][0] if counted else 0
        if [row[0] for row in rows] != list(range(1, expected + 1)):
            raise ControlError(self.path, "commands are missing", damaged=True)
        try:
            ((restart, ended, told, beat),) = funds
            status = None if told is None else Status.from_json(told)
            commands = tuple(_command(row) for row in rows)
        except (ValueError, TypeError) as error:
            raise ControlError(self.path, error, damaged=True) from error
        return Control(restart, ended, status, beat, commands)


def _earlier(db: sqlite3.Connection) -> bool:
    """Whether the file was made before commands could be about something."""
    columns = db.execute("SELECT name FROM pragma_table_info('command')").fetchall()
    return ("about",) not in columns


def _command(row: tuple[int, str, str, str, int, str | None, str, str]) -> Command:
    id, act, by, reason, at, outcome, answer, about = row
    told, words = None if outcome is None else Outcome(outcome), json.loads(about)
    if not isinstance(words, list) or not all(type(word) is str for word in words):
        raise ValueError("a command is about something else than words")
    return Command(id, Act(act), by, reason, at, told, answer, tuple(words))


def _line(text: str, what: str) -> str:
    """One line that a person can be asked about later."""
    found = " ".join(text.split())
    if not found or len(found) > _LONGEST or not found.isprintable():
        raise CommandError(f"a {what} is needed: one line of 1 to {_LONGEST} characters")
    return found


def _now() -> int:
    return time.time_ns() // 1_000_000


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
