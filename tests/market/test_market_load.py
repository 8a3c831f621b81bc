from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from binance_catalog import binance_catalog
from hypothesis import given, settings
from market_bars import ANY_TABLE, HOUR, START, hourly, instrument, paid, perpetual

from agent_fund.market.bars import BarTable
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.gaps import Gap, GapPolicy
from agent_fund.market.load import DataSets, Series, load_series, load_table

PERP = DataSets("last", perpetual("P"), mark="mark", index="index", funding="funding")


def store(catalog: Catalog, **bars: BarColumns) -> None:
    for name, columns in bars.items():
        catalog.write(name, columns, step="1h", max_step_ms=HOUR, source="a test", licence="none")


def store_funding(catalog: Catalog, rates: dict[int, int]) -> None:
    catalog.write_funding("funding", paid(rates), source="a test", licence="none")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


@settings(deadline=None)
@given(table=ANY_TABLE)
def test_any_table_survives_the_catalog(
    table: BarTable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    datasets = {}

    def write(name: str, opens: list[int], closes: list[int], bars: BarColumns) -> str:
        both = zip(opens, closes, strict=True)
        highs, lows = zip(*((max(pair), min(pair)) for pair in both), strict=True)
        marks = replace(bars, opens=opens, closes=closes, highs=list(highs), lows=list(lows))
        catalog.write(name, marks, step="x", max_step_ms=9**9, source="s", licence="l")
        return name

    for item in table.instruments:
        symbol = item.symbol
        bars = BarColumns(
            "drawn",
            2,
            4,
            table.open_times,
            table.close_times,
            table.opens[symbol],
            table.highs[symbol],
            table.lows[symbol],
            table.closes[symbol],
            table.volumes[symbol],
        )
        catalog.write(symbol, bars, step="x", max_step_ms=9**9, source="s", licence="l")
        datasets[symbol] = DataSets(symbol, item)
        if item.margin is not None:
            marks = table.mark_opens[symbol], table.mark_closes[symbol]
            index = table.index_closes[symbol]
            funding = FundingColumns(
                "drawn", table.open_times, [rate % 10**12 for rate in table.rates[symbol]]
            )
            table.rates[symbol][:] = funding.rates
            catalog.write_funding(f"{symbol}-funding", funding, source="s", licence="l")
            datasets[symbol] = DataSets(
                symbol,
                item,
                mark=write(f"{symbol}-mark", *marks, bars),
                index=write(f"{symbol}-index", index, index, bars),
                funding=f"{symbol}-funding",
            )
    loaded, _ = load_table(catalog, datasets, GapPolicy.SKIP)
    assert (loaded, loaded.digest) == (table, table.digest)


def test_a_perpetual_is_loaded_with_its_marks_index_and_funding(catalog: Catalog) -> None:
    marks = replace(hourly([101, 201, 301]), volume_scale=9)
    store(catalog, last=hourly([100, 200, 300]), mark=marks, index=hourly([99, 199, 299]))
    store_funding(catalog, {-1: 1, 0: 2, 1: 3, 2: 4, 3: 5})
    table, gaps = load_table(catalog, {"P": PERP}, GapPolicy.REFUSE)
    assert (table.closes["P"], table.mark_closes["P"]) == ([100, 200, 300], [101, 201, 301])
    assert (table.index_closes["P"], table.rates["P"]) == ([99, 199, 299], [2, 3, 4])
    assert gaps == ()
    spot = DataSets("index", instrument("S"))
    both, _ = load_table(catalog, {"S": spot, "P": PERP}, GapPolicy.REFUSE)
    assert [item.symbol for item in both.instruments] == ["S", "P"]
    assert both.rates == table.rates


def test_windows_that_meet_pay_each_rate_once(catalog: Catalog) -> None:
    prices = hourly(list(range(100, 130)))
    store(catalog, last=prices, mark=prices, index=prices)
    rates = {hour: 2**place for place, hour in enumerate(range(0, 30, 8))}
    store_funding(catalog, rates)
    for cut in range(2, 30):
        at = START + cut * HOUR
        before, _ = load_table(catalog, {"P": PERP}, GapPolicy.REFUSE, None, at)
        after, _ = load_table(catalog, {"P": PERP}, GapPolicy.REFUSE, at, None)
        assert sum(before.rates["P"]) + sum(after.rates["P"]) == sum(rates.values())


@pytest.mark.parametrize("lacking", ["mark", "index"])
def test_a_bar_without_a_mark_or_an_index_is_a_gap_like_any_other(
    catalog: Catalog, lacking: str
) -> None:
    full, thin = hourly([100, 101, 102]), hourly([100, 102], [0, 2])
    bars = {name: thin if name == lacking else full for name in ("last", "mark", "index")}
    store(catalog, **bars)
    store_funding(catalog, {0: 1, 1: 2, 2: 3})
    with pytest.raises(MarketError, match=f"missing there: P {lacking}; "):
        load_table(catalog, {"P": PERP}, GapPolicy.REFUSE)
    table, gaps = load_table(catalog, {"P": PERP}, GapPolicy.SKIP)
    assert table.closes["P"] == [100, 102]
    assert table.rates["P"] == [1, 2 + 3]
    assert gaps == (Gap(START + HOUR, START + 3 * HOUR, ("P",)),)


@pytest.mark.parametrize(
    ("hours", "gaps"),
    [
        (range(4, 48, 4), []),
        (range(0, 48, 4), []),
        (range(0, 45, 4), []),
        (range(-8, 200, 4), []),
        (range(5, 48, 4), [(0, 5)]),
        (range(0, 41, 4), [(40, None)]),
        ([*range(-600, 13, 4), *range(20, 48, 4)], [(12, 20)]),
        (range(100, 200, 4), [(0, None)]),
        (range(-200, -100, 4), [(0, None)]),
    ],
)
def test_a_stretch_without_funding_rates_is_a_gap(
    catalog: Catalog, hours: range | list[int], gaps: list[tuple[int, int | None]]
) -> None:
    prices = hourly([100] * 48)
    store(catalog, last=prices, mark=prices, index=prices)
    store_funding(catalog, dict.fromkeys(hours, 7))
    table, found = load_table(catalog, {"P": PERP}, GapPolicy.SKIP)
    last = table.open_times[-1]
    expected = [
        Gap(START + after * HOUR, last + 1 if to is None else START + to * HOUR, ("P",))
        for after, to in gaps
    ]
    assert list(found) == expected
    assert [hour for hour in range(48) if table.rates["P"][hour]] == [
        hour for hour in hours if 0 <= hour < 48
    ]
    if gaps:
        with pytest.raises(MarketError, match=r"no funding rates after .* and before"):
            load_table(catalog, {"P": PERP}, GapPolicy.REFUSE)
    else:
        assert load_table(catalog, {"P": PERP}, GapPolicy.REFUSE) == (table, ())


def test_gaps_of_bars_and_of_funding_come_in_the_order_in_which_they_end(catalog: Catalog) -> None:
    prices = hourly([100] * 45, [hour for hour in range(48) if hour not in (14, 15, 16)])
    store(catalog, last=prices, mark=prices, index=prices)
    store_funding(catalog, dict.fromkeys([*range(-600, 13, 4), *range(20, 48, 4)], 7))
    _, gaps = load_table(catalog, {"P": PERP}, GapPolicy.SKIP)
    assert gaps == (
        Gap(START + 14 * HOUR, START + 18 * HOUR, ("P",)),
        Gap(START + 12 * HOUR, START + 20 * HOUR, ("P",)),
    )


def test_a_perpetual_without_marks_or_funding_is_refused(catalog: Catalog) -> None:
    prices = hourly([100, 101])
    store(catalog, last=prices, mark=prices, index=prices)
    store_funding(catalog, {0: 1, 1: 1})
    for lacking, what in (("mark", "mark prices"), ("funding", "funding rates")):
        with pytest.raises(MarketError, match=f"{what}: .* every perpetual"):
            load_table(catalog, {"P": replace(PERP, **{lacking: None})}, GapPolicy.SKIP)
    without, _ = load_table(catalog, {"P": replace(PERP, index=None)}, GapPolicy.SKIP)
    assert without.index_closes == without.mark_closes


def test_gaps_outside_the_period_do_not_matter(catalog: Catalog) -> None:
    store(catalog, a=hourly([100, 101, 103, 104, 105], [0, 1, 3, 4, 5]))
    store(catalog, b=hourly([103, 104, 105, 106], [3, 4, 5, 6]))
    datasets = {
        "A": DataSets("a", instrument("A")),
        "B": DataSets("b", instrument("B")),
    }
    with pytest.raises(MarketError, match="gap after"):
        load_table(catalog, datasets, GapPolicy.REFUSE)
    start, end = START + 4 * HOUR, START + 7 * HOUR
    table, gaps = load_table(catalog, datasets, GapPolicy.REFUSE, start, end)
    assert (table.closes["A"], table.closes["B"], gaps) == ([103, 104, 105], [103, 104, 105], ())
    table, gaps = load_table(catalog, datasets, GapPolicy.SKIP)
    assert table.closes == {"A": [103, 104, 105], "B": [103, 104, 105]}
    assert gaps == (
        Gap(START, start, ("A", "B")),
        Gap(START + 6 * HOUR, START + 7 * HOUR + 1, ("A",)),
    )


def test_a_series_is_one_instruments_own_history(catalog: Catalog) -> None:
    last, mark = hourly([100, 101, 104, 105], [0, 1, 4, 5]), hourly([111, 114, 119], [1, 4, 9])
    store(catalog, last=last, mark=replace(mark, volume_scale=9))
    store_funding(catalog, {0: 1, 2: 2, 4: 4, 6: 8})
    series = load_series(catalog, PERP)
    assert (series.open_times, series.close_times) == (last.open_times, last.close_times)
    assert series.opens == series.closes == [100, 101, 104, 105]
    # No mark at hours 0 and 5: the price of trades stands in for it.
    assert series.mark_opens == series.mark_closes == [100, 111, 114, 105]
    assert series.rates == [1, 0, 2 + 4, 0]
    part = load_series(catalog, PERP, START + 5 * HOUR, START + 6 * HOUR)
    assert (part.opens, part.mark_opens, part.rates) == ([104], [114], [4])


def test_a_series_of_spot_has_its_last_prices_for_marks(catalog: Catalog) -> None:
    store(catalog, last=hourly([100, 101]))
    series = load_series(catalog, DataSets("last", instrument("S")))
    assert (series.mark_opens, series.mark_closes) == (series.opens, series.closes)
    assert series.rates == [0, 0]


def test_a_series_without_a_bar_is_refused(catalog: Catalog) -> None:
    store(catalog, last=hourly([100, 101]))
    with pytest.raises(MarketError, match="no bar in this period"):
        load_series(catalog, DataSets("last", instrument("S")), START + 9 * HOUR)


def test_march_2020_of_bitcoins_perpetual_has_marks_and_three_payments_a_day() -> None:
    catalog = Catalog(binance_catalog())
    name = "binance-BTCUSDT"
    chosen = DataSets(
        f"{name}-perp-1h", perpetual("BTC", 8), mark=f"{name}-mark-1h", funding=f"{name}-funding"
    )
    march, april = 1_583_020_800_000, 1_585_699_200_000
    table, gaps = load_table(catalog, {"BTC": chosen}, GapPolicy.REFUSE, march + 1, april + 1)
    assert (len(table), gaps) == (31 * 24, ())
    assert [hour for hour in range(31 * 24) if table.rates["BTC"][hour]] == list(
        range(0, 31 * 24, 8)
    )
    published = catalog.read_funding(f"{name}-funding").between(march, april)
    assert [rate for rate in table.rates["BTC"] if rate] == published.rates
    assert load_series(catalog, chosen, march + 1, april + 1) == Series(
        table.open_times,
        table.close_times,
        table.opens["BTC"],
        table.closes["BTC"],
        table.mark_opens["BTC"],
        table.mark_closes["BTC"],
        table.rates["BTC"],
    )
