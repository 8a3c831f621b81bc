"""What the loopback chain is made of: accounts, blocks, transactions with all that came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_fund.devnet.near.borsh import Transaction
from agent_fund.devnet.near.contract import Contract
from agent_fund.devnet.near.state import State


class InvalidTransaction(Exception):  # noqa: N818 - nearcore's name
    """Refused before it ran; ``kind`` is nearcore's InvalidTxError as JSON."""

    def __init__(self, kind: Any) -> None:
        super().__init__(str(kind))
        self.kind = kind


@dataclass
class Account:
    """Balance in yoctoNEAR, nonces by public key, and a contract if it has one."""

    balance: int
    keys: dict[bytes, int] = field(default_factory=dict)
    contract: Contract | None = None
    state: State = field(default_factory=State)


@dataclass(frozen=True)
class Block:
    """A block, with what it held, and with the state after it.

    Attributes:
        marks: of each account's storage. ``nonces``: of each access key, by account and key.
    """

    height: int
    hash: bytes
    time_ns: int
    transaction: str | None
    marks: Mapping[str, int]
    nonces: Mapping[tuple[str, bytes], int]


@dataclass(frozen=True)
class Outcome:
    """What one receipt did; ``status`` as nearcore writes it."""

    receipt_id: str
    executor: str
    status: Mapping[str, Any]
    logs: tuple[str, ...]
    children: tuple[str, ...]


@dataclass(frozen=True)
class Executed:
    """A transaction with everything that came of it, receipts in order."""

    transaction: Transaction
    hash: str
    height: int
    outcomes: tuple[Outcome, ...]

    @property
    def status(self) -> Mapping[str, Any]:
        """The result of the first receipt."""
        return self.outcomes[0].status
