"""Black and Scholes, and square roots, a second time: in long decimals, by other formulas."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

DIGITS = 60
TIGHT = Decimal(10) ** -50


def normal(z: Decimal) -> Decimal:
    """N(z) by the series with positive terms: 1/2 + phi(z) * (z + z^3/3 + z^5/(3*5) + ...)."""
    with localcontext() as context:
        context.prec = DIGITS
        term = total = z
        k = 1
        while abs(term) > TIGHT * TIGHT:
            k += 2
            term = term * z * z / k
            total += term
        # Machin's formula for pi.
        pi = 4 * (4 * _arctan(5) - _arctan(239))
        return Decimal("0.5") + total * (-z * z / 2).exp() / (2 * pi).sqrt()


def _arctan(inverse: int) -> Decimal:
    term, total, k = Decimal(1) / inverse, Decimal(0), 1
    while abs(term) > TIGHT * TIGHT:
        total += term / k if k % 4 == 1 else -term / k
        term, k = term / (inverse * inverse), k + 2
    return total


def option_value(call: bool, price: float, strike: float, total: float) -> float:
    """The value of a European option, rates zero, in floats: good to about 1e-14 of the price."""
    if total == 0 or price == 0:
        return max(0.0, price - strike) if call else max(0.0, strike - price)
    d1 = math.log(price / strike) / total + total / 2
    if call:
        return price * _cdf(d1) - strike * _cdf(d1 - total)
    return strike * _cdf(total - d1) - price * _cdf(-d1)


def _cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
