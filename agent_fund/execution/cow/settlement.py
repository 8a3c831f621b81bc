"""Settlement: what CoW's contract says of an order; a trade counts with the transfers it made.

Source: GPv2Settlement. A trade's event names the order's uid, and so everything that was signed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Event, Found
from agent_fund.execution.evm.past import call_at
from agent_fund.execution.evm.receipt import Receipt, TokenTransfer

TRADE = Event(
    "Trade",
    "address indexed owner, address sellToken, address buyToken, uint256 sellAmount, "
    "uint256 buyAmount, uint256 feeAmount, bytes orderUid",
)
FILLED_AMOUNT = "filledAmount(bytes)"
VAULT_RELAYER = "vaultRelayer()"
INVALIDATED = 2**256 - 1
"""``filledAmount`` of an order that its owner invalidated on chain."""


@dataclass(frozen=True)
class Trade:
    """A trade with the transfers that it made.

    Attributes:
        receipt: of its transaction, with those two transfers' logs alone.
        exec_id: transaction hash and number of the event.
    """

    uid: bytes
    sell_token: str
    buy_token: str
    sell_amount: int
    buy_amount: int
    block: int
    receipt: Receipt
    exec_id: str


class Settlement:
    """The contract at the checksum address ``address`` on ``chain``."""

    def __init__(self, chain: Chain, address: str) -> None:
        self._chain = chain
        self.address = address

    def uid(self, order: SignedOrder) -> bytes:
        """The order's uid at this settlement."""
        return order.uid(self._chain.chain_id, self.address)

    async def vault_relayer(self) -> str:
        """The contract that takes what is sold; lower case."""
        answer = await self._chain.call(self.address, call_data(VAULT_RELAYER))
        return "0x" + answer[-20:].hex()

    async def filled_amount(self, uid: bytes, block: int) -> int:
        """How much of an order was filled, as of ``block``.

        It says 0 again once somebody has freed the storage of an expired order: only together with
        no trade it means that nothing was filled.
        """
        data = call_data(FILLED_AMOUNT, uid)
        return int.from_bytes(await call_at(self._chain, self.address, data, block), "big")

    async def trades(
        self, owner: str, first: int, last: int, uid: bytes | None = None
    ) -> tuple[list[Trade], bool]:
        """The owner's trades in those blocks, or those of one order, in the chain's order.

        Returns:
            The trades, and whether every event of one stood in the receipt of its transaction with
            its transfers: between the owner and the settlement, of exactly what it states.
        """
        found = await TRADE.find(self._chain, self.address, first, last, (owner,))
        asked = [one for one in found if uid is None or bytes(one.arguments["orderUid"]) == uid]
        proven: list[Trade] = []
        sound = True
        for transaction in dict.fromkeys(one.transaction for one in asked):
            receipt = await self._chain.receipt(transaction)
            if receipt is None:  # a reorganisation took it since
                continue
            # All of the owner's trades in it share its transfers, those not asked for too.
            together = [one for one in found if one.transaction == transaction]
            moves = {one.index: _moves(one, owner, self.address) for one in together}
            needed = Counter(move for pair in moves.values() for move in pair)
            stated = all(TRADE.stated(one, self.address, receipt) for one in together)
            moved = Counter(_plain(one) for one in receipt.transfers())
            if not receipt.ok or not stated or needed - moved:
                sound = False
                continue
            proven += [
                _trade(one, receipt, *moves[one.index])
                for one in asked
                if one.transaction == transaction
            ]
        return proven, sound


Move = tuple[str, str, str, int]
"""token, source, target, amount."""


def fits(trade: Trade, order: SignedOrder) -> bool:
    """Whether the trade is what ``order`` allows: whole, and within its limit."""
    if (trade.sell_token, trade.buy_token) != (order.sell_token, order.buy_token):
        return False
    if order.kind == "sell":
        return trade.sell_amount == order.sell_amount and trade.buy_amount >= order.buy_amount
    return trade.buy_amount == order.buy_amount and trade.sell_amount <= order.sell_amount


def _moves(found: Found, owner: str, settlement: str) -> tuple[Move, Move]:
    arguments = found.arguments
    return (
        (arguments["sellToken"], owner, settlement, arguments["sellAmount"]),
        (arguments["buyToken"], settlement, owner, arguments["buyAmount"]),
    )


def _plain(moved: TokenTransfer) -> Move:
    return moved.token, moved.source, moved.target, moved.amount


def _trade(found: Found, receipt: Receipt, sold: Move, bought: Move) -> Trade:
    indexes = {
        next(one.index for one in receipt.transfers() if _plain(one) == move)
        for move in (sold, bought)
    }
    logs = tuple(log for log in receipt.logs if log.index in indexes)
    return Trade(
        uid=bytes(found.arguments["orderUid"]),
        sell_token=sold[0],
        buy_token=bought[0],
        sell_amount=sold[3],
        buy_amount=bought[3],
        block=receipt.block,
        receipt=replace(receipt, logs=logs),
        exec_id=f"{receipt.hash}:{found.index}",
    )
