"""Which expired deposit a refund is of: a refund names its depositor and an amount, no deposit.

A hub may pay several deposits of one depositor in one sum. Every refund is given to deposits once,
in the order in which refunds were paid, and only if its amount is theirs to the last unit; a
deposit gets one refund at most. What this says of a refund never changes later: it stops where a
deposit is in the way of which it is not certain yet whether it was filled.

Anybody can deposit in another's name, for a chain too that is not asked here. Such a foreign
deposit may have been filled or not: it is due nothing, and may be a part of any sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_SUMS = 4_096
"""As many sums of foreign deposits are told apart."""


@dataclass(frozen=True)
class Claim:
    """A deposit that was not filled, or may not have been.

    Attributes:
        deposit_id: of the origin's pool. ``amount``: the input token's own units.
        deadline: Unix seconds. ``block``: of the origin, in which it was made.
        certain: whether it is certain that no fill came, and none can come any more.
        foreign: whether it is for a chain that is not asked, and so never certain.
    """

    deposit_id: int
    amount: int
    deadline: int
    block: int
    certain: bool
    foreign: bool = False


@dataclass(frozen=True)
class Payment:
    """A refund that arrived: the token's own units, in that block of the origin."""

    amount: int
    block: int


def refunded(claims: Sequence[Claim], payments: Sequence[Payment]) -> frozenset[int]:
    """The ids of the deposits that ``payments``, in the order of the chain, have paid back.

    A payment is of the claim with its very amount, of several the one with the earliest deadline;
    else of the claims with the earliest deadlines that make up its amount together; else of as
    many of these as do so with foreign ones; else of none. It is of no deposit that was made
    later. Foreign ones are not told of, and those told of come to no more than was paid.
    """
    open_claims = sorted(claims, key=lambda claim: (claim.deadline, claim.deposit_id))
    paid: set[int] = set()
    for payment in payments:
        made = [claim for claim in open_claims if claim.block < payment.block]
        due = [claim for claim in made if not claim.foreign]
        exact = [claim for claim in due if claim.amount == payment.amount][:1]
        chosen = exact or _sum(due, payment.amount)
        if not all(claim.certain for claim in chosen or due):
            break
        if not chosen:
            chosen = _mixed(due, [claim for claim in made if claim.foreign], payment.amount)
        paid.update(claim.deposit_id for claim in chosen if not claim.foreign)
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


def _mixed(due: Sequence[Claim], foreign: Sequence[Claim], amount: int) -> list[Claim]:
    """As many of the first claims as make up ``amount`` with foreign ones, and these, or none.

    Of foreign ones that come to too many sums, any part may have been paid.
    """
    sums: dict[int, tuple[Claim, ...]] = {0: ()}
    for claim in foreign:
        for total, parts in list(sums.items()):
            if total + claim.amount <= amount:
                sums.setdefault(total + claim.amount, (*parts, claim))
        if len(sums) > _SUMS:
            break
    most = sum(claim.amount for claim in foreign) if len(sums) > _SUMS else -1
    for count in range(len(due), -1, -1):
        rest = amount - sum(claim.amount for claim in due[:count])
        if rest in sums or 0 <= rest <= most:
            return [*due[:count], *sums.get(rest, ())]
    return []
