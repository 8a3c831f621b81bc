from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from binance_catalog import binance_catalog
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import HOUR, START, hourly, instrument

from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.catalog import Catalog
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import MAX_RATE, FundingColumns
from agent_fund.market.names import dataset_name, parse_name

EIGHT = 8 * HOUR


def every(*hours: int, rate: int = 100_000_000) -> FundingColumns:
    return FundingColumns("mem", [START + hour * HOUR for hour in hours], [rate] * len(hours))


def stored(catalog: Catalog, name: str, columns: FundingColumns) -> None:
    catalog.write_funding(name, columns, source="a test", licence="none")


@settings(deadline=None)
@given(rows=st.dictionaries(st.integers(0, 10**12), st.integers(-MAX_RATE, MAX_RATE), min_size=1))
def test_any_rates_survive_the_catalog(
    rows: dict[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    times = sorted(rows)
    columns = FundingColumns("mem", times, [rows[time] for time in times])
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    stored(catalog, "f", columns)
    assert replace(catalog.read_funding("f"), source="mem") == columns


def test_rates_are_decimals_in_the_file(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    stored(catalog, "f", every(0, 8, rate=-123_450_000))
    entry = catalog.funding_entry("f")
    row = pq.read_table(tmp_path / entry.file).to_pylist()[1]
    assert row["rate"] == Decimal("-0.00012345")
    assert (entry.kind, entry.payments, entry.max_step_ms) == ("funding", 2, EIGHT)


@pytest.mark.parametrize(
    ("times", "rates", "place"),
    [
        ([START, START], [1, 1], "row 1, column time"),
        ([START, START - 1], [1, 1], "row 1, column time"),
        ([1.0], [1], "row 0, column time"),
        ([-1], [1], "row 0, column time"),
        ([START], [0.0001], "row 0, column rate"),
        ([START], [MAX_RATE + 1], "row 0, column rate"),
        ([START, START + 1], [1], "column rate"),
    ],
)
def test_what_is_no_funding_is_refused(times: list[int], rates: list[int], place: str) -> None:
    with pytest.raises(MarketError) as refused:
        FundingColumns("mem", times, rates)
    assert refused.value.place == f"mem, {place}"


def test_between_takes_the_start_and_not_the_end() -> None:
    columns = every(0, 8, 16, 24)
    kept = columns.between(START + EIGHT, START + 3 * EIGHT)
    assert kept.times == [START + EIGHT, START + 2 * EIGHT]
    assert columns.between(None, None) == columns
    assert len(columns.between(START + 1, START + EIGHT)) == 0


def test_a_missing_payment_is_a_gap_and_a_change_of_the_interval_is_none() -> None:
    assert every(0, 8, 16, 32, 40, *range(48, 2000, 8)).gaps() == [
        (START + 16 * HOUR, START + 32 * HOUR)
    ]
    changed = every(*range(0, 400, 8), *range(400, 800, 4), *range(800, 900))
    assert (changed.gaps(), changed.usual_step_ms()) == ([], EIGHT)
    assert (every(0).gaps(), every(0).usual_step_ms()) == ([], 1)


def test_bars_are_not_read_as_funding_nor_the_reverse(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    stored(catalog, "f", every(0, 8))
    catalog.write("b", hourly([100]), step="1h", max_step_ms=HOUR, source="s", licence="l")
    with pytest.raises(MarketError, match="it holds funding rates, and bars are wanted"):
        catalog.read("f", instrument("BTC"))
    with pytest.raises(MarketError, match="it holds bars, and funding rates are wanted"):
        catalog.read_funding("b")
    with pytest.raises(MarketError, match="the catalog has bars of this name"):
        stored(catalog, "b", every(0))
    with pytest.raises(MarketError, match="the catalog has funding of this name"):
        catalog.write("f", hourly([100]), step="1h", max_step_ms=HOUR, source="s", licence="l")
    assert catalog.names() == ("b", "f")


def test_a_manifest_from_before_there_was_funding_is_read(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.write("b", hourly([100]), step="1h", max_step_ms=HOUR, source="s", licence="l")
    path = tmp_path / "catalog.json"
    manifest = json.loads(path.read_text())
    del manifest["funding"], manifest["datasets"]["b"]["kind"]
    del manifest["datasets"]["b"]["asked_from"]
    path.write_text(json.dumps(manifest))
    assert catalog.read_bars("b").closes == [100]


def test_a_name_that_is_both_is_refused(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    stored(catalog, "f", every(0, 8))
    catalog.write("b", hourly([100]), step="1h", max_step_ms=HOUR, source="s", licence="l")
    path = tmp_path / "catalog.json"
    manifest = json.loads(path.read_text())
    manifest["funding"]["b"] = manifest["funding"]["f"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(MarketError, match="b is bars and funding"):
        catalog.names()


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("binance", "BTC", "USDT", "perp", "1h"), "binance-BTCUSDT-perp-1h"),
        (("binance", "BTC", "USDT", "funding", ""), "binance-BTCUSDT-funding"),
        (("kraken", "xbt.f", "usd", "spot", "15m"), "kraken-XBTFUSD-spot-15m"),
    ],
)
def test_names_are_made_and_read_back(parts: tuple[str, ...], name: str) -> None:
    assert dataset_name(*parts) == name
    parsed = parse_name(name)
    assert parsed is not None
    assert str(parsed) == name


def test_other_names_have_no_parts() -> None:
    assert [parse_name(name) for name in ("sp500", "a-B-spot", "a-B-funding-1h", "")] == [None] * 4


def test_the_worst_hours_of_binance_are_in_its_catalog() -> None:
    catalog = Catalog(binance_catalog())
    funding = catalog.read_funding("binance-BTCUSDT-funding")
    crash = funding.between(1_584_057_600_000, 1_584_144_000_000)  # 2020-03-13
    assert min(crash.rates) == -3 * 10 ** (RATE_SCALE - 3)
    assert len(crash) == 3
    perp = catalog.read_bars("binance-BTCUSDT-perp-1h").between(
        1_583_971_200_000, 1_584_144_000_000
    )
    assert min(perp.lows) < 4000 * 10**perp.price_scale
    entry = catalog.entry("binance-BTCUSDT-spot-1h")
    assert (len(entry.gaps), entry.price_scale, entry.volume_scale) == (27, 2, 6)
    assert catalog.entry("binance-BTCUSDT-mark-1h").price_scale == 8
