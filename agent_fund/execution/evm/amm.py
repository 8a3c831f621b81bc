"""Amm: what the swap adapter asks of an automated market maker; amounts in tokens' own units."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Event


class Amm(Protocol):
    """A deployment of one exchange's contracts on one chain.

    Every method that asks the chain raises ChainSilent or Web3RPCError if it does not answer, and
    the latter too where the pool cannot do what is asked. What swaps move is the pool's reckoning:
    what a token keeps of a transfer, or takes on top, is not in it.
    """

    @property
    def router(self) -> str:
        """The contract that swaps, and that is allowed to take what is sold."""
        ...

    @property
    def gas(self) -> int:
        """Units of gas that a swap with its approvals takes, about."""
        ...

    @property
    def swapped(self) -> Event:
        """A pool's event of a swap; its second indexed parameter is who received."""
        ...

    async def pool(self, chain: Chain, base: str, quote: str) -> str:
        """The address of the pool.

        Raises:
            ExecutionError: if there is none, or the router is not what it should be.
        """
        ...

    async def amount_out(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What selling exactly ``amount`` brings now."""
        ...

    async def amount_in(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What buying exactly ``amount`` costs now."""
        ...

    def exact_in(
        self, sold: str, bought: str, amount: int, least: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that sells exactly ``amount`` for ``least`` or more, or reverts."""
        ...

    def exact_out(
        self, sold: str, bought: str, amount: int, most: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that buys exactly ``amount`` for ``most`` or less, or reverts."""
        ...

    async def ratio(self, chain: Chain, pool: str, base: str, quote: str) -> Fraction | None:
        """The pool's price now: of ``quote`` for one of ``base``; None for an empty pool."""
        ...

    async def reserve(self, chain: Chain, pool: str, base: str, quote: str) -> int:
        """Of ``base``, what the pool holds."""
        ...


def word(answer: bytes, number: int = 0) -> int:
    """The unsigned integer in word ``number`` of an ABI-encoded answer."""
    return int.from_bytes(answer[32 * number : 32 * number + 32], "big")
