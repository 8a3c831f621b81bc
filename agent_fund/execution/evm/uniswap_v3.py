"""Uniswap V3: swaps through SwapRouter, quotes by QuoterV2, in the pool of one stated fee.

Source: Uniswap V3 core and periphery (Pool, Factory, ISwapRouter, IQuoterV2).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

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
    "address indexed sender, address indexed recipient, int256 amount0, int256 amount1, "
    "uint160 sqrtPriceX96, uint128 liquidity, int24 tick",
)
_NO_PRICE_LIMIT = 0


@dataclass(frozen=True)
class UniswapV3:
    """A deployment.

    Attributes:
        router, quoter: checksum addresses of SwapRouter and QuoterV2.
        fee: of the pools, in hundredths of a basis point: 500, 3 000, 10 000.
    """

    router: str
    quoter: str
    fee: int

    gas = 210_000
    swapped = _SWAP

    async def pool(self, chain: Chain, base: str, quote: str) -> str:
        """The address of the pool with the stated fee."""
        subject = f"Uniswap V3 on {chain.name}"
        try:
            factory = await chain.call(self.router, call_data("factory()"))
            quoters = await chain.call(self.quoter, call_data("factory()"))
            asked = call_data("getPool(address,address,uint24)", base, quote, self.fee)
            found = await chain.call(_address(factory), asked)
        except Web3RPCError as error:
            raise ExecutionError(
                subject, error.message, "give the addresses of a SwapRouter and a QuoterV2"
            ) from None
        if factory != quoters:
            raise ExecutionError(subject, self.quoter, "give the QuoterV2 of the same deployment")
        if word(found) == 0:
            raise ExecutionError(
                subject, f"{base} and {quote}", f"these two have no pool with a fee of {self.fee}"
            )
        return _address(found)

    async def amount_out(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What selling exactly ``amount`` brings now."""
        signature = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
        asked = call_data(signature, (sold, bought, amount, self.fee, _NO_PRICE_LIMIT))
        return word(await chain.call(self.quoter, asked))

    async def amount_in(self, chain: Chain, sold: str, bought: str, amount: int) -> int:
        """What buying exactly ``amount`` costs now."""
        signature = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"
        asked = call_data(signature, (sold, bought, amount, self.fee, _NO_PRICE_LIMIT))
        return word(await chain.call(self.quoter, asked))

    def exact_in(
        self, sold: str, bought: str, amount: int, least: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that sells exactly ``amount`` for ``least`` or more, or reverts."""
        return self._single("exactInputSingle", sold, bought, amount, least, owner, deadline)

    def exact_out(
        self, sold: str, bought: str, amount: int, most: int, owner: str, deadline: int
    ) -> bytes:
        """The router's call that buys exactly ``amount`` for ``most`` or less, or reverts."""
        return self._single("exactOutputSingle", sold, bought, amount, most, owner, deadline)

    async def ratio(self, chain: Chain, pool: str, base: str, quote: str) -> Fraction | None:
        """The pool's price, sqrtPriceX96 squared."""
        root = word(await chain.call(pool, call_data("slot0()")))
        if root == 0:
            return None
        price = Fraction(root**2, 2**192)  # of token1 for one of token0, which go by address
        return price if int(base, 16) < int(quote, 16) else 1 / price

    async def reserve(self, chain: Chain, pool: str, base: str, quote: str) -> int:
        """The base token's balance of the pool."""
        return word(await chain.call(base, call_data("balanceOf(address)", pool)))

    def _single(
        self,
        name: str,
        sold: str,
        bought: str,
        amount: int,
        bound: int,
        owner: str,
        deadline: int,
    ) -> bytes:
        fields = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"
        values = (sold, bought, self.fee, owner, deadline, amount, bound, _NO_PRICE_LIMIT)
        return call_data(f"{name}({fields})", values)


def _address(answer: bytes) -> str:
    return to_checksum_address(answer[12:32]) if len(answer) == 32 else NOTHING
