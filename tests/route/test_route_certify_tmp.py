"""A route is certified wherever it may stop, by the real guard under a real mandate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_world import (
    DOLLAR,
    LINES,
    NOW,
    PRICE,
    SPREAD,
    VENUES,
    FakeAdapter,
    FakeCarrier,
    curve,
    everywhere,
    find,
    make_book,
    make_guard,
    make_router,
    make_situation,
    make_terms,
    spread_mandate,
)

from agent_fund.domain.book import Book
from agent_fund.domain.order import Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.route.explain import Choice
from agent_fund.execution.route.goal import Buy, Goal, Move, Sale, Sell
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.run import Filled, Outcome, RouteRun, StageReport
from agent_fund.execution.route.stages import Bridge, Trade
from agent_fund.fund.routing import certify, choose, find_route, proposal_of
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.verdict import Outcome as Judged
from agent_fund.guard.verdict import Situation

ETH = 10**6
SPOT = ("spot-a", "spot-b", "vault")
EVEN = dict.fromkeys(VENUES, 200_000 * DOLLAR)
HIGH = Fraction(200)


def venue(name: str, price: int = PRICE, **terms: object) -> FakeAdapter:
    lines = [i.symbol for i in SPREAD if i.venue.name == name]
    money = dict.fromkeys(lines, curve(price))
    return FakeAdapter(name, money, dict.fromkeys(lines, PRICE), **terms)  # type: ignore[arg-type]


def carrier(name: str, fixed: int, trusted: str = "", *places: str) -> FakeCarrier:
    return FakeCarrier(name, everywhere(*(places or VENUES)), fixed=fixed * DOLLAR, trusted=trusted)


def routes(
    goal: Goal, book: Book, carriers: Sequence[FakeCarrier], *adapters: FakeAdapter
) -> tuple[Route, ...]:
    terms = make_terms(SPOT, tolerance=Fraction(1, 500))
    return find(
        make_router(adapters or [venue(n) for n in SPOT], carriers, terms), goal, book
    ).routes


def without(guard: Guard, kind: str) -> Guard:
    kept = tuple(g for g in guard.mandate.guardrails if g.kind != kind)
    return Guard(replace(guard.mandate, guardrails=kept))


def test_a_route_of_three_stages_is_certified_at_each_point() -> None:
    book = make_book(SPREAD, EVEN | {"vault": 0}, {"ETH": 100 * ETH})
    goal = Buy("ETH", 50 * ETH, 6, HIGH, symbol="ETH-V", pay_with=Sale("ETH", Fraction(50)))
    hub = carrier("hub", 1, "keeper")
    found = routes(goal, book, [hub], *[venue(n, firm=False) for n in SPOT])
    route = next(r for r in found if len(r.stages) == 3)
    assert [type(stage) for stage in route.stages] == [Trade, Bridge, Trade]
    verdict = certify(route, make_situation(book), make_guard("keeper"))
    assert verdict.admitted, verdict.reason
    kinds = [point.name.split(", ")[-1] for point in verdict.points]
    bridge = ["in progress", "under way", "held by keeper", "lost with keeper", "refunded"]
    # Sold at the limit and as quoted; then bought at the limit and as quoted.
    assert [k for k in kinds if k in bridge] == [
        "in progress",
        *(2 * [*bridge, "in progress"]),
    ]
    assert kinds.count("at the end") == 4
    names = [point.name for point in verdict.points if point.name.startswith("before")]
    assert [name[: len("before stage 1")] for name in names] == [
        "before stage 1",
        *(2 * ["before stage 2", "before stage 3"]),
    ]


def test_a_cheaper_route_loses_if_its_intermediary_would_hold_too_much() -> None:
    """Money with an exchange that passes it on stands there, with all that the fund has there."""
    places = EVEN | {"spot-a": 250_000 * DOLLAR, "spot-b": 150_000 * DOLLAR}
    places |= {"futures-a": 220_000 * DOLLAR, "futures-b": 180_000 * DOLLAR}
    book = make_book(SPREAD, places)
    cheap, dear = carrier("exchange", 1, "futures-a"), carrier("bridge", 20)
    found = routes(
        Move(60_000 * DOLLAR, "spot-a", "spot-b"),
        book,
        [replace(c, pairs=frozenset({("spot-a", "spot-b")})) for c in (cheap, dear)],
    )
    assert [r.name.split()[-1] for r in found] == ["exchange", "bridge"]
    guard, situation = make_guard(), make_situation(book)
    refused = certify(found[0], situation, guard)
    assert not refused.admitted
    assert "held by futures-a" in refused.reason
    assert "28.00% of NAV" in refused.reason or "280,000.00" in refused.reason
    assert certify(found[1], situation, guard).admitted


def test_a_cheaper_route_loses_if_its_intermediary_cannot_be_lost() -> None:
    """The mandate lets any venue fail; with a third of the fund in its hands none may."""
    places = EVEN | {"spot-a": 250_000 * DOLLAR, "spot-b": 120_000 * DOLLAR}
    places |= {"futures-a": 250_000 * DOLLAR, "futures-b": 180_000 * DOLLAR}
    book = make_book(SPREAD, places)
    pairs = frozenset({("spot-a", "spot-b")})
    cheap = replace(carrier("exchange", 1, "futures-a"), pairs=pairs)
    dear = replace(carrier("bridge", 20), pairs=pairs)
    goal = Move(60_000 * DOLLAR, "spot-a", "spot-b")
    guard = without(make_guard(), "venue_exposure")
    router = make_router([venue(n) for n in SPOT], [cheap, dear])
    explanation = asyncio.run(find_route(goal, router, make_situation(book), guard))
    chosen, refused = explanation.considered
    assert (chosen.choice, refused.choice) == (Choice.CHOSEN, Choice.REFUSED)
    assert chosen.name.endswith("bridge")
    assert chosen.route is not None
    assert refused.route is not None
    assert refused.route.costs.total < chosen.route.costs.total
    assert "lost with futures-a: max_drawdown is broken" in refused.reason


def test_an_intermediary_that_is_no_venue_is_lost_too_if_the_mandate_says_so() -> None:
    thousands = {"vault": 20, "spot-a": 5, "spot-b": 10, "futures-a": 22, "futures-b": 8}
    book = make_book(SPREAD, {place: cash * 1000 * DOLLAR for place, cash in thousands.items()})
    on_way = Transit("t1", Transfer(12_000 * DOLLAR, "spot-b", "futures-b"), 9)
    cash = book.cash + on_way.transfer.amount
    busy = make_situation(replace(book, cash=cash, transit=(on_way,)))
    hub = replace(carrier("hub", 1, "keeper"), pairs=frozenset({("vault", "spot-a")}))
    (route,) = routes(Move(12_000 * DOLLAR, "vault", "spot-a"), busy.book, [hub])
    strict, cap = Guard(spread_mandate("keeper")), "venue_exposure"
    assert certify(route, busy, strict).admitted
    # What it holds for another transfer counts with it: together 24 of 77 thousand.
    capped = certify(route, busy, strict, {"t1": "keeper"})
    assert "held by keeper: venue_exposure is broken" in capped.reason
    assert certify(route, busy, without(strict, cap)).admitted
    held = certify(route, busy, without(strict, cap), {"t1": "keeper"})
    assert "lost with keeper: max_drawdown is broken" in held.reason
    silent = Guard(spread_mandate())
    assert certify(route, busy, without(silent, cap), {"t1": "keeper"}).admitted, (
        "a loss that the mandate does not declare is an assumption of it"
    )


def test_a_place_that_may_not_hold_more_is_not_passed_through() -> None:
    places = EVEN | {"futures-b": 248_000 * DOLLAR, "spot-b": 152_000 * DOLLAR}
    book = make_book(SPREAD, places)
    cheap = FakeCarrier("cheap", frozenset({("spot-a", "futures-b"), ("futures-b", "spot-b")}))
    dear = FakeCarrier("dear", frozenset({("spot-a", "spot-b")}), fixed=9 * DOLLAR)
    found = routes(Move(5_000 * DOLLAR, "spot-a", "spot-b"), book, [cheap, dear])
    assert [len(r.stages) for r in found] == [2, 1]
    refused = certify(found[0], make_situation(book), make_guard())
    assert "in progress: venue_exposure is broken" in refused.reason
    assert certify(found[1], make_situation(book), make_guard()).admitted


def test_a_first_leg_is_not_sent_for_a_last_one_that_is_refused() -> None:
    """The bridge would be admitted; what it is for could not be sold again in time."""
    book = make_book(SPREAD, EVEN | {"vault": 100_000 * DOLLAR})
    goal = Buy("ETH", 1_100 * ETH, 6, HIGH)
    adapters = [venue("spot-a", 101_00), venue("vault", 99_00)]
    router = make_router(adapters, [carrier("hop", 1)], make_terms(("spot-a", "vault")))
    situation = make_situation(book)
    thin = replace(situation, capacity={**situation.capacity, "ETH-V": 1_000 * ETH})
    found = asyncio.run(router.find(goal, book))
    cheapest = found.routes[0]
    assert [type(stage) for stage in cheapest.stages] == [Bridge, Trade]
    guard = make_guard()
    assert certify(cheapest, situation, guard).admitted
    first = proposal_of(cheapest.stages[0])
    assert guard.judge(first, thin).outcome is Judged.ADMITTED
    explanation = choose(found, thin, guard, lambda: NOW)
    assert explanation.chosen is not None
    assert explanation.chosen.name == "buy 1100 ETH at spot-a"
    assert "exit_capacity is broken" in explanation.considered[1].reason
    assert explanation.considered[1].name == cheapest.name


def test_what_all_stages_cost_together_must_be_left() -> None:
    book = make_book(SPREAD, EVEN)
    legs = frozenset({("spot-a", "vault"), ("vault", "spot-b")})
    hop = FakeCarrier("hop", legs, fixed=10 * DOLLAR)
    (route,) = routes(Move(1_000 * DOLLAR, "spot-a", "spot-b"), book, [hop])
    guard = without(make_guard(), "venue_exposure")
    # No venue holds more than a tenth of what the floor leaves, but each bridge takes ten dollars.
    calm = Guard(replace(guard.mandate, stress=replace(guard.mandate.stress, lost=())))
    situation = replace(make_situation(book), floor=book.cash - 15 * DOLLAR)
    first = proposal_of(route.stages[0])
    assert calm.judge(first, replace(situation, floor=0)).outcome is Judged.ADMITTED
    assert certify(route, replace(situation, floor=book.cash - 20 * DOLLAR), calm).admitted
    assert calm.judge(first, situation).outcome is Judged.ADMITTED
    assert "stage 2" in certify(route, situation, calm).reason


def test_throttles_see_all_stages_of_a_route_together() -> None:
    cash = EVEN | {"spot-a": 100_000 * DOLLAR, "vault": 20_000 * DOLLAR}
    book = make_book(SPREAD, cash, {"ETH": 1_000 * ETH})
    goal = Buy("ETH", 500 * ETH, 6, HIGH, symbol="ETH-V", pay_with=Sale("ETH", Fraction(50)))
    route = next(r for r in routes(goal, book, [carrier("hop", 1)]) if len(r.stages) == 3)
    mandate = spread_mandate()
    for limit, admitted in (("15%", True), ("9%", False)):
        throttle = turnover_throttle(limit, bars=10)
        guard = Guard(replace(mandate, guardrails=(*mandate.guardrails, throttle)))
        verdict = certify(route, make_situation(book), guard)
        assert verdict.admitted is admitted, verdict.reason
    assert "stage 3" in verdict.reason
    assert "turnover_throttle is broken" in verdict.reason


def test_a_repaired_stage_is_not_the_route() -> None:
    book = make_book(SPREAD, EVEN | {"spot-a": 300_000 * DOLLAR})
    (route,) = routes(Buy("ETH", 2_900 * ETH, 6, HIGH, symbol="ETH"), book, [], venue("spot-a"))
    guard, situation = make_guard(), make_situation(book)
    proposal = proposal_of(route.stages[0])
    assert guard.judge(proposal, situation).outcome is Judged.REPAIRED
    assert "in progress: concentration" in certify(route, situation, guard).reason


def test_a_book_that_is_not_safe_begins_no_route() -> None:
    book = make_book(SPREAD, EVEN)
    situation = make_situation(book, mark=2_000_000 * DOLLAR)
    (route, *_) = routes(Move(DOLLAR, "spot-a", "spot-b"), book, [carrier("hop", 0)])
    verdict = certify(route, situation, make_guard())
    assert verdict.reason.startswith("before stage 1")


def test_no_route_is_a_refusal_with_every_reason() -> None:
    book = make_book(SPREAD, EVEN)
    goal = Sell("ETH", ETH, 6, Fraction(1), to="vault")
    router = make_router([venue(n) for n in SPOT], [carrier("hop", 1)])
    explanation = asyncio.run(find_route(goal, router, make_situation(book), make_guard()))
    assert explanation.chosen is None
    assert {one.choice for one in explanation.considered} == {Choice.UNAVAILABLE}
    assert len(explanation.considered) == 3
    away = Move(60_000 * DOLLAR, "spot-a", "spot-b")
    explanation = asyncio.run(find_route(away, router, make_situation(book), make_guard()))
    assert explanation.chosen is None
    assert all(one.choice is Choice.REFUSED for one in explanation.considered)
    assert all("venue_exposure" in one.reason for one in explanation.considered)


def test_a_route_whose_quotes_end_while_it_is_certified_is_not_taken() -> None:
    book = make_book(SPREAD, EVEN)
    short = venue("spot-a", 99_00, valid_until=NOW + 10)
    router = make_router([short, venue("vault")], (), make_terms(("spot-a", "vault")))
    found = asyncio.run(router.find(Buy("ETH", ETH, 6, HIGH), book))
    guard, situation = make_guard(), make_situation(book)
    first = choose(found, situation, guard, lambda: NOW).chosen
    assert first is not None
    assert first.name == "buy 1 ETH at spot-a"
    later = choose(found, situation, guard, lambda: NOW + 10)
    assert later.chosen is not None
    assert later.chosen.name == "buy 1 ETH-V at vault"
    assert later.considered[1].choice is Choice.EXPIRED


def test_certifying_leaves_the_situation_and_its_book_as_they_are() -> None:
    book = make_book(SPREAD, EVEN | {"vault": 0}, {"ETH": 100 * ETH})
    goal = Buy("ETH", 50 * ETH, 6, HIGH, symbol="ETH-V", pay_with=Sale("ETH", Fraction(50)))
    situation = make_situation(book)
    before = repr(situation)
    for route in routes(goal, book, [carrier("hop", 1)]):
        certify(route, situation, make_guard())
    assert repr(situation) == before


def arrived(situation: Situation, book: Book) -> Situation:
    nav = book.nav(situation.prices)
    return replace(situation, book=book, nav=nav, mark=max(situation.mark, nav))


@settings(max_examples=600, deadline=None)
@given(st.integers(10, 900), st.integers(0, 400), st.integers(0, 100), st.data())
def test_what_is_certified_is_admitted_stage_by_stage_as_it_happens(
    quantity: int, held: int, premium: int, data: st.DataObject
) -> None:
    """Fills between limit and quote, arrivals between what is promised and the whole."""
    book = make_book(SPREAD, EVEN | {"vault": 20_000 * DOLLAR}, {"ETH": held * ETH})
    goal = Buy("ETH", quantity * ETH, 6, HIGH, symbol="ETH-V", pay_with=Sale("ETH", Fraction(50)))
    adapters = [venue(n, PRICE + premium, firm=False) for n in SPOT]
    guard = make_guard()
    for route in routes(goal, book, [carrier("hop", 5)], *adapters)[:3]:
        situation = make_situation(book)
        if not certify(route, situation, make_guard()).admitted:
            continue
        run = RouteRun(route)
        while (stage := run.next) is not None:
            verdict = guard.judge(proposal_of(stage), situation)
            assert verdict.outcome is Judged.ADMITTED, verdict.text
            run, now = run.begin(), situation.book
            places, positions, cash = dict(now.places), dict(now.positions), now.cash
            if isinstance(stage, Bridge):
                came = data.draw(st.integers(stage.min_received, stage.amount))
                places[stage.source] -= stage.amount
                places[stage.target] = places.get(stage.target, 0) + came
                cash += came - stage.amount
                run = run.report(StageReport(run.stage, Outcome.DONE, received=came))
            else:
                filled = {}
                for swap in stage.swaps:
                    low, high = sorted((swap.worst, swap.quoted))
                    money = data.draw(st.integers(low, high))
                    moved = -money if swap.side is Side.BUY else money
                    symbol = swap.instrument.symbol
                    places[swap.place] += moved
                    cash += moved
                    positions[symbol] = positions.get(symbol, 0) + swap.side.sign * swap.quantity
                    filled[symbol] = Filled(swap.quantity, money)
                run = run.report(StageReport(run.stage, Outcome.DONE, filled))
            situation = arrived(
                situation, replace(now, places=places, positions=positions, cash=cash)
            )
            assert guard.look(situation) is not None
        assert run.end is not None
        assert run.end.ending.value == "completed"


@pytest.mark.parametrize("symbol", ["ETH", "ETH-B", "ETH-V"])
def test_a_purchase_at_once_needs_no_bridge(symbol: str) -> None:
    book = make_book(SPREAD, EVEN)
    (route,) = routes(Buy("ETH", 100 * ETH, 6, HIGH, symbol=symbol), book, [carrier("hop", 1)])
    verdict = certify(route, make_situation(book), make_guard())
    assert verdict.admitted
    assert LINES[symbol].account in route.name
