"""Prices, volumes and rates that all differ from what was there, and are still valid bars.

Deterministic: the same draws make the same values. Prices move by up to a half, each its own way,
so that no return, no range, no basis and no volume of a perturbed bar tells of the true one.
"""

from __future__ import annotations

from random import Random

STEPS = 512
RATE_STEP = 10**6  # a hundredth of a basis point, in units of 10**-RATE_SCALE


def perturbed_bars(
    draw: Random,
    tick: int,
    first: int,
    opens: list[int],
    highs: list[int],
    lows: list[int],
    closes: list[int],
) -> list[list[int]]:
    """[opens, highs, lows, closes] with each bar from number ``first`` on as ``perturbed_bar``."""
    columns = (opens, highs, lows, closes)
    rows = zip(*(column[first:] for column in columns), strict=True)
    moved = [perturbed_bar(draw, tick, *row) for row in rows]
    return [column[:first] + [row[i] for row in moved] for i, column in enumerate(columns)]


def perturbed_bar(
    draw: Random, tick: int, open_: int, high: int, low: int, close: int
) -> tuple[int, int, int, int]:
    """Another (open, high, low, close), each different, positive, on the tick and in order.

    All four rise, or all four fall; they rise where the low has no room to fall.
    """
    rising = draw.getrandbits(1) == 1 or low < 2 * tick
    open_, high, low, close = (
        _moved(draw, price, tick, rising) for price in (open_, high, low, close)
    )
    return open_, max(open_, high, low, close), min(open_, high, low, close), close


def perturbed_price(draw: Random, price: int) -> int:
    """Another positive price; for marks and indices, which know no tick."""
    return _moved(draw, price, 1, draw.getrandbits(1) == 1 or price < 2)


def perturbed_volume(draw: Random, volume: int) -> int:
    """Another volume of 0 or more; it rises where there was none."""
    if volume and draw.getrandbits(1):
        return volume * (STEPS - _strength(draw)) // STEPS
    return volume * (STEPS + _strength(draw)) // STEPS + 1


def perturbed_rate(draw: Random, rate: int) -> int:
    """Another funding rate, higher or lower by up to 2.56 basis points."""
    sign = 1 if draw.getrandbits(1) else -1
    return rate + sign * _strength(draw) * RATE_STEP


def _moved(draw: Random, price: int, tick: int, rising: bool) -> int:
    """``price`` times a factor above 1, up to 3/2, rounded up; or below 1, from 1/2, down."""
    if rising:
        return -(-price * (STEPS + _strength(draw)) // (STEPS * tick)) * tick
    return price * (STEPS - _strength(draw)) // (STEPS * tick) * tick


def _strength(draw: Random) -> int:
    return 1 + draw.getrandbits(8)
