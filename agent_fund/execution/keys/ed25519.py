"""Ed25519 signers (RFC 8032), as NEAR accounts have them; each signature is verified before use.

Text forms, as NEAR writes them: ``ed25519:`` and base58 of 64 bytes (seed and public key) or of the
32-byte seed alone for a secret, of 32 bytes for a public key.
"""

from __future__ import annotations

import hmac
from typing import Protocol

import base58
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent_fund.execution.keys.errors import KeyRefused, SigningFailed
from agent_fund.execution.keys.secret import Secret

PREFIX = "ed25519:"


class MessageSigner(Protocol):
    """What holds an Ed25519 key."""

    async def sign_message(self, message: bytes) -> bytes:
        """The 64 bytes of the signature over ``message`` itself."""
        ...


class Ed25519Key:
    """An ``Ed25519Signer`` for ``public_key``, the key that ``holder`` has."""

    def __init__(self, public_key: bytes, holder: MessageSigner) -> None:
        self._public_key = public_key
        self._holder = holder

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._public_key

    async def sign(self, message: bytes) -> bytes:
        """The signature over ``message`` itself, not over a hash of it.

        Raises:
            SigningFailed: if no signature of this key over this message comes back.
        """
        signature = await self._holder.sign_message(message)
        try:
            Ed25519PublicKey.from_public_bytes(self._public_key).verify(signature, message)
        except InvalidSignature:
            subject = f"signature for {public_text(self._public_key)}"
            fix = "this signer signs with another key, or something else than it was given"
            raise SigningFailed(subject, f"{len(signature)} bytes", fix) from None
        return signature


class LocalSeed:
    """An Ed25519 seed in this process's memory."""

    __slots__ = ("_seed",)

    def __init__(self, seed: Secret) -> None:
        self._seed = seed

    async def sign_message(self, message: bytes) -> bytes:
        """The signature over ``message``."""
        return Ed25519PrivateKey.from_private_bytes(self._seed.reveal()).sign(message)


def local_ed25519(secret: Secret, source: str) -> Ed25519Key:
    """A signer over a seed of 32 bytes, or over 64 bytes of seed and public key.

    Raises:
        KeyRefused: for another length, or if the public half is not that of the seed.
    """
    subject = f"Ed25519 key from {source}"
    if len(secret) not in (32, 64):
        fix = "ed25519: and base58 of 32 or 64 bytes are due, as near-cli writes them"
        raise KeyRefused(subject, f"{len(secret)} bytes", fix)
    seed = Secret(secret.reveal()[:32])
    public = public_of(seed)
    if len(secret) == 64 and not hmac.compare_digest(secret.reveal()[32:], public):
        fix = "the second half must be the public key of the first: export the key again"
        raise KeyRefused(subject, "two halves that do not belong together", fix)
    return Ed25519Key(public, LocalSeed(seed))


def public_of(seed: Secret) -> bytes:
    """The public key of a 32-byte seed."""
    public = Ed25519PrivateKey.from_private_bytes(seed.reveal()).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_text(public_key: bytes) -> str:
    """A public key as NEAR writes it."""
    return PREFIX + base58.b58encode(public_key).decode()


def parsed_public(text: str) -> bytes | None:
    """The 32 bytes of a public key written as ``ed25519:…``, or None if it is none."""
    try:
        found = base58.b58decode(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else b""
    except ValueError:
        return None
    return found if len(found) == 32 else None


def require_public(signer: Ed25519Key, stated: str | None, source: str) -> Ed25519Key:
    """``signer``, if its public key is the one stated.

    Raises:
        KeyRefused: if it is another.
    """
    found = public_text(signer.public_key)
    if stated is not None and stated != found:
        fix = f"{source} holds the key of {found}: correct the one or the other"
        raise KeyRefused("public key in the run file", stated, fix)
    return signer
