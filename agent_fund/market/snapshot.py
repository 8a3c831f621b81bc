"""What an agent may know at time t: every bar that has closed by t, and nothing later.

``History`` is fed one bar at a time, as time advances, so that the future is not in reach of a
``Snapshot`` at all. A snapshot that is kept while the history grows goes on showing its own time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.market.bars import Row, Values
from agent_fund.market.digest import BarDigest
from agent_fund.market.errors import MarketError

# Where a Row has them.
OPENS: Final = 2
HIGHS: Final = 3
LOWS: Final = 4
CLOSES: Final = 5
VOLUMES: Final = 6
MARKS: Final = 8
INDICES: Final = 10


class History:
    """The bars that have closed so far, one row a bar, values in instrument order.

    Rows come from ``BarTable.rows``, or from a venue through ``BarColumns``: values are checked
    there. Here only the order of time and the width of a row are, because a bar is fed at every
    step of a backtest.
    """

    __slots__ = (
        "_columns",
        "_digested",
        "_digester",
        "_instruments",
        "_last_time",
        "_paid",
        "_rows",
        "_width",
    )

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = MappingProxyType({item.symbol: item for item in instruments})
        self._columns = {item.symbol: column for column, item in enumerate(instruments)}
        self._width = len(instruments)
        if self._width == 0 or len(self._instruments) != self._width:
            names = [item.symbol for item in instruments]
            raise MarketError("instruments of a history", names, "give at least one, each once")
        self._rows: list[Row] = []
        self._last_time = 0
        self._digester = BarDigest(instruments)
        self._digested = 0
        # Of each perpetual, by column: the bars at whose open funding was paid, and the rates.
        self._paid: dict[int, tuple[list[int], list[int]]] = {
            column: ([], [])
            for column, item in enumerate(instruments)
            if item.kind is Kind.PERPETUAL
        }

    def __len__(self) -> int:
        return len(self._rows)

    def append(
        self,
        open_time: int,
        close_time: int,
        opens: Values,
        highs: Values,
        lows: Values,
        closes: Values,
        volumes: Values,
        mark_opens: Values | None = None,
        mark_closes: Values | None = None,
        rates: Values = (),
        indices: Values = (),
    ) -> None:
        """Make the bar [open_time, close_time) known; call it when the bar has closed.

        Takes a ``bars.Row``; the last four may be left out where there is no perpetual.

        Raises:
            MarketError: if the bar opens before the last one closed, or a tuple has not one value
                for each instrument.
        """
        if not self._last_time <= open_time < close_time:
            place = f"bar {len(self)} of the history"
            fix = f"it must open at {self._last_time} or later, and close after it opens"
            raise MarketError(place, (open_time, close_time), fix)
        width = self._width
        if not self._paid:
            # Spot is valued at its last price, whatever the feed calls a mark.
            mark_opens, mark_closes, rates, indices = opens, closes, (), ()
        elif mark_opens is None or mark_closes is None:
            place = f"bar {len(self)} of the history"
            raise MarketError(place, "no mark prices", "a history with perpetuals needs them")
        elif not (len(mark_opens) == len(mark_closes) == len(rates) == len(indices) == width):
            raise self._misshapen(mark_opens, mark_closes, rates, indices)
        if not (len(opens) == len(highs) == len(lows) == len(closes) == len(volumes) == width):
            raise self._misshapen(opens, highs, lows, closes, volumes)
        if any(rates):
            for column, (bars, paid) in self._paid.items():
                if rates[column]:
                    bars.append(len(self._rows))
                    paid.append(rates[column])
        self._last_time = close_time
        self._rows.append(
            (
                *(open_time, close_time, opens, highs, lows, closes, volumes),
                *(mark_opens, mark_closes, rates, indices),
            )
        )

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
        if length >= self._digested:
            digester, start = self._digester, self._digested
            self._digested = length
        else:
            digester, start = BarDigest(tuple(self._instruments.values())), 0
        for bar in range(start, length):
            digester.add(*self._rows[bar])
        return digester.hexdigest()

    def _misshapen(self, *values: Values) -> MarketError:
        place, fix = f"bar {len(self)} of the history", "one for each instrument"
        return MarketError(place, tuple(map(len, values)), f"give {self._width} values, {fix}")


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
        """What a position is valued at, by symbol, in price units; a new mapping each time.

        The mark price at the last close; for spot that is the last closing price.
        """
        history = self._history
        return dict(zip(history._columns, history._rows[self._length - 1][MARKS], strict=True))

    def last_close(self, symbol: str) -> int:
        """The last closing price of trades in ``symbol``, in price units."""
        history = self._history
        column = history._columns.get(symbol)
        if column is None:
            column = self._column(symbol)
        return history._rows[self._length - 1][CLOSES][column]

    def price(self, symbol: str) -> Decimal:
        """The last closing price of ``symbol`` as the Decimal that people read."""
        units = self.last_close(symbol)
        return self._history._instruments[symbol].price_decimal(units)

    def mark(self, symbol: str) -> int:
        """The mark price of ``symbol`` at the last close, in price units; spot: its last price."""
        return self._history._rows[self._length - 1][MARKS][self._column(symbol)]

    def index(self, symbol: str) -> int:
        """The index price of ``symbol`` at the last close; its mark price where there is none."""
        row = self._history._rows[self._length - 1]
        return (row[INDICES] or row[MARKS])[self._column(symbol)]

    def basis(self, symbol: str) -> Fraction:
        """By what share the mark price of ``symbol`` lies above its index price; exact."""
        return Fraction(self.mark(symbol), self.index(symbol)) - 1

    def funding_rates(self, symbol: str, n: int) -> list[int]:
        """The last ``n`` funding rates paid, oldest first; fewer if there are fewer.

        Returns:
            Integers of 10**-RATE_SCALE of the notional, positive where longs pay shorts, one for
            each bar at whose open something was paid; none for spot.
        """
        if n < 0:
            raise MarketError(f"funding rates of {symbol}", n, "ask for 0 or more")
        bars, paid = self._history._paid.get(self._column(symbol), ([], []))
        known = bisect_left(bars, self._length)
        return paid[max(0, known - n) : known]

    def closes(self, symbol: str, n: int) -> list[int]:
        """The last ``n`` closing prices, oldest first, in price units; fewer if there are fewer."""
        column = self._column(symbol)
        return [row[CLOSES][column] for row in self._last(symbol, n)]

    def volumes(self, symbol: str, n: int) -> list[int]:
        """The last ``n`` volumes, oldest first, in base units; fewer if there are fewer."""
        column = self._column(symbol)
        return [row[VOLUMES][column] for row in self._last(symbol, n)]

    def frame(self, symbol: str, n: int) -> pd.DataFrame:
        """The last ``n`` bars as floats for models and plots.

        Returns:
            Columns open, high, low, close (quote asset), volume (base asset), and mark (quote
            asset, at the close) for perpetuals, each at most n rows, oldest first; the index is
            close_time, a DatetimeIndex in UTC.
        """
        column, rows = self._column(symbol), self._last(symbol, n)
        instrument = self._history._instruments[symbol]
        price, volume = 10**instrument.price_scale, 10**instrument.base.scale
        values = {
            "open": [row[OPENS][column] / price for row in rows],
            "high": [row[HIGHS][column] / price for row in rows],
            "low": [row[LOWS][column] / price for row in rows],
            "close": [row[CLOSES][column] / price for row in rows],
            "volume": [row[VOLUMES][column] / volume for row in rows],
        }
        if instrument.kind is Kind.PERPETUAL:
            values["mark"] = [row[MARKS][column] / price for row in rows]
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
