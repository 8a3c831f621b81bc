"""Who signed an action at Hyperliquid: the "phantom agent" over the action's hash, and its nonce.

The hash is Keccak-256 over MessagePack of the action, the nonce (8 bytes, big endian), a byte for
the vault address, and the expiry if there is one. The key signs EIP-712 data ``Agent`` with that
hash as ``connectionId``. Source: Hyperliquid's "Signing" and "Nonces and API wallets" pages.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.devnet.exchange.msgpack import packed

DAY_MS = 86_400_000
KEPT_NONCES = 100
MAINNET = "a"


def action_hash(action: Mapping[str, Any], nonce: int, expires_after: int | None) -> bytes:
    """The 32 bytes that the phantom agent stands for; no vault."""
    content = packed(dict(action)) + nonce.to_bytes(8, "big") + b"\x00"
    if expires_after is not None:
        content += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak(content)


def signer_of(hashed: bytes, signature: Mapping[str, Any]) -> str:
    """The checksum address that signed; whoever that is."""
    message = {
        "domain": {
            "name": "Exchange",
            "version": "1",
            "chainId": 1337,
            "verifyingContract": "0x0000000000000000000000000000000000000000",
        },
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Agent": [
                {"name": "source", "type": "string"},
                {"name": "connectionId", "type": "bytes32"},
            ],
        },
        "primaryType": "Agent",
        "message": {"source": MAINNET, "connectionId": hashed},
    }
    vrs = (signature["v"], signature["r"], signature["s"])
    signed_by: str = Account.recover_message(encode_typed_data(full_message=message), vrs=vrs)
    return signed_by


class Nonces:
    """The nonces of one signer: each works once, and exceeds the smallest of the last hundred."""

    def __init__(self) -> None:
        self._highest: list[int] = []

    def use(self, nonce: int, now: int) -> str | None:
        """Take ``nonce``; what is wrong with it, or None."""
        if not now - 2 * DAY_MS < nonce < now + DAY_MS:
            return f"Invalid nonce: {nonce} is too far from {now}"
        if nonce in self._highest:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if len(self._highest) == KEPT_NONCES and nonce < self._highest[0]:
            return f"Invalid nonce: {nonce} is below {self._highest[0]}"
        heapq.heappush(self._highest, nonce)
        if len(self._highest) > KEPT_NONCES:
            heapq.heappop(self._highest)
        return None
