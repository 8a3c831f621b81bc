"""Which expired deposit a refund is of: a refund names its depositor and an amount, no deposit.

A hub may pay several deposits of one depositor in one sum. Every refund is given to deposits once,
in the order in which refunds were paid, and only if its amount is theirs to the last unit; a
deposit gets one refund at most. What this says of a refund never changes later: it stops where a
deposit is in the way of which it is not certain yet whether it was filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A deposit that was not filled, or may not have been.

    Attributes:
        deposit_id: of the origin's pool. ``amount``: the input token's own units.
        deadline: Unix seconds. ``block``: of the origin, in which it was made.
        certain: whether it is certain that no fill came, and none can come any more.
    """

    deposit_id: int
    amount: int
    deadline: int
    block: int
    certain: bool


@dataclass(frozen=True)
class Payment:
    """A refund that arrived: the token's own units, in that block of the origin."""

    amount: int
    block: int


def refunded(claims: Sequence[Claim], payments: Sequence[Payment]) -> frozenset[int]:
    """The ids of the deposits that ``payments``, in the order of the chain, have paid back.

    A payment is of the claim with its very amount, of several the one with the earliest deadline;
    else of the claims with the earliest deadlines that make up its amount together; else of none.
    It is of no deposit that was made later.
    """
    open_claims = sorted(claims, key=lambda claim: (claim.deadline, claim.deposit_id))
    paid: set[int] = set()
    for payment in payments:
        due = [claim for claim in open_claims if claim.block < payment.block]
        exact = [claim for claim in due if claim.amount == payment.amount][:1]
        chosen = exact or _sum(due, payment.amount)
        if not all(claim.certain for claim in chosen or due):
            break
        paid.update(claim.deposit_id for claim in chosen)
        open_claims = [claim for claim in open_claims if claim not in chosen]
    return frozenset(paid)


def _sum(due: Sequence[Claim], amount: int) -> list[Claim]:
    """The first claims that make up ``amount`` exactly, or none."""
    total = 0
    for number, claim in enumerate(due):
        total += claim.amount
        if total == amount:
            return list(due[: number + 1])
    return []
