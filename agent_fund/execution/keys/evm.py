"""EVM signers: EIP-1559 transactions and EIP-712 data, each signature checked before it is used.

Whoever holds the key signs one payload, under keccak256; here the payload is made, and here the
signer is recovered from what comes back. So a key in this process and one in a service go the same
way, a service sees exactly what is signed, and a wrong or foreign signature never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import rlp  # type: ignore[import-untyped]
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.keys.errors import KeyRefused, SigningFailed
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.signing import SignedTransaction

# Order of the group of secp256k1 (SEC 2, 2.4.1).
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "value")
_FIELDS = frozenset({*_NUMBERS, "to", "data", "accessList", "type", "from"})
_TYPE = 2


class PayloadSigner(Protocol):
    """What holds a secp256k1 key."""

    async def sign_payload(self, payload: bytes) -> bytes:
        """r, s and v (27 or 28), 65 bytes, over the keccak256 of ``payload``."""
        ...


class EvmKey:
    """An ``EvmSigner`` for ``address``.

    Args:
        address: EIP-55 checksum address of the key that ``holder`` has.
    """

    def __init__(self, address: str, holder: PayloadSigner) -> None:
        self._address = address
        self._holder = holder

    @property
    def address(self) -> str:
        """The EIP-55 checksum address."""
        return self._address

    async def sign_transaction(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign a complete EIP-1559 transaction.

        Args:
            transaction: chainId, nonce, maxPriorityFeePerGas, maxFeePerGas, gas, value as ints;
                ``to`` (left out or empty to create a contract), ``data`` (bytes or 0x…); ``type``
                may say 2, ``accessList`` may be empty, ``from`` may be this address.

        Raises:
            SigningFailed: if it is not such a transaction, or no right signature comes back.
        """
        fields = self._fields(transaction)
        payload = bytes([_TYPE]) + _encoded(fields)
        r, s, parity = await self._signed(payload, "transaction")
        raw = bytes([_TYPE]) + _encoded([*fields, parity, r, s])
        return SignedTransaction(raw, "0x" + keccak(raw).hex())

    async def sign_typed_data(self, full_message: Mapping[str, Any]) -> bytes:
        """Sign EIP-712 data: 65 bytes r, s, v, with v 27 or 28.

        Raises:
            SigningFailed: if it is no such data, or no right signature comes back.
        """
        try:
            data = encode_typed_data(full_message=dict(full_message))
        except (ValidationError, ValueError, TypeError, KeyError) as error:
            fix = "state types, primaryType, domain and message as EIP-712 has them"
            raise SigningFailed("typed data", str(error), fix) from error
        payload = b"\x19" + data.version + data.header + data.body
        r, s, parity = await self._signed(payload, "typed data")
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + parity])

    async def _signed(self, payload: bytes, what: str) -> tuple[int, int, int]:
        """r, s and the parity of y, once the signature is known to be this address's."""
        subject = f"signature of a {what} for {self._address}"
        found = await self._holder.sign_payload(payload)
        if len(found) != 65 or found[64] not in (27, 28):
            raise SigningFailed(subject, f"{len(found)} bytes", "r, s and v of 27 or 28 are due")
        r, s = int.from_bytes(found[:32], "big"), int.from_bytes(found[32:64], "big")
        # EIP-2: the other s would be as valid in mathematics, and refused by chains.
        if not (0 < r < ORDER and 0 < s <= ORDER // 2):
            raise SigningFailed(subject, "r or s out of range", "the signer must keep EIP-2")
        parity = found[64] - 27
        try:
            signature = Signature(vrs=(parity, r, s))
            signer = signature.recover_public_key_from_msg_hash(keccak(payload))
        except BadSignature:
            raise SigningFailed(subject, "no signature", "the signer must be repaired") from None
        recovered = signer.to_checksum_address()
        if recovered != self._address:
            fix = "this signer signs with another key, or something else than it was given"
            raise SigningFailed(subject, recovered, fix)
        return r, s, parity

    def _fields(self, transaction: Mapping[str, Any]) -> list[Any]:
        """What EIP-1559 signs, in its order."""
        unknown = sorted(set(transaction) - _FIELDS)
        if unknown:
            raise SigningFailed("transaction", unknown, f"the fields are {sorted(_FIELDS)}")
        for name in _NUMBERS:
            value = transaction.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise SigningFailed(f"transaction: {name}", value, "state it as an int, 0 or more")
        if transaction.get("type", _TYPE) not in (_TYPE, "0x2"):
            raise SigningFailed("transaction: type", transaction["type"], "only type 2 is signed")
        if transaction.get("accessList"):
            raise SigningFailed("transaction: accessList", "entries", "leave it out, or empty")
        sender = transaction.get("from", self._address)
        if sender != self._address:
            raise SigningFailed("transaction: from", sender, f"this key is {self._address}")
        numbers = [transaction[name] for name in _NUMBERS[:-1]]
        try:
            to = to_canonical_address(transaction["to"]) if transaction.get("to") else b""
            data = _bytes(transaction.get("data", b""))
        except (ValueError, TypeError) as error:
            fix = "state to as a 20-byte address and data as bytes or 0x…"
            raise SigningFailed("transaction: to, data", str(error), fix) from error
        return [*numbers, to, transaction["value"], data, []]


class LocalKey:
    """A secp256k1 private key in this process's memory."""

    __slots__ = ("_secret",)

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def sign_payload(self, payload: bytes) -> bytes:
        """Deterministic ECDSA (RFC 6979) over the keccak256 of ``payload``."""
        signature = PrivateKey(self._secret.reveal()).sign_msg_hash(keccak(payload))
        found = signature.to_bytes()
        return found[:64] + bytes([27 + found[64]])


def local_evm(secret: Secret, source: str) -> EvmKey:
    """A signer over 32 bytes of private key.

    Raises:
        KeyRefused: if they are no secp256k1 private key; ``source`` says where they came from.
    """
    address = address_of(secret)
    if address is None:
        fix = "32 bytes are due, 0x and 64 hexadecimal digits, from 1 to the curve's order"
        raise KeyRefused(f"EVM key from {source}", f"{len(secret)} bytes that are none", fix)
    return EvmKey(address, LocalKey(secret))


def address_of(secret: Secret) -> str | None:
    """The checksum address of a private key, or None if it is none."""
    if len(secret) != 32 or not 0 < int.from_bytes(secret.reveal(), "big") < ORDER:
        return None
    return PrivateKey(secret.reveal()).public_key.to_checksum_address()


def require_address(signer: EvmKey, stated: str | None, source: str) -> EvmKey:
    """``signer``, if its address is the one stated, in whatever case.

    Raises:
        KeyRefused: if it is another.
    """
    if stated is not None and stated.lower() != signer.address.lower():
        fix = f"{source} holds the key of {signer.address}: correct the one or the other"
        raise KeyRefused("address in the run file", stated, fix)
    return signer


def checksum(text: str) -> str | None:
    """The checksum form of an address, or None if ``text`` is none."""
    try:
        return to_checksum_address(text)
    except (ValueError, TypeError):
        return None


def _encoded(fields: list[Any]) -> bytes:
    return bytes(rlp.encode(fields))


def _bytes(data: object) -> bytes:
    if isinstance(data, str):
        if not data.startswith("0x"):
            raise ValueError("data as text begins with 0x")
        return bytes.fromhex(data[2:])
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    raise TypeError(f"data is {type(data).__name__}")
