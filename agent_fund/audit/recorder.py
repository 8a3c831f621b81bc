"""The one writer of records: canonical bytes, in order, compared with what a cut-off run left.

A run that was cut off is resumed by running it again from its genesis: every record it makes must
be, byte for byte, the one that stands in the log already, until the log's end is reached and new
records follow. So a resumed run and an uninterrupted one cannot differ.

Marks come one a bar; they are held back and written as one leaf of many rows, before the next
record of another kind or when the leaf is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_fund.audit.canonical import JSON, encode, sha256_hex
from agent_fund.audit.changed import changed
from agent_fund.audit.errors import AuditError
from agent_fund.audit.log import Log
from agent_fund.audit.merkle import leaf_hash
from agent_fund.audit.schema import parse

MARK_ROWS = 64
_MARK_BYTES = 7000


class ResumeError(AuditError):
    """The run that is being resumed is not the one that the log holds."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.seen}; {self.fix}"


class Recorder:
    """Appends records to ``log``; with ``resume`` it first walks over those already there."""

    def __init__(self, log: Log, *, resume: bool = False) -> None:
        if log.size and not resume:
            raise AuditError("log", f"{log.size} leaves", "resume the run, or begin a new log")
        self._log = log
        self._standing = log.size
        self._next = 0
        self._rows: list[str] = []
        self._bytes = 0

    @property
    def size(self) -> int:
        """Records made so far, not counting marks still held back."""
        return self._next

    @property
    def replaying(self) -> bool:
        """Whether the records made so far all stood in the log before."""
        return self._next < self._standing

    def standing(self) -> dict[str, Any] | None:
        """What a run that is made again has to write next; None where it is to go on by itself."""
        return parse(self._log.leaf(self._next)) if self.replaying else None

    def append(self, record: Mapping[str, JSON]) -> int:
        """Write ``record`` after all marks held back; returns its index.

        Raises:
            ResumeError: if the log holds another record at that index.
            AuditError: if the record is not canonical JSON or is too large.
        """
        self.write_marks()
        return self._put(encode(dict(record)))

    def blob(self, body: bytes) -> str:
        """Keep ``body`` beside the log; returns its SHA-256 in hex."""
        if self.replaying:
            digest = sha256_hex(body)
            if self._log.has_blob(digest):
                return digest
        return self._log.put_blob(body)

    def mark(
        self,
        bar: int,
        open_time: int,
        close_time: int,
        opens: Sequence[int],
        closes: Sequence[int],
        nav_open: int,
        nav: int,
        mark_opens: Sequence[int] = (),
    ) -> None:
        """The prices and the NAV of one bar; prices in instrument order, in price units.

        Args:
            opens: prices of trades. ``closes``: marks, at which NAV is stated.
            mark_opens: where they are others than ``opens``.
        """
        marks = '","'.join(map(str, mark_opens))
        row = (
            f'[{bar},{open_time},{close_time},["'
            + '","'.join(map(str, opens))
            + '"],["'
            + '","'.join(map(str, closes))
            + f'"],"{nav_open}","{nav}",'
            + (f'["{marks}"]]' if marks else "[]]")
        )
        self._rows.append(row)
        self._bytes += len(row)
        if len(self._rows) >= MARK_ROWS or self._bytes >= _MARK_BYTES:
            self.write_marks()

    def write_marks(self) -> None:
        """Write the marks held back as one record."""
        if self._rows:
            # Already canonical: keys in order, integers and digit strings, no spaces.
            self._put(('{"kind":"mark","rows":[' + ",".join(self._rows) + "]}").encode())
            self._rows.clear()
            self._bytes = 0

    def leaf_hash(self, index: int) -> bytes:
        """The RFC 6962 leaf hash of the record at ``index``, from which order ids are made."""
        return leaf_hash(self._log.leaf(index))

    def barrier(self) -> None:
        """Return once every record appended so far is durable."""
        if not self.replaying:
            self._log.flush()

    def finish(self) -> bytes:
        """Write what is held back, make all durable, return the root of the log.

        Raises:
            ResumeError: if the log holds records that this run did not make.
        """
        self.write_marks()
        if self.replaying:
            raise ResumeError("records", self._standing, f"the run ended after {self._next}")
        self._log.flush()
        return self._log.root()

    def _known(self, digest: str) -> bytes | None:
        return self._log.blob(digest) if self._log.has_blob(digest) else None

    def _put(self, body: bytes) -> int:
        index = self._next
        if index < self._standing:
            if self._log.leaf(index) != body:
                what = changed(self._log.leaf(index), body, self._known)
                raise ResumeError(
                    f"record {index}" if index else "record 0, with which the run began",
                    what,
                    "undo what has changed since, or begin a new run",
                )
        else:
            self._log.append(body)
        self._next += 1
        return index
