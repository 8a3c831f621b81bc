"""Daily bars of two US indices, 1999-2018, as the ``arch`` package carries them, in cents.

``arch.data`` is read through its loaders at run time; nothing of it is copied. It states dates
without a time zone and float64 prices that carry float32 noise. What is added here, and is in the
catalog's notes: the session of the New York Stock Exchange (opens 09:30, closes 16:00 New York
time), and the rounding to cents, half to even, which may not move a price by more than 0.001:
what moves further was no price in cents.
"""

from __future__ import annotations

import importlib
from datetime import datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pandas as pd

from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import PRICES, BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.manifest import Entry

NEW_YORK = ZoneInfo("America/New_York")
OPENS = time(9, 30)
CLOSES = time(16, 0)
DAY_MS = 86_400_000
MAX_STEP_MS = 5 * DAY_MS
MAX_NOISE = Decimal("0.001")
CENT = Decimal("0.01")
INDICES = ("sp500", "nasdaq")
SOURCE = "arch.data.{} of the Python package arch, read through its loader"
LICENCE = "University of Illinois/NCSA Open Source License (package arch)"
NOTES = (
    "Sessions 09:30-16:00 America/New_York, early closes included: those are known later here, "
    "never earlier. Prices rounded half-even to 2 decimals, moving none by more than 0.001. "
    "Column Adj Close is not used. A step of more than 5 days is a gap."
)


def load(name: str) -> BarColumns:
    """The bars of ``"sp500"`` or ``"nasdaq"``: prices in cents, volumes in shares.

    Raises:
        MarketError: for another name, or data that is not what the module says.
    """
    if name not in INDICES:
        raise MarketError("index of arch.data", name, f"there is: {', '.join(INDICES)}")
    # Imported when it is read, once a catalog: all of arch comes with it, most of a second.
    loader: Any = importlib.import_module(f"arch.data.{name}")
    return to_columns(loader.__name__, loader.load())


def to_columns(source: str, frame: pd.DataFrame) -> BarColumns:
    """The checked bars of a frame with a naive date index and Open, High, Low, Close, Volume."""
    dates = cast(pd.DatetimeIndex, frame.index)
    if dates.tz is not None or not bool((dates == dates.normalize()).all()):
        raise MarketError(f"{source}, index", str(dates.dtype), "dates without time are expected")
    days = [date.date() for date in dates.to_pydatetime()]
    opens, highs, lows, closes = (
        [
            _cents(value, f"{source}, row {row}, column {name}")
            for row, value in enumerate(frame[name.capitalize()].tolist())
        ]
        for name in PRICES
    )
    return BarColumns(
        source=source,
        price_scale=2,
        volume_scale=0,
        open_times=[_at(datetime.combine(day, OPENS, NEW_YORK)) for day in days],
        close_times=[_at(datetime.combine(day, CLOSES, NEW_YORK)) for day in days],
        opens=opens,
        highs=highs,
        lows=lows,
        closes=closes,
        volumes=frame["Volume"].tolist(),
    )


def import_into(catalog: Catalog) -> tuple[Entry, ...]:
    """Write both indices into ``catalog`` as ``sp500`` and ``nasdaq``."""
    return tuple(
        catalog.write(
            name,
            load(name),
            step="sessions",
            max_step_ms=MAX_STEP_MS,
            source=SOURCE.format(name),
            licence=LICENCE,
            notes=NOTES,
        )
        for name in INDICES
    )


def _cents(value: float, place: str) -> int:
    exact = Decimal(repr(value))
    if not exact.is_finite():
        raise MarketError(place, value, "a finite price is expected")
    rounded = exact.quantize(CENT, ROUND_HALF_EVEN)
    if abs(rounded - exact) > MAX_NOISE:
        raise MarketError(place, value, f"rounding to cents may move it by at most {MAX_NOISE}")
    return int(rounded.scaleb(2))


def _at(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
