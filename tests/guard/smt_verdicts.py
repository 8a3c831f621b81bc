"""The guard's question put to Z3 and cvc5: is there a market and a way to fill that loses more?

Written from the meaning and not from the compiler: each leg fills or does not, a leg that waits
needs the one before it whole, and the loss is what positions and fills come to in one scenario. Of
options and pool shares it takes the envelopes as they are stated, point by point. The text is
SMT-LIB 2 (QF_LRA); both solvers read the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random

import cvc5
import guard_derivative_simulation as derivatives
import z3
from guard_world import BOX, COSTS, INSTRUMENTS, PRICES, buy, make_book, make_order, sell

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Order, Proposal, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.pricing.piecewise import Piecewise
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress

Band = Mapping[str, tuple[int, int]]
Question = tuple[Book, Proposal, Stress, Band]


def rational(value: Fraction | int) -> str:
    value = Fraction(value)
    text = f"(/ {abs(value.numerator)}.0 {value.denominator}.0)"
    return text if value >= 0 else f"(- {text})"


def added(terms: Sequence[str]) -> str:
    return f"(+ 0.0 0.0 {' '.join(terms)})"


def piece(function: Piecewise, x: str) -> str:
    """A piecewise-linear function of ``x``, segment by segment."""
    points = function.points
    if len(points) == 1:
        return rational(points[0][1])
    text = ""
    for (left, below), (right, above) in reversed(list(itertools.pairwise(points))):
        slope = Fraction(above - below, right - left)
        line = f"(+ {rational(below)} (* {rational(slope)} (- {x} {rational(left)})))"
        text = line if not text else f"(ite (<= {x} {rational(right)}) {line} {text})"
    return text


class Script:
    """The question in SMT-LIB; ``more_than`` closes it with a loss to exceed."""

    def __init__(self, question: Question) -> None:
        book, proposal, stress, band = question
        self._book, self._stress, self._band = book, stress, band
        self.head = ["(set-logic QF_LRA)"]
        for number, (low, high) in enumerate(stress.kernel.box):
            self.head.append(f"(declare-fun x{number} () Real)")
            self.head.append(f"(assert (<= {rational(low)} x{number} {rational(high)}))")
        for row in stress.kernel.rows:
            terms = [f"(* {rational(c)} x{d})" for d, c in row.terms]
            self.head.append(f"(assert (<= {added(terms)} {rational(row.bound)}))")
        terms = [self._held(s, q) for s, q in sorted(book.positions.items()) if q]
        for number, (leg, ahead) in enumerate(fills(book, proposal)):
            self.head.append(f"(declare-fun f{number} () Bool)")
            if ahead is not None:
                self.head.append(f"(assert (=> f{number} f{ahead}))")
            terms.append(f"(ite f{number} {self._leg(leg)} 0.0)")
        self.head.append(f"(define-fun loss () Real {added(terms)})")

    def more_than(self, target: int) -> str:
        return "\n".join([*self.head, f"(assert (> loss {rational(target)}))", "(check-sat)"])

    def _driver(self, item: Instrument) -> str:
        return f"x{self._stress.driver(item.moves_with)}"

    def _held(self, symbol: str, quantity: int) -> str:
        item = self._book.instruments[symbol]
        found, x = envelope(item, self._stress, self._band, self._book), self._driver(item)
        size = abs(quantity) * item.multiplier
        if found is not None:
            moved = found.fall if quantity > 0 else found.rise
            return f"(* {rational(size)} {piece(moved, x)})"
        return f"(* {rational(-quantity * item.multiplier * self._band[symbol][0])} {x})"

    def _leg(self, leg: Leg) -> str:
        item, size = leg.instrument, leg.quantity * leg.instrument.multiplier
        found, x = envelope(item, self._stress, self._band, self._book), self._driver(item)
        price, bought = self._band[item.symbol][0], leg.side is Side.BUY
        if found is not None:
            later = piece(found.lower if bought else found.upper, x)
        else:
            later = f"(* {rational(price)} (+ {rational(SCALE)} {x}))"
        paid = rational(leg.limit * SCALE)
        effect = f"(- {paid} {later})" if bought else f"(- {later} {paid})"
        return f"(* {rational(size)} {effect})"


def fills(book: Book, proposal: Proposal) -> Iterator[tuple[Leg, int | None]]:
    """Every leg that may fill, and the number of the one that has to be filled before it."""
    numbers: dict[str, int] = {}
    count = 0
    for order in book.open_orders:
        if order.remaining:
            leg = Leg(order.instrument, order.side, order.remaining, order.limit)
            yield leg, numbers.get(order.waits_for or "")
            numbers[order.order_id] = count
            count += 1
    for number, leg in enumerate(proposal.legs):
        yield leg, count - 1 if proposal.ordered and number else None
        count += 1


def ask_z3(text: str) -> str:
    solver = z3.SolverFor("QF_LRA")
    solver.from_string(text)
    return str(solver.check())


def ask_cvc5(text: str) -> str:
    solver = cvc5.Solver(cvc5.TermManager())
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "question")
    symbols, said = parser.getSymbolManager(), ""
    while not (command := parser.nextCommand()).isNull():
        said = command.invoke(solver, symbols).strip() or said
    return said


def with_options(rng: Random) -> Question:
    """Options, a future and a pool share on two coins, at one price each."""
    while True:
        case = derivatives.random_case(rng)
        band = {s: (low, low) for s, (low, _) in case.band.items()}
        if case.proposal.legs or case.book.positions:
            return _unforked(case.book), case.proposal, case.mandate.stress, band


def with_factors(rng: Random) -> Question:
    """Three instruments that move with a basket, within residuals; long and short."""
    symbols = sorted(INSTRUMENTS)
    shares = rng.choice([(1, 0, 0), (2, 1, 1), (1, 1, 2)])
    total = sum(shares)
    weights = {s: Fraction(n, total) for s, n in zip(symbols, shares, strict=True) if n}
    betas = {s: rng.randrange(500, 1_600) for s in symbols if rng.random() < 0.8}
    residuals = {s: rng.choice([10_000, 40_000, 90_000]) for s in betas}
    market = Factor("market", weights, betas, residuals)
    stress = Stress(tuple(symbols), (*BOX, (-220_000, 190_000)), (market,), 3)
    held = {s: rng.randrange(-60, 61) * INSTRUMENTS[s].lot for s in symbols if rng.random() < 0.7}
    orders: list[Order] = []
    for number in range(rng.choice([0, 0, 1, 2, 3])):
        waits = orders[-1].order_id if orders and rng.random() < 0.5 else None
        orders.append(make_order(f"o{number}", _leg(rng, rng.choice(symbols)), waits))
    legs = tuple(_leg(rng, s) for s in rng.sample(symbols, rng.randrange(0, 4)))
    book = make_book(10**9, held, tuple(orders))
    band = {s: (PRICES[s], PRICES[s]) for s in symbols}
    return book, Proposal(legs, rng.random() < 0.5), stress, band


def _leg(rng: Random, symbol: str) -> Leg:
    item = INSTRUMENTS[symbol]
    units = PRICES[symbol] * rng.choice([100, 100, 101, 99, 110, 90]) // 100
    side = rng.choice([buy, sell])
    return side(item, rng.randrange(1, 41) * item.lot, units // item.tick * item.tick)


def _unforked(book: Book) -> Book:
    """Of several orders that wait for one, the guard lets all but the first go ahead; not so here.

    The market then may do more than the solvers are told, so no order waits for one that is taken.
    """
    taken: set[str] = set()
    orders = []
    for order in book.open_orders:
        waits = None if order.waits_for in taken else order.waits_for
        if waits is not None:
            taken.add(waits)
        orders.append(replace(order, waits_for=waits))
    return replace(book, open_orders=tuple(orders))


__all__ = ["COSTS", "Question", "Script", "ask_cvc5", "ask_z3", "with_factors", "with_options"]
