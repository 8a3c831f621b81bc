"""Markets and books for strategy tests: two index trackers, daily bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order
from agent_fund.market.snapshot import History

STRATEGIES = Path(__file__).parents[2] / "strategies"
DAY = 86_400_000
USD = Asset("USD", 8)
VENUE = Venue("EXCHANGE")


def tracker(symbol: str, lot: int = 1, tick: int = 1) -> Instrument:
    return Instrument(symbol, Asset(f"{symbol}-UNIT", 3), USD, VENUE, 2, lot, tick)


def history_of(closes: Mapping[Instrument, Sequence[int]]) -> History:
    history = History(tuple(closes))
    for bar, row in enumerate(zip(*closes.values(), strict=True)):
        feed(history, bar, row)
    return history


def feed(history: History, bar: int, row: tuple[int, ...]) -> None:
    nothing = (0,) * len(row)
    history.append(bar * DAY, bar * DAY + DAY // 2, row, row, row, row, nothing)


def book_of(
    cash: int,
    positions: Mapping[Instrument, int],
    open_orders: tuple[Order, ...] = (),
) -> Book:
    return Book(
        currency=USD,
        cash=cash,
        instruments={instrument.symbol: instrument for instrument in positions},
        positions={instrument.symbol: held for instrument, held in positions.items()},
        open_orders=open_orders,
    )
