"""A NEAR transaction that calls one contract method, in Borsh, signed once.

The hash is SHA-256 of the unsigned form, in base58; it is known before anything is sent. Source:
nearcore's ``Transaction``; the Borsh form is the one of py_near_primitives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import py_near_primitives as primitives  # type: ignore[import-untyped]

from agent_fund.execution.live.signing import Ed25519Signer
from agent_fund.execution.near.encoding import base58_text

TERA = 10**12
_ED25519 = b"\0"


@dataclass(frozen=True)
class FunctionCall:
    """A call of ``method`` of the contract ``receiver``.

    Attributes:
        args: the JSON object of its arguments.
        gas: gas units, 300 Tgas at most.
        deposit: yoctoNEAR attached.
    """

    receiver: str
    method: str
    args: Mapping[str, Any]
    gas: int = 100 * TERA
    deposit: int = 0


@dataclass(frozen=True)
class NearTransaction:
    """Signed bytes, the hash by which the chain knows them, and the key's nonce that they use."""

    raw: bytes
    hash: str
    nonce: int

    @property
    def block_hash(self) -> bytes:
        """The final block at which it was signed: there its nonce was still unused."""
        # signer, public key (its kind, 32 bytes), nonce (8 bytes), receiver, hash; texts in Borsh
        # are their length (4 bytes) and their bytes.
        at = 4 + int.from_bytes(self.raw[:4], "little") + 33 + 8
        at += 4 + int.from_bytes(self.raw[at : at + 4], "little")
        return self.raw[at : at + 32]


async def sign_call(
    signer: Ed25519Signer, account_id: str, call: FunctionCall, nonce: int, block_hash: bytes
) -> NearTransaction:
    """Sign ``call`` for ``account_id``; valid for about a day after the block of ``block_hash``."""
    args = json.dumps(dict(call.args), separators=(",", ":")).encode()
    action = primitives.FunctionCallAction(call.method, args, call.gas, call.deposit)
    made = primitives.Transaction(
        account_id, signer.public_key, nonce, call.receiver, block_hash, [action]
    )
    body = bytes(bytearray(made.serialize()))
    digest = hashlib.sha256(body).digest()
    signature = await signer.sign(digest)
    return NearTransaction(body + _ED25519 + signature, base58_text(digest), nonce)
