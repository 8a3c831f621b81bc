"""No trade makes any position larger, or turns it round: |after| <= |before|, and the same sign.

It holds for every interleaving of partial fills together with all open orders: of whatever side an
order is, it may fill first, alone, or not at all. So nothing may be open that enlarges a position,
and what shrinks it may not add up to more than is held.
"""

from __future__ import annotations

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.verdict import Situation


def reduce_only(*, rule: str = "", why: str = "") -> Guardrail:
    """For a mandate that is being wound down; its limit, by how much a position may grow, is 0."""
    return make("reduce_only", 0, False, rule, why)


def reduces(book: Book, proposal: Proposal) -> bool:
    """Whether no fills of ``proposal`` and the open orders enlarge or turn any position."""
    return not _enlarged(book, proposal)


def judge(guardrail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """The finding for every instrument of which there may be more than is held."""
    enlarged = _enlarged(situation.book, proposal)
    return Finding(
        "reduce_only",
        not enlarged,
        "positions no larger than they are, and on the same side",
        f"{', '.join(enlarged)} can grow or turn" if enlarged else "none can grow or turn",
        "any order may fill alone, open ones too",
    )


def _enlarged(book: Book, proposal: Proposal) -> list[str]:
    """Instruments whose position can leave the way from what is held to nothing."""
    changes = [(o.instrument.symbol, o.signed_remaining) for o in book.open_orders]
    changes += [(leg.instrument.symbol, leg.side.sign * leg.quantity) for leg in proposal.legs]
    found = []
    for symbol in sorted({symbol for symbol, _ in changes}):
        held = book.position(symbol)
        low = held + sum(min(0, change) for s, change in changes if s == symbol)
        high = held + sum(max(0, change) for s, change in changes if s == symbol)
        if not min(0, held) <= low <= high <= max(0, held):
            found.append(symbol)
    return found
