"""The three crypto windows on real hours: what is promised of them, checked by a second way."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from crypto_workspace import ROOT, RUNS, variant, workspace

from agent_fund.audit.canonical import decode
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.audit.verify import verify
from agent_fund.backtest.run import Finished, backtest

SHARED = ROOT.parent / "shared" / "data" / "binance"
CARRY = ("crypto_2020", "crypto_luna_ftx")


@pytest.fixture(scope="module", params=RUNS)
def finished(request, tmp_path_factory) -> tuple[str, Finished]:
    folder = workspace(tmp_path_factory.mktemp("crypto"))
    return request.param, backtest(folder / "backtests" / f"{request.param}.toml")


def records(done: Finished):
    log = SqliteLog(done.folder / "log.sqlite", read_only=True)
    try:
        return [decode(leaf) for leaf in log.leaves()]
    finally:
        log.close()


def test_a_crypto_window_keeps_its_promises_and_verifies(finished: tuple[str, Finished]) -> None:
    _, done = finished
    summary = done.summary
    assert summary["guarantee"] == "held"
    assert summary["coverage"]["outside"] == 0
    assert summary["breaches"] == []
    assert summary["failures"] == []
    assert float(summary["exposure"]["share_of_cap"]) >= 0.5
    verify(done.folder)
    assert not any(record["kind"] == "liquidation" for record in records(done))
    limit = -float(summary["mandate"]["limits"]["max_drawdown"].rstrip("%")) / 100
    # Recomputed from the book's history, not from the machine.
    history = pq.read_table(done.folder / "history.parquet").to_pandas()
    nav = history[["nav_open", "nav"]].astype(float).to_numpy().ravel()
    peak = pd.Series(nav).cummax()
    assert (nav / peak - 1).min() >= limit


def test_the_carry_is_hedged_at_every_look(finished: tuple[str, Finished]) -> None:
    name, done = finished
    if name not in CARRY:
        pytest.skip("momentum is not a hedged strategy")
    history = pq.read_table(done.folder / "history.parquet").to_pandas()
    held = 0
    for coin in ("BTC", "ETH"):
        spot, short = history[f"position.{coin}"], -history[f"position.{coin}-PERP"]
        held += int((spot > 0).sum())
        # To a lot of the coarser leg.
        assert ((spot - short).abs() <= Decimal("0.001")).all()
    assert held > len(history) / 2


def test_funding_reconciles_with_the_data_to_the_cent(finished: tuple[str, Finished]) -> None:
    _, done = finished
    history = pq.read_table(done.folder / "history.parquet").to_pandas()
    history = history.set_index("close_time")
    total = Decimal(0)
    for column in (c for c in history.columns if c.endswith("-PERP") and "position" in c):
        coin = column.removeprefix("position.").removesuffix("-PERP")
        paid = pd.read_parquet(SHARED / f"{coin}_USDT-funding.parquet").set_index("date")["rate"]
        marks = pd.read_parquet(SHARED / f"{coin}_USDT-mark-1h.parquet").set_index("date")["open"]
        # Rates are stated with a few ms after the hour.
        paid.index = paid.index.floor("s")
        closes = history.index
        for time, rate in paid.items():
            # Paid at the first open from its time on (later, where the exchange was down), on what
            # was held at the last close before.
            number = closes.searchsorted(time, side="right")
            if not 0 < number < len(closes):
                continue
            quantity = history[column].iloc[number - 1]
            mark = float(marks[closes[number] - pd.Timedelta(hours=1)])
            exact = Decimal(repr(mark)).quantize(Decimal(10) ** -8)
            total -= quantity * exact * Decimal(repr(float(rate)))
    received = sum(Decimal(r["amount"]) for r in records(done) if r["kind"] == "funding")
    assert abs(received / 10**12 - total) < Decimal("0.01")
    assert total != 0


@pytest.mark.parametrize("run", RUNS)
def test_a_far_sighted_adversary_with_leverage(run: str, tmp_path: Path) -> None:
    """It stays within the limit behind the guard; without, it is liquidated."""
    folder = workspace(tmp_path / "w")
    shutil.copy(Path(__file__).parent / "crypto_adversary.py", folder / "strategies")
    window = {
        "crypto_2020": ("2020-03-05", "2020-03-20"),
        "crypto_luna_ftx": ("2022-11-03", "2022-11-18"),
        "crypto_2025": ("2025-10-03", "2025-10-18"),
    }[run]
    mandate = f'''
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs
mandate = Mandate(
    "leveraged",
    stress=calibrated("{2.5 if run == "crypto_2020" else 1.5}"{BASIS.get(run, "")}),
    costs=costs(fee="0.1%", slippage="0.3%"),
    guardrails=[max_drawdown("20%")],
)
'''
    path = variant(
        folder,
        run,
        "far",
        mandate=mandate,
        strategy=("crypto_adversary.py", "FarSighted"),
        every="3 bars",
        window=window,
    )
    summary = backtest(path).summary
    assert summary["guarantee"] == "held"
    assert summary["coverage"]["outside"] == 0
    assert float(summary["fund"]["max_drawdown"]) >= -0.2
    assert summary["decisions"]["repaired"] > 0
    # It does lose what the mandate lets it lose, or most of it.
    assert float(summary["fund"]["max_drawdown"]) < -0.05
    assert summary["unguarded"]["liquidations"] > 0


BASIS = dict.fromkeys(CARRY, ', basis={"BTC-PERP": "BTC", "ETH-PERP": "ETH"}')


def test_boxes_that_are_too_small_are_blamed_at_the_right_bar(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "w")
    shutil.copy(Path(__file__).parent / "crypto_adversary.py", folder / "strategies")
    mandate = """
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.mandate import Mandate, calibrated, costs
mandate = Mandate(
    "small-boxes",
    stress=calibrated("0.5", basis={"BTC-PERP": "BTC", "ETH-PERP": "ETH"}, basis_multiple="2.5"),
    costs=costs(fee="0.1%", slippage="0.3%"),
    guardrails=[max_drawdown("20%")],
)
"""
    path = variant(
        folder,
        "crypto_2020",
        "small",
        mandate=mandate,
        strategy=("crypto_adversary.py", "FarSighted"),
        every="3 bars",
        window=("2020-03-05", "2020-03-20"),
    )
    done = backtest(path)
    summary = done.summary
    assert summary["guarantee"] == "assumption failed"
    assert all("A1" in breach["failed"] for breach in summary["breaches"])
    # The bar by a second way: the first hour whose marks left the box around a decision's.
    first = next(f["bar"] for f in summary["failures"] if f["assumption"] == "A1")
    box = summary["mandate"]["box"]
    moved = {}
    for coin in ("BTC", "ETH"):
        marks = pd.read_parquet(SHARED / f"{coin}_USDT-mark-1h.parquet").set_index("date")
        start = dt.datetime(2020, 3, 5, tzinfo=dt.UTC)
        marks = marks[start - dt.timedelta(hours=1) :]
        low, high = (float(text.rstrip("%")) / 100 for text in box[f"{coin}-PERP"])
        moved[coin] = (marks["open"], marks["close"], low, high)
    # Relative to the decision in force, of the close before; bar 0 closes when the window starts.
    seen = [
        bar
        for opens, closes, low, high in moved.values()
        for bar in range(1, 15 * 24)
        for price in (opens.iloc[bar], closes.iloc[bar])
        if not low <= price / closes.iloc[bar - 1] - 1 <= high
    ]
    assert first == min(seen)
    text = next(f["text"] for f in summary["failures"] if f["bar"] == first)
    assert "moved" in text
    assert (done.folder / "report.html").read_text().count("A1") > 0
