"""One JSON value has one encoding: RFC 8785 (JCS) without floats, read back strictly.

``encode`` and ``decode`` are inverse: ``encode(decode(data)) == data`` for all bytes that
``decode`` takes, and ``decode(encode(value)) == value`` (tuples come back as lists). Numbers that
need more than an integer of 53 bits are written as decimal strings by the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import rfc8785

from agent_fund.audit.errors import AuditError

JSON: TypeAlias = bool | int | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
"""What can be encoded: None, bool, int, str, list or tuple, dict with str keys."""

MAX_INT = 2**53 - 1
"""Largest magnitude of an integer (RFC 7493, section 2.2)."""

MAX_LEAF = 8192
"""Largest leaf of a log, in bytes; larger things lie beside it as blobs."""

MAX_DEPTH = 64
"""Deepest nesting of lists and dicts."""

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def encode(value: JSON) -> bytes:
    """The RFC 8785 bytes of ``value``.

    Raises:
        AuditError: for a float, an integer beyond ±(2^53-1), a key that is not a str, a lone
            surrogate, nesting deeper than ``MAX_DEPTH``, or any type that is not JSON.
    """
    ascii_keys = _all_plain(value, MAX_DEPTH)
    if ascii_keys is None:
        _refuse(value, "$", MAX_DEPTH)
    # The package's stub asks for invariant lists and dicts; the types were checked above.
    checked: Any = value
    try:
        if ascii_keys:
            # Without floats, and with keys whose code points sort as UTF-16 does, the standard
            # encoder writes RFC 8785, thirty times faster; a property test compares the two.
            return _ENCODER.encode(checked).encode()
        return rfc8785.dumps(checked)
    except UnicodeEncodeError as error:
        raise AuditError("JSON key", error.object, "write well-formed Unicode") from error
    except rfc8785.CanonicalizationError as error:
        raise AuditError("JSON value", value, f"make it canonical: {error}") from error


def decode(data: bytes) -> JSON:
    """The value whose encoding is exactly ``data``.

    Raises:
        AuditError: if ``data`` is not UTF-8 JSON, repeats a key, holds a float, or is written in
            any way but the canonical one.
    """
    try:
        value: JSON = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
        )
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AuditError("JSON text", data, f"write one UTF-8 JSON value: {error}") from error
    except RecursionError as error:
        raise AuditError("JSON text", data, f"nest at most {MAX_DEPTH} deep") from error
    if encode(value) != data:
        raise AuditError("JSON text", data, "write it as RFC 8785 does, byte for byte")
    return value


def sha256_hex(data: bytes) -> str:
    """The SHA-256 digest of ``data`` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _all_plain(value: object, depth: int) -> bool | None:
    """Whether every key is ASCII; None if something is not JSON without floats."""
    # Exact types: a bool is not an int, and an enum or a subclass of str is not plain JSON.
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if type(value) is int:
        return True if -MAX_INT <= value <= MAX_INT else None
    if depth == 0:
        return None
    ascii_keys = True
    if isinstance(value, (list, tuple)) and kind in (list, tuple):
        for item in value:
            inner = _all_plain(item, depth - 1)
            if inner is None:
                return None
            ascii_keys &= inner
    elif isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            inner = _all_plain(item, depth - 1) if type(key) is str else None
            if inner is None:
                return None
            ascii_keys &= inner and key.isascii()
    else:
        return None
    return ascii_keys


def _refuse(value: object, where: str, depth: int) -> None:
    """Raise AuditError for the first thing in ``value`` that is not JSON without floats."""
    kind = type(value)
    if isinstance(value, float):
        raise AuditError(where, value, "write it as a decimal string; floats are not exact")
    if type(value) is int and not -MAX_INT <= value <= MAX_INT:
        raise AuditError(where, value, "write integers beyond 2^53-1 as decimal strings")
    if kind in (str, bool, int) or value is None:
        return
    if kind not in (list, tuple, dict):
        raise AuditError(where, value, "write None, bool, int, str, list or dict")
    if depth == 0:
        raise AuditError(where, kind.__name__, f"nest at most {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                raise AuditError(f"key in {where}", key, "write keys as str")
            _refuse(item, f"{where}.{key}", depth - 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse(item, f"{where}[{index}]", depth - 1)


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for key, value in pairs:
        if key in found:
            raise AuditError("JSON key", key, "write each key once")
        found[key] = value
    return found


def _integer(text: str) -> int:
    # Longer text is out of range in any case, and int() refuses thousands of digits by itself.
    if len(text) > len(str(-MAX_INT)):
        raise AuditError("JSON number", text, "write integers beyond 2^53-1 as decimal strings")
    return int(text)


def _refuse_float(text: str) -> NoReturn:
    raise AuditError("JSON number", text, "write it as a decimal string; floats are not exact")
