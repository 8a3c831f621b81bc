"""Figures of margined runs equal those of the log, told again by a second way."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest
from report_crypto_world import Bar, hedged, liquidated, rebuilt
from report_world import Tags
from rich.console import Console

from agent_fund.cli.backtest import show_summary
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.report import tables, terms, thinning, words
from agent_fund.report.charts import nav_chart
from agent_fund.report.margin_charts import (
    HIGHEST,
    at_venues,
    funding_chart,
    hedge_chart,
    hedge_ratio,
    margin_chart,
    venue_chart,
)
from agent_fund.report.page import page
from agent_fund.report.run import Run
from agent_fund.report.window_cards import cards

GAP = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def carry(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return hedged(tmp_path_factory.mktemp("hedged") / "w")


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return liquidated(tmp_path_factory.mktemp("liquidated") / "w")


@pytest.fixture(scope="module")
def bars(carry: Run) -> list[Bar]:
    return rebuilt(carry)


def trace(figure: dict[str, Any], name: str) -> list[float]:
    return next(t["y"] for t in figure["data"] if t["name"] == name)


def test_the_frame_is_what_the_log_implies(carry: Run, bars: list[Bar]) -> None:
    frame = carry.frame
    assert len(bars) == len(frame)
    for place in ("wallet", "futures"):
        equity = [float(bar.places[place]) for bar in bars]
        assert frame[f"equity.{place}"].tolist() == pytest.approx(equity, abs=1e-6)
        need = [float(bar.maintenance[place]) for bar in bars]
        assert frame[f"maintenance.{place}"].tolist() == pytest.approx(need, abs=1e-6)
    assert max(frame["maintenance.futures"]) > 0
    assert frame["funding"].tolist() == pytest.approx([float(b.funding) for b in bars])
    assert carry.fees.tolist() == pytest.approx([float(b.fees) for b in bars])


def test_the_charts_are_the_frame_summed_up_and_divided(carry: Run, bars: list[Bar]) -> None:
    brought = trace(funding_chart(carry), "Funding")
    assert brought[-1] == pytest.approx(float(sum(b.funding for b in bars)), abs=0.005)
    assert brought[-1] != 0
    took = trace(funding_chart(carry), "Fees")
    assert took[-1] == pytest.approx(-float(sum(b.fees for b in bars)), abs=0.005)
    use = trace(margin_chart(carry), "futures")
    told = [b.maintenance["futures"] / b.places["futures"] for b in bars]
    assert [u or 0.0 for u in use] == pytest.approx([float(u) for u in told], abs=2e-6)
    there = trace(venue_chart(carry), "wallet")
    nav = carry.frame["nav"].tolist()
    assert there == pytest.approx(
        [float(b.places["wallet"]) / n for b, n in zip(bars, nav, strict=True)], abs=1e-5
    )


def test_what_stands_nowhere_is_in_transit(carry: Run, bars: list[Bar]) -> None:
    moving = trace(venue_chart(carry), "In transit")
    nav = carry.frame["nav"].tolist()
    expected = [1 - float(sum(b.places.values())) / n for b, n in zip(bars, nav, strict=True)]
    assert moving == pytest.approx(expected, abs=1e-5)
    under_way = [share for share in moving if share > 0.001]
    assert 0 < len(under_way) < len(moving)
    assert at_venues(carry).sum(axis=1).max() == pytest.approx(1)


def test_hedge_ratio_is_short_over_long_in_coins(carry: Run, bars: list[Bar]) -> None:
    ratio = trace(hedge_chart(carry), "COIN")
    seen = 0
    for number, bar in enumerate(bars):
        long, short = bar.positions["COIN"], -bar.positions["PERP"]
        if not long and not short:
            assert ratio[number] is None
        elif float(long) * carry.frame["price.COIN"].iloc[number] > 2000:
            seen += 1
            assert ratio[number] == pytest.approx(min(float(short / long), HIGHEST), abs=1e-5)
    assert seen > 20
    band = {t["name"] for t in hedge_chart(carry)["data"]}
    assert {f"At least 70{GAP}%", f"At most 110{GAP}%"} <= band


def test_an_unhedged_short_is_drawn_at_the_top(carry: Run) -> None:
    frame = carry.frame.copy()
    frame["position.COIN"], frame["exposure.COIN"] = 0.0, 0.0
    frame["position.PERP"], frame["exposure.PERP"] = -10.0, -0.01
    bare = dataclasses.replace(carry, frame=frame)
    assert set(hedge_ratio(bare, "COIN")) == {HIGHEST}
    frame["exposure.PERP"] = -0.0001
    assert hedge_ratio(dataclasses.replace(carry, frame=frame), "COIN").isna().all()


def test_the_summary_adds_up(carry: Run, bars: list[Bar]) -> None:
    fund, told = carry.summary["fund"], carry.summary["perpetuals"]
    received, paid = Decimal(told["funding_received"]), Decimal(told["funding_paid"])
    assert received > 0 < paid
    assert received - paid == Decimal(fund["funding"]) == sum(b.funding for b in bars)
    assert Decimal(fund["fees"]) == sum(b.fees for b in bars)
    worst = max(b.maintenance["futures"] / b.places["futures"] for b in bars)
    assert Decimal(told["margin_use"]["futures"]) == round(worst, 6)
    assert list(told["margin_use"]) == ["futures"]
    assert told["liquidations"] == carry.summary["unguarded"]["liquidations"] == 0


def test_history_states_places_and_funding_exactly(carry: Run, bars: list[Bar]) -> None:
    (folder,) = (carry.parts.workspace / "runs").iterdir()
    table = pq.read_table(folder / "history.parquet").to_pandas()
    for name, shown in (("equity", "places"), ("maintenance", "maintenance")):
        for place in ("wallet", "futures"):
            assert table[f"{name}.{place}"].tolist() == [getattr(b, shown)[place] for b in bars]
    assert table["funding"].tolist() == [b.funding for b in bars]


def test_every_chart_of_the_page_is_valid_and_the_page_says_the_sums(carry: Run) -> None:
    parsed = Tags(page(carry))
    figures = [json.loads(body) for attrs, body in parsed.scripts if "type" in attrs]
    assert len(figures) == 8
    for figure in figures:
        assert go.Figure(figure).data
    rows = dict(row[:2] for row in tables.performance(carry).rows)
    assert rows["Funding, net"] == f"USD{GAP}{float(carry.summary['fund']['funding']):,.2f}"
    assert rows["Positions liquidated"] == "0"


def test_the_worst_margin_use_and_hedge_survive_thinning(carry: Run) -> None:
    times = (thinning.MAX_ROWS // len(carry.frame)) * 3
    frame = pd.concat([carry.frame] * times, ignore_index=True)
    frame.index = pd.date_range("2020-03-01", periods=len(frame), freq="h", tz="UTC")
    frame["position.PERP"], frame["exposure.PERP"] = (
        -frame["position.COIN"],
        -frame["exposure.COIN"],
    )
    worst = frame["maintenance.futures"].max()
    for row in range(1230, 1242):
        long = frame.copy()
        long.loc[long.index[row], "equity.futures"] = worst * 1.5
        long.loc[long.index[row], "maintenance.futures"] = worst
        long.loc[long.index[row + 3000], "position.COIN"] = frame["position.COIN"].max() * 3
        long.loc[long.index[row + 3000], "exposure.COIN"] = 0.5
        held = long.index[row + 6000], ["position.COIN", "position.PERP"]
        long.loc[held] = [100.0, -190.0]
        long.loc[held[0], ["exposure.COIN", "exposure.PERP"]] = [0.1, -0.19]
        changed = dataclasses.replace(carry, frame=long)
        use = [u for u in trace(margin_chart(changed), "futures") if u is not None]
        assert len(use) < len(long)
        assert max(use) == pytest.approx(2 / 3, abs=1e-5)
        ratio = hedge_ratio(changed, "COIN")
        seen = [r for r in trace(hedge_chart(changed), "COIN") if r is not None]
        assert max(seen) == pytest.approx(ratio.max(), abs=1e-5)
        assert ratio.max() == ratio.iloc[row + 6000] == 1.9
        assert min(seen) == pytest.approx(ratio.min(), abs=1e-5)


def test_a_liquidation_is_told_as_what_it_is(crash: Run) -> None:
    breach = crash.monitor.breaches[0]
    assert {b.limit for b in crash.monitor.breaches} >= {"margin_safety"}
    told = words.verdict(crash)
    assert crash.summary["guarantee"] == "assumption failed"
    if breach.limit == "margin_safety":
        assert told.title.startswith("The promise that no account is liquidated was broken: ")
        assert "a venue closed positions for want of margin" in told.sentences[0]
    marked = {t["name"]: t["x"] for t in nav_chart(crash)["data"]}
    limits = [b.limit for b in crash.monitor.breaches]
    assert len(marked["Liquidated by the venue"]) == limits.count("margin_safety") > 0
    assert len(marked.get("Limit broken", [])) == limits.count("max_drawdown")
    closed = sum(r["kind"] == "liquidation" for r in crash.records)
    assert crash.summary["perpetuals"]["liquidations"] == closed > 0
    assert crash.frame["liquidated"].sum() == closed
    assert "No margin account was liquidated" not in page(crash)


def test_a_kept_promise_says_that_nothing_was_liquidated(carry: Run) -> None:
    assert carry.summary["guarantee"] == "held"
    assert "No margin account was liquidated." in words.verdict(carry).sentences[0]


def test_the_terminal_states_funding_margin_and_liquidations(carry: Run, crash: Run) -> None:
    for run in (carry, crash):
        screen = Console(record=True, width=120, file=_Nowhere())
        show_summary(screen, run.summary, Path("runs/one"))
        text = screen.export_text()
        fund, told = run.summary["fund"], run.summary["perpetuals"]
        (line,) = (line for line in text.splitlines() if "Funding, net" in line)
        twin = run.summary["unguarded"]
        both = [f"{float(column['funding']):,.2f}" for column in (fund, twin)]
        assert line.split()[-2:] == both
        assert f"{float(told['funding_received']):,.2f} received" in text
        assert "at futures at most; at 100% the venue liquidates" in text
        assert "Positions liquidated" in text


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def test_a_spot_run_shows_nothing_of_margin(run: Run) -> None:
    parsed = Tags(page(run))
    figures = {attrs.get("id") for attrs, _ in parsed.scripts if "type" in attrs}
    assert figures == {"nav-data", "drawdown-data", "exposure-data", "decisions-data"}
    text = "".join(parsed.text)
    for word in ("Funding", "Margin use", "liquidated", "Hedge", "In transit", "funding"):
        assert word not in text
    screen = Console(record=True, width=120, file=_Nowhere())
    show_summary(screen, run.summary, Path("runs/one"))
    assert "unding" not in screen.export_text()


def test_only_what_the_market_moves_is_said_to_be_broken_by_it() -> None:
    assert terms.when_broken(price_collar("2%")) == "it cannot: it limits orders"
    assert terms.when_broken(fixed_floor("80%")) == "forces a sale"
    assert terms.when_broken(concentration("50%")) == "blocks increases"


def test_a_card_of_a_window_tells_liquidations_of_both(crash: Run) -> None:
    days = {"name": "Fall", "start": pd.Timestamp("2020-03-03").date()}
    window = {**days, "end": pd.Timestamp("2020-03-03").date()}
    config = {**crash.config, "windows": (window,)}
    other = dataclasses.replace(crash)
    other.__dict__["config"] = config
    (card,) = cards(other)
    fund = sum(r["kind"] == "liquidation" for r in crash.records)
    twin = crash.summary["unguarded"]["liquidations"]
    told = dict(card.rows)["Liquidated"].replace(GAP, " ")
    assert told == f"{_count(fund)}; unguarded {_count(twin)}"
    assert card.moves["COIN"] < -0.3


def _count(number: int) -> str:
    return "none" if not number else "1 position" if number == 1 else f"{number} positions"
