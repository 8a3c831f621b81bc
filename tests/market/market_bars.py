"""Bars for the market's tests: instruments, checked columns, and a hypothesis strategy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from hypothesis import strategies as st

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.market.bars import BarTable
from agent_fund.market.columns import BarColumns
from agent_fund.market.funding import FundingColumns

HOUR = 3_600_000
START = 1_514_764_800_000  # 2018-01-01T00:00:00Z
VENUE = Venue("test")
USD = Asset("USD", 12)
BINANCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance"


def instrument(symbol: str, price_scale: int = 2, base_scale: int = 4) -> Instrument:
    return Instrument(symbol, Asset(symbol, base_scale), USD, VENUE, price_scale)


MARGIN = Margin(
    Fraction(1, 10), (Tier(0, Fraction(1, 200)), Tier(10**18, Fraction(1, 100))), Fraction(1, 80)
)


def perpetual(symbol: str, price_scale: int = 2, base_scale: int = 4) -> Instrument:
    spot = instrument(symbol, price_scale, base_scale)
    return replace(spot, kind=Kind.PERPETUAL, margin=MARGIN)


def paid(rates: dict[int, int], source: str = "funding") -> FundingColumns:
    """Funding of so much at so many hours after the start."""
    return FundingColumns(source, [START + hour * HOUR for hour in rates], list(rates.values()))


def hourly(prices: list[int], hours: list[int] | None = None, source: str = "mem") -> BarColumns:
    """One bar an hour at each price; ``hours`` says at which hours they open."""
    opens = [START + hour * HOUR for hour in (range(len(prices)) if hours is None else hours)]
    return BarColumns(
        source=source,
        price_scale=2,
        volume_scale=4,
        open_times=opens,
        close_times=[time + HOUR for time in opens],
        opens=list(prices),
        highs=[price + 1 for price in prices],
        lows=list(prices),
        closes=list(prices),
        volumes=[price * 10 for price in prices],
    )


def table_of(*columns: BarColumns) -> BarTable:
    symbols = [f"S{number}" for number in range(len(columns))]
    instruments = [instrument(symbol) for symbol in symbols]
    return BarTable.from_columns(instruments, dict(zip(symbols, columns, strict=True)))


Times = tuple[list[int], list[int]]


@st.composite
def times(draw: st.DrawFn, min_bars: int = 1) -> Times:
    """Open and close times of up to 12 bars, of any length and with any pause between them."""
    bars = draw(st.integers(min_bars, 12))
    steps = draw(
        st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=bars, max_size=bars)
    )
    open_times, close_times, now = [], [], START
    for wait, length in steps:
        open_times.append(now + wait)
        now += wait + length
        close_times.append(now)
    return open_times, close_times


@st.composite
def bars_at(draw: st.DrawFn, at: Times) -> BarColumns:
    """Bars at these times with any consistent prices."""
    price, bars = st.integers(1, 10**12) | st.integers(2**62, 10**30), len(at[0])
    quads = draw(st.lists(st.tuples(price, price, price, price), min_size=bars, max_size=bars))
    return BarColumns(
        source="drawn",
        price_scale=2,
        volume_scale=4,
        open_times=at[0],
        close_times=at[1],
        opens=[quad[0] for quad in quads],
        highs=[max(quad) for quad in quads],
        lows=[min(quad) for quad in quads],
        closes=[quad[1] for quad in quads],
        volumes=draw(st.lists(st.integers(0, 10**38 - 1), min_size=bars, max_size=bars)),
    )


@st.composite
def tables(draw: st.DrawFn, min_bars: int = 1) -> BarTable:
    """Tables of one to three spot instruments with irregular times and any consistent prices."""
    at = draw(times(min_bars))
    return table_of(*(draw(bars_at(at)) for _ in range(draw(st.integers(1, 3)))))


@st.composite
def fundings(draw: st.DrawFn, at: Times) -> FundingColumns:
    """Payments before, in, between and after these bars."""
    due = sorted(draw(st.sets(st.integers(at[0][0] - 20, at[1][-1] + 5), max_size=20)))
    rate = st.integers(-(10**12), 10**12)
    return FundingColumns("drawn", due, draw(st.lists(rate, min_size=len(due), max_size=len(due))))


@st.composite
def margined_tables(draw: st.DrawFn, min_bars: int = 1) -> BarTable:
    """As ``tables``, with at least one perpetual, in any place among the instruments."""
    at = draw(times(min_bars))
    kinds = draw(st.permutations([Kind.PERPETUAL, *draw(st.lists(st.sampled_from(KINDS)))][:3]))
    symbols = [f"S{number}" for number in range(len(kinds))]
    margined = [s for s, kind in zip(symbols, kinds, strict=True) if kind is Kind.PERPETUAL]
    return BarTable.from_columns(
        [perpetual(s) if s in margined else instrument(s) for s in symbols],
        {symbol: draw(bars_at(at)) for symbol in symbols},
        marks={symbol: draw(bars_at(at)) for symbol in margined},
        indices={symbol: draw(bars_at(at)) for symbol in margined if draw(st.booleans())},
        fundings={symbol: draw(fundings(at)) for symbol in margined},
    )


KINDS = (Kind.SPOT, Kind.PERPETUAL)
ANY_TABLE = tables() | margined_tables()
LONG_TABLE = tables(min_bars=2) | margined_tables(min_bars=2)
