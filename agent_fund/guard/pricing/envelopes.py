"""What an option, a pool share or an expiring future may be worth, as functions of one driver.

For every move of its underlying in the box, any volatility that the mandate declares and any time
until the way out ends, the value lies between two piecewise-linear functions of that move:

- an option: the Black-Scholes value rises with volatility and time, so lines below it at the lowest
  volatility and the horizon's end, chords above it at the highest volatility and the decision's
  time; without a volatility, its payoff and what no arbitrage allows (Merton 1973);
- a pool share: sqrt(1 + x) between its chords and its tangents, and fees on top;
- what may expire within the horizon: its lowest and its highest value in the set, whatever else
  moves, because a settlement in between parts it from its underlying.

The mark of the decision always lies between them at no move: where the assumptions put it outside,
the envelope is widened in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import FutureTerms, OptionTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.black_scholes import MOST, knots, tangents, total_volatility
from agent_fund.guard.pricing.gaussian import ONE
from agent_fund.guard.pricing.piecewise import Line, Piecewise, above, below, chords
from agent_fund.guard.stress.stress_set import Stress

Ends = tuple[int, int]

_POOL_KNOTS = 16
"""Knots of a pool share's envelope for each 1 in the root of its underlying's price."""

_FINE = 1 << 20
"""Parts of 1/SCALE in which that root is rounded."""


@dataclass(frozen=True)
class Envelope:
    """Functions of the underlying's driver, in price units times SCALE for one base unit.

    Attributes:
        lower, upper: the value lies between them, at any decision prices in the band.
        fall, rise: at least what the value falls below, or rises above, the decision's mark.
    """

    lower: Piecewise
    upper: Piecewise
    fall: Piecewise
    rise: Piecewise

    @property
    def highest(self) -> int:
        """The highest price in the set, in price units, rounded up."""
        return ceil_div(self.upper.most, SCALE)

    @property
    def lowest(self) -> int:
        """The lowest price in the set, in price units, rounded down."""
        return self.lower.least // SCALE

    @property
    def settled(self) -> Envelope:
        """The envelope of what may stop moving with its underlying at any moment: constants."""
        box = self.lower.low, self.lower.high
        return Envelope(
            Piecewise.constant(self.lower.least, *box),
            Piecewise.constant(self.upper.most, *box),
            Piecewise.constant(self.fall.most, *box),
            Piecewise.constant(self.rise.most, *box),
        )


def envelope(
    instrument: Instrument, stress: Stress, band: Mapping[str, Ends], book: Book
) -> Envelope | None:
    """The envelope of ``instrument``; None if it is a line: its own driver's price.

    Args:
        band: lowest and highest decision price of it and, for an option, of its underlying.

    Raises:
        DomainError: if it depends on an instrument that pays funding, or on one without a price.
    """
    soon = _expires_soon(instrument, stress, book)
    if instrument.moves_with == instrument.symbol and not soon:
        return None
    box, marks = stress.box[stress.driver(instrument.moves_with)], band[instrument.symbol]
    if isinstance(instrument.terms, FutureTerms):
        return _settled_future(box, marks)
    on = book.instrument(instrument.moves_with)
    if on.symbol in stress.carry or on.moves_with != on.symbol:
        raise DomainError(
            f"underlying of {instrument.symbol}",
            on.symbol,
            "name a spot instrument or a dated future, whose all-in return is that of its price",
        )
    soon = soon or _expires_soon(on, stress, book)
    if not isinstance(instrument.terms, OptionTerms):
        return _pool(box, marks, stress.pricing.fees.get(instrument.symbol, 0))
    if on.symbol not in band:
        raise DomainError("price", on.symbol, f"{instrument.symbol} is an option on it: give one")
    low, high = _volatility(instrument.terms, stress, book)
    strike, (cheap, dear) = instrument.terms.strike, band[on.symbol]
    # Prices of the underlying and the strike, in equal parts of a price unit of the option.
    part = 10**instrument.price_scale * strike.denominator
    found = _option(
        box,
        marks,
        (cheap * part, dear * part),
        strike.numerator * 10 ** (instrument.price_scale + on.price_scale),
        strike.denominator * 10**on.price_scale,
        instrument.terms.call,
        (low, high),
    )
    return found.settled if soon else found


def _expires_soon(instrument: Instrument, stress: Stress, book: Book) -> bool:
    """Whether it may expire before the way out ends; what is not known counts as soon."""
    if instrument.expires is None:
        return False
    span = stress.pricing.span
    return book.time is None or span is None or instrument.expires <= book.time + span


def _volatility(terms: OptionTerms, stress: Stress, book: Book) -> tuple[Fraction, Fraction | None]:
    """The least and the most total volatility that is left until expiry; None for no bound."""
    declared, span = stress.pricing.volatility.get(terms.on), stress.pricing.span
    if declared is None or book.time is None:
        return Fraction(0), None
    left = max(0, terms.expires - book.time)
    ends = 0 if span is None else max(0, left - span)
    most = total_volatility(declared[1], left, up=True)
    return total_volatility(declared[0], ends, up=False), most if most <= MOST else None


@lru_cache(maxsize=512)
def _option(
    box: Ends,
    marks: Ends,
    prices: Ends,
    strike: int,
    unit: int,
    call: bool,
    totals: tuple[Fraction, Fraction | None],
) -> Envelope:
    """An option's envelope; the underlying's prices and the strike in 1/``unit`` price units."""
    # A call is worth least at the lowest price of its underlying in the band, a put at the highest.
    low, high = prices if call else prices[::-1]
    less = 0 if call else ONE  # a put is the call less its underlying, and the strike
    lines = []
    for tangent in tangents(totals[0]):
        slope, short = (tangent.slope - less) * low, (tangent.short - less) * strike
        lines.append(Line((slope - short) * SCALE, slope))
    lower = below(lines, unit * ONE, *box)
    points = _over(high, strike, unit, totals[1], box[1])
    if not call:
        points = [(x, y - (high * (SCALE + x) - strike * SCALE) // unit) for x, y in points]
    return _around(lower, chords(points, *box), marks)


def _over(
    price: int, strike: int, unit: int, total: Fraction | None, last: int
) -> list[tuple[int, int]]:
    """Points above a call, from a price of 0 to beyond the driver ``last``.

    Between a knot's price and the next integer driver a call grows by no more than its price does.
    """
    found = {-SCALE: 0}
    for knot in () if total is None else knots(total):
        x = ceil_div(strike * knot.high * SCALE, price * ONE) - SCALE
        grown = price * (SCALE + x) * ONE - strike * knot.low * SCALE
        value = ceil_div(strike * knot.value * SCALE + grown, unit * ONE)
        found[x] = min(value, found.get(x, value))
    top = max(found)
    end = max(last, top) + 1
    found[end] = found[top] + ceil_div(price * (end - top), unit)
    return sorted(found.items())


def _around(lower: Piecewise, upper: Piecewise, marks: Ends) -> Envelope:
    """The envelope, widened in proportion until the marks lie in it where nothing moves."""
    least, most = marks[0] * SCALE, marks[1] * SCALE
    at = lower.at(0)
    if at > least:
        share = -least / at
        lower = lower.times(share.numerator).over(share.denominator).times(-1)
    at = upper.at(0)
    if at < most:
        # An option is never worth nothing for certain, but for the rounding of its price.
        share = most / at if at else Fraction(1)
        upper = upper.times(share.numerator).over(share.denominator).plus(0 if at else most)
    return Envelope(lower, upper, lower.times(-1).plus(most), upper.plus(-least))


def _settled_future(box: Ends, marks: Ends) -> Envelope:
    low, high = marks
    return Envelope(
        Piecewise.constant(low * (SCALE + box[0]), *box),
        Piecewise.constant(high * (SCALE + box[1]), *box),
        Piecewise.constant(-high * box[0], *box),
        Piecewise.constant(high * box[1], *box),
    )


@lru_cache(maxsize=512)
def _pool(box: Ends, marks: Ends, fees: int) -> Envelope:
    """mark * sqrt(1 + x), and ``fees`` on top.

    Chords of the root lie below it, at knots where it is rounded down. Above it lie its tangents:
    sqrt(1 + x) <= (1 + x) / (2 * r) + r / 2 for every r > 0, here each multiple of 1/_POOL_KNOTS.
    """
    first, last = (math.isqrt(_POOL_KNOTS**2 * (SCALE + end) // SCALE) for end in box)
    numbers = range(max(1, first), last + 2)
    drivers = {n * n * SCALE // _POOL_KNOTS**2 - SCALE for n in numbers}
    drivers = {x for x in drivers if box[0] < x < box[1]} | set(box)
    square = SCALE * _FINE * _FINE
    roots = Piecewise(tuple((x, math.isqrt((SCALE + x) * square)) for x in sorted(drivers)))
    common, grown = math.lcm(*numbers), (SCALE + fees) * _FINE
    lines = []
    for n in numbers:
        slope = _POOL_KNOTS**2 * (common // n) * grown
        lines.append(Line((slope + n * common * grown) * SCALE, slope))
    tangents = above(lines, 2 * _POOL_KNOTS * common * SCALE, *box)
    whole = SCALE * _FINE
    fall, rise = roots.times(-1).plus(whole), tangents.plus(-whole)
    return Envelope(
        roots.times(-marks[0]).over(_FINE).times(-1),
        tangents.times(marks[1]).over(_FINE),
        fall.times(marks[0]).maximum(fall.times(marks[1])).over(_FINE),
        rise.times(marks[0]).maximum(rise.times(marks[1])).over(_FINE),
    )
