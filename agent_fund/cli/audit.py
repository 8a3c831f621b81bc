"""``agent-fund audit``: check a run folder whole, or read its log record by record."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.text import Text

from agent_fund.audit.canonical import decode
from agent_fund.audit.errors import AuditError
from agent_fund.audit.manifest import MANIFEST
from agent_fund.audit.merkle import leaf_hash, verify_inclusion
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.track_record import HELD
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.guarantee import NO_PROOF, failed_words
from agent_fund.cli.progress import stages
from agent_fund.cli.records import Reader, close_times, stamps, when
from agent_fund.cli.terminal import (
    console,
    grid,
    one_line,
    percent,
    printable,
    shown_path,
    write_json,
)
from agent_fund.domain.errors import DomainError
from agent_fund.fund.control_file import CONTROL, ControlError, ControlFile
from agent_fund.fund.control_process import Life, life_of
from agent_fund.guard.finding import share

_LOG = "log.sqlite"
_BLOBS = ("fields", "body")


class UnfinishedError(AuditError):
    """The run in a folder did not finish, so that there is no whole log to look at."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.seen}; {self.fix}"


def verify_run(run: Path, root: str | None, *, as_json: bool) -> int:
    """Check ``run`` and say what was checked; raises for the first thing that is wrong."""
    _require_run(run)
    _require_closed(run)
    if not (run / MANIFEST).exists():
        fix = f"it did not finish, or the file was removed: {_go_on(run)}"
        raise UnfinishedError(f"run {run}", f"there is no {MANIFEST}", fix)
    with stages(console(stderr=True)) as report:
        from agent_fund.audit.verify import verify

        verified = verify(run, root, progress=lambda done, total: report("verify", done, total))
    if as_json:
        values = {
            name: str(value) if isinstance(value, Fraction) else value
            for name, value in dataclasses.asdict(verified).items()
        }
        write_json({**values, "root_compared": root is not None, "exit": int(ExitCode.OK)})
        return ExitCode.OK
    screen = console()
    screen.print(Text.assemble(("Verified: ", "bold green"), "everything in the folder agrees."))
    drawdown, limit = share(verified.drawdown), percent(float(verified.limit))
    but = failed_words(verified.failed)
    held = verified.guarantee + (f", though {but}: {NO_PROOF}" if but else "")
    if verified.guarantee != HELD:
        held = f"{verified.guarantee}: {but}" if but else verified.guarantee
    table = grid("", "")
    table.show_header, table.box = False, None
    for name, text in (
        ("Records", f"{verified.records:,}, {verified.bars:,} bars"),
        ("Certificates", f"{verified.certificates:,}, each checked again by the kernel"),
        ("Orders, fills", f"{verified.orders:,} and {verified.fills:,}"),
        ("Guarantee", f"{held}; drawdown {drawdown}, limit {limit}"),
        ("Run", verified.run),
        ("Root", verified.root),
    ):
        table.add_row(Text(name, "bold"), text)
    screen.print(table)
    if root is None:
        screen.print(
            "No root was given: this shows that the run is consistent, not that it is the one you "
            "were told of. Pass --root with the root as you know it from elsewhere."
        )
    return ExitCode.OK


def show_records(run: Path, kind: str | None, first: int, limit: int, *, as_json: bool) -> int:
    """A table of the records from ``first`` on, of one kind if ``kind`` is given."""
    with _opened(run) as log:
        records = [_record(leaf) for leaf in log.leaves()]
        root = log.root().hex()
    kinds = sorted({str(record.get("kind")) for record in records})
    if kind is not None and kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"the log has: {', '.join(kinds)}"
        raise DomainError("--kind", kind, fix)
    reader, times = Reader(), stamps(close_times(records))
    rows = []
    for index, record in enumerate(records):
        gist = reader.gist(record)
        if index >= first and kind in (None, record.get("kind")):
            rows.append((index, record, gist))
    shown, rest = rows[:limit], rows[limit:]
    if as_json:
        listed = [{"index": i, "gist": gist, "record": record} for i, record, gist in shown]
        write_json({"size": len(records), "root": root, "records": listed, "left": len(rest)})
        return ExitCode.OK
    table = grid(">#", "kind", "bar, close", "what")
    for column in table.columns[:3]:
        column.no_wrap = True
    for index, record, gist in shown:
        name = one_line(str(record.get("kind")))
        table.add_row(str(index), name, when(record, times), gist)
    screen = console()
    screen.print(table)
    if rest:
        more = f"agent-fund audit show {run} --from {rest[0][0]}"
        more += f" --kind {kind}" if kind else ""
        screen.print(f"{len(shown)} shown, {len(rest)} left: {more}", soft_wrap=True)
    return ExitCode.OK


def show_record(run: Path, index: int, *, as_json: bool) -> int:
    """One record whole, what it names beside the log, and the proof that the log holds it."""
    with _opened(run) as log:
        if index >= log.size:
            raise DomainError("--record", index, f"the log holds records 0 to {log.size - 1}")
        leaf, size, root = log.leaf(index), log.size, log.root()
        proof = log.inclusion(index)
        record = _record(leaf)
        beside = {
            name: log.blob(record[name]).decode("utf-8", "replace")
            for name in _BLOBS
            if isinstance(record.get(name), str) and log.has_blob(record[name])
        }
    digest = leaf_hash(leaf)
    included = verify_inclusion(index, size, digest, proof, root)
    code = ExitCode.OK if included else ExitCode.VERIFICATION_FAILED
    inclusion = {
        "leaf_hash": digest.hex(),
        "index": index,
        "size": size,
        "root": root.hex(),
        "proof": [sibling.hex() for sibling in proof],
        "holds": included,
    }
    if as_json:
        value = {"index": index, "record": record, "beside": beside, "inclusion": inclusion}
        write_json({**value, "exit": int(code)})
        return code
    screen = console()
    screen.print(Text(f"Record {index} of {size}", "bold"))
    screen.print(json.dumps(record, indent=2), soft_wrap=True)
    for name, text in beside.items():
        screen.print(Text(f"\n{name}, kept beside the log", "bold"))
        screen.print(_pretty(text), soft_wrap=True)
    screen.print(Text("\nInclusion proof (RFC 6962)", "bold"))
    screen.print(f"leaf hash  {digest.hex()}", soft_wrap=True)
    for sibling in proof:
        screen.print(f"           {sibling.hex()}", soft_wrap=True)
    screen.print(f"root       {root.hex()}", soft_wrap=True)
    verdict = "the proof leads from the leaf to the root" if included else "THE PROOF FAILS"
    screen.print(Text(verdict, "green" if included else "bold red"))
    return code


def _record(leaf: bytes) -> Mapping[str, Any]:
    value = decode(leaf)
    return value if isinstance(value, dict) else {"kind": "unknown", "value": value}


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2)
    except ValueError:
        return printable(text)


def _require_run(run: Path) -> None:
    if (run / _LOG).is_file():
        return
    inside = sorted(path.parent for path in run.glob(f"*/{_LOG}")) if run.is_dir() else []
    near = f"; did you mean {str(inside[-1])!r}?" if inside else ""
    raise DomainError("run folder", str(run), f"name a folder that holds {_LOG}{near}")


def _require_closed(run: Path) -> None:
    """Refuse a log whose writer has not closed it: to read it would be to write to it."""
    if not (run / f"{_LOG}-wal").exists():
        return
    if life_of(run) is Life.RUNNING:
        fix = "look at it with agent-fund status; its log is read once it has stopped"
        raise UnfinishedError(f"run {run}", "it runs now", fix)
    fix = f"if no process runs it, {_go_on(run)}"
    raise UnfinishedError(f"run {run}", "it did not finish, and its log is open", fix)


def _go_on(run: Path) -> str:
    """How to go on with a run that was cut off."""
    live = (run / CONTROL).exists()
    command = f"agent-fund {'paper' if live else 'backtest'} RUNFILE --resume {shown_path(run)}"
    if live:
        with suppress(ControlError):
            command = ControlFile(run).read().restart or command
    return f"go on with: {one_line(command)}"


@contextmanager
def _opened(run: Path) -> Iterator[SqliteLog]:
    _require_run(run)
    _require_closed(run)
    log = SqliteLog(run / _LOG, read_only=True)
    try:
        yield log
    finally:
        log.close()
