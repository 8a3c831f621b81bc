"""Gross exposure, the sum of absolute positions at decision prices, stays within a share of NAV.

A pre-trade limit: it counts every way the open orders and the trade may fill, an option as the
whole of its underlying. A breach that the market alone made blocks increases and forces no sale,
unless the guardrail says ``always``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.guard.cases import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make


def gross_leverage(
    limit: Exact, *, always: bool = False, rule: str = "", why: str = ""
) -> Guardrail:
    """``limit``: gross exposure as a share of NAV, e.g. ``"100%"``."""
    return make("gross_leverage", limit, always, rule, why)


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the worst of ``every`` way the orders may fill."""
    worst = max(_gross(case, book, prices) for case in every)
    before = sum(book.exposure(s, q, prices) for s, q in book.positions.items())
    holds = worst <= guardrail.limit * nav or (worst <= before and not guardrail.always)
    return Finding(
        "gross_leverage",
        holds,
        f"at most {share(guardrail.limit)} of NAV",
        f"{share(Fraction(worst, nav))} of NAV",
        "at decision prices, fills as large as they can be",
    )


def _gross(case: Case, book: Book, prices: Mapping[str, int]) -> int:
    return sum(book.exposure(s, case.largest(s), prices) for s in case.symbols)
