"""The trusted compiler: a book, its orders and a price band into loss and gain in normal form.

A leg that may fill in part, at any price up to its limit, is an option given to the market: its
worst effect is max(0, full effect), a hinge. Legs may be ordered: leg k+1 waits for leg k, so the
market picks a prefix, and each prefix is one case. A case's forms bound, in every scenario,

    loss: the fall of NAV below the NAV at the decision, trading costs aside
    gain: its rise above it; a fill better than the limit counts here

for every decision price inside the band. Costs are bounded apart, once, by ``cost_bound``. What
must be proved of a book altogether, of margin accounts and lost venues too, is in ``obligations``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Leg, Proposal
from agent_fund.guard.costs import Costs
from agent_fund.guard.kernel.form import SCALE, Form, Hinge
from agent_fund.guard.stress import Stress

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

    def only(self, symbols: Collection[str]) -> Case:
        """The part of the case that concerns ``symbols``."""
        return Case(
            {s: q for s, q in self.positions.items() if s in symbols},
            tuple(leg for leg in self.full if leg.symbol in symbols),
            tuple(leg for leg in self.options if leg.symbol in symbols),
        )


class TooManyCasesError(ValueError):
    """More ordered groups are open at once than the guard is willing to prove over."""


Effect: TypeAlias = Callable[[Option, Stress, Band], tuple[int, int]]
"""Slope and offset, in the leg's own driver, of what its whole fill does to a form."""


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


def worst_fill(leg: Option, stress: Stress, band: Band) -> tuple[int, int]:
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


def best_fill(leg: Option, stress: Stress, band: Band) -> tuple[int, int]:
    """Slope and offset of the gain: bought at the bottom of the box, or sold at its top."""
    _, high = band[leg.symbol]
    lowest, highest = stress.box[stress.driver(leg.symbol)]
    size = abs(leg.quantity) * leg.instrument.multiplier * high
    # Never negative inside the box, so that the band's high price is the one that counts.
    return (size, -size * lowest) if leg.quantity > 0 else (-size, size * highest)


class Terms:
    """A form in the making: a constant, a coefficient a driver, hinges."""

    def __init__(self, drivers: int) -> None:
        self.constant = 0
        self.linear = [0] * drivers
        self.hinges: list[Hinge] = []

    @classmethod
    def held(cls, case: Case, stress: Stress, band: Band, book: Book, sign: int) -> Terms:
        """The held book: ``sign * quantity * price * x``, its price anywhere in the band.

        The worse of two slopes a, b in one driver is a*x + max(0, (b - a)*x): a hinge.
        """
        terms = cls(len(stress.box))
        for symbol, quantity in case.positions.items():
            driver = stress.driver(symbol)
            low, high = band[symbol]
            size = sign * quantity * book.instruments[symbol].multiplier
            terms.linear[driver] += size * low
            if high != low:
                terms.hinges.append(Hinge(1, driver, size * (high - low), 0))
        return terms

    def legs(self, case: Case, stress: Stress, band: Band, effect: Effect) -> None:
        """Add every leg of ``case``: wholly filled ones as lines, the others as options."""
        every = [(leg, True) for leg in case.full] + [(leg, False) for leg in case.options]
        for leg, whole in every:
            slope, offset = effect(leg, stress, band)
            driver = stress.driver(leg.symbol)
            if whole:
                self.linear[driver] += slope
                self.constant += offset
            else:
                self.hinges.append(Hinge(1, driver, slope, offset))

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
        worst = max(leg.limit, worst_price(leg.symbol, stress, band))
        fees += costs.entry(abs(leg.instrument.notional(leg.quantity, worst)))
    exits = lots_apart(every, stress, band, book)
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        instrument = book.instruments[symbol]
        price = worst_price(symbol, stress, band)
        if instrument.margin is not None:
            exits += stress.horizon  # a payment of funding is rounded by less than one base unit
        # A fill is rounded to the tick against the fund after the slippage, and the fee is on it.
        tick = instrument.notional(largest, instrument.tick)
        exits += costs.exit(instrument.notional(largest, price))
        exits += tick + costs.entry(tick) + 1 + slices
    return fees + exits


def legging_gain(
    every: Sequence[Case], stress: Stress, costs: Costs, band: Band, book: Book
) -> int:
    """What legs that close at different times can bring at most; what they can cost is in C.

    It raises the high-water mark, so it counts in the gain.
    """
    total = lots_apart(every, stress, band, book)
    if not costs.legging:
        return total
    for symbol in sorted({s for case in every for s in case.symbols}):
        largest = max(case.largest(symbol) for case in every)
        price = worst_price(symbol, stress, band)
        total += costs.apart(book.instruments[symbol].notional(largest, price))
    return total


def lots_apart(every: Sequence[Case], stress: Stress, band: Band, book: Book) -> int:
    """What a way out may lose or gain by slices that are out of proportion by a lot each."""
    symbols = sorted({s for case in every for s in case.symbols})
    if len(symbols) < 2:
        return 0
    total = 0
    for symbol in symbols:
        instrument = book.instruments[symbol]
        low, high = stress.box[stress.driver(symbol)]
        lot = instrument.notional(instrument.lot, worst_price(symbol, stress, band))
        total += ceil_div(lot * (high - low), SCALE)
    return total


def worst_price(symbol: str, stress: Stress, band: Band) -> int:
    """The highest price of ``symbol`` in the set: costs are proportional to it."""
    _, high = stress.price_box(symbol)
    return ceil_div(band[symbol][1] * (SCALE + high), SCALE)
