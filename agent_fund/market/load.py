"""From data sets of a catalog to bars that a fund can trade, and to series that calibrate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.domain.instrument import Instrument
from agent_fund.market.bars import BarTable, rates_at_opens
from agent_fund.market.catalog import Catalog
from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.gaps import Gap, GapPolicy, align, iso


@dataclass(frozen=True)
class DataSets:
    """Names of one instrument's data sets in a catalog.

    Attributes:
        bars: prices of trades.
        mark, funding: mark prices and funding rates; of perpetuals, which need both.
        index: index prices, of perpetuals; their marks stand in for them if there is none.
    """

    bars: str
    instrument: Instrument
    mark: str | None = None
    index: str | None = None
    funding: str | None = None

    @property
    def of_bars(self) -> dict[str, str]:
        """The data sets that hold bars, by what they are of."""
        named = {"last": self.bars, "mark": self.mark, "index": self.index}
        return {kind: name for kind, name in named.items() if name is not None}


@dataclass(frozen=True)
class Series:
    """One instrument's own history, n values a list; not synchronised with any other.

    Attributes:
        open_times, close_times: ms since the epoch, UTC.
        opens, closes: prices of trades, in price units.
        mark_opens, mark_closes: mark prices; the prices of trades for spot, and where the data
            set of marks has no such bar.
        rates: funding paid at each bar's open, in 10**-RATE_SCALE of the notional; 0 for none.
    """

    open_times: list[int]
    close_times: list[int]
    opens: list[int]
    closes: list[int]
    mark_opens: list[int]
    mark_closes: list[int]
    rates: list[int]


def load_table(
    catalog: Catalog,
    datasets: Mapping[str, DataSets],
    policy: GapPolicy,
    start_ms: int | None = None,
    end_ms: int | None = None,
) -> tuple[BarTable, tuple[Gap, ...]]:
    """The synchronous bars of several instruments with start_ms <= close_time < end_ms.

    A bar needs its mark and index prices too: without one of them it is missing. Gaps outside the
    period do not matter. The shortest of the data sets' ``max_step_ms`` holds. A stretch of the
    period without funding rates is a gap as well; under SKIP its bars stay, and pay none.

    Args:
        catalog: where the data sets are.
        datasets: by symbol.
        policy: whether a gap is an error.
        start_ms, end_ms: the period, ms since the epoch, UTC; None leaves an end open.

    Returns:
        The table, instruments in the order of ``datasets``, and the gaps in order of their ends.

    Raises:
        MarketError: as ``Catalog.read``, ``align`` and ``BarTable.from_columns`` do; for the first
            stretch without funding rates under REFUSE.
    """
    columns: dict[str, BarColumns] = {}
    owners: dict[str, tuple[str, str]] = {}
    steps = []
    for symbol, chosen in datasets.items():
        for kind, name in chosen.of_bars.items():
            # Symbols hold no space, so that no two keys are the same.
            key = symbol if kind == "last" else f"{symbol} {kind}"
            columns[key] = _read(catalog, name, kind, chosen.instrument).between(start_ms, end_ms)
            owners[key] = (symbol, kind)
            steps.append(catalog.entry(name).max_step_ms)
    aligned, gaps = align(columns, policy, min(steps, default=1))
    by_kind: dict[str, dict[str, BarColumns]] = {"last": {}, "mark": {}, "index": {}}
    for key, bars in aligned.items():
        symbol, kind = owners[key]
        by_kind[kind][symbol] = bars
    fundings = {
        symbol: catalog.read_funding(chosen.funding)
        for symbol, chosen in datasets.items()
        if chosen.funding is not None
    }
    table = BarTable.from_columns(
        [chosen.instrument for chosen in datasets.values()],
        by_kind["last"],
        marks=by_kind["mark"],
        indices=by_kind["index"],
        fundings=fundings,
    )
    found = [Gap(gap.after, gap.before, _symbols(gap.missing, owners)) for gap in gaps]
    for symbol, funding in fundings.items():
        for after, before in _unpaid(funding, table.open_times[0], table.open_times[-1]):
            if policy is GapPolicy.REFUSE:
                raise MarketError(
                    funding.source,
                    f"no funding rates after {iso(after)} and before {iso(before)}",
                    'choose another period, or write gaps = "skip" under [market] in the run file',
                )
            found.append(Gap(after, before, (symbol,)))
    return table, tuple(sorted(found, key=lambda gap: (gap.before, gap.after)))


def load_series(
    catalog: Catalog, datasets: DataSets, start_ms: int | None = None, end_ms: int | None = None
) -> Series:
    """One instrument's bars with start_ms <= close_time < end_ms, whatever others lack.

    Raises:
        MarketError: as ``Catalog.read`` does; if there is no bar in the period.
    """
    bars = catalog.read(datasets.bars, datasets.instrument).between(start_ms, end_ms)
    if not len(bars):
        raise MarketError(bars.source, (start_ms, end_ms), "it has no bar in this period")
    times = list(zip(bars.open_times, bars.close_times, strict=True))
    marks: dict[tuple[int, int], tuple[int, int]] = {}
    if datasets.mark is not None:
        mark = _read(catalog, datasets.mark, "mark", datasets.instrument)
        mark = mark.between(start_ms, end_ms)
        columns = (mark.open_times, mark.close_times, mark.opens, mark.closes)
        marks = {(t, u): (o, c) for t, u, o, c in zip(*columns, strict=True)}
    last = zip(times, bars.opens, bars.closes, strict=True)
    valued = [marks.get(time, (open_, close)) for time, open_, close in last]
    rates = [0] * len(bars)
    if datasets.funding is not None:
        funding = catalog.read_funding(datasets.funding)
        rates = rates_at_opens(bars.open_times, bars.close_times, funding)
    return Series(
        open_times=bars.open_times,
        close_times=bars.close_times,
        opens=bars.opens,
        closes=bars.closes,
        mark_opens=[pair[0] for pair in valued],
        mark_closes=[pair[1] for pair in valued],
        rates=rates,
    )


def _read(catalog: Catalog, name: str, kind: str, instrument: Instrument) -> BarColumns:
    """Bars in the units of ``instrument``; volumes of marks and indices mean nothing."""
    if kind == "last":
        return catalog.read(name, instrument)
    bars = catalog.read_bars(name)
    return bars.rescaled(instrument.price_scale, bars.volume_scale)


def _symbols(missing: tuple[str, ...], owners: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(owners[key][0] for key in missing))


def _unpaid(funding: FundingColumns, first: int, last: int) -> list[tuple[int, int]]:
    """Stretches of [first, last] in which ``funding`` should have a rate and has none.

    The ends are stretches too: rates that begin, or end, more than a usual step inside.
    """
    step = funding.usual_step_ms()
    if not funding.times:
        return [(first, last + 1)]
    stretches = [pair for pair in funding.gaps() if pair[0] < last and pair[1] > first]
    if funding.times[0] - first > step:
        stretches.insert(0, (first, min(funding.times[0], last + 1)))
    if last - funding.times[-1] >= step:
        stretches.append((max(funding.times[-1], first), last + 1))
    return stretches
