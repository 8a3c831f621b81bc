"""Numbers as sources write them, made integers of a scale exactly, or rounded where that is asked.

A double is the shortest decimal that reads back as it (Python's ``repr``), so 0.1 is 1/10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import count

import numpy as np
import numpy.typing as npt

from agent_fund.domain.money import from_units
from agent_fund.market.errors import MarketError

MAX_PLAIN = 1e15  # doubles (IEEE 754 binary64) tell decimals of up to 15 digits apart
MOST_DECIMALS = 18  # where nobody declares them
EXACT_POWER = 22  # 10**22 is the largest power of ten that is a double
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def text_units(
    values: Sequence[str], place: str, name: str, scale: int, rounding: bool
) -> list[int]:
    """Decimal texts as integers of 10**-scale.

    Args:
        place, name: the file and the column, as errors name them.
        rounding: round more decimals than ``scale`` half to even, instead of refusing them.

    Raises:
        MarketError: naming the row of the first text that is no number, or has more decimals.
    """
    return [
        to_units(Fraction(_number(value, place, row, name)), at(place, row, name), scale, rounding)
        for row, value in enumerate(values)
    ]


def double_units(
    values: npt.NDArray[np.float64], place: str, name: str, scale: int, rounding: bool
) -> list[int]:
    """Doubles as integers of 10**-scale; as ``text_units``, and infinite ones are refused."""
    infinite = np.flatnonzero(~np.isfinite(values))
    if infinite.size:
        row = int(infinite[0])
        fix = "every row needs a finite number"
        raise MarketError(at(place, row, name), float(values[row]), fix)
    scaled, plain = _plain(values, scale)
    return [
        int(unit)
        if quick
        else to_units(Fraction(repr(value)), at(place, row, name), scale, rounding)
        for row, (unit, quick, value) in enumerate(
            zip(scaled.tolist(), plain.tolist(), values.tolist(), strict=True)
        )
    ]


def text_scale(values: Sequence[str], place: str, name: str) -> int:
    """The most decimals among ``values``, trailing zeros not counted.

    Raises:
        MarketError: for a text that is no number, or more than MOST_DECIMALS decimals.
    """
    most = 0
    for row, value in enumerate(values):
        decimals = _decimals(_number(value, place, row, name))
        if decimals > most:
            most = _allowed(decimals, at(place, row, name), value)
    return most


def double_scale(values: npt.NDArray[np.float64], place: str, name: str) -> int:
    """The most decimals among the finite ``values``; as ``text_scale``."""
    left = np.isfinite(values)
    for scale in range(MOST_DECIMALS + 1):
        _, plain = _plain(values, scale)
        left &= ~plain
        if not left.any():
            return scale
        if (np.abs(values[left]) * 10.0**scale >= MAX_PLAIN).all():
            break  # more than 15 digits: only their repr tells how many decimals they have
    most = scale
    for row in np.flatnonzero(left).tolist():
        value = repr(float(values[row]))
        most = max(most, _allowed(_decimals(value), at(place, row, name), value))
    return most


def to_units(value: Fraction, place: str, scale: int, rounding: bool) -> int:
    """``value`` as an integer of 10**-scale.

    Raises:
        MarketError: if it has more decimals, and ``rounding`` is not set.
    """
    units = value * 10**scale
    if units.denominator == 1 or rounding:
        rounded: int = round(units)  # a Fraction rounds half to even
        return rounded
    # A denominator of twos and fives only: some power of ten makes it whole.
    decimals = next(places for places in count(scale + 1) if (value * 10**places).denominator == 1)
    fix = f"it has {decimals} decimals and {scale} are declared: declare more, or rounding"
    raise MarketError(place, str(from_units(int(value * 10**decimals), decimals)), fix)


def at(place: str, row: int, name: str) -> str:
    """A value's place, as errors name it."""
    return f"{place}, row {row}, column {name}"


def _plain(
    values: npt.NDArray[np.float64], scale: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Values in units, and which of them are exact because their repr has so many decimals.

    A double that is nearest to a decimal of at most 15 digits has that decimal as its repr, so
    those need no parsing: two such decimals never share a double, and 10**scale is exact here.
    """
    power = 10.0 ** min(scale, EXACT_POWER)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(np.clip(values * power, -MAX_PLAIN, MAX_PLAIN))
        return scaled, (scaled / power == values) & (scale <= EXACT_POWER)


def _number(value: str, place: str, row: int, name: str) -> str:
    text = value.strip()
    if not NUMBER.fullmatch(text):
        raise MarketError(at(place, row, name), value, "write a decimal number, such as 0.25")
    return text


def _decimals(text: str) -> int:
    _, digits, exponent = Decimal(text).as_tuple()
    written = "".join(map(str, digits))
    zeros = len(written) - len(written.rstrip("0"))
    if not isinstance(exponent, int) or zeros == len(written):
        return 0
    return max(0, -exponent - zeros)


def _allowed(decimals: int, place: str, value: str) -> int:
    if decimals > MOST_DECIMALS:
        fix = (
            f"it has {decimals} decimals and at most {MOST_DECIMALS} are kept: declare fewer, and "
        )
        raise MarketError(place, value, f"{fix}rounding")
    return decimals
