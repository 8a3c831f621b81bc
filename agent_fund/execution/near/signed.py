"""Signed intents: what an account wants to happen, in the two standards that Ed25519 keys use.

``raw_ed25519`` signs the payload's text itself, ``nep413`` a NEP-413 message. Each payload holds
each intent once. The intent hash is the contract's own: SHA-256 of the text, or the NEP-413 digest.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.signing import Ed25519Signer
from agent_fund.execution.near import nep413
from agent_fund.execution.near.encoding import base58_text, ed25519_text

STANDARDS = ("raw_ed25519", "nep413")


@dataclass(frozen=True)
class SignedIntents:
    """One signed payload: the JSON object that the contract and the relay take, and its hash."""

    body: Mapping[str, Any]
    intent_hash: str


def token_diff(diff: Mapping[str, int]) -> dict[str, Any]:
    """The intent that changes the signer's balances by exactly ``diff`` (token id to units).

    Raises:
        ExecutionError: if it is empty or has a zero, both of which the contract refuses.
    """
    if not diff or 0 in diff.values():
        raise ExecutionError("token_diff", dict(diff), "give each token an amount that is not zero")
    return {"intent": "token_diff", "diff": {token: str(units) for token, units in diff.items()}}


def transfer(receiver_id: str, tokens: Mapping[str, int]) -> dict[str, Any]:
    """The intent that moves ``tokens`` (token id to positive units) inside the contract."""
    if not tokens or min(tokens.values()) <= 0:
        raise ExecutionError("transfer", dict(tokens), "give each token a positive amount")
    return {
        "intent": "transfer",
        "receiver_id": receiver_id,
        "tokens": {token: str(units) for token, units in tokens.items()},
    }


async def sign_intents(
    signer: Ed25519Signer,
    intents: Sequence[Mapping[str, Any]],
    *,
    account_id: str,
    contract_id: str,
    deadline: int,
    nonce: bytes,
    standard: str = "raw_ed25519",
) -> SignedIntents:
    """Sign ``intents``, executed in order and all or none.

    An empty sequence does nothing but use the nonce up, so that no other payload can.

    Args:
        deadline: Unix seconds; the contract refuses it later.
        nonce: 32 bytes, see ``VersionedNonce``.

    Raises:
        ExecutionError: for a standard that is not in ``STANDARDS``.
    """
    moment = datetime.datetime.fromtimestamp(deadline, datetime.UTC)
    until = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    encoded = base64.b64encode(nonce).decode()
    listed = [dict(intent) for intent in intents]
    payload: Any
    if standard == "raw_ed25519":
        payload = _compact(
            {
                "signer_id": account_id,
                "verifying_contract": contract_id,
                "deadline": until,
                "nonce": encoded,
                "intents": listed,
            }
        )
        digest = hashlib.sha256(payload.encode()).digest()
        signature = await signer.sign(payload.encode())
    elif standard == "nep413":
        message = _compact({"signer_id": account_id, "deadline": until, "intents": listed})
        payload = {"message": message, "nonce": encoded, "recipient": contract_id}
        digest = nep413.digest(message, nonce, contract_id)
        signature = await signer.sign(digest)
    else:
        raise ExecutionError("standard", standard, f"write one of {', '.join(STANDARDS)}")
    body = {
        "standard": standard,
        "payload": payload,
        "public_key": ed25519_text(signer.public_key),
        "signature": ed25519_text(signature),
    }
    return SignedIntents(body, base58_text(digest))


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
