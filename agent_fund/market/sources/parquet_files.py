"""A user's own Parquet file of bars, taken as it is or refused: nothing is sorted, filled, guessed.

Columns: open_time and close_time, or only the start of the bar as open_time or date; then open,
high, low, close, volume. Times carry a time zone. Numbers are decimal, integer or double; a double
is the shortest decimal that reads back as it (Python's ``repr``), so 0.1 is 1/10. Other columns
are not read.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from agent_fund.domain.money import from_units
from agent_fund.market.catalog import Catalog, Entry, decimal_units, whole_column
from agent_fund.market.columns import PRICES, BarColumns, from_names
from agent_fund.market.errors import MarketError

STARTS = ("open_time", "date")
STEP = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
STEP_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_PLAIN = 1e15  # doubles (IEEE 754 binary64) tell decimals of up to 15 digits apart
EXACT_POWER = 22  # 10**22 is the largest power of ten that is a double
PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}  # the units that Parquet has


def load(
    path: Path,
    *,
    price_scale: int,
    volume_scale: int,
    step: str | None = None,
    rounding: bool = False,
) -> BarColumns:
    """The checked bars of ``path``.

    Args:
        path: the file.
        price_scale, volume_scale: decimals that a price, a volume may have.
        step: length of a bar, e.g. ``"1h"``; needed if the file states only where bars start.
        rounding: round more decimals than that half to even, instead of refusing them.

    Raises:
        MarketError: naming file, row, column and value.
    """
    try:
        table = pq.read_table(path).combine_chunks()
    except (pa.ArrowInvalid, OSError) as error:
        raise MarketError(str(path), str(error), "give a Parquet file that can be read") from error
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
    for name in (*PRICES, "volume"):
        scale = volume_scale if name == "volume" else price_scale
        columns[name] = _units(table, name, path, scale, rounding)
    return from_names(str(path), price_scale, volume_scale, columns)


def import_into(
    catalog: Catalog,
    name: str,
    path: Path,
    *,
    price_scale: int,
    volume_scale: int,
    step: str,
    licence: str,
    rounding: bool = False,
) -> Entry:
    """Write the bars of ``path`` into ``catalog``; a longer time between closes is a gap."""
    columns = load(
        path, price_scale=price_scale, volume_scale=volume_scale, step=step, rounding=rounding
    )
    rounded = "half-even, where they had more decimals" if rounding else "not at all"
    return catalog.write(
        name,
        columns,
        step=step,
        max_step_ms=step_ms(step),
        source=path.name,
        licence=licence,
        notes=f"Prices and volumes rounded {rounded}.",
    )


def step_ms(step: str) -> int:
    """The length of ``"30s"``, ``"15m"``, ``"1h"``, ``"1d"`` in ms."""
    found = STEP.fullmatch(step)
    if found is None:
        raise MarketError("step", step, 'write a number and s, m, h or d, such as "1h"')
    return int(found[1]) * STEP_MS[found[2]]


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
        raise MarketError(_place(path, row, name), str(array[row]), fix)
    return cast(list[int], (ticks // per_ms).tolist())


def _units(table: pa.Table, name: str, path: Path, scale: int, rounding: bool) -> list[int]:
    array = whole_column(table, name, str(path))
    if pa.types.is_integer(array.type):
        return [value * 10**scale for value in array.to_pylist()]
    if pa.types.is_float64(array.type):
        return _double_units(np.asarray(array), name, path, scale, rounding)
    if not pa.types.is_decimal(array.type) or pa.types.is_decimal256(array.type):
        fix = "write the column as double, integer or decimal128"
        raise MarketError(f"{path}, column {name}", str(array.type), fix)
    stored, units = decimal_units(array)
    return [
        _to_units(Fraction(value, 10**stored), _place(path, row, name), scale, rounding)
        if stored > scale
        else value * 10 ** (scale - stored)
        for row, value in enumerate(units)
    ]


def _double_units(
    values: npt.NDArray[np.float64], name: str, path: Path, scale: int, rounding: bool
) -> list[int]:
    infinite = np.flatnonzero(~np.isfinite(values))
    if infinite.size:
        row = int(infinite[0])
        fix = "every bar needs a finite number"
        raise MarketError(_place(path, row, name), float(values[row]), fix)
    # A double that is nearest to a decimal of at most 15 digits has that decimal as its repr, so
    # those need no parsing: two such decimals never share a double, and 10**scale is exact here.
    power = 10.0 ** min(scale, EXACT_POWER)
    with np.errstate(over="ignore"):
        scaled = np.rint(np.clip(values * power, -MAX_PLAIN, MAX_PLAIN))
    plain = (scaled / power == values) & (scale <= EXACT_POWER)
    return [
        int(unit)
        if quick
        else _to_units(Fraction(repr(value)), _place(path, row, name), scale, rounding)
        for row, (unit, quick, value) in enumerate(
            zip(scaled.tolist(), plain.tolist(), values.tolist(), strict=True)
        )
    ]


def _to_units(value: Fraction, place: str, scale: int, rounding: bool) -> int:
    units = value * 10**scale
    if units.denominator == 1 or rounding:
        rounded: int = round(units)  # a Fraction rounds half to even
        return rounded
    # A denominator of twos and fives only: some power of ten makes it whole.
    decimals = next(places for places in count(scale + 1) if (value * 10**places).denominator == 1)
    fix = f"it has {decimals} decimals and {scale} are declared: declare more, or rounding"
    raise MarketError(place, str(from_units(int(value * 10**decimals), decimals)), fix)


def _place(path: Path, row: int, name: str) -> str:
    return f"{path}, row {row}, column {name}"
