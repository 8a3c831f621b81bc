"""SpokePool: what one chain's pool says of deposits, fills and refunds; read, never written.

An event alone moves nothing: a fill, or a refund, counts with the ERC-20 Transfer that brought it,
in the same transaction, between the pool's own events, so that no Transfer counts twice. The
receipt must be of the transaction that was asked for, and have the event itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent_fund.execution.across.contracts import (
    DEPOSITED,
    ENABLED_ROUTES,
    FILL_STATUSES,
    FILLED,
    FILLED_RELAY,
    PAUSED_DEPOSITS,
    REFUND_EXECUTED,
    WRAPPED_NATIVE,
)
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Event, Found
from agent_fund.execution.evm.past import call_at
from agent_fund.execution.evm.receipt import Receipt, TokenTransfer


@dataclass(frozen=True)
class Arrived:
    """Tokens that a fill or a refund brought: their own units, in that block."""

    amount: int
    block: int
    transaction: str


class SpokePool:
    """The pool at the checksum address ``address`` on ``chain``."""

    def __init__(self, chain: Chain, address: str) -> None:
        self._chain = chain
        self.address = address

    def deposits_in(self, receipts: Iterable[Receipt]) -> list[Relay]:
        """The deposits that these transactions made."""
        logs = (log for receipt in receipts for log in receipt.logs)
        read = (DEPOSITED.read(log) for log in logs if log.address == self.address)
        return [Relay.deposited(found, self._chain.chain_id) for found in read if found is not None]

    async def deposits_of(self, depositor: str, first: int, last: int) -> list[tuple[Relay, int]]:
        """Every deposit in those blocks that is refunded to ``depositor``, with its block.

        Anybody can make one in another's name.
        """
        indexed = (None, None, depositor)
        found = await DEPOSITED.find(self._chain, self.address, first, last, indexed)
        number = self._chain.chain_id
        return [(Relay.deposited(one.arguments, number), one.block) for one in found]

    async def fill_of(self, relay: Relay, first: int, last: int) -> Arrived | None:
        """The fill of exactly ``relay`` in those blocks, with what it brought to the recipient.

        Not a fill: one with other content; one that sent to somebody else by a later instruction;
        one without its Transfer, or that brought less than the output amount.
        """
        indexed = (relay.origin_chain, relay.deposit_id)
        for found in await FILLED_RELAY.find(self._chain, self.address, first, last, indexed):
            if Relay.filled(found.arguments, self._chain.chain_id).hash != relay.hash:
                continue
            recipient, message, _, _ = found.arguments["relayExecutionInfo"]
            if int(recipient, 16) != int(relay.recipient, 16) or message:
                continue
            receipt = await self._chain.receipt(found.transaction)
            if receipt is None or not self._holds(receipt, FILLED_RELAY, found):
                continue
            end = min((one for one in self._own_events(receipt) if one > found.index), default=None)
            for moved in _between(receipt.transfers(), found.index, end):
                wanted = (relay.output_token, relay.recipient)
                if (moved.token, moved.target) == wanted and moved.amount >= relay.output_amount:
                    return Arrived(moved.amount, receipt.block, receipt.hash)
        return None

    async def filled(self, relay: Relay, block: int) -> bool:
        """Whether the pool holds ``relay`` for filled, as of ``block``; then it never is again."""
        data = call_data(FILL_STATUSES, relay.hash)
        answer = await call_at(self._chain, self.address, data, block)
        return int.from_bytes(answer, "big") == FILLED

    async def refunds_of(self, token: str, depositor: str, first: int, last: int) -> list[Arrived]:
        """What executed refund leaves brought to ``depositor`` in those blocks, in their order."""
        refunds: list[Arrived] = []
        for found in await REFUND_EXECUTED.find(self._chain, self.address, first, last):
            leaf = found.arguments
            due = [
                amount
                for address, amount in zip(
                    leaf["refundAddresses"], leaf["refundAmounts"], strict=True
                )
                if address == depositor and leaf["l2TokenAddress"] == token and amount
            ]
            receipt = await self._chain.receipt(found.transaction) if due else None
            if receipt is None or not self._holds(receipt, REFUND_EXECUTED, found):
                continue
            # The pool pays a leaf's refunds out, then emits the leaf's one event.
            start = max((one for one in self._own_events(receipt) if one < found.index), default=-1)
            paid = [
                moved.amount
                for moved in _between(receipt.transfers(), start, found.index)
                if (moved.token, moved.source, moved.target) == (token, self.address, depositor)
            ]
            for amount in due:
                if amount in paid:
                    paid.remove(amount)
                    refunds.append(Arrived(amount, receipt.block, receipt.hash))
        return refunds

    async def accepts(self, token: str, destination_chain: int) -> bool:
        """Whether deposits of ``token`` for that chain are taken now."""
        route = call_data(ENABLED_ROUTES, token, destination_chain)
        if not int.from_bytes(await self._chain.call(self.address, route), "big"):
            return False
        paused = await self._chain.call(self.address, call_data(PAUSED_DEPOSITS))
        return not int.from_bytes(paused, "big")

    async def wrapped_native(self) -> str:
        """The wrapped coin, which a fill pays out as coin and not as a token; lower case."""
        answer = await self._chain.call(self.address, call_data(WRAPPED_NATIVE))
        return "0x" + answer[-20:].hex()

    def _holds(self, receipt: Receipt, event: Event, found: Found) -> bool:
        return receipt.ok and event.stated(found, self.address, receipt)

    def _own_events(self, receipt: Receipt) -> list[int]:
        topics = {FILLED_RELAY.topic, REFUND_EXECUTED.topic, DEPOSITED.topic}
        return [
            log.index
            for log in receipt.logs
            if log.address == self.address and log.topics[:1] and log.topics[0] in topics
        ]


def _between(
    transfers: Iterable[TokenTransfer], start: int, end: int | None
) -> list[TokenTransfer]:
    return [one for one in transfers if start < one.index and (end is None or one.index < end)]
