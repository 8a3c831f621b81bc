"""``BarColumns``: the bars of one instrument as a source states them, checked when made.

A bar covers [open_time, close_time): exact integers, in order of time, consistent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent_fund.domain.instrument import MAX_SCALE
from agent_fund.domain.money import from_units, require_int
from agent_fund.market.errors import MarketError

MAX_TIME = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
MAX_UNITS = 10**38 - 1  # what a Parquet decimal128(38, scale) holds

TIMES = ("open_time", "close_time")
PRICES = ("open", "high", "low", "close")
COLUMNS = (*TIMES, *PRICES, "volume")


@dataclass(frozen=True)
class BarColumns:
    """The bars of one instrument, n values a column, checked when made.

    Attributes:
        source: the file or data set, as errors name it.
        open_times, close_times: ms since the epoch, UTC.
        opens, highs, lows, closes: integers of 10**-price_scale.
        volumes: integers of 10**-volume_scale of the base asset.

    Raises:
        MarketError: naming file, row, column and value, for anything but ints; a price below 1;
            low above, or high below, another price; a negative volume; times not in order.
    """

    source: str
    price_scale: int
    volume_scale: int
    open_times: list[int]
    close_times: list[int]
    opens: list[int]
    highs: list[int]
    lows: list[int]
    closes: list[int]
    volumes: list[int]

    def __post_init__(self) -> None:
        for scale in (self.price_scale, self.volume_scale):
            require_int(scale, f"scale of {self.source}", minimum=0)
            if scale > MAX_SCALE:
                raise MarketError(self.source, scale, f"write a scale of at most {MAX_SCALE}")
        for name, values in self.by_name().items():
            if len(values) != len(self.close_times):
                raise MarketError(
                    f"{self.source}, column {name}",
                    len(values),
                    f"it needs {len(self.close_times)} values, one for each close_time",
                )
        self._check_times()
        self._check_prices()

    def __len__(self) -> int:
        return len(self.close_times)

    def by_name(self) -> dict[str, list[int]]:
        """The seven columns, by the names that files and errors use."""
        return {
            "open_time": self.open_times,
            "close_time": self.close_times,
            "open": self.opens,
            "high": self.highs,
            "low": self.lows,
            "close": self.closes,
            "volume": self.volumes,
        }

    def between(self, start_ms: int | None, end_ms: int | None) -> BarColumns:
        """The bars with start_ms <= close_time < end_ms; None leaves an end open."""
        kept = window(self.close_times, start_ms, end_ms)
        return self.with_columns({name: column[kept] for name, column in self.by_name().items()})

    def rescaled(self, price_scale: int, volume_scale: int) -> BarColumns:
        """The same prices and volumes in units of other scales, exactly or refused."""
        if (price_scale, volume_scale) == (self.price_scale, self.volume_scale):
            return self
        steps = dict.fromkeys(PRICES, price_scale - self.price_scale)
        steps["volume"] = volume_scale - self.volume_scale
        columns = self.by_name()
        for name, step in steps.items():
            columns[name] = self._shifted(name, columns[name], step)
        return from_names(self.source, price_scale, volume_scale, columns)

    def with_columns(self, columns: Mapping[str, list[int]]) -> BarColumns:
        """The same source and scales with other columns, keyed as in ``by_name``."""
        return from_names(self.source, self.price_scale, self.volume_scale, columns)

    def _shifted(self, name: str, values: list[int], step: int) -> list[int]:
        if step >= 0:
            factor = 10**step
            return [value * factor for value in values]
        divisor = 10**-step
        for row, value in enumerate(values):
            if value % divisor:
                what = "base asset's scale" if name == "volume" else "price_scale"
                raise self._error(name, row, value, f"make the instrument's {what} {-step} larger")
        return [value // divisor for value in values]

    def _check_times(self) -> None:
        opens = self._array("open_time", 0, MAX_TIME)
        closes = self._array("close_time", 0, MAX_TIME)
        self._refuse("close_time", closes <= opens, "it must be later than the bar's open_time")
        repeated = np.zeros(len(closes), dtype=np.bool_)
        repeated[1:] = closes[1:] <= closes[:-1]
        self._refuse("close_time", repeated, "times must increase strictly: sort, drop duplicates")
        overlapping = np.zeros(len(opens), dtype=np.bool_)
        overlapping[1:] = opens[1:] < closes[:-1]
        self._refuse("open_time", overlapping, "a bar must not open before the one before closes")

    def _check_prices(self) -> None:
        opens, highs, lows, closes = (self._array(name, 1, MAX_UNITS) for name in PRICES)
        self._array("volume", 0, MAX_UNITS)
        above = (highs < opens) | (highs < closes) | (highs < lows)
        self._refuse("high", above, "the high must be the bar's highest price")
        self._refuse("low", (lows > opens) | (lows > closes), "the low must be its lowest price")

    def _array(self, name: str, minimum: int, maximum: int) -> npt.NDArray[np.int64]:
        """The column as int64, or as objects where 64 bits are too few; ints in range only."""
        values = self.by_name()[name]
        if set(map(type, values)) - {int}:
            row = next(row for row, value in enumerate(values) if type(value) is not int)
            raise self._error(name, row, values[row], "write integers in base units")
        for row_of in (min, max):
            value = row_of(values, default=minimum)
            if not minimum <= value <= maximum:
                fix = f"it must be from {minimum} to {maximum} units"
                raise self._error(name, values.index(value), value, fix)
        fits = max(values, default=0) < 2**63
        return np.array(values, dtype=np.int64 if fits else np.object_)

    def _refuse(self, name: str, wrong: npt.NDArray[np.bool_], fix: str) -> None:
        rows = np.flatnonzero(wrong)
        if rows.size:
            row = int(rows[0])
            raise self._error(name, row, self.by_name()[name][row], fix)

    def _error(self, name: str, row: int, value: object, fix: str) -> MarketError:
        if type(value) is int and name not in TIMES:
            scale = self.volume_scale if name == "volume" else self.price_scale
            value = str(from_units(value, scale))
        return MarketError(f"{self.source}, row {row}, column {name}", value, fix)


def from_names(
    source: str, price_scale: int, volume_scale: int, columns: Mapping[str, list[int]]
) -> BarColumns:
    """BarColumns from columns keyed as in ``BarColumns.by_name``."""
    return BarColumns(source, price_scale, volume_scale, *(columns[name] for name in COLUMNS))


def window(close_times: list[int], start_ms: int | None, end_ms: int | None) -> slice:
    """Where start_ms <= close_time < end_ms in increasing ``close_times``."""
    start = 0 if start_ms is None else bisect_left(close_times, start_ms)
    end = len(close_times) if end_ms is None else bisect_left(close_times, end_ms)
    return slice(start, end)
