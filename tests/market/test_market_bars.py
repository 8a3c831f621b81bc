from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import HOUR, START, hourly, instrument, table_of, tables

from agent_fund.domain.instrument import Instrument
from agent_fund.market.bars import BarTable
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError

Corrupt = Callable[[dict[str, list[int]]], None]


def put(name: str, row: int, value: object) -> Corrupt:
    def corrupt(columns: dict[str, list[int]]) -> None:
        columns[name][row] = value  # type: ignore[call-overload]

    return corrupt


def shuffle(columns: dict[str, list[int]]) -> None:
    for values in columns.values():
        values[1], values[2] = values[2], values[1]


def repeat(columns: dict[str, list[int]]) -> None:
    for values in columns.values():
        values[2] = values[1]


@pytest.mark.parametrize(
    ("corrupt", "place", "value"),
    [
        (put("close", 1, 101.5), "row 1, column close", "101.5"),
        (put("close", 1, True), "row 1, column close", "True"),
        (put("close", 2, np.int64(102)), "row 2, column close", "102"),
        (put("open_time", 0, "2018-01-01"), "row 0, column open_time", "2018-01-01"),
        (put("low", 0, 0), "row 0, column low", "0.00"),
        (put("open", 3, -5), "row 3, column open", "-0.05"),
        (put("high", 2, 10), "row 2, column high", "0.10"),
        (put("open", 1, 500), "row 1, column high", "1.02"),
        (put("close", 1, 500), "row 1, column high", "1.02"),
        (put("open", 1, 50), "row 1, column low", "1.01"),
        (put("close", 1, 50), "row 1, column low", "1.01"),
        (put("low", 2, 103), "row 2, column low", "1.03"),
        (put("close", 1, 10**38), "row 1, column close", "1000"),
        (put("volume", 1, -1), "row 1, column volume", "-0.0001"),
        (put("close_time", 0, START), "row 0, column close_time", str(START)),
        (put("close_time", 0, START + HOUR + 1), "row 1, column open_time", str(START + HOUR)),
        (put("open_time", 0, -1), "row 0, column open_time", "-1"),
        (put("close_time", 3, 2**53), "row 3, column close_time", str(2**53)),
        (shuffle, "row 2, column close_time", str(START + 2 * HOUR)),
        (repeat, "row 2, column close_time", str(START + 2 * HOUR)),
    ],
)
def test_corrupt_bars_are_refused_by_file_row_column_and_value(
    corrupt: Corrupt, place: str, value: str
) -> None:
    good = hourly([100, 101, 102, 103], source="btc.parquet")
    columns = {name: list(values) for name, values in good.by_name().items()}
    corrupt(columns)
    with pytest.raises(MarketError) as refused:
        good.with_columns(columns)
    assert refused.value.place == f"btc.parquet, {place}"
    assert value in str(refused.value)


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(MarketError, match="btc, column low: 1 is refused; it needs 2 values"):
        replace(hourly([100, 101], source="btc"), lows=[100])


def test_a_scale_beyond_the_domains_is_refused() -> None:
    with pytest.raises(MarketError, match="37 is refused"):
        replace(hourly([100]), price_scale=37)


def test_values_beyond_64_bits_are_checked_and_kept_exactly() -> None:
    bars = replace(hourly([100, 101]), volumes=[10**30, 7])
    assert bars.volumes == [10**30, 7]
    big = [10**30, 10**30]
    bars = replace(hourly([100, 101]), opens=big, highs=big, lows=big, closes=big)
    with pytest.raises(MarketError, match="row 1, column high"):
        replace(bars, closes=[10**30, 10**30 + 1])


def test_rescaling_is_exact_or_refused() -> None:
    bars = hourly([100, 250])
    assert bars.rescaled(4, 6).closes == [10_000, 25_000]
    assert bars.rescaled(4, 6).volumes == [100_000, 250_000]
    assert bars.rescaled(4, 6).rescaled(2, 4) == bars
    with pytest.raises(MarketError, match=r"row 1, column open: '2.50' .* price_scale 2 larger"):
        bars.rescaled(0, 4)


def test_a_table_is_in_the_instruments_units() -> None:
    table = BarTable.from_columns([instrument("A", 3, 6)], {"A": hourly([100])})
    assert table.closes == {"A": [1000]}
    assert table.volumes == {"A": [100_000]}


def test_a_table_of_bars_that_are_not_synchronous_is_refused() -> None:
    two = {"A": hourly([1, 2], source="a"), "B": hourly([1, 2], hours=[0, 2], source="b")}
    with pytest.raises(MarketError, match="b, row 1, column open_time"):
        BarTable.from_columns([instrument("A"), instrument("B")], two)
    with pytest.raises(MarketError, match="b, column open_time: 1 is refused; a has 2 bars"):
        BarTable.from_columns(
            [instrument("A"), instrument("B")], two | {"B": hourly([1], source="b")}
        )


@pytest.mark.parametrize("symbols", [[], ["A", "A"], ["A", "B", "C"], ["A"]])
def test_a_table_needs_each_instrument_once(symbols: list[str]) -> None:
    with pytest.raises(MarketError, match="one instrument"):
        BarTable.from_columns(list(map(instrument, symbols)), {"A": hourly([1]), "B": hourly([1])})


@settings(deadline=None)
@given(tables(), st.integers(START - 2, START + 180), st.integers(START - 2, START + 180))
def test_between_keeps_exactly_the_closes_in_the_half_open_period(
    table: BarTable, start: int, end: int
) -> None:
    part = table.between(start, end)
    kept = [row for row in table.rows() if start <= row[1] < end]
    assert list(part.rows()) == kept
    assert len(part) == len(kept)
    assert table.between(None, None) == table


def test_columns_between_cut_like_the_table() -> None:
    bars = hourly([100, 101, 102])
    assert bars.between(START + 2 * HOUR, START + 3 * HOUR).closes == [101]
    assert bars.between(None, START + HOUR).closes == []


def test_the_digest_is_of_the_documented_bytes() -> None:
    line = b'agent-fund bars 2\n[["S0","S0",4,"USD",12,"test",null,2,1,1,"spot"]]\n'
    numbers = (START, START + HOUR, 100, 101, 100, 100, 1000)
    narrow = line + b"\x08" + b"".join(number.to_bytes(8, "big") for number in numbers)
    assert table_of(hourly([100])).digest == hashlib.sha256(narrow).hexdigest()
    large = (START, START + HOUR, 2**64, 2**64 + 1, 2**64, 2**64, 2**64 * 10)
    wide = line + b"\x10" + b"".join(number.to_bytes(16, "big") for number in large)
    assert table_of(hourly([2**64])).digest == hashlib.sha256(wide).hexdigest()


@settings(deadline=None)
@given(tables(), st.data())
def test_the_digest_changes_with_any_value(table: BarTable, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(["opens", "highs", "lows", "closes", "volumes", "times"]))
    row = data.draw(st.integers(0, len(table) - 1))
    if field == "times":
        times = list(table.close_times)
        times[row] += 1
        changed = replace(table, close_times=times)
    else:
        values = getattr(table, field)
        symbol = data.draw(st.sampled_from(sorted(values)))
        column = list(values[symbol])
        column[row] += 1
        changed = replace(table, **{field: values | {symbol: column}})
    assert changed.digest != table.digest


def test_the_digest_changes_with_what_the_instrument_is() -> None:
    bars = hourly([100, 200])
    variants: list[Instrument] = [
        instrument("A"),
        instrument("A", 3),
        instrument("A", 2, 5),
        replace(instrument("A"), lot=10),
        replace(instrument("A"), tick=5),
        replace(instrument("A"), symbol="A/USD"),
    ]
    digests = {BarTable.from_columns([item], {item.symbol: bars}).digest for item in variants}
    assert len(digests) == len(variants)


def test_a_million_bars_are_checked() -> None:
    count = 1_000_000
    times = list(range(START, START + count + 1))
    prices = [1000 + row % 7 for row in range(count)]
    bars = BarColumns(
        source="long",
        price_scale=2,
        volume_scale=4,
        open_times=times[:-1],
        close_times=times[1:],
        opens=prices,
        highs=prices,
        lows=prices,
        closes=prices,
        volumes=prices,
    )
    assert len(table_of(bars)) == count
    with pytest.raises(MarketError, match="long, row 999999, column high"):
        replace(bars, lows=[*prices[:-1], 10_000])
