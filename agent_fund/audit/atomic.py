"""A file appears whole or not at all: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from pathlib import Path


def temporary_name(path: Path) -> Path:
    """Where ``replace_file`` writes before it renames; what is found there is never complete."""
    return path.with_name(f"{path.name}.tmp")


def replace_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically and durably, in place of what was there.

    Raises:
        OSError: if it cannot; ``path`` is then what it was before.
    """
    temporary = temporary_name(path)
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
