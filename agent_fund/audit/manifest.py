"""A finished run folder says what it holds: every file with its size and SHA-256, and no other.

``manifest.json`` is one canonical JSON object without a newline at its end:

    {"extra": {...}, "files": [{"bytes": n, "path": "a/b", "sha256": "..."}], "format": "..."}

Paths are relative, with forward slashes, sorted. The manifest does not list itself: who must trust
it compares its digest, or the root in ``extra``, with one known from elsewhere. Nor does it list
the memory of a live run's process, of which nothing is claimed and which anybody may have open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_fund.audit.atomic import replace_file, temporary_name
from agent_fund.audit.canonical import JSON, decode, encode
from agent_fund.audit.errors import AuditError

MANIFEST = "manifest.json"

MEMORY = ("live.sqlite", "control.sqlite", "control.lock")
"""Files of a live run that are no part of what it says: these, and what SQLite puts beside them."""

FORMAT = "agent-fund/manifest/v1"


class ManifestError(AuditError):
    """A run folder that is not as its manifest says; ``subject`` names the first bad file."""


@dataclass(frozen=True)
class _Entry:
    path: str
    size: int
    sha256: str


def write_manifest(folder: Path, extra: Mapping[str, JSON]) -> None:
    """Write ``manifest.json`` over all files in ``folder``, atomically and durably.

    Args:
        folder: the run folder; nothing may write to it meanwhile.
        extra: what else the manifest states, e.g. the log's root. Canonical JSON.

    Raises:
        ManifestError: for a symbolic link, or anything else that is not a regular file.
        AuditError: if ``extra`` or a file's name cannot be encoded.
    """
    # One may be left from a write that was cut short; it is ours and never complete.
    temporary_name(folder / MANIFEST).unlink(missing_ok=True)
    files: list[JSON] = [
        {"path": entry.path, "bytes": entry.size, "sha256": entry.sha256}
        for entry in _present(folder)
    ]
    data = encode({"format": FORMAT, "extra": dict(extra), "files": files})
    replace_file(folder / MANIFEST, data)


def check_manifest(folder: Path) -> Mapping[str, JSON]:
    """Compare ``folder`` with its manifest and return the ``extra`` that was written.

    Raises:
        ManifestError: naming the first file that is missing, changed, not listed, or not regular,
            or the manifest itself if it is absent or not exactly as ``write_manifest`` writes it.
    """
    present = {entry.path: entry for entry in _present(folder)}
    try:
        document = decode((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise ManifestError(MANIFEST, None, "it is missing; the run did not finish") from error
    except AuditError as error:
        raise ManifestError(MANIFEST, error.seen, f"{error.subject}: {error.fix}") from error
    if not isinstance(document, dict) or document.keys() != {"extra", "files", "format"}:
        raise ManifestError(MANIFEST, document, "write extra, files and format")
    if document["format"] != FORMAT:
        raise ManifestError(MANIFEST, document["format"], f"this version reads {FORMAT}")
    for entry in _listed(document["files"]):
        found = present.pop(entry.path, None)
        if found is None:
            raise ManifestError(entry.path, None, "it is listed but missing; restore it")
        if found.size != entry.size:
            raise ManifestError(entry.path, found.size, f"its size was {entry.size} bytes")
        if found.sha256 != entry.sha256:
            raise ManifestError(entry.path, found.sha256, f"its SHA-256 was {entry.sha256}")
    for path, found in present.items():
        raise ManifestError(path, found.sha256, "it is not listed; remove it")
    extra = document["extra"]
    if not isinstance(extra, dict):
        raise ManifestError(MANIFEST, extra, "extra is an object")
    return extra


def _present(folder: Path) -> list[_Entry]:
    entries = []
    for relative in sorted(_paths(folder, "")):
        with (folder / relative).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            entries.append(_Entry(relative, stream.tell(), digest))
    return entries


def _paths(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as found:
        for item in found:
            relative = prefix + item.name
            if relative.startswith(MEMORY):
                continue
            if item.is_symlink():
                raise ManifestError(relative, "symbolic link", "put the file itself there")
            if item.is_dir():
                yield from _paths(folder / item.name, f"{relative}/")
            elif not item.is_file():
                raise ManifestError(relative, "special file", "keep regular files only")
            elif relative != MANIFEST:
                yield relative


def _listed(files: JSON) -> list[_Entry]:
    if not isinstance(files, list):
        raise ManifestError(MANIFEST, files, "files is a list")
    entries: list[_Entry] = []
    for item in files:
        if not isinstance(item, dict) or item.keys() != {"path", "bytes", "sha256"}:
            raise ManifestError(MANIFEST, item, "a file has path, bytes and sha256")
        path, size, digest = item["path"], item["bytes"], item["sha256"]
        if not isinstance(path, str) or type(size) is not int or not isinstance(digest, str):
            raise ManifestError(MANIFEST, item, "path and sha256 are strings, bytes an integer")
        if entries and path <= entries[-1].path:
            raise ManifestError(MANIFEST, path, "list each file once, sorted by path")
        entries.append(_Entry(path, size, digest))
    return entries
