"""``BarTable``: synchronous bars of several instruments, in their own units, under one digest.

Perpetuals carry mark prices, funding rates and index prices beside the prices of trades. The
digest is ``digest.BarDigest``'s.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from types import MappingProxyType

from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.market.columns import TIMES, BarColumns, window
from agent_fund.market.digest import BarDigest
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.perturb import (
    perturbed_bars,
    perturbed_price,
    perturbed_rate,
    perturbed_volume,
)

Values = tuple[int, ...]
Row = tuple[int, int, Values, Values, Values, Values, Values, Values, Values, Values, Values]
"""One bar, each tuple in the order of the instruments:

(open_time, close_time, opens, highs, lows, closes, volumes, mark_opens, mark_closes, rates,
indices). A spot instrument's marks are its last prices and its rate is 0; ``rates`` are paid at
the bar's open; ``indices`` are index prices at its close. Without any perpetual, ``mark_opens`` is
the same object as ``opens``, ``mark_closes`` as ``closes``, and ``rates`` and ``indices`` are ().
"""

NONE: Mapping[str, BarColumns] = MappingProxyType({})
NO_FUNDING: Mapping[str, FundingColumns] = MappingProxyType({})


@dataclass(frozen=True)
class BarTable:
    """Synchronous bars of several instruments; made by ``from_columns``, which checks them.

    Attributes:
        instruments: in the order of every row.
        open_times, close_times: ms since the epoch, UTC, shared by all instruments.
        opens, highs, lows, closes: price units by symbol.
        volumes: base units of the instrument's base asset by symbol.
        mark_opens, mark_closes: mark prices in price units; of perpetuals only, as all below.
        rates: funding paid at each bar's open, in 10**-RATE_SCALE of the notional; 0 for none.
        index_closes: index prices in price units; the mark where an instrument has no index.
    """

    instruments: tuple[Instrument, ...]
    open_times: list[int]
    close_times: list[int]
    opens: dict[str, list[int]]
    highs: dict[str, list[int]]
    lows: dict[str, list[int]]
    closes: dict[str, list[int]]
    volumes: dict[str, list[int]]
    mark_opens: dict[str, list[int]] = field(default_factory=dict)
    mark_closes: dict[str, list[int]] = field(default_factory=dict)
    rates: dict[str, list[int]] = field(default_factory=dict)
    index_closes: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def from_columns(
        cls,
        instruments: Sequence[Instrument],
        columns: Mapping[str, BarColumns],
        *,
        marks: Mapping[str, BarColumns] = NONE,
        indices: Mapping[str, BarColumns] = NONE,
        fundings: Mapping[str, FundingColumns] = NO_FUNDING,
    ) -> BarTable:
        """The table of ``columns`` by symbol, rescaled to each instrument's own units.

        Args:
            instruments: in the order that rows will have.
            columns: prices of trades.
            marks, fundings: of every perpetual, and of nothing else; see ``rates_at_opens``.
            indices: of perpetuals that have one.

        Raises:
            MarketError: if there is no instrument, one twice, one without columns or the reverse;
                if a perpetual lacks marks or funding, or spot has them; if the bars are not
                synchronous, or a value needs more decimals than there are.
        """
        symbols = [instrument.symbol for instrument in instruments]
        if not symbols or len(set(symbols)) != len(symbols) or set(symbols) != set(columns):
            raise MarketError(
                "bar table", symbols, f"give each of {sorted(columns)} one instrument"
            )
        _require_kinds(instruments, {"mark prices": marks, "funding rates": fundings}, indices)
        first = columns[symbols[0]]
        for bars in (*columns.values(), *marks.values(), *indices.values()):
            for name in TIMES:
                _require_same(name, first, bars)
        last = {
            item.symbol: columns[item.symbol].rescaled(item.price_scale, item.base.scale)
            for item in instruments
        }
        mark = {
            item.symbol: _in_prices(marks[item.symbol], item)
            for item in instruments
            if item.symbol in marks
        }
        index = mark | {
            item.symbol: _in_prices(indices[item.symbol], item)
            for item in instruments
            if item.symbol in indices
        }
        return cls(
            instruments=tuple(instruments),
            open_times=first.open_times,
            close_times=first.close_times,
            opens={symbol: bars.opens for symbol, bars in last.items()},
            highs={symbol: bars.highs for symbol, bars in last.items()},
            lows={symbol: bars.lows for symbol, bars in last.items()},
            closes={symbol: bars.closes for symbol, bars in last.items()},
            volumes={symbol: bars.volumes for symbol, bars in last.items()},
            mark_opens={symbol: bars.opens for symbol, bars in mark.items()},
            mark_closes={symbol: bars.closes for symbol, bars in mark.items()},
            rates={
                symbol: rates_at_opens(first.open_times, first.close_times, fundings[symbol])
                for symbol in mark
            },
            index_closes={symbol: bars.closes for symbol, bars in index.items()},
        )

    def __len__(self) -> int:
        return len(self.close_times)

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of the layout that ``digest`` states."""
        digest = BarDigest(self.instruments)
        for row in self.rows():
            digest.add(*row)
        return digest.hexdigest()

    def between(self, start_ms: int | None, end_ms: int | None) -> BarTable:
        """The bars with start_ms <= close_time < end_ms; None leaves an end open."""
        kept = window(self.close_times, start_ms, end_ms)
        return BarTable(
            instruments=self.instruments,
            open_times=self.open_times[kept],
            close_times=self.close_times[kept],
            opens=_cut(self.opens, kept),
            highs=_cut(self.highs, kept),
            lows=_cut(self.lows, kept),
            closes=_cut(self.closes, kept),
            volumes=_cut(self.volumes, kept),
            mark_opens=_cut(self.mark_opens, kept),
            mark_closes=_cut(self.mark_closes, kept),
            rates=_cut(self.rates, kept),
            index_closes=_cut(self.index_closes, kept),
        )

    def rows(self) -> Iterator[Row]:
        """Bar by bar what ``History.append`` takes, values in instrument order."""
        times = (self.open_times, self.close_times)
        highs, lows = self._across(self.highs), self._across(self.lows)
        volumes = self._across(self.volumes)
        if self.mark_opens:
            unpaid = dict.fromkeys(self.opens, [0] * len(self))
            opens, closes = self._across(self.opens), self._across(self.closes)
            mark_opens = self._across(self.opens | self.mark_opens)
            mark_closes = self._across(self.closes | self.mark_closes)
            rates = self._across(unpaid | self.rates)
            indices = self._across(self.closes | self.index_closes)
        else:
            opens, mark_opens = itertools.tee(self._across(self.opens))
            closes, mark_closes = itertools.tee(self._across(self.closes))
            rates, indices = (itertools.repeat((), len(self)) for _ in range(2))
        last = (opens, highs, lows, closes, volumes)
        return zip(*times, *last, mark_opens, mark_closes, rates, indices, strict=True)

    def perturbed(self, after: int, seed: int) -> BarTable:
        """The same bars up to and including number ``after``; every later value differs.

        What is known at that bar's close is the same in both tables, so what is decided then has
        to be the same too. Times stay. Deterministic in ``seed``; see ``perturb``.

        Raises:
            MarketError: for a number below -1; -1 itself keeps no bar.
        """
        if after < -1:
            raise MarketError("last bar to keep", after, "count from 0; -1 keeps none")
        draw, first = Random(seed), after + 1
        bars = {
            item.symbol: perturbed_bars(
                draw,
                item.tick,
                first,
                *(by[item.symbol] for by in (self.opens, self.highs, self.lows, self.closes)),
            )
            for item in self.instruments
        }

        def later(
            values: dict[str, list[int]], change: Callable[[Random, int], int]
        ) -> dict[str, list[int]]:
            return {
                symbol: column[:first] + [change(draw, value) for value in column[first:]]
                for symbol, column in values.items()
            }

        return replace(
            self,
            opens={symbol: columns[0] for symbol, columns in bars.items()},
            highs={symbol: columns[1] for symbol, columns in bars.items()},
            lows={symbol: columns[2] for symbol, columns in bars.items()},
            closes={symbol: columns[3] for symbol, columns in bars.items()},
            volumes=later(self.volumes, perturbed_volume),
            mark_opens=later(self.mark_opens, perturbed_price),
            mark_closes=later(self.mark_closes, perturbed_price),
            rates=later(self.rates, perturbed_rate),
            index_closes=later(self.index_closes, perturbed_price),
        )

    def _across(self, by_symbol: Mapping[str, list[int]]) -> Iterator[Values]:
        return zip(*(by_symbol[item.symbol] for item in self.instruments), strict=True)


def table_of(instruments: Sequence[Instrument], rows: Sequence[Row]) -> BarTable:
    """The table of rows as a live market gave them."""
    names = [i.symbol for i in instruments]

    def column(part: int) -> dict[str, list[int]]:
        return {s: [row[part][n] for row in rows] for n, s in enumerate(names)}  # type: ignore[index]

    opens, highs, lows, closes, volumes = (column(part) for part in range(2, 7))
    times = [row[0] for row in rows], [row[1] for row in rows]
    traded = BarTable(tuple(instruments), *times, opens, highs, lows, closes, volumes)
    perpetuals = {i.symbol for i in instruments if i.kind is Kind.PERPETUAL}
    if not perpetuals:
        return traded
    mark_opens, mark_closes, rates, indices = (
        {s: values for s, values in column(part).items() if s in perpetuals}
        for part in range(7, 11)
    )
    return replace(
        traded,
        mark_opens=mark_opens,
        mark_closes=mark_closes,
        rates=rates,
        index_closes=indices,
    )


def rates_at_opens(
    open_times: Sequence[int], close_times: Sequence[int], funding: FundingColumns
) -> list[int]:
    """What is paid at each bar's open, in 10**-RATE_SCALE of the notional; 0 where nothing is.

    A payment belongs to the first bar that opens at its time or later; after a gap there can be
    several, and their rates add up. Nothing is known of the bar before the first: payments later
    than one length of the first bar before its open are taken to be the first bar's, older ones
    and those later than the last open are left out.
    """
    rates = [0] * len(open_times)
    if not rates:
        return rates
    start = 2 * open_times[0] - close_times[0]
    first = bisect_right(funding.times, start)
    last = bisect_right(funding.times, open_times[-1])
    for time, rate in zip(funding.times[first:last], funding.rates[first:last], strict=True):
        rates[bisect_left(open_times, time)] += rate
    return rates


def _cut(by_symbol: dict[str, list[int]], kept: slice) -> dict[str, list[int]]:
    return {symbol: values[kept] for symbol, values in by_symbol.items()}


def _in_prices(bars: BarColumns, instrument: Instrument) -> BarColumns:
    """Marks and indices: their volumes mean nothing, so only prices are rescaled."""
    return bars.rescaled(instrument.price_scale, bars.volume_scale)


def _require_kinds(
    instruments: Sequence[Instrument],
    needed: Mapping[str, Mapping[str, object]],
    indices: Mapping[str, object],
) -> None:
    perpetuals = {item.symbol for item in instruments if item.kind is Kind.PERPETUAL}
    for name, given in {**needed, "index prices": indices}.items():
        surplus = sorted(set(given) - perpetuals)
        if surplus:
            fix = f"only perpetuals have them; the table has: {sorted(perpetuals)}"
            raise MarketError(name, surplus, fix)
        missing = sorted(perpetuals - set(given))
        if missing and name in needed:
            raise MarketError(name, sorted(given), f"give those of every perpetual: {missing} too")


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
