"""Keystore files: written whole or not at all, for their owner alone, never over another file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_fund.execution.keys.errors import KeyRefused

_LARGEST = 1 << 16


def read_keystore_file(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises:
        KeyRefused: if there is no such file, or it is no JSON object of moderate size.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        fix = "name a keystore file: agent-fund keys new makes one"
        raise KeyRefused(f"keystore {path}", error.strerror, fix) from error
    try:
        found = json.loads(content) if len(content) <= _LARGEST else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        fix = "name a file that agent-fund keys, geth or a wallet made"
        raise KeyRefused(f"keystore {path}", f"{len(content)} bytes that are no keystore", fix)
    return found


def write_keystore_file(path: Path, store: Mapping[str, Any]) -> None:
    """Make ``path`` with mode 0600, durably.

    Raises:
        KeyRefused: if there is something already, or it cannot be made.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(store, indent=2) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            # A link, unlike a rename, does not replace what is there.
            path.hardlink_to(temporary)
        finally:
            temporary.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError as error:
        fix = "name a new file: a keystore is never replaced"
        raise KeyRefused(f"keystore {path}", "it exists", fix) from error
    except OSError as error:
        fix = "name a file in a folder that can be written"
        raise KeyRefused(f"keystore {path}", error.strerror, fix) from error
