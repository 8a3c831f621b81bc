"""Nonces by the chain's own blocks: how many are taken, and which transaction took a given one.

What took a nonce is told by the transaction that stands in a block, never by an answer that is
missing: a node that has lost a receipt, or never had it, knows nothing of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_fund.execution.evm.chain import Chain, ChainSilent


async def count(chain: Chain, owner: str, block: int | str) -> int:
    """How many transactions of ``owner`` the chain has as of ``block``: its first free nonce.

    Args:
        block: a number, ``latest``, or ``pending`` for the node's pool too.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer, or has lost that block's state.
    """
    tag = block if isinstance(block, str) else hex(block)
    answer = await chain.rpc("eth_getTransactionCount", owner, tag)
    if not isinstance(answer, str):
        raise ChainSilent(f"eth_getTransactionCount: no count as of block {tag}")
    return int(answer, 16)


async def settled_count(chain: Chain, owner: str) -> tuple[int, int]:
    """The number of the last final block, -1 if there is none, and the count as of it.

    Raises:
        As ``count``.
    """
    block = await chain.head() - chain.finality
    return (block, await count(chain, owner, block)) if block >= 0 else (-1, 0)


async def taker(chain: Chain, owner: str, nonce: int, last: int) -> Mapping[str, Any]:
    """The transaction that took ``nonce`` of ``owner``, as its block states it.

    Args:
        last: a block; the transaction stands in it or before it.

    Raises:
        ChainSilent, Web3RPCError: if the node cannot show it: it does not answer, it has lost what
            it takes to find it, or there is none.
    """
    number = await _block_of(chain, owner, nonce, last)
    block = await chain.rpc("eth_getBlockByNumber", hex(number), True)
    if block is not None:
        for one in block["transactions"]:
            if str(one["from"]).lower() == owner.lower() and int(one["nonce"], 16) == nonce:
                return dict(one)
    raise _unseen(owner, nonce)


async def _block_of(chain: Chain, owner: str, nonce: int, last: int) -> int:
    """The first block as of which ``nonce`` is taken."""
    if last < 0 or await count(chain, owner, last) <= nonce:
        raise _unseen(owner, nonce)
    low, high, step = 0, last, 1
    # Backwards in doubling steps: the states that a node keeps are the recent ones.
    while high > 0:
        earlier = max(high - step, 0)
        if await count(chain, owner, earlier) <= nonce:
            low = earlier + 1
            break
        high, step = earlier, 2 * step
    while low < high:
        middle = (low + high) // 2
        if await count(chain, owner, middle) > nonce:
            high = middle
        else:
            low = middle + 1
    return high


def _unseen(owner: str, nonce: int) -> ChainSilent:
    return ChainSilent(f"the node does not show what took nonce {nonce} of {owner}")
