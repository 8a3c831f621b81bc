"""Exact limits, margin and the way out of books with options, futures and pool shares."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from guard_reference import maximum

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.cases import cases
from agent_fund.guard.compile import loss_form
from agent_fund.guard.cost_bound import cost_bound, legging_gain, lots_apart
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails import (
    concentration,
    gross_leverage,
    hedge_coverage,
    net_exposure,
)
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.obligations import Role, obligations
from agent_fund.guard.pricing.assumptions import pricing
from agent_fund.guard.pricing.envelopes import envelope
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.solvency import initial_margin, initial_need, solvency
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Outcome, Situation
from agent_fund.guard.wayout import closing

USD, VENUE, DERIVATIVES = Asset("USD", 8), Venue("sim"), Venue("deriv")
DAY, NOW = 86_400, 1_700_000_000
DOLLAR = 10**8
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(0))
BTC = Instrument("BTC", Asset("BTC", 2), USD, VENUE, price_scale=2)


def option(symbol: str, strike: int, call: bool, margined: bool = False) -> Instrument:
    terms = OptionTerms("BTC", Fraction(strike), NOW + 90 * DAY, call)
    return Instrument(
        *(symbol, Asset(symbol, 2), USD, DERIVATIVES if margined else VENUE, 1),
        kind=Kind.OPTION,
        underlying="BTC",
        margin=MARGIN if margined else None,
        terms=terms,
    )


CALL, PUT = option("CALL", 50_000, True), option("PUT", 47_500, False)
OWED = option("OWED", 50_000, True, margined=True)
POOL = Instrument(
    *("LP", Asset("LP", 2), USD, VENUE, 1),
    kind=Kind.LP_SHARE,
    underlying="BTC",
    terms=PoolTerms("BTC", "USD"),
)
FUTURE = Instrument(
    *("FUT", Asset("FUT", 2), USD, DERIVATIVES, 2),
    kind=Kind.FUTURE,
    underlying="BTC",
    margin=MARGIN,
    terms=FutureTerms(NOW + 90 * DAY),
)
ITEMS = {i.symbol: i for i in (BTC, CALL, PUT, OWED, POOL, FUTURE)}
PRICES = {
    "BTC": 5_000_000,
    "CALL": 70_000,
    "PUT": 46_000,
    "OWED": 70_000,
    "LP": 1_000,
    "FUT": 5_000_000,
}
COSTS = Costs(Fraction(1, 1000), Fraction(2, 1000))
BOX = (-400_000, 50_000)
STRESS = Stress(
    ("BTC", "FUT"),
    (BOX, BOX),
    (),
    3,
    pricing=pricing({"BTC": ("50%", "70%")}, span=3 * DAY),
)


def book(cash: int = 0, margin_cash: int = 0, **positions: int) -> Book:
    places = {"sim": cash * DOLLAR, "deriv": margin_cash * DOLLAR}
    return Book(USD, sum(places.values()), ITEMS, positions, places=places, time=NOW)


def mandate(**changes: Costs) -> ResolvedMandate:
    rails = (max_drawdown("20%"),)
    found = ResolvedMandate("t", rails, STRESS, COSTS, Fraction(4, 5), Fraction(0))
    return replace(found, **changes)  # type: ignore[arg-type]


def situation(held: Book) -> Situation:
    nav = held.nav(PRICES)
    return Situation(held, PRICES, nav, nav, 7, dict.fromkeys(ITEMS, 10**12))


def test_a_bought_put_makes_a_book_safe_that_would_not_be_and_costs_what_it_decays() -> None:
    guard = Guard(mandate())
    bare = book(5_000, BTC=100)
    assert guard.look(situation(bare)) is None
    hedged = book(0, BTC=100, PUT=100)
    certified = guard.look(situation(hedged))
    assert certified is not None
    # The coin falls by 20,000; the put is struck 2,500 below and was worth 4,600.
    (case,) = cases(hedged, Proposal())
    worst = maximum(loss_form(case, STRESS, certified.band, hedged), STRESS.kernel)
    assert worst <= certified.bounds.loss
    worst /= SCALE * DOLLAR
    assert 20_000 - 17_500 + 4_600 - 500 <= worst <= 20_000 - 17_500 + 4_600


def test_a_proposed_put_is_admitted_and_a_call_sold_without_margin_terms_refused() -> None:
    guard, held = Guard(mandate()), book(30_000, BTC=20)
    admitted = guard.judge(Proposal((Leg(PUT, Side.BUY, 20, 47_000),)), situation(held))
    assert admitted.outcome is Outcome.ADMITTED
    refused = guard.judge(Proposal((Leg(CALL, Side.SELL, 10, 69_000),)), situation(held))
    assert refused.outcome is Outcome.REFUSED
    assert "give the instrument margin terms" in refused.text


def test_a_share_of_a_pool_cannot_be_sold_short() -> None:
    found = solvency(book(10), Proposal((Leg(POOL, Side.SELL, 1, 1),)), COSTS)
    assert not found.holds
    assert "pool" in found.text


def test_an_option_without_its_underlyings_price_is_refused_and_says_so() -> None:
    guard, held = Guard(mandate()), book(50_000)
    prices = {s: p for s, p in PRICES.items() if s != "BTC"}
    at = replace(situation(held), prices=prices)
    verdict = guard.judge(Proposal((Leg(CALL, Side.BUY, 1, 70_000),)), at)
    assert verdict.outcome is Outcome.REFUSED
    assert "BTC" in verdict.text


def test_a_bought_option_needs_its_price_in_margin_and_an_owed_one_its_underlyings_rate() -> None:
    every = cases(book(OWED=-100), Proposal())
    assert initial_need(every, book(), "deriv", PRICES) == 5_000 * DOLLAR
    every = cases(book(OWED=100), Proposal())
    assert initial_need(every, book(), "deriv", PRICES) == 7_000 * DOLLAR
    # Bought at 7,100 with 7,000 in the account: it would be bought on credit.
    for cash, holds in ((7_000, False), (7_200, True)):
        held = book(0, cash)
        bought = Proposal((Leg(OWED, Side.BUY, 100, 71_000),))
        margin = initial_margin(cases(held, bought), held, bought, PRICES, COSTS)
        assert margin is not None
        assert margin.holds is holds
    sold = Proposal((Leg(OWED, Side.SELL, 100, 70_000),))
    for cash, holds in ((5_000, False), (5_100, True)):
        held = book(0, cash)
        margin = initial_margin(cases(held, sold), held, sold, PRICES, COSTS)
        assert margin is not None
        assert margin.holds is holds


@pytest.mark.parametrize(
    ("positions", "gross", "net"),
    [
        ({"CALL": 100}, 50_000, 50_000),
        ({"PUT": 100}, 50_000, 50_000),
        ({"OWED": -100}, 50_000, 50_000),
        ({"BTC": 100, "PUT": 100}, 100_000, 50_000),
        ({"BTC": 100, "CALL": 100}, 100_000, 100_000),
        ({"BTC": 100, "OWED": -100}, 100_000, 50_000),
        ({"LP": 1_000}, 1_000, 500),
        ({"FUT": -100, "BTC": 100}, 100_000, 0),
    ],
)
def test_exposures_count_an_option_as_its_underlying_in_the_worse_direction(
    positions: dict[str, int], gross: int, net: int
) -> None:
    held = book(1_000_000, **positions)
    every, nav = cases(held, Proposal()), held.nav(PRICES)
    for module, name, value in (
        (gross_leverage, "gross_leverage", gross),
        (concentration, "concentration", gross),
        (net_exposure, "net_exposure", net),
    ):
        for slack, holds in ((1, True), (-1, False)):
            limit = Fraction(value * DOLLAR + slack, nav)
            rail = getattr(module, name)(limit, always=True) if limit > 0 else None
            if rail is not None:
                assert module.judge(rail, every, held, PRICES, nav).holds is holds, name


@pytest.mark.parametrize(
    ("positions", "holds"),
    [
        ({"BTC": 100, "FUT": -80}, True),
        ({"BTC": 100, "PUT": 80}, False),  # a put may be worth no hedge at all
        ({"BTC": 100, "FUT": -80, "PUT": 30}, False),  # and here it may be one too many
        ({"BTC": 100, "FUT": -80, "PUT": 20}, True),
        ({"BTC": 100, "FUT": -80, "CALL": 20}, False),
        ({"BTC": 100, "FUT": -80, "CALL": 5}, True),
        ({"BTC": 100, "FUT": -80, "OWED": -20}, True),
        ({"BTC": 100, "FUT": -80, "OWED": -21}, False),
    ],
)
def test_hedge_coverage_counts_options_in_the_worse_direction(
    positions: dict[str, int], holds: bool
) -> None:
    held = book(1_000_000, **positions)
    rail = hedge_coverage.hedge_coverage("BTC", at_least="75%", at_most="100%", always=True)
    nav = held.nav(PRICES)
    assert hedge_coverage.judge(rail, cases(held, Proposal()), held, PRICES, nav).holds is holds


def test_hedge_coverage_says_what_to_write_instead_for_a_share_of_a_pool() -> None:
    held = book(1_000_000, LP=1)
    rail = hedge_coverage.hedge_coverage("BTC")
    found = hedge_coverage.judge(rail, cases(held, Proposal()), held, PRICES, held.nav(PRICES))
    assert not found.holds
    assert "net_exposure instead" in found.text


def test_a_way_out_of_an_option_stands_at_the_edge_of_its_envelope() -> None:
    held = book(0, 0, PUT=100, OWED=-100, LP=100)
    then = {**PRICES, "BTC": 5_500_000}
    legs = {
        leg.instrument.symbol: leg
        for leg in closing(mandate(), situation(held), Fraction(1), then).legs
    }
    band = {"BTC": (5_000_000, 5_500_000), **{s: (p, p) for s, p in PRICES.items() if s != "BTC"}}
    for symbol, leg in legs.items():
        curve = envelope(ITEMS[symbol], STRESS, band, held)
        assert curve is not None
        if leg.side is Side.SELL:
            assert leg.limit <= curve.lower.least / SCALE * 0.998
            assert leg.limit >= curve.lower.least / SCALE * 0.998 - 2 or leg.limit == 1
        else:
            assert curve.upper.most / SCALE * 1.002 <= leg.limit
            assert leg.limit <= curve.upper.most / SCALE * 1.002 + 3
    # At 55,000 * 1.05 and 50 % the put is worth 1,529; the share goes to sqrt(0.6) of itself.
    assert 0.96 * 15_290 < legs["PUT"].limit < 15_290
    assert 0.77 * 0.998 * 1_000 - 2 < legs["LP"].limit < 0.775 * 0.998 * 1_000


def test_costs_of_options_are_at_the_highest_price_of_the_set_and_legging_on_the_underlying() -> (
    None
):
    held = book(0, 0, CALL=100)
    band = {"BTC": (5_000_000, 5_000_000), "CALL": (70_000, 70_000)}
    curve = envelope(CALL, STRESS, band, held)
    assert curve is not None
    every = cases(held, Proposal())
    plain = cost_bound(every, STRESS, COSTS, band, held, 1)
    highest = CALL.notional(100, curve.highest)
    tick = CALL.notional(100, 1)
    assert highest * 3_002 // 10**6 <= plain <= highest * 3_002 // 10**6 + tick * 2 + 4
    apart = replace(COSTS, legging=Fraction(1, 100))
    dear = cost_bound(every, STRESS, apart, band, held, 1)
    coin = 52_500 * DOLLAR
    assert dear - plain == highest // 100 + coin // 100
    assert legging_gain(every, STRESS, apart, band, held, 1) == highest // 100 + coin // 100


def test_slices_out_of_proportion_by_a_lot_may_cost_all_that_a_lot_moves_by() -> None:
    held = book(0, 0, CALL=100, LP=100)
    band = {s: (PRICES[s], PRICES[s]) for s in ("BTC", "CALL", "LP")}
    total = 0
    for item in (CALL, POOL):
        curve = envelope(item, STRESS, band, held)
        assert curve is not None
        total += item.notional(1, curve.highest - curve.lowest)
    assert lots_apart(cases(held, Proposal()), STRESS, band, held, 3) == 4 * total


ON_FUTURE = Instrument(
    *("OF", Asset("OF", 2), USD, DERIVATIVES, 1),
    kind=Kind.OPTION,
    underlying="BTC",
    margin=MARGIN,
    terms=OptionTerms("FUT", Fraction(50_000), NOW + 60 * DAY, False),
)


@pytest.mark.parametrize("item", [OWED, ON_FUTURE])
@pytest.mark.parametrize("sold", ["held", "ordered"])
@pytest.mark.parametrize("move", [BOX[0], -100_000, 0, BOX[1]])
def test_an_account_that_owes_an_option_needs_its_worth_and_the_tiers_on_its_underlying(
    item: Instrument, sold: str, move: int
) -> None:
    """Maintenance less equity, in the scenario where only the option's underlying moves."""
    items = {**ITEMS, item.symbol: item}
    prices = {**PRICES, item.symbol: 40_000}
    places = {"sim": 0, "deriv": 30_000 * DOLLAR}
    held = {item.symbol: -100} if sold == "held" else {}
    owing = Book(USD, sum(places.values()), items, held, places=places, time=NOW)
    legs = () if held else (Leg(item, Side.SELL, 100, 40_000),)
    free = mandate(costs=Costs(Fraction(0), Fraction(0)))
    on = item.moves_with
    band = {s: (prices[s], prices[s]) for s in (item.symbol, on)}
    (form,) = (
        o.form for o in obligations(free, owing, Proposal(legs), band) if o.role is Role.MARGIN
    )
    curve = envelope(item, STRESS, band, owing)
    assert curve is not None
    moves = [move if s == on else 0 for s in STRESS.instruments]
    coin = Fraction(50_000 * DOLLAR) * (1 + Fraction(move, SCALE))
    worth = curve.upper.at(move) * 100 * item.multiplier / SCALE
    equity = places["deriv"] - worth
    if not held:  # a fill at the limit brings its price in
        equity = places["deriv"] - max(Fraction(0), worth - item.notional(100, 40_000))
    exact = coin / 20 - equity
    tick = item.notional(100, 1)
    assert exact <= Fraction(form.at(moves), SCALE) <= exact + tick + 20
