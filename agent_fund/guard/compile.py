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

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Leg, Proposal
from agent_fund.guard.costs import Costs
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.pricing.envelopes import Envelope, envelope
from agent_fund.guard.pricing.piecewise import Piecewise
from agent_fund.guard.stress.stress_set import Stress

Band = Mapping[str, tuple[int, int]]
MAX_CASES = 32


@dataclass(frozen=True, slots=True)
class Option:
    """A leg that the market may fill in part: signed quantity still open, and its limit."""

    instrument: Instrument
    quantity: int
    limit: int

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.instrument.symbol


@dataclass(frozen=True)
class Case:
    """One way the ordered legs may have gone: ``full`` are wholly filled, ``options`` may be.

    Attributes:
        positions: held quantities, before any of these legs.
    """

    positions: Mapping[str, int]
    full: tuple[Option, ...]
    options: tuple[Option, ...]

    @property
    def symbols(self) -> set[str]:
        """Every instrument that is held or may be."""
        return set(self.positions) | {leg.symbol for leg in (*self.full, *self.options)}

    def span(self, symbol: str) -> tuple[int, int]:
        """The lowest and highest position in ``symbol`` that this case's fills can make."""
        base = self.positions.get(symbol, 0)
        base += sum(leg.quantity for leg in self.full if leg.symbol == symbol)
        open_legs = [leg.quantity for leg in self.options if leg.symbol == symbol]
        return base + sum(min(0, q) for q in open_legs), base + sum(max(0, q) for q in open_legs)

    def largest(self, symbol: str) -> int:
        """The largest absolute position in ``symbol`` that this case's fills can make."""
        low, high = self.span(symbol)
        return max(abs(low), abs(high))

    def margined(self, instrument: Instrument) -> int:
        """The largest absolute position that needs margin: of an option, what may be owed of it."""
        if instrument.kind is Kind.OPTION:
            return max(0, -self.span(instrument.symbol)[0])
        return self.largest(instrument.symbol)

    def only(self, symbols: Collection[str]) -> Case:
        """The part of the case that concerns ``symbols``."""
        return Case(
            {s: q for s, q in self.positions.items() if s in symbols},
            tuple(leg for leg in self.full if leg.symbol in symbols),
            tuple(leg for leg in self.options if leg.symbol in symbols),
        )


class TooManyCasesError(ValueError):
    """More ordered groups are open at once than the guard is willing to prove over."""


class Effect(NamedTuple):
    """What the whole fill of a leg does to a form.

    Attributes:
        line: slope and offset in the leg's own driver.
        curve: of what has an envelope, a function of its underlying's driver.
    """

    line: Callable[[Option, Stress, Band], tuple[int, int]]
    curve: Callable[[Option, Envelope], Piecewise]


def cases(book: Book, proposal: Proposal) -> tuple[Case, ...]:
    """Every way the open orders and the proposal's ordered legs may go, partial fills aside.

    Raises:
        TooManyCasesError: beyond MAX_CASES.
    """
    chains = _chains(book)
    legs = [_option(leg) for leg in proposal.legs]
    chains += [legs] if proposal.ordered and legs else [[leg] for leg in legs]
    total = 1
    for chain in chains:
        total *= len(chain)
    if total > MAX_CASES:
        raise TooManyCasesError(f"{total} ways for the ordered legs to go; at most {MAX_CASES}")
    # Sorted: the order of hinges is part of a proof, and must not hang on how a book was made.
    held = {s: q for s, q in sorted(book.positions.items()) if q}
    result = []
    for prefix in itertools.product(*(range(len(chain)) for chain in chains)):
        full = [leg for chain, k in zip(chains, prefix, strict=True) for leg in chain[:k]]
        options = [chain[k] for chain, k in zip(chains, prefix, strict=True)]
        result.append(Case(held, tuple(full), tuple(options)))
    return tuple(result)


def _option(leg: Leg) -> Option:
    return Option(leg.instrument, leg.side.sign * leg.quantity, leg.limit)


def _chains(book: Book) -> list[list[Option]]:
    """Open orders as chains: each order after the one that it waits for.

    Of several orders that wait for the same one, the first continues its chain. The others start
    their own, as if they waited for nothing: the market may do more, never less.
    """
    chains: list[list[Option]] = []
    ends: dict[str, list[Option]] = {}
    for order in book.open_orders:
        if not order.remaining:
            continue
        option = Option(order.instrument, order.signed_remaining, order.limit)
        chain = ends.pop(order.waits_for, None) if order.waits_for is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(option)
        ends[order.order_id] = chain
    return chains


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


def cost_bound(
    every: Sequence[Case], stress: Stress, costs: Costs, band: Band, book: Book, slices: int
) -> int:
    """C: fees of every entry, and closing the largest book, at the worst price of the set.

    Args:
        slices: orders that an exit of one position may take, after the one that reduces it; each
            rounds its fee up by less than one base unit.
    """
    fees = 0
    legs = {id(leg): leg for case in every for leg in (*case.full, *case.options)}
    for leg in legs.values():
        worst = max(leg.limit, dearest(leg.instrument, stress, band, book))
        fees += costs.entry(abs(leg.instrument.notional(leg.quantity, worst)))
    exits = lots_apart(every, stress, band, book, slices)
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        instrument = book.instruments[symbol]
        price = dearest(instrument, stress, band, book)
        if instrument.margin is not None:
            exits += stress.horizon  # a payment of funding is rounded by less than one base unit
        # A fill is rounded to the tick against the fund after the slippage, and the fee is on it.
        tick = instrument.notional(largest, instrument.tick)
        exits += costs.exit(instrument.notional(largest, price))
        exits += _optional(symbol, largest, stress, costs, band, book)
        exits += tick + costs.entry(tick) + 1 + slices
    return fees + exits


def legging_gain(
    every: Sequence[Case], stress: Stress, costs: Costs, band: Band, book: Book, slices: int
) -> int:
    """What legs that close at different times can bring at most; what they can cost is in C.

    It raises the high-water mark, so it counts in the gain.
    """
    total = lots_apart(every, stress, band, book, slices)
    if not costs.legging:
        return total
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        price = dearest(book.instruments[symbol], stress, band, book)
        total += costs.apart(book.instruments[symbol].notional(largest, price))
        total += _optional(symbol, largest, stress, costs, band, book)
    return total


def lots_apart(every: Sequence[Case], stress: Stress, band: Band, book: Book, slices: int) -> int:
    """What a way out may lose or gain because each of its slices is rounded to lots, leg by leg.

    Args:
        slices: as for ``cost_bound``; the one that reduces comes before them.
    """
    symbols = sorted({s for case in every for s in case.symbols})
    if len(symbols) < 2:
        return 0
    total = 0
    for symbol in symbols:
        instrument = book.instruments[symbol]
        curve = envelope(instrument, stress, band, book)
        if curve is not None:
            total += instrument.notional(instrument.lot, curve.highest - curve.lowest)
            continue
        low, high = stress.box[stress.driver(symbol)]
        lot = instrument.notional(instrument.lot, worst_price(symbol, stress, band))
        total += ceil_div(lot * (high - low), SCALE)
    return (slices + 1) * total


def _optional(
    symbol: str, largest: int, stress: Stress, costs: Costs, band: Band, book: Book
) -> int:
    """The legging allowance of an option on its underlying's notional.

    Legs part by a share of the underlying's price; an option moves by no more than that price does.
    """
    instrument = book.instruments[symbol]
    if instrument.kind is not Kind.OPTION or not costs.legging:
        return 0
    on = instrument.moves_with
    return costs.apart(book.exposure(symbol, largest, {on: worst_price(on, stress, band)}))


def dearest(instrument: Instrument, stress: Stress, band: Band, book: Book) -> int:
    """The highest price of ``instrument`` in the set: costs are proportional to it."""
    curve = envelope(instrument, stress, band, book)
    return worst_price(instrument.symbol, stress, band) if curve is None else curve.highest


def worst_price(symbol: str, stress: Stress, band: Band) -> int:
    """The highest price in the set of a ``symbol`` with a driver of its own."""
    _, high = stress.price_box(symbol)
    return ceil_div(band[symbol][1] * (SCALE + high), SCALE)
