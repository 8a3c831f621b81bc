"""NEP-413: the digest that a NEAR wallet signs for a message off chain.

SHA-256 of the Borsh form of (tag, message, nonce, recipient, callbackUrl or none); the tag is
2**31 + 413, which no transaction can begin with. Source: NEP-413 of the NEAR Enhancement
Proposals, https://github.com/near/NEPs/blob/master/neps/nep-0413.md.
"""

from __future__ import annotations

import hashlib
import struct

from agent_fund.execution.errors import ExecutionError

TAG = 2**31 + 413


def digest(message: str, nonce: bytes, recipient: str, callback_url: str | None = None) -> bytes:
    """The 32 bytes to sign.

    Raises:
        ExecutionError: unless the nonce has 32 bytes.
    """
    if len(nonce) != 32:
        raise ExecutionError("NEP-413 nonce", nonce.hex(), "a nonce has 32 bytes")
    body = struct.pack("<I", TAG) + _string(message) + nonce + _string(recipient)
    body += b"\0" if callback_url is None else b"\1" + _string(callback_url)
    return hashlib.sha256(body).digest()


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw
