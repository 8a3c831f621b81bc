"""The chain as of a given block: what cannot change any more is read as of a final one."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.execution.evm.chain import Chain


@dataclass(frozen=True)
class Moment:
    """A block of the chain: its number and its timestamp in Unix seconds."""

    block: int
    time: int


async def moment(chain: Chain, block: int) -> Moment:
    """The block of that number with its timestamp.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer.
    """
    found = await chain.rpc("eth_getBlockByNumber", hex(block), False)
    return Moment(block, int(found["timestamp"], 16))


async def settled(chain: Chain) -> Moment | None:
    """The last block that the chain's finality holds for final; None if there is none yet."""
    number = await chain.head() - chain.finality
    return None if number < 0 else await moment(chain, number)


async def call_at(chain: Chain, to: str, data: bytes, block: int) -> bytes:
    """What a contract answered as of ``block``; a node must still have its state."""
    request = {"to": to, "data": "0x" + data.hex()}
    return bytes.fromhex((await chain.rpc("eth_call", request, hex(block)))[2:])
