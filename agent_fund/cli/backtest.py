"""``agent-fund backtest``: progress while it runs, then whether the promise was kept, and where."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from agent_fund.audit.track_record import failed_bars
from agent_fund.backtest.errors import Interrupted
from agent_fund.cli.exit_codes import ExitCode
from agent_fund.cli.guarantee import NO_PROOF, failed_words
from agent_fund.cli.interruption import between_bars
from agent_fund.cli.progress import stages
from agent_fund.cli.terminal import (
    console,
    grid,
    money,
    one_line,
    percent,
    percent_up,
    ratio,
    shown_path,
    write_json,
)

if TYPE_CHECKING:
    from agent_fund.backtest.run import Finished

_CODES = {
    "held": ExitCode.OK,
    "assumption failed": ExitCode.ASSUMPTION_FAILED,
    "defect": ExitCode.DEFECT,
}
_ROWS = (
    ("Return", "total_return", percent),
    ("Return a year", "cagr", percent),
    ("Volatility", "volatility", percent),
    ("Sharpe ratio", "sharpe", ratio),
    ("Max drawdown", "max_drawdown", percent_up),
)
_OWN = ("reduce", "exit", "kill", "done", "hold")
_STALE = 0.01
_SHOWN = 3


def backtest_run(runfile: Path, out: Path | None, resume: Path | None, *, as_json: bool) -> int:
    """Run ``runfile``, show the summary, and return the exit code that its guarantee implies."""
    errors = console(stderr=True)
    # What a strategy prints must not mix with the one JSON object on stdout.
    quiet = redirect_stdout(sys.stderr) if as_json else nullcontext()
    with quiet, stages(errors) as report, between_bars() as interruption:
        from agent_fund.backtest.run import backtest

        def progress(stage: str, done: int, total: int) -> None:
            report(stage, done, total)
            interruption.at_bar(finishing=stage == "report")

        try:
            finished = backtest(runfile, out=out, resume=resume, progress=progress)
        except Interrupted as stopped:
            again = f"agent-fund backtest {runfile} --resume {shown_path(Path(stopped.folder))}"
            stopped.add_note(f"resume with: {again}")
            raise
    code = guarantee_code(finished)
    folder = finished.folder.resolve()
    if as_json:
        write_json({**finished.summary, "folder": str(folder), "exit": int(code)})
    else:
        show_summary(console(), finished.summary, folder)
    return code


def guarantee_code(finished: Finished) -> ExitCode:
    """The exit code that a finished run's guarantee implies."""
    return _CODES[finished.guarantee]


def show_summary(screen: Console, summary: Mapping[str, Any], folder: Path) -> None:
    """The summary of a finished run, as a person reads it."""
    window = summary["window"]
    days = f"{window['first'][:10]} to {window['last'][:10]}"
    screen.print()
    title = Text.assemble((summary["name"], "bold"), f", {days}, {window['bars']:,} bars")
    screen.print(title)
    screen.print(_verdict(summary))
    screen.print(_performance(summary))
    facts = grid("", "")
    facts.show_header, facts.box = False, None
    for name, text in _facts(summary):
        facts.add_row(Text(name, "bold"), text)
    screen.print(facts)
    screen.print()
    where = shown_path(folder)
    for name, text in (
        ("Report  ", f"{where}/report.html"),
        ("Verify  ", f"agent-fund audit verify {where}"),
        ("Root    ", f"{summary['log']['root']}"),
    ):
        screen.print(Text.assemble((name, "bold"), text), soft_wrap=True)
    screen.print("        (keep the root: verify --root ROOT then ties the folder to this run)")


def _verdict(summary: Mapping[str, Any]) -> Text:
    worst = percent_up(summary["fund"]["max_drawdown"]).removeprefix("-")
    limit = summary["mandate"]["limits"]["max_drawdown"]
    inside, outside = summary["coverage"]["inside"], summary["coverage"]["outside"]
    bars = f"Bars inside the stress set: {inside:,}; outside: {outside:,}."
    if summary["guarantee"] == "held":
        failed = failed_bars((f["assumption"], f["bar"]) for f in summary["failures"])
        but = failed_words(failed)
        return Text.assemble(
            (f"Guarantee held, though {but}: ", "bold yellow")
            if but
            else ("Guarantee held: ", "bold green"),
            f"{NO_PROOF}. The" if but else "the",
            f" worst drawdown was {worst}, the mandate allows {limit}. {bars}",
        )
    breach = summary["breaches"][0]
    at = f"at the {breach['when']} of bar {breach['bar']}"
    broken = f"the drawdown limit of {limit} was broken {at} (the worst drawdown was {worst}). "
    if breach["limit"] == "margin_safety":
        broken = f"a venue liquidated positions {at}, which the mandate rules out. "
    elif breach["limit"] == "fixed_floor":
        floor = summary["mandate"]["limits"]["fixed_floor"]
        broken = f"the fixed floor of {floor} was broken {at}. "
    if summary["guarantee"] == "assumption failed":
        text = Text.assemble(("An assumption failed: ", "bold yellow"), broken, bars)
        for failure in _failures(summary, breach):
            text.append(f"\n  {failure['assumption']}, bar {failure['bar']}: ")
            text.append(one_line(failure["text"]))
        return text
    return Text.assemble(
        ("DEFECT IN AGENT-FUND: ", "bold white on red"),
        (f" {broken}", "bold red"),
        ("Every assumption was intact, so the guard was wrong. ", "bold red"),
        "Trust no run of this version, keep the run folder, and report it.",
    )


def _failures(summary: Mapping[str, Any], breach: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The last few failures that the first breach followed from."""
    named = [
        f
        for f in summary["failures"]
        if f["assumption"] in breach["failed"] and f["bar"] <= breach["bar"]
    ]
    return named[-_SHOWN:]


def _performance(summary: Mapping[str, Any]) -> Any:
    fund, twin = summary["fund"], summary.get("unguarded")
    table = grid("", ">fund", *([">unguarded"] if twin else []))
    navs = [money(fund["nav"])] + ([money(twin["nav"])] if twin else [])
    table.add_row(f"Final NAV, {fund['currency']}", *navs)
    for name, key, shown in _ROWS:
        cells = [shown(fund.get(key))] + ([shown(twin.get(key))] if twin else [])
        table.add_row(name, *cells)
    table.add_row("  mandate's limit", f"-{summary['mandate']['limits']['max_drawdown']}")
    if "perpetuals" in summary:
        table.add_row("Fees paid", money(fund["fees"]))
        paid = [money(column["funding"]) for column in (fund, twin) if column]
        table.add_row("Funding, net", *paid)
        liquidated = [summary["perpetuals"]["liquidations"]] + (
            [twin["liquidations"]] if twin else []
        )
        table.add_row("Positions liquidated", *(f"{number:,}" for number in liquidated))
    return table


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    decisions, exposure = summary["decisions"], summary["exposure"]
    counts = ", ".join(
        f"{decisions[name]} {name}"
        for name in ("admitted", "repaired", "refused", "held", "abstained")
        if decisions[name]
    )
    facts = [("Decisions", counts or "none")]
    if summary["reasons"]:
        text = ", ".join(f"{name} {count}" for name, count in summary["reasons"].items())
        facts.append(("Stood in the way", text))
    people = summary["acts_of_people"]
    own = {k: n - people.get(k, 0) for k, n in summary["acts"].items() if k in _OWN}
    for who, counted in (("Guard's own acts", own), ("Acts of people", people)):
        text = ", ".join(f"{name} {n}" for name, n in counted.items() if n)
        facts += [(who, text)] if text else []
    facts += [("By a person", _correction(found)) for found in summary["corrections"]]
    if summary["fund"]["mode"] != "active":
        facts.append(("At the end", f"{summary['fund']['mode']}, no longer active"))
    mean, now, peak = (percent(exposure[k]) for k in ("mean", "cap_now", "cap_at_peak"))
    text = f"{mean} of NAV on average; the mandate admits {peak} at no drawdown"
    facts.append(("Exposure", text if now == peak else f"{text}, {now} on average"))
    if "unguarded" in summary:
        cost = f"{money(summary['unguarded']['guard_cost'])} {summary['fund']['currency']}"
        facts.append(("Guard's cost", f"{cost}, the final NAV unguarded less the fund's"))
    if "perpetuals" in summary:
        facts += _perpetuals(summary)
    stale = {s: float(v) for s, v in summary["stale_opens"].items() if float(v) > _STALE}
    if stale:
        text = ", ".join(f"{symbol} {percent(share)}" for symbol, share in stale.items())
        facts.append(("Stale opens", f"bars whose open is only the close before: {text}"))
    return facts


def _correction(found: Mapping[str, Any]) -> str:
    if found["act"] == "settle":
        text = f"order {found['order'][:12]} settled"
    else:
        amounts = ", ".join(f"{amount} {symbol}" for symbol, amount in found["amounts"].items())
        text = f"{amounts} at {found['place']} adjusted, NAV moved by {money(found['nav'])}"
    return one_line(f"bar {found['bar']}, {text}: {found['why']}")


def _perpetuals(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    told, currency = summary["perpetuals"], summary["fund"]["currency"]
    received, paid = money(told["funding_received"]), money(told["funding_paid"])
    use = ", ".join(f"{percent(share)} at {place}" for place, share in told["margin_use"].items())
    return [
        ("Funding", f"{received} received, {paid} paid, in {currency}"),
        ("Margin use", f"{use} at most; at 100% the venue liquidates"),
    ]
