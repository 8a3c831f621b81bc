"""Signers: the only door to a private key; what is behind it, no caller can know or print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class SignedTransaction:
    """A transaction of an EVM chain as it goes on the wire, and its hash (0x…, lower case)."""

    raw: bytes
    hash: str


class EvmSigner(Protocol):
    """Signs for one EVM address."""

    @property
    def address(self) -> str:
        """The EIP-55 checksum address."""
        ...

    async def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign a complete EIP-1559 transaction (chainId, nonce, gas and fees stated)."""
        ...

    async def sign_typed_data(self, full_message: Mapping[str, Any]) -> bytes:
        """Sign EIP-712 data (``types``, ``primaryType``, ``domain``, ``message``): 65 bytes rsv."""
        ...


class Ed25519Signer(Protocol):
    """Signs with one Ed25519 key, as NEAR accounts have them."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature over ``message`` itself, not over a hash of it."""
        ...


class ApiCredentials(Protocol):
    """Key and secret of an account at an exchange; they go into request headers and MACs only."""

    @property
    def key(self) -> str:
        """The public part."""
        ...

    def reveal(self) -> str:
        """The secret part; handed to the client library and to nothing else."""
        ...
