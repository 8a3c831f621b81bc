"""Real runs over a made-up coin and its perpetual, and their books rebuilt from the log alone."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "backtest"))

from backtest_workspace import changed, make_margined, planned

from agent_fund.backtest import run as backtest_run
from agent_fund.report.page import write_report
from agent_fund.report.run import Run

HOSTILE = "<b>storm</b> & <script>alert(3)</script>"

WINDOWS = f"""
[[windows]]
name = "Before and into it"
start = 2020-02-20
end = 2020-03-02

[[windows]]
name = "Middle"
start = 2020-03-04
end = 2020-03-05

[[windows]]
name = "{HOSTILE}"
start = 2020-03-05
end = 2020-03-05

[[windows]]
name = "Out of it at the end"
start = 2020-03-08
end = 2020-03-20

[[windows]]
name = "Long after"
start = 2020-05-01
end = 2020-05-02
"""

HEDGED = {
    2: ["buy 300 COIN", "sell 300 PERP"],
    20: ["move 90000 futures wallet"],
    30: ["buy 40 PERP", "move 50000 wallet futures"],
    45: ["sell 100 COIN", "move 2000000 wallet futures"],
    60: ["buy 60 COIN", "sell 60 PERP"],
    90: ["sell 900 PERP"],
    120: ["sell all COIN", "buy all PERP"],
}
LONG = {2: ["buy 2000 PERP", "buy 100 COIN"], 40: ["buy 400 PERP"]}
MORE = """max_drawdown("20%"),
        hedge_coverage("COIN", at_least="70%", at_most="110%", legging="40%"),
        venue_exposure("95%"),
        margin_safety("120%"),
"""


def hedged(folder: Path) -> Run:
    """A coin held against its perpetual, money moved between both venues, windows named."""
    path = make_margined(
        folder, planned(HEDGED), ("unguarded = true\n", f"unguarded = true\n{WINDOWS}")
    )
    file = folder / "guardrails" / "index_drawdown.py"
    imports = "".join(
        f"from agent_fund.guard.guardrails.{kind} import {kind}\n"
        for kind in ("hedge_coverage", "venue_exposure", "margin_safety")
    )
    text = changed(
        file.read_text(), ('max_drawdown("20%")', MORE), ('"""A mandate of a test."""\n', imports)
    )
    file.write_text(text)
    return finished(path)


def liquidated(folder: Path) -> Run:
    """A perpetual held long through a crash that no stress set declared."""
    crash = {50: 60, 51: 40, 52: 300}
    path = make_margined(folder, planned(LONG), ("bars = 0", "bars = 1"), crash=crash)
    file = folder / "guardrails" / "index_drawdown.py"
    file.write_text(changed(file.read_text(), ('max_drawdown("20%")', 'max_drawdown("60%")')))
    return finished(path)


def finished(path: Path) -> Run:
    """What a real backtest gave to the report."""
    seen: list[Run] = []

    def keep(folder: Any, *given: Any) -> None:
        seen.append(Run(*given))
        write_report(folder, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest_run, "write_report", keep)
        backtest_run.backtest(path)
    return seen[0]


@dataclass(frozen=True)
class Bar:
    """One bar's close, exact, in units of the currency and of the coin."""

    places: dict[str, Decimal]
    maintenance: dict[str, Decimal]
    positions: dict[str, Decimal]
    funding: Decimal
    fees: Decimal


def rebuilt(run: Run) -> list[Bar]:
    """Every bar from the log's records and the run file's terms, by none of the fund's code."""
    records = run.records
    instruments = {i["symbol"]: i for i in records[0]["instruments"]}
    scale = records[0]["currency"]["scale"]
    orders = {r["id"]: r for r in records if r["kind"] == "order"}
    transfers = {r["id"]: r for r in records if r["kind"] == "transfer"}
    events: dict[int, list[Any]] = {}
    for record in records:
        if record["kind"] in ("fill", "funding", "arrival"):
            events.setdefault(record["bar"], []).append(record)
        elif record["kind"] == "transfer":
            events.setdefault(records[record["guard"]]["bar"], []).append(record)
    cash = {place: Decimal(units).scaleb(-scale) for place, units in records[0]["capital"].items()}
    held = dict.fromkeys(instruments, Decimal(0))
    bars = []
    for row in (row for r in records if r["kind"] == "mark" for row in r["rows"]):
        funding = fees = Decimal(0)
        for event in events.get(row[0], ()):
            if event["kind"] == "transfer":
                cash[event["source"]] -= Decimal(event["amount"]).scaleb(-scale)
            elif event["kind"] == "arrival":
                moved = transfers[event["id"]]
                cash[moved["target"]] += Decimal(moved["amount"]).scaleb(-scale)
            elif event["kind"] == "funding":
                amount = Decimal(event["amount"]).scaleb(-scale)
                cash[instruments[event["instrument"]]["venue"]] += amount
                funding += amount
            else:
                order = orders[event["order"]]
                traded = instruments[order["instrument"]]
                quantity = Decimal(event["quantity"]).scaleb(-traded["asset_scale"])
                quantity = quantity if order["side"] == "buy" else -quantity
                price = Decimal(event["price"]).scaleb(-traded["price_scale"])
                fee = Decimal(event["fee"]).scaleb(-scale)
                cash[traded["venue"]] -= quantity * price + fee
                held[traded["symbol"]] += quantity
                fees += fee
        values = {
            symbol: held[symbol] * Decimal(close).scaleb(-instruments[symbol]["price_scale"])
            for symbol, close in zip(instruments, row[4], strict=True)
        }
        short = abs(values["PERP"])
        need = short * Decimal("0.05") + max(short - 300_000, Decimal(0)) * Decimal("0.03")
        bars.append(
            Bar(
                {
                    place: amount
                    + sum(values[s] for s, i in instruments.items() if i["venue"] == place)
                    for place, amount in cash.items()
                },
                {"wallet": Decimal(0), "futures": need},
                dict(held),
                funding,
                fees,
            )
        )
    return bars
