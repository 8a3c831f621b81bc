"""A solver for CoW on a devnet chain: it settles orders one by one against Uniswap V2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode
from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.devnet.cow import Cow
from agent_fund.devnet.errors import DevnetError
from agent_fund.execution.cow.app_data import app_data_hash
from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.receipt import Receipt

SETTLE = (
    "settle(address[],uint256[],(uint256,uint256,address,uint256,uint256,uint32,bytes32,uint256,"
    "uint256,uint256,bytes)[],(address,uint256,bytes)[][3])"
)
_NEVER = 2**63
_BUY = 1  # bit 0 of a trade's flags; all other bits are 0: whole, ERC-20 balances, EIP-712


class Solver:
    """Settles on ``cow`` by swaps at the V2 router of address ``router``.

    Args:
        fee: of the sold token's own units that the solver keeps of every order.
    """

    def __init__(self, cow: Cow, router: str, fee: int = 0) -> None:
        self._cow = cow
        self._router = router
        self.fee = fee

    async def amount_out(self, sold: str, bought: str, amount: int) -> int | None:
        """What selling ``amount`` brings now, the fee kept; None if it brings nothing."""
        if amount <= self.fee:
            return None
        return await self._amounts("getAmountsOut", amount - self.fee, sold, bought, -1)

    async def amount_in(self, sold: str, bought: str, amount: int) -> int | None:
        """What buying ``amount`` costs now, the fee included; None if it cannot be bought."""
        found = await self._amounts("getAmountsIn", amount, sold, bought, 0)
        return None if found is None else found + self.fee

    async def settle(self, order: SignedOrder, signature: bytes) -> Receipt | None:
        """Settle ``order``, giving its owner the whole surplus; None if its limit forbids it."""
        if order.kind == "sell":
            bought = await self.amount_out(order.sell_token, order.buy_token, order.sell_amount)
            if bought is None or bought < order.buy_amount:
                return None
            return await self.execute(order, signature, order.sell_amount, bought)
        sold = await self.amount_in(order.sell_token, order.buy_token, order.buy_amount)
        if sold is None or sold > order.sell_amount:
            return None
        return await self.execute(order, signature, sold, order.buy_amount)

    async def execute(
        self, order: SignedOrder, signature: bytes, sold: int, bought: int
    ) -> Receipt | None:
        """Settle ``order`` at exactly these amounts; None if the contract refuses."""
        try:
            return await self._cow.deployer.transact(
                self._cow.settlement,
                self.settlement_of([(order, signature, sold, bought)]),
                sender=self._cow.solver,
            )
        except DevnetError:
            return None

    def settlement_of(self, trades: list[tuple[SignedOrder, bytes, int, int]]) -> bytes:
        """The call that settles orders, each with its signature, what it sells and what it buys."""
        tokens: list[str] = []
        prices: list[int] = []
        stated, interactions = [], []
        for order, signature, sold, bought in trades:
            index = len(tokens)
            tokens += [order.sell_token, order.buy_token]
            # sold units at the first price are worth bought units at the second.
            prices += [bought, sold]
            amounts = (order.owner, order.sell_amount, order.buy_amount, order.valid_to)
            flags = _BUY if order.kind == "buy" else 0
            document = app_data_hash(order.document)
            stated.append((index, index + 1, *amounts, document, 0, flags, 0, signature))
            interactions += self._swap(order, sold, bought)
        return call_data(SETTLE, tokens, prices, stated, [[], interactions, []])

    async def interact(self, target: str, data: bytes) -> Receipt:
        """A settlement without trades that makes the contract call ``target``."""
        call = call_data(SETTLE, [], [], [], [[], [(target, 0, data)], []])
        return await self._cow.deployer.transact(
            self._cow.settlement, call, sender=self._cow.solver
        )

    def _swap(self, order: SignedOrder, sold: int, bought: int) -> list[tuple[str, int, bytes]]:
        path = [order.sell_token, order.buy_token]
        signature = "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)"
        most = sold - self.fee
        swap = call_data(signature, bought, most, path, self._cow.settlement, _NEVER)
        allow = call_data("approve(address,uint256)", self._router, most)
        return [(order.sell_token, 0, allow), (self._router, 0, swap)]

    async def _amounts(
        self, function: str, amount: int, sold: str, bought: str, end: int
    ) -> int | None:
        data = call_data(f"{function}(uint256,address[])", amount, [sold, bought])
        try:
            answer = await self._cow.deployer.chain.call(self._router, data)
        except Web3RPCError:
            return None
        return int(decode(["uint256[]"], answer)[0][end])


def signature_in(creation: Mapping[str, Any]) -> bytes:
    """The signature in the body of ``POST /api/v1/orders``."""
    return bytes.fromhex(creation["signature"][2:])
