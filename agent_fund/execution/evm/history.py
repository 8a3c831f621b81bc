"""History: the account's trades since a time, found in the pools' own events.

So what was traded is known without any record of ours, transactions that no record knows included.
"""

from __future__ import annotations

from collections.abc import Iterable

from eth_utils.address import to_checksum_address
from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Event
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.receipt import Receipt
from agent_fund.execution.live.adapter import Execution


async def block_since(chain: Chain, time: int, head: int) -> int:
    """The first block whose timestamp is ``time`` (Unix seconds) or later; head + 1 if none is.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer.
    """
    low, high, step = 0, head + 1, 1
    # Backwards in doubling steps first: what is asked for is mostly recent.
    while high > 0 and await _timestamp(chain, max(high - step, 0)) >= time:
        high = max(high - step, 0)
        step *= 2
    low = max(high - step, 0)
    while low < high:
        middle = (low + high) // 2
        if await _timestamp(chain, middle) >= time:
            high = middle
        else:
            low = middle + 1
    return high


async def trades_since(
    chain: Chain, swapped: Event, pairs: Iterable[Pair], owner: str, since: int
) -> list[tuple[str, Execution]]:
    """(``sender:nonce``, trade) of every swap whose proceeds ``owner`` received, in chain order.

    Args:
        since: Unix milliseconds.

    Raises:
        ChainSilent, Web3RPCError: if the chain does not answer.
    """
    head = await chain.head()
    first = await block_since(chain, since // 1000, head)
    found: list[tuple[int, int, str, Execution]] = []
    for pair in pairs:
        for event in await swapped.find(chain, pair.pool, first, head, (None, owner)):
            transaction, answer = await chain.rpc_many(
                [
                    ("eth_getTransactionByHash", [event.transaction]),
                    ("eth_getTransactionReceipt", [event.transaction]),
                ]
            )
            for one in (transaction, answer):
                if isinstance(one, Web3RPCError):
                    raise one
            if transaction is None or answer is None:  # a reorganisation took it since
                continue
            final = head - event.block >= chain.finality
            trade = pair.execution(Receipt.read(answer), owner, final=final)
            if trade is not None:
                reference = (
                    f"{to_checksum_address(transaction['from'])}:{int(transaction['nonce'], 16)}"
                )
                found.append((event.block, event.index, reference, trade[1]))
    return [(reference, trade) for _, _, reference, trade in sorted(found, key=lambda t: t[:2])]


async def _timestamp(chain: Chain, block: int) -> int:
    return int((await chain.rpc("eth_getBlockByNumber", hex(block), False))["timestamp"], 16)
