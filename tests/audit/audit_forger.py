"""The forger: takes a finished run apart, changes it, and writes all else anew to match.

Everything that can be recomputed without the operator's inputs is: indices, commitments, order
ids, subjects, the tree, the seal; and, if the log replays, history, summary and manifest. So what
refuses a forgery is a rule of the verifier, and not a digest that was forgotten.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.audit.canonical import decode, encode, sha256_hex
from agent_fund.audit.commitment import commit, salt_for
from agent_fund.audit.errors import VerificationError
from agent_fund.audit.manifest import MANIFEST, write_manifest
from agent_fund.audit.merkle import leaf_hash
from agent_fund.audit.replay import Replay
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.track_record import track_record
from agent_fund.audit.verify import HISTORY, LOG, SUMMARY
from agent_fund.domain.money import from_units
from agent_fund.execution.order_id import client_order_id
from agent_fund.guard.kernel.codec import dumps

Record = dict[str, Any]
REPORT = "report.html"
_POINTERS = {
    "call": "intent",
    "response": "intent",
    "abort": "intent",
    "proposal": "intent",
    "guard": "proposal",
    "order": "guard",
    "transfer": "guard",
}


class Forger:
    """The records and blobs of the finished run in ``folder``, to be changed and sealed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blobs: dict[str, bytes] = {}
        with closing(SqliteLog(folder / LOG, read_only=True)) as log:
            self.records: list[Record] = [_object(leaf) for leaf in log.leaves()]
            self._kept = {d: log.blob(d) for d in self._mentioned() if log.has_blob(d)}

    def blob(self, digest: str) -> bytes:
        """The body under ``digest``."""
        return self._blobs.get(digest) or self._kept[digest]

    def put(self, body: bytes) -> str:
        """Keep another body."""
        digest = sha256_hex(body)
        self._blobs[digest] = body
        return digest

    # -- finding ------------------------------------------------------------------------------

    def find(self, kind: str, nth: int = 0, **where: object) -> int:
        """The index of the ``nth`` record of ``kind`` (or of that guard act) with these values."""
        found = [
            index
            for index, record in enumerate(self.records)
            if kind in (record["kind"], record.get("act"))
            and all(record.get(key) == value for key, value in where.items())
        ]
        return found[nth]

    def where(self, holds: Callable[[Record], object], nth: int = 0) -> int:
        """The index of the ``nth`` record for which ``holds``."""
        return [i for i, record in enumerate(self.records) if holds(record)][nth]

    def after(self, index: int, kind: str) -> int:
        """The first record of ``kind`` after ``index``."""
        return next(
            i
            for i in range(index + 1, len(self.records))
            if kind in (self.records[i]["kind"], self.records[i].get("act"))
        )

    # -- changing -----------------------------------------------------------------------------

    def drop(self, index: int) -> None:
        """Take a record out; indices that later records state follow."""
        del self.records[index]
        self._shift(index, -1)

    def insert(self, index: int, record: Record) -> None:
        """Put a record in; indices that later records state follow."""
        self._shift(index, 1)
        self.records.insert(index, copy.deepcopy(record))

    def stand_still(self, index: int, bars: int) -> None:
        """Cut the log off at ``index`` and let ``bars`` follow in which no price moves."""
        del self.records[index:]
        row = self._last_row(index)
        for _ in range(bars):
            bar, _, time, _, closes, _, nav, marks = row
            row = [bar + 1, time, time + 1, closes, closes, nav, nav, closes if marks else []]
            self.records.append({"kind": "mark", "rows": [row]})

    def _last_row(self, index: int) -> list[Any]:
        return next(r["rows"][-1] for r in reversed(self.records[:index]) if r["kind"] == "mark")

    def _shift(self, index: int, by: int) -> None:
        for record in self.records:
            key = _POINTERS.get(record["kind"], "")
            if record.get(key, -1) >= index:
                record[key] += by

    def recommit(self, index: int, **changes: object) -> None:
        """Change fields of the intent at ``index`` and commit to them anew."""
        intent = self.records[index]
        fields = _object(self.blob(intent["fields"])) | changes
        secret = bytes.fromhex(self.records[0]["secret"]["hex"])
        salts = {name: salt_for(secret, intent["id"], name) for name in fields}
        intent["fields"] = self.put(encode(fields))
        intent["commitment"] = commit(fields, salts).hex()

    def relink(self) -> None:
        """Order ids and subjects as the rules make them from the changed records."""
        ids: dict[str, str] = {}
        sent: dict[int, int] = {}
        for record in self.records:
            for old, new in ids.items():
                _replace(record, old, new)
            if record["kind"] in ("order", "transfer"):
                verdict = self.records[record["guard"]]
                source: int = record["guard"]
                if verdict["act"] == "decide":
                    source = self.records[verdict["proposal"]]["intent"]
                leaf = leaf_hash(encode(self.records[source]))
                if record["kind"] == "order":
                    number = record["leg"]
                else:
                    number = len(verdict["legs"]) + sent.get(record["guard"], 0)
                    sent[record["guard"]] = sent.get(record["guard"], 0) + 1
                new = client_order_id(leaf, number, 0)
                if new != record["id"]:
                    ids[record["id"]] = new
                    record["id"] = new
            if "subject" in record:
                record["subject"] = self.subject(record)

    def subject(self, record: Record) -> str:
        """What the certificate of a guard record is about."""
        book = record["book"]
        if record["act"] == "flow":
            book = self.after_flow(book, int(record["amount"]))
        names = ("mandate", "legs", "ordered", "transfers", "band", "latest")
        value = {name: record[name] for name in names} | {"book": book}
        return hashlib.sha256(b"agent-fund/subject/v3\0" + dumps(value)).hexdigest()

    def after_flow(self, book: Record, amount: int) -> Record:
        """The book of a record once ``amount`` came in where the first instrument trades."""
        home = self.records[0]["instruments"][0]["venue"]
        places = {**book["places"], home: str(int(book["places"][home]) + amount)}
        return {**book, "cash": str(int(book["cash"]) + amount), "places": places}

    # -- writing ------------------------------------------------------------------------------

    def seal(self, to: Path, leaves: list[bytes] | None = None, forget: str = "") -> Path:
        """A run folder made of all this; ``leaves`` in place of the records if given.

        Args:
            forget: digest of a blob to leave out.
        """
        to.mkdir()
        bodies = [encode(r) for r in self.records] if leaves is None else leaves
        log = SqliteLog(to / LOG, create=True)
        for body in bodies:
            log.append(body)
        for digest in sorted(self._named() - {forget}):
            log.put_blob(self.blob(digest))
        log.seal()
        log.close()
        for name in (HISTORY, SUMMARY):
            shutil.copy(self._folder / name, to / name)
        (to / REPORT).write_bytes(b"<!doctype html>")
        refit(to)
        return to

    def _named(self) -> set[str]:
        """Digests that the records name, and of which there is a body."""
        text = json.dumps(self.records)
        found = {d for d in self._blobs if d in text}
        return found | {d for d in self._mentioned() if d in self._kept}

    def _mentioned(self) -> set[str]:
        keys = ("config", "mandate", "fields", "body", "proof")
        return {str(r[k]) for r in self.records for k in keys if r.get(k)}


def refit(folder: Path) -> None:
    """History, summary and manifest as the log in ``folder`` implies them, if it replays."""
    log = SqliteLog(folder / LOG, read_only=True)
    leaves = list(log.leaves())
    replay = Replay(log)
    root, run = log.root().hex(), sha256_hex(leaves[0])
    try:
        for leaf in leaves:
            replay.take(leaf)
        replay.finish()
    except VerificationError:
        pass
    else:
        _history(folder, replay)
        _summary(folder, replay, root, run)
    finally:
        log.close()
    remanifest(folder, {"run": run, "root": root, "size": len(leaves)})


def remanifest(folder: Path, extra: Mapping[str, Any] | None = None) -> None:
    """The manifest of what ``folder`` holds now; ``extra`` as it was if not given."""
    old = folder / MANIFEST
    if extra is None:
        extra = _object(old.read_bytes())["extra"]
    old.unlink(missing_ok=True)
    write_manifest(folder, extra)


def _history(folder: Path, replay: Replay) -> None:
    scale, marks = replay.currency.scale, replay.marks
    money = pa.decimal128(38, scale)
    columns: dict[str, pa.Array] = {
        "bar": pa.array([m.bar for m in marks], pa.int64()),
        "close_time": pa.array([m.close_time for m in marks], pa.timestamp("ms", "UTC")),
    }
    for name in ("nav_open", "nav", "mark", "cash"):
        columns[name] = pa.array([from_units(getattr(m, name), scale) for m in marks], money)
    columns["mode"] = pa.array([m.mode.value for m in marks], pa.string())
    for number, instrument in enumerate(replay.instruments):
        places = instrument.base.scale
        held = [from_units(m.positions[number], places) for m in marks]
        columns[f"position.{instrument.symbol}"] = pa.array(held, pa.decimal128(38, places))
    if marks[0].places:
        accounts = dict.fromkeys(i.account for i in replay.instruments)
        for name, shown in (("equity", "places"), ("maintenance", "maintenance")):
            for number, place in enumerate(accounts):
                units = [from_units(getattr(m, shown)[number], scale) for m in marks]
                columns[f"{name}.{place}"] = pa.array(units, money)
        columns["funding"] = pa.array([from_units(m.funding, scale) for m in marks], money)
    pq.write_table(pa.table(columns), folder / HISTORY)


def _summary(folder: Path, replay: Replay, root: str, run: str) -> None:
    summary = _object((folder / SUMMARY).read_bytes())
    implied: Record = dict(
        track_record(
            replay.records,
            replay.marks,
            replay.monitor,
            replay.mandate,
            replay.capital,
            replay.currency.scale,
        )
    )
    implied["fund"] = {**summary["fund"], **implied["fund"]}
    summary |= implied | {"run": run, "log": {"root": root, "size": len(replay.records)}}
    (folder / SUMMARY).write_bytes(encode(summary))


def _object(data: bytes) -> Record:
    value = decode(data)
    assert isinstance(value, dict)
    return value


def _replace(record: Record, old: str, new: str) -> None:
    """``new`` in place of ``old`` wherever it stands in ``record``."""
    text = json.dumps(record)
    if old in text:
        record.update(json.loads(text.replace(old, new)))
