"""Seeded books, trades and stress sets of any size for the guard's benchmark: real engine objects.

Half of the instruments are spot; the others are perpetuals on them, tied to their spot, or, with
options in the book, three tenths of those are European options, bought and sold. A market factor
loads every spot, a sector factor every ten of them. A trade has four legs that fill as the market
likes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from fractions import Fraction

import highspy
import numpy as np

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.band import Band
from agent_fund.guard.cases import Case, cases
from agent_fund.guard.compile import gain_form, loss_form
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.form import SCALE, Form, Hinge, StressSet
from agent_fund.guard.pricing.assumptions import Pricing
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie
from agent_fund.guard.verdict import Situation

USD = Asset("USD", 6)
DOLLAR = 10**6
VENUE = Venue("sim")
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))
SECTOR = 10
BASIS = 20_000
NOW = 1_800_000_000
DAY = 86_400
VOLATILITY = (Fraction(1, 2), Fraction(6, 5))


@dataclass(frozen=True)
class World:
    """One book under one mandate, at one set of prices."""

    mandate: ResolvedMandate
    book: Book
    prices: dict[str, int]

    @property
    def band(self) -> Band:
        """The very prices of the decision."""
        return {symbol: (price, price) for symbol, price in self.prices.items()}

    def case(self, proposal: Proposal) -> Case:
        """The one way in which a trade without an order of its legs may go."""
        (case,) = cases(self.book, proposal)
        return case

    def forms(self, proposal: Proposal) -> tuple[Form, Form]:
        """Loss and gain of the book with ``proposal``, as the engine compiles them."""
        case, band = self.case(proposal), self.band
        stress, book = self.mandate.stress, self.book
        return loss_form(case, stress, band, book), gain_form(case, stress, band, book)

    def situation(self) -> Situation:
        """What the guard is asked about."""
        nav = self.book.nav(self.prices)
        room = dict.fromkeys(self.book.instruments, 10**15)
        return Situation(self.book, self.prices, nav, nav, 7, room)

    def limited(self, limit: Fraction) -> World:
        """The same with another drawdown limit."""
        rail = Guardrail("max_drawdown", limit)
        return replace(self, mandate=replace(self.mandate, guardrails=(rail,)))


def make_world(count: int, seed: int, *, options: bool) -> World:
    """A book of ``count`` instruments, options among them or not."""
    rng = random.Random(seed)
    coins = [f"S{n}" for n in range((count + 1) // 2)]
    instruments: dict[str, Instrument] = {}
    prices: dict[str, int] = {}
    positions: dict[str, int] = {}
    worth: dict[str, int] = {}
    box: dict[str, tuple[int, int]] = {}
    for coin in coins:
        instruments[coin] = Instrument(coin, Asset(coin, 4), USD, VENUE, 2)
        prices[coin] = rng.randint(1_000, 200_000)
        worth[coin] = rng.randint(10_000, 100_000)
        positions[coin] = worth[coin] * DOLLAR // prices[coin]
    betas = {coin: rng.randint(700, 1_500) for coin in coins}
    residuals = {coin: rng.randint(50_000, 200_000) for coin in coins}
    for coin in coins:
        reach = betas[coin] * 300 + residuals[coin]
        box[coin] = (-min(reach, 900_000), reach)
    ties: list[Tie] = []
    for number in range(count - len(coins)):
        coin = coins[number]
        if options and (number == 0 or rng.random() < 0.3):
            option, price = _option(f"O{number}", coin, prices[coin], rng)
            part = int(worth[coin] * rng.uniform(0.1, 0.6))
            instruments[option.symbol], prices[option.symbol] = option, price
            positions[option.symbol] = rng.choice([-1, 1]) * part * DOLLAR // prices[coin]
            continue
        symbol = f"P{number}"
        instruments[symbol] = Instrument(
            *(symbol, Asset(symbol, 4), USD, VENUE, 2, 1, 1, Kind.PERPETUAL, coin),
            margin=MARGIN,
        )
        prices[symbol] = max(1, prices[coin] * rng.randint(995, 1_005) // 1_000)
        positions[symbol] = -int(worth[coin] * rng.uniform(0.5, 1.0)) * DOLLAR // prices[symbol]
        low, high = box[coin]
        box[symbol] = (max(low - BASIS, -SCALE), high + BASIS)
        ties.append(Tie(symbol, coin, -BASIS, BASIS))
    factors, ends = _factors(coins, betas, residuals, rng)
    stress = Stress(
        tuple(box),
        (*box.values(), *ends),
        tuple(factors),
        3,
        ties=tuple(ties),
        pricing=Pricing(dict.fromkeys(coins, VOLATILITY), DAY),
    )
    costs = Costs(Fraction(1, 1000), Fraction(2, 1000))
    rail = Guardrail("max_drawdown", Fraction(1, 2))
    mandate = ResolvedMandate("bench", (rail,), stress, costs, Fraction(4, 5), Fraction(1, 100))
    held = sum(instruments[s].notional(q, prices[s]) for s, q in positions.items())
    cash = sum(worth.values()) * 3 * DOLLAR - held
    return World(mandate, Book(USD, cash, instruments, positions, time=NOW), prices)


def _factors(
    coins: list[str], betas: dict[str, int], residuals: dict[str, int], rng: random.Random
) -> tuple[list[Factor], list[tuple[int, int]]]:
    """The market, and sectors where there are enough coins; and their boxes."""

    def basket(name: str, part: list[str], own: dict[str, int], near: dict[str, int]) -> Factor:
        return Factor(name, dict.fromkeys(part, Fraction(1, len(part))), own, near)

    factors, ends = [basket("market", coins, betas, residuals)], [(-300_000, 300_000)]
    for number in range(0, len(coins) if len(coins) >= SECTOR else 0, SECTOR):
        part = coins[number : number + SECTOR]
        own = {coin: rng.randint(800, 1_200) for coin in part}
        near = {coin: residuals[coin] * 3 // 4 for coin in part}
        factors.append(basket(f"sector{number}", part, own, near))
        ends.append((-350_000, 350_000))
    return factors, ends


def _option(symbol: str, on: str, price: int, rng: random.Random) -> tuple[Instrument, int]:
    """An option thirty days out, up to 15 % from the money, and its Black-Scholes price."""
    strike = Fraction(price * rng.randint(850, 1_150) // 1_000, 100)
    terms = OptionTerms(on, strike, NOW + 30 * DAY, rng.random() < 0.5)
    instrument = Instrument(
        *(symbol, Asset(symbol, 4), USD, VENUE, 2, 1, 1, Kind.OPTION, on),
        margin=MARGIN,
        terms=terms,
    )
    total = 0.8 * math.sqrt(30 / 365)
    forward, fixed = price / 100, float(strike)
    up = (math.log(forward / fixed) + total * total / 2) / total
    call = forward * _normal(up) - fixed * _normal(up - total)
    value = call if terms.call else call - forward + fixed
    return instrument, max(1, round(value * 100))


def _normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


def make_trade(world: World, seed: int, legs: int = 4) -> Proposal:
    """Up to four legs, each on $1,000 to $30,000, at limits 0.2 % beyond the price."""
    rng = random.Random(10_000 + seed)
    chosen = rng.sample(sorted(world.book.instruments), min(legs, len(world.book.instruments)))
    made = []
    for symbol in chosen:
        instrument, price = world.book.instruments[symbol], world.prices[symbol]
        on = world.prices[instrument.moves_with]
        quantity = rng.randint(1_000, 30_000) * DOLLAR // on
        side = rng.choice([Side.BUY, Side.SELL])
        limit = max(1, price * (1_002 if side is Side.BUY else 998) // 1_000)
        made.append(Leg(instrument, side, quantity, limit))
    return Proposal(tuple(made))


def true_maximum(form: Form, stress: StressSet) -> float:
    """The largest value of ``form`` on ``stress``, by mixed-integer programming: not our search."""
    terms = [
        abs(c) * max(-low, high) for c, (low, high) in zip(form.linear, stress.box, strict=True)
    ]
    unit = SCALE / max(1, abs(form.constant), *terms)
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0)):
        solver.setOptionValue(option, value)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    columns = zip(stress.box, form.linear, strict=True)
    for column, ((low, high), coefficient) in enumerate(columns):
        solver.addVar(low / SCALE, high / SCALE)
        solver.changeColCost(column, coefficient * unit)
    for row in stress.rows:
        drivers = np.array([d for d, _ in row.terms], dtype=np.int32)
        values = np.array([float(c) for _, c in row.terms])
        solver.addRow(-highspy.kHighsInf, row.bound / SCALE, len(drivers), drivers, values)
    for hinge in form.hinges:
        _add_hinge(solver, hinge, stress.box[hinge.driver], unit)
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SystemExit(f"the mixed-integer program ended {solver.getModelStatus()}")
    return float(form.constant + solver.getInfo().objective_function_value * SCALE / unit)


def _add_hinge(solver: highspy.Highs, hinge: Hinge, ends: tuple[int, int], unit: float) -> None:
    weight = abs(hinge.weight) * unit
    slope, offset = hinge.slope * weight, hinge.offset * weight / SCALE
    inner = [slope * end / SCALE + offset for end in ends]
    low, high = min(0.0, *inner), max(0.0, *inner)
    value, infinity = solver.getNumCol(), highspy.kHighsInf
    solver.addVar(0.0, high)
    solver.changeColCost(value, 1.0 if hinge.weight > 0 else -1.0)
    if hinge.weight < 0:
        two = np.array([value, hinge.driver], dtype=np.int32)
        solver.addRow(offset, infinity, 2, two, np.array([1.0, -slope]))
        return
    solver.addVar(0.0, 1.0)
    solver.changeColIntegrality(value + 1, highspy.HighsVarType.kInteger)
    both = np.array([value, value + 1], dtype=np.int32)
    solver.addRow(-infinity, 0.0, 2, both, np.array([1.0, -high]))
    three = np.array([value, hinge.driver, value + 1], dtype=np.int32)
    solver.addRow(-infinity, offset - low, 3, three, np.array([1.0, -slope, -low]))
