"""Chain signatures: a NEAR account that controls an EVM address through the MPC network's signer.

The child key is ``root + epsilon * G`` on secp256k1, where ``epsilon`` is SHA3-256 of a prefix, the
account and a path; nobody else can ask for its signatures. Source: near/mpc, key derivation v0.1.0,
https://docs.near.org/chain-abstraction/chain-signatures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.signing import SignedTransaction
from agent_fund.execution.near.encoding import base58_bytes
from agent_fund.execution.near.lane import Lane
from agent_fund.execution.near.rpc import NearRpc
from agent_fund.execution.near.transaction import TERA, FunctionCall

_PREFIX = "near-mpc-recovery v0.1.0 epsilon derivation:"
_FIELD = 2**256 - 2**32 - 977
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_CURVE = "secp256k1:"


def epsilon(account_id: str, path: str) -> bytes:
    """The 32 bytes that lead from the root key to the child key of ``account_id`` and ``path``."""
    return hashlib.sha3_256(f"{_PREFIX}{account_id},{path}".encode()).digest()


def child_public_key(root: str, account_id: str, path: str) -> bytes:
    """The 64 bytes (x, y) of the child key.

    Args:
        root: the signer's root key, ``secp256k1:`` and base58 of 64 bytes.

    Raises:
        ExecutionError: if ``root`` is no such key.
    """
    raw = base58_bytes(root.removeprefix(_CURVE))
    if not root.startswith(_CURVE) or len(raw) != 64:
        raise ExecutionError("root key", root, "it is secp256k1: and base58 of 64 bytes")
    tweak = PrivateKey(epsilon(account_id, path)).public_key.to_bytes()
    (x1, y1), (x2, y2) = _point(raw), _point(tweak)
    if x1 == x2:
        raise ExecutionError("root key", root, "it is the epsilon's own point; no root key is")
    slope = (y2 - y1) * pow(x2 - x1, -1, _FIELD) % _FIELD
    x = (slope * slope - x1 - x2) % _FIELD
    y = (slope * (x1 - x) - y1) % _FIELD
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def evm_address(public_key: bytes) -> str:
    """The EIP-55 checksum address of a key's 64 bytes."""
    return to_checksum_address(keccak(public_key)[-20:])


class ChainSignatureSigner:
    """Signs for one EVM address by asking the signer contract; implements ``EvmSigner``.

    Each signature is a NEAR transaction in ``lane``. It is used only if it recovers to the
    address. Asking twice for one transaction may give two signatures, so two hashes; they share
    the EVM nonce, and at most one is mined.
    """

    def __init__(self, lane: Lane, root: str, path: str, *, contract_id: str = "v1.signer") -> None:
        self._lane, self._path, self._contract_id = lane, path, contract_id
        self._address = evm_address(child_public_key(root, lane.account_id, path))

    @classmethod
    async def connect(
        cls, rpc: NearRpc, lane: Lane, path: str, *, contract_id: str = "v1.signer"
    ) -> ChainSignatureSigner:
        """A signer with the root key that the contract itself states."""
        root = await rpc.view(contract_id, "public_key", {"domain_id": 0})
        return cls(lane, root, path, contract_id=contract_id)

    @property
    def address(self) -> str:
        """The EIP-55 checksum address."""
        return self._address

    async def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign a complete EIP-1559 transaction.

        Raises:
            NearUnreachable: if no signature came; nothing has been sent to the EVM chain.
            NearRefused: if the contract refuses. ExecutionError: for a wrong signature.
        """
        said = {name: value for name, value in transaction.items() if name != "from"}
        digest = bytes(TypedTransaction.from_dict({"type": 2, **said}).hash())
        recovery, r, s = await self._signature(digest)
        signed = {"type": 2, **said, "v": recovery, "r": r, "s": s}
        raw = bytes(TypedTransaction.from_dict(signed).encode())
        return SignedTransaction(raw, "0x" + keccak(raw).hex())

    async def sign_typed_data(self, full_message: Mapping[str, Any]) -> bytes:
        """Sign EIP-712 data: r, s and v (27 or 28), 65 bytes."""
        message = encode_typed_data(full_message=dict(full_message))
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        recovery, r, s = await self._signature(digest)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + recovery])

    async def _signature(self, digest: bytes) -> tuple[int, int, int]:
        request = {"payload_v2": {"Ecdsa": digest.hex()}, "path": self._path, "domain_id": 0}
        call = FunctionCall(self._contract_id, "sign", {"request": request}, 30 * TERA, 1)
        result = await self._lane.run(call)
        try:
            answer = json.loads(result.value or b"")
            r = int(answer["big_r"]["affine_point"][2:], 16)
            s, recovery = int(answer["s"]["scalar"], 16), int(answer["recovery_id"])
        except (ValueError, KeyError, TypeError):
            raise ExecutionError("signature", result.value, "the signer's answer is new") from None
        if s > _ORDER // 2:  # EIP-2: chains take the lower of the two
            s, recovery = _ORDER - s, recovery ^ 1
        if self._recovered(digest, recovery, r, s) != self._address:
            raise ExecutionError(
                f"signature of {self._contract_id}", self._address, "it is of another key"
            )
        return recovery, r, s

    @staticmethod
    def _recovered(digest: bytes, recovery: int, r: int, s: int) -> str:
        try:
            key = Signature(vrs=(recovery, r, s)).recover_public_key_from_msg_hash(digest)
        except (BadSignature, ValidationError):
            return ""
        return evm_address(key.to_bytes())


def _point(raw: bytes) -> tuple[int, int]:
    return int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
