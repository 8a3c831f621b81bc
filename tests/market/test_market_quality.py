from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from binance_catalog import binance_catalog
from hypothesis import given
from hypothesis import strategies as st
from market_bars import HOUR, START, hourly

from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.quality import (
    RULES,
    Quality,
    check_bars,
    check_funding,
    funding_in_order,
    in_order,
)
from agent_fund.market.sources.raw_bars import RawBars, RawFunding
from agent_fund.report.data_check import page, write_data_check

GENTLE = [10_000 + (bar * 37) % 23 for bar in range(200)]


def bars(prices: list[int], **change: list[int]) -> BarColumns:
    made = hourly(prices)
    opens = [price - 1 for price in prices]
    return replace(made, opens=opens, lows=opens, **change)


def raw(columns: BarColumns) -> RawBars:
    return RawBars("file", columns.price_scale, columns.volume_scale, columns.by_name())


def found(quality: Quality) -> dict[str, int]:
    return {finding.rule: finding.count for finding in quality.findings}


def test_gentle_bars_are_clean() -> None:
    assert found(check_bars("x", bars(GENTLE), HOUR)) == {}


def test_a_jump_that_is_taken_back_is_an_outlier_and_one_that_stays_is_none() -> None:
    spike = [*GENTLE[:100], 12_000, *GENTLE[101:]]
    quality = check_bars("x", bars(spike), HOUR)
    assert found(quality) == {"outlier": 1}
    assert quality.findings[0].times == (START + 101 * HOUR,)
    assert "+19.9" in quality.findings[0].text
    step = [*GENTLE[:100], *(price * 2 for price in GENTLE[100:])]
    assert found(check_bars("x", bars(step), HOUR)) == {}


def test_gaps_and_bars_without_trade_are_found_where_they_are() -> None:
    hours = [*range(50), *range(53, 203)]
    made = replace(hourly(GENTLE, hours), volumes=[*[7] * 199, 0])
    quality = check_bars("x", replace(made, opens=[p - 1 for p in GENTLE], lows=[1] * 200), HOUR)
    assert found(quality) == {"gap": 1, "zero volume": 1}
    gap, silent = quality.findings
    assert gap.times == (START + 54 * HOUR,)
    assert gap.text.startswith("about 3 missing")
    assert silent.times == (START + 203 * HOUR,)


def test_a_series_without_any_volume_is_no_series_without_trade() -> None:
    assert found(check_bars("x", bars(GENTLE, volumes=[0] * 200), HOUR)) == {}


def test_opens_that_are_the_close_before_are_stale() -> None:
    opens = [GENTLE[0], *GENTLE[:-1]]
    made = replace(
        hourly(GENTLE),
        opens=opens,
        highs=[max(pair) for pair in zip(opens, GENTLE, strict=True)],
        lows=[min(pair) for pair in zip(opens, GENTLE, strict=True)],
    )
    assert found(check_bars("x", made, HOUR)) == {"stale opens": 199}


def test_a_mark_away_from_its_index_is_found_whatever_their_decimals() -> None:
    index = hourly(GENTLE).rescaled(8, 4)
    away = hourly([price * 104 // 100 if bar == 7 else price for bar, price in enumerate(GENTLE)])
    quality = check_bars("x", bars(GENTLE), HOUR, mark=(away, "index price", index))
    assert found(quality) == {"mark deviation": 1}
    assert dict(quality.facts)["largest mark deviation"].startswith("+4.00%")
    assert quality.findings[0].times == (START + 8 * HOUR,)
    same = check_bars("x", bars(GENTLE), HOUR, mark=(index, "index price", hourly(GENTLE)))
    assert found(same) == {}


def test_rows_out_of_order_are_counted_and_the_rest_is_kept() -> None:
    whole = bars(GENTLE).by_name()
    order = [0, 2, 1, 3, 3, *range(4, 200)]
    mixed = {name: [values[row] for row in order] for name, values in whole.items()}
    mixed["high"][10] = 1
    mixed["volume"][11] = -1
    kept, disorder = in_order(RawBars("file", 2, 4, mixed))
    assert {f.rule: f.count for f in disorder} == {"unsorted": 1, "duplicate": 1, "inconsistent": 2}
    assert len(kept) == 198
    assert set(RULES) >= {f.rule for f in disorder}


@given(st.permutations(range(12)))
def test_any_order_of_rows_gives_the_same_bars(order: list[int]) -> None:
    whole = bars(GENTLE[:12])
    mixed = {name: [values[row] for row in order] for name, values in whole.by_name().items()}
    kept, disorder = in_order(RawBars("mem", 2, 4, mixed))
    assert kept == whole
    assert bool(disorder) == (list(order) != sorted(order))


def test_a_file_without_a_bar_is_refused() -> None:
    empty, _ = in_order(raw(hourly([])))
    with pytest.raises(MarketError, match="nothing to check"):
        check_bars("x", empty, HOUR)


def test_funding_is_checked_for_order_and_gaps() -> None:
    times = [START + 8 * HOUR * number for number in range(100) if number != 50]
    mixed = RawFunding("file", [times[1], times[0], *times[1:]], [5] * 100)
    columns, disorder = funding_in_order(mixed)
    assert columns == FundingColumns("file", times, [5] * 99)
    quality = check_funding("x", columns, before=disorder)
    assert found(quality) == {"unsorted": 1, "duplicate": 1, "gap": 1}


def test_the_page_marks_every_finding_and_escapes_names(tmp_path: Path) -> None:
    spike = [*GENTLE[:100], 12_000, *GENTLE[101:]]
    quality = check_bars("<b>&name", bars(spike), HOUR)
    text = page([quality, check_bars("fine", bars(GENTLE), HOUR)])
    assert "&lt;b&gt;&amp;name" in text
    assert "<b>&name" not in text
    assert '"name":"outlier (1)"' in text
    assert "1 of 2 with findings" in text
    write_data_check(tmp_path / "check.html", [quality])
    assert (tmp_path / "check.html").read_text().startswith("<!DOCTYPE html>")


def test_what_is_known_of_binance_is_found() -> None:
    catalog = Catalog(binance_catalog())
    spot = catalog.read_bars("binance-BTCUSDT-spot-1h")
    quality = check_bars("spot", spot, HOUR)
    assert found(quality)["gap"] == 27
    assert found(quality)["zero volume"] == 3
    mark, perp = (catalog.read_bars(f"binance-BTCUSDT-{which}-1h") for which in ("mark", "perp"))
    away = check_bars("perp", perp, HOUR, mark=(mark, "last price", perp))
    assert "2020-03-13 03:00" in dict(away.facts)["largest mark deviation"]
