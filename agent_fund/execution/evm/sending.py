"""Sending: signed bytes to a node, any number of times; what it says against them, if anything."""

from __future__ import annotations

from collections.abc import Sequence

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.evm.batch import Signed
from agent_fund.execution.evm.chain import Chain

# Answers that say that these bytes, or others in their nonce, are there already. The wording is
# each node's own: geth, reth and erigon, nethermind, anvil.
_ALREADY = (
    "already known",
    "already imported",
    "alreadyknown",
    "known transaction",
    "nonce too low",
    "oldnonce",
    "replacement transaction underpriced",
    "replacementnotallowed",
)


async def send_raw(chain: Chain, transactions: Sequence[Signed]) -> tuple[str, ...]:
    """Send the bytes.

    Returns:
        What the node said against them, if anything but that it knows them.

    Raises:
        ChainSilent: without an answer; they may have arrived.
    """
    answers = await chain.rpc_many(
        [("eth_sendRawTransaction", ["0x" + one.raw.hex()]) for one in transactions]
    )
    against = [one.message for one in answers if isinstance(one, Web3RPCError)]
    return tuple(said for said in against if not any(words in said.lower() for words in _ALREADY))


async def send_lost(chain: Chain, transactions: Sequence[Signed]) -> None:
    """Send those that the node does not have.

    Raises:
        ChainSilent: without an answer; they may have arrived.
    """
    answers = await chain.rpc_many(
        [("eth_getTransactionByHash", [one.hash]) for one in transactions]
    )
    pairs = zip(transactions, answers, strict=True)
    await send_raw(chain, [one for one, known in pairs if not isinstance(known, dict)])
