"""Lane: the nonces of one key on one chain; every transaction of the key goes through it.

Nonces are given out under a lock and in one piece to each batch; nothing is signed that the
simulation refuses. What is signed is sent as it is, any number of times; what must not happen any
more is replaced in its nonce, and has not happened before the chain's finality says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from web3.exceptions import Web3RPCError

import agent_fund.execution.recursion  # noqa: F401 - keeps Python's limit of recursion
from agent_fund.execution.errors import ExecutionError, InsufficientFunds
from agent_fund.execution.evm.batch import Batch, Signed, sign_call
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import HISTORY, FeePolicy, Fees
from agent_fund.execution.evm.outcome import Outcome, outcome_of
from agent_fund.execution.evm.simulation import simulate
from agent_fund.execution.live.signing import EvmSigner

_TRANSFER_GAS = 21_000  # what a transfer of coin without data costs (Ethereum yellow paper, G_tx)
# Answers that say that these bytes, or others in their nonce, are there already. The wording is
# each node's own: geth, reth and erigon, nethermind, anvil.
_ALREADY = (
    "already known",
    "already imported",
    "alreadyknown",
    "known transaction",
    "nonce too low",
    "oldnonce",
    "replacement transaction underpriced",
    "replacementnotallowed",
)


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
        self._next: int | None = None
        # By first nonce: what was signed and is not over yet, in its latest version.
        self._held: dict[int, Batch] = {}
        self._sent: set[int] = set()
        # By nonce: hashes of what was put in the place of a call that is cancelled.
        self._replacements: dict[int, set[str]] = {}

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

    async def sign(self, calls: Sequence[Call], deadline: int) -> Batch:
        """Sign ``calls`` with the next nonces; nothing is sent.

        Args:
            deadline: Unix seconds; by the chain's clock it must lie ahead.

        Raises:
            RevertError: if the chain as it is would not let them through.
            InsufficientFunds: if the coin does not pay for them and for what is under way.
            ExecutionError: after the deadline, or if gas is dearer than the cap.
            ChainSilent, Web3RPCError: if the chain does not answer; nothing is signed.
        """
        if not calls:
            raise ExecutionError("batch", 0, "give at least one call")
        limits = await simulate(self._chain, self.address, calls)
        async with self._lock:
            now = await self._chain.now()
            if now >= deadline:
                raise ExecutionError(f"deadline on {self._chain.name}", deadline, f"it is {now}")
            fees = self._fees.bid(await self._history())
            needed = sum(limit * fees.maximum for limit in limits) + sum(c.value for c in calls)
            await self._require_coin(needed)
            first = await self._free_nonce()
            signed = [
                await self._signed(first + number, call, limit, fees)
                for number, (call, limit) in enumerate(zip(calls, limits, strict=True))
            ]
            batch = Batch(self._chain.chain_id, self.address, deadline, tuple(signed))
            self._next = first + len(signed)
            self._held[first] = batch
            return batch

    async def send(self, batch: Batch) -> tuple[str, ...]:
        """Send the bytes; the same ones, any number of times.

        Returns:
            What the node said against them, if anything but that it knows them: they may still be
            mined, but not by this sending.

        Raises:
            ChainSilent: without an answer; they may have arrived.
        """
        await self._take_up(batch)
        self._sent.add(batch.nonces[0])
        return await self._send(batch.transactions)

    async def resend(self, batch: Batch) -> tuple[str, ...]:
        """Send again what this process last sent for it, its replacement if it was cancelled.

        Returns:
            As ``send``; nothing is sent, and nothing said, of what this process never sent.

        Raises:
            As ``send``.
        """
        self._require_own(batch)
        first = batch.nonces[0]
        if first not in self._sent or first not in self._held:
            return ()
        return await self._send(self._held[first].transactions)

    async def outcome(self, batch: Batch) -> Outcome:
        """What became of it.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        self._require_own(batch)
        outcome = await outcome_of(self._chain, self._with_versions(batch), self._replacements)
        if outcome.final:
            self._held.pop(batch.nonces[0], None)
            self._sent.discard(batch.nonces[0])
        else:
            await self._take_up(batch)
        return outcome

    async def bump(self, batch: Batch) -> Batch:
        """The same calls in the same nonces at fees raised by an eighth or more; nothing is sent.

        What is mined keeps its bytes. At most one version of each can be mined, and the outcome of
        the answer knows them all.

        Raises:
            ExecutionError: if that is above the cap, or the batch was cancelled here.
            ChainSilent, Web3RPCError: if the chain does not answer; nothing is signed.
        """
        await self._take_up(batch)
        if any(nonce in self._replacements for nonce in batch.nonces):
            raise ExecutionError("bump", batch.reference, "it was cancelled: cancel it again")
        async with self._lock:
            return await self._raised(batch, replacing=False)

    async def cancel(self, batch: Batch) -> Batch:
        """Put transfers of nothing to oneself in the place of its calls, at raised fees; send them.

        Approvals stay, so that none is left over. ``outcome`` of the batch given tells whether the
        replacement was faster.

        Returns:
            The batch of the replacements.

        Raises:
            As ``bump``, and as ``send``.
        """
        await self._take_up(batch)
        async with self._lock:
            instead = await self._raised(batch, replacing=True)
        self._sent.add(batch.nonces[0])
        await self._send(instead.transactions)
        return instead

    async def restore(self, batches: Sequence[Batch]) -> None:
        """Take up what an earlier process signed, so that no nonce of it is given out again."""
        async with self._lock:
            for batch in batches:
                self._hold(batch)
            await self._free_nonce()

    async def repair(self) -> tuple[int, ...]:
        """Fill the nonces that nobody holds with transfers of nothing, so that later ones can move.

        A nonce is held by a batch that was signed or restored here and is not over: its owner sends
        it again, or cancels it.

        Returns:
            The nonces that were filled.

        Raises:
            As ``bump``, and as ``send``.
        """
        async with self._lock:
            end = await self._free_nonce()
            held = {nonce for batch in self._held.values() for nonce in batch.nonces}
            waiting = int(await self._count("pending"), 16)
            gaps = [nonce for nonce in range(waiting, end) if nonce not in held]
            if not gaps:
                return ()
            fees = self._fees.bid(await self._history())
            await self._require_coin(len(gaps) * _TRANSFER_GAS * fees.maximum)
            nothing = Call(self.address, b"")
            filling = [await self._signed(n, nothing, _TRANSFER_GAS, fees) for n in gaps]
        await self._send(filling)
        return tuple(gaps)

    async def _send(self, transactions: Sequence[Signed]) -> tuple[str, ...]:
        answers = await self._chain.rpc_many(
            [("eth_sendRawTransaction", ["0x" + one.raw.hex()]) for one in transactions]
        )
        against = [one.message for one in answers if isinstance(one, Web3RPCError)]
        return tuple(
            said for said in against if not any(words in said.lower() for words in _ALREADY)
        )

    async def _take_up(self, batch: Batch) -> None:
        self._require_own(batch)
        if batch.nonces[0] not in self._held:
            async with self._lock:
                self._hold(batch)

    def _hold(self, batch: Batch) -> None:
        self._require_own(batch)
        self._held.setdefault(batch.nonces[0], batch)
        self._next = max(self._next or 0, batch.nonces[-1] + 1)

    def _with_versions(self, batch: Batch) -> Batch:
        """The batch with every version that this process signed of its calls, replacements not."""
        held = self._held.get(batch.nonces[0], batch)
        versions: dict[int, Signed] = {}
        for one, latest in zip(batch.transactions, held.transactions, strict=False):
            instead = self._replacements.get(one.nonce, set())
            if one.hash in latest.earlier:
                later = [hash for hash in latest.hashes if hash not in (*one.hashes, *instead)]
                versions[one.nonce] = replace(one, earlier=(*one.earlier, *later))
        return batch.with_versions(versions)

    async def _raised(self, batch: Batch, *, replacing: bool) -> Batch:
        batch = self._held[batch.nonces[0]]
        outcome = await outcome_of(self._chain, batch, self._replacements)
        history = await self._history()
        versions: dict[int, Signed] = {}
        for one, done in zip(batch.transactions, outcome.receipts, strict=True):
            if done is not None:
                continue
            call, limit, before = one.read()
            fees = self._fees.replacement(before, history)
            if replacing and not one.approval:
                call, limit = Call(self.address, b""), _TRANSFER_GAS
            signed = await self._signed(one.nonce, call, limit, fees)
            versions[one.nonce] = replace(signed, earlier=one.hashes)
            if replacing:
                self._replacements.setdefault(one.nonce, set()).add(signed.hash)
        raised = batch.with_versions(versions)
        self._held[batch.nonces[0]] = raised
        return raised

    async def _signed(self, nonce: int, call: Call, gas: int, fees: Fees) -> Signed:
        return await sign_call(self._signer, self._chain.chain_id, nonce, call, gas, fees)

    async def _free_nonce(self) -> int:
        """The first nonce that nothing was signed for, by the chain and by this lane."""
        block = "latest" if self._next is not None else "pending"
        self._next = max(self._next or 0, int(await self._count(block), 16))
        return self._next

    async def _count(self, block: str) -> str:
        return str(await self._chain.rpc("eth_getTransactionCount", self.address, block))

    async def _history(self) -> Any:
        method, parameters = HISTORY
        return await self._chain.rpc(method, *parameters)

    async def _require_coin(self, needed: int) -> None:
        left = await self._chain.coin(self.address) - needed
        if left < 0:
            raise InsufficientFunds(
                f"coin of {self.address} on {self._chain.name}", left, "send it coin for gas"
            )

    def _require_own(self, batch: Batch) -> None:
        if (batch.chain_id, batch.sender) != (self._chain.chain_id, self.address):
            raise ExecutionError(
                "batch",
                f"{batch.sender} on chain {batch.chain_id}",
                f"this lane is {self.address}'s on chain {self._chain.chain_id}",
            )
