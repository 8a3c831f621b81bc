"""What the fund has at any one venue, cash and positions together, stays within a share of NAV.

A pre-trade limit at decision prices; money on its way to a venue counts as there. What the loss of
a venue does to the drawdown is another matter: a stress set that names lost venues proves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.obligations import before_transfers


def venue_exposure(
    limit: Exact, *, always: bool = False, rule: str = "", why: str = ""
) -> Guardrail:
    """``limit``: the most that may stand at one venue, as a share of NAV, e.g. ``"60%"``."""
    return make("venue_exposure", limit, always, rule, why)


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the venue with most of the fund.

    Args:
        book: after the transfers that the trade makes.
    """
    worst, where, broken = 0, "none", False
    earlier = before_transfers(book)  # trades at decision prices move nothing
    for venue in sorted({i.venue.name for i in book.instruments.values()}):
        stands = equity_at(book, venue, prices)
        grows = stands > equity_at(earlier, venue, prices)
        if stands > guardrail.limit * nav and (grows or guardrail.always):
            broken = True
        if stands > worst:
            worst, where = stands, venue
    return Finding(
        "venue_exposure",
        not broken,
        f"at most {share(guardrail.limit)} of NAV at one venue",
        f"{share(Fraction(worst, nav))} of NAV at {where}",
        "at decision prices, transfers under way counted where they go",
    )


def equity_at(book: Book, venue: str, prices: Mapping[str, int]) -> int:
    """What stands at ``venue`` or is on its way there, in base units of the currency."""
    places = _places(book, venue)
    coming = sum(t.transfer.amount for t in book.transit if t.transfer.target in places)
    return coming + sum(book.equity(place, prices) for place in places)


def _places(book: Book, venue: str) -> set[str]:
    return {i.account for i in book.instruments.values() if i.venue.name == venue}
