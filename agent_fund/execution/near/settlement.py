"""What became of a published intent, from the chain; the relay's word only says where to look.

The order of the questions: is there a transaction with our intent hash in its events? Has a final
block seen the nonce used, and by which payload? Can the nonce still be used at all? Each answer is
of one final block; without an answer the state is UNKNOWN.

The contract may forget a used nonce after its deadline, or once its salt is invalid. So an unused
one says that nothing was executed only in a block that is not later than that; if the node no
longer has that block's state, nobody can say, and the state is UNKNOWN.
"""

from __future__ import annotations

import json

from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near import relay as relayed
from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.nonce import VersionedNonce
from agent_fund.execution.near.rejection import classify
from agent_fund.execution.near.relay import RelayStatus, SolverRelay
from agent_fund.execution.near.rpc import Block, NearRpc
from agent_fund.execution.near.search import Execution, execution_in, find_execution
from agent_fund.execution.near.trade import Swap
from agent_fund.execution.near.turning import turning_point
from agent_fund.execution.near.verifier import Executed, Verifier


class Settlement:
    """Reports on the intents of ``account_id``."""

    def __init__(
        self, rpc: NearRpc, relay: SolverRelay, verifier: Verifier, account_id: str
    ) -> None:
        self._rpc, self._relay, self._verifier = rpc, relay, verifier
        self._account_id = account_id
        # Where a provisional fill was seen, so that a relay that forgets it hides nothing.
        self._seen: dict[str, str] = {}

    async def report(self, prepared: Prepared, doubted: str = "") -> Report:
        """What became of ``prepared``; ``doubted`` is a reason to ask whether it still can run."""
        try:
            said = await self._relay.status(prepared.reference)
        except NearUnreachable:
            said = RelayStatus("", "")
        try:
            for tx_hash in dict.fromkeys((said.tx_hash, self._seen.get(prepared.reference, ""))):
                if tx_hash and (found := await self._by_hash(prepared, tx_hash)):
                    return found
            block = await self._rpc.final_block()
            nonce = bytes.fromhex(prepared.notes["nonce"])
            if await self._verifier.nonce_used(self._account_id, nonce, block.height):
                return await self._by_nonce(prepared, nonce, block)
            return await self._unused(prepared, nonce, block, said, doubted)
        except (NearUnreachable, NearRefused) as error:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=str(error))

    async def _by_hash(self, prepared: Prepared, tx_hash: str) -> Report | None:
        result = await self._rpc.result(tx_hash, self._verifier.contract_id)
        for one in self._verifier.executed(result) if result is not None else ():
            if one.intent_hash == prepared.reference:
                return self._filled(
                    prepared, one, tx_hash, final=result is not None and result.final
                )
        return None

    async def _by_nonce(self, prepared: Prepared, nonce: bytes, block: Block) -> Report:
        low = await self._signed_at(prepared)
        found = await find_execution(self._rpc, self._verifier, self._account_id, nonce, low, block)
        if found is None:
            return Report(
                prepared.leg_id, LegState.UNKNOWN, detail="its nonce is used; by what is not known"
            )
        return self._used_by(prepared, found)

    def _used_by(self, prepared: Prepared, found: Execution) -> Report:
        one, tx_hash = found
        if one.intent_hash == prepared.reference:
            return self._filled(prepared, one, tx_hash, final=True)
        return Report(prepared.leg_id, LegState.CANCELED, detail=f"nonce used up by {tx_hash}")

    async def _unused(
        self, prepared: Prepared, nonce: bytes, block: Block, said: RelayStatus, doubted: str
    ) -> Report:
        last, late = block, await self._late(prepared, block)
        if late:
            low = await self._signed_at(prepared)
            last, _ = await turning_point(
                self._rpc, low, block, lambda one: self._late(prepared, one)
            )
            if await self._verifier.nonce_used(self._account_id, nonce, last.height):
                return await self._by_nonce(prepared, nonce, last)
        versioned = VersionedNonce.parse(nonce)
        if versioned is not None and not await self._verifier.salt_valid(
            versioned.salt, last.height
        ):
            return await self._invalidated(prepared, nonce, versioned.salt, last)
        if late:
            return Report(prepared.leg_id, LegState.CANCELED, detail="its deadline has passed")
        if doubted or said.status in (relayed.FAILED, relayed.NOT_FOUND):
            reason = doubted or f"relay: {said.status}"
            return await self._still_possible(prepared, block, reason)
        detail = f"relay: {said.status}" if said.status else "no word from the relay"
        return Report(prepared.leg_id, LegState.SUBMITTED, detail=detail)

    async def _invalidated(
        self, prepared: Prepared, nonce: bytes, salt: bytes, last: Block
    ) -> Report:
        async def invalid(block: Block) -> bool:
            return not await self._verifier.salt_valid(salt, block.height)

        low = await self._signed_at(prepared)
        before, first = await turning_point(self._rpc, low, last, invalid)
        for block in (before, first):
            if await self._verifier.nonce_used(self._account_id, nonce, block.height):
                return await self._by_nonce(prepared, nonce, block)
        # That one block may have executed it, invalidated the salt and cleaned the nonce.
        found = await execution_in(self._rpc, self._verifier, self._account_id, nonce, low, first)
        if found is not None:
            return self._used_by(prepared, found)
        return Report(prepared.leg_id, LegState.CANCELED, detail="its salt is invalid")

    async def _late(self, prepared: Prepared, block: Block) -> bool:
        return block.time_ns > prepared.deadline * 10**9

    async def _signed_at(self, prepared: Prepared) -> Block:
        """The final block at which it was signed: unused, in time, with a valid salt."""
        height = int(prepared.notes["height"])
        block = await self._rpc.block(height)
        if block is None:
            raise NearUnreachable("blocks of the NEAR node", height, "ask one with an archive")
        return block

    async def _still_possible(self, prepared: Prepared, block: Block, reason: str) -> Report:
        # Asked of the very block in which the nonce was unused: a later one might refuse what was
        # executed in between.
        signed = json.loads(prepared.payload)["signed_data"]
        try:
            await self._verifier.simulate([signed], block.height)
        except NearRefused as error:
            refusal = classify(str(error.value))
            detail = f"{reason}; the verifier: {error.value}"
            return Report(prepared.leg_id, refusal.state, detail=detail)
        return Report(prepared.leg_id, LegState.SUBMITTED, detail=reason)

    def _filled(self, prepared: Prepared, one: Executed, tx_hash: str, *, final: bool) -> Report:
        swap = Swap.of_notes(prepared.notes)
        if one.diffs != (swap.diff,):
            detail = f"{tx_hash} moved {one.diffs}, not {swap.diff}"
            return Report(prepared.leg_id, LegState.UNKNOWN, detail=detail)
        if final:
            self._seen.pop(prepared.reference, None)
        else:
            self._seen[prepared.reference] = tx_hash
        fees = ", ".join(f"{units} {token}" for token, units in one.fees.items())
        return Report(
            prepared.leg_id,
            LegState.SETTLED if final else LegState.FILLED,
            (swap.execution(one.intent_hash, final=final),),
            detail=f"{tx_hash}; protocol fee inside: {fees or 'none'}",
        )
