"""The page's tables as rows of text; the template escapes every cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agent_fund.domain.money import decimal
from agent_fund.report.decisions import ACTS, Act, abstentions, acts, decisions
from agent_fund.report.numbers import DASH, MINUS, money, percent, percent_up, plain
from agent_fund.report.run import Run
from agent_fund.report.table import Table

MAX_ROWS = 10
MAX_FAILURES = 6

DECISIONS = {
    "intents": "asked",
    "abstained": "no answer",
    "held": "chose to hold",
    "admitted": "trade admitted as proposed",
    "repaired": "trade cut to what is safe",
    "refused": "trade refused",
}

PERFORMANCE: dict[str, tuple[str, Callable[[float], str]]] = {
    "total_return": ("Total return", percent),
    "cagr": ("Return a year (CAGR)", percent),
    "volatility": ("Volatility a year", percent),
    "sharpe": ("Sharpe ratio", plain),
    "sortino": ("Sortino ratio", plain),
    "calmar": ("Calmar ratio", plain),
    "max_drawdown": ("Deepest drawdown", percent_up),
}


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
    for key, (name, shown) in PERFORMANCE.items():
        cells = [_figure(column.get(key, "n/a"), shown) for column in columns]
        rows.append((name, *cells))
    fees = money(float(run.summary["fund"]["fees"]), run.currency)
    rows.append(("Fees paid", fees, DASH) if run.twin else ("Fees paid", fees))
    if run.margined:
        rows += _perpetuals(run)
    return Table(header, tuple(rows), 1, "Ratios by empyrical from daily closes, no interest.")


def _perpetuals(run: Run) -> list[tuple[str, ...]]:
    """Funding, margin use and liquidations; the twin's where they are known."""
    told, twin = run.summary["perpetuals"], run.summary.get("unguarded")

    def amount(text: str) -> str:
        return money(float(text), run.currency)

    rows: list[tuple[str, str, str]] = [
        ("Funding, net", amount(run.summary["fund"]["funding"]), _of(twin, "funding", amount)),
        ("Funding received", amount(told["funding_received"]), DASH),
        ("Funding paid", amount(told["funding_paid"]), DASH),
        *(
            (f"Largest margin use, {account}", _figure(use, percent), DASH)
            for account, use in told["margin_use"].items()
        ),
        ("Positions liquidated", f"{told['liquidations']:,}", _of(twin, "liquidations", str)),
    ]
    return [row if twin is not None else row[:2] for row in rows]


def _of(column: Mapping[str, Any] | None, key: str, shown: Callable[[Any], str]) -> str:
    return DASH if column is None else shown(column[key])


def reasons(run: Run) -> list[tuple[str, int, float]]:
    """Guardrail, how many proposals it stood against, and that as a share of the largest count."""
    counts = Counter({str(k): int(v) for k, v in run.summary["reasons"].items()})
    largest = max(counts.values(), default=1)
    return [(name, number, number / largest) for name, number in counts.most_common()]


def asked(run: Run) -> Table:
    """How often the agent was asked, and what came of it."""
    rows = [(name, f"{run.summary['decisions'][key]:,}") for key, name in DECISIONS.items()]
    return Table(("Decisions", ""), tuple(rows), 1)


def modes(run: Run) -> Table:
    """How many bars the fund spent in each mode, those in which it was held by themselves."""
    counted = sorted(Counter(run.modes).items())
    note = "Held: active, but the agent did not trade." if "held" in dict(counted) else ""
    rows = [(name, f"{number:,}") for name, number in counted]
    return Table(("Bars by mode", ""), tuple(rows), 1, note)


def refusals(run: Run) -> Table:
    """The proposals that the guard refused or cut the most, with both sides' words.

    Those that met the very same words stand in one row, told by the last of them.
    """
    stopped = [d for d in decisions(run) if d.outcome != "admitted"]
    times = Counter((d.outcome, d.why) for d in stopped)
    last = {(d.outcome, d.why): d for d in sorted(stopped, key=lambda d: (-d.theta, d.bar))}
    worst = sorted(last.values(), key=lambda d: (d.theta, -d.bar))
    rows = [
        (
            run.stamp(d.bar),
            ("refused" if d.outcome == "refused" else f"cut to {percent(d.theta)}")
            + _times(times[d.outcome, d.why]),
            d.asked,
            d.reason or DASH,
            ". ".join(d.why) or DASH,
        )
        for d in worst[:MAX_ROWS]
    ]
    header = (run.when, "Verdict", "Asked for", "The agent's words", "The guard's words")
    return Table(header, tuple(rows), note=_left(len(worst), "kinds of refusal and repair"))


def way_out(run: Run) -> Table:
    """What the guard did by itself but look, the latest first; the very same acts together."""
    return _latest(run, [a for a in acts(run) if a.act != "look" and not a.by_people])


def operated(run: Run) -> Table:
    """What people did, and money that came in or went out; ``corrections`` has the rest of it."""
    return _latest(run, [a for a in acts(run) if a.act not in ("settle", "adjust") and a.by_people])


def _latest(run: Run, own: Sequence[Act]) -> Table:
    times = Counter((a.act, a.legs, a.why) for a in own)
    last = {(a.act, a.legs, a.why): number for number, a in enumerate(own)}
    latest = [own[number] for number in sorted(last.values(), reverse=True)]
    rows = [
        (
            run.stamp(a.bar),
            ACTS[a.act] + _times(times[a.act, a.legs, a.why]),
            a.legs or DASH,
            a.why or DASH,
        )
        for a in latest[:MAX_ROWS]
    ]
    header = (run.when, "Act", "Orders", "Why")
    return Table(header, tuple(rows), note=_left(len(last), "acts"))


def corrections(run: Run) -> Table:
    """What persons corrected, in order: orders in doubt that they ended, and the books."""
    rows = [
        (
            run.stamp(found["bar"]),
            found["why"],
            _corrected(found),
            money(float(found["nav"]), run.currency) if "nav" in found else DASH,
        )
        for found in run.summary["corrections"]
    ]
    header = (run.when, "Who, and why", "What", "NAV moved by")
    note = "The venue is not asked again: these are the words of persons, and count in NAV."
    return Table(header, tuple(rows), 3, note)


def _corrected(found: Mapping[str, Any]) -> str:
    if found["act"] == "settle":
        return f"order {found['order'][:12]} in doubt, ended with the fills booked so far"
    amounts = {s: f"{Decimal(a).normalize():+,f}" for s, a in found["amounts"].items()}
    stated = ", ".join(f"{text.replace('-', MINUS)} {s}" for s, text in amounts.items())
    return f"the books at {found['place']}: {stated}"


def missed(run: Run) -> Table:
    """Why the agent had no answer: each reason once, the most frequent first."""
    every = abstentions(run)
    last = {a.reason: a.bar for a in every}
    ranked = Counter(a.reason for a in every).most_common()
    rows = [(reason, f"{n:,}", run.stamp(last[reason])) for reason, n in ranked]
    note = _left(len(rows), "reasons")
    return Table(("Reason", "Times", "Last"), tuple(rows[:MAX_ROWS]), 1, note)


def failures(run: Run) -> Table:
    """The first bars in which each assumption failed, with what was seen and declared."""
    every = sorted(run.monitor.failures, key=lambda f: (f.assumption, f.bar))
    seen: Counter[str] = Counter()
    rows = []
    for f in every:
        seen[f.assumption] += 1
        if seen[f.assumption] <= MAX_FAILURES:
            rows.append((f.assumption, f"{f.bar:,}", run.stamp(f.bar), f.text))
    left = len(every) - len(rows)
    note = f"The first ones of each; {left:,} more are in summary.json." if left else ""
    return Table(("Assumption", "Bar", run.when, "What was seen"), tuple(rows), note=note)


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
            ("Its answers", f"{model['cassette']} (recorded {model['recorded']})")
            if model["cassette"]
            else ("Asked at", f"{model['server']}, while the run went on"),
        ]
    rows += [
        *((f"Data, {name}", digest) for name, digest in genesis["data"].items()),
        ("Code", genesis["code"]),
        ("Lock file", genesis["lock"]),
    ]
    return Table(("", "SHA-256"), tuple((name, str(value)) for name, value in rows))


def _times(number: int) -> str:
    return f", {number:,} times" if number > 1 else ""


def _left(number: int, what: str) -> str:
    return f"{MAX_ROWS} of {number:,} {what}; all are in the log." if number > MAX_ROWS else ""


def _figure(text: str, shown: Callable[[float], str]) -> str:
    return DASH if text == "n/a" else shown(float(decimal(text, "figure")))
