"""What each guardrail limits, as a sentence, and when it acts."""

from __future__ import annotations

from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.report.numbers import count, limit_percent

SENTENCES = {
    "max_drawdown": "NAV stays within {limit} of its high-water mark",
    "gross_leverage": "Gross exposure stays within {limit} of NAV",
    "net_exposure": "Longs less shorts stay within {limit} of NAV, either way",
    "concentration": "The position in any one asset stays within {limit} of NAV",
    "hedge_coverage": "Of the long side of {assets}, {at_least} to {at_most} is held short; "
    "while legs fill, that may be missed by {limit} of NAV",
    "venue_exposure": "At most {limit} of NAV stands at any one venue",
    "cash_floor": "At least {limit} of NAV stays in free cash",
    "margin_safety": "Every margin account keeps {limit} of its maintenance",
    "liquidity": "Every position can be closed within {bars}, at {limit} of the volume",
}


def sentence(guardrail: Guardrail) -> str:
    """The guardrail's limit in words."""
    terms = {
        name: text if name in ("assets", "bars") else limit_percent(float(guardrail.share(name)))
        for name, text in guardrail.terms.items()
    }
    if "assets" in terms:
        terms["assets"] = _listed(terms["assets"].split())
    if "bars" in terms:
        terms["bars"] = count(int(terms["bars"]), "bar")
    return SENTENCES[guardrail.kind].format(limit=limit_percent(float(guardrail.limit)), **terms)


def when_broken(guardrail: Guardrail) -> str:
    """What happens if the market breaks it."""
    return "forces a sale" if guardrail.always else "blocks increases"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
