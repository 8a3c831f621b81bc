"""Text forms of NEAR: keys and signatures are ``ed25519:`` and base58, hashes plain base58."""

from __future__ import annotations

import base58

from agent_fund.execution.errors import ExecutionError

_PREFIX = "ed25519:"


def ed25519_text(raw: bytes) -> str:
    """``ed25519:…`` for the bytes of a public key (32) or a signature (64)."""
    return _PREFIX + base58_text(raw)


def ed25519_bytes(text: str, length: int) -> bytes:
    """The ``length`` bytes of a key or signature.

    Raises:
        ExecutionError: if it is none.
    """
    if not text.startswith(_PREFIX):
        raise ExecutionError("ed25519 text", text, "it starts with ed25519:")
    raw = base58_bytes(text.removeprefix(_PREFIX))
    if len(raw) != length:
        raise ExecutionError("ed25519 text", text, f"it holds {length} bytes")
    return raw


def base58_text(raw: bytes) -> str:
    """``raw`` in base58, the Bitcoin alphabet."""
    return base58.b58encode(raw).decode()


def base58_bytes(text: str) -> bytes:
    """The bytes of a base58 text.

    Raises:
        ExecutionError: for a character that base58 does not have.
    """
    try:
        return base58.b58decode(text)
    except ValueError:
        raise ExecutionError("base58 text", text, "write base58, the Bitcoin alphabet") from None
