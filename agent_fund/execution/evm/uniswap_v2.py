"""Uniswap V2: swaps through the second router, in the pair of the two tokens themselves.

Source: Uniswap V2 core and periphery (Pair, Factory, Router02).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.amm import word
from agent_fund.execution.evm.call import NOTHING
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Event

_SWAP = Event(
    "Swap",
    "address indexed sender, uint256 amount0In, uint256 amount1In, uint256 amount0Out, "
    "uint256 amount1Out, address indexed to",
)


@dataclass(frozen=True)
class UniswapV2:
    """A deployment, by the checksum address of its router."""

    router: str

    gas = 180_000
    swapped = _SWAP

    async def pool(self, chain: Chain, base: str, quote: str) -> str:
        """The address of the pair."""
        subject = f"Uniswap V2 on {chain.name}"
        try:
            factory = await chain.call(self.router, call_data("factory()"))
            asked = call_data("getPair(address,address)", base, quote)
            found = await chain.call(_address(factory), asked)
        except Web3RPCError as error:
            raise ExecutionError(subject, error.message, "give the address of a router") from None
        if word(found) == 0:
            raise ExecutionError(subject, f"{base} and {quote}", "these two have no pair here")
        return _address(found)

    async def amount_out(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What selling exactly ``amount`` brings now."""
        asked = call_data("getAmountsOut(uint256,address[])", amount, [sold, bought])
        return int(decode(["uint256[]"], await chain.call(self.router, asked))[0][-1])

    async def amount_in(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What buying exactly ``amount`` costs now."""
        asked = call_data("getAmountsIn(uint256,address[])", amount, [sold, bought])
        return int(decode(["uint256[]"], await chain.call(self.router, asked))[0][0])

    def exact_in(
        self, sold: str, bought: str, amount: int, least: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that sells exactly ``amount`` for ``least`` or more, or reverts."""
        signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        return call_data(signature, amount, least, [sold, bought], owner, deadline)

    def exact_out(
        self, sold: str, bought: str, amount: int, most: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that buys exactly ``amount`` for ``most`` or less, or reverts."""
        signature = "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)"
        return call_data(signature, amount, most, [sold, bought], owner, deadline)

    async def ratio(self, chain: Chain, pool: str, base: str, quote: str) -> Fraction | None:
        """The reserves' ratio."""
        of_base, of_quote = await self._reserves(chain, pool, base, quote)
        return Fraction(of_quote, of_base) if of_base and of_quote else None

    async def reserve(self, chain: Chain, pool: str, base: str, quote: str) -> int:
        """The base token's reserve."""
        return (await self._reserves(chain, pool, base, quote))[0]

    async def _reserves(self, chain: Chain, pool: str, base: str, quote: str) -> tuple[int, int]:
        answer = await chain.call(pool, call_data("getReserves()"))
        first, second = word(answer, 0), word(answer, 1)
        # A pair orders its tokens by address.
        return (first, second) if int(base, 16) < int(quote, 16) else (second, first)


def _address(answer: bytes) -> str:
    return to_checksum_address(answer[12:32]) if len(answer) == 32 else NOTHING
