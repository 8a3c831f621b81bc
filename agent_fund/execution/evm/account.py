"""Account: whose tokens are traded; DirectAccount trades those of the signing key's own address.

Allowances are exact and short-lived: each batch sets its own and leaves none, whatever became of
the call between, so that batches one after the other cannot use up each other's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.chain import Chain


class Account(Protocol):
    """Whose assets are traded: the key's own address, or a contract that the key commands."""

    @property
    def address(self) -> str:
        """The checksum address that holds the tokens."""
        ...

    async def calls(self, action: Action, leg_id: str, deadline: int) -> Sequence[Call]:
        """The calls that do ``action`` once, for the leg, before ``deadline`` (Unix seconds).

        Raises:
            ExecutionError: if the action is not allowed.
        """
        ...


class DirectAccount:
    """The signing key's own address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self._chain = chain
        self._address = address

    @property
    def address(self) -> str:
        """The checksum address that holds the tokens."""
        return self._address

    async def calls(self, action: Action, leg_id: str, deadline: int) -> Sequence[Call]:
        """An allowance of exactly ``max_in``, the call, and an allowance of nothing again.

        A foreign left-over allowance is taken back first: some tokens demand it.
        """
        if action.max_in == 0 or action.token_in == NOTHING:
            return [action.call]
        data = call_data("allowance(address,address)", self._address, action.spender)
        left_over = int.from_bytes(await self._chain.call(action.token_in, data), "big")
        reset = _approve(action, 0)
        first = [reset] if left_over else []
        return [*first, _approve(action, action.max_in), action.call, reset]


def _approve(action: Action, amount: int) -> Call:
    data = call_data("approve(address,uint256)", action.spender, amount)
    return Call(action.token_in, data, approval=True)
