"""The gross position in any one underlying, at decision prices, stays within a share of NAV.

A pre-trade limit like gross leverage: adversarial fills, and passive breaches only block increases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.money import Exact
from agent_fund.guard.compile import Case
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make


def concentration(
    limit: Exact, *, always: bool = False, rule: str = "", why: str = ""
) -> Guardrail:
    """``limit``: one asset's absolute exposure as a share of NAV, e.g. ``"50%"``."""
    return make("concentration", limit, always, rule, why)


def judge(
    guardrail: Guardrail, every: Sequence[Case], book: Book, prices: Mapping[str, int], nav: int
) -> Finding:
    """The finding for the asset and the fills that come nearest to the limit, or break it."""
    worst: tuple[bool, int, str] = (False, 0, "none")
    named = sorted({s for case in every for s in case.symbols})
    for asset in sorted({book.instrument(s).underlying for s in named}):
        lines = [i for i in map(book.instrument, named) if i.underlying == asset]
        after = max(
            sum(i.notional(c.largest(i.symbol), prices[i.symbol]) for i in lines) for c in every
        )
        before = sum(abs(i.notional(book.position(i.symbol), prices[i.symbol])) for i in lines)
        broken = after > guardrail.limit * nav and (after > before or guardrail.always)
        worst = max(worst, (broken, after, asset))
    broken, value, asset = worst
    return Finding(
        "concentration",
        not broken,
        f"at most {share(guardrail.limit)} of NAV in one asset",
        f"{share(Fraction(value, nav))} of NAV in {asset}",
        "at decision prices, fills as large as they can be",
    )
