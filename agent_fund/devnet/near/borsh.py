"""Borsh: what a signed NEAR transaction says, read strictly; trailing bytes are an error.

Of the actions, function calls, transfers, and the adding and deleting of keys are known. Source:
nearcore's ``SignedTransaction`` and the Borsh specification, https://borsh.io.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agent_fund.devnet.errors import DevnetError


@dataclass(frozen=True)
class FunctionCall:
    """Call ``method`` with ``args``, ``deposit`` yoctoNEAR attached."""

    method: str
    args: bytes
    gas: int
    deposit: int


@dataclass(frozen=True)
class Transfer:
    """Move ``deposit`` yoctoNEAR."""

    deposit: int


@dataclass(frozen=True)
class AddKey:
    """A full-access Ed25519 key."""

    public_key: bytes


@dataclass(frozen=True)
class DeleteKey:
    """Take a key away."""

    public_key: bytes


Action = FunctionCall | Transfer | AddKey | DeleteKey


@dataclass(frozen=True)
class Transaction:
    """A decoded transaction; ``body`` is what was signed, ``signature`` 64 bytes of Ed25519."""

    signer_id: str
    public_key: bytes
    nonce: int
    receiver_id: str
    block_hash: bytes
    actions: tuple[Action, ...]
    body: bytes
    signature: bytes


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def take(self, length: int) -> bytes:
        part = self.raw[self.at : self.at + length]
        if len(part) != length:
            raise DevnetError("transaction", f"{len(self.raw)} bytes", "it ends too early")
        self.at += length
        return part

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def u64(self) -> int:
        return int(struct.unpack("<Q", self.take(8))[0])

    def u128(self) -> int:
        return int.from_bytes(self.take(16), "little")

    def blob(self) -> bytes:
        return self.take(self.u32())

    def text(self) -> str:
        return self.blob().decode()

    def key(self) -> bytes:
        if self.u8() != 0:
            raise DevnetError("public key", "not Ed25519", "this chain knows Ed25519 keys only")
        return self.take(32)


def decode_transaction(raw: bytes) -> Transaction:
    """What ``raw`` says.

    Raises:
        DevnetError: if it is no signed transaction, or has an action that is not known here.
    """
    reader = _Reader(raw)
    signer_id, public_key, nonce = reader.text(), reader.key(), reader.u64()
    receiver_id, block_hash = reader.text(), reader.take(32)
    actions = tuple(_action(reader) for _ in range(reader.u32()))
    body = raw[: reader.at]
    if reader.u8() != 0:
        raise DevnetError("signature", "not Ed25519", "this chain knows Ed25519 keys only")
    signature = reader.take(64)
    if reader.at != len(raw):
        raise DevnetError("transaction", f"{len(raw) - reader.at} bytes too many", "cut them off")
    return Transaction(
        signer_id, public_key, nonce, receiver_id, block_hash, actions, body, signature
    )


def _action(reader: _Reader) -> Action:
    kind = reader.u8()
    if kind == 2:
        return FunctionCall(reader.text(), reader.blob(), reader.u64(), reader.u128())
    if kind == 3:
        return Transfer(reader.u128())
    if kind == 5:
        key, _, permission = reader.key(), reader.u64(), reader.u8()
        if permission != 1:
            raise DevnetError("access key", permission, "this chain knows full access only")
        return AddKey(key)
    if kind == 6:
        return DeleteKey(reader.key())
    raise DevnetError("action", kind, "this chain knows calls, transfers and keys")
