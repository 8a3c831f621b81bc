"""``BarTable``: synchronous bars of several instruments, in their own units, under one digest.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from agent_fund.domain.instrument import Instrument
from agent_fund.market.columns import TIMES, BarColumns, window
from agent_fund.market.errors import MarketError

Row = tuple[
    int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]
]


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
