"""A walk through an order book: what a trade of a given size would exchange, in exact integers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.exchange.venue_api import Level


def units(level: Level, instrument: Instrument) -> tuple[int, int]:
    """(price, quantity) of a level; digits beyond the fund's are cut off."""
    price, quantity = level
    return (
        int(price.scaleb(instrument.price_scale)),
        int(quantity.scaleb(instrument.base.scale)),
    )


def walk(levels: Iterable[Level], instrument: Instrument, quantity: int) -> int | None:
    """Base units of the quote that ``quantity`` exchanges, best price first; None if too thin."""
    left, worth = quantity, 0
    for level in levels:
        price, there = units(level, instrument)
        taken = min(left, there)
        worth += instrument.notional(taken, price)
        left -= taken
        if not left:
            return worth
    return None


def total(levels: Iterable[Level], instrument: Instrument) -> int:
    """Base units offered on one side, as far as it is shown."""
    return sum(units(level, instrument)[1] for level in levels)


def middle(bid: Decimal, ask: Decimal, instrument: Instrument) -> int:
    """Half way between the best prices, rounded down to price units."""
    return int((bid + ask).scaleb(instrument.price_scale)) // 2
