"""Finding the transaction that used a nonce up, from the chain alone.

Nobody has to be believed: the block in which the nonce became used is found by halving, and the
transactions of that block and the few before it (a receipt runs a block or two after its
transaction) are read for one whose arguments carry the nonce.
"""

from __future__ import annotations

import base64

from agent_fund.execution.near.rpc import NearRpc
from agent_fund.execution.near.verifier import Executed, Verifier

_BLOCKS_BEFORE = 4


async def find_execution(
    rpc: NearRpc, verifier: Verifier, account_id: str, nonce: bytes, low: int, high: int
) -> tuple[Executed, str] | None:
    """What used ``nonce`` up, and the hash of its transaction; None if it cannot be found.

    Args:
        low: height of a final block in which the nonce was unused. ``high``: one in which it was
            used.

    Raises:
        NearUnreachable: if the node does not answer, or no longer has such old blocks.
    """
    floor = low
    while high - low > 1:
        middle = (low + high) // 2
        # A skipped height has no state of its own: it is that of the next lower block.
        block = await _existing(rpc, middle, low)
        if block > low and await verifier.nonce_used(account_id, nonce, block):
            high = block
        else:
            low = middle
    text = base64.b64encode(nonce).decode()
    for height in range(high, max(floor, high - _BLOCKS_BEFORE) - 1, -1):
        for tx_hash, sender, args in await rpc.transactions(height):
            if not _carries(args, text):
                continue
            result = await rpc.result(tx_hash, sender)
            for one in verifier.executed(result) if result is not None else ():
                if one.account_id == account_id and one.nonce == nonce:
                    return one, tx_hash
    return None


async def _existing(rpc: NearRpc, height: int, low: int) -> int:
    while height > low and await rpc.block(height) is None:
        height -= 1
    return height


def _carries(args: str, text: str) -> bool:
    # The nonce stands inside a JSON string inside JSON, where "/" may be written "\/".
    return any(
        text in base64.b64decode(part).decode(errors="replace").replace("\\", "")
        for part in args.split()
    )
