"""Price bands: for each instrument, the interval of prices that one certificate covers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Proposal

Band = Mapping[str, tuple[int, int]]


def price_band(book: Book, proposal: Proposal, prices: Mapping[str, int], width: Fraction) -> Band:
    """``width`` around the price of every instrument that is held or may be, or moves one that is.

    Raises:
        DomainError: for one of them without a positive integer price.
    """
    symbols = {s for s, q in book.positions.items() if q}
    symbols |= {order.instrument.symbol for order in book.open_orders}
    symbols |= {leg.instrument.symbol for leg in proposal.legs}
    symbols |= {book.instruments[s].moves_with for s in symbols if s in book.instruments}
    band = {}
    for symbol in sorted(symbols):
        if symbol not in prices:
            raise DomainError("price", symbol, "every instrument held or traded needs one")
        price = require_int(prices[symbol], f"price of {symbol}", minimum=1)
        half = int(price * width)
        band[symbol] = (price - half, price + half)
    return band
