"""Limits of what is sent: prices, sizes, lists, reduce-only; edges, and orders that are split."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from guard_simulation import World, worlds
from guard_world import (
    AAA,
    BBB,
    CCC,
    PLENTY,
    PRICES,
    USD,
    buy,
    make_book,
    make_mandate,
    make_order,
    make_situation,
    sell,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Chain, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Order, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.cases import cases
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding
from agent_fund.guard.guardrails import (
    concentration,
    destination_allow_list,
    instrument_allow_list,
    max_order_value,
    max_order_volume,
    message_throttle,
    price_collar,
    reduce_only,
    repeated_execution_throttle,
    slippage_cap,
    turnover_throttle,
)
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.limit import MOST_BARS, Guardrail
from agent_fund.guard.guardrails.reduce_only import reduces
from agent_fund.guard.limits import pre_trade
from agent_fund.guard.mandate import Mandate, calibrated, costs
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.verdict import Outcome, Situation

EMPTY = make_situation(make_book())
SIDES = {Side.BUY: buy, Side.SELL: sell}


def leg(instrument: Instrument, side: Side, quantity: int, limit: int) -> Leg:
    return SIDES[side](instrument, quantity, limit)


def found(rail: Guardrail, situation: Situation, proposal: Proposal) -> Finding:
    """What the guardrail says among all limits, and that it says it once."""
    mandate = make_mandate("60%", rail)
    every = cases(situation.book, proposal)
    (finding,) = (
        f for f in pre_trade(mandate, every, situation, proposal) if f.guardrail == rail.key
    )
    return finding


def holds(rail: Guardrail, situation: Situation, proposal: Proposal) -> bool:
    return found(rail, situation, proposal).holds


# -- prices -------------------------------------------------------------------------------------


@given(
    st.sampled_from(list(Side)), st.integers(1, 30_000), st.sampled_from(["0%", "2%", "1/3", "1"])
)
def test_a_collar_is_two_sided_and_a_slippage_cap_is_one_sided(
    side: Side, limit: int, share: str
) -> None:
    proposal = Proposal((leg(AAA, side, 3, limit),))
    most = Fraction(share.rstrip("%")) / (100 if share.endswith("%") else 1)
    away = Fraction(limit - PRICES["AAA"], PRICES["AAA"])
    assert holds(price_collar.price_collar(share), EMPTY, proposal) == (abs(away) <= most)
    conceded = away if side is Side.BUY else -away
    assert holds(slippage_cap.slippage_cap(share), EMPTY, proposal) == (conceded <= most)


@pytest.mark.parametrize("make", [price_collar.price_collar, slippage_cap.slippage_cap])
def test_one_tick_beyond_is_beyond_in_any_leg(make: Callable[[str], Guardrail]) -> None:
    inside = Proposal((buy(AAA, 1, 10_200), sell(BBB, 10, 4_900)))
    for broken in (
        Proposal((buy(AAA, 1, 10_201), sell(BBB, 10, 4_900))),
        Proposal((buy(AAA, 1, 10_200), sell(BBB, 10, 4_895))),
    ):
        assert holds(make("2%"), EMPTY, inside)
        assert not holds(make("2%"), EMPTY, broken)


def test_a_slipped_digit_is_caught_whichever_way_it_slipped() -> None:
    rail = price_collar.price_collar("50%")
    for bad in (buy(AAA, 1, 100_000), sell(AAA, 1, 1_000), buy(AAA, 1, 1_000)):
        assert not holds(rail, EMPTY, Proposal((bad,)))
    text = found(rail, EMPTY, Proposal((buy(AAA, 1, 100_000),))).text
    assert text == (
        "price_collar is broken: 900.00% above it in AAA against limits within 50.00% of the "
        "decision price (the limit furthest from it)"
    )


def test_a_limit_price_is_not_repaired_by_a_smaller_trade() -> None:
    guard = Guard(make_mandate("60%", price_collar.price_collar("1%")))
    verdict = guard.judge(Proposal((buy(AAA, 5, 11_000),)), EMPTY)
    assert verdict.outcome is Outcome.REFUSED
    assert [f.guardrail for f in verdict.broken] == ["price_collar"]


# -- sizes --------------------------------------------------------------------------------------


def open_buy(quantity: int, limit: int = 10_000, *, filled: int = 0, name: str = "o") -> Order:
    return make_order(name, buy(AAA, quantity, limit), filled=filled)


def situation_with(*orders: Order, capacity: int = PLENTY) -> Situation:
    book = make_book(positions={"AAA": 100}, orders=orders)
    return make_situation(book, capacity={"AAA": capacity, "BBB": PLENTY, "CCC": PLENTY})


def test_the_value_of_an_order_is_at_its_limit_or_the_market_whichever_is_higher() -> None:
    rail = max_order_value.max_order_value("0.1000 USD")  # of 10**4 base units a dollar
    assert AAA.notional(1, 10_000) == 10**6
    ten = max_order_value.max_order_value("1000 USD")
    assert holds(ten, EMPTY, Proposal((buy(AAA, 10, 10_000),)))
    assert not holds(ten, EMPTY, Proposal((buy(AAA, 10, 10_001),)))
    assert not holds(ten, EMPTY, Proposal((buy(AAA, 11, 1),)))
    assert not holds(ten, EMPTY, Proposal((sell(AAA, 11, 1),)))
    assert not holds(rail, EMPTY, Proposal((buy(AAA, 1, 1),)))
    assert holds(rail, EMPTY, Proposal())


def test_an_order_value_in_shares_is_of_nav() -> None:
    share = max_order_value.max_order_value("1%")
    nav = EMPTY.nav
    most = nav // 100 // AAA.notional(1, 10_000)
    assert holds(share, EMPTY, Proposal((buy(AAA, most, 10_000),)))
    assert not holds(share, EMPTY, Proposal((buy(AAA, most + 1, 10_000),)))
    poorer = replace(EMPTY, nav=nav - 1)
    exact = max_order_value.max_order_value(Fraction(10 * AAA.notional(1, 10_000), nav))
    assert holds(exact, EMPTY, Proposal((buy(AAA, 10, 10_000),)))
    assert not holds(exact, poorer, Proposal((buy(AAA, 10, 10_000),)))


VOLUMES = [
    lambda units: max_order_volume.max_order_volume({"AAA": units}),
    lambda units: max_order_volume.max_order_volume(Fraction(units, 1000)),
    lambda units: max_order_value.max_order_value(f"{units * 100} USD"),
]


@pytest.mark.parametrize("rail", [make(10) for make in VOLUMES])
@given(
    st.lists(
        st.tuples(st.sampled_from([AAA, BBB]), st.sampled_from(list(Side)), st.integers(1, 9)),
        max_size=4,
    ),
    st.integers(1, 12),
)
def test_splitting_an_order_over_open_ones_makes_it_no_smaller(
    rail: Guardrail, before: list[tuple[Instrument, Side, int]], quantity: int
) -> None:
    orders = tuple(
        make_order(str(n), leg(i, side, lots * i.lot, PRICES[i.symbol]))
        for n, (i, side, lots) in enumerate(before)
    )
    waiting = sum(lots for i, side, lots in before if (i, side) == (AAA, Side.BUY))
    situation = situation_with(*orders, capacity=1000)
    proposal = Proposal((buy(AAA, quantity, 10_000),))
    assert holds(rail, situation, proposal) == (waiting + quantity <= 10)


def test_of_an_open_order_what_is_filled_no_longer_counts() -> None:
    situation = situation_with(open_buy(10, filled=7))
    for make in VOLUMES[::2]:
        assert holds(make(10), situation, Proposal((buy(AAA, 7, 10_000),)))
        assert not holds(make(10), situation, Proposal((buy(AAA, 8, 10_000),)))
        assert holds(make(10), situation, Proposal((sell(AAA, 10, 10_000),)))


def test_an_open_order_counts_at_its_own_limit() -> None:
    rail = max_order_value.max_order_value("1500 USD")
    assert holds(rail, situation_with(open_buy(10, 10_000)), Proposal((buy(AAA, 5, 10_000),)))
    assert not holds(rail, situation_with(open_buy(10, 10_001)), Proposal((buy(AAA, 5, 1),)))


def test_a_volume_is_a_share_of_what_one_bar_takes_and_of_nothing_nothing() -> None:
    rail = max_order_volume.max_order_volume("25%")
    for capacity, most in ((40, 10), (43, 10), (44, 11)):
        situation = situation_with(capacity=capacity)
        assert holds(rail, situation, Proposal((sell(AAA, most, 1),)))
        assert not holds(rail, situation, Proposal((sell(AAA, most + 1, 1),)))
    unknown = replace(situation_with(), capacity={})
    assert not holds(rail, unknown, Proposal((sell(AAA, 1, 1),)))


def test_units_by_symbol_are_of_the_asset_and_others_may_not_be_traded() -> None:
    rail = max_order_volume.max_order_volume({"BBB": "2.5", "CCC": Decimal("30")})
    assert rail.stated == "BBB=2.5 CCC=30"
    for inside, beyond in ((buy(BBB, 250, 1_000), buy(BBB, 260, 1_000)),):
        assert holds(rail, EMPTY, Proposal((inside,)))
        assert not holds(rail, EMPTY, Proposal((beyond,)))
    assert holds(rail, EMPTY, Proposal((buy(CCC, 300, 2),)))
    assert not holds(rail, EMPTY, Proposal((buy(CCC, 303, 2),)))
    assert not holds(rail, EMPTY, Proposal((buy(AAA, 1, 1),)))


def test_what_is_too_large_is_cut_to_the_largest_that_fits() -> None:
    guard = Guard(make_mandate("60%", max_order_value.max_order_value("1000 USD")))
    verdict = guard.judge(Proposal((buy(AAA, 40, 10_000),)), EMPTY)
    assert verdict.outcome is Outcome.REPAIRED
    assert verdict.proposal.legs == (buy(AAA, 10, 10_000),)


# -- lists --------------------------------------------------------------------------------------

FUTURES = Venue("futures", Chain("eip155:1"))
TERMS = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(0), True)


def lists_world() -> Situation:
    """AAA at a spot venue, and two perpetuals of it on a chain, one with an account of its own."""
    isolated = replace(
        AAA,
        symbol="AAA-I",
        venue=FUTURES,
        underlying="AAA",
        base=Asset("AAA-I", 0),
        kind=Kind.PERPETUAL,
        margin=TERMS,
    )
    cross = replace(
        isolated, symbol="AAA-P", base=Asset("AAA-P", 0), margin=replace(TERMS, isolated=False)
    )
    instruments = {"AAA": AAA, "BBB": BBB, "AAA-I": isolated, "AAA-P": cross}
    book = Book(
        USD,
        3 * 10**9,
        instruments,
        {},
        (),
        {"sim": 10**9, "futures": 10**9, "futures/AAA-I": 10**9},
    )
    prices = {**PRICES, "AAA-I": 10_000, "AAA-P": 10_000}
    return Situation(book, prices, 3 * 10**9, 3 * 10**9, 7, dict.fromkeys(instruments, PLENTY))


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (("AAA",), {"AAA", "AAA-I", "AAA-P"}),
        (("AAA-P",), {"AAA-P"}),
        (("BBB", "AAA-I"), {"BBB", "AAA-I"}),
        (("ZZZ",), set()),
    ],
)
def test_an_instrument_list_allows_symbols_and_underlyings(
    names: tuple[str, ...], allowed: set[str]
) -> None:
    situation = lists_world()
    rail = instrument_allow_list.instrument_allow_list(*names)
    for symbol, instrument in situation.book.instruments.items():
        judged = instrument_allow_list.judge(
            rail, situation, Proposal((buy(instrument, instrument.lot, 10_000),))
        )
        assert judged.holds == (symbol in allowed)
    every = Proposal(tuple(buy(i, i.lot, 10_000) for i in situation.book.instruments.values()))
    assert not instrument_allow_list.judge(rail, situation, every).holds
    assert instrument_allow_list.judge(rail, situation, Proposal()).holds


@pytest.mark.parametrize(
    ("names", "allowed"),
    [
        (("sim",), {"sim"}),
        (("futures",), {"futures", "futures/AAA-I"}),
        (("futures/AAA-I",), {"futures/AAA-I"}),
        (("fut",), set()),
    ],
)
def test_a_destination_list_covers_orders_and_money(
    names: tuple[str, ...], allowed: set[str]
) -> None:
    situation = lists_world()
    rail = destination_allow_list.destination_allow_list(*names)

    def judged(proposal: Proposal) -> bool:
        return destination_allow_list.judge(rail, situation, proposal).holds

    for instrument in situation.book.instruments.values():
        proposal = Proposal((buy(instrument, instrument.lot, 10_000),))
        assert judged(proposal) == (instrument.account in allowed)
    for source, target in itertools.permutations(situation.book.places, 2):
        assert judged(Proposal(transfers=(Transfer(5, source, target),))) == (target in allowed)


# -- reduce only --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(worlds(point=True, forks=False), st.booleans())
def test_reduce_only_is_every_interleaving_of_partial_fills(world: World, shrink: bool) -> None:
    book, proposal = world.book, world.proposal
    if shrink:  # random trades hardly ever do, so turn some into ones that may
        legs = tuple(
            replace(g, side=Side.SELL if book.position(g.instrument.symbol) > 0 else Side.BUY)
            for g in proposal.legs
        )
        book, proposal = replace(book, open_orders=()), Proposal(legs)
    assert reduces(book, proposal) == brute_reduces(book, proposal)


def brute_reduces(book: Book, proposal: Proposal) -> bool:
    """Every subset of the orders filled in thirds, whatever waits for whatever."""
    changes = [(o.instrument.symbol, o.signed_remaining) for o in book.open_orders]
    changes += [(g.instrument.symbol, g.side.sign * g.quantity) for g in proposal.legs]
    for parts in itertools.product((0, 1, 3), repeat=len(changes)):
        after = {s: Fraction(q) for s, q in book.positions.items()}
        for (symbol, change), part in zip(changes, parts, strict=True):
            after[symbol] = after.get(symbol, Fraction(0)) + Fraction(change * part, 3)
        for symbol, quantity in after.items():
            before = book.position(symbol)
            if abs(quantity) > abs(before) or quantity * before < 0:
                return False
    return True


def test_reduce_only_at_its_edges() -> None:
    rail = reduce_only.reduce_only()
    cases_of = [
        ({"AAA": 10}, (), sell(AAA, 10, 1), True),
        ({"AAA": 10}, (), sell(AAA, 11, 1), False),
        ({"AAA": 10}, (), buy(AAA, 1, 1), False),
        ({"AAA": -10}, (), buy(AAA, 10, 1), True),
        ({"AAA": -10}, (), buy(AAA, 11, 1), False),
        ({}, (), sell(AAA, 1, 1), False),
        ({"AAA": 10}, (sell(AAA, 6, 1),), sell(AAA, 4, 1), True),
        ({"AAA": 10}, (sell(AAA, 6, 1),), sell(AAA, 5, 1), False),
        ({"AAA": 10}, (buy(AAA, 1, 1),), sell(AAA, 1, 1), False),
        ({"AAA": 10}, (buy(BBB, 10, 5),), sell(AAA, 1, 1), False),
    ]
    for positions, orders, trade, expected in cases_of:
        opened = tuple(make_order(str(n), order) for n, order in enumerate(orders))
        situation = make_situation(make_book(positions=positions, orders=opened))
        assert holds(rail, situation, Proposal((trade,))) is expected


def test_a_trade_that_turns_a_position_round_is_cut_to_one_that_closes_it() -> None:
    guard = Guard(make_mandate("60%", reduce_only.reduce_only()))
    situation = make_situation(make_book(positions={"BBB": 80}))
    assert guard.judge(Proposal((sell(BBB, 80, 4_000),)), situation).outcome is Outcome.ADMITTED
    verdict = guard.judge(Proposal((buy(BBB, 10, 5_000),)), situation)
    assert [f.text for f in verdict.broken] == [
        "reduce_only is broken: BBB can grow or turn against positions no larger than they are, "
        "and on the same side (any order may fill alone, open ones too)"
    ]


# -- concentration by asset, venue and chain ----------------------------------------------------


def test_concentration_by_venue_and_chain_sums_over_what_stands_there() -> None:
    situation = lists_world()
    other = replace(BBB, symbol="BBB-X", venue=Venue("dex", Chain("eip155:1")))
    instruments = {**situation.book.instruments, "BBB-X": other}
    positions = {"AAA": 100, "AAA-P": -200, "BBB-X": 1_000}
    prices = {**situation.prices, "BBB-X": 5_000}
    cash = 10**9
    book = Book(USD, cash, instruments, positions, (), {"sim": cash})
    nav, every = book.nav(prices), cases(book, Proposal())
    of = {s: abs(instruments[s].notional(q, prices[s])) for s, q in positions.items()}
    worst = {
        "asset": of["AAA"] + of["AAA-P"],
        "venue": max(of["AAA"], of["AAA-P"], of["BBB-X"]),
        "chain": of["AAA-P"] + of["BBB-X"],
    }
    where = {"asset": "in AAA", "venue": "at futures", "chain": "on eip155:1"}
    for by, most in worst.items():
        rail = concentration.concentration(Fraction(most, nav), by=by, always=True)
        below = replace(rail, limit=Fraction(most - 1, nav))
        inside = concentration.judge(rail, every, book, prices, nav)
        assert inside.holds
        assert inside.value.endswith(where[by])
        assert inside.guardrail == ("concentration" if by == "asset" else f"concentration by {by}")
        assert not concentration.judge(below, every, book, prices, nav).holds


def test_what_trades_off_chain_is_on_no_chain() -> None:
    book = make_book(positions={"AAA": 10})
    rail = concentration.concentration("0%", by="chain", always=True)
    assert concentration.judge(rail, cases(book, Proposal()), book, PRICES, 10**9).holds


def test_a_mandate_states_a_concentration_once_by_each() -> None:
    def written(*rails: Guardrail) -> Mandate:
        drawdown = Guardrail("max_drawdown", Fraction(1, 5), always=True)
        terms = {"stress": calibrated("2"), "costs": costs(fee="0", slippage="0")}
        return Mandate("one", guardrails=[drawdown, *rails], **terms)  # type: ignore[arg-type]

    by = [concentration.concentration("50%", by=by) for by in ("asset", "venue", "chain")]
    assert [g.key for g in written(*by).guardrails[1:]] == [
        "concentration",
        "concentration by venue",
        "concentration by chain",
    ]
    for twice in ([by[1], by[1]], [by[0], concentration.concentration("60%")]):
        with pytest.raises(DomainError):
            written(*twice)
    assert by[0].to_json()["terms"] == {}
    with pytest.raises(DomainError):
        concentration.concentration("50%", by="moon")


def test_each_of_several_concentrations_is_judged() -> None:
    rails = (
        concentration.concentration("100%"),
        concentration.concentration("1%", by="venue"),
    )
    guard = Guard(make_mandate("60%", *rails))
    verdict = guard.judge(Proposal((buy(AAA, 300, 10_000),)), EMPTY)
    assert [f.guardrail for f in verdict.broken] == ["concentration by venue"]


# -- as written and as data ---------------------------------------------------------------------

MADE: list[tuple[Guardrail, str]] = [
    (fixed_floor("80%"), "80.00%"),
    (fixed_floor("800_000.25 USD"), "800,000.25 USD"),
    (price_collar.price_collar("2%"), "2.00%"),
    (slippage_cap.slippage_cap("0.5%"), "0.50%"),
    (max_order_value.max_order_value("5%"), "5.00%"),
    (max_order_value.max_order_value("50000 USD"), "50,000 USD"),
    (max_order_volume.max_order_volume("25%"), "25.00%"),
    (max_order_volume.max_order_volume({"BBB": "2.50", "AAA": 100}), "AAA=100 BBB=2.5"),
    (turnover_throttle.turnover_throttle("50%", bars=24), "50.00%"),
    (turnover_throttle.turnover_throttle("7 USD", bars=1), "7 USD"),
    (message_throttle.message_throttle(orders=20, bars=24), "20 messages"),
    (repeated_execution_throttle.repeated_execution_throttle(times=5, bars=24), "5 orders"),
    (instrument_allow_list.instrument_allow_list("ETH", "BTC", "ETH"), "BTC ETH"),
    (destination_allow_list.destination_allow_list("spot"), "spot"),
    (reduce_only.reduce_only(), "0.00%"),
    (concentration.concentration("50%", by="venue"), "50.00%"),
    (concentration.concentration("50%", by="chain"), "50.00%"),
]


@pytest.mark.parametrize(("rail", "stated"), MADE, ids=lambda v: getattr(v, "key", v))
def test_a_guardrail_is_one_line_of_canonical_json(rail: Guardrail, stated: str) -> None:
    mandate = make_mandate("20%", rail)
    value = json.loads(json.dumps(mandate.to_json()))
    assert ResolvedMandate.from_json(value) == mandate
    assert rail.stated == stated
    (line,) = (g for g in value["guardrails"] if g["kind"] == rail.kind)
    assert line["terms"] == dict(sorted(rail.terms.items()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: fixed_floor("101%"),
        lambda: fixed_floor(800_000),
        lambda: fixed_floor("-1%"),
        lambda: fixed_floor(0.8),  # type: ignore[arg-type]
        lambda: fixed_floor("800,000 USD"),
        lambda: price_collar.price_collar("-1%"),
        lambda: price_collar.price_collar(0.02),  # type: ignore[arg-type]
        lambda: slippage_cap.slippage_cap("-0.5%"),
        lambda: max_order_value.max_order_value("-5 USD"),
        lambda: max_order_value.max_order_value("nan USD"),
        lambda: max_order_volume.max_order_volume({}),
        lambda: max_order_volume.max_order_volume({"AAA": "-1"}),
        lambda: max_order_volume.max_order_volume({"A=A": "1"}),
        lambda: max_order_volume.max_order_volume({"A A": "1"}),
        lambda: max_order_volume.max_order_volume({"AAA": 1.5}),  # type: ignore[dict-item]
        lambda: turnover_throttle.turnover_throttle("50%", bars=0),
        lambda: turnover_throttle.turnover_throttle("50%", bars=True),
        lambda: turnover_throttle.turnover_throttle("50%", bars=MOST_BARS + 1),
        lambda: turnover_throttle.turnover_throttle("50%", bars="24"),  # type: ignore[arg-type]
        lambda: message_throttle.message_throttle(orders=-1, bars=24),
        lambda: message_throttle.message_throttle(orders=True, bars=24),
        lambda: message_throttle.message_throttle(orders=2.5, bars=24),  # type: ignore[arg-type]
        lambda: repeated_execution_throttle.repeated_execution_throttle(times=-5, bars=24),
        lambda: repeated_execution_throttle.repeated_execution_throttle(times=5, bars=-24),
        lambda: instrument_allow_list.instrument_allow_list(),
        lambda: instrument_allow_list.instrument_allow_list("two words"),
        lambda: destination_allow_list.destination_allow_list(),
        lambda: destination_allow_list.destination_allow_list(""),
    ],
)
def test_what_means_nothing_is_refused(make: Callable[[], Guardrail]) -> None:
    with pytest.raises(DomainError):
        make()


ONE = Proposal((buy(AAA, 1, 10_000),))
NOTHING: list[Guardrail] = [
    max_order_value.max_order_value("0%"),
    max_order_value.max_order_value("0 USD"),
    max_order_volume.max_order_volume("0%"),
    max_order_volume.max_order_volume({"AAA": 0}),
    turnover_throttle.turnover_throttle("0%", bars=24),
    message_throttle.message_throttle(orders=0, bars=24),
    repeated_execution_throttle.repeated_execution_throttle(times=0, bars=24),
]


@pytest.mark.parametrize("rail", NOTHING, ids=lambda rail: rail.key)
def test_a_limit_of_zero_is_a_limit_and_not_off(rail: Guardrail) -> None:
    verdict = Guard(make_mandate("60%", rail)).judge(ONE, EMPTY)
    assert verdict.outcome is Outcome.REFUSED
    assert [f.guardrail for f in verdict.broken] == [rail.kind]


@pytest.mark.parametrize(
    "rail",
    [
        price_collar.price_collar(10**30),
        slippage_cap.slippage_cap(10**30),
        max_order_value.max_order_value(f"{10**30} USD"),
        max_order_volume.max_order_volume({"AAA": 10**30}),
        turnover_throttle.turnover_throttle(10**30, bars=MOST_BARS),
        message_throttle.message_throttle(orders=10**30, bars=MOST_BARS),
    ],
    ids=lambda rail: rail.key,
)
def test_an_absurdly_wide_limit_lets_through_what_the_others_do(rail: Guardrail) -> None:
    assert Guard(make_mandate("60%", rail)).judge(ONE, EMPTY).outcome is Outcome.ADMITTED


@pytest.mark.parametrize("bars", ["0", "-3", "1/2", "1000001"])
def test_a_window_that_only_a_changed_mandate_can_state_refuses_to_judge(bars: str) -> None:
    for rail, _ in MADE:
        if "bars" in rail.terms:
            changed = replace(rail, terms={**rail.terms, "bars": bars})
            with pytest.raises(DomainError, match="bars"):
                found(changed, EMPTY, ONE)


@pytest.mark.parametrize("amount", ["5 EUR", "5.00001 USD"])
def test_an_amount_of_another_currency_or_precision_refuses_to_judge(amount: str) -> None:
    for rail in (
        max_order_value.max_order_value(amount),
        turnover_throttle.turnover_throttle(amount, bars=3),
    ):
        with pytest.raises(DomainError, match="amount of USD"):
            found(rail, EMPTY, ONE)


@pytest.mark.parametrize(("rail", "stated"), MADE, ids=lambda v: getattr(v, "key", v))
def test_a_mandate_without_trades_is_not_broken_by_limits_of_trades(
    rail: Guardrail, stated: str
) -> None:
    mandate = make_mandate("60%", rail)
    every = cases(EMPTY.book, Proposal())
    assert all(f.holds for f in pre_trade(mandate, every, EMPTY, Proposal()))
    assert stated
