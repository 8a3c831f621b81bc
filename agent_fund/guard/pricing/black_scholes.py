"""Straight lines that stay below, and points that stay above, the Black-Scholes value of a call.

With rates zero and total volatility v (volatility times the root of the years left), a call struck
at 1 on a price s is worth C(s) = E[max(0, s*Z - 1)], Z lognormal of mean 1. For any a, paying on
the event {s*Z ends above where d1 = a} and on no other is worth no more:

    C(s) >= s * N(a) - N(a - v)                      for every s; equal where d1(s) = a
    C(s) =  s * N(a) - N(a - v)   at s = exp(v*a - v*v/2)

So each a gives a line below everywhere and a point on the curve, with no logarithm and no search.
C is convex in s with slopes from 0 to 1, so the chords between the points lie above it. A put is
the call less s plus 1. See Black and Scholes (1973); Merton (1973) for the shape.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from agent_fund.guard.pricing.gaussian import ONE, exponential, normal

YEAR = 365 * 86_400
"""Seconds in the year of a volatility."""

MOST = Fraction(4)
"""Beyond this total volatility a call is taken to be worth its underlying at most, and no more is
asked of the series."""

_UNIT = 64
# The density that spreads the error of chords evenly is the root of the curvature, which in d1 is
# a normal of variance 2: points at its twelfths, lines at the middles between them.
_POINTS = (-192, -125, -88, -61, -39, -19, 0, 19, 39, 61, 88, 125, 192)
_LINES = (-157, -104, -74, -50, -29, -9, 9, 29, 50, 74, 104, 157)


class Tangent(NamedTuple):
    """``slope * s - short`` lies below the call; both in 1/ONE."""

    slope: int
    short: int


class Knot(NamedTuple):
    """At a price known to be from ``low`` to ``high``, the most a call is worth; all in 1/ONE."""

    low: int
    high: int
    value: int


@lru_cache(maxsize=256)
def tangents(total: Fraction) -> tuple[Tangent, ...]:
    """Lines below a call struck at 1 of any total volatility from ``total`` on; flatter ones first.

    The first and the last are its payoff at expiry: 0, and s - 1.
    """
    lines = [Tangent(0, 0)]
    if total:
        for number in _LINES:
            a = Fraction(number, _UNIT)
            lines.append(Tangent(normal(a).low, normal(a - total).high))
    return (*lines, Tangent(ONE, ONE))


@lru_cache(maxsize=256)
def knots(total: Fraction) -> tuple[Knot, ...]:
    """Points above a call struck at 1 of any total volatility up to ``total``; cheaper ones first.

    Raises:
        ValueError: beyond MOST.
    """
    if total > MOST:
        raise ValueError(f"total volatility {total} is beyond {MOST}; use the price as the bound")
    found = []
    for number in _POINTS:
        a = Fraction(number, _UNIT)
        low, high = exponential(total * a - total * total / 2)
        worth = -(-high * normal(a).high // ONE) - normal(a - total).low
        found.append(Knot(low, high, max(0, worth)))
    return tuple(found)


@lru_cache(maxsize=1024)
def total_volatility(volatility: Fraction, seconds: int, *, up: bool) -> Fraction:
    """``volatility`` a year over ``seconds``, rounded up or down to ten significant bits.

    Options of nearly the same age then share their lines and points.
    """
    square = volatility * volatility * seconds / YEAR
    root = math.isqrt(square.numerator * _FINE * _FINE // square.denominator)
    if up:
        root += 1  # the root of the floor lies less than one below
    step = 1 << max(0, root.bit_length() - 10)
    return Fraction((-(-root // step) if up else root // step) * step, _FINE)


_FINE = 1 << 40
