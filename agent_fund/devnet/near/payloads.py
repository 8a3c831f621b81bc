"""Reading signed intents as the verifier does: hash, signature, and what the payload says.

Written from the contract's behaviour and apart from the client's code, so that the two check each
other. Of the contract's seven standards the two that Ed25519 keys of NEAR use are known.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import base58
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from agent_fund.devnet.near.contract import Panic


@dataclass(frozen=True)
class Payload:
    """One verified payload.

    Attributes:
        public_key: as ``ed25519:`` text.
        deadline_ns: nanoseconds since 1970.
        nonce: 32 bytes.
        intents: JSON objects, not checked yet.
    """

    hash: str
    public_key: str
    signer_id: str
    contract_id: str
    deadline_ns: int
    nonce: bytes
    intents: tuple[Mapping[str, Any], ...]


def read(signed: Mapping[str, Any]) -> Payload:
    """What ``signed`` says, its signature checked first.

    Raises:
        Panic: with the contract's message.
    """
    standard = signed.get("standard")
    payload = signed["payload"]
    if standard == "raw_ed25519":
        message = payload.encode()
        digest = hashlib.sha256(message).digest()
    elif standard == "nep413":
        digest = message = hashlib.sha256(_nep413(payload)).digest()
    else:
        raise Panic(f"unknown variant `{standard}`")
    _verify(signed, message)
    try:
        said = json.loads(payload if standard == "raw_ed25519" else payload["message"])
        nep413 = standard == "nep413"
        return Payload(
            base58.b58encode(digest).decode(),
            signed["public_key"],
            said["signer_id"],
            payload["recipient"] if nep413 else said["verifying_contract"],
            _nanoseconds(said["deadline"]),
            _bytes(payload["nonce"] if nep413 else said["nonce"], 32),
            tuple(said.get("intents", ())),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Panic(f"Smart contract panicked: JSON: {error}") from None


def _verify(signed: Mapping[str, Any], message: bytes) -> None:
    try:
        key = base58.b58decode(signed["public_key"].removeprefix("ed25519:"))
        signature = base58.b58decode(signed["signature"].removeprefix("ed25519:"))
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        raise Panic("Smart contract panicked: invalid signature") from None


def _nep413(payload: Mapping[str, Any]) -> bytes:
    def text(value: str) -> bytes:
        raw = value.encode()
        return len(raw).to_bytes(4, "little") + raw

    back = payload.get("callbackUrl")
    parts = [
        (2**31 + 413).to_bytes(4, "little"),
        text(payload["message"]),
        _bytes(payload["nonce"], 32),
        text(payload["recipient"]),
        b"\0" if back is None else b"\1" + text(back),
    ]
    return b"".join(parts)


def _bytes(text: str, length: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Panic("invalid base64") from None
    if len(raw) != length:
        raise Panic(f"expected {length} bytes")
    return raw


def _nanoseconds(text: str) -> int:
    moment = datetime.datetime.fromisoformat(text)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1_000
