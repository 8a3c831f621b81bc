"""Verify a run folder: files, tree, records, certificates, track record; no operator's code runs.

What the operator can still do is stated: a whole run made up from the start verifies, unless its
root was made known before (``root``), because a log proves what was logged, not that prices are
the market's. The unguarded comparison, the report, and the summary's floating-point figures
(ratios, exposure, stale opens) are covered by the manifest only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.audit.canonical import JSON, decode, encode, sha256_hex
from agent_fund.audit.errors import AuditError, VerificationError
from agent_fund.audit.manifest import MANIFEST, MEMORY, check_manifest
from agent_fund.audit.merkle import Frontier, leaf_hash
from agent_fund.audit.replay import Replay
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.track_record import deepest, failed_bars, share_text, share_up, track_record
from agent_fund.domain.money import from_units

LOG, HISTORY, SUMMARY = "log.sqlite", "history.parquet", "summary.json"
FILES = {LOG, HISTORY, SUMMARY, "report.html"}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verified:
    """What was checked.

    Attributes:
        root: of the log, in hex. ``records``, ``certificates``, ``orders``, ``fills``: counted.
        drawdown: deepest at opens and closes; ``limit``: of the mandate.
        guarantee: held, assumption failed, or defect. ``failed``: the bars at which each assumption
            failed; where one did, the proof did not apply.
    """

    run: str
    root: str
    records: int
    bars: int
    certificates: int
    orders: int
    fills: int
    drawdown: Fraction
    limit: Fraction
    guarantee: str
    failed: Mapping[str, list[int]]


def verify(
    folder: Path, root: str | None = None, progress: Progress = lambda done, total: None
) -> Verified:
    """Check everything in ``folder``.

    Args:
        root: the log's root as known from elsewhere, in hex; the only thing here that an operator
            who rewrites the whole folder cannot forge.

    Raises:
        VerificationError: naming the first bad record or file.
    """
    try:
        manifest = check_manifest(folder)
    except AuditError as error:
        raise VerificationError(None, error.subject, str(error)) from error
    except OSError as error:
        raise VerificationError(None, str(folder), str(error.strerror)) from error
    present = {p.name for p in folder.iterdir() if not p.name.startswith(MEMORY)}
    if present != FILES | {MANIFEST}:
        raise VerificationError(None, str(folder), f"a run folder holds {sorted(FILES)}")
    try:
        log = SqliteLog(folder / LOG, read_only=True)
    except AuditError as error:
        raise VerificationError(None, LOG, str(error)) from error
    try:
        replay, found, genesis = _replayed(log, progress)
    except VerificationError:
        raise
    except AuditError as error:
        raise VerificationError(None, LOG, str(error)) from error
    finally:
        log.close()
    run = sha256_hex(genesis)
    if manifest != {"run": run, "root": found, "size": len(replay.records)}:
        raise VerificationError(None, "manifest.json", f"the log's root is {found}, run {run}")
    if root is not None and root.lower() != found:
        raise VerificationError(None, "root", f"the log's is {found}, and not {root}")
    _check_history(folder / HISTORY, replay)
    guarantee = _check_summary(folder / SUMMARY, replay, found, run)
    kinds = Counter(r["kind"] for r in replay.records)
    return Verified(
        run,
        found,
        len(replay.records),
        len(replay.marks),
        sum("proof" in r for r in replay.records),
        kinds["order"],
        kinds["fill"],
        deepest(replay.marks),
        replay.mandate.drawdown.limit,
        guarantee,
        failed_bars((f.assumption, f.bar) for f in replay.monitor.failures),
    )


def _replayed(log: SqliteLog, progress: Progress) -> tuple[Replay, str, bytes]:
    replay, frontier, genesis = Replay(log), Frontier(), b""
    for index, leaf in enumerate(log.leaves()):
        genesis = genesis or leaf
        frontier.append(leaf_hash(leaf))
        replay.take(leaf)
        progress(index + 1, log.size)
    replay.finish()
    found = frontier.root()
    if found != log.root():
        raise VerificationError(None, LOG, "its stored tree is not that of its leaves")
    return replay, found.hex(), genesis


def _check_history(path: Path, replay: Replay) -> None:
    """``history.parquet`` says, bar by bar, what the log implies."""
    try:
        table = pq.read_table(path)
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise VerificationError(None, HISTORY, str(error)) from error
    scale = replay.currency.scale
    money, time = pa.decimal128(38, scale), pa.timestamp("ms", tz="UTC")
    marks = replay.marks
    columns: dict[str, tuple[pa.DataType, list[Any]]] = {
        "bar": (pa.int64(), [m.bar for m in marks]),
        "close_time": (time, [m.close_time for m in marks]),
        "nav_open": (money, [from_units(m.nav_open, scale) for m in marks]),
        "nav": (money, [from_units(m.nav, scale) for m in marks]),
        "mark": (money, [from_units(m.mark, scale) for m in marks]),
        "cash": (money, [from_units(m.cash, scale) for m in marks]),
        "mode": (pa.string(), [m.mode.value for m in marks]),
    }
    for number, instrument in enumerate(replay.instruments):
        places = instrument.base.scale
        columns[f"position.{instrument.symbol}"] = (
            pa.decimal128(38, places),
            [from_units(m.positions[number], places) for m in marks],
        )
    if marks[0].places:
        for name in ("equity", "maintenance"):
            for number, place in enumerate(dict.fromkeys(i.account for i in replay.instruments)):
                standing = [m.places if name == "equity" else m.maintenance for m in marks]
                values = [from_units(amounts[number], scale) for amounts in standing]
                columns[f"{name}.{place}"] = (money, values)
        columns["funding"] = (money, [from_units(m.funding, scale) for m in marks])
    schema = [(field.name, field.type) for field in table.schema]
    wanted = [(name, kind) for name, (kind, _) in columns.items()]
    if schema not in (wanted, [*wanted, ("unguarded_nav", money)]):
        raise VerificationError(None, HISTORY, f"its columns are {schema}, not {wanted}")
    for name, (_, expected) in columns.items():
        found = [_plain(v) for v in table.column(name).to_pylist()]
        if len(found) != len(expected):
            raise VerificationError(
                None, HISTORY, f"{len(found)} bars, the log has {len(expected)}"
            )
        for bar, (seen, value) in enumerate(zip(found, expected, strict=True)):
            if seen != value:
                raise VerificationError(
                    None, f"{HISTORY}, bar {bar}, {name}", f"{seen}, the log implies {value}"
                )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value


def _check_summary(path: Path, replay: Replay, root: str, run: str) -> str:
    """``summary.json`` states the root, the track record, the guarantee, as the log implies."""
    try:
        summary = decode(path.read_bytes())
    except (AuditError, OSError) as error:
        raise VerificationError(None, SUMMARY, str(error)) from error
    implied: dict[str, JSON] = {
        "run": run,
        "log": {"root": root, "size": len(replay.records)},
        **track_record(
            replay.records,
            replay.marks,
            replay.monitor,
            replay.mandate,
            replay.capital,
            replay.currency.scale,
        ),
    }
    if isinstance(summary, Mapping):
        summary = _since(summary, implied, deepest(replay.marks))
    _require_part(SUMMARY, summary, implied)
    return str(implied["guarantee"])


def _since(
    summary: Mapping[str, JSON], implied: Mapping[str, JSON], fall: Fraction
) -> Mapping[str, JSON]:
    """``summary`` as it is written by now, if an earlier version wrote it."""
    if not implied["corrections"]:
        summary = {"corrections": [], **summary}
    if "acts_of_people" not in summary:
        summary = {"acts_of_people": implied["acts_of_people"], **summary}
    fund = summary.get("fund")
    # The drawdown was rounded to the nearest millionth once, and is rounded up now.
    if isinstance(fund, Mapping) and fund.get("max_drawdown") == share_text(-fall):
        summary = {**summary, "fund": {**fund, "max_drawdown": share_up(-fall)}}
    return summary


def _require_part(place: str, seen: JSON, implied: JSON) -> None:
    """Whatever ``implied`` says, ``seen`` says too; ``seen`` may say more."""
    if isinstance(implied, Mapping) and isinstance(seen, Mapping):
        for key, value in implied.items():
            _require_part(f"{place}, {key}", seen.get(key), value)
    elif encode(seen) != encode(implied):
        raise VerificationError(None, place, f"{seen}, the log implies {implied}")
