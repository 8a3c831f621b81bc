"""What each guardrail limits, as a sentence, and when it acts."""

from __future__ import annotations

from agent_fund.guard.guardrails.limit import ORDER_KINDS, Guardrail
from agent_fund.report.numbers import count, limit_percent

SENTENCES = {
    "max_drawdown": "NAV stays within {limit} of its high-water mark",
    "gross_leverage": "Gross exposure stays within {limit} of NAV",
    "net_exposure": "Longs less shorts stay within {limit} of NAV, either way",
    "concentration": "The position {place} stays within {limit} of NAV",
    "hedge_coverage": "Of the long side of {assets}, {at_least} to {at_most} is held short; "
    "while legs fill, that may be missed by {limit} of NAV",
    "venue_exposure": "At most {limit} of NAV stands at any one venue",
    "cash_floor": "At least {limit} of NAV stays in free cash",
    "margin_safety": "Every margin account keeps {limit} of its maintenance",
    "liquidity": "Every position can be closed within {bars}, at {limit} of the volume",
    "fixed_floor": "NAV never falls below {limit}{of_capital}",
    "price_collar": "Every limit price lies within {limit} of the decision price",
    "slippage_cap": "No limit price concedes more than {limit} against the decision price",
    "max_order_value": "Orders open in one instrument and side come to at most {limit}{of_nav}",
    "max_order_volume": "Orders open in one instrument and side are at most {volume}",
    "turnover_throttle": "Orders of at most {limit}{of_nav} are sent at once, an allowance that "
    "refills within {bars}",
    "message_throttle": "Trades cause at most {limit} at once, an allowance that refills within "
    "{bars}",
    "repeated_execution_throttle": "At most {limit} are sent at once in one instrument and side, "
    "an allowance that refills within {bars}",
    "instrument_allow_list": "Orders go into {names} only",
    "destination_allow_list": "Orders and money go to {names} only",
    "reduce_only": "No position grows or turns; each may only shrink",
}
PLACES = {"asset": "in any one asset", "venue": "at any one venue", "chain": "on any one chain"}


def sentence(guardrail: Guardrail) -> str:
    """The guardrail's limit in words."""
    terms = dict(guardrail.terms)
    words = {n: limit_percent(float(guardrail.share(n))) for n in terms if n.startswith("at_")}
    words["assets"], words["names"] = (
        _listed(terms.get(n, "").split()) for n in ("assets", "names")
    )
    words["bars"] = count(guardrail.bars, "bar") if "bars" in terms else ""
    words["place"] = PLACES[terms.get("by", "asset")]
    share = "unit" not in terms
    words["limit"] = limit_percent(float(guardrail.limit)) if share else guardrail.stated
    words["of_nav"], words["of_capital"] = (
        (" of NAV", " of the starting capital, scaled by flows") if share else ("", "")
    )
    words["volume"] = words["names"] or f"{words['limit']} of what one bar takes"
    return SENTENCES[guardrail.kind].format(**words)


def when_broken(guardrail: Guardrail) -> str:
    """What happens if the market breaks it."""
    if guardrail.kind in ORDER_KINDS:
        return "it cannot: it limits orders"
    return "forces a sale" if guardrail.always else "blocks increases"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
