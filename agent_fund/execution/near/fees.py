"""The verifier's fee: pips (1/1,000,000) of what is given away, rounded up; never of what comes.

A token_diff changes its signer's balances by exactly the diff. The fee is taken out of what the
counterparty gets: of ``amount`` given, ``amount - fee`` is left for it.
"""

from __future__ import annotations

from agent_fund.domain.money import ceil_div
from agent_fund.execution.errors import ExecutionError

PIPS = 1_000_000


def fee_on(token_id: str, amount: int, pips: int) -> int:
    """The fee on giving ``amount`` units of a token; none on one unit of a non-fungible standard.

    Raises:
        ExecutionError: for pips out of range or a negative amount.
    """
    if not 0 <= pips <= PIPS or amount < 0:
        raise ExecutionError("fee", (amount, pips), "give 0 to 1,000,000 pips of an amount")
    if token_id.startswith("nep171:") or (token_id.startswith("nep245:") and amount <= 1):
        return 0
    return ceil_div(amount * pips, PIPS)
