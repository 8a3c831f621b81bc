"""The highest price of an instrument in the set, at which costs are reckoned."""

from __future__ import annotations

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.guard.band import Band
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.stress.stress_set import Stress


def dearest(instrument: Instrument, stress: Stress, band: Band, book: Book) -> int:
    """The highest price of ``instrument`` in the set: costs are proportional to it."""
    curve = envelope(instrument, stress, band, book)
    return worst_price(instrument.symbol, stress, band) if curve is None else curve.highest


def worst_price(symbol: str, stress: Stress, band: Band) -> int:
    """The highest price in the set of a ``symbol`` with a driver of its own."""
    _, high = stress.price_box(symbol)
    return ceil_div(band[symbol][1] * (SCALE + high), SCALE)
