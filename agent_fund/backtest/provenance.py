"""Digests of what a run depends on: its code, its lock file, its inputs; no clock, no paths."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

REPLAY_SECRET = hashlib.sha256(b"agent-fund/replay-secret/v1").digest()
"""Salts of a replayed run are made from this; it is public, and the genesis record says so."""


@cache
def code_digest() -> str:
    """SHA-256 over every Python and template file of the package, by relative path."""
    root = Path(__file__).resolve().parent.parent
    hasher = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".j2", ".css", ".js"}):
        relative = path.relative_to(root)
        if relative.parts[0] == "workspace":
            continue
        hasher.update(relative.as_posix().encode() + b"\0")
        hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def lock_digest(workspace: Path) -> str:
    """SHA-256 of the workspace's lock file, or ``"none"`` where there is none."""
    return file_digest(workspace / "uv.lock")


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or ``"none"``."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "none"
