from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.market.catalog import Catalog
from agent_fund.market.errors import MarketError
from agent_fund.market.gaps import GapPolicy, iso
from agent_fund.market.load import DataSets, load_table
from agent_fund.market.sources import arch_indices


def frame(**change: object) -> pd.DataFrame:
    values = {
        "Open": [1229.22998, 1228.099976],
        "High": [1248.810059, 1246.109985],
        "Low": [1219.099976, 1228.099976],
        "Close": [1228.099976, 1244.780029],
        "Volume": [877, 775],
    }
    index = pd.DatetimeIndex(["1999-01-04", "1999-07-06"])
    return pd.DataFrame(values | change, index=index)


def test_float32_noise_is_rounded_to_cents_and_sessions_are_new_yorks() -> None:
    bars = arch_indices.to_columns("index", frame())
    assert bars.opens == [122923, 122810]
    assert bars.highs == [124881, 124611]
    assert bars.volumes == [877, 775]
    # Winter and summer time: 09:30 is 14:30 UTC, then 13:30 UTC.
    assert list(map(iso, bars.open_times)) == [
        "1999-01-04T14:30:00+00:00",
        "1999-07-06T13:30:00+00:00",
    ]
    assert list(map(iso, bars.close_times)) == [
        "1999-01-04T21:00:00+00:00",
        "1999-07-06T20:00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"Close": [1228.1012, 1244.78]}, "index, row 0, column close"),
        ({"Open": [1229.23, float("nan")]}, "index, row 1, column open"),
        ({"Low": [1219.1, -1.0]}, "index, row 1, column low"),
        ({"High": [1248.81, 1246.005]}, "index, row 1, column high"),
        ({"Volume": [877, 775.5]}, "index, row 0, column volume"),
    ],
)
def test_data_that_is_not_in_cents_is_refused(change: dict[str, object], place: str) -> None:
    with pytest.raises(MarketError) as refused:
        arch_indices.to_columns("index", frame(**change))
    assert refused.value.place == place


@pytest.mark.parametrize(
    "shift",
    [
        lambda index: index.tz_localize("UTC"),
        lambda index: index + pd.Timedelta(hours=9),
    ],
)
def test_an_index_that_is_not_naive_dates_is_refused(
    shift: Callable[[pd.DatetimeIndex], pd.DatetimeIndex],
) -> None:
    data = frame()
    with pytest.raises(MarketError, match="dates without time"):
        arch_indices.to_columns("index", data.set_index(shift(pd.DatetimeIndex(data.index))))


def test_an_unknown_index_is_refused_with_the_known_ones() -> None:
    with pytest.raises(MarketError, match="'ftse' is refused; there is: sp500, nasdaq"):
        arch_indices.load("ftse")


def test_both_indices_are_imported_and_september_2001_is_their_one_gap(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    arch_indices.import_into(catalog)
    assert catalog.names() == ("nasdaq", "sp500")
    sp500, nasdaq = catalog.entry("sp500"), catalog.entry("nasdaq")
    assert sp500.bars == nasdaq.bars == 5031
    assert "NCSA" in sp500.licence
    assert "half-even" in sp500.notes
    for entry in (sp500, nasdaq):
        assert [(iso(gap.after)[:10], iso(gap.before)[:10]) for gap in entry.gaps] == [
            ("2001-09-10", "2001-09-17")
        ]
    # Why a fund must not trade at the opens of this index.
    assert (sp500.stale_opens, nasdaq.stale_opens) == ("2004/5031", "8/5031")

    usd, venue = Asset("USD", 6), Venue("test")
    datasets = {
        name.upper(): DataSets(
            name, Instrument(name.upper(), Asset(name.upper(), 2), usd, venue, 2)
        )
        for name in ("sp500", "nasdaq")
    }
    with pytest.raises(MarketError, match="2001-09-10T20:00:00"):
        load_table(catalog, datasets, GapPolicy.REFUSE)
    table, gaps = load_table(catalog, datasets, GapPolicy.SKIP)
    assert (len(table), len(gaps)) == (5031, 1)
    assert table.closes["SP500"][0] == 122810
    assert table.volumes["SP500"][0] == 877_000_000_00
    new_york = ZoneInfo("America/New_York")
    for time in table.close_times:
        assert datetime.fromtimestamp(time // 1000, new_york).strftime("%H:%M") == "16:00"
