"""The log that every room writes to: leaves in order, blobs by digest, one root over all leaves.

A leaf is at most ``MAX_LEAF`` bytes, is never changed, and is durable once ``flush`` has returned.
A blob is anything larger, kept beside the leaves under its SHA-256; leaves name it by that digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from agent_fund.audit.canonical import MAX_LEAF, sha256_hex
from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import Frontier, leaf_hash


class Log(Protocol):
    """An append-only Merkle log with one writer."""

    @property
    def size(self) -> int:
        """Leaves appended so far, durable or not."""

    def append(self, leaf: bytes) -> int:
        """Add ``leaf`` and return its index.

        Raises:
            AuditError: if it is not bytes, is larger than ``MAX_LEAF``, or the log takes no more.
        """

    def put_blob(self, body: bytes) -> str:
        """Keep ``body`` and return its SHA-256 in hexadecimal; the same body is kept once."""

    def blob(self, digest: str) -> bytes:
        """The body whose SHA-256 is ``digest``.

        Raises:
            AuditError: if it is absent, or what is stored has another digest.
        """

    def has_blob(self, digest: str) -> bool:
        """Whether a body is stored under ``digest``."""

    def flush(self) -> None:
        """Return once every leaf appended and every blob put before is durable.

        Raises:
            AuditError: if they may not be. The log then takes no more: open it again, which
                re-audits it.
        """

    def root(self) -> bytes:
        """RFC 6962 root over all leaves appended, 32 bytes."""

    def leaf(self, index: int) -> bytes:
        """The leaf at ``index``.

        Raises:
            AuditError: unless 0 <= index < size.
        """

    def leaves(self) -> Iterator[bytes]:
        """The leaves in order, as many as there are when the iteration begins."""

    def close(self) -> None:
        """Flush and release what the log holds; it takes no more. Closing twice is allowed."""


class MemoryLog:
    """A ``Log`` that lives as long as the process: for tests, and for a run that is written later.

    Nothing in it outlasts the process, so ``flush`` has nothing to do.
    """

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._blobs: dict[str, bytes] = {}
        self._frontier = Frontier()
        self._closed = False

    @property
    def size(self) -> int:
        """Leaves appended so far."""
        return self._frontier.size

    def append(self, leaf: bytes) -> int:
        """Add ``leaf`` and return its index; see ``Log.append``."""
        require_leaf(leaf)
        self._require_open()
        self._leaves.append(leaf)
        return self._frontier.append(leaf_hash(leaf))

    def put_blob(self, body: bytes) -> str:
        """Keep ``body`` and return its SHA-256 in hexadecimal."""
        self._require_open()
        digest = sha256_hex(body)
        self._blobs[digest] = body
        return digest

    def blob(self, digest: str) -> bytes:
        """The body whose SHA-256 is ``digest``; see ``Log.blob``."""
        return require_blob(digest, self._blobs.get(digest))

    def has_blob(self, digest: str) -> bool:
        """Whether a body is stored under ``digest``."""
        return digest in self._blobs

    def flush(self) -> None:
        """Nothing to do: memory is as durable as it gets."""

    def root(self) -> bytes:
        """RFC 6962 root over all leaves appended."""
        return self._frontier.root()

    def leaf(self, index: int) -> bytes:
        """The leaf at ``index``; see ``Log.leaf``."""
        require_index(index, self.size)
        return self._leaves[index]

    def leaves(self) -> Iterator[bytes]:
        """The leaves in order."""
        for index in range(self.size):
            yield self._leaves[index]

    def close(self) -> None:
        """Take no more leaves; what was appended stays readable."""
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise AuditError("log", "closed", "append before it is closed")


def require_leaf(leaf: bytes) -> None:
    """Refuse what cannot be a leaf.

    Raises:
        AuditError: if ``leaf`` is not bytes or is larger than ``MAX_LEAF``.
    """
    if type(leaf) is not bytes:
        raise AuditError("leaf", leaf, "encode it to bytes first")
    if len(leaf) > MAX_LEAF:
        raise AuditError(
            "leaf size", len(leaf), f"write at most {MAX_LEAF} bytes and put the rest in a blob"
        )


def require_index(index: int, size: int) -> None:
    """Refuse an index that no leaf of a log of ``size`` leaves has.

    Raises:
        AuditError: unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise AuditError("leaf index", index, f"the log holds {size} leaves, counted from 0")


def require_blob(digest: str, body: object) -> bytes:
    """``body`` if it is present and its SHA-256 is ``digest``.

    Raises:
        AuditError: if it is absent or another body.
    """
    if not isinstance(body, bytes):
        raise AuditError("blob", digest, "it is not in the log; put it before it is named")
    found = sha256_hex(body)
    if found != digest:
        raise AuditError(f"blob {digest}", found, "its stored body was changed; restore a copy")
    return body
