"""Overtaking: the proof that a transaction never ran and never can, since another took its nonce.

A key's nonce only grows, and a transaction runs in the very block that raises it to that
transaction's nonce. So one block decides: the first in which the nonce is that large. That a node
does not know a transaction proves nothing, since another node may have run it.
"""

from __future__ import annotations

from agent_fund.execution.near.encoding import ed25519_text
from agent_fund.execution.near.rpc import Block, NearRpc
from agent_fund.execution.near.transaction import NearTransaction
from agent_fund.execution.near.turning import turning_point


async def overtaker(
    rpc: NearRpc, transaction: NearTransaction, account_id: str, public_key: bytes, seen: bytes
) -> str | None:
    """The hash of the transaction of the same key that took the nonce; None if that is not proved.

    Args:
        seen: hash of a final block in which the key's nonce is that of ``transaction`` or larger.

    Raises:
        NearUnreachable: if the node does not answer, or no longer has what it must be asked.
        NearRefused: if the key was not there meanwhile.
    """
    low, high = await rpc.block(transaction.block_hash), await rpc.block(seen)
    if low is None or high is None or low.height >= high.height:
        return None

    async def used(block: Block) -> bool:
        nonce, _ = await rpc.access_key_nonce(account_id, public_key, block.hash)
        return nonce >= transaction.nonce

    _, taken = await turning_point(rpc, low, high, used)
    own = [
        one
        for one in await rpc.transactions(taken)
        if (one.signer_id, one.public_key) == (account_id, ed25519_text(public_key))
    ]
    if any(one.hash == transaction.hash for one in own):
        return None
    return next((one.hash for one in own if one.nonce >= transaction.nonce), None)
