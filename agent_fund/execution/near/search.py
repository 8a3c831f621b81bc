"""Finding the transaction that used a nonce up, from the chain alone.

Nobody has to be believed: the block in which the nonce became used is found by halving, and the
transactions of that block and the few before it (a receipt runs a block or two after its
transaction) are read for one whose arguments carry the nonce.
"""

from __future__ import annotations

import base64

from agent_fund.execution.near.errors import NearUnreachable
from agent_fund.execution.near.rpc import Block, NearRpc
from agent_fund.execution.near.turning import turning_point
from agent_fund.execution.near.verifier import Executed, Verifier

_BLOCKS_BEFORE = 4

Execution = tuple[Executed, str]
"""What used a nonce up, and the hash of its transaction."""


async def find_execution(
    rpc: NearRpc, verifier: Verifier, account_id: str, nonce: bytes, low: Block, high: Block
) -> Execution | None:
    """What used ``nonce`` up; None if it cannot be found.

    Args:
        low: a final block in which the nonce was unused. ``high``: one in which it was used.

    Raises:
        NearUnreachable: if the node does not answer, or no longer has such old blocks.
    """

    async def used(block: Block) -> bool:
        return await verifier.nonce_used(account_id, nonce, block.height)

    _, block = await turning_point(rpc, low, high, used)
    return await execution_in(rpc, verifier, account_id, nonce, low, block)


async def execution_in(
    rpc: NearRpc, verifier: Verifier, account_id: str, nonce: bytes, low: Block, block: Block
) -> Execution | None:
    """What used ``nonce`` up in ``block``, none of whose transactions is older than ``low``.

    Raises:
        NearUnreachable: if the node does not answer, or no longer has such old blocks.
    """
    text = base64.b64encode(nonce).decode()
    floor = max(low.height, block.height - _BLOCKS_BEFORE)
    doubtful = ""
    while block.height >= floor:
        for made in await rpc.transactions(block):
            if not _carries(made.args, text):
                continue
            result = await rpc.result(made.hash, made.signer_id)
            if result is None:
                doubtful = made.hash
            for one in verifier.executed(result) if result is not None else ():
                if one.account_id == account_id and one.nonce == nonce:
                    return one, made.hash
        if block.height == floor:
            break
        before = await rpc.block(block.previous)
        if before is None:
            raise NearUnreachable(f"block before {block.height}", None, "ask one with an archive")
        block = before
    if doubtful:
        raise NearUnreachable(f"transaction {doubtful}", "no result", "ask another node")
    return None


def _carries(args: str, text: str) -> bool:
    # The nonce stands inside a JSON string inside JSON, where "/" may be written "\\/".
    return any(
        text in base64.b64decode(part).decode(errors="replace").replace("\\", "")
        for part in args.split()
    )
