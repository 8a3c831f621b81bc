"""The chain-signatures contract on the loopback chain: one root key in the place of the network.

``sign`` answers for the caller's own child key only: its account id is part of the derivation.
Own root key, so what it controls is worth nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import base58
from eth_keys.datatypes import PrivateKey, PublicKey

from agent_fund.devnet.near.contract import Call, Contract, Panic

ROOT = PrivateKey(hashlib.sha256(b"the devnet's root key").digest())
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_PREFIX = "near-mpc-recovery v0.1.0 epsilon derivation:"


def chain_signatures() -> Contract:
    """The contract, version of ``payload_v2`` and ``domain_id`` 0 (secp256k1)."""
    return Contract(
        methods={"sign": _sign},
        views={
            "public_key": lambda call, args: _text(ROOT.public_key),
            "derived_public_key": lambda call, args: _text(
                _child(args["predecessor"], args["path"]).public_key
            ),
        },
    )


def _text(key: PublicKey) -> str:
    return "secp256k1:" + base58.b58encode(key.to_bytes()).decode()


def _child(account_id: str, path: str) -> PrivateKey:
    tweak = hashlib.sha3_256(f"{_PREFIX}{account_id},{path}".encode()).digest()
    scalar = int.from_bytes(ROOT.to_bytes(), "big") + int.from_bytes(tweak, "big")
    return PrivateKey((scalar % _ORDER).to_bytes(32, "big"))


def _sign(call: Call, args: Mapping[str, Any]) -> dict[str, Any]:
    if call.deposit < 1:
        raise Panic("Smart contract panicked: Attached deposit is lower than required")
    request = args["request"]
    digest = request.get("payload_v2", {}).get("Ecdsa")
    if digest is None or request.get("domain_id") != 0 or len(digest) != 64:
        raise Panic("Smart contract panicked: Invalid domain or payload")
    made = _child(call.predecessor, request["path"]).sign_msg_hash(bytes.fromhex(digest))
    return {
        "scheme": "Secp256k1",
        "big_r": {"affine_point": f"0{2 + made.v % 2}{made.r:064X}"},
        "s": {"scalar": f"{made.s:064X}"},
        "recovery_id": made.v,
    }
