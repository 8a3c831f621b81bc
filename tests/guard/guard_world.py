"""Small exact funds for the tests of this folder: instruments, stress sets, mandates, books."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Leg, Order, Purpose, Side
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Situation

USD = Asset("USD", 4)
SIM = Venue("sim")
# Three scales, lots and ticks, so that a slip in any of them shows.
AAA = Instrument("AAA", Asset("AAA", 0), USD, SIM, price_scale=2, lot=1, tick=1)
BBB = Instrument("BBB", Asset("BBB", 2), USD, SIM, price_scale=1, lot=10, tick=5)
CCC = Instrument("CCC", Asset("CCC", 1), USD, SIM, price_scale=3, lot=3, tick=2)
INSTRUMENTS = {"AAA": AAA, "BBB": BBB, "CCC": CCC}
PRICES = {"AAA": 10_000, "BBB": 5_000, "CCC": 20_000}
BOX = ((-200_000, 150_000), (-300_000, 250_000), (-100_000, 100_000))
STRESS = Stress(("AAA", "BBB", "CCC"), BOX, (), 3)
COSTS = Costs(Fraction(1, 1000), Fraction(2, 1000))
PLENTY = 10**12


def tied_stress(weights: Mapping[str, Fraction] | None = None) -> Stress:
    """AAA and BBB move with a basket of both, within a residual; CCC is free."""
    basket = Factor(
        "market",
        weights or {"AAA": Fraction(1, 2), "BBB": Fraction(1, 2)},
        {"AAA": 900, "BBB": 1_100},
        {"AAA": 30_000, "BBB": 40_000},
    )
    return Stress(("AAA", "BBB", "CCC"), (*BOX, (-200_000, 180_000)), (basket,), 3)


def make_mandate(
    drawdown: str = "20%",
    *guardrails: Guardrail,
    stress: Stress = STRESS,
    costs: Costs = COSTS,
    band: str = "1/100",
    exit_bars: int = 1,
) -> ResolvedMandate:
    return ResolvedMandate(
        "test",
        (max_drawdown(drawdown), *guardrails),
        stress,
        costs,
        Fraction(4, 5),
        Fraction(band),
        exit_bars,
    )


def make_book(
    cash: int = 10**9,
    positions: Mapping[str, int] | None = None,
    orders: tuple[Order, ...] = (),
) -> Book:
    return Book(USD, cash, INSTRUMENTS, positions or {}, orders)


def make_situation(
    book: Book,
    prices: Mapping[str, int] = PRICES,
    *,
    mark: int | None = None,
    capacity: Mapping[str, int] | None = None,
) -> Situation:
    nav = book.nav(prices)
    room = dict.fromkeys(INSTRUMENTS, PLENTY) if capacity is None else capacity
    return Situation(book, prices, nav, nav if mark is None else mark, 7, room)


def buy(instrument: Instrument, quantity: int, limit: int) -> Leg:
    return Leg(instrument, Side.BUY, quantity, limit)


def sell(instrument: Instrument, quantity: int, limit: int) -> Leg:
    return Leg(instrument, Side.SELL, quantity, limit)


def make_order(order_id: str, leg: Leg, waits_for: str | None = None, filled: int = 0) -> Order:
    return Order(
        order_id,
        leg.instrument,
        leg.side,
        leg.quantity,
        leg.limit,
        Purpose.AGENT,
        99,
        waits_for,
        filled,
    )
