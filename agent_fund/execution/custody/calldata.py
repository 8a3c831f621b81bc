"""Calldata: what a call says, checked because no balance afterwards shows all that it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eth_utils.crypto import keccak

from agent_fund.execution.errors import ExecutionError


class Calldata(Protocol):
    """The calldata that a cover allows."""

    def require(self, data: bytes) -> None:
        """Refuse any other.

        Raises:
            ExecutionError: with what it says and should not.
        """
        ...


@dataclass(frozen=True)
class Exactly:
    """The very bytes whose keccak256 is ``hash``; the guard's side has made them itself."""

    hash: bytes

    @classmethod
    def these(cls, data: bytes) -> Exactly:
        """``data`` and nothing else."""
        return cls(keccak(data))

    def require(self, data: bytes) -> None:
        """Refuse other bytes."""
        found = keccak(data)
        if found != self.hash:
            raise ExecutionError("calldata", found.hex(), f"its hash must be {self.hash.hex()}")
