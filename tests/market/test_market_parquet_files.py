from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import BINANCE, HOUR, START, instrument

from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.gaps import GapPolicy
from agent_fund.market.load import DataSets, load_table
from agent_fund.market.sources.parquet_files import import_into, load
from agent_fund.market.steps import step_ms

UTC_MS = pa.timestamp("ms", tz="UTC")
DAY = datetime(2018, 1, 1, tzinfo=UTC)


def good() -> dict[str, Any]:
    return {
        "date": pa.array([DAY + timedelta(hours=hour) for hour in range(4)], UTC_MS),
        "open": [1.1, 1.2, 1.3, 1.4],
        "high": [1.15, 1.25, 1.35, 1.45],
        "low": [1.0, 1.1, 1.2, 1.3],
        "close": [1.12, 1.22, 1.32, 1.42],
        "volume": [10.5, 0.0, 3.25, 1e-4],
    }


def written(folder: Path, **change: Any) -> Path:
    path = folder / "user.parquet"
    columns = {name: values for name, values in (good() | change).items() if values is not None}
    pq.write_table(pa.table(columns), path)
    return path


def loaded(folder: Path, **change: Any) -> BarColumns:
    return load(written(folder, **change), price_scale=2, volume_scale=4, step="1h")


def test_doubles_are_the_decimals_that_people_wrote(tmp_path: Path) -> None:
    bars = loaded(tmp_path)
    assert bars.opens == [110, 120, 130, 140]
    assert bars.volumes == [105_000, 0, 32_500, 1]
    assert bars.open_times == [START + hour * HOUR for hour in range(4)]
    assert bars.close_times == [START + hour * HOUR for hour in range(1, 5)]


def test_decimal_and_integer_columns_are_taken_exactly(tmp_path: Path) -> None:
    prices = [Decimal("1.4500"), Decimal("1.4500"), Decimal("1.45"), Decimal("1.45")]
    exact = pa.array(prices, pa.decimal128(20, 4))
    bars = loaded(
        tmp_path, **dict.fromkeys(("open", "high", "low", "close"), exact), volume=[5, 6, 7, 8]
    )
    assert bars.closes == [145] * 4
    assert bars.volumes == [50_000, 60_000, 70_000, 80_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_times_of_any_unit_and_zone_are_the_same_moments(
    tmp_path: Path, unit: str, zone: str
) -> None:
    starts = [DAY + timedelta(hours=hour) for hour in range(4)]
    bars = loaded(tmp_path, date=pa.array(starts, pa.timestamp(unit, tz=zone)))
    assert bars == loaded(tmp_path)


def test_stated_opens_and_closes_need_no_step(tmp_path: Path) -> None:
    starts = good()["date"]
    ends = pa.array([DAY + timedelta(hours=hour, minutes=50) for hour in range(4)], UTC_MS)
    path = written(tmp_path, date=None, open_time=starts, close_time=ends)
    bars = load(path, price_scale=2, volume_scale=4)
    assert bars.close_times[0] == START + 50 * 60_000


def test_only_the_start_of_a_bar_needs_a_declared_step(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match='declare step = "1h"'):
        load(written(tmp_path), price_scale=2, volume_scale=4)


def stamps(*hours: float) -> pa.Array:
    return pa.array([DAY + timedelta(hours=hour) for hour in hours], UTC_MS)


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ({"date": stamps(0, 2, 1, 3)}, "row 2, column close_time", str(START + 2 * HOUR)),
        ({"date": stamps(0, 1, 1, 3)}, "row 2, column close_time", str(START + 2 * HOUR)),
        ({"date": stamps(0, 1, 1.5, 3)}, "row 2, column open_time", str(START + 3 * HOUR // 2)),
        ({"close": [1.12, float("nan"), 1.3, 1.4]}, "row 1, column close", "nan"),
        ({"close": [1.12, float("inf"), 1.3, 1.4]}, "row 1, column close", "inf"),
        ({"close": [1.12, None, 1.3, 1.4]}, "row 1, column close", "None"),
        ({"low": [1.0, 1.1, -1.2, 1.3]}, "row 2, column low", "'-1.20'"),
        ({"low": [1.0, 1.1, 0.0, 1.3]}, "row 2, column low", "'0.00'"),
        ({"high": [1.15, 1.25, 1.35, 1.2]}, "row 3, column high", "'1.20'"),
        ({"volume": [1.0, 2.0, 3.0, -0.5]}, "row 3, column volume", "'-0.5000'"),
        ({"open": [1.1, 1.205, 1.3, 1.4]}, "row 1, column open", "'1.205'"),
        ({"open": [1.1, 1e-7, 1.3, 1.4]}, "row 1, column open", "'1E-7'"),
        ({"volume": [1.0, 2.0, 1e308, 1.0]}, "row 2, column volume", "'10000"),
        ({"open": ["1.1"] * 4}, "column open", "string"),
        ({"open": pa.array([1.1] * 4, pa.float32())}, "column open", "float"),
        ({"date": pa.array([DAY] * 4, pa.timestamp("ms"))}, "column date", "timestamp[ms]"),
        ({"date": [1, 2, 3, 4]}, "column date", "int64"),
        ({"date": [None, *good()["date"][1:]]}, "row 0, column date", "None"),
        (
            {"date": pa.array([1, 2, 3, 4], pa.timestamp("us", tz="UTC"))},
            "row 0, column date",
            "1970-01-01",
        ),
        ({"low": None}, "columns", "high"),
        ({"date": None}, "columns", "high"),
    ],
)
def test_a_bad_file_is_refused_by_name_row_column_and_value(
    tmp_path: Path, change: dict[str, Any], place: str, value: str
) -> None:
    with pytest.raises(MarketError) as refused:
        loaded(tmp_path, **change)
    file = tmp_path / "user.parquet"
    assert refused.value.place == f"{file}, {place}"
    assert value in str(refused.value)


def test_naive_times_are_refused_with_the_fix(tmp_path: Path) -> None:
    naive = pa.array([datetime(2018, 1, 1, hour) for hour in range(4)])  # noqa: DTZ001
    with pytest.raises(MarketError, match=r'\.dt\.tz_localize\("UTC"\)'):
        loaded(tmp_path, date=naive)


def test_more_decimals_than_declared_are_rounded_half_even_only_if_declared(
    tmp_path: Path,
) -> None:
    change = {"open": [1.105, 1.115, 1.1250000001, 1.3], "low": [1.0] * 4, "high": [2.0] * 4}
    path = written(tmp_path, **change)
    with pytest.raises(MarketError, match="it has 3 decimals and 2 are declared"):
        load(path, price_scale=2, volume_scale=4, step="1h")
    bars = load(path, price_scale=2, volume_scale=4, step="1h", rounding=True)
    assert bars.opens == [110, 112, 113, 130]


def test_a_decimal_column_with_more_decimals_than_declared_is_refused(tmp_path: Path) -> None:
    digits = "12345678901234567890123456789012.345"
    exact = pa.array([Decimal(digits)] * 4, pa.decimal128(38, 3))
    with pytest.raises(MarketError, match=f"row 0, column open: '{digits}'"):
        loaded(tmp_path, open=exact)


@settings(deadline=None)
@given(units=st.lists(st.integers(1, 10**17), min_size=4, max_size=4), scale=st.integers(0, 20))
def test_a_double_is_read_as_its_own_repr(
    units: list[int], scale: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    doubles = [float(Decimal(unit).scaleb(-scale)) for unit in units]
    folder = tmp_path_factory.mktemp("doubles")
    path = written(folder, volume=doubles)
    exact = [Decimal(repr(double)) for double in doubles]
    bars = load(path, price_scale=2, volume_scale=20, step="1h")
    assert bars.volumes == [int(value * 10**20) for value in exact]


def test_any_path_can_be_named_in_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "{odd}"
    folder.mkdir()
    with pytest.raises(MarketError, match=r"\{odd\}.*row 0, column close"):
        loaded(folder, close=[1.125, 1.2, 1.3, 1.4])


def test_what_is_not_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "user.parquet"
    for content in (b"", b"date,open\n"):
        path.write_bytes(content)
        with pytest.raises(MarketError, match="Parquet file that can be read"):
            load(path, price_scale=2, volume_scale=4, step="1h")
    with pytest.raises(MarketError, match="Parquet file that can be read"):
        load(tmp_path / "absent.parquet", price_scale=2, volume_scale=4, step="1h")


def test_a_file_without_rows_has_no_bars_to_import(tmp_path: Path) -> None:
    path = tmp_path / "user.parquet"
    pq.write_table(pa.table(good()).slice(0, 0), path)
    assert len(load(path, price_scale=2, volume_scale=4, step="1h")) == 0
    with pytest.raises(MarketError, match="no bars"):
        import_into(
            Catalog(tmp_path), "x", path, price_scale=2, volume_scale=4, step="1h", licence="none"
        )


@pytest.mark.parametrize("text", ["", "h", "0h", "1.5h", "1w", "-1h", "1h ", "1H"])
def test_a_step_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(MarketError, match="write a number and s, m, h or d"):
        step_ms(text)


def test_steps_are_read_in_milliseconds() -> None:
    assert [step_ms(text) for text in ("30s", "15m", "1h", "2d")] == [
        30_000,
        900_000,
        HOUR,
        48 * HOUR,
    ]


def test_real_hours_of_bitcoin_have_the_gaps_that_their_publisher_counted(tmp_path: Path) -> None:
    path = BINANCE / "BTC_USDT-spot-1h.parquet"
    if not path.is_file():
        pytest.skip(f"the market data is not here: {BINANCE.name}/{path.name}")
    listed = {item["file"]: item for item in json.loads((BINANCE / "MANIFEST.json").read_text())}
    published = listed[path.name]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == published["sha256"]
    catalog = Catalog(tmp_path)
    entry = import_into(
        catalog, "btc", path, price_scale=2, volume_scale=8, step="1h", licence="none stated"
    )
    assert (entry.bars, len(entry.gaps)) == (published["rows"], published["gaps"])
    datasets = {"BTC": DataSets("btc", instrument("BTC", 2, 8))}
    with pytest.raises(MarketError, match="2018-01-04T04:00:00"):
        load_table(catalog, datasets, GapPolicy.REFUSE)
    table, gaps = load_table(catalog, datasets, GapPolicy.SKIP)
    assert (len(table), len(gaps)) == (73_265, 27)
    source = pq.read_table(path)
    for row in range(0, len(table), 997):
        assert Decimal(table.closes["BTC"][row]) / 100 == Decimal(
            repr(source["close"][row].as_py())
        )
        assert Decimal(table.volumes["BTC"][row]) / 10**8 == Decimal(
            repr(source["volume"][row].as_py())
        )
