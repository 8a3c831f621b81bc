"""How many and at what limit: whole lots that fit the cash, and limits inside a tolerance.

Exact integers throughout; everything is rounded so that the bound asked for still holds.
"""

from __future__ import annotations

from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact, ceil_div, ratio
from agent_fund.domain.order import Side


def share(value: Exact, subject: str, *, below_one: bool = False) -> Fraction:
    """``value`` as a ratio from 0 to 1; ``below_one`` refuses 1 itself.

    Raises:
        DomainError: for a float, or a value outside the range.
    """
    found = ratio(value, subject)
    if not 0 <= found <= 1 or (below_one and found == 1):
        wanted = "at least 0 % and below 100 %" if below_one else "from 0 % to 100 %"
        raise DomainError(subject, str(value), f"write a share of {wanted}")
    return found


def limit_price(instrument: Instrument, close: int, side: Side, tolerance: Fraction) -> int:
    """The tick furthest from ``close`` that is not beyond ``tolerance``, in price units.

    A buy may pay up to ``close × (1 + tolerance)``; a sale may take no less than
    ``close × (1 - tolerance)``, and no less than one tick. ``tolerance`` lies in [0, 1).
    """
    tick, below = instrument.tick, tolerance.denominator
    edge = close * (below + side.sign * tolerance.numerator)
    ticks = edge // (below * tick) if side is Side.BUY else ceil_div(edge, below * tick)
    return max(ticks, 1) * tick


def whole_lots(instrument: Instrument, budget: int, price: int) -> int:
    """The most base units in whole lots that cost no more than ``budget`` at ``price``; or 0.

    ``budget`` is in base units of the quote asset, ``price`` in price units.
    """
    if budget <= 0:
        return 0
    return budget // instrument.notional(instrument.lot, price) * instrument.lot


def free_cash(book: Book) -> int:
    """Cash that open buy orders cannot spend, in base units of the book's currency; before fees."""
    spoken_for = sum(
        order.instrument.notional(order.remaining, order.limit)
        for order in book.open_orders
        if order.side is Side.BUY
    )
    return book.cash - spoken_for


def sellable(book: Book, instrument: Instrument) -> int:
    """Whole lots held that open orders are not already selling, in base units; never negative."""
    leaving = sum(
        order.remaining
        for order in book.open_orders
        if order.side is Side.SELL and order.instrument == instrument
    )
    held = max(book.position(instrument.symbol) - leaving, 0)
    return held - held % instrument.lot
