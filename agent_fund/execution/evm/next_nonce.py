"""NextNonce: the first nonce that nothing was signed for, by the chain and by one lane.

The node's first count is taken as it is. A later one beyond what was signed here would leave a gap
that nothing can be mined behind, so it is believed only if a block shows the transaction.
"""

from __future__ import annotations

from collections.abc import Collection

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.chain import Chain, ChainSilent
from agent_fund.execution.evm.nonce import count, taker

_MOST_GAPS = 64  # more nonces that nobody holds are a wrong answer of the node


class NextNonce:
    """Of the key with the address ``owner`` on ``chain``."""

    def __init__(self, chain: Chain, owner: str) -> None:
        self._chain = chain
        self._owner = owner
        self._next = 0
        self._counted = False

    def signed(self, last: int) -> None:
        """Something was signed for the nonces up to ``last``."""
        self._next = max(self._next, last + 1)

    async def free(self) -> int:
        """The first free one.

        Raises:
            ExecutionError: if the node counts more than were signed, and shows no block for it.
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        if self._counted:
            taken = await count(self._chain, self._owner, "latest")
            if taken > self._next:
                await self._require_shown(taken)
        else:
            # What an earlier process sent may wait in the pool.
            taken = await count(self._chain, self._owner, "pending")
        self._next, self._counted = max(self._next, taken), True
        return self._next

    async def missing(self) -> range:
        """The nonces before it that are not mined, from the first on that the pool does not have.

        Raises:
            ExecutionError: as ``free``.
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        end = await self.free()
        return range(await count(self._chain, self._owner, "pending"), end)

    def gaps(self, missing: range, held: Collection[int]) -> list[int]:
        """Those of ``missing`` that are not ``held``.

        Raises:
            ExecutionError: if there are too many to be believed.
        """
        found = [nonce for nonce in missing if nonce not in held]
        if len(found) > _MOST_GAPS:
            why = f"the next is {missing.stop}, and {len(found)} before it were not signed here"
            raise self._unbelieved(missing.start, why)
        return found

    async def _require_shown(self, taken: int) -> None:
        try:
            await taker(self._chain, self._owner, taken - 1, await self._chain.head())
        except ChainSilent as error:
            raise self._unbelieved(taken, f"the next is {self._next}; {error}") from None

    def _unbelieved(self, said: int, why: str) -> ExecutionError:
        fix = f"{why}: check the node, and that no other program uses the key, and start again"
        return ExecutionError(f"nonces of {self._owner} on {self._chain.name}", said, fix)
