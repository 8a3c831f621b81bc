"""Receipts as a node states them, read strictly into ints, bytes and lower-case hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from agent_fund.execution.evm.abi import topic

_TRANSFER = topic("Transfer(address,address,uint256)")


@dataclass(frozen=True)
class Log:
    """An event: ``topics`` as 0x… in lower case, ``index`` its number in the block."""

    address: str
    topics: tuple[str, ...]
    data: bytes
    index: int

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Log:
        """A log as receipts and ``eth_getLogs`` state it."""
        return cls(
            to_checksum_address(answer["address"]),
            tuple(str(one).lower() for one in answer["topics"]),
            bytes.fromhex(answer["data"][2:]),
            int(answer["logIndex"], 16),
        )


@dataclass(frozen=True)
class TokenTransfer:
    """An ERC-20 Transfer: ``amount`` of the token's own units; ``index`` as in Log."""

    token: str
    source: str
    target: str
    amount: int
    index: int


@dataclass(frozen=True)
class Receipt:
    """A mined transaction.

    Attributes:
        ok: False if it reverted: then nothing moved but the gas.
        cost: wei that its gas cost, gasUsed times effectiveGasPrice.
    """

    hash: str
    block: int
    ok: bool
    cost: int
    logs: tuple[Log, ...]

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Receipt:
        """The receipt in the answer of ``eth_getTransactionReceipt``."""
        logs = tuple(Log.read(log) for log in answer["logs"])
        cost = int(answer["gasUsed"], 16) * int(answer["effectiveGasPrice"], 16)
        return cls(
            str(answer["transactionHash"]).lower(),
            int(answer["blockNumber"], 16),
            int(answer["status"], 16) == 1,
            cost,
            logs,
        )

    def transfers(self) -> tuple[TokenTransfer, ...]:
        """Its ERC-20 Transfers (EIP-20), in the order of the logs."""
        return tuple(
            TokenTransfer(
                log.address,
                to_checksum_address("0x" + log.topics[1][-40:]),
                to_checksum_address("0x" + log.topics[2][-40:]),
                int.from_bytes(log.data, "big"),
                log.index,
            )
            for log in self.logs
            # An NFT's Transfer has the same signature, but four topics and no data.
            if log.topics[:1] == (_TRANSFER,) and len(log.topics) == 3 and len(log.data) == 32
        )
