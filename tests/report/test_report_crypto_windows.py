"""Stress windows: clipped to the run, told as the log says, and named without hiding each other."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
from collections import Counter

import pandas as pd
import pytest
from report_crypto_world import HOSTILE, hedged
from report_world import Tags

from agent_fund.report import stress_windows
from agent_fund.report.charts import drawdown_chart, nav_chart
from agent_fund.report.decision_chart import decision_chart
from agent_fund.report.over_time import LETTER
from agent_fund.report.page import page
from agent_fund.report.run import Run
from agent_fund.report.stress_windows import CRYPTO, EQUITIES, windows_seen
from agent_fund.report.window_cards import cards


@pytest.fixture(scope="module")
def carry(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return hedged(tmp_path_factory.mktemp("windows") / "w")


def test_windows_are_clipped_to_the_run_and_others_left_out(carry: Run) -> None:
    seen = {s.window.name: s for s in windows_seen(carry)}
    assert list(seen) == ["Before and into it", "Middle", HOSTILE, "Out of it at the end"]
    closes = carry.frame.index
    early, middle, late = seen["Before and into it"], seen["Middle"], seen["Out of it at the end"]
    assert (early.before, early.first) == (0, 0)
    # Bars up to the midnight that ends the last day; the price before is that of its first.
    assert closes[early.last] == pd.Timestamp("2020-03-03", tz="UTC")
    assert closes[middle.before] == pd.Timestamp("2020-03-04", tz="UTC")
    assert closes[middle.last] == pd.Timestamp("2020-03-06", tz="UTC")
    assert middle.first == middle.before + 1
    assert late.last == len(closes) - 1


def test_a_card_says_what_the_log_says_of_its_bars(carry: Run) -> None:
    seen = {s.window.name: s for s in windows_seen(carry)}
    for card in cards(carry):
        window = seen[card.name]
        bars = range(window.first, window.last + 1)
        nav, twin = carry.frame["nav"], carry.frame["unguarded_nav"]
        assert card.fund.total == pytest.approx(nav.iloc[window.last] / nav.iloc[window.before] - 1)
        assert card.twin is not None
        assert card.twin.total == pytest.approx(
            twin.iloc[window.last] / twin.iloc[window.before] - 1
        )
        assert card.fund.drawdown <= min(nav.iloc[b] / nav.iloc[: b + 1].max() - 1 for b in bars)
        price = carry.frame["price.COIN"]
        moves = [price.iloc[b] / price.iloc[window.before] - 1 for b in bars]
        assert card.moves["COIN"] == pytest.approx(max([0.0, *moves], key=abs))
        acts = Counter(r["act"] for r in carry.records if r["kind"] == "guard" and r["bar"] in bars)
        for act, word in (("look", "renewed"), ("reduce", "reduction"), ("exit", "exit")):
            told = [p for p in card.did.split(", ") if word in p]
            assert [int(p.split("\N{NO-BREAK SPACE}")[0]) for p in told] == [acts[act]] * (
                acts[act] > 0
            )
        paid = sum(
            int(r["amount"]) for r in carry.records if r["kind"] == "funding" and r["bar"] in bars
        )
        funding = (
            dict(card.rows)["Funding"].replace("\N{MINUS SIGN}", "-").split("\N{NO-BREAK SPACE}")
        )
        assert float(funding[1].replace(",", "")) == pytest.approx(paid / 10**10, abs=0.005)


def test_a_card_counts_its_first_and_last_bar_and_no_other(carry: Run) -> None:
    seen = {s.window.name: s for s in windows_seen(carry)}["Middle"]
    frame = carry.frame.copy()
    rows = (seen.before, seen.first, seen.last, seen.last + 1)
    for row, funding, fund, twin in zip(
        rows, (1e6, 3.0, 4.0, 1e6), (50, 1, 2, 50), (90, 4, 6, 90), strict=True
    ):
        at = frame.index[row]
        frame.loc[frame.index == at, "funding"] = funding
        frame.loc[frame.index == at, ["liquidated", "unguarded_liquidated"]] = [fund, twin]
    inside = frame.index[seen.first + 1 : seen.last]
    frame.loc[inside, ["funding", "liquidated", "unguarded_liquidated"]] = 0
    for row, share in zip(rows, (0.5, 0.95, 0.9, 0.5), strict=True):
        at = frame.index[row]
        frame.loc[at, "nav"] = frame["mark"].iloc[row] * share
    card = next(c for c in cards(dataclasses.replace(carry, frame=frame)) if c.name == "Middle")
    told = {label: text.replace("\N{NO-BREAK SPACE}", " ") for label, text in card.rows}
    assert told["Funding"] == "USD 7.00"
    assert told["Liquidated"] == "3 positions; unguarded 10 positions"
    assert card.fund.drawdown == pytest.approx(-0.1)
    assert card.fund.total == pytest.approx(
        frame["mark"].iloc[seen.last] * 0.9 / (frame["mark"].iloc[seen.before] * 0.5) - 1
    )


def test_what_the_guard_said_stands_in_the_log(carry: Run) -> None:
    findings = [f for r in carry.records if r.get("act") == "decide" for f in r["broken"]]
    said = [words for card in cards(carry) for _, words in card.said]
    assert said
    for words in said:
        assert any(f["value"] in words and f["scenario"] in words for f in findings)


def test_windows_are_shaded_on_every_chart_over_time(carry: Run) -> None:
    for chart in (nav_chart, drawdown_chart, decision_chart):
        shape = chart(carry)["layout"]
        assert len(shape["shapes"]) == len(shape["annotations"]) == 4
        assert [a["text"] for a in shape["annotations"]][1] == "Middle"
        start, end = (shape["shapes"][1][key] for key in ("x0", "x1"))
        assert (start, end) == ("2020-03-04 00:00:00", "2020-03-06 00:00:00")
        assert shape["xaxis"]["range"][1] == "2020-03-08 23:00:00"


def test_labels_of_one_row_do_not_overlap(carry: Run) -> None:
    shape = nav_chart(carry)["layout"]
    closes = carry.frame.index
    rows: dict[int, list[tuple[float, float]]] = {}
    for label in shape["annotations"]:
        at = (pd.Timestamp(label["x"], tz="UTC") - closes[0]) / (closes[-1] - closes[0])
        width = LETTER * len(label["text"])
        begin = at if label["xanchor"] == "left" else at - width
        assert begin >= 0
        assert begin + width <= 1.01
        rows.setdefault(label["yshift"], []).append((begin, begin + width))
    assert len(rows) > 1
    for spans in rows.values():
        ordered = sorted(spans)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(ordered))


def test_a_hostile_name_is_text(carry: Run) -> None:
    text = page(carry)
    assert "alert(3)" in text
    assert "<script>alert(3)" not in text
    assert "<b>storm" not in text
    assert HOSTILE in "".join(Tags(text).text)
    figure = json.loads(next(b for a, b in Tags(text).scripts if a.get("id") == "nav-data"))
    assert "<" not in "".join(a["text"] for a in figure["layout"]["annotations"])


def test_an_index_run_sees_the_crashes_of_its_market(run: Run) -> None:
    (lehman,) = windows_seen(run)
    assert lehman.window.name == "Lehman"
    assert str(run.time(lehman.first))[:10] == "2008-09-15"
    assert str(run.time(lehman.before))[:10] == "2008-09-12"
    assert str(run.time(lehman.last))[:10] == "2008-10-10"
    (card,) = cards(run)
    assert [label for label, _ in card.rows] == ["Market", "Fund", "Unguarded"]
    assert card.moves["SP500"] < -0.2


def test_a_run_without_windows_has_no_section(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stress_windows, "EQUITIES", ())
    assert "Stress windows" not in page(run)
    shape = nav_chart(run)["layout"]
    assert "shapes" not in shape
    assert "yref" not in shape["legend"]


def test_weekend_bars_make_a_crypto_market(run: Run) -> None:
    frame = run.frame.copy()
    frame.index = pd.date_range("2022-10-01", periods=len(frame), freq="D", tz="UTC")
    assert [s.window.name for s in windows_seen(dataclasses.replace(run, frame=frame))] == ["FTX"]


def test_perpetuals_make_a_crypto_market_within_a_week(carry: Run) -> None:
    frame = carry.frame.iloc[:30].copy()
    frame.index = pd.date_range("2020-03-12 01:00", periods=30, freq="h", tz="UTC")
    seen = windows_seen(dataclasses.replace(carry, frame=frame))
    assert CRYPTO[0] in [s.window for s in seen]


@pytest.mark.parametrize("windows", [CRYPTO, EQUITIES])
def test_named_windows_are_in_order_short_and_sourced(
    windows: tuple[stress_windows.Window, ...],
) -> None:
    assert list(windows) == sorted(windows, key=lambda w: w.start)
    for window in windows:
        assert window.source
        assert dt.timedelta(0) <= window.end - window.start <= dt.timedelta(days=40)
