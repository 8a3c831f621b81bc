"""How much of a book that is no longer Safe has to go: the guard's first answer before it exits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from agent_fund.guard.engine import Guard
from agent_fund.guard.verdict import Situation

STEPS = 256


def reduction(guard: Guard, situation: Situation) -> Fraction:
    """The fraction of every position to close: down to ``reduce_to`` of the largest Safe book.

    Args:
        situation: at the look that failed; its book has no open orders.
    """
    low, high = 0, STEPS
    while high - low > 1:
        middle = (low + high) // 2
        if _safe_after(guard, situation, Fraction(middle, STEPS)):
            low = middle
        else:
            high = middle
    return 1 - Fraction(low, STEPS) * guard.mandate.reduce_to


def _safe_after(guard: Guard, situation: Situation, keep: Fraction) -> bool:
    """Whether ``keep`` of the book would be Safe once the rest is sold and its costs are paid."""
    book, costs = situation.book, guard.mandate.costs
    kept: dict[str, int] = {}
    places, paid = dict(book.places), 0
    for symbol, quantity in book.positions.items():
        instrument = book.instruments[symbol]
        size = int(abs(quantity) * keep) // instrument.lot * instrument.lot
        kept[symbol] = size if quantity > 0 else -size
        closed = instrument.notional(quantity - kept[symbol], situation.prices[symbol])
        cost = costs.exit(abs(closed))
        places[instrument.account] += closed - cost
        paid += cost
    after = replace(
        book,
        cash=book.cash + sum(places.values()) - sum(book.places.values()),
        positions=kept,
        places=places,
    )
    later = replace(situation, book=after, nav=situation.nav - paid)
    if later.nav <= 0:
        return False
    return guard.passes(later)
