"""Exact decimal money of the loopback exchange: sixty digits, plain texts, stated rounding."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

EXACT = Context(prec=60)
"""Every price, quantity and product here has far fewer digits, so nothing is ever rounded."""

ZERO = Decimal(0)
PLACES = 8
"""Decimals of every asset at the exchange, as at Binance."""


def text(value: Decimal) -> str:
    """``value`` in plain digits without an exponent or trailing zeros."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("", "-0") else plain


def ceiling(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value``."""
    return (value / step).to_integral_value(ROUND_CEILING, EXACT) * step


def floor(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``."""
    return (value / step).to_integral_value(ROUND_FLOOR, EXACT) * step


UNIT = Decimal(1).scaleb(-PLACES)
"""The smallest amount that a balance can change by."""
