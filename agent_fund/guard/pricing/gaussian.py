"""Proved bounds of the normal distribution function and of exp, in integers of 1/ONE.

No floating point and no library function is relied on: both are power series in integers, every
step rounded down for the lower bound and up for the upper one, and what is left out is bounded.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

from agent_fund.domain.errors import DomainError

ONE = 1 << 64

_WORK = 1 << 128
_DIGITS = 10**50
_PI = 314159265358979323846264338327950288419716939937510
"""The first digits of pi (OEIS A000796), rounded down to 1/_DIGITS."""

_TAIL = 8
"""Beyond it the distribution is as good as flat: N(-8) <= phi(8)/8 < 10**-15 (Mills' ratio)."""


class Bounds(NamedTuple):
    """An interval that holds the exact value, in 1/ONE."""

    low: int
    high: int


@lru_cache(maxsize=4096)
def normal(z: Fraction) -> Bounds:
    """Bounds of N(z), the standard normal distribution function.

    N(z) = 1/2 + (2*pi)**-1/2 * sum over k of (-1)**k * z**(2k+1) / (2**k * k! * (2k+1))
    (Abramowitz and Stegun 26.2.10). Once its terms fall, an alternating series is nearer to its
    limit than the first term left out.
    """
    if z < 0:
        mirrored = normal(-z)
        return Bounds(ONE - mirrored.high, ONE - mirrored.low)
    if z > _TAIL:
        return Bounds(ONE - _up(ONE, 10**15), ONE)
    square, size = z * z, _scaled(z)
    power = size
    low = high = 0
    for k in range(10_000):
        term = (power[0] // (2 * k + 1), _up(power[1], 2 * k + 1))
        if term[1] <= 1 and square <= 2 * k:
            root = _inverse_root()
            low, high = max(0, low - term[1]), high + term[1]
            half = _WORK // 2
            return Bounds(
                (half + low * root[0] // _WORK) * ONE // _WORK,
                _up((half + _up(high * root[1], _WORK)) * ONE, _WORK),
            )
        low, high = (
            (low + term[0], high + term[1]) if k % 2 == 0 else (low - term[1], high - term[0])
        )
        divisor = 2 * (k + 1) * square.denominator
        power = (
            power[0] * square.numerator // divisor,
            _up(power[1] * square.numerator, divisor),
        )
    raise DomainError("argument of N", str(z), "the series did not end")


@lru_cache(maxsize=4096)
def exponential(w: Fraction) -> Bounds:
    """Bounds of exp(w), by its power series after halving ``w`` to at most 1/2, squared back."""
    if w < 0:
        inverse = _exponential(-w)
        return Bounds(_WORK * ONE // inverse[1], _up(_WORK * ONE, inverse[0]))
    low, high = _exponential(w)
    return Bounds(low * ONE // _WORK, _up(high * ONE, _WORK))


def _exponential(w: Fraction) -> tuple[int, int]:
    """Bounds of exp(w) for ``w`` >= 0, in 1/_WORK."""
    halvings = max(0, math.ceil(2 * w).bit_length())
    part = w / 2**halvings
    term = (_WORK, _WORK)
    low = high = 0
    k = 0
    while term[1] > 1:
        low, high, k = low + term[0], high + term[1], k + 1
        divisor = k * part.denominator
        term = (term[0] * part.numerator // divisor, _up(term[1] * part.numerator, divisor))
    high += 2 * term[1]  # each further term is less than half of the one before it
    for _ in range(halvings):
        low, high = low * low // _WORK, _up(high * high, _WORK)
    return low, high


@cache
def _inverse_root() -> tuple[int, int]:
    """Bounds of (2*pi)**-1/2, in 1/_WORK."""
    low = math.isqrt(_WORK * _WORK * _DIGITS // (2 * (_PI + 1)))
    high = math.isqrt(_WORK * _WORK * _DIGITS // (2 * _PI)) + 1
    return low, high


def _scaled(value: Fraction) -> tuple[int, int]:
    numerator = value.numerator * _WORK
    return numerator // value.denominator, _up(numerator, value.denominator)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
