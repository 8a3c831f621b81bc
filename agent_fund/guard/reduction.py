"""How much of a book that is no longer Safe has to go: the guard's first answer before it exits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from agent_fund.domain.book import Book
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
    book = situation.book
    kept, closed, proceeds = {}, 0, 0
    for symbol, quantity in book.positions.items():
        instrument = book.instruments[symbol]
        kept[symbol] = int(quantity * keep) // instrument.lot * instrument.lot
        notional = instrument.notional(quantity - kept[symbol], situation.prices[symbol])
        closed += abs(notional)
        proceeds += notional
    cost = guard.mandate.costs.exit(closed)
    after = Book(book.currency, book.cash + proceeds - cost, book.instruments, kept)
    later = replace(situation, book=after, nav=situation.nav - cost)
    if later.nav <= 0:
        return False
    return guard.explain(later).holds
