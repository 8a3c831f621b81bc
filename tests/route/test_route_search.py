"""The search finds every route of its kinds, the cheapest first, and says what is not to be had."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_world import (
    DOLLAR,
    LATER,
    NOW,
    PRICE,
    FakeAdapter,
    FakeCarrier,
    curve,
    everywhere,
    find,
    line,
    make_book,
    make_router,
    make_terms,
)

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.route.cost import RouteCosts
from agent_fund.execution.route.goal import Buy, Move, Sale, Sell
from agent_fund.execution.route.route import Route, prune
from agent_fund.execution.route.search import Found
from agent_fund.execution.route.stages import Bridge, Swap, Trade

ETH = 10**6
A, B, C = line("ETH", "a"), line("ETH-B", "b"), line("ETH-C", "c")
THREE = (A, B, C)
HIGH = Fraction(200)


def venue(instrument: Instrument, price: int = PRICE, **terms: object) -> FakeAdapter:
    symbol, name = instrument.symbol, instrument.venue.name
    return FakeAdapter(name, {symbol: curve(price)}, {symbol: PRICE}, **terms)  # type: ignore[arg-type]


def names(found: Found) -> list[str]:
    return [route.name for route in found.routes]


def test_cash_where_the_line_is_cheapest_is_the_whole_route() -> None:
    router = make_router([venue(A, 101_00), venue(B, 100_50), venue(C, 102_00)])
    book = make_book(THREE, dict.fromkeys("abc", 1000 * DOLLAR))
    found = find(router, Buy("ETH", ETH, 6, HIGH), book)
    assert names(found) == [
        "buy 1 ETH-B at b",
        "buy 1 ETH at a",
        "buy 1 ETH-C at c",
    ]
    assert found.routes[0].costs == RouteCosts(DOLLAR // 2, 0, 0, 0)


def test_money_is_moved_first_where_the_cash_stands_elsewhere() -> None:
    router = make_router(
        [venue(A, 101_00), venue(B)], [FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR)]
    )
    book = make_book((A, B), {"a": 105 * DOLLAR, "b": 20 * DOLLAR})
    found = find(router, Buy("ETH", ETH, 6, HIGH, symbol="ETH-B"), book)
    assert names(found) == ["move a to b by hop, then buy 1 ETH-B at b"]
    bridge, last = found.routes[0].stages
    assert isinstance(bridge, Bridge)
    assert isinstance(last, Trade)
    # What the mandate's fee asks to be ready, and only what is short at b.
    assert last.swaps[0].reserve == 100 * DOLLAR + DOLLAR // 10
    assert bridge.min_received >= last.swaps[0].reserve - 20 * DOLLAR
    assert last.swaps[0].own == 20 * DOLLAR
    assert found.routes[0].costs.fees == DOLLAR


def test_two_places_pay_together_where_none_has_enough() -> None:
    router = make_router([venue(C)], [FakeCarrier("hop", everywhere("a", "b", "c"), fixed=DOLLAR)])
    book = make_book(THREE, {"a": 60 * DOLLAR, "b": 70 * DOLLAR})
    found = find(router, Buy("ETH", ETH, 6, HIGH, symbol="ETH-C"), book)
    (route,) = found.routes
    one, other, _ = route.stages
    assert isinstance(one, Bridge)
    assert isinstance(other, Bridge)
    assert (one.source, one.amount, other.source) == ("b", 70 * DOLLAR, "a")
    assert one.min_received + other.min_received >= 100 * DOLLAR + DOLLAR // 10


def test_a_third_place_is_passed_only_where_no_carrier_goes_directly() -> None:
    pairs = frozenset({("a", "b"), ("b", "c")})
    carrier = FakeCarrier("hop", pairs, fixed=DOLLAR)
    book = make_book(THREE, {"a": 500 * DOLLAR})
    goal = Buy("ETH", ETH, 6, HIGH, symbol="ETH-C")
    found = find(make_router([venue(C)], [carrier]), goal, book)
    assert names(found) == ["move a to b by hop, then move b to c by hop, then buy 1 ETH-C at c"]
    first, second, _ = found.routes[0].stages
    assert isinstance(first, Bridge)
    assert isinstance(second, Bridge)
    assert first.min_received >= second.amount
    direct = replace(carrier, pairs=pairs | {("a", "c")})
    found = find(make_router([venue(C)], [direct]), goal, book)
    assert names(found) == ["move a to c by hop, then buy 1 ETH-C at c"]


def test_what_a_sale_brings_is_moved_and_buys() -> None:
    coin = line("BTC", "a")
    seller = FakeAdapter("a", {"BTC": curve(PRICE), "ETH": curve(150_00)}, {"BTC": PRICE})
    carrier = FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR)
    book = make_book((A, B, coin), {}, {"BTC": 5 * ETH})
    goal = Buy("ETH", ETH, 6, HIGH, pay_with=Sale("BTC", Fraction(90)))
    found = find(make_router([seller, venue(B)], [carrier]), goal, book)
    cheap, dear = found.routes
    assert [type(stage) for stage in cheap.stages] == [Trade, Bridge, Trade]
    assert [type(stage) for stage in dear.stages] == [Trade, Trade], "both at the venue itself"
    sale, bridge, purchase = cheap.stages
    assert isinstance(sale, Trade)
    assert isinstance(bridge, Bridge)
    assert isinstance(purchase, Trade)
    assert sale.swaps[0].worst >= bridge.amount
    assert bridge.min_received >= purchase.swaps[0].reserve
    few = find(
        make_router([seller, venue(B)], [carrier]), goal, replace(book, positions={"BTC": 1})
    )
    assert not few.routes
    assert any("all of it brings" in one.reason for one in few.dropped)


def test_an_exposure_is_moved_from_one_venue_to_another() -> None:
    carrier = FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR)
    book = make_book((A, B), {"b": 10 * DOLLAR}, {"ETH": ETH})
    goal = Buy("ETH", ETH, 6, HIGH, symbol="ETH-B", pay_with=Sale("ETH", Fraction(90)))
    found = find(make_router([venue(A, 99_90), venue(B)], [carrier]), goal, book)
    assert [type(stage) for stage in found.routes[0].stages] == [Trade, Bridge, Trade]
    itself = replace(goal, symbol="ETH")
    assert not find(make_router([venue(A), venue(B)], [carrier]), itself, book).routes


def test_proceeds_are_moved_where_they_are_wanted() -> None:
    carrier = FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR)
    book = make_book((A, B), {}, {"ETH": 3 * ETH})
    goal = Sell("ETH", ETH, 6, Fraction(50), to="b")
    (route,) = find(make_router([venue(A), venue(B)], [carrier]), goal, book).routes
    trade, bridge = route.stages
    assert isinstance(trade, Trade)
    assert isinstance(bridge, Bridge)
    assert bridge.sweep
    assert bridge.amount == trade.swaps[0].worst == 100 * DOLLAR
    assert route.min_received == 99 * DOLLAR
    here = find(make_router([venue(A), venue(B)], [carrier]), replace(goal, to=""), book)
    assert names(here) == ["sell 1 ETH at a"]


def test_currency_is_moved_directly_or_through_a_third_place() -> None:
    dear = FakeCarrier("dear", everywhere("a", "b"), fixed=10 * DOLLAR)
    cheap = FakeCarrier("cheap", frozenset({("a", "c"), ("c", "b")}), fixed=DOLLAR)
    book = make_book(THREE, {"a": 100 * DOLLAR})
    found = find(make_router([], [dear, cheap]), Move(100 * DOLLAR, "a", "b"), book)
    assert names(found) == [
        "move a to c by cheap, then move c to b by cheap",
        "move a to b by dear",
    ]
    assert [route.min_received for route in found.routes] == [98 * DOLLAR, 90 * DOLLAR]


def test_time_at_risk_turns_the_choice() -> None:
    slow = FakeCarrier("slow", everywhere("a", "b"), fixed=DOLLAR, seconds=7200)
    fast = FakeCarrier("fast", everywhere("a", "b"), fixed=2 * DOLLAR, seconds=60)
    book = make_book((A, B), {"a": 1000 * DOLLAR})
    goal = Move(1000 * DOLLAR, "a", "b")
    first = find(make_router([], [slow, fast], make_terms([])), goal, book).routes[0]
    assert first.name.endswith("slow")
    patient = make_terms([], risk=Fraction(1, 1000))
    first = find(make_router([], [slow, fast], patient), goal, book).routes[0]
    assert first.name.endswith("fast")
    assert first.costs.risk == 1000 * DOLLAR * 60 // 3_600_000 + 1
    assert (first.seconds, first.under_way[0].amount) == (60, 1000 * DOLLAR)


def test_a_large_order_is_split_by_what_each_further_part_costs() -> None:
    lines = [line(i.symbol, i.venue.name, lot=ETH) for i in (A, B)]
    every = [
        FakeAdapter(i.venue.name, {i.symbol: curve(PRICE, per_lot=10**5)}, {i.symbol: PRICE})
        for i in lines
    ]
    book = make_book(lines, dict.fromkeys("ab", 10**4 * DOLLAR))
    goal = Buy("ETH", 4 * ETH, 6, HIGH)
    terms = make_terms("ab", parts=4)
    found = find(make_router(every, (), terms), goal, book)
    assert names(found)[0] == "buy 2 ETH at a + buy 2 ETH-B at b"
    costs = [route.costs.total for route in found.routes]
    assert costs == [6 * DOLLAR, 10 * DOLLAR, 10 * DOLLAR]
    found = find(make_router(every, (), make_terms("ab", parts=1)), goal, book)
    assert len(found.routes) == 2
    # What does not pay at its own place is no part of a split.
    poor = make_book(lines, {"a": 10**4 * DOLLAR, "b": 150 * DOLLAR})
    found = find(make_router(every, (), terms), goal, poor)
    assert names(found)[0] == "buy 3 ETH at a + buy 1 ETH-B at b"


def test_a_large_sale_is_split_over_what_is_held() -> None:
    lines = [line(i.symbol, i.venue.name, lot=ETH) for i in (A, B)]
    every = [
        FakeAdapter(i.venue.name, {i.symbol: curve(PRICE, per_lot=10**5)}, {i.symbol: PRICE})
        for i in lines
    ]
    book = make_book(lines, {}, {"ETH": 4 * ETH, "ETH-B": ETH})
    goal = Sell("ETH", 4 * ETH, 6, Fraction(1))
    found = find(make_router(every, (), make_terms("ab", parts=4)), goal, book)
    assert names(found) == ["sell 3 ETH at a + sell 1 ETH-B at b", "sell 4 ETH at a"]


def test_lines_of_other_scales_and_lots_mean_the_same_quantity() -> None:
    fine = line("ETH", "a", scale=8, lot=10)
    coarse = line("ETH-B", "b", scale=3, lot=500)
    every = [venue(fine, 101_00), venue(coarse)]
    book = make_book((fine, coarse), dict.fromkeys("ab", 1000 * DOLLAR))
    found = find(make_router(every), Buy("ETH", 1500, 3, HIGH), book)
    assert names(found) == ["buy 1.5 ETH-B at b", "buy 1.5 ETH at a"]
    odd = find(make_router(every), Buy("ETH", 1600, 3, HIGH), book)
    assert names(odd) == ["buy 1.6 ETH at a"]
    assert any("no whole number of its lots" in one.reason for one in odd.dropped)


def test_a_venue_that_hangs_costs_its_own_routes_only() -> None:
    every = [venue(A, delay=3600), venue(B), venue(C, error=OSError())]
    book = make_book(THREE, dict.fromkeys("abc", 1000 * DOLLAR))
    terms = make_terms("abc", parts=2, time_out=1)
    found = find(make_router(every, (), terms), Buy("ETH", ETH, 6, HIGH), book)
    assert names(found) == ["buy 1 ETH-B at b"]
    reasons = {one.name: one.reason for one in found.dropped}
    assert "no answer within 1 s" in reasons["buy ETH at a"]
    assert "failed with OSError" in reasons["buy ETH-C at c"]
    assert {absence.who for absence in found.absences} == {"a", "c"}


def test_a_carrier_that_hangs_costs_its_own_routes_only() -> None:
    hop = FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR)
    hangs = replace(hop, name="hangs", delay=3600, asked=[])
    book = make_book((A, B), {"a": 500 * DOLLAR})
    goal = Buy("ETH", ETH, 6, HIGH, symbol="ETH-B")
    terms = make_terms("b", time_out=1)
    found = find(make_router([venue(B)], [hangs, hop], terms), goal, book)
    assert names(found) == ["move a to b by hop, then buy 1 ETH-B at b"]


def test_what_open_orders_wait_for_is_not_spent_twice() -> None:
    book = make_book((A, B), {"a": 150 * DOLLAR}, {"ETH-B": ETH})
    buying = Order("o1", A, Side.BUY, ETH, 60_00, Purpose.AGENT, 9)
    selling = Order("o2", B, Side.SELL, ETH // 2, 60_00, Purpose.AGENT, 9)
    busy = replace(book, open_orders=(buying, selling))
    goal = Buy("ETH", ETH, 6, HIGH, symbol="ETH")
    assert find(make_router([venue(A)]), goal, book).routes
    found = find(make_router([venue(A)]), goal, busy)
    assert not found.routes
    assert found.dropped[0].reason == "89.94 USD free at a, 100.10 needed"
    sale = Sell("ETH", ETH, 6, Fraction(1), symbol="ETH-B")
    assert find(make_router([venue(B)]), sale, book).routes
    assert not find(make_router([venue(B)]), sale, busy).routes


def test_a_quote_beyond_the_limit_is_no_route() -> None:
    book = make_book((A,), {"a": 1000 * DOLLAR}, {"ETH": ETH})
    found = find(make_router([venue(A, 101_00)]), Buy("ETH", ETH, 6, Fraction(100)), book)
    assert found.dropped[0].reason == "buy ETH: quoted at 101.00, the limit is 100.00"
    found = find(make_router([venue(A, 99_00)]), Sell("ETH", ETH, 6, Fraction(100)), book)
    assert found.dropped[0].reason == "sell ETH: quoted at 99.00, the limit is 100.00"


def test_an_indication_concedes_the_tolerance_and_the_worst_case_shows_it() -> None:
    book = make_book((A,), {"a": 1000 * DOLLAR})
    terms = make_terms("a", tolerance=Fraction(1, 100))
    loose = venue(A, firm=False, fee=Fraction(1, 500))
    (route,) = find(make_router([loose], (), terms), Buy("ETH", ETH, 6, HIGH), book).routes
    (trade,) = route.stages
    assert isinstance(trade, Trade)
    (swap,) = trade.swaps
    assert (swap.limit, swap.quoted) == (101_00, 100 * DOLLAR)
    assert swap.worst == route.max_spent == 101 * DOLLAR + 101 * DOLLAR // 500
    assert route.costs == RouteCosts(-swap.max_fee, swap.max_fee, 0, 0), "as quoted, at the middle"


def test_costs_are_stated_against_the_best_middle_or_else_the_limit() -> None:
    book = make_book((A, B), dict.fromkeys("ab", 1000 * DOLLAR))
    low = FakeAdapter("b", {"ETH-B": curve(PRICE)}, {"ETH-B": 99_00})
    goal = Buy("ETH", ETH, 6, HIGH)
    found = find(make_router([venue(A), low]), goal, book)
    assert found.middles == {"ETH": Fraction(99)}
    assert [route.costs.slippage for route in found.routes] == [DOLLAR, DOLLAR]
    silent = FakeAdapter("a", {"ETH": curve(PRICE)})
    found = find(make_router([silent]), goal, book)
    assert found.middles == {"ETH": HIGH}
    assert any("states none" in absence.reason for absence in found.absences)


def test_amounts_are_moved_in_whole_steps() -> None:
    terms = make_terms("b", step=DOLLAR)
    carrier = FakeCarrier("hop", everywhere("a", "b"), fixed=DOLLAR // 2)
    book = make_book((A, B), {"a": 1000 * DOLLAR})
    goal = Buy("ETH", ETH, 6, HIGH, symbol="ETH-B")
    (route,) = find(make_router([venue(B)], [carrier], terms), goal, book).routes
    assert isinstance(route.stages[0], Bridge)
    assert route.stages[0].amount % DOLLAR == 0
    odd = Move(DOLLAR + 1, "a", "b")
    found = find(make_router([venue(B)], [carrier], terms), odd, book)
    assert "step by" in found.dropped[0].reason


@pytest.mark.parametrize(
    "goal",
    [
        Buy("GOLD", 1, 0, HIGH),
        Buy("ETH", 1, 0, HIGH, symbol="BTC"),
        Sell("ETH", 1, 0, HIGH, to="nowhere"),
        Move(1, "a", "nowhere"),
    ],
)
def test_a_goal_that_names_what_the_fund_does_not_have_is_refused(goal: Buy | Sell | Move) -> None:
    with pytest.raises(ExecutionError):
        find(make_router([venue(A)]), goal, make_book((A, B), {"a": DOLLAR}))


def test_a_venue_that_says_not_when_it_settles_is_refused() -> None:
    with pytest.raises(ExecutionError, match="settling of a"):
        make_router([venue(A)], (), make_terms([]))


def test_a_route_is_dominated_only_by_one_that_a_mandate_cannot_tell_apart() -> None:
    def bridge(carrier: str, seconds: int, trusted: str, keeps: int = 1) -> Bridge:
        terms = (0, seconds, trusted, 100, False, 1, LATER)
        return Bridge(carrier, "a", "b", 100, 100 - keeps, *terms)

    def route(stage: Bridge, cost: int) -> Route:
        from agent_fund.execution.route.cost import under_way

        stages = (stage,)
        return Route(stages, RouteCosts(0, cost, 0, 0), stage.seconds, under_way(stages))

    best = route(bridge("x", 60, ""), 5)
    same = route(bridge("y", 60, "hub"), 5)
    quicker = route(bridge("z", 30, ""), 6)
    brings_less = route(bridge("w", 60, "", keeps=2), 7)
    kept, dropped = prune([best, same, quicker, brings_less])
    assert kept == [best, quicker, brings_less]
    assert dropped == [(same, best)]
    trusting = route(bridge("y", 60, "hub"), 4)
    kept, _ = prune([trusting, best])
    assert kept == [trusting, best], "the dearer one trusts nobody, and may be admitted alone"


# -- against a search by trying all ------------------------------------------------------------

FEES = st.integers(0, 5).map(lambda n: n * DOLLAR)
PAIRS = st.sets(st.sampled_from([(a, b) for a in "abc" for b in "abc" if a != b]))
CARRIERS = st.lists(st.tuples(PAIRS, FEES), max_size=2)
CASH = st.lists(st.integers(0, 30).map(lambda n: n * 10 * DOLLAR), min_size=3, max_size=3)
PRICES = st.lists(st.integers(95_00, 105_00), min_size=3, max_size=3)


@settings(max_examples=200, deadline=None)
@given(CARRIERS, CASH, PRICES, st.integers(1, 3))
def test_no_route_that_can_be_had_is_cheaper_than_the_first(
    kinds: list[tuple[set[tuple[str, str]], int]],
    cash: list[int],
    prices: list[int],
    quantity: int,
) -> None:
    carriers = [
        FakeCarrier(f"c{n}", frozenset(pairs), fixed=fee) for n, (pairs, fee) in enumerate(kinds)
    ]
    there = dict(zip("abc", cash, strict=True))
    adapters = [venue(i, price) for i, price in zip(THREE, prices, strict=True)]
    book = make_book(THREE, there)
    found = find(make_router(adapters, carriers), Buy("ETH", quantity * ETH, 6, HIGH), book)
    best = None
    for instrument, price in zip(THREE, prices, strict=True):
        spent = quantity * price * DOLLAR // 100
        ready = -(-spent // 1000)
        for carried in carried_to(instrument.venue.name, spent + ready, there, carriers):
            total = spent + carried - quantity * 100 * DOLLAR
            best = total if best is None else min(best, total)
    assert (found.routes[0].costs.total if found.routes else None) == best
    assert [r.costs.total for r in found.routes] == sorted(r.costs.total for r in found.routes)


def carried_to(
    place: str, need: int, cash: dict[str, int], carriers: list[FakeCarrier]
) -> list[int]:
    """What each way to have ``need`` at ``place`` costs, for carriers that keep a fixed sum."""
    short = need - cash[place]
    if short <= 0:
        return [0]
    others = [p for p in "abc" if p != place]
    found = []
    for source in others:
        direct = [c for c in carriers if c.carries(source, place)]
        found += [c.fixed for c in direct if cash[source] >= short + c.fixed]
        if direct:
            continue
        (middle,) = [p for p in others if p != source]
        for one, other in itertools.product(carriers, carriers):
            passes = one.carries(source, middle) and other.carries(middle, place)
            if passes and cash[source] >= short + one.fixed + other.fixed:
                found.append(one.fixed + other.fixed)
    if all(cash[source] < short for source in others):
        large, small = sorted(others, key=lambda p: -cash[p])
        for one, other in itertools.product(carriers, carriers):
            serve = one.carries(large, place) and other.carries(small, place)
            rest = short - (cash[large] - one.fixed)
            if serve and cash[large] > one.fixed and cash[small] >= rest + other.fixed:
                found.append(one.fixed + other.fixed)
    return found


@settings(max_examples=40, deadline=None)
@given(CARRIERS, CASH, PRICES, st.integers(1, 3))
def test_the_same_answers_make_the_same_routes_in_the_same_order(
    kinds: list[tuple[set[tuple[str, str]], int]],
    cash: list[int],
    prices: list[int],
    quantity: int,
) -> None:
    def once() -> Found:
        carriers = [FakeCarrier(f"c{n}", frozenset(p), fixed=f) for n, (p, f) in enumerate(kinds)]
        adapters = [venue(i, price) for i, price in zip(THREE, prices, strict=True)]
        terms = make_terms("abc", parts=3)
        router = make_router(adapters, carriers, terms, lambda: NOW)
        goal = Buy("ETH", quantity * ETH, 6, HIGH)
        return find(router, goal, make_book(THREE, dict(zip("abc", cash, strict=True))))

    assert once() == once()


def test_every_swap_of_every_route_is_within_the_goal() -> None:
    every = [venue(i, price) for i, price in zip(THREE, (101_00, 100_50, 99_00), strict=True)]
    book = make_book(THREE, dict.fromkeys("abc", 1000 * DOLLAR))
    found = find(make_router(every, (), make_terms("abc", parts=3)), Buy("ETH", ETH, 6, HIGH), book)
    for route in found.routes:
        swaps = [s for stage in route.stages if isinstance(stage, Trade) for s in stage.swaps]
        assert all(isinstance(s, Swap) and s.limit <= 200_00 for s in swaps)
        assert sum(s.quantity for s in swaps) == ETH
