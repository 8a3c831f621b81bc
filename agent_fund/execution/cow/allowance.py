"""Allowance: what CoW's vault relayer may take of each token: what open orders may sell, no more.

The relayer takes nothing without a signed order, and each settlement uses its part up. With every
new order the allowance is set to the sum anew; with the end of one that sold nothing, too.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from eth_utils.address import to_checksum_address

from agent_fund.execution.cow.settlement import Settlement
from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane

_LIFE = 600  # seconds that a reduction may take; a later one does as well


class Allowance:
    """The allowances of the lane's own address for one settlement's vault relayer."""

    def __init__(self, chain: Chain, lane: Lane, settlement: Settlement) -> None:
        self._chain = chain
        self._lane = lane
        self._settlement = settlement
        self._relayer = ""
        self._open: dict[str, tuple[str, int]] = {}
        self._reductions: list[Batch] = []
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Ask the settlement for its vault relayer.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
            ExecutionError: if there is none.
        """
        found = await self._settlement.vault_relayer()
        if len(found) != 42 or int(found, 16) == 0:
            fix = "give the address of GPv2Settlement"
            raise ExecutionError("settlement", self._settlement.address, fix)
        self._relayer = to_checksum_address(found)

    def take_up(self, leg_id: str, order: SignedOrder) -> None:
        """Count an order of an earlier process."""
        self._open[leg_id] = (order.sell_token, order.sell_amount)

    async def raise_for(self, leg_id: str, order: SignedOrder, deadline: int) -> Batch:
        """Signed: an allowance of what ``order`` and all other open ones may sell of its token.

        Raises:
            ExecutionError, ChainSilent, Web3RPCError: as ``Lane.sign``; nothing counts then.
        """
        async with self._lock:
            total = self._sum(order.sell_token) + order.sell_amount
            calls = await self._calls(order.sell_token, total)
            batch = await self._lane.sign(calls, deadline)
            self.take_up(leg_id, order)
            return batch

    async def ended(self, leg_id: str) -> None:
        """Count an order no more, and take back what nobody may sell now.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer; then it is still counted.
        """
        async with self._lock:
            if leg_id not in self._open:
                return
            token, amount = self._open[leg_id]
            left = self._sum(token) - amount
            if await self._now(token) > left:
                deadline = await self._chain.now() + _LIFE
                # What cannot be taken back now is, with the next order of the token.
                with suppress(ExecutionError):
                    # Marked, so that the lane raises it when it is late, and does not cancel it.
                    call = replace(self._approve(token, left), approval=True)
                    batch = await self._lane.sign([call], deadline)
                    self._reductions.append(batch)
            del self._open[leg_id]
        await self.tend()

    async def tend(self) -> None:
        """Send what takes allowances back until it is final, so that it holds up no nonce.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        for batch in list(self._reductions):
            outcome = await self._lane.outcome(batch)
            if outcome.final and batch in self._reductions:
                self._reductions.remove(batch)
            elif not outcome.pooled:
                await self._lane.send(batch)

    async def _calls(self, token: str, total: int) -> list[Call]:
        # Some tokens demand that an allowance is nothing before it is anything else.
        first = [self._approve(token, 0)] if await self._now(token) else []
        return [*first, self._approve(token, total)]

    async def _now(self, token: str) -> int:
        data = call_data("allowance(address,address)", self._lane.address, self._relayer)
        return int.from_bytes(await self._chain.call(token, data), "big")

    def _approve(self, token: str, amount: int) -> Call:
        return Call(token, call_data("approve(address,uint256)", self._relayer, amount))

    def _sum(self, token: str) -> int:
        return sum(amount for sold, amount in self._open.values() if sold == token)
