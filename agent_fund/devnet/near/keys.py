"""Keys of the devnet, derived from names; worth nothing."""

from __future__ import annotations

import hashlib

import base58
from nacl.signing import SigningKey


class DevnetKey:
    """An Ed25519 key that implements the execution layer's signer protocol."""

    def __init__(self, name: str) -> None:
        self._key = SigningKey(hashlib.sha256(name.encode()).digest())

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return bytes(self._key.verify_key)

    @property
    def text(self) -> str:
        """The public key as ``ed25519:…``."""
        return "ed25519:" + base58.b58encode(self.public_key).decode()

    async def sign(self, message: bytes) -> bytes:
        """64 bytes over ``message`` itself."""
        return self.sign_now(message)

    def sign_now(self, message: bytes) -> bytes:
        """As ``sign``, for code that does not wait."""
        return bytes(self._key.sign(message).signature)
