"""Lane: one access key's nonces; each transaction is signed once, and sent as often as needed.

NEAR wants each nonce larger than the key's last, not the next one. A transaction that a later one
has overtaken can therefore never run: the lane says so (``DEAD``) only with the hash of the other
one, from the block in which the nonce was taken; until then a used nonce is a doubt.
"""

from __future__ import annotations

import asyncio
import enum
import secrets
from dataclasses import dataclass

from agent_fund.execution.live.signing import Ed25519Signer
from agent_fund.execution.near.errors import NearRefused, NearUnreachable
from agent_fund.execution.near.overtaking import overtaker
from agent_fund.execution.near.rpc import NearRpc, Result
from agent_fund.execution.near.transaction import FunctionCall, NearTransaction, sign_call

_STEP = 100_000


class Fate(enum.Enum):
    """What is known of a transaction; what is DONE or DEAD stays so."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True)
class Outcome:
    """``result`` is there when it is DONE, which a failed execution is too."""

    fate: Fate
    result: Result | None = None
    detail: str = ""


class Lane:
    """The transactions of one key of ``account_id``; two lanes for one key get in each other's way.

    Args:
        poll: seconds between two questions after the same transaction.
    """

    def __init__(
        self, rpc: NearRpc, signer: Ed25519Signer, account_id: str, *, poll: float = 0.5
    ) -> None:
        self._rpc, self._signer, self._poll = rpc, signer, poll
        self.account_id = account_id
        self._lock = asyncio.Lock()
        self._last = 0

    async def sign(self, call: FunctionCall) -> NearTransaction:
        """Sign ``call`` with the next nonce; nothing is sent.

        Raises:
            NearUnreachable, NearRefused: if the key's nonce cannot be read.
        """
        async with self._lock:
            used, block_hash = await self._rpc.access_key_nonce(
                self.account_id, self._signer.public_key
            )
            if not self._last:
                # A random step after the start: an earlier process may have signed the next nonce.
                self._last = used + secrets.randbelow(_STEP)
            self._last = max(self._last, used) + 1
            return await sign_call(self._signer, self.account_id, call, self._last, block_hash)

    async def send(self, transaction: NearTransaction) -> Outcome:
        """Send the bytes, or send them again, and say what is known then."""
        try:
            await self._rpc.send(transaction.raw)
        except NearUnreachable as error:
            return Outcome(Fate.UNKNOWN, detail=str(error.value))
        except NearRefused as error:
            # Refused now may still mean executed before: InvalidNonce is what a copy gets too.
            found = await self.outcome(transaction)
            return Outcome(found.fate, found.result, f"the node refused it: {error.value}")
        return await self.outcome(transaction)

    async def outcome(self, transaction: NearTransaction) -> Outcome:
        """What the chain knows of ``transaction``; asked by hash, nothing is sent."""
        try:
            key = self._signer.public_key
            used, seen = await self._rpc.access_key_nonce(self.account_id, key)
            result = await self._rpc.result(transaction.hash, self.account_id)
            if result is not None:
                return Outcome(Fate.DONE, result)
            if used < transaction.nonce:
                return Outcome(Fate.PENDING)
            other = await overtaker(self._rpc, transaction, self.account_id, key, seen)
        except NearUnreachable as error:
            return Outcome(Fate.UNKNOWN, detail=str(error.value))
        except NearRefused as error:
            return Outcome(Fate.UNKNOWN, detail=f"{error.value}: {error.fix}")
        if other is None:
            return Outcome(Fate.UNKNOWN, detail="its nonce is used; the node does not say by what")
        return Outcome(Fate.DEAD, detail=f"{other} took its nonce")

    async def run(self, call: FunctionCall, tries: int = 20) -> Result:
        """Sign and send ``call``, and wait until it is executed.

        Raises:
            NearUnreachable: if that is not known after ``tries`` questions; it may still run.
            NearRefused: if it can never run, or failed; ``value`` is the reason.
        """
        transaction = await self.sign(call)
        found = await self.send(transaction)
        for _ in range(tries):
            if found.fate is Fate.DONE and found.result is not None:
                if found.result.failure:
                    raise NearRefused(call.method, found.result.failure, "see the chain's reason")
                return found.result
            if found.fate is Fate.DEAD:
                raise NearRefused(call.method, found.detail, "sign it anew")
            await asyncio.sleep(self._poll)
            found = await self.send(transaction)
        raise NearUnreachable(call.method, found.detail or "no result", f"ask {transaction.hash}")
