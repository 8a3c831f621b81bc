"""Event: a contract's event as its interface states it, decoded strictly; and where one was found.

Source: Solidity ABI, "Events". Only events whose indexed parameters are value types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from agent_fund.execution.evm.abi import topic
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.receipt import Log, Receipt

SPAN = 10_000
"""Blocks that one ``eth_getLogs`` asks for: nodes refuse much longer ranges."""


@dataclass(frozen=True)
class Found:
    """An event of the chain: its arguments by name, and where it stands."""

    arguments: Mapping[str, Any]
    block: int
    transaction: str
    index: int


class Event:
    """An event of the ABI.

    Args:
        name: of the event.
        parameters: as in Solidity, e.g. ``"address indexed from, uint256 value"``; a struct is
            written as its tuple of types, without spaces.
    """

    def __init__(self, name: str, parameters: str) -> None:
        words = [part.split() for part in parameters.split(", ")]
        self.topic = topic(f"{name}({','.join(part[0] for part in words)})")
        self._indexed = [(part[0], part[-1]) for part in words if "indexed" in part]
        self._data = [(part[0], part[-1]) for part in words if "indexed" not in part]

    def read(self, log: Log) -> dict[str, Any] | None:
        """The arguments by name, addresses as checksums; None if the log is of no such event."""
        if log.topics[:1] != (self.topic,) or len(log.topics) != len(self._indexed) + 1:
            return None
        words = [bytes.fromhex(one[2:]) for one in log.topics[1:]]
        try:
            values = [
                *(
                    decode([kind], word)[0]
                    for (kind, _), word in zip(self._indexed, words, strict=True)
                ),
                *decode([kind for kind, _ in self._data], log.data),
            ]
        except (DecodingError, OverflowError):
            return None
        named = [*self._indexed, *self._data]
        return {
            name: _checksum(kind, value) for (kind, name), value in zip(named, values, strict=True)
        }

    def stated(self, found: Found, address: str, receipt: Receipt) -> bool:
        """Whether ``receipt`` is of that transaction in that block, and has this very event."""
        if (receipt.hash, receipt.block) != (found.transaction, found.block):
            return False
        logs = [one for one in receipt.logs if one.index == found.index]
        return any(one.address == address and self.read(one) == found.arguments for one in logs)

    async def find(
        self,
        chain: Chain,
        address: str,
        first: int,
        last: int,
        indexed: Sequence[int | str | None] = (),
    ) -> list[Found]:
        """Those that ``address`` emitted in the blocks ``first`` to ``last``, in their order.

        Args:
            indexed: what the first indexed parameters must be: a number, a checksum address, or
                None for anything.

        Raises:
            ChainSilent, Web3RPCError: as the node did not answer, or refused to.
        """
        topics = [self.topic, *(None if one is None else _word(one) for one in indexed)]
        found: list[Found] = []
        seen: set[tuple[str, Log]] = set()
        for start in range(max(first, 0), last + 1, SPAN):
            asked = {
                "address": address,
                "topics": topics,
                "fromBlock": hex(start),
                "toBlock": hex(min(start + SPAN - 1, last)),
            }
            for answer in await chain.rpc("eth_getLogs", asked):
                log = Log.read(answer)
                arguments = self.read(log)
                # The node was asked for these alone; it is not taken at its word.
                asked_for = all(
                    one is None or one == found_topic
                    for one, found_topic in zip(topics, log.topics, strict=False)
                )
                block, hash = int(answer["blockNumber"], 16), answer["transactionHash"].lower()
                if arguments is None or log.address != address or not asked_for:
                    continue
                if (hash, log) not in seen:  # told of twice, it is one event all the same
                    seen.add((hash, log))
                    found.append(Found(arguments, block, hash, log.index))
        return found


def _word(value: int | str) -> str:
    number = int(value, 16) if isinstance(value, str) else value
    return f"0x{number:064x}"


def _checksum(kind: str, value: Any) -> Any:
    if kind == "address":
        return to_checksum_address(value)
    if kind == "address[]":
        return [to_checksum_address(one) for one in value]
    return value
