"""Scenarios that margin practice checks, and the boxes that hold every one of them.

Practice reprices a portfolio at points: so many moves of the price, each with volatility up, down
or as it is. What bends between two points goes unchecked there. The boxes of a preset are the hull
of its points, so a certificate over them covers the points and all that lies between.

A tail is a point of which practice counts a share of the loss alone. ``core`` is the box of the
points that count in full; ``box`` holds the tails too and counts them in full, which no practice
does. Volatility moves are relative to implied volatility at 30 days to expiry; practice scales them
by (30 / days) to a power below 1, so that nearer expiries move further: see ``Preset.scaled``.

The numbers are those of each venue's documentation when this was written. Venues change them, and
they differ by coin: whatever a preset takes as an argument is what to look up first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio

Range: TypeAlias = tuple[Fraction, Fraction]
WHOLE = Fraction(1)


@dataclass(frozen=True)
class Point:
    """One scenario: moves of price and volatility as shares, and the share of the loss counted."""

    price: Fraction
    volatility: Fraction
    counted: Fraction = WHOLE

    def __post_init__(self) -> None:
        if min(self.price, self.volatility) < -1:
            seen = (str(self.price), str(self.volatility))
            raise DomainError("scenario", seen, "neither falls by more than all of it")
        if not 0 < self.counted <= 1:
            raise DomainError("share of a loss", str(self.counted), "write more than 0%, to 100%")


@dataclass(frozen=True)
class Box:
    """Ranges of both moves; a declared stress set takes ``price`` as it is."""

    price: Range
    volatility: Range

    def covers(self, points: Iterable[Point]) -> bool:
        """Whether every one of ``points`` lies inside, exactly."""
        return all(
            self.price[0] <= p.price <= self.price[1]
            and self.volatility[0] <= p.volatility <= self.volatility[1]
            for p in points
        )


@dataclass(frozen=True)
class Preset:
    """The points of one practice.

    Attributes:
        source: where they are published, for the record's ``why``.
    """

    name: str
    source: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.core_points:
            raise DomainError(f"preset {self.name}", self.points, "give points that count in full")

    @property
    def core_points(self) -> tuple[Point, ...]:
        """The points that count in full."""
        return tuple(p for p in self.points if p.counted == 1)

    @property
    def core(self) -> Box:
        """The hull of the points that count in full, and of no move."""
        return _hull(self.core_points)

    @property
    def box(self) -> Box:
        """The hull of every point, and of no move."""
        return _hull(self.points)

    def scaled(self, volatility: Exact) -> Preset:
        """The points with volatility moves times ``volatility``; none falls below -100 %."""
        factor = ratio(volatility, "scale of volatility")
        if factor <= 0:
            raise DomainError("scale of volatility", str(volatility), "write a positive number")
        points = (
            replace(p, volatility=max(Fraction(-1), p.volatility * factor)) for p in self.points
        )
        return replace(self, points=tuple(points))


def _hull(points: Iterable[Point]) -> Box:
    prices, volatilities = [Fraction(0)], [Fraction(0)]
    for point in points:
        prices.append(point.price)
        volatilities.append(point.volatility)
    return Box((min(prices), max(prices)), (min(volatilities), max(volatilities)))


def span16(
    price_scan: Exact, vol_scan: Exact, *, extreme: Exact = "2", counted: Exact = "35%"
) -> Preset:
    """The sixteen scenarios of SPAN (CME, 1988): thirds of the price scan range, volatility up and
    down at each, and two extreme moves at unchanged volatility.

    Args:
        price_scan: the price scan range as a share of the price; vol_scan: the volatility scan
            range as a share of volatility. The clearing house sets both for each product.
        extreme: price scan ranges of the extreme move; ``counted``: of its loss. Clearing houses
            use 2 and 35 %, or 3 and 33 %.
    """
    price, vol = _positive(price_scan, "price scan"), _positive(vol_scan, "volatility scan")
    moves = [Fraction(0)] + [s * Fraction(k, 3) for k in (1, 2, 3) for s in (1, -1)]
    points = [Point(move * price, sign * vol) for move in moves for sign in (1, -1)]
    far, part = price * _positive(extreme, "extreme move"), ratio(counted, "extreme move")
    points += [Point(far, Fraction(0), part), Point(-far, Fraction(0), part)]
    return Preset("SPAN 16", "SPAN of the CME, 16 scenarios", tuple(points))


def deribit(
    vol_up: Exact, vol_down: Exact, *, price_range: Exact = "16%", buckets: int = 9
) -> Preset:
    """Deribit's segregated portfolio margin: evenly spaced buckets of the price, each with
    volatility up, as it is, and down.

    Its extended table of far moves for short options, of which a damped fraction counts, is no part
    of it.

    Args:
        vol_up, vol_down: the volatility ranges, both positive; they stand on the venue's margin
            page and change without notice.
    """
    if type(buckets) is not int or buckets < 3 or buckets % 2 == 0:
        raise DomainError("buckets", buckets, "write an odd number from 3 on: one is no move")
    up, down = _positive(vol_up, "volatility up"), _positive(vol_down, "volatility down")
    price, half = _positive(price_range, "price range"), buckets // 2
    points = [
        Point(price * Fraction(step, half), vol)
        for step in range(-half, half + 1)
        for vol in (up, Fraction(0), -down)
    ]
    source = "Deribit support, Portfolio Margin (S:PM), 9 buckets of +/-16%"
    return Preset("Deribit portfolio margin", source, tuple(points))


_TAILS = ("-66%", "-33%", "50%", "100%", "200%", "300%", "400%", "500%")


def derive(vol_up: Exact = "45%", vol_down: Exact = "30%") -> Preset:
    """Derive's portfolio margin 2 for BTC and ETH: 23 regular scenarios and 8 damped tails, all
    tails with volatility up.

    Args:
        vol_up, vol_down: the volatility ranges, both positive, at 30 days to expiry.
    """
    up, down = _positive(vol_up, "volatility up"), _positive(vol_down, "volatility down")
    step = Fraction(45, 1000)
    points = [Point(step * k, vol) for k in range(-3, 4) for vol in (up, Fraction(0), -down)] + [
        Point(step * k, up) for k in (-4, 4)
    ]
    damped = ("0.21", "0.42", "0.27", "0.13", "0.069", "0.046", "0.034", "0.027")
    points += _tails(damped, up)
    source = "Derive docs, Portfolio Margin Parameters [New], 23 and 8 scenarios"
    return Preset("Derive portfolio margin", source, tuple(points))


def paradex(price_range: Exact = "16%", vol_up: Exact = "40%", vol_down: Exact = "22%") -> Preset:
    """Paradex's SCAN risk for BTC and ETH: 16 standard scenarios, quarters of the price range, and
    8 damped tails with volatility up.

    Args:
        price_range, vol_up, vol_down: all positive, and other ones for other coins.
    """
    up, down = _positive(vol_up, "volatility up"), _positive(vol_down, "volatility down")
    step = _positive(price_range, "price range") / 4
    points = [Point(step * k, vol) for k in range(-3, 4) for vol in (up, -down)]
    points += [Point(step * k, up) for k in (-4, 4)]
    points += _tails(("18%", "36%", "24%", "12%", "6%", "4%", "3%", "2.4%"), up)
    source = "Paradex docs, Portfolio Margin, SCAN risk, 24 scenarios"
    return Preset("Paradex portfolio margin", source, tuple(points))


def _tails(counted: Iterable[str], up: Fraction) -> list[Point]:
    return [
        Point(ratio(move), up, ratio(share)) for move, share in zip(_TAILS, counted, strict=True)
    ]


def _positive(value: Exact, subject: str) -> Fraction:
    found = ratio(value, subject)
    if found <= 0:
        raise DomainError(subject, str(value), "write a positive number")
    return found
