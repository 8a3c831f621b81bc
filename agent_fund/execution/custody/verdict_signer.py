"""VerdictSigner: the guard's key at work; it signs no action that the leg's cover does not reach.

It runs on the guard's side. Covers come from the guard's own record of what it admitted: ``covers``
answers None for a leg that it does not know, and then nothing is signed.
"""

from __future__ import annotations

from collections.abc import Callable

from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.verdict import Domain, Verdict
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.call import Action
from agent_fund.execution.live.signing import EvmSigner


class VerdictSigner:
    """Signs verdicts for one module, under one mandate.

    Args:
        key: the guard's; never the executor's (the module refuses that too).
        mandate_hash: the 32 bytes of the mandate in force, as the module has it.
        covers: the cover of an admitted leg by its id, of those alone that are for this module's
            Safe: under another's a leg would be done a second time.
    """

    def __init__(
        self,
        key: EvmSigner,
        domain: Domain,
        mandate_hash: bytes,
        covers: Callable[[str], Cover | None],
    ) -> None:
        if len(mandate_hash) != 32:
            raise ExecutionError("mandate hash", mandate_hash.hex(), "give 32 bytes")
        self._key = key
        self.domain = domain
        self._mandate_hash = mandate_hash
        self._covers = covers

    async def sign(self, action: Action, leg_id: str, deadline: int) -> tuple[Verdict, bytes]:
        """The verdict over ``action``, and its signature (65 bytes rsv).

        Raises:
            ExecutionError: if the leg was not admitted, or its cover does not reach so far.
        """
        cover = self._covers(leg_id)
        if cover is None:
            raise ExecutionError("leg", leg_id, "the guard has admitted no such leg")
        cover.require(action, deadline)
        verdict = Verdict.of(action, leg_id, self._mandate_hash, deadline)
        return verdict, await self._key.sign_typed_data(verdict.typed_data(self.domain))
