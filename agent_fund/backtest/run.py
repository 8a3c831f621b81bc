"""One backtest from a run file to a run folder; cut off at any point, it can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

from agent_fund.audit.atomic import replace_file
from agent_fund.audit.canonical import JSON, decode, encode
from agent_fund.audit.log import Log, MemoryLog
from agent_fund.audit.manifest import MANIFEST, write_manifest
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.verify import LOG, SUMMARY
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.errors import Interrupted, RunFolderError
from agent_fund.backtest.genesis import genesis, run_digest
from agent_fund.backtest.history import frame_of, write_history
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.session import Session, open_session, require_admits_something
from agent_fund.backtest.summary import summarize
from agent_fund.domain.book import Book
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Tick
from agent_fund.guard.engine import Guard
from agent_fund.guard.machine import Bounds, Mode
from agent_fund.guard.verdict import HOLD, Situation
from agent_fund.report.page import write_report

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        summary: as in ``summary.json``. ``guarantee``: held, assumption failed, or defect.
    """

    folder: Path
    summary: dict[str, JSON]
    frame: pd.DataFrame

    @property
    def guarantee(self) -> str:
        """Whether the drawdown limit held, and if not, why."""
        return str(self.summary["guarantee"])


def backtest(
    path: Path,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Finished:
    """Run the run file at ``path``.

    Args:
        out: folder in which the run folder is made; ``runs`` of the workspace by default.
        resume: the folder of a run that was cut off.
        progress: told (stage, bars done, bars in all).

    Raises:
        RunFileError, MarketError, ConfigurationError, CassetteError: bad input.
        RunFolderError: the folder cannot be made or written.
        ResumeError: the run to be resumed is another one.
        Interrupted: the user stopped it; everything logged is whole.
    """
    parts = assemble(path)
    guard = Guard(parts.mandate)
    require_admits_something(parts, guard)
    parts.strategy(parts.cassette())  # what is wrong with it shows before there is a folder
    record, blobs = genesis(parts, guarded=True)
    folder = run_folder(parts, run_digest(record), out, resume)
    try:
        return _run(parts, guard, record, blobs, folder, resume is not None, progress)
    except KeyboardInterrupt:
        raise Interrupted(str(folder)) from None


def _run(
    parts: Parts,
    guard: Guard,
    record: dict[str, JSON],
    blobs: dict[str, bytes],
    folder: Path,
    resume: bool,
    progress: Progress,
) -> Finished:
    with opened_log(folder, resume) as log:
        session = open_session(parts, log, record, blobs, guarded=True, resume=resume, guard=guard)
        ticks = _advance(session, parts, "guarded", progress)
        ended = end(session, log)
    unguarded = _twin(parts, record, blobs, progress)
    return told(parts, guard, run_digest(record), folder, ended, ticks, unguarded, progress)


@dataclass(frozen=True)
class Ended:
    """A log that is whole: its root and size, its records, and what the monitor saw."""

    root: bytes
    size: int
    records: list[dict[str, Any]]
    monitor: Monitor


def end(session: Session, log: Log) -> Ended:
    """Write the last record; what the log then holds."""
    session.fund.close()
    root = session.recorder.finish()
    return Ended(root, log.size, [_record(leaf) for leaf in log.leaves()], session.monitor)


def told(
    parts: Parts,
    guard: Guard,
    run: str,
    folder: Path,
    ended: Ended,
    ticks: list[Tick],
    unguarded: list[Tick] | None,
    progress: Progress,
) -> Finished:
    """Write summary, history, page and manifest of a run that has ended.

    Raises:
        RunFolderError: if the folder cannot be written.
    """
    root, size, monitor, records = ended.root, ended.size, ended.monitor, ended.records
    frame = frame_of(parts, ticks, _spare(parts, guard), unguarded)
    summary = summarize(parts, run, root, size, ticks, frame, monitor, records, unguarded)
    progress("report", 0, 1)
    try:
        write_history(folder, parts, ticks, unguarded)
        replace_file(folder / SUMMARY, encode(summary))
        write_report(folder, parts, summary, frame, records, monitor)
        write_manifest(folder, {"run": run, "root": root.hex(), "size": size})
    except OSError as error:
        raise RunFolderError(f"{folder}: {error.strerror}") from error
    progress("report", 1, 1)
    return Finished(folder, summary, frame)


def _advance(session: Session, parts: Parts, stage: str, progress: Progress) -> list[Tick]:
    """All bars; the cassette must then be used up, unless the fund was halted on the way."""
    ticks: list[Tick] = []
    total = len(parts.test)
    while (tick := session.fund.advance()) is not None:
        ticks.append(tick)
        if not len(ticks) % 16:
            progress(stage, len(ticks), total)
    if session.cassette is not None and ticks[-1].mode is not Mode.HALTED:
        session.cassette.finish()
    progress(stage, total, total)
    return ticks


def _twin(
    parts: Parts, record: dict[str, JSON], blobs: dict[str, bytes], progress: Progress
) -> list[Tick] | None:
    """The same strategy unguarded, on a log in memory: for comparison, not for audit."""
    if not parts.runfile.compare.unguarded:
        return None
    session = open_session(parts, MemoryLog(), {**record, "guarded": False}, blobs, guarded=False)
    return _advance(session, parts, "unguarded", progress)


def _spare(parts: Parts, guard: Guard) -> Bounds:
    """Bounds of one NAV in equal weights at the first prices: the cap's direction when flat."""
    prices = {s: closes[0] for s, closes in parts.test.closes.items()}
    positions = {
        i.symbol: int(
            Fraction(parts.cash, len(parts.instruments)) / i.notional(1, prices[i.symbol])
        )
        for i in parts.instruments
    }
    book = Book(parts.currency, 0, {i.symbol: i for i in parts.instruments}, positions)
    return guard.bounds(HOLD, Situation(book, prices, parts.cash, parts.cash, 0, {}))


def _record(leaf: bytes) -> dict[str, Any]:
    value = decode(leaf)
    if not isinstance(value, dict):
        raise TypeError("a record is a JSON object")
    return value


def run_folder(parts: Parts, run: str, out: Path | None, resume: Path | None) -> Path:
    """A new folder ``NAME-HASH``, or ``-2``, ``-3`` ... after it; or the one to resume."""
    if resume is not None:
        if not (resume / LOG).is_file():
            raise RunFolderError(f"{resume}: there is no {LOG} to resume from")
        if (resume / MANIFEST).exists():
            raise RunFolderError(f"{resume}: this run is finished; there is nothing to resume")
        return resume
    base = out if out is not None else parts.workspace / "runs"
    name = f"{parts.runfile.name}-{run[:8]}"
    try:
        base.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            folder = base / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
            else:
                return folder
    except OSError as error:
        raise RunFolderError(f"{base}: cannot make the run folder: {error.strerror}") from error


@contextmanager
def opened_log(folder: Path, resume: bool) -> Iterator[Log]:
    """The run's log: sealed if all goes well, closed and whole if not."""
    log = SqliteLog(folder / LOG, create=not resume)
    try:
        yield log
        if not log.sealed:
            log.seal()
    finally:
        log.close()
