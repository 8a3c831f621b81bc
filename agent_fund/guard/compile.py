"""The trusted compiler: a book, its orders and a price band into loss and gain in normal form.

A leg that may fill in part, at any price up to its limit, is an option given to the market: its
worst effect is max(0, full effect), a hinge; of an option or a pool share it is a piecewise-linear
function of its underlying's driver, and so a sum of hinges. Legs may be ordered: leg k+1 waits for
leg k, so the market picks a prefix, and each prefix is one case. A case's forms bound, in every
scenario,

    loss: the fall of NAV below the NAV at the decision, trading costs aside
    gain: its rise above it; a fill better than the limit counts here

for every decision price inside the band. Costs are bounded apart, once, by ``cost_bound``. What
must be proved of a book altogether, of margin accounts and lost venues too, is in ``obligations``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agent_fund.domain.book import Book
from agent_fund.guard.band import Band
from agent_fund.guard.cases import Case, Option
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.pricing.envelopes import Envelope, envelope
from agent_fund.guard.pricing.piecewise import Piecewise
from agent_fund.guard.stress.stress_set import Stress


class Effect(NamedTuple):
    """What the whole fill of a leg does to a form.

    Attributes:
        line: slope and offset in the leg's own driver.
        curve: of what has an envelope, a function of its underlying's driver.
    """

    line: Callable[[Option, Stress, Band], tuple[int, int]]
    curve: Callable[[Option, Envelope], Piecewise]


def loss_form(case: Case, stress: Stress, band: Band, book: Book) -> Form:
    """The case's loss, in base units of NAV times SCALE."""
    terms = Terms.held(case, stress, band, book, -1)
    terms.legs(case, stress, band, worst_fill)
    return terms.form()


def gain_form(case: Case, stress: Stress, band: Band, book: Book) -> Form:
    """The case's gain, in base units of NAV times SCALE; fills as good as the set allows."""
    terms = Terms.held(case, stress, band, book, 1)
    terms.legs(case, stress, band, best_fill)
    return terms.form()


def _worst_line(leg: Option, stress: Stress, band: Band) -> tuple[int, int]:
    """Slope and offset of the loss: bought at its limit, worth price * (1 + x) later, or sold so.

    The driver counts the funding since the decision; a leg filled later did not get what was paid
    before it was there.
    """
    low, high = band[leg.symbol]
    paid, received = stress.carry.get(leg.symbol, (0, 0))
    size = abs(leg.quantity) * leg.instrument.multiplier
    if leg.quantity > 0:
        return -size * low, size * (SCALE * (leg.limit - low) + high * received)
    return size * high, size * (SCALE * (high - leg.limit) + high * paid)


def _worst_curve(leg: Option, envelope: Envelope) -> Piecewise:
    """The loss of a leg bought at its limit and worth the least later, or sold so."""
    size = abs(leg.quantity) * leg.instrument.multiplier
    paid = size * leg.limit * SCALE
    if leg.quantity > 0:
        return envelope.lower.times(-size).plus(paid)
    return envelope.upper.times(size).plus(-paid)


def _best_line(leg: Option, stress: Stress, band: Band) -> tuple[int, int]:
    """Slope and offset of the gain: bought at the bottom of the box, or sold at its top."""
    _, high = band[leg.symbol]
    lowest, highest = stress.box[stress.driver(leg.symbol)]
    size = abs(leg.quantity) * leg.instrument.multiplier * high
    # Never negative inside the box, so that the band's high price is the one that counts.
    return (size, -size * lowest) if leg.quantity > 0 else (-size, size * highest)


def _best_curve(leg: Option, envelope: Envelope) -> Piecewise:
    """The gain of a leg bought at the lowest price of the set, or sold at the highest."""
    size = abs(leg.quantity) * leg.instrument.multiplier
    if leg.quantity > 0:
        return envelope.upper.plus(-envelope.lower.least).times(size)
    return envelope.lower.plus(-envelope.upper.most).times(-size)


worst_fill = Effect(_worst_line, _worst_curve)
best_fill = Effect(_best_line, _best_curve)


class Terms:
    """A form in the making: a constant, a coefficient a driver, hinges."""

    def __init__(self, drivers: int, book: Book) -> None:
        self._book = book
        self.constant = 0
        self.linear = [0] * drivers
        self.hinges: list[Hinge] = []

    @classmethod
    def held(cls, case: Case, stress: Stress, band: Band, book: Book, sign: int) -> Terms:
        """The held book: ``sign * quantity * price * x``, its price anywhere in the band.

        The worse of two slopes a, b in one driver is a*x + max(0, (b - a)*x): a hinge.
        """
        terms = cls(len(stress.box), book)
        for symbol, quantity in case.positions.items():
            instrument = book.instruments[symbol]
            curve = envelope(instrument, stress, band, book)
            if curve is not None:
                moved = curve.fall if sign * quantity < 0 else curve.rise
                size = abs(quantity) * instrument.multiplier
                terms.add(moved.times(size), stress.driver(instrument.moves_with))
                continue
            driver = stress.driver(symbol)
            low, high = band[symbol]
            size = sign * quantity * instrument.multiplier
            terms.linear[driver] += size * low
            if high != low:
                terms.hinges.append(Hinge(1, driver, size * (high - low), 0))
        return terms

    def legs(self, case: Case, stress: Stress, band: Band, effect: Effect) -> None:
        """Add every leg of ``case``: wholly filled ones as lines, the others as options."""
        every = [(leg, True) for leg in case.full] + [(leg, False) for leg in case.options]
        for leg, whole in every:
            curve = envelope(leg.instrument, stress, band, self._book)
            driver = stress.driver(leg.instrument.moves_with)
            if curve is not None:
                full = effect.curve(leg, curve)
                self.add(full if whole else full.positive(), driver)
                continue
            slope, offset = effect.line(leg, stress, band)
            if whole:
                self.linear[driver] += slope
                self.constant += offset
            else:
                self.hinges.append(Hinge(1, driver, slope, offset))

    def add(self, function: Piecewise, driver: int) -> None:
        """Add a function of one driver, as its constant, its first slope and a hinge a bend."""
        constant, slope, hinges = function.terms(driver)
        self.constant += constant
        self.linear[driver] += slope
        self.hinges += hinges

    def form(self) -> Form:
        """The finished form."""
        return Form(self.constant, tuple(self.linear), tuple(self.hinges))
