"""The audit of a log's file when it is opened: every leaf hashed again, every stored hash compared.

What open can find is a leaf that does not match its stored hash, a gap, or a hash that does not
match those below it. A file rewritten consistently is another log: compare its root with a
checkpoint signed elsewhere.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.merkle import HASH_BYTES, leaf_hash
from agent_fund.audit.tiles import TILE_WIDTH, Tiles

Rows = Callable[..., list[tuple[Any, ...]]]
"""A query and its values, answered with rows."""

RESTORE = "restore a copy of the log"


def audit(db: sqlite3.Connection, rows: Rows, tiles: Tiles) -> None:
    """Hash all leaves again into ``tiles``, and compare with every stored tile, lowest level first.

    Args:
        tiles: empty; they hold the log's hashes afterwards.

    Raises:
        AuditError: naming the first bad leaf.
    """
    compared = 0
    leaves = db.execute("SELECT seq, body FROM leaf ORDER BY seq")
    # An unfinished cursor would keep the file locked for as long as an error is looked at.
    with contextlib.closing(leaves):
        for index, (seq, body) in enumerate(leaves):
            # SQLite checks types when it writes, not when it reads a damaged file.
            if seq != index or not isinstance(body, bytes):
                raise AuditError(f"leaf {index}", (seq, body), f"it is damaged; {RESTORE}")
            tiles.append(leaf_hash(body))
            for place, hashes in tiles.full.items():
                _compare(rows, place, hashes)
            compared += len(tiles.full)
            tiles.full.clear()
    for place, hashes in tiles.partial(since=0):
        _compare(rows, place, hashes)
        compared += 1
    (stored,) = rows("SELECT count(*) FROM tile")[0]
    if stored != compared:
        raise AuditError(f"leaf {tiles.size}", None, f"its hash outlived it; {RESTORE}")


def _compare(rows: Rows, place: tuple[int, int], hashes: bytes) -> None:
    level, n = place
    found = rows("SELECT hashes FROM tile WHERE level = ? AND n = ?", level, n)
    stored = found[0][0] if found and isinstance(found[0][0], bytes) else b""
    if stored == hashes:
        return
    ends = range(0, max(len(stored), len(hashes)), HASH_BYTES)
    at = next(at for at in ends if _hash(stored, at) != _hash(hashes, at))
    width = TILE_WIDTH**level
    first = (n * TILE_WIDTH + at // HASH_BYTES) * width
    raise AuditError(
        f"leaf {first}" if level == 0 else f"leaves {first} to {first + width - 1}",
        _hash(hashes, at).hex(),
        f"the stored hash is {_hash(stored, at).hex() or 'missing'}; {RESTORE}",
    )


def _hash(hashes: bytes, at: int) -> bytes:
    return hashes[at : at + HASH_BYTES]
