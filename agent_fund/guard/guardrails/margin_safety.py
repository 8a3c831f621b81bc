"""No margin account is liquidated in any scenario of the stress set, over the whole way out.

It is proved by a certificate an account, and holds for every mandate over margined positions
whether stated or not; stating it asks for more than the venue does: ``multiple`` of maintenance.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.limit import Guardrail, make
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds


def margin_safety(multiple: Exact = "100%", *, rule: str = "", why: str = "") -> Guardrail:
    """``multiple``: equity of every margin account in terms of its maintenance, e.g. ``"120%"``."""
    found = make("margin_safety", multiple, True, rule, why)
    if found.limit < 1:
        raise DomainError("margin_safety", str(multiple), "the venue asks for 100% already")
    return found


def judge(multiple: Fraction, nav: int, bounds: Bounds | None, scenario: str) -> Finding:
    """The finding for a book with proved ``bounds``.

    Args:
        bounds: None if nothing is proved of the book; then nothing is allowed.
    """
    limit = f"equity of {share(multiple)} of maintenance in every margin account"
    if bounds is None:
        return Finding("margin_safety", False, limit, "nothing proved", scenario)
    missing = Fraction(bounds.shortfall, SCALE * nav)
    value = f"{share(missing)} of NAV is missing at worst" if missing else "enough at worst"
    return Finding("margin_safety", not bounds.shortfall, limit, value, scenario)
