"""Looks for secrets in everything that a run leaves behind, in every encoding they may have.

``find_secrets(paths, secrets)`` walks files and folders: their bytes as they are, what is inside
gzip and zip files, every cell of SQLite databases (a value may be split over pages) and of Parquet
files (which are compressed), and the names of the files themselves. ``find_secrets_in`` does it for
bytes at hand, such as what a process printed; ``process_arguments`` reads what any user may see of
a running one.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import sqlite3
import tempfile
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import base58
import pyarrow.parquet as pq

_PART = 16


@dataclass(frozen=True)
class Leak:
    """A secret that was found: where, which one by its name, and in which encoding."""

    where: str
    secret: str
    encoding: str


def find_secrets(paths: Iterable[Path], secrets: Mapping[str, bytes]) -> list[Leak]:
    """Every leak in ``paths``.

    Args:
        paths: files and folders.
        secrets: bytes by a name that may be shown; for a private key its raw bytes, for a text its
            ASCII bytes. Its parts of 16 bytes at either end are looked for in hexadecimal too.
    """
    needles = _needles(secrets)
    leaks = []
    for path in paths:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            for where, content in _contents(file):
                leaks += _search(where, content, needles)
            leaks += _search(f"name of {file}", str(file).encode(), needles)
    return leaks


def find_secrets_in(where: str, content: bytes, secrets: Mapping[str, bytes]) -> list[Leak]:
    """Every leak in ``content``."""
    return _search(where, content, _needles(secrets))


def process_arguments(pid: int) -> bytes:
    """The command line of a process, as every user of the machine can read it (Linux)."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def encodings(secret: bytes) -> dict[str, set[bytes]]:
    """All the ways in which ``secret`` may stand in a file, by name of the encoding."""
    hexadecimal = secret.hex()
    escaped = json.dumps(secret.decode("latin-1"))[1:-1]
    listed = ", ".join(str(byte) for byte in secret)
    number = int.from_bytes(secret, "big")
    found = {
        "raw": {secret, secret[::-1]},
        "hex": {hexadecimal.encode(), secret[::-1].hex().encode()},
        "HEX": {hexadecimal.upper().encode()},
        "spaced hex": {secret.hex(" ").encode(), secret.hex(":").encode()},
        "escaped": {repr(secret)[2:-1].encode(), escaped.encode()},
        "base64": _base64(secret),
        "base58": {base58.b58encode(secret)},
        "list of numbers": {listed.encode(), listed.replace(" ", "").encode()},
        "number": {str(number).encode()} if len(secret) >= _PART else set(),
        "percent": {urllib.parse.quote_from_bytes(secret, safe="").encode()},
        "part in hex": {hexadecimal[: 2 * _PART].encode(), hexadecimal[-2 * _PART :].encode()},
    }
    texts = [hexadecimal, *([secret.decode("ascii")] if secret.isascii() else [])]
    wide = ("utf-16-le", "utf-16-be")
    found["UTF-16"] = {text.encode(kind) for text in texts for kind in wide}
    found["reversed"] = {text[::-1].encode() for text in texts}
    return found


def _base64(secret: bytes) -> set[bytes]:
    """What base64 makes of it at each of three alignments inside something longer."""
    found = set()
    for lead in range(3):
        whole = base64.b64encode(bytes(lead) + secret)
        # The first and the last digits mix with the neighbours' bits.
        first = -(-lead * 8 // 6)
        inner = whole[first : (lead + len(secret)) * 8 // 6]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _needles(secrets: Mapping[str, bytes]) -> list[tuple[str, str, bytes]]:
    found = []
    for name, secret in secrets.items():
        if len(secret) < 8:
            raise ValueError(f"{name}: {len(secret)} bytes would be found everywhere")
        for encoding, forms in encodings(secret).items():
            found += [(name, encoding, form) for form in forms]
    return found


def _search(where: str, content: bytes, needles: list[tuple[str, str, bytes]]) -> list[Leak]:
    return sorted(
        {Leak(where, name, encoding) for name, encoding, needle in needles if needle in content},
        key=lambda leak: (leak.secret, leak.encoding),
    )


def _contents(file: Path) -> Iterator[tuple[str, bytes]]:
    content = file.read_bytes()
    yield str(file), content
    yield from _inside(str(file), content)
    if content.startswith(b"SQLite format 3\0"):
        yield f"{file} (cells)", _cells(file)


def _inside(where: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(b"\x1f\x8b"):
        inner = gzip.decompress(content)
        yield f"{where} (gzip)", inner
        yield from _inside(f"{where} (gzip)", inner)
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                inner = archive.read(name)
                yield f"{where}/{name}", name.encode() + b"\n" + inner
                yield from _inside(f"{where}/{name}", inner)
    elif content.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(content))
        yield f"{where} (columns)", _joined(table.to_pylist()) + repr(table.schema).encode()


def _cells(file: Path) -> bytes:
    """Every value of every table, its write-ahead log included; the file itself is not touched."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in (file.name, f"{file.name}-wal"):
            if file.with_name(name).exists():
                shutil.copy(file.with_name(name), scratch)
        with closing(sqlite3.connect(Path(scratch) / file.name)) as db:
            db.text_factory = bytes
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            rows: list[object] = []
            for (name,) in tables:
                rows += db.execute(f'SELECT * FROM "{name.decode()}"').fetchall()
    return _joined(rows)


def _joined(rows: Iterable[object]) -> bytes:
    """Values one after the other; bytes as they are, so that raw secrets stay whole."""
    found = io.BytesIO()
    left = list(rows)[::-1]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += [*value.values()][::-1]
        elif isinstance(value, (list, tuple)):
            left += list(value)[::-1]
        else:
            found.write(value if isinstance(value, bytes) else str(value).encode())
            found.write(b"\n")
    return found.getvalue()
