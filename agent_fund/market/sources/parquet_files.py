"""A user's own Parquet file, taken as it is or refused: nothing is sorted, filled, guessed.

Columns of bars: open_time and close_time, or only the start of the bar as open_time or date; then
open, high, low, close, volume. Columns of funding: time or date, and rate. Times carry a time
zone. Numbers are decimal, integer or double; a double is the shortest decimal that reads back as
it (Python's ``repr``), so 0.1 is 1/10. Other columns are not read.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import PRICES, BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.manifest import Entry
from agent_fund.market.parquet import decimal_units, whole_column
from agent_fund.market.sources.decimals import (
    MOST_DECIMALS,
    at,
    double_scale,
    double_units,
    to_units,
)
from agent_fund.market.sources.raw_bars import RawBars, RawFunding, store_bars
from agent_fund.market.steps import step_ms

STARTS = ("open_time", "date")
DUE = ("time", "date")
PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}  # the units that Parquet has
JITTER_MS = 1_000


def load(
    path: Path,
    *,
    price_scale: int | None = None,
    volume_scale: int | None = None,
    step: str | None = None,
    rounding: bool = False,
) -> BarColumns:
    """The checked bars of ``path``; as ``read``, and raises for the first row that is no bar."""
    return read(path, price_scale, volume_scale, step, rounding).checked()


def read(
    path: Path,
    price_scale: int | None = None,
    volume_scale: int | None = None,
    step: str | None = None,
    rounding: bool = False,
) -> RawBars:
    """The rows of ``path``.

    Args:
        path: the file.
        price_scale, volume_scale: decimals that a price, a volume may have; None: the most that
            one has, 18 at most.
        step: length of a bar, e.g. ``"1h"``; needed if the file states only where bars start.
        rounding: round more decimals than that half to even, instead of refusing them.

    Raises:
        MarketError: naming file, row, column and value.
    """
    table = _table(path)
    missing = [name for name in (*PRICES, "volume") if name not in table.column_names]
    start = next((name for name in STARTS if name in table.column_names), None)
    if missing or start is None:
        wanted = "open_time (or date), open, high, low, close, volume"
        raise MarketError(f"{path}, columns", table.column_names, f"it needs {wanted}")
    columns = {"open_time": _times(table, start, path)}
    if "close_time" in table.column_names:
        columns["close_time"] = _times(table, "close_time", path)
    elif step is None:
        fix = 'it needs close_time, or the length of a bar: declare step = "1h" or the like'
        raise MarketError(f"{path}, columns", table.column_names, fix)
    else:
        length = step_ms(step)
        columns["close_time"] = [time + length for time in columns["open_time"]]
    if price_scale is None:
        price_scale = max(_scale(table, name, path) for name in PRICES)
    if volume_scale is None:
        volume_scale = _scale(table, "volume", path)
    for name in (*PRICES, "volume"):
        scale = volume_scale if name == "volume" else price_scale
        columns[name] = _units(table, name, path, scale, rounding)
    return RawBars(str(path), price_scale, volume_scale, columns)


def load_funding(path: Path, *, rounding: bool = False) -> FundingColumns:
    """The checked funding rates of ``path``; as ``read_funding``."""
    return read_funding(path, rounding=rounding).checked()


def read_funding(path: Path, *, rounding: bool = False) -> RawFunding:
    """The funding rates of ``path``; times are rounded down to the second.

    Args:
        rounding: round rates of more than RATE_SCALE decimals half to even.

    Raises:
        MarketError: naming file, row, column and value.
    """
    table = _table(path)
    due = next((name for name in DUE if name in table.column_names), None)
    if due is None or "rate" not in table.column_names:
        raise MarketError(f"{path}, columns", table.column_names, "it needs time (or date), rate")
    times = [time - time % JITTER_MS for time in _times(table, due, path)]
    return RawFunding(str(path), times, _units(table, "rate", path, RATE_SCALE, rounding))


def import_into(
    catalog: Catalog,
    name: str,
    path: Path,
    *,
    price_scale: int | None = None,
    volume_scale: int | None = None,
    step: str,
    licence: str,
    rounding: bool = False,
) -> Entry:
    """Write the bars of ``path`` into ``catalog``; a longer time between closes is a gap."""
    return store_bars(
        catalog,
        name,
        read(path, price_scale, volume_scale, step, rounding),
        file=path.name,
        step=step,
        licence=licence,
        rounding=rounding,
    )


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path).combine_chunks()
    except (pa.ArrowInvalid, OSError) as error:
        raise MarketError(str(path), str(error), "give a Parquet file that can be read") from error


def _times(table: pa.Table, name: str, path: Path) -> list[int]:
    array = whole_column(table, name, str(path))
    if not pa.types.is_timestamp(array.type) or array.type.tz is None:
        fix = 'timestamps need a time zone: write them with one, e.g. .dt.tz_localize("UTC")'
        raise MarketError(f"{path}, column {name}", str(array.type), fix)
    ticks = np.asarray(array.cast(pa.int64()))
    per_ms = PER_MS[array.type.unit]
    broken = np.flatnonzero(ticks % per_ms)
    if broken.size:
        row = int(broken[0])
        fix = "times in whole milliseconds are expected"
        raise MarketError(at(str(path), row, name), str(array[row]), fix)
    return cast(list[int], (ticks // per_ms).tolist())


def _units(table: pa.Table, name: str, path: Path, scale: int, rounding: bool) -> list[int]:
    array = _numbers(table, name, path)
    if pa.types.is_integer(array.type):
        return [value * 10**scale for value in array.to_pylist()]
    if pa.types.is_float64(array.type):
        return double_units(np.asarray(array), str(path), name, scale, rounding)
    stored, units = decimal_units(array)
    return [
        to_units(Fraction(value, 10**stored), at(str(path), row, name), scale, rounding)
        if stored > scale
        else value * 10 ** (scale - stored)
        for row, value in enumerate(units)
    ]


def _scale(table: pa.Table, name: str, path: Path) -> int:
    """The most decimals that a value of the column has."""
    array = _numbers(table, name, path)
    if pa.types.is_integer(array.type):
        return 0
    if pa.types.is_float64(array.type):
        return double_scale(np.asarray(array), str(path), name)
    scale, units = decimal_units(array)
    while scale > 0 and not any(unit % 10 for unit in units):
        scale, units = scale - 1, [unit // 10 for unit in units]
    if scale > MOST_DECIMALS:
        fix = f"at most {MOST_DECIMALS} decimals are kept: declare fewer, and rounding"
        raise MarketError(f"{path}, column {name}", scale, fix)
    return scale


def _numbers(table: pa.Table, name: str, path: Path) -> pa.Array:
    array = whole_column(table, name, str(path))
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_float64(kind) or pa.types.is_decimal128(kind)):
        fix = "write the column as double, integer or decimal128"
        raise MarketError(f"{path}, column {name}", str(kind), fix)
    return array
