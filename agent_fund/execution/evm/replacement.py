"""Replacement: other bytes for the nonces of a batch, at raised fees; at most one can be mined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent_fund.execution.evm.batch import Batch, Signed, sign_call
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.fees import FeePolicy, Fees
from agent_fund.execution.live.signing import EvmSigner

TRANSFER_GAS = 21_000
"""What a transfer of coin without data costs (Ethereum yellow paper, G_tx)."""


@dataclass(frozen=True)
class Replacement:
    """What takes the place of ``before``, not signed yet."""

    before: Signed
    call: Call
    limit: int
    fees: Fees

    @property
    def cost(self) -> int:
        """Wei that it can cost."""
        return self.limit * self.fees.maximum + self.call.value

    async def sign(self, signer: EvmSigner, chain_id: int) -> Signed:
        """It, signed, with the hashes of what it replaces."""
        nonce = self.before.nonce
        signed = await sign_call(signer, chain_id, nonce, self.call, self.limit, self.fees)
        return replace(signed, earlier=self.before.hashes)


def replacements(
    batch: Batch, mined: int, policy: FeePolicy, history: Mapping[str, Any], *, cancels: bool
) -> list[Replacement]:
    """Of all of ``batch`` in nonces from ``mined`` on: the same calls at raised fees.

    Args:
        cancels: a transfer of nothing to oneself instead, but for approvals.

    Raises:
        ExecutionError: if the fees would be above what the policy allows.
    """
    found = []
    for one in batch.transactions:
        if one.nonce >= mined:
            call, limit, before = one.read()
            fees = policy.replacement(before, history, last=cancels)
            if cancels and not one.approval:
                call, limit = Call(batch.sender, b""), TRANSFER_GAS
            found.append(Replacement(one, call, limit, fees))
    return found
