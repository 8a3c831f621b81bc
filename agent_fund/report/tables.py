"""The page's tables as rows of text; the template escapes every cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agent_fund.domain.money import decimal, ratio
from agent_fund.report.assumptions import stress_rows
from agent_fund.report.decisions import ACTS, abstentions, acts, decisions
from agent_fund.report.numbers import (
    DASH,
    count,
    limit_percent,
    money,
    percent,
    short_day,
)
from agent_fund.report.run import Run

MAX_ROWS = 12

GUARDRAILS = {
    "max_drawdown": "NAV stays within {} of its high-water mark",
    "gross_leverage": "Gross exposure stays within {} of NAV",
    "concentration": "The position in any one asset stays within {} of NAV",
}

PERFORMANCE = {
    "total_return": ("Total return", True),
    "cagr": ("Return a year (CAGR)", True),
    "volatility": ("Volatility a year", True),
    "sharpe": ("Sharpe ratio", False),
    "sortino": ("Sortino ratio", False),
    "calmar": ("Calmar ratio", False),
    "max_drawdown": ("Largest drawdown, closes", True),
}


@dataclass(frozen=True)
class Table:
    """Rows of text under a header.

    Attributes:
        numeric: from which column on the cells are numbers, to be set right.
        note: what was left out, or where figures come from; may be empty.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int = 99
    note: str = ""


def performance(run: Run) -> Table:
    """Return and risk with and without the guard."""
    columns = [run.summary["fund"]]
    navs = [float(run.frame["nav"].iloc[-1])]
    header: tuple[str, ...] = ("", "Fund")
    if run.twin:
        columns.append(run.summary["unguarded"])
        navs.append(float(run.frame["unguarded_nav"].iloc[-1]))
        header += ("Unguarded",)
    rows: list[tuple[str, ...]] = [("Final NAV", *(money(v, run.currency) for v in navs))]
    for key, (name, share) in PERFORMANCE.items():
        cells = [_figure(column.get(key, "n/a"), share) for column in columns]
        rows.append((name, *cells))
    fees = money(float(run.summary["fund"]["fees"]), run.currency)
    rows.append(("Fees paid", fees, DASH) if run.twin else ("Fees paid", fees))
    return Table(header, tuple(rows), 1, "Ratios by empyrical from daily closes, no interest.")


def reasons(run: Run) -> list[tuple[str, int, float]]:
    """Guardrail, how many proposals it stood against, and that as a share of the largest count."""
    counts = Counter({str(k): int(v) for k, v in run.summary["reasons"].items()})
    largest = max(counts.values(), default=1)
    return [(name, number, number / largest) for name, number in counts.most_common()]


def mandate(run: Run) -> Table:
    """Each guardrail, its limit in a sentence, when it acts, and where it comes from."""
    rows = [
        (
            g.kind,
            GUARDRAILS[g.kind].format(limit_percent(float(g.limit))),
            "forces a sale" if g.always else "blocks increases",
            "; ".join(part for part in (g.rule, g.why) if part) or DASH,
        )
        for g in run.parts.mandate.guardrails
    ]
    return Table(("Guardrail", "Limit", "If the market breaks it", "Rule and reason"), tuple(rows))


def stress(run: Run) -> Table:
    """The declared set, driver by driver."""
    section = run.config["mandate"]
    opens = count(run.parts.mandate.stress.horizon, "open")
    note = (
        f"Moves over {opens} after a decision, calibrated by {section['file']} on "
        f"{section['calibrate_start']} to {section['calibrate_end']}, before the test window."
    )
    return Table(("Driver", "Lowest move", "Highest move"), tuple(stress_rows(run)), 1, note)


def market(run: Run) -> Table:
    """What the simulated venue was assumed to do, as the run file states it."""
    config, costs = run.config, run.parts.mandate.costs
    venue, execution = config["venue"], config["execution"]
    fee, spread = (
        limit_percent(float(ratio(v))) for v in (venue["fee"]["rate"], venue["spread"]["share"])
    )
    share = limit_percent(float(ratio(venue["participation"]["share"])))
    allowed = f"at most {limit_percent(float(costs.fee))}"
    slip = f"at most {limit_percent(float(costs.slippage))}, spread and impact together"
    impact = f"{float(ratio(venue['impact']['coefficient'])):g} × √(quantity / volume)"
    latency = count(venue["latency"]["bars"], "bar")
    rows = (
        ("Fee", f"{fee} of a trade", allowed),
        ("Half spread", f"{spread} of the price", slip),
        ("Impact", f"{impact} of the price", slip),
        ("Participation", f"at most {share} of a bar's volume", DASH),
        ("Latency", f"{latency} beyond the next open", "in the horizon"),
        (
            "Orders live",
            f"{count(execution['order_bars'], 'bar')}, to close {execution['exit_bars']}",
            "in the horizon",
        ),
    )
    return Table(("Venue", "Simulated", "Mandate allows for"), rows)


def refusals(run: Run) -> Table:
    """The proposals that the guard refused or cut the most, with both sides' words."""
    stopped = [d for d in decisions(run) if d.outcome != "admitted"]
    worst = sorted(stopped, key=lambda d: (d.theta, -d.bar))[:MAX_ROWS]
    rows = [
        (
            short_day(run.time(d.bar)),
            "refused" if d.outcome == "refused" else f"repaired to {percent(d.theta)}",
            d.asked,
            d.reason or DASH,
            ". ".join(d.why) or DASH,
        )
        for d in worst
    ]
    header = ("Bar", "Verdict", "Asked for", "The agent's words", "The guard's words")
    return Table(header, tuple(rows), note=_left(len(stopped), "proposals refused or repaired"))


def way_out(run: Run) -> Table:
    """What the guard did by itself, looks apart, the latest first."""
    own = [a for a in acts(run) if a.act != "look"]
    rows = [
        (short_day(run.time(a.bar)), ACTS[a.act], a.legs or DASH, a.why or DASH)
        for a in own[: -MAX_ROWS - 1 : -1]
    ]
    header = ("Bar", "Act", "Orders", "Why")
    return Table(header, tuple(rows), note=_left(len(own), "acts"))


def missed(run: Run) -> Table:
    """Why the agent had no answer: each reason once, the most frequent first."""
    every = abstentions(run)
    last = {a.reason: a.bar for a in every}
    ranked = Counter(a.reason for a in every).most_common()
    rows = [(reason, f"{n:,}", short_day(run.time(last[reason]))) for reason, n in ranked]
    note = _left(len(rows), "reasons")
    return Table(("Reason", "Times", "Last"), tuple(rows[:MAX_ROWS]), 1, note)


def failures(run: Run) -> Table:
    """Every bar in which an assumption failed, the first ones first."""
    every = run.monitor.failures
    rows = [
        (f.assumption, f"{f.bar:,}", short_day(run.time(f.bar)), f.text) for f in every[:MAX_ROWS]
    ]
    header = ("Assumption", "Bar", "Day", "What was seen")
    return Table(header, tuple(rows), note=_left(len(every), "failures"))


def provenance(run: Run) -> Table:
    """Digests of everything that determines the run, from the first record of its log."""
    genesis, summary, config = run.records[0], run.summary, run.config
    strategy = config["strategy"]
    model = genesis["model"]
    rows = [
        ("Run", summary["run"]),
        ("Root of the log", f"{summary['log']['root']} ({summary['log']['size']:,} records)"),
        ("Mandate", f"{run.parts.mandate.digest} ({run.parts.mandate.name})"),
        ("Strategy", f"{genesis['strategy']} ({strategy['class']}, {strategy['file']})"),
    ]
    if model:
        weights = f", weights {model['weights']}" if model["weights"] else ""
        rows += [
            ("Model", f"{model['name']}{weights}"),
            ("Its answers", f"{model['cassette']} (recorded {model['recorded']})"),
        ]
    rows += [
        *((f"Data, {name}", digest) for name, digest in genesis["data"].items()),
        ("Code", genesis["code"]),
        ("Lock file", genesis["lock"]),
    ]
    return Table(("", "SHA-256"), tuple((name, str(value)) for name, value in rows))


def _left(number: int, what: str) -> str:
    return f"{MAX_ROWS} of {number:,} {what}; all are in the log." if number > MAX_ROWS else ""


def _figure(text: str, share: bool) -> str:
    if text == "n/a":
        return DASH
    value = float(decimal(text, "figure"))
    return percent(value) if share else f"{value:.2f}"
