"""Bars for the market's tests: instruments, checked columns, and a hypothesis strategy."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.market.bars import BarTable
from agent_fund.market.columns import BarColumns

HOUR = 3_600_000
START = 1_514_764_800_000  # 2018-01-01T00:00:00Z
VENUE = Venue("test")
USD = Asset("USD", 12)
BINANCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "binance"


def instrument(symbol: str, price_scale: int = 2, base_scale: int = 4) -> Instrument:
    return Instrument(symbol, Asset(symbol, base_scale), USD, VENUE, price_scale)


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


@st.composite
def tables(draw: st.DrawFn, min_bars: int = 1) -> BarTable:
    """Tables of one to three instruments with irregular times and any consistent prices."""
    price = st.integers(1, 10**12) | st.integers(2**62, 10**30)
    bars = draw(st.integers(min_bars, 12))
    steps = draw(
        st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=bars, max_size=bars)
    )
    open_times, close_times, now = [], [], START
    for wait, length in steps:
        open_times.append(now + wait)
        now += wait + length
        close_times.append(now)
    columns = []
    for _ in range(draw(st.integers(1, 3))):
        quads = draw(st.lists(st.tuples(price, price, price, price), min_size=bars, max_size=bars))
        columns.append(
            BarColumns(
                source="drawn",
                price_scale=2,
                volume_scale=4,
                open_times=open_times,
                close_times=close_times,
                opens=[quad[0] for quad in quads],
                highs=[max(quad) for quad in quads],
                lows=[min(quad) for quad in quads],
                closes=[quad[1] for quad in quads],
                volumes=draw(st.lists(st.integers(0, 10**38 - 1), min_size=bars, max_size=bars)),
            )
        )
    return table_of(*columns)
