"""Figures as prompts tell them: by integers alone, the same bytes on every machine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

BILLION = 10**9


def percent(numerator: int, denominator: int) -> str:
    """``numerator / denominator`` >= 0 as a percentage with one decimal, rounded half up."""
    tenths = (2000 * numerator + denominator) // (2 * denominator)
    return f"{tenths // 10}.{tenths % 10}%"


def moved(before: int, after: int) -> str:
    """The way from ``before`` to ``after`` in words; small models overlook a sign."""
    return f"{'fell' if after < before else 'rose'} {percent(abs(after - before), before)}"


def signed(value: Fraction, positive: str, negative: str) -> str:
    """The word for its sign and ``value`` as a percentage, e.g. ``"earn 12.5%"``."""
    word = negative if value < 0 else positive
    return f"{word} {percent(abs(value.numerator), value.denominator)}"


def volatility(closes: Sequence[int], bars_a_year: int) -> tuple[int, int]:
    """Annualised volatility about zero of the returns of ``closes``, at least two of them.

    The root of ``bars_a_year`` times the mean squared return, in parts per billion, each return and
    the root rounded towards zero; as numerator and denominator.
    """
    squares = 0
    for before, after in itertools.pairwise(closes):
        squares += (abs(after - before) * BILLION // before) ** 2
    return math.isqrt(bars_a_year * squares // (len(closes) - 1)), BILLION
