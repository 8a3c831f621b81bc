"""Exact numbers: integers in base units, decimals with a scale, rational ratios. Never floats.

An amount is an integer count of base units; a unit with ``scale`` s is worth 10**-s of the
asset. ``to_units`` and ``from_units`` convert without rounding, or refuse.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from agent_fund.domain.errors import DomainError

Exact = int | Decimal | Fraction | str

MAX_TEXT = 400
"""Characters and digits of a number; more are none that anybody means."""
_FLOAT_FIX = 'write it as a string ("0.1", "10%"), an int, a Decimal or a Fraction'


def decimal(value: Exact, subject: str) -> Decimal:
    """The finite Decimal that ``value`` states; a string is read as a plain decimal number.

    Raises:
        DomainError: for a float, a bool, NaN, an infinity, text that is not a number, or a number
            of more digits than anybody means, which arithmetic would take for ever over.
    """
    if isinstance(value, (bool, float)):
        raise DomainError(subject, value, _FLOAT_FIX)
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise DomainError(subject, f"{value[:20]}…", f"write at most {MAX_TEXT} characters")
        try:
            value = Decimal(value.strip().replace("_", ""))
        except InvalidOperation:
            raise DomainError(subject, value, "write a decimal number such as 1250.50") from None
    if not isinstance(value, Decimal):
        raise DomainError(subject, value, _FLOAT_FIX)
    if not value.is_finite():
        raise DomainError(subject, str(value), "write a finite number")
    if value and not -MAX_TEXT <= value.adjusted() <= MAX_TEXT:
        raise DomainError(subject, str(value), f"write a number of at most {MAX_TEXT} digits")
    return value


def ratio(value: Exact, subject: str = "ratio") -> Fraction:
    """The Fraction that ``value`` states: ``"10%"``, ``"0.1"``, ``"1/10"``, int, Decimal, Fraction.

    Raises:
        DomainError: for a float, a bool, NaN, an infinity, or text that is not a ratio.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise DomainError(subject, f"{value[:20]}…", f"write at most {MAX_TEXT} characters")
        text = value.strip()
        if text.endswith("%"):
            return Fraction(decimal(text[:-1], subject)) / 100
        numerator, slash, denominator = text.partition("/")
        if slash:
            below = decimal(denominator, subject)
            if below == 0:
                raise DomainError(subject, value, "a denominator is not zero")
            return Fraction(decimal(numerator, subject)) / Fraction(below)
    return Fraction(decimal(value, subject))


def to_units(value: Exact, scale: int, subject: str) -> int:
    """``value`` as an integer count of base units of 10**-scale, exactly.

    Raises:
        DomainError: if ``value`` is not exact or has more decimals than ``scale``.
    """
    units = Fraction(decimal(value, subject)) * int(10**scale)
    if units.denominator != 1:
        raise DomainError(subject, str(value), f"write at most {scale} decimals")
    return units.numerator


def from_units(units: int, scale: int) -> Decimal:
    """The Decimal worth ``units`` base units of 10**-scale, exactly (no context rounding)."""
    sign, digits = int(units < 0), Decimal(abs(units)).as_tuple().digits
    return Decimal((sign, digits, -scale))


def ceil_div(numerator: int, denominator: int) -> int:
    """Integer division rounded up; ``denominator`` > 0. Costs are rounded against the fund."""
    return -(-numerator // denominator)


def require_int(value: object, subject: str, *, minimum: int | None = None) -> int:
    """``value`` if it is a true int (not a bool, not a float) of at least ``minimum``."""
    if type(value) is not int:
        raise DomainError(subject, value, "write an integer count of base units")
    if minimum is not None and value < minimum:
        raise DomainError(subject, value, f"write an integer of at least {minimum}")
    return value


MAX_UNITS = 10**38 - 1
"""More base units than that no record, and no Parquet decimal, holds."""


def require_units(value: object, subject: str, *, minimum: int) -> int:
    """``value`` if it is an int from ``minimum`` to MAX_UNITS."""
    units = require_int(value, subject, minimum=minimum)
    if units > MAX_UNITS:
        raise DomainError(subject, f"{units.bit_length()} bits", f"write at most {MAX_UNITS}")
    return units


def require_name(text: object, subject: str) -> str:
    """``text`` if it is a printable, non-empty name without spaces."""
    if not isinstance(text, str) or not text or not text.isprintable() or " " in text:
        raise DomainError(subject, text, "write a short printable name without spaces")
    return text
