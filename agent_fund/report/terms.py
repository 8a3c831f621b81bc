"""The terms of a run as tables: the mandate, its stress set, and the market that was simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.domain.money import ratio
from agent_fund.guard.explain.explained import explain, explain_clause
from agent_fund.guard.guardrails.limit import ORDER_KINDS, Guardrail
from agent_fund.report.assumptions import stress_rows
from agent_fund.report.numbers import DASH, count, limit_percent
from agent_fund.report.run import Run
from agent_fund.report.table import Table


def mandate(run: Run) -> Table:
    """Each guardrail, its limit in a sentence, when it acts, and where it comes from."""
    rows = [
        (
            g.key,
            explain(g).sentence.removesuffix("."),
            when_broken(g),
            "; ".join(part for part in (g.rule, g.why) if part) or DASH,
        )
        for g in run.parts.mandate.guardrails
    ]
    rows += [
        (
            clause.name,
            explain_clause(clause).sentence.removesuffix("."),
            "forces a sale" if clause.always else "blocks what widens it",
            "; ".join(part for part in (clause.rule, clause.why) if part) or DASH,
        )
        for clause in run.parts.mandate.clauses
    ]
    return Table(("Guardrail", "Limit", "If the market breaks it", "Rule and reason"), tuple(rows))


def when_broken(guardrail: Guardrail) -> str:
    """What happens if the market breaks it."""
    if guardrail.kind in ORDER_KINDS:
        return "it cannot: it limits orders"
    return "forces a sale" if guardrail.always else "blocks increases"


def stress(run: Run) -> Table:
    """The declared set, driver by driver."""
    section = run.config["mandate"]
    opens = count(run.parts.mandate.stress.horizon, "open")
    note = (
        f"Moves over {opens} after a decision: {run.parts.mandate.stress.origin} "
        f"({section['file']}), before the test window."
    )
    return Table(("Driver", "Lowest move", "Highest move"), tuple(stress_rows(run)), 1, note)


def market(run: Run) -> Table:
    """What the simulated venues were assumed to do, as the run file states it."""
    config, costs = run.config, run.parts.mandate.costs
    execution = config["execution"]
    fees = f"at most {_share(costs.fee)}"
    slip = f"at most {_share(costs.slippage)}, spread and impact together"

    def told(section: str, term: str, words: str, shown: Callable[[Any], str]) -> str:
        return _by_venue(config["venues"], words, lambda venue: shown(venue[section][term]))

    rows = [
        ("Fee", told("fee", "rate", "{} of a trade", _share), fees),
        ("Half spread", told("spread", "share", "{} of the price", _share), slip),
        ("Impact", told("impact", "coefficient", "{} of the price", _impact), slip),
        (
            "Participation",
            told("participation", "share", "at most {} of a bar's volume", _share),
            DASH,
        ),
        ("Latency", told("latency", "bars", "{} beyond the next open", _bars), "in the horizon"),
        *_perpetuals(run),
    ]
    if config["transfers"] is not None:
        way = _bars(config["transfers"]["bars"])
        rows.append(("Transfers", f"{way} under way between venues", "counted at neither end"))
    closing = _bars(run.parts.mandate.exit_bars)
    lives = f"{_bars(execution['order_bars'])}; closing ones {closing}"
    rows.append(("Orders live", lives, "in the horizon"))
    model = "Expected; fills were the venues' own" if run.live else "Simulated"
    note = "Pools' fees are in their prices; gas and prepaid commissions are in no figure."
    note = note if run.live else ""
    return Table(("Venue", model, "Mandate allows for"), tuple(rows), note=note)


def _perpetuals(run: Run) -> list[tuple[str, str, str]]:
    """Margin and funding of each perpetual."""
    rows = []
    for section in run.config["instruments"]:
        margin, funding = section["margin"], section["funding"]
        if margin is None or funding is None:
            continue
        rates = [_share(tier["rate"]) for tier in (margin["tiers"][0], margin["tiers"][-1])]
        kept = " to ".join(dict.fromkeys(rates))
        asks = (
            f"initial {_share(margin['initial'])}, maintenance {kept}, "
            f"liquidation takes {_share(margin['liquidation_fee'])}"
        )
        most = f"at most {_share(funding['cap'])} every {funding['every']}"
        rows += [
            (f"Margin, {section['symbol']}", asks, "the same"),
            (f"Funding, {section['symbol']}", most, "the same"),
        ]
    return rows


def _by_venue(
    venues: list[Mapping[str, Any]], words: str, shown: Callable[[Mapping[str, Any]], str]
) -> str:
    """One text if all venues are alike, else each value with its venue."""
    values = [shown(venue) for venue in venues]
    if len(set(values)) == 1:
        return words.format(values[0])
    told = (words.format(values[0]), *values[1:])
    return ", ".join(f"{text} at {venue['name']}" for text, venue in zip(told, venues, strict=True))


def _share(value: Any) -> str:
    return limit_percent(float(ratio(value)))


def _impact(value: Any) -> str:
    return f"{float(ratio(value)):g} × √(quantity / volume)"


def _bars(number: int) -> str:
    return count(number, "bar")
