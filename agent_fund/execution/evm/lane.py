"""Lane: the nonces of one key on one chain; every transaction of the key goes through it.

Nonces are given out under a lock and in one piece to each batch; nothing is signed that the
simulation refuses. What is signed is sent as it is, any number of times; what must not happen any
more is replaced in its nonce, and has not happened before the chain's finality says so. Whatever
became of the leg, what is signed is held until its nonces are taken for good, and what is past its
deadline frees them before anything else is signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.evm.batch import Batch, Signed, sign_call
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import HISTORY, FeePolicy, Fees
from agent_fund.execution.evm.held import Held
from agent_fund.execution.evm.next_nonce import NextNonce
from agent_fund.execution.evm.nonce import count, settled_count
from agent_fund.execution.evm.outcome import Outcome, outcome_of
from agent_fund.execution.evm.replacement import TRANSFER_GAS, replacements
from agent_fund.execution.evm.sending import send_lost, send_raw
from agent_fund.execution.evm.simulation import simulate
from agent_fund.execution.evm.terms import Terms
from agent_fund.execution.live.signing import EvmSigner


class Lane:
    """One nonce lane for one chain and key.

    Args:
        signer: no other process or lane may use its key on this chain.
    """

    def __init__(self, chain: Chain, signer: EvmSigner, fees: FeePolicy | None = None) -> None:
        self._chain = chain
        self._signer = signer
        self._fees = fees or FeePolicy()
        self._lock = asyncio.Lock()
        self._next = NextNonce(chain, signer.address)
        self._held = Held()
        self._sent: set[int] = set()  # by first nonce

    @property
    def address(self) -> str:
        """The checksum address whose nonces these are."""
        return self._signer.address

    async def price(self) -> int:
        """What a unit of gas would cost in the next block, in wei.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        return self._fees.price(await self._history())

    async def sign(self, calls: Sequence[Call], deadline: int, terms: Terms | None = None) -> Batch:
        """Sign ``calls`` with the next nonces; nothing is sent but what ``tend`` sends.

        Args:
            deadline: Unix seconds; by the chain's clock it must lie ahead.
            terms: what they may do to balances, if that is to be looked at.

        Raises:
            RevertError: if the chain as it is would not let them through.
            TermsError: if by the chain as it is they would move other amounts.
            InsufficientFunds: if the coin does not pay for them and for what is under way.
            ExecutionError: after the deadline; if gas is dearer than the highest bid; as ``tend``.
            ChainSilent, Web3RPCError: if the chain does not answer; nothing is signed.
        """
        if not calls:
            raise ExecutionError("batch", 0, "give at least one call")
        limits = await simulate(self._chain, self.address, calls, terms)
        async with self._lock:
            await self._tend()
            now = await self._chain.now()
            if now >= deadline:
                raise ExecutionError(f"deadline on {self._chain.name}", deadline, f"it is {now}")
            fees = self._fees.bid(await self._history())
            needed = sum(limit * fees.maximum for limit in limits) + sum(c.value for c in calls)
            await self._require_coin(needed)
            first = await self._next.free()
            signed = [
                await self._signed(first + number, call, limit, fees)
                for number, (call, limit) in enumerate(zip(calls, limits, strict=True))
            ]
            batch = Batch(self._chain.chain_id, self.address, deadline, tuple(signed))
            return self._hold(batch)

    async def send(self, batch: Batch) -> tuple[str, ...]:
        """Send the bytes; the same ones, any number of times; its replacement if it was cancelled.

        Returns:
            What the node said against them, if anything but that it knows them: they may still be
            mined, but not by this sending.

        Raises:
            ExecutionError: if other bytes were signed for its nonces; nothing is sent.
            ChainSilent: without an answer; they may have arrived.
        """
        held = await self._take_up(batch)
        self._sent.add(batch.nonces[0])
        cancelled = any(self._held.replaced(one) for one in batch.transactions)
        return await send_raw(self._chain, (held if cancelled else batch).transactions)

    async def resend(self, batch: Batch) -> tuple[str, ...]:
        """Send again what this process last sent for it, its replacement if it was cancelled.

        Returns:
            As ``send``; nothing is sent, and nothing said, of what this process never sent.

        Raises:
            ChainSilent: without an answer; they may have arrived.
        """
        self._require_own(batch)
        held = self._held.latest(batch)
        if held is None or batch.nonces[0] not in self._sent:
            return ()
        return await send_raw(self._chain, held.transactions)

    async def outcome(self, batch: Batch) -> Outcome:
        """What became of it.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        self._require_own(batch)
        known = self._held.with_versions(batch)
        outcome = await outcome_of(self._chain, known, self._held.replacements)
        if outcome.final:
            self._held.drop(batch)
            self._sent.discard(batch.nonces[0])
        else:
            async with self._lock:
                self._keep(batch)
        return outcome

    async def bump(self, batch: Batch) -> Batch:
        """The same calls in the same nonces at fees raised by an eighth or more; nothing is sent.

        What is mined keeps its bytes. At most one version of each can be mined, and the outcome of
        the answer knows them all.

        Raises:
            ExecutionError: if that is above the highest bid or the coin does not pay for it, if the
                batch was cancelled here, or if other bytes were signed for its nonces.
            ChainSilent, Web3RPCError: if the chain does not answer; nothing is signed.
        """
        async with self._lock:
            held = self._hold(batch)
            if any(self._held.replaced(one) for one in held.transactions):
                raise ExecutionError("bump", batch.reference, "it was cancelled: cancel it again")
            return await self._raised(held, replacing=False)

    async def cancel(self, batch: Batch) -> Batch:
        """Put transfers of nothing to oneself in the place of its calls, at raised fees; send them.

        Approvals stay, so that none is left over. ``outcome`` of the batch given tells whether the
        replacement was faster.

        Returns:
            The batch of the replacements.

        Raises:
            ExecutionError: if that is above the cap, or other bytes were signed for its nonces.
            ChainSilent, Web3RPCError: if the chain does not answer; what was sent may have arrived.
        """
        async with self._lock:
            instead = await self._raised(self._hold(batch), replacing=True)
        self._sent.add(batch.nonces[0])
        await send_raw(self._chain, instead.transactions)
        return instead

    async def restore(self, batches: Sequence[Batch]) -> None:
        """Take up what an earlier process signed, so that no nonce of it is given out again.

        Nothing is asked or sent, and any number of times is as good as once. Of two batches in the
        same nonces the first is held: at most one can be mined, and ``outcome`` tells of both.
        """
        async with self._lock:
            for batch in batches:
                self._require_own(batch)
                self._keep(batch)

    def release(self, batch: Batch) -> None:
        """Nobody will ask after it any more: ``tend`` frees those of its nonces that are left."""
        self._require_own(batch)
        self._held.release(batch)

    async def tend(self) -> None:
        """Free the nonces of what was released or is past its deadline; ``repair`` the others.

        It is cancelled, sent again when the node has lost it, and raised, up to the cap, when the
        next block is dearer, until its nonces are taken for good. ``sign`` does this too.

        Raises:
            ExecutionError: as ``repair``; or if a bid of an earlier process leaves no room under
                the cap, or a signer refuses.
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        async with self._lock:
            await self._tend()

    async def repair(self) -> tuple[int, ...]:
        """Fill the nonces that nobody holds with transfers of nothing, so that later ones can move.

        A nonce is held by a batch that was signed or restored here and is not over. What was sent
        of it is sent again if the node has lost it; the rest is its owner's to send or cancel.

        Returns:
            The nonces that were filled.

        Raises:
            InsufficientFunds: if the coin does not pay for it.
            ExecutionError: if the node's count of nonces is not to be believed.
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        async with self._lock:
            return await self._repair()

    async def _tend(self) -> None:
        if idle := list(self._held):
            now = await self._chain.now()
            idle = [one for one in idle if self._held.released(one) or now > one.deadline]
        if idle:
            await self._free(idle)
        await self._repair()

    async def _free(self, idle: Sequence[Batch]) -> None:
        mined = await count(self._chain, self.address, "latest")
        _, settled = await settled_count(self._chain, self.address)
        price = await self.price()
        # From the last on: what is mined must not let a later one through that is to be replaced.
        for batch in reversed(idle):
            if self._held.released(batch) and batch.nonces[-1] < settled:
                self._held.drop(batch)
                continue
            waiting = [one for one in batch.transactions if one.nonce >= mined]
            if not waiting:
                continue
            if not all(one.approval or self._held.replaced(one) for one in waiting):
                batch = await self._raised(batch, replacing=True)
            elif any(one.read()[2].maximum < price for one in waiting):
                # At the cap already, it waits for cheaper gas.
                with suppress(ExecutionError):
                    batch = await self._raised(batch, replacing=True)
            latest = [one for one in reversed(batch.transactions) if one.nonce >= mined]
            await send_lost(self._chain, latest)
            self._sent.add(batch.nonces[0])

    async def _repair(self) -> tuple[int, ...]:
        missing = await self._next.missing()
        if not missing:
            return ()
        sent = [batch for batch in self._held if batch.nonces[0] in self._sent]
        await send_lost(
            self._chain,
            [one for batch in sent for one in batch.transactions if one.nonce in missing],
        )
        gaps = self._next.gaps(missing, self._held.nonces)
        if not gaps:
            return ()
        fees = self._fees.bid(await self._history(), last=True)
        await self._require_coin(len(gaps) * TRANSFER_GAS * fees.maximum)
        nothing = Call(self.address, b"")
        filling = [await self._signed(n, nothing, TRANSFER_GAS, fees) for n in gaps]
        for one in filling:
            batch = self._hold(Batch(self._chain.chain_id, self.address, 0, (one,)))
            self._held.replaces(one)
            self._held.release(batch)
        await send_raw(self._chain, filling)
        return tuple(gaps)

    async def _take_up(self, batch: Batch) -> Batch:
        async with self._lock:
            return self._hold(batch)

    def _hold(self, batch: Batch) -> Batch:
        self._require_own(batch)
        self._next.signed(batch.nonces[-1])
        return self._held.hold(batch)

    def _keep(self, batch: Batch) -> None:
        """Hold it, unless another batch holds one of its nonces."""
        if self._held.takes(batch):
            self._hold(batch)
        self._next.signed(batch.nonces[-1])

    async def _raised(self, held: Batch, *, replacing: bool) -> Batch:
        mined = await count(self._chain, self.address, "latest")
        history = await self._history()
        bids = replacements(held, mined, self._fees, history, cancels=replacing)
        if not replacing:
            more = [max(one.cost - self._held.cost(one.before.nonce), 0) for one in bids]
            await self._require_coin(sum(more))
        versions = {}
        for one in bids:
            signed = await one.sign(self._signer, self._chain.chain_id)
            versions[signed.nonce] = signed
            if replacing:
                self._held.replaces(signed)
        return self._hold(held.with_versions(versions))

    async def _signed(self, nonce: int, call: Call, gas: int, fees: Fees) -> Signed:
        return await sign_call(self._signer, self._chain.chain_id, nonce, call, gas, fees)

    async def _history(self) -> Any:
        method, parameters = HISTORY
        return await self._chain.rpc(method, *parameters)

    async def _require_coin(self, needed: int) -> None:
        """Require coin for ``needed`` and for all that is held and not mined."""
        # The count first: what is mined in between is then reckoned twice, and not left out.
        mined = await count(self._chain, self.address, "latest")
        committed = self._held.committed(mined)
        left = await self._chain.coin(self.address) - committed - needed
        if left < 0:
            fix = f"send it coin for gas: {committed} may go to what is under way"
            raise InsufficientFunds(f"coin of {self.address} on {self._chain.name}", left, fix)

    def _require_own(self, batch: Batch) -> None:
        if (batch.chain_id, batch.sender) != (self._chain.chain_id, self.address):
            raise ExecutionError(
                "batch",
                f"{batch.sender} on chain {batch.chain_id}",
                f"this lane is {self.address}'s on chain {self._chain.chain_id}",
            )
