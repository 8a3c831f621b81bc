"""A workspace with a catalog of made-up hours of one coin, its perpetual and its funding."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections.abc import Callable
from pathlib import Path

from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.funding import FundingColumns

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000
FIRST = int(dt.datetime(2020, 2, 1, tzinfo=dt.UTC).timestamp() * 1000)
CALIBRATED, TESTED = "2020-04-01", "2020-04-05"
_HOURS = 24 * 70
RATE = 100_000_000  # 0.01 %, in 10**-12


def market(folder: Path) -> None:
    """A catalog of 70 days: spot, perpetual and marks on one slow wave, funding every 8 hours."""
    catalog = Catalog(folder)
    opens = [FIRST + HOUR * n for n in range(_HOURS)]
    spot = [
        200_000 + round(6_000 * math.sin(n / 40) + 700 * math.sin(n * 1.7)) for n in range(1681)
    ]
    basis = [10 + round(15 * math.sin(n / 11)) for n in range(1681)]
    perpetual = [price + more for price, more in zip(spot, basis, strict=True)]
    for name, prices, scale in (
        ("spot-1h", spot, 2),
        ("perp-1h", perpetual, 2),
        ("mark-1h", [price * 10**6 for price in perpetual], 8),
    ):
        first, last = prices[:-1], prices[1:]
        columns = BarColumns(
            source=name,
            price_scale=scale,
            volume_scale=3,
            open_times=opens,
            close_times=[time + HOUR - 1 for time in opens],
            opens=first,
            highs=list(map(max, first, last)),
            lows=list(map(min, first, last)),
            closes=last,
            volumes=[50_000_000] * _HOURS,
        )
        dataset = f"binance-ETHUSDT-{name}"
        made = {"step": "1h", "max_step_ms": HOUR, "source": "made up", "licence": "none"}
        catalog.write(dataset, columns, **made)
    times = opens[::8]
    rates = FundingColumns("funding", times, [RATE] * len(times))
    catalog.write_funding("binance-ETHUSDT-funding", rates, source="made up", licence="none")


def carry(folder: Path, bars: int, change: Callable[[str], str] = lambda text: text) -> Path:
    """A copy of the project's workspace whose carry run file is over that catalog."""
    for part in ("strategies", "guardrails"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("proofs", "__*"))
    market(folder / "catalog")
    text = (ROOT / "backtests" / "devnet_carry.toml").read_text("utf-8")
    for before, after in (
        ("start = 2023-01-01", f"start = {CALIBRATED}"),
        ("end = 2023-07-01", f"end = {TESTED}"),
        ("calibrate_end = 2023-01-01", f"calibrate_end = {CALIBRATED}"),
        ("bars = 60 ", f"bars = {bars} "),
    ):
        assert before in text
        text = text.replace(before, after)
    runfile = folder / "backtests" / "devnet_carry.toml"
    runfile.parent.mkdir()
    runfile.write_text(change(text), "utf-8")
    return runfile
