"""Turning point: two neighbouring blocks between which something became true for good.

Found by halving, over blocks that one node may have and another may not: that the two are
neighbours is read off the later one's header, so a block that is missing is never jumped over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent_fund.execution.near.errors import NearUnreachable
from agent_fund.execution.near.rpc import Block, NearRpc

_MISSING = 100
"""Heights in a row that may have no block: more than the chain skips, so the node lacks them."""


async def turning_point(
    rpc: NearRpc, low: Block, high: Block, turned: Callable[[Block], Awaitable[bool]]
) -> tuple[Block, Block]:
    """The last block for which ``turned`` is false, and the next one, for which it is true.

    Args:
        low: a block for which it is false. ``high``: a later one for which it is true.

    Raises:
        NearUnreachable: if the node does not answer, or lacks blocks between the two.
    """
    bottom = low.height
    while high.height - bottom > 1:
        middle = (bottom + high.height) // 2
        block = await _existing(rpc, middle, bottom)
        if block is not None and await turned(block):
            high = block
        else:
            low, bottom = block or low, middle
    if high.previous != low.hash:
        raise NearUnreachable(
            "blocks of the NEAR node", f"{high.height} not after {low.height}", "it lacks some"
        )
    return low, high


async def _existing(rpc: NearRpc, height: int, bottom: int) -> Block | None:
    """The highest block above ``bottom`` and not above ``height``."""
    for candidate in range(height, max(bottom, height - _MISSING), -1):
        found = await rpc.block(candidate)
        if found is not None:
            return found
    if height - bottom > _MISSING:
        raise NearUnreachable("blocks of the NEAR node", height, "ask one with an archive")
    return None
