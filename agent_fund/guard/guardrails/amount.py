"""A limit that is a share of something or an amount of money, told apart by how it is written.

``"80%"`` is a share; ``"800000 USD"`` is an amount, and names the currency, so that neither is ever
read as the other. A plain number is a ratio, as everywhere in a mandate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import Exact, decimal
from agent_fund.guard.guardrails.limit import Guardrail, make

_AMOUNT = re.compile(r"\s*(?P<number>[0-9][0-9_]*(\.[0-9]+)?)\s+(?P<currency>[A-Za-z]\S*)\s*")


def share_or_amount(
    kind: str, limit: Exact, rule: str, why: str, terms: Mapping[str, str] | None = None
) -> Guardrail:
    """A guardrail of ``kind`` whose limit is a share, or an amount with its currency."""
    found = _AMOUNT.fullmatch(limit) if isinstance(limit, str) else None
    if found is not None:
        number = Fraction(decimal(found["number"], f"limit of {kind}"))
        unit = {"unit": found["currency"]}
        return make(kind, number, False, rule, why, {**(terms or {}), **unit})
    return make(kind, limit, False, rule, why, terms)


def units(guardrail: Guardrail, whole: int, currency: Asset) -> Fraction:
    """The limit in base units of ``currency``: its share of ``whole``, or its amount.

    Raises:
        DomainError: for an amount of another currency, or of more decimals than it has.
    """
    unit = guardrail.terms.get("unit")
    if unit is None:
        return guardrail.limit * whole
    amount = guardrail.limit * int(10**currency.scale)
    if unit != currency.symbol or amount.denominator != 1:
        fix = f"write an amount of {currency.symbol} with at most {currency.scale} decimals"
        raise DomainError(f"limit of {guardrail.kind}", guardrail.stated, fix)
    return amount
