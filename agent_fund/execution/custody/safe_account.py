"""SafeAccount: trades what a Safe holds; each action is one call of its module, with a verdict.

The executor's key pays the gas and moves nothing: the module takes the allowance, makes the call,
takes the allowance back and looks at the Safe's balances, in one transaction. Approvals that stay
after the transaction (orders that settle later) are therefore not possible.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.evm.call import Action, Call


class SafeAccount:
    """A Safe whose VerdictModule is the one in the signer's domain.

    Args:
        safe: checksum address.
    """

    def __init__(self, safe: str, signer: VerdictSigner) -> None:
        self._safe = safe
        self._signer = signer

    @property
    def address(self) -> str:
        """The Safe, which holds the tokens."""
        return self._safe

    async def calls(self, action: Action, leg_id: str, deadline: int) -> Sequence[Call]:
        """The one call that does ``action`` for the leg.

        Raises:
            ExecutionError: if what the guard admitted does not cover it.
        """
        verdict, signature = await self._signer.sign(action, leg_id, deadline)
        data = verdict.execution(action.call.data, signature)
        return [Call(self._signer.domain.module, data)]
