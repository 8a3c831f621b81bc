"""Numbers as the page writes them: ``USD 1,128,380``, ``12.8 %``, ``9 March 2009``."""

from __future__ import annotations

import math
from fractions import Fraction

import pandas as pd

from agent_fund.guard.finding import share

GAP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


def plain(value: float) -> str:
    """A ratio with two decimals; an en dash where it is not a number."""
    return _signed(value, f"{abs(value):.2f}") if math.isfinite(value) else DASH


def money(value: float, currency: str) -> str:
    """An amount with its currency: whole units from 10,000 on, cents below, else six decimals."""
    size = abs(value)
    digits = 0 if size >= 10_000 else 2 if size >= 1 or size == 0 else 6
    return f"{currency}{GAP}{_signed(value, f'{size:,.{digits}f}')}"


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage; an en dash where it is not a number."""
    if not math.isfinite(value):
        return DASH
    return f"{_signed(value, f'{abs(value) * 100:,.{digits}f}')}{GAP}%"


def percent_up(value: float | str | Fraction) -> str:
    """A loss as a percentage with two decimals, rounded away from zero: a limit is not flattered.

    What floats add beyond a millionth of a percent is taken for noise.
    """
    exact = Fraction(f"{value:.8f}") if isinstance(value, float) else Fraction(value)
    return share(abs(exact)).replace("%", f"{GAP}%")


def limit_percent(value: float) -> str:
    """A limit as its owner wrote it: ``20 %``, ``7.5 %``."""
    return f"{abs(value) * 100:.6g}{GAP}%"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 bar``, ``1,259 bars``; ``many`` for plurals that do not end in s."""
    return f"{number:,}{GAP}{one if number == 1 else many or one + 's'}"


def day(time: pd.Timestamp) -> str:
    """A date in words, UTC."""
    return f"{time.day}{GAP}{time.month_name()} {time.year}"


def short_time(time: pd.Timestamp, form: str) -> str:
    """A date for a table, and the time of day in ``form`` if there is one: ``2009-03-09 14:00``."""
    return str(time.strftime(f"%Y-%m-%d {form}".rstrip()))


def _signed(value: float, size: str) -> str:
    """``size`` with the sign of ``value``, but no minus before a rounded zero."""
    return MINUS + size if value < 0 and size.strip("0.,") else size
