"""Z3 and cvc5 on the guard's own question: can the loss, or the gain, of this book exceed a bound?

Stated natively in linear real arithmetic, not from the guard's forms: a real for each driver, the
declared factors and ties as they are declared, a Boolean for each leg that the market may fill, and
an option's envelope by its lines, or as an if-then-else over its pieces where it is not concave.
Fresh solvers start from nothing; the incremental ones hold the stress set and take each question
between push and pop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import cvc5
import z3
from cvc5 import Kind as Op

from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.envelopes import Envelope, envelope
from agent_fund.guard.pricing.piecewise import Piecewise
from agent_fund.guard.stress.factor import BETA_UNIT
from benchmarks.guard_cases import World

Term = Any
Weighted = Sequence[tuple[Fraction | int, Term]]


class Peer(Protocol):
    """What the encoding needs of a solver; terms are the solver's own."""

    def real(self, name: str) -> Term:
        """A real variable."""

    def boolean(self, name: str) -> Term:
        """A Boolean variable."""

    def number(self, value: Fraction | int) -> Term:
        """A rational constant."""

    def sum(self, terms: Weighted, constant: Fraction | int) -> Term:
        """A linear term."""

    def plus(self, terms: Sequence[Term]) -> Term:
        """The sum of terms."""

    def choose(self, condition: Term, yes: Term, no: Term) -> Term:
        """If-then-else."""

    def at_most(self, left: Term, right: Term) -> Term:
        """left <= right."""

    def more(self, left: Term, right: Term) -> Term:
        """left > right."""

    def add(self, assertion: Term) -> None:
        """Assert it."""

    def push(self) -> None:
        """Remember what is asserted now."""

    def pop(self) -> None:
        """Back to what was remembered."""

    def verdict(self) -> str:
        """sat, unsat or unknown."""


class Z3:
    """Z3's simplex over QF_LRA."""

    def __init__(self, milliseconds: int) -> None:
        self._context = z3.Context()
        self._solver = z3.SolverFor("QF_LRA", ctx=self._context)
        self._solver.set("timeout", milliseconds)

    def real(self, name: str) -> Term:
        return z3.Real(name, self._context)

    def boolean(self, name: str) -> Term:
        return z3.Bool(name, self._context)

    def number(self, value: Fraction | int) -> Term:
        return z3.RealVal(str(value), self._context)

    def sum(self, terms: Weighted, constant: Fraction | int) -> Term:
        return z3.Sum([self.number(c) * t for c, t in terms] + [self.number(constant)])

    def plus(self, terms: Sequence[Term]) -> Term:
        return z3.Sum(list(terms))

    def choose(self, condition: Term, yes: Term, no: Term) -> Term:
        return z3.If(condition, yes, no)

    def at_most(self, left: Term, right: Term) -> Term:
        return left <= right

    def more(self, left: Term, right: Term) -> Term:
        return left > right

    def add(self, assertion: Term) -> None:
        self._solver.add(assertion)

    def push(self) -> None:
        self._solver.push()

    def pop(self) -> None:
        self._solver.pop()

    def verdict(self) -> str:
        return str(self._solver.check())


class Cvc5:
    """cvc5 over QF_LRA."""

    def __init__(self, milliseconds: int) -> None:
        self._terms = cvc5.TermManager()
        self._solver = cvc5.Solver(self._terms)
        self._solver.setOption("tlimit-per", str(milliseconds))
        self._solver.setOption("incremental", "true")
        self._solver.setLogic("QF_LRA")

    def real(self, name: str) -> Term:
        return self._terms.mkConst(self._terms.getRealSort(), name)

    def boolean(self, name: str) -> Term:
        return self._terms.mkConst(self._terms.getBooleanSort(), name)

    def number(self, value: Fraction | int) -> Term:
        return self._terms.mkReal(str(Fraction(value)))

    def sum(self, terms: Weighted, constant: Fraction | int) -> Term:
        products = [self._terms.mkTerm(Op.MULT, self.number(c), t) for c, t in terms]
        return self.plus([*products, self.number(constant)])

    def plus(self, terms: Sequence[Term]) -> Term:
        return self._terms.mkTerm(Op.ADD, *terms) if len(terms) > 1 else terms[0]

    def choose(self, condition: Term, yes: Term, no: Term) -> Term:
        return self._terms.mkTerm(Op.ITE, condition, yes, no)

    def at_most(self, left: Term, right: Term) -> Term:
        return self._terms.mkTerm(Op.LEQ, left, right)

    def more(self, left: Term, right: Term) -> Term:
        return self._terms.mkTerm(Op.GT, left, right)

    def add(self, assertion: Term) -> None:
        self._solver.assertFormula(assertion)

    def push(self) -> None:
        self._solver.push()

    def pop(self) -> None:
        self._solver.pop()

    def verdict(self) -> str:
        result = self._solver.checkSat()
        return "sat" if result.isSat() else "unsat" if result.isUnsat() else "unknown"


PEERS: dict[str, Callable[[int], Peer]] = {"z3": Z3, "cvc5": Cvc5}


def drivers(peer: Peer, world: World) -> dict[str, Term]:
    """A real for each driver, in 1/SCALE; asserts the declared stress set over them."""
    stress = world.mandate.stress
    names = [*stress.instruments, *(factor.name for factor in stress.factors)]
    moves = {name: peer.real(name) for name in names}
    for name, (low, high) in zip(names, stress.box, strict=True):
        peer.add(peer.at_most(peer.number(low), moves[name]))
        peer.add(peer.at_most(moves[name], peer.number(high)))

    def within(left: Term, low: int, high: int) -> None:
        peer.add(peer.at_most(left, peer.number(high)))
        peer.add(peer.at_most(peer.number(low), left))

    for factor in stress.factors:
        basket = [(weight, moves[symbol]) for symbol, weight in factor.weights.items()]
        within(peer.sum([*basket, (-1, moves[factor.name])], 0), 0, 0)
        for symbol, beta in factor.betas.items():
            loading = Fraction(-beta, BETA_UNIT)
            apart = peer.sum([(1, moves[symbol]), (loading, moves[factor.name])], 0)
            within(apart, -factor.residuals[symbol], factor.residuals[symbol])
    for tie in stress.ties:
        apart = peer.sum([(1, moves[tie.first]), (-1, moves[tie.second])], 0)
        within(apart, tie.low, tie.high)
    return moves


def exceeds(
    peer: Peer, world: World, moves: dict[str, Term], proposal: Proposal, bound: int, *, loss: bool
) -> Term:
    """That the loss, or the gain, of the book with ``proposal`` is above ``bound``."""
    book, stress, band = world.book, world.mandate.stress, world.band
    lines: list[tuple[Fraction | int, Term]] = []
    parts: list[Term] = []
    for symbol, quantity in book.positions.items():
        instrument = book.instruments[symbol]
        size = quantity * instrument.multiplier * (-1 if loss else 1)
        curve = envelope(instrument, stress, band, book)
        if curve is None:
            lines.append((size * world.prices[symbol], moves[symbol]))
        else:
            moved = curve.fall if size < 0 else curve.rise
            name = f"{symbol}.{'loss' if loss else 'gain'}"
            parts.append(_curve(peer, moved.times(abs(size)), moves[instrument.moves_with], name))
    for number, leg in enumerate(proposal.legs):
        symbol, instrument = leg.instrument.symbol, leg.instrument
        size, price = leg.quantity * instrument.multiplier, world.prices[symbol]
        curve = envelope(instrument, stress, band, book)
        buys, move = leg.side is Side.BUY, moves[instrument.moves_with]
        if curve is not None:
            function = _option_leg(curve, leg.limit, size, buys, loss)
            effect = _curve(peer, function, move, f"leg{number}.{'loss' if loss else 'gain'}")
        else:
            low, high = stress.box[stress.driver(symbol)]
            if loss:  # filled at its limit
                slope, offset = -size * price, size * SCALE * (leg.limit - price)
            else:  # filled at the best price of the set
                slope, offset = size * price, -size * price * (low if buys else high)
            sign = 1 if buys else -1
            effect = peer.sum([(sign * slope, move)], sign * offset)
        filled = peer.boolean(f"fill{number}{'loss' if loss else 'gain'}")
        parts.append(peer.choose(filled, effect, peer.number(0)))
    return peer.more(peer.plus([peer.sum(lines, 0), *parts]), peer.number(bound))


def _option_leg(curve: Envelope, limit: int, size: int, buys: bool, loss: bool) -> Piecewise:
    """What a whole fill of an option does, as a function of its underlying's move."""
    if loss:
        if buys:
            return curve.lower.times(-size).plus(size * limit * SCALE)
        return curve.upper.times(size).plus(-size * limit * SCALE)
    if buys:
        return curve.upper.times(size).plus(-size * curve.lower.least)
    return curve.lower.times(-size).plus(size * curve.upper.most)


def _curve(peer: Peer, function: Piecewise, move: Term, name: str) -> Term:
    """The function's value at ``move``, of which the question is how large it can be.

    A concave one is any number below its lines; another is an if-then-else over its pieces.
    """
    points = function.points
    if len(points) == 1:
        return peer.number(points[0][1])
    slopes, lines = [], []
    for (x, y), (right, above) in pairwise(points):
        slopes.append(Fraction(above - y, right - x))
        lines.append(peer.sum([(slopes[-1], move)], y - slopes[-1] * x))
    if len(lines) > 1 and sorted(slopes, reverse=True) == slopes:
        value = peer.real(name)
        for line in lines:
            peer.add(peer.at_most(value, line))
        return value
    term = lines[-1]
    for (right, _), line in reversed(list(zip(points[1:-1], lines[:-1], strict=True))):
        term = peer.choose(peer.at_most(move, peer.number(right)), line, term)
    return term


class Incremental:
    """One solver that keeps the stress set between questions."""

    def __init__(self, make: Callable[[int], Peer], world: World, milliseconds: int) -> None:
        self._peer, self._world = make(milliseconds), world
        self._moves = drivers(self._peer, world)

    def ask(self, proposal: Proposal, bounds: tuple[int, int]) -> list[str]:
        """ "sat" or "unsat" for loss and gain above their bounds."""
        found = []
        for bound, loss in zip(bounds, (True, False), strict=True):
            self._peer.push()
            world, moves = self._world, self._moves
            self._peer.add(exceeds(self._peer, world, moves, proposal, bound, loss=loss))
            found.append(self._peer.verdict())
            self._peer.pop()
        return found


def fresh(
    make: Callable[[int], Peer],
    world: World,
    proposal: Proposal,
    bounds: tuple[int, int],
    milliseconds: int,
) -> list[str]:
    """The same, each question with a solver of its own."""
    found = []
    for bound, loss in zip(bounds, (True, False), strict=True):
        peer = make(milliseconds)
        peer.add(exceeds(peer, world, drivers(peer, world), proposal, bound, loss=loss))
        found.append(peer.verdict())
    return found
