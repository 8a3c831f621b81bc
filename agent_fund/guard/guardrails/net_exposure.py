"""Net exposure, longs less shorts at decision prices, stays within a share of NAV either way.

A pre-trade limit: of every way the open orders and the trade may fill, the worst counts. A breach
that the market alone made blocks what would widen it and forces no sale, unless ``always``. An
option counts as anything from nothing to the whole of its underlying, whichever is worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make


def net_exposure(limit: Exact, *, always: bool = False, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: the largest net exposure, long or short, as a share of NAV, e.g. ``"20%"``."""
    return make("net_exposure", limit, always, rule, why)


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the fills that leave the book furthest from flat."""
    ends = [end for case in every for end in _span(case, book, prices)]
    worst = max(ends, key=abs, default=0)
    held = Case({s: q for s, q in book.positions.items() if q}, (), ())
    lowest, highest = _span(held, book, prices)
    low, high = min(ends, default=0), max(ends, default=0)
    # Each side by itself: a book that has become too long may not turn too short.
    most = guardrail.limit * nav
    holds = all(
        end <= most or (end <= before and not guardrail.always)
        for end, before in ((high, highest), (-low, -lowest))
    )
    return Finding(
        "net_exposure",
        holds,
        f"at most {share(guardrail.limit)} of NAV, long or short",
        f"{share(Fraction(worst, nav))} of NAV",
        "at decision prices, the fills furthest to one side",
    )


def _span(case: Case, book: Book, prices: Mapping[str, int]) -> tuple[int, int]:
    ends = [book.directed(s, *case.span(s), prices) for s in case.symbols]
    return sum(low for low, _ in ends), sum(high for _, high in ends)
