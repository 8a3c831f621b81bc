"""The carrier over 1Click: currency from the verifier elsewhere, by an agent that is trusted.

The deposit is an ``mt_transfer`` inside the verifier to an address that 1Click names: from then
until delivery or refund the agent has the money, and nothing on the chain compels it. Its word ends
no leg: SUCCESS and REFUNDED count when the arrival is seen on the chain, in the amount seen there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Prepared, Report, TransferQuote
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near import one_click
from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.lane import Fate, Lane
from agent_fund.execution.near.listing import Token
from agent_fund.execution.near.one_click import OneClickClient, SwapRequest, SwapStatus
from agent_fund.execution.near.rpc import NearRpc
from agent_fund.execution.near.transaction import TERA, FunctionCall, NearTransaction
from agent_fund.execution.near.verifier import Verifier

_INDICATION_MS = 60_000


class Arrivals(Protocol):
    """Who can see what arrived at a place."""

    async def received(self, recipient: str, token_id: str, hashes: Sequence[str]) -> int | None:
        """Units that the transactions ``hashes`` brought, finally; None if that is not known yet.

        Raises:
            NearUnreachable: without an answer.
        """
        ...


class VerifierArrivals:
    """Arrivals at accounts inside the verifier, from its final transfer events."""

    def __init__(self, rpc: NearRpc, verifier: Verifier) -> None:
        self._rpc, self._verifier = rpc, verifier

    async def received(self, recipient: str, token_id: str, hashes: Sequence[str]) -> int | None:
        """Net units; None while one of the transactions is not final."""
        total = 0
        for tx_hash in dict.fromkeys(hashes):
            result = await self._rpc.result(tx_hash, self._verifier.contract_id)
            if result is None or not result.final:
                return None
            total += self._verifier.received(result, recipient, token_id)
        return total


@dataclass(frozen=True)
class Passage:
    """One pair of places that 1Click serves.

    Attributes:
        origin: the currency inside the verifier. ``destination``: the currency at the target.
        recipient: the fund's account or address at the target.
        recipient_type: ``INTENTS`` or ``DESTINATION_CHAIN``.
        arrivals: who sees what arrives at the target.
    """

    source: str
    target: str
    origin: Token
    destination: Token
    recipient: str
    recipient_type: str
    arrivals: Arrivals


class OneClickCarrier:
    """Carries ``asset`` over ``passages``; implements the Carrier protocol.

    Args:
        lane: of the access key of the account that holds the currency inside the verifier.
        slippage: basis points that may be lost against the quote.
        refund_seconds: how long after the deadline a refund may take; STUCK after that.
    """

    def __init__(
        self,
        name: str,
        asset: Asset,
        passages: Sequence[Passage],
        client: OneClickClient,
        rpc: NearRpc,
        lane: Lane,
        *,
        contract_id: str = "intents.near",
        slippage: int = 50,
        refund_seconds: int = 3_600,
    ) -> None:
        self._name, self._asset, self._client = name, asset, client
        self._passages = {(one.source, one.target): one for one in passages}
        self._rpc, self._lane, self._slippage = rpc, lane, slippage
        self._verifier = Verifier(rpc, contract_id)
        self._refunds = VerifierArrivals(rpc, self._verifier)
        self._refund_seconds = refund_seconds

    @property
    def name(self) -> str:
        """Its name, which is also the name of the intermediary that is trusted."""
        return self._name

    def carries(self, source: str, target: str) -> bool:
        """Whether there is a passage."""
        return (source, target) in self._passages

    async def start(self) -> None:
        """Check that amounts of the currency can be expressed.

        Raises:
            ExecutionError: for a token with more decimals than the currency's scale.
        """
        for one in self._passages.values():
            for token in (one.origin, one.destination):
                if token.decimals > self._asset.scale:
                    raise ExecutionError(
                        f"scale of {self._asset.symbol}",
                        self._asset.scale,
                        f"{token.token_id} has {token.decimals} decimals; give it as many",
                    )

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        """An indication; a binding one comes with the deposit address."""
        passage = self._passages.get((source, target))
        if passage is None:
            return None
        try:
            block = await self._rpc.final_block()
            request = self._request(passage, amount, block.time_ns // 10**9 + 600)
            found = await self._client.quote(request, dry=True)
        except (NearRefused, NearUnreachable):
            return None
        arrives = passage.destination.amount_down(self._asset, found.min_amount_out)
        valid_until = block.time_ns // 10**6 + _INDICATION_MS
        return TransferQuote(
            source, target, amount, arrives, 0, valid_until, found.seconds, self._name
        )

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        """Ask for a deposit address, and sign the transfer to it."""
        transfer = transit.transfer
        passage = self._passages.get((transfer.source, transfer.target))
        if passage is None:
            raise ExecutionError(
                f"transfer {transit.transfer_id}",
                transfer.target,
                f"{self._name} does not serve it",
            )
        request = self._request(passage, transfer.amount, deadline)
        found = await self._client.quote(request, dry=False)
        least = passage.destination.least(self._asset, min_received)
        if found.amount_in != request.amount or found.min_amount_out < least:
            raise ExecutionError(
                f"transfer {transit.transfer_id}",
                found.min_amount_out,
                f"{self._name} no longer brings {least}; ask for a quote again",
            )
        args = {
            "receiver_id": found.deposit_address,
            "token_id": passage.origin.token_id,
            "amount": str(request.amount),
        }
        call = FunctionCall(self._verifier.contract_id, "mt_transfer", args, 30 * TERA, 1)
        made = await self._lane.sign(call)
        notes = {
            "source": transfer.source,
            "target": transfer.target,
            "tx_hash": made.hash,
            "tx_nonce": str(made.nonce),
            "least": str(found.min_amount_out),
        }
        return Prepared(transit.transfer_id, found.deposit_address, made.raw, deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        """Send the deposit, or send it again."""
        made = _transaction(prepared)
        sent = await self._lane.send(made)
        if sent.fate is Fate.DONE:
            with contextlib.suppress(NearRefused, NearUnreachable):  # it only saves time
                await self._client.tell_deposit(made.hash, prepared.reference)
        return await self.status(prepared)

    async def status(self, prepared: Prepared) -> Report:
        """The deposit from the chain, the swap from 1Click, its end from the chain again."""
        found = await self._lane.outcome(_transaction(prepared))
        if found.fate is Fate.DEAD:
            return Report(prepared.leg_id, LegState.REJECTED, detail=found.detail)
        if found.fate is Fate.UNKNOWN:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=found.detail)
        if found.result is None or not found.result.final:
            return Report(prepared.leg_id, LegState.SUBMITTED)
        if found.result.failure:
            return Report(prepared.leg_id, LegState.REJECTED, detail=found.result.failure)
        try:
            late = (await self._rpc.final_block()).time_ns // 10**9 - prepared.deadline
        except NearUnreachable as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))
        try:
            said = await self._client.status(prepared.reference)
            return await self._judge(prepared, said, late)
        except (NearRefused, NearUnreachable) as error:
            return self._waiting(prepared, LegState.UNKNOWN, late, str(error))

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """None: NEAR has no fee to raise."""
        return None

    async def close(self) -> None:
        """Let go of the connections to 1Click."""
        await self._client.close()

    def _request(self, passage: Passage, amount: int, deadline: int) -> SwapRequest:
        return SwapRequest(
            passage.origin.token_id,
            passage.destination.token_id,
            passage.origin.units(self._asset, amount),
            self._slippage,
            self._lane.account_id,
            passage.recipient,
            passage.recipient_type,
            deadline,
        )

    async def _judge(self, prepared: Prepared, said: SwapStatus, late: int) -> Report:
        passage = self._passages[prepared.notes["source"], prepared.notes["target"]]
        hashes = [one for one in said.tx_hashes if one != prepared.notes["tx_hash"]]
        detail = f"{self._name}: {said.status}"
        match said.status:
            case one_click.SUCCESS:
                units = await passage.arrivals.received(
                    passage.recipient, passage.destination.token_id, hashes
                )
                if units is not None and units >= int(prepared.notes["least"]):
                    return self._ended(prepared, LegState.SETTLED, passage.destination, units)
                return self._waiting(prepared, LegState.UNKNOWN, late, f"{detail}, seen: {units}")
            case one_click.REFUNDED:
                units = await self._refunds.received(
                    self._lane.account_id, passage.origin.token_id, hashes
                )
                if units:
                    return self._ended(prepared, LegState.REFUNDED, passage.origin, units)
                return self._waiting(prepared, LegState.UNKNOWN, late, f"{detail}, seen: {units}")
            case one_click.INCOMPLETE:
                return self._waiting(prepared, LegState.REFUND_PENDING, late, detail)
            case one_click.PENDING_DEPOSIT | one_click.KNOWN_DEPOSIT | one_click.PROCESSING:
                state = LegState.ORIGIN_CONFIRMED if late <= 0 else LegState.EXPIRED
                return self._waiting(prepared, state, late, detail)
            case _:  # FAILED among them: nobody says where the money is
                return self._waiting(prepared, LegState.UNKNOWN, late, detail)

    def _ended(self, prepared: Prepared, state: LegState, token: Token, units: int) -> Report:
        received = token.amount_down(self._asset, units)
        return Report(prepared.leg_id, state, received=received)

    def _waiting(self, prepared: Prepared, state: LegState, late: int, detail: str) -> Report:
        stuck = late > self._refund_seconds
        return Report(prepared.leg_id, LegState.STUCK if stuck else state, detail=detail)


def _transaction(prepared: Prepared) -> NearTransaction:
    notes = prepared.notes
    return NearTransaction(prepared.payload, notes["tx_hash"], int(notes["tx_nonce"]))
