"""NAV never falls below a fixed floor, in every market of the stress set.

The floor is a share of the capital that the fund starts with, and then a flow scales it as it
scales the high-water mark: it protects a share of what was paid in. Or it is an amount of money,
such as a debt or a capital requirement; then it stays what it is, and a redemption that NAV would
not survive above it waits. Proved with the drawdown, by the same bounds: F <= V - loss - costs.
"""

from __future__ import annotations

from dataclasses import replace

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import Exact, ceil_div
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails.amount import share_or_amount, units
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import NO_FLOOR, Bounds, Floor, lowest_nav


def fixed_floor(limit: Exact, *, rule: str = "", why: str = "") -> Guardrail:
    """``limit``: a share of the starting capital, ``"80%"``, or an amount, ``"800000 USD"``."""
    found = replace(share_or_amount("fixed_floor", limit, rule, why), always=True)
    if "unit" not in found.terms and found.limit > 1:
        fix = 'write a share up to 100%, or an amount with its currency, such as "800000 USD"'
        raise DomainError("fixed_floor", str(limit), fix)
    return found


def floor_of(guardrail: Guardrail | None, capital: int, currency: Asset) -> Floor:
    """The floor of a fund that starts with ``capital`` base units; a share is rounded up.

    Raises:
        DomainError: for an amount of another currency, or above the capital.
    """
    if guardrail is None:
        return NO_FLOOR
    exact = units(guardrail, capital, currency)
    floor = ceil_div(exact.numerator, exact.denominator)
    if floor > capital:
        fix = f"the fund starts with {currency.amount(capital):,.2f} {currency.symbol}"
        raise DomainError("fixed_floor", guardrail.stated, fix)
    return Floor(floor, "unit" not in guardrail.terms)


def judge(floor: int, nav: int, bounds: Bounds | None, currency: Asset, scenario: str) -> Finding:
    """The finding for a book with proved ``bounds`` at NAV ``nav``.

    Args:
        floor: in base units of ``currency``, as flows have left it.
        bounds: None if nothing is proved of the book; then nothing is allowed.
    """
    limit = f"a NAV of {currency.amount(floor):,.2f} {currency.symbol}"
    if bounds is None:
        return Finding("fixed_floor", False, limit, "nothing proved", scenario)
    lowest = lowest_nav(nav, bounds)
    return Finding(
        "fixed_floor",
        floor * SCALE <= lowest,
        limit,
        f"{currency.amount(lowest // SCALE):,.2f} {currency.symbol} at worst",
        scenario,
    )
