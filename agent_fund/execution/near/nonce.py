"""The versioned nonce of an intent: a salt that can be rotated, a deadline, and 15 random bytes.

Layout, 32 bytes: ``5628f6c6 | 00 | salt (4) | deadline, ns since 1970 as int64 LE (8) | random
(15)``. After the deadline, or once the salt is invalidated, the nonce can never be used. The
magic is the head of SHA-256 of ``versioned_nonce``; anything else is a legacy nonce without a
deadline, which this package does not write.

Source: the ``VersionedNonce`` of the NEAR Intents verifier, version 0.4.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agent_fund.execution.errors import ExecutionError

MAGIC = bytes.fromhex("5628f6c6")
VERSION = 0
RANDOM_BYTES = 15
_LAYOUT = struct.Struct("<4sB4sq15s")


@dataclass(frozen=True)
class VersionedNonce:
    """What a nonce says.

    Attributes:
        salt: 4 bytes, valid in the contract now.
        deadline_ns: nanoseconds since 1970; the intent's own deadline must not be later.
        random: 15 bytes that make it unique.
    """

    salt: bytes
    deadline_ns: int
    random: bytes

    def __post_init__(self) -> None:
        if len(self.salt) != 4:
            raise ExecutionError("salt", self.salt.hex(), "a salt has 4 bytes")
        if len(self.random) != RANDOM_BYTES:
            raise ExecutionError("random part of a nonce", len(self.random), "give 15 bytes")
        if not 0 <= self.deadline_ns < 2**63:
            raise ExecutionError("deadline of a nonce", self.deadline_ns, "it is an int64 of ns")

    def encode(self) -> bytes:
        """The 32 bytes."""
        return _LAYOUT.pack(MAGIC, VERSION, self.salt, self.deadline_ns, self.random)

    @classmethod
    def parse(cls, nonce: bytes) -> VersionedNonce | None:
        """What ``nonce`` says, or None for a legacy nonce.

        Raises:
            ExecutionError: unless it has 32 bytes.
        """
        if len(nonce) != _LAYOUT.size:
            raise ExecutionError("nonce", nonce.hex(), "a nonce has 32 bytes")
        magic, version, salt, deadline_ns, random = _LAYOUT.unpack(nonce)
        if magic != MAGIC or version != VERSION:
            return None
        return cls(salt, deadline_ns, random)
