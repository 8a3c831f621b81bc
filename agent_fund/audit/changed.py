"""What differs between two records, key by key, in words: for whoever resumes another run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent_fund.audit.canonical import JSON, decode
from agent_fund.audit.errors import AuditError

_LONGEST = 60
_DIGEST = 64
_MOST = 4
# Of the genesis record; what they name by digest is kept beside the log.
_BLOBS = ("config", "mandate")
_FILES = {
    "code": "agent-fund's own code",
    "strategy": "the strategy's file",
    "lock": "the lock file",
    "model.cassette": "the cassette",
}


def changed(before: bytes, after: bytes, blob: Callable[[str], bytes | None]) -> str:
    """What of the record ``before`` is otherwise in ``after``, which is to stand in its place.

    Args:
        blob: the body of a digest, if it is known.
    """
    old, new = _record(before), _record(after)
    if old.get("kind") != new.get("kind"):
        return f"it is of kind {new.get('kind')}, and was of kind {old.get('kind')}"
    found = list(_changes(_opened(old, blob), _opened(new, blob), ""))
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def _record(body: bytes) -> dict[str, JSON]:
    try:
        value = decode(body)
    except AuditError:
        value = None
    return value if isinstance(value, dict) else {}


def _opened(record: dict[str, JSON], blob: Callable[[str], bytes | None]) -> dict[str, JSON]:
    """The record with what it names by digest, where that is known."""
    if record.get("kind") != "genesis":
        return record
    found: dict[str, JSON] = dict(record)
    for name in _BLOBS:
        body = blob(str(record.get(name)))
        if body is not None:
            found[name] = dict(_record(body))
    return found


def _changes(old: Any, new: Any, place: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _changes(old.get(key), new.get(key), f"{place}.{key}" if place else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, f"{place}.{number}")
    elif old != new:
        if place in _FILES:
            yield f"{_FILES[place]} is another"
        else:
            yield f"{place.removeprefix('config.')} was {_shown(old)}, and is {_shown(new)}"


def _shown(value: object) -> str:
    if value is None:
        return "absent"
    text = str(value)
    if len(text) == _DIGEST and not set(text) - set("0123456789abcdef"):
        return f"{text[:12]}…"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
