"""Bars that have been checked: exact, in order of time, consistent; whole tables have a digest.

A bar covers [open_time, close_time). ``BarColumns`` are the bars of one instrument as a source
states them; ``BarTable`` is the synchronous bars of several, in the instruments' own units.

The digest of a table is the SHA-256 of

1. the ASCII line ``agent-fund bars 2``, then a line of JSON (RFC 8259, ASCII, no spaces): a list
   with, for each instrument, [symbol, base symbol, base scale, quote symbol, quote scale,
   venue, CAIP-2 chain or null, price scale, lot, tick, kind]; each line ends with LF;
2. for each bar open_time, close_time, then the opens of all instruments in their order, their
   highs, lows, closes and volumes: one byte that says how wide the bar's numbers are, 8 or 16,
   then every number in so many bytes, unsigned, big endian; 8 wherever all of them fit.
"""

from __future__ import annotations

import hashlib
import json
import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from agent_fund.domain.instrument import MAX_SCALE, Instrument
from agent_fund.domain.money import from_units, require_int
from agent_fund.market.errors import MarketError

MAX_TIME = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
MAX_UNITS = 10**38 - 1  # what a Parquet decimal128(38, scale) holds

TIMES = ("open_time", "close_time")
PRICES = ("open", "high", "low", "close")
COLUMNS = (*TIMES, *PRICES, "volume")

Row = tuple[
    int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]
]


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


@dataclass(frozen=True)
class BarTable:
    """Synchronous bars of several instruments; made by ``from_columns``, which checks them.

    Attributes:
        instruments: in the order of every row.
        open_times, close_times: ms since the epoch, UTC, shared by all instruments.
        opens, highs, lows, closes: price units by symbol.
        volumes: base units of the instrument's base asset by symbol.
    """

    instruments: tuple[Instrument, ...]
    open_times: list[int]
    close_times: list[int]
    opens: dict[str, list[int]]
    highs: dict[str, list[int]]
    lows: dict[str, list[int]]
    closes: dict[str, list[int]]
    volumes: dict[str, list[int]]

    @classmethod
    def from_columns(
        cls, instruments: Sequence[Instrument], columns: Mapping[str, BarColumns]
    ) -> BarTable:
        """The table of ``columns`` by symbol, rescaled to each instrument's own units.

        Raises:
            MarketError: if there is no instrument, one twice, one without columns or the reverse;
                if the bars are not synchronous, or a value needs more decimals than there are.
        """
        symbols = [instrument.symbol for instrument in instruments]
        if not symbols or len(set(symbols)) != len(symbols) or set(symbols) != set(columns):
            raise MarketError(
                "bar table", symbols, f"give each of {sorted(columns)} one instrument"
            )
        scaled = {
            instrument.symbol: columns[instrument.symbol].rescaled(
                instrument.price_scale, instrument.base.scale
            )
            for instrument in instruments
        }
        first = scaled[symbols[0]]
        for bars in scaled.values():
            for name in TIMES:
                _require_same(name, first, bars)
        return cls(
            instruments=tuple(instruments),
            open_times=first.open_times,
            close_times=first.close_times,
            opens={symbol: bars.opens for symbol, bars in scaled.items()},
            highs={symbol: bars.highs for symbol, bars in scaled.items()},
            lows={symbol: bars.lows for symbol, bars in scaled.items()},
            closes={symbol: bars.closes for symbol, bars in scaled.items()},
            volumes={symbol: bars.volumes for symbol, bars in scaled.items()},
        )

    def __len__(self) -> int:
        return len(self.close_times)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the layout that the module states."""
        hasher = hashlib.sha256(header_bytes(self.instruments))
        for row in self.rows():
            hasher.update(bar_bytes(*row))
        return hasher.hexdigest()

    def between(self, start_ms: int | None, end_ms: int | None) -> BarTable:
        """The bars with start_ms <= close_time < end_ms; None leaves an end open."""
        kept = window(self.close_times, start_ms, end_ms)
        return BarTable(
            instruments=self.instruments,
            open_times=self.open_times[kept],
            close_times=self.close_times[kept],
            opens={symbol: values[kept] for symbol, values in self.opens.items()},
            highs={symbol: values[kept] for symbol, values in self.highs.items()},
            lows={symbol: values[kept] for symbol, values in self.lows.items()},
            closes={symbol: values[kept] for symbol, values in self.closes.items()},
            volumes={symbol: values[kept] for symbol, values in self.volumes.items()},
        )

    def rows(self) -> Iterator[Row]:
        """Bar by bar what ``History.append`` takes, values in instrument order."""
        fields = (self.opens, self.highs, self.lows, self.closes, self.volumes)
        symbols = [instrument.symbol for instrument in self.instruments]
        across = [zip(*(field[name] for name in symbols), strict=True) for field in fields]
        return zip(self.open_times, self.close_times, *across, strict=True)


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


def header_bytes(instruments: Sequence[Instrument]) -> bytes:
    """The first part of the digest's layout: its name, and what the instruments are."""
    described = [
        [
            *(item.symbol, item.base.symbol, item.base.scale, item.quote.symbol, item.quote.scale),
            *(item.venue.name, item.venue.chain.caip2 if item.venue.chain else None),
            *(item.price_scale, item.lot, item.tick, item.kind.value),
        ]
        for item in instruments
    ]
    return f"agent-fund bars 2\n{json.dumps(described, separators=(',', ':'))}\n".encode("ascii")


def bar_bytes(
    open_time: int,
    close_time: int,
    opens: Sequence[int],
    highs: Sequence[int],
    lows: Sequence[int],
    closes: Sequence[int],
    volumes: Sequence[int],
) -> bytes:
    """One bar in the digest's layout."""
    row = (open_time, close_time, *opens, *highs, *lows, *closes, *volumes)
    try:
        return b"\x08" + _eight_wide(len(row)).pack(*row)
    except struct.error:  # a number of more than 64 bits
        return b"\x10" + b"".join([value.to_bytes(16, "big") for value in row])


@cache
def _eight_wide(count: int) -> struct.Struct:
    return struct.Struct(f">{count}Q")


def _require_same(name: str, first: BarColumns, other: BarColumns) -> None:
    expected, seen = first.by_name()[name], other.by_name()[name]
    if expected == seen:
        return
    if len(expected) != len(seen):
        value, fix = len(seen), f"{first.source} has {len(expected)} bars"
        raise MarketError(f"{other.source}, column {name}", value, f"{fix}: align them first")
    row = next(row for row, time in enumerate(seen) if time != expected[row])
    fix = f"{first.source} has {expected[row]} there: align them first"
    raise MarketError(f"{other.source}, row {row}, column {name}", seen[row], fix)
