from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_bars import HOUR, START

from agent_fund.market.errors import MarketError
from agent_fund.market.sources import files
from agent_fund.market.sources.decimals import double_scale, double_units, text_scale, text_units
from agent_fund.market.steps import step_ms, step_text

GOOD = """date,open,high,low,close,volume
2018-01-01T00:00:00Z,1.10,1.155,1.0,1.12,10.5
2018-01-01T02:00:00+01:00,1.2,1.25,1.1,1.22,0
1514772000000,1.3,1.35,1.2,1.32,3.25e-3
"""


def written(folder: Path, text: str, name: str = "user.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_decimals_and_times_are_taken_exactly(tmp_path: Path) -> None:
    bars = files.read(written(tmp_path, GOOD), step="1h").checked()
    assert (bars.price_scale, bars.volume_scale) == (3, 5)
    assert bars.opens == [1100, 1200, 1300]
    assert bars.volumes == [1_050_000, 0, 325]
    assert bars.open_times == [START, START + HOUR, START + 2 * HOUR]
    assert bars.close_times == [START + HOUR, START + 2 * HOUR, START + 3 * HOUR]


def test_declared_decimals_hold_and_more_are_rounded_only_if_asked(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(MarketError, match=r"row 0, column high: '1\.155'"):
        files.read(path, step="1h", price_scale=2)
    bars = files.read(path, step="1h", price_scale=2, rounding=True).checked()
    assert bars.highs[0] == 116
    assert files.read(path, step="1h", price_scale=4, volume_scale=6).checked().opens[0] == 11_000


def test_other_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    rows = [line.split(",") for line in GOOD.splitlines()]
    text = "\n".join(",".join(["x", *row[::-1], ""]) for row in rows)
    again = files.read(
        written(tmp_path, text.replace("x,volume", "note,volume"), "b.csv"), step="1h"
    )
    assert again.columns == files.read(written(tmp_path, GOOD), step="1h").columns


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("1.12", "", "row 0, column close: ''"),
        ("1.12", "nan", "row 0, column close: 'nan'"),
        ("1.12", "1,12", "row 0: .*the header names 6 columns"),
        ("1.12", "1.1234567890123456789", "it has 19 decimals and at most 18"),
        ("00:00:00Z", "00:00:00", "row 0, column date: .*write Z for UTC"),
        ("2018-01-01T00:00:00Z", "yesterday", "row 0, column date: 'yesterday'"),
        ("00:00:00Z", "00:00:00.0001Z", "whole milliseconds"),
        ("close", "last", "it needs open_time .or date., open, high"),
        ("volume", "close", "every column needs a name of its own"),
        ("1.12", "-1.12", "row 0, column close: '-1.120'"),
        ("1.12", "0", "row 0, column close"),
    ],
)
def test_what_is_no_number_or_time_is_refused(
    tmp_path: Path, before: str, after: str, says: str
) -> None:
    assert before in GOOD
    with pytest.raises(MarketError, match=says):
        files.read(written(tmp_path, GOOD.replace(before, after, 1)), step="1h").checked()


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    for content in (b"", b"\xff\xfe", b'a,b\n"1,2\n'):
        path.write_bytes(content)
        with pytest.raises(MarketError, match="give a CSV file in UTF-8 with a header row"):
            files.read(path, step="1h")
    with pytest.raises(MarketError, match=r"give a \.csv or \.parquet file"):
        files.read(tmp_path / "b.xlsx", step="1h")
    with pytest.raises(MarketError, match="declare step"):
        files.read(written(tmp_path, GOOD))


def test_stated_closes_need_no_step(tmp_path: Path) -> None:
    lines = GOOD.splitlines()
    ends = ["close_time", *(str(START + (hour + 1) * HOUR) for hour in range(3))]
    text = "\n".join(f"{line},{end}" for line, end in zip(lines, ends, strict=True))
    assert files.read(written(tmp_path, text)).checked().close_times[0] == START + HOUR


def test_funding_of_both_kinds_of_file_is_the_same(tmp_path: Path) -> None:
    text = f"time,rate\n{START + 3},0.0001\n{START + 8 * HOUR},-0.00012345\n"
    first = files.read_funding(written(tmp_path, text, "f.csv")).checked()
    table = pa.table(
        {
            "date": pa.array([START + 3, START + 8 * HOUR], pa.timestamp("ms", "UTC")),
            "rate": [0.0001, -0.00012345],
        }
    )
    pq.write_table(table, tmp_path / "f.parquet")
    second = files.read_funding(tmp_path / "f.parquet").checked()
    assert first.times == second.times == [START, START + 8 * HOUR]
    assert first.rates == second.rates == [100_000_000, -123_450_000]


@given(st.lists(st.decimals(-(10**12), 10**12, places=9), min_size=1))
def test_the_scale_seen_is_the_least_that_holds_every_text(values: list[Decimal]) -> None:
    texts = [f"{value:f}" for value in values]
    scale = text_scale(texts, "f", "c")
    units = text_units(texts, "f", "c", scale, rounding=False)
    assert [Decimal(unit).scaleb(-scale) for unit in units] == values
    assert scale == 0 or any(unit % 10 for unit in units)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-9, max_value=1e18)))
def test_the_scale_seen_is_the_least_that_holds_every_double(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    exact = [Decimal(repr(value)) for value in values]
    wanted = max((len(f"{d:f}".partition(".")[2].rstrip("0")) for d in exact), default=0)
    if wanted > 18:
        with pytest.raises(MarketError, match="at most 18 are kept"):
            double_scale(array, "f", "c")
        return
    assert double_scale(array, "f", "c") == wanted
    units = double_units(array, "f", "c", wanted, rounding=False)
    assert [Decimal(unit).scaleb(-wanted) for unit in units] == exact


@given(st.integers(1, 10**6).map(lambda seconds: seconds * 1000))
def test_lengths_are_written_and_read_back(length: int) -> None:
    text = step_text(length)
    try:
        assert step_ms(text) == length
    except MarketError:
        assert len(text) > 7, text
