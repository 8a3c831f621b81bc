"""What an agent may know at time t: every bar that has closed by t, and nothing later.

``History`` is fed one bar at a time, as time advances, so that the future is not in reach of a
``Snapshot`` at all. A snapshot that is kept while the history grows goes on showing its own time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import numpy as np
import pandas as pd

from agent_fund.domain.instrument import Instrument
from agent_fund.market.bars import Row, bar_bytes, header_bytes
from agent_fund.market.errors import MarketError


class History:
    """The bars that have closed so far, one row a bar, values in instrument order.

    Rows come from ``BarTable.rows``, or from a venue through ``BarColumns``: values are checked
    there. Here only the order of time and the width of a row are, because a bar is fed at every
    step of a backtest.
    """

    __slots__ = ("_columns", "_hashed", "_hasher", "_instruments", "_last_time", "_rows", "_width")

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = MappingProxyType({item.symbol: item for item in instruments})
        self._columns = {item.symbol: column for column, item in enumerate(instruments)}
        self._width = len(instruments)
        if self._width == 0 or len(self._instruments) != self._width:
            names = [item.symbol for item in instruments]
            raise MarketError("instruments of a history", names, "give at least one, each once")
        self._rows: list[Row] = []
        self._last_time = 0
        self._hasher = hashlib.sha256(header_bytes(instruments))
        self._hashed = 0

    def __len__(self) -> int:
        return len(self._rows)

    def append(
        self,
        open_time: int,
        close_time: int,
        opens: tuple[int, ...],
        highs: tuple[int, ...],
        lows: tuple[int, ...],
        closes: tuple[int, ...],
        volumes: tuple[int, ...],
    ) -> None:
        """Make the bar [open_time, close_time) known; call it when the bar has closed.

        Raises:
            MarketError: if the bar opens before the last one closed, or a tuple has not one value
                for each instrument.
        """
        if not self._last_time <= open_time < close_time:
            place = f"bar {len(self)} of the history"
            fix = f"it must open at {self._last_time} or later, and close after it opens"
            raise MarketError(place, (open_time, close_time), fix)
        width = self._width
        if not (len(opens) == len(highs) == len(lows) == len(closes) == len(volumes) == width):
            place = f"bar {len(self)} of the history"
            seen = tuple(map(len, (opens, highs, lows, closes, volumes)))
            raise MarketError(place, seen, f"give {width} values, one for each instrument")
        self._last_time = close_time
        self._rows.append((open_time, close_time, opens, highs, lows, closes, volumes))

    def snapshot(self) -> Snapshot:
        """What is known now, at the close of the last bar.

        Raises:
            MarketError: before the first bar has closed.
        """
        length = len(self._rows)
        if not length:
            raise MarketError("snapshot", length, "append a bar first: nothing is known yet")
        return Snapshot(self, length)

    def _digest(self, length: int) -> str:
        """SHA-256 of the first ``length`` bars, as ``BarTable.digest`` has it.

        Only bars not hashed yet cost anything, unless an older snapshot asks late.
        """
        if length >= self._hashed:
            hasher, start = self._hasher, self._hashed
            self._hashed = length
        else:
            hasher, start = hashlib.sha256(header_bytes(tuple(self._instruments.values()))), 0
        for bar in range(start, length):
            hasher.update(bar_bytes(*self._rows[bar]))
        return hasher.hexdigest()


class Snapshot:
    """All bars up to ``time``; made by ``History.snapshot``. Costs a reference and a length."""

    __slots__ = ("_history", "_length")

    def __init__(self, history: History, length: int) -> None:
        self._history = history
        self._length = length

    @property
    def time(self) -> int:
        """The close_time of the last bar, ms since the epoch, UTC."""
        return self._history._rows[self._length - 1][1]

    @property
    def bar(self) -> int:
        """The number of the last bar, counted from 0."""
        return self._length - 1

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Every instrument by symbol; cannot be written to."""
        return self._history._instruments

    @property
    def prices(self) -> Mapping[str, int]:
        """Last closing price by symbol, in price units; a new mapping each time."""
        history = self._history
        return dict(zip(history._columns, history._rows[self._length - 1][5], strict=True))

    def last_close(self, symbol: str) -> int:
        """The last closing price of ``symbol``, in price units."""
        history = self._history
        column = history._columns.get(symbol)
        if column is None:
            column = self._column(symbol)
        return history._rows[self._length - 1][5][column]

    def price(self, symbol: str) -> Decimal:
        """The last closing price of ``symbol`` as the Decimal that people read."""
        units = self.last_close(symbol)
        return self._history._instruments[symbol].price_decimal(units)

    def closes(self, symbol: str, n: int) -> list[int]:
        """The last ``n`` closing prices, oldest first, in price units; fewer if there are fewer."""
        column = self._column(symbol)
        return [row[5][column] for row in self._last(symbol, n)]

    def volumes(self, symbol: str, n: int) -> list[int]:
        """The last ``n`` volumes, oldest first, in base units; fewer if there are fewer."""
        column = self._column(symbol)
        return [row[6][column] for row in self._last(symbol, n)]

    def frame(self, symbol: str, n: int) -> pd.DataFrame:
        """The last ``n`` bars as floats for models and plots.

        Returns:
            Columns open, high, low, close (quote asset), volume (base asset), each at most n
            rows, oldest first; the index is close_time, a DatetimeIndex in UTC.
        """
        column, rows = self._column(symbol), self._last(symbol, n)
        instrument = self._history._instruments[symbol]
        price, volume = 10**instrument.price_scale, 10**instrument.base.scale
        fields = {"open": (2, price), "high": (3, price), "low": (4, price), "close": (5, price)}
        fields["volume"] = (6, volume)
        values = {
            name: [_at(row, field, column) / unit for row in rows]
            for name, (field, unit) in fields.items()
        }
        times = np.array([row[1] for row in rows], dtype="datetime64[ms]")
        index = pd.DatetimeIndex(times, name="close_time")
        return pd.DataFrame(values, index=index.tz_localize("UTC"), dtype="float64")

    def digest(self) -> str:
        """SHA-256, in hex, of all bars up to ``time``: the digest of the table that holds them."""
        return self._history._digest(self._length)

    def _last(self, symbol: str, n: int) -> list[Row]:
        if n < 0:
            raise MarketError(f"bars of {symbol}", n, "ask for 0 or more")
        return self._history._rows[max(0, self._length - n) : self._length]

    def _column(self, symbol: str) -> int:
        column = self._history._columns.get(symbol)
        if column is None:
            known = ", ".join(self._history._columns)
            raise MarketError("instrument of a snapshot", symbol, f"the snapshot has: {known}")
        return column


def _at(row: Row, field: int, column: int) -> int:
    values = row[field]
    if isinstance(values, int):
        raise MarketError("field of a bar", field, "times are not prices")
    return values[column]
