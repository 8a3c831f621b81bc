from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_bars import (
    ANY_TABLE,
    HOUR,
    LONG_TABLE,
    MARGIN,
    START,
    Times,
    fundings,
    hourly,
    instrument,
    margined_tables,
    paid,
    perpetual,
    table_of,
    tables,
    times,
)

from agent_fund.domain.instrument import Instrument
from agent_fund.market.bars import BarTable, rates_at_opens
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.perturb import perturbed_bar

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
@given(ANY_TABLE, st.integers(START - 2, START + 180), st.integers(START - 2, START + 180))
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
    line = b'agent-fund bars 3\n[["S0","S0",4,"USD",12,"test",null,2,1,1,"spot","S0","1/1",null]]\n'
    numbers = (START, START + HOUR, 100, 101, 100, 100, 1000)
    narrow = line + b"\x08" + b"".join(number.to_bytes(8, "big") for number in numbers)
    assert table_of(hourly([100])).digest == hashlib.sha256(narrow).hexdigest()
    large = (START, START + HOUR, 2**64, 2**64 + 1, 2**64, 2**64, 2**64 * 10)
    wide = line + b"\x10" + b"".join(number.to_bytes(16, "big") for number in large)
    assert table_of(hourly([2**64])).digest == hashlib.sha256(wide).hexdigest()


def test_the_digest_of_perpetuals_goes_on_with_marks_signed_rates_and_indices() -> None:
    table = BarTable.from_columns(
        [instrument("A"), perpetual("B")],
        {"A": hourly([100]), "B": hourly([200])},
        marks={"B": hourly([210])},
        indices={"B": hourly([220])},
        fundings={"B": paid({0: -3})},
    )
    spot = '["A","A",4,"USD",12,"test",null,2,1,1,"spot","A","1/1",null]'
    terms = '["1/10",[["0","1/200"],["1000000000000000000","1/100"]],"1/80",false]'
    perp = f'["B","B",4,"USD",12,"test",null,2,1,1,"perpetual","B","1/1",{terms}]'
    line = f"agent-fund bars 3\n[{spot},{perp}]\n".encode()
    numbers = (
        *(START, START + HOUR, 100, 200, 101, 201, 100, 200, 100, 200, 1000, 2000),
        *(210, 210, -3, 220),
    )
    narrow = b"\x08" + b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)
    assert table.digest == hashlib.sha256(line + narrow).hexdigest()
    top = replace(table, index_closes={"B": [2**63]})
    ends = narrow[:-8] + (2**63).to_bytes(8, "big")
    assert top.digest == hashlib.sha256(line + ends).hexdigest()
    wide = b"\x10" + b"".join(
        number.to_bytes(16, "big", signed=True) for number in (*numbers[:-1], 2**64)
    )
    large = replace(table, index_closes={"B": [2**64]})
    assert large.digest == hashlib.sha256(line + wide).hexdigest()


FIELDS = ("opens", "highs", "lows", "closes", "volumes")
MARGINED = ("mark_opens", "mark_closes", "rates", "index_closes")


@settings(deadline=None)
@given(ANY_TABLE, st.data())
def test_the_digest_changes_with_any_value(table: BarTable, data: st.DataObject) -> None:
    fields = [*FIELDS, *(MARGINED if table.rates else ()), "times"]
    field = data.draw(st.sampled_from(fields))
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


def digest_of(item: Instrument) -> str:
    bars = {item.symbol: hourly([100, 200])}
    if item.margin is None:
        return BarTable.from_columns([item], bars).digest
    return BarTable.from_columns([item], bars, marks=bars, fundings={item.symbol: paid({})}).digest


def test_the_digest_changes_with_what_the_instrument_is() -> None:
    perp, first = perpetual("A"), MARGIN.tiers[0]
    variants: list[Instrument] = [
        instrument("A"),
        instrument("A", 3),
        instrument("A", 2, 5),
        replace(instrument("A"), lot=10),
        replace(instrument("A"), tick=5),
        replace(instrument("A"), symbol="A/USD"),
        replace(instrument("A"), underlying="B"),
        replace(instrument("A"), contract=Fraction(1, 10)),
        perp,
        replace(perp, margin=replace(MARGIN, initial=Fraction(1, 5))),
        replace(perp, margin=replace(MARGIN, liquidation_fee=Fraction(1, 5))),
        replace(perp, margin=replace(MARGIN, isolated=True)),
        replace(perp, margin=replace(MARGIN, tiers=(first,))),
        replace(perp, margin=replace(MARGIN, tiers=(replace(first, rate=Fraction(1, 201)),))),
    ]
    assert len(set(map(digest_of, variants))) == len(variants)


@settings(deadline=None)
@given(tables())
def test_a_table_without_perpetuals_has_its_last_prices_for_marks_at_no_cost(
    table: BarTable,
) -> None:
    for _, _, opens, _, _, closes, _, mark_opens, mark_closes, rates, indices in table.rows():
        assert mark_opens is opens
        assert mark_closes is closes
        assert rates == indices == ()


@settings(deadline=None)
@given(margined_tables())
def test_rows_are_as_wide_as_the_instruments_and_spot_is_its_own_mark(table: BarTable) -> None:
    rows = list(table.rows())
    assert len(rows) == len(table)
    for bar, (_, _, opens, _, _, closes, _, mark_opens, mark_closes, rates, indices) in enumerate(
        rows
    ):
        for column, item in enumerate(table.instruments):
            seen = tuple(values[column] for values in (mark_opens, mark_closes, rates, indices))
            if item.margin is None:
                assert seen == (opens[column], closes[column], 0, closes[column])
            else:
                assert seen == tuple(getattr(table, name)[item.symbol][bar] for name in MARGINED)


def test_a_perpetual_without_an_index_has_its_mark_for_one() -> None:
    table = BarTable.from_columns(
        [perpetual("A", 4, 6)],
        {"A": hourly([100])},
        marks={"A": replace(hourly([101]), price_scale=3, volume_scale=9)},
        fundings={"A": paid({})},
    )
    assert (table.closes, table.mark_opens) == ({"A": [10_000]}, {"A": [1010]})
    assert table.index_closes == table.mark_closes == {"A": [1010]}
    assert table.rates == {"A": [0]}


def test_a_mark_of_more_decimals_than_the_instrument_is_refused() -> None:
    with pytest.raises(MarketError, match=r"fine, row 0, column open: '0\.101' is refused"):
        BarTable.from_columns(
            [perpetual("A")],
            {"A": hourly([100])},
            marks={"A": replace(hourly([101], source="fine"), price_scale=3)},
            fundings={"A": paid({})},
        )


def test_every_perpetual_needs_marks_and_funding_and_spot_has_none() -> None:
    instruments = [instrument("A"), perpetual("B")]
    one, none = hourly([1]), paid({})
    columns = {"A": one, "B": one}
    for marks, rates, indices, message in (
        ({}, {"B": none}, {}, r"mark prices: \[\] is refused; give those of every perpetual"),
        ({"B": one}, {}, {}, r"funding rates: \[\] is refused; give those of every perpetual"),
        ({"A": one, "B": one}, {"B": none}, {}, r"mark prices: \['A'\] is refused; only perp"),
        ({"B": one}, {"A": none, "B": none}, {}, r"funding rates: \['A'\] is refused"),
        ({"B": one}, {"B": none}, {"A": one}, r"index prices: \['A'\] is refused"),
    ):
        with pytest.raises(MarketError, match=message):
            BarTable.from_columns(
                instruments, columns, marks=marks, fundings=rates, indices=indices
            )


@pytest.mark.parametrize("kind", ["marks", "indices"])
def test_marks_and_indices_are_synchronous_with_the_bars(kind: str) -> None:
    given_: dict[str, dict[str, BarColumns]] = {"marks": {"A": hourly([1, 2])}}
    given_[kind] = {"A": hourly([1, 2], hours=[0, 2], source="late")}
    with pytest.raises(MarketError, match="late, row 1, column open_time"):
        BarTable.from_columns(
            [perpetual("A")], {"A": hourly([1, 2])}, fundings={"A": paid({})}, **given_
        )


def test_a_payment_belongs_to_the_first_bar_that_opens_at_its_time_or_later() -> None:
    bars = hourly([100] * 4, hours=[8, 9, 10, 20])
    funding = FundingColumns(
        "f",
        [START + int(hour * HOUR) for hour in (0, 7, 7.5, 8, 8.001, 10, 11, 16, 20, 20.5)],
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    )
    rates = rates_at_opens(bars.open_times, bars.close_times, funding)
    assert rates == [4 + 8, 16, 32, 64 + 128 + 256]
    assert rates_at_opens([], [], funding) == []


@settings(deadline=None)
@given(times().flatmap(lambda at: st.tuples(st.just(at), fundings(at))))
def test_attaching_funding_keeps_the_sum_of_what_falls_to_the_bars(
    drawn: tuple[Times, FundingColumns],
) -> None:
    (opens, closes), funding = drawn
    rates = rates_at_opens(opens, closes, funding)
    assert len(rates) == len(opens)
    before = opens[0] - (closes[0] - opens[0])
    due = list(zip(funding.times, funding.rates, strict=True))
    assert sum(rates) == sum(rate for time, rate in due if before < time <= opens[-1])
    for bar, (earlier, later) in enumerate(pairwise([before, *opens])):
        assert rates[bar] == sum(rate for time, rate in due if earlier < time <= later)


@settings(deadline=None)
@given(st.data(), st.integers(1, 10), st.integers(0, 10), st.integers(0, 10))
def test_between_is_what_the_same_sources_would_have_made(
    data: st.DataObject, bars: int, first: int, count: int
) -> None:
    mark = hourly(data.draw(st.lists(st.integers(1, 99), min_size=bars, max_size=bars)))
    funding = data.draw(fundings((mark.open_times, mark.close_times)))
    window = (START + first * HOUR + 1, START + (first + count) * HOUR + 1)

    def built(start: int | None, end: int | None) -> BarTable:
        cut = {"A": mark.between(start, end)}
        return BarTable.from_columns([perpetual("A")], cut, marks=cut, fundings={"A": funding})

    assert built(None, None).between(*window) == built(*window)


@settings(deadline=None)
@given(LONG_TABLE, st.sampled_from([1, 5, 1000]), st.integers(0, 2**32), st.data())
def test_a_perturbed_table_is_the_same_up_to_the_bar_and_another_in_every_value_after(
    table: BarTable, tick: int, seed: int, data: st.DataObject
) -> None:
    ticked = tuple(replace(item, tick=tick) for item in table.instruments)
    on_tick = {
        name: {
            symbol: [value * tick for value in values]
            for symbol, values in getattr(table, name).items()
        }
        for name in ("opens", "highs", "lows", "closes")
    }
    table = replace(table, instruments=ticked, **on_tick)
    after = data.draw(st.integers(-1, len(table) - 1))
    other = table.perturbed(after, seed)
    assert other == table.perturbed(after, seed)
    end = table.close_times[after] + 1 if after >= 0 else 0
    assert other.between(None, end) == table.between(None, end)
    assert other.between(None, end).digest == table.between(None, end).digest
    assert (other.open_times, other.close_times) == (table.open_times, table.close_times)
    for name in (*FIELDS, *MARGINED):
        for symbol, values in getattr(table, name).items():
            changed = getattr(other, name)[symbol]
            for bar, (old, new) in enumerate(zip(values, changed, strict=True)):
                assert (old != new) == (bar > after), (name, symbol, bar)
                assert name == "rates" or new >= (name != "volumes")
    for symbol in table.opens:
        prices = (other.opens, other.highs, other.lows, other.closes)
        for row in zip(*(values[symbol] for values in prices), strict=True):
            assert (row[1], row[2]) == (max(row), min(row))
            assert all(price % tick == 0 for price in row)


@pytest.mark.parametrize("tick", [1, 2])
def test_even_the_smallest_bars_differ_in_every_price_and_stay_in_order(tick: int) -> None:
    draw = Random(0)
    for low, high in combinations_with_replacement(range(tick, 7, tick), 2):
        for open_, close in product(range(low, high + 1, tick), repeat=2):
            bar = (open_, high, low, close)
            for _ in range(30):
                other = perturbed_bar(draw, tick, *bar)
                assert all(old != new for old, new in zip(bar, other, strict=True)), (bar, other)
                assert (other[1], other[2]) == (max(other), min(other))
                assert other[2] >= tick


def test_perturbing_depends_on_the_seed_and_counts_bars_from_0() -> None:
    table = table_of(hourly([1000] * 50))
    assert table.perturbed(3, 1) != table.perturbed(3, 2)
    assert table.perturbed(49, 1) == table
    with pytest.raises(MarketError, match="-2 is refused; count from 0"):
        table.perturbed(-2, 1)


def test_a_perturbed_bar_does_not_tell_which_way_the_true_one_went() -> None:
    closes = [1000, 1100] * 100
    flat = hourly([1000] * 200)
    table = table_of(replace(flat, highs=[1200] * 200, closes=closes))
    other = table.perturbed(-1, 0)
    rises = [c > o for o, c in zip(other.opens["S0"], other.closes["S0"], strict=True)]
    assert {rose for rose, close in zip(rises, closes, strict=True) if close == 1100} == {
        True,
        False,
    }


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
