"""NAV stays within a share of its high-water mark, in every market of the stress set.

The only guardrail over the future: it is proved by two certificates, one of the loss and one of
the gain, and by the bound of all costs until flat (see ``guard.machine`` for the condition).
"""

from __future__ import annotations

from dataclasses import replace

from agent_fund.domain.money import Exact
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.machine import Bounds, is_safe, worst_drawdown


def max_drawdown(limit: Exact, *, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: the largest fall of NAV below its high-water mark, e.g. ``"20%"``."""
    return make("max_drawdown", limit, True, rule, why)


def judge(
    guardrail: Guardrail, nav: int, mark: int, bounds: Bounds | None, scenario: str
) -> Finding:
    """The finding for a book with proved ``bounds`` at NAV ``nav`` and mark ``mark``.

    Args:
        bounds: None if nothing is proved of the book; then nothing is allowed.
    """
    limit = f"at most {share(guardrail.limit)} below the high-water mark"
    if bounds is None:
        return Finding("max_drawdown", False, limit, "nothing proved", scenario)
    return Finding(
        "max_drawdown",
        # What margin accounts lack is told by their own guardrail.
        is_safe(guardrail.limit, nav, mark, replace(bounds, shortfall=0)),
        limit,
        f"{share(worst_drawdown(nav, mark, bounds))} at worst",
        scenario,
    )
