"""Pre-trade limits against every way that orders can fill, and their passive breaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import pytest
from guard_simulation import Trade, World, extreme_trades, worlds
from guard_world import (
    AAA,
    BBB,
    INSTRUMENTS,
    PRICES,
    SIM,
    USD,
    buy,
    make_book,
    make_mandate,
    make_order,
    make_situation,
    sell,
)
from hypothesis import given, settings

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal
from agent_fund.guard.cases import Case, cases
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import concentration, gross_leverage
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.solvency import exit_capacity, solvency
from agent_fund.guard.verdict import Outcome

NAV = 10**9
Judge = Callable[[Guardrail, Sequence[Case], Book, Mapping[str, int], int], Finding]


def exposures(world: World, trades: Sequence[Trade]) -> dict[str, Fraction]:
    """Absolute notional by asset at decision prices, after ``trades``."""
    held = {s: Fraction(q) for s, q in world.book.positions.items()}
    for trade in trades:
        symbol = trade.instrument.symbol
        held[symbol] = held.get(symbol, Fraction(0)) + trade.quantity
    totals: dict[str, Fraction] = {}
    for symbol, quantity in held.items():
        instrument = world.book.instruments[symbol]
        notional = abs(quantity) * PRICES[symbol] * instrument.multiplier
        totals[instrument.base.symbol] = totals.get(instrument.base.symbol, Fraction(0)) + notional
    return totals


def brute(world: World, kind: str) -> tuple[Fraction, Fraction]:
    """The worst exposure over every fill, and the exposure now: gross, or by the largest asset."""
    pick = sum if kind == "gross" else max
    after = max(
        Fraction(pick([*exposures(world, t).values(), Fraction(0)]))
        for t in extreme_trades(world, at_limit=True)
    )
    return after, Fraction(pick([*exposures(world, ()).values(), Fraction(0)]))


@settings(deadline=None, max_examples=150)
@given(worlds(point=True, forks=False))
def test_gross_leverage_is_judged_at_the_worst_of_all_fills(world: World) -> None:
    worst, before = brute(world, "gross")
    every = cases(world.book, world.proposal)

    def holds(limit: Fraction) -> bool:
        rail = gross_leverage.gross_leverage(limit)
        return gross_leverage.judge(rail, every, world.book, PRICES, NAV).holds

    assert holds(worst / NAV)
    if worst > before:
        assert not holds((worst - 1) / NAV)
    always = gross_leverage.gross_leverage(max(Fraction(0), worst - 1) / NAV, always=True)
    assert gross_leverage.judge(always, every, world.book, PRICES, NAV).holds == (worst == 0)


@settings(deadline=None, max_examples=150)
@given(worlds(point=True, forks=False))
def test_concentration_is_judged_at_the_worst_of_all_fills(world: World) -> None:
    worst, _ = brute(world, "asset")
    every = cases(world.book, world.proposal)

    def holds(limit: Fraction) -> bool:
        rail = concentration.concentration(limit, always=True)
        return concentration.judge(rail, every, world.book, PRICES, NAV).holds

    assert holds(worst / NAV)
    assert worst == 0 or not holds((worst - 1) / NAV)


def test_a_short_of_ten_with_two_purchases_of_fifteen_is_twenty_at_worst() -> None:
    orders = (make_order("a", buy(AAA, 15, 10_000)), make_order("b", buy(AAA, 15, 10_000)))
    book = make_book(positions={"AAA": -10}, orders=orders)
    every = cases(book, Proposal())
    unit = AAA.notional(1, PRICES["AAA"])
    for make, judge in (
        (gross_leverage.gross_leverage, gross_leverage.judge),
        (concentration.concentration, concentration.judge),
    ):
        exact, below = make(Fraction(20 * unit, NAV)), make(Fraction(20 * unit - 1, NAV))
        assert judge(exact, every, book, PRICES, NAV).holds
        assert not judge(below, every, book, PRICES, NAV).holds


def test_an_asset_on_two_venues_is_one_concentration() -> None:
    twin = Instrument("AAA2", AAA.base, USD, SIM, price_scale=2)
    book = Book(USD, 0, {**INSTRUMENTS, "AAA2": twin}, {"AAA": 30, "AAA2": 30})
    prices = {**PRICES, "AAA2": PRICES["AAA"]}
    unit = AAA.notional(1, PRICES["AAA"])
    every = cases(book, Proposal())
    rail = concentration.concentration(Fraction(59 * unit, NAV), always=True)
    assert not concentration.judge(rail, every, book, prices, NAV).holds


BREACHED = make_book(20 * AAA.notional(1, 10_000), {"AAA": 80})
RAILS: list[tuple[str, Callable[..., Guardrail]]] = [
    ("gross_leverage", gross_leverage.gross_leverage),
    ("concentration", concentration.concentration),
]


@pytest.mark.parametrize(("kind", "make"), RAILS)
def test_a_passive_breach_allows_decreases_and_blocks_increases(
    kind: str, make: Callable[..., Guardrail]
) -> None:
    guard, situation = Guard(make_mandate("60%", make("50%"))), make_situation(BREACHED)
    down = Proposal((sell(AAA, 10, 9_000),))
    up = Proposal((buy(AAA, 1, 10_000),))
    assert guard.judge(down, situation).outcome is Outcome.ADMITTED
    assert guard.look(situation) is not None
    refused = guard.judge(up, situation)
    assert refused.outcome is Outcome.REFUSED
    assert [f.guardrail for f in refused.broken] == [kind]


@pytest.mark.parametrize(("kind", "make"), RAILS)
def test_a_breach_of_a_limit_that_is_always_in_force_fails_the_look(
    kind: str, make: Callable[..., Guardrail]
) -> None:
    guard, situation = (
        Guard(make_mandate("60%", make("50%", always=True))),
        make_situation(BREACHED),
    )
    assert guard.look(situation) is None
    found = guard.explain(situation)
    assert (found.guardrail, found.holds) == (kind, False)
    inside = Guard(make_mandate("60%", make("80%", always=True)))
    assert inside.look(situation) is not None


def test_a_limit_that_is_always_in_force_is_judged_at_every_look() -> None:
    rail = gross_leverage.gross_leverage("82%", always=True)
    guard, situation = Guard(make_mandate("60%", rail)), make_situation(BREACHED)
    assert guard.watchful
    assert guard.holds(situation)
    assert guard.look(situation) is not None
    dearer = make_situation(BREACHED, prices={"AAA": 25_000, "BBB": 5_000})
    assert not guard.holds(dearer)
    assert guard.look(dearer) is None


def test_concentration_in_one_asset_does_not_block_another() -> None:
    guard = Guard(make_mandate("60%", concentration.concentration("50%")))
    trade = Proposal((buy(BBB, 100, 5_000),))
    assert guard.judge(trade, make_situation(BREACHED)).outcome is Outcome.ADMITTED


@pytest.mark.parametrize(("kind", "make"), RAILS)
def test_a_limit_of_zero_is_a_limit_and_not_off(kind: str, make: Callable[..., Guardrail]) -> None:
    guard, situation = Guard(make_mandate("60%", make("0%"))), make_situation(make_book())
    verdict = guard.judge(Proposal((buy(AAA, 1, 10_000),)), situation)
    assert verdict.outcome is Outcome.REFUSED
    assert kind in [f.guardrail for f in verdict.broken]


FREE = Costs(Fraction(0), Fraction(0))
FEE = Costs(Fraction(1, 100), Fraction(0))


def test_solvency_counts_open_purchases_fees_and_no_sale() -> None:
    price = AAA.notional(10, 10_000)
    order = make_order("a", buy(AAA, 10, 10_000))
    trade = Proposal((buy(AAA, 10, 10_000), sell(BBB, 1_000, 5_000)))
    positions = {"BBB": 1_000}
    assert solvency(make_book(2 * price, positions, (order,)), trade, FREE).holds
    assert not solvency(make_book(2 * price - 1, positions, (order,)), trade, FREE).holds
    fees = 2 * (price // 100)
    assert solvency(make_book(2 * price + fees, positions, (order,)), trade, FEE).holds
    assert not solvency(make_book(2 * price + fees - 1, positions, (order,)), trade, FEE).holds


def test_solvency_sells_nothing_twice_and_nothing_that_is_only_ordered() -> None:
    selling = make_order("a", sell(AAA, 6, 10_000))
    buying = make_order("b", buy(AAA, 50, 10_000))
    book = make_book(positions={"AAA": 10}, orders=(selling, buying))
    assert solvency(book, Proposal((sell(AAA, 4, 1),)), FREE).holds
    assert not solvency(book, Proposal((sell(AAA, 5, 1),)), FREE).holds
    assert not solvency(make_book(), Proposal((sell(AAA, 1, 1),)), FREE).holds


def test_an_increase_must_fit_through_the_exit() -> None:
    book = make_book(positions={"AAA": 5}, orders=(make_order("a", buy(AAA, 5, 10_000)),))
    trade = Proposal((buy(AAA, 10, 10_000),))
    every = cases(book, trade)
    assert exit_capacity(every, book, trade, {"AAA": 10}, 2).holds
    assert not exit_capacity(every, book, trade, {"AAA": 9}, 2).holds
    assert not exit_capacity(every, book, trade, {}, 2).holds
    held = make_book(positions={"AAA": 5})
    less = Proposal((sell(AAA, 5, 1),))
    assert exit_capacity(cases(held, less), held, less, {}, 1).holds


def test_a_sale_beside_an_open_purchase_increases_nothing() -> None:
    book = make_book(positions={"AAA": 5}, orders=(make_order("a", buy(AAA, 5, 10_000)),))
    less = Proposal((sell(AAA, 5, 1),))
    assert exit_capacity(cases(book, less), book, less, {}, 1).holds
