"""What trades at CoW, and how an order is put in the terms of its two tokens."""

from __future__ import annotations

from dataclasses import dataclass

from agent_fund.domain.order import Order, Side
from agent_fund.execution.cow.signed_order import SignedOrder
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.pair import Pair


@dataclass(frozen=True)
class Market:
    """An instrument that trades at CoW.

    Attributes:
        pair: its tokens; no pool is meant.
        probe: base units that ``prices`` asks quotes for.
        depth: base units that may trade in a bar: an auction has no book to read it from.
    """

    pair: Pair
    probe: int
    depth: int

    def signed_order(self, order: Order, owner: str, deadline: int, document: str) -> SignedOrder:
        """What is to be signed for ``order``: its quantity exactly, the other side by its limit.

        Args:
            document: the app data.

        Raises:
            ExecutionError: if an amount is nothing in its token, or the deadline no uint32.
        """
        base, quote = self.pair.base, self.pair.quote
        amount = base.exactly(order.quantity, order.instrument.base)
        if order.side is Side.SELL:
            tokens = (base.address, quote.address)
            amounts = (amount, self.pair.least_received(order.quantity, order.limit))
        else:
            tokens = (quote.address, base.address)
            amounts = (self.pair.most_spent(order.quantity, order.limit), amount)
        if not all(amounts) or not 0 < deadline < 2**32:
            fix = "state a quantity, a limit and a deadline that mean something in the tokens"
            raise ExecutionError(f"order {order.order_id}", (*amounts, deadline), fix)
        return SignedOrder(owner, *tokens, *amounts, deadline, order.side.value, document)


@dataclass(frozen=True)
class CowConfig:
    """The venue.

    Attributes:
        venue: the domain Venue's name.
        settlement: the contract's checksum address.
        gas: base units of the fund's currency that one order's allowance costs, estimated.
    """

    venue: str
    settlement: str
    markets: tuple[Market, ...]
    gas: int = 0
