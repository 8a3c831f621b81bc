"""Private keys as people write them, read into a ``Secret``; what cannot be read is None.

Nothing here raises over a value, because an exception's frames would hold it: the caller, who has
the ``Secret`` alone, does.
"""

from __future__ import annotations

import re

import base58

from agent_fund.execution.keys.ed25519 import PREFIX
from agent_fund.execution.keys.secret import Secret

_HEX_KEY = re.compile(rb"(?:0x)?([0-9a-fA-F]{64})")


def read_evm(text: Secret) -> Secret | None:
    """32 bytes written as 64 hexadecimal digits, with or without 0x."""
    found = _HEX_KEY.fullmatch(text.reveal())
    return None if found is None else Secret(bytes.fromhex(found[1].decode()))


def read_ed25519(text: Secret) -> Secret | None:
    """32 or 64 bytes written as ``ed25519:`` and base58, or 32 as 64 hexadecimal digits."""
    if text.reveal().startswith(PREFIX.encode()):
        try:
            found = Secret(base58.b58decode(text.reveal()[len(PREFIX) :]))
        except ValueError:
            return None
        return found if len(found) in (32, 64) else None
    return read_evm(text)
