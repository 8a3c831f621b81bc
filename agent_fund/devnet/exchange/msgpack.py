"""MessagePack encoding of plain JSON values, as far as signed actions need it.

Source: the MessagePack specification; maps keep their order, integers take their shortest form.
"""

from __future__ import annotations

import struct
from typing import Any

_Forms = tuple[tuple[int, bytes, str], ...]
_INTEGERS: _Forms = (
    (1 << 7, b"", "B"),
    (1 << 8, b"\xcc", "B"),
    (1 << 16, b"\xcd", ">H"),
    (1 << 32, b"\xce", ">I"),
    (1 << 64, b"\xcf", ">Q"),
)


def packed(value: Any) -> bytes:
    """``value`` (None, bool, non-negative int, str, list, dict) in MessagePack.

    Raises:
        TypeError: for anything else.
    """
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int() if value >= 0:
            lead, form = next((lead, form) for end, lead, form in _INTEGERS if value < end)
            return lead + struct.pack(form, value)
        case str():
            raw = value.encode()
            return _head(len(raw), 0xA0, 32, (b"\xd9", b"\xda", b"\xdb")) + raw
        case list():
            head = _head(len(value), 0x90, 16, (b"", b"\xdc", b"\xdd"))
            return head + b"".join(packed(item) for item in value)
        case dict():
            head = _head(len(value), 0x80, 16, (b"", b"\xde", b"\xdf"))
            return head + b"".join(packed(key) + packed(item) for key, item in value.items())
    raise TypeError(f"{type(value).__name__} has no MessagePack form here")


def _head(size: int, short: int, limit: int, leads: tuple[bytes, bytes, bytes]) -> bytes:
    if size < limit:
        return bytes([short | size])
    one, two, four = leads
    if one and size < 1 << 8:
        return one + bytes([size])
    if size < 1 << 16:
        return two + struct.pack(">H", size)
    return four + struct.pack(">I", size)
