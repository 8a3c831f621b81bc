from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from execution_world import (
    BTC_PERP,
    ETH_PERP,
    ETH_USD,
    ISOLATED,
    MARGINED,
    MARKS,
    SOL_PERP,
    USD,
    make_order,
)
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Order, Side, Status
from agent_fund.domain.settlement import RATE_SCALE, Funding, Liquidation
from agent_fund.execution.clearing import (
    affords,
    fundings,
    initial_margin,
    liquidations,
    margin_room,
)
from agent_fund.execution.errors import ExecutionError

ONE = 10**6  # a dollar
RATE = 10**RATE_SCALE


def make_book(
    cross: int = 0, isolated: int = 0, orders: tuple[Order, ...] = (), **held: int
) -> Book:
    """A book with that cash at the margin accounts and nothing at the spot venue."""
    places = {"sim": 0, "perp": cross, ISOLATED: isolated}
    return Book(USD, cross + isolated, MARGINED, held, orders, places)


def buy(quantity: int, limit: int, order_id: str = "a") -> Order:
    return make_order(order_id, quantity, limit, instrument=ETH_PERP)


def sell(quantity: int, limit: int, order_id: str = "b") -> Order:
    return make_order(order_id, quantity, limit, side=Side.SELL, instrument=ETH_PERP)


def test_funding_is_due_on_perpetuals_held_with_a_rate_in_the_order_of_instruments() -> None:
    book = make_book(SOLP=-10, ETHP=100, ETH=10)
    rates = {"SOLP": RATE // 100, "ETHP": RATE // 1000, "BTCP": RATE // 10, "ETH": RATE}
    found = fundings(book, MARKS, rates, 7)
    assert found == (
        Funding(ETH_PERP, 100, MARKS["ETHP"], RATE // 1000, 7),
        Funding(SOL_PERP, -10, MARKS["SOLP"], RATE // 100, 7),
    )
    # Longs pay a positive rate, shorts get it: 0.1% of 100 dollars, 1% of 20 dollars.
    assert [event.amount for event in found] == [-ONE // 10, ONE // 5]
    assert fundings(book, MARKS, {"ETHP": 0}, 7) == ()


def test_a_payment_of_nothing_is_left_out_and_a_fraction_is_rounded_against_the_fund() -> None:
    book = make_book(ETHP=-1)  # worth one dollar
    assert fundings(book, MARKS, {"ETHP": RATE // ONE - 1}, 1) == ()
    (event,) = fundings(make_book(ETHP=1), MARKS, {"ETHP": 1}, 1)
    assert event.amount == -1


def test_an_account_at_its_maintenance_stands_and_one_below_it_is_closed_whole() -> None:
    # 2 x ETH and 1 x BTC: notional 250 dollars, maintenance 12.50; the isolated one stands apart.
    held = {"ETHP": 200, "BTCP": -1, "SOLP": 10}
    enough = -200 * ONE + 50 * ONE + 12_500_000
    assert make_book(enough, -15 * ONE, **held).maintenance("perp", MARKS) == 12_500_000
    assert liquidations(make_book(enough, -15 * ONE, **held), MARKS, 3, "open") == ()
    assert liquidations(make_book(enough - 1, -15 * ONE, **held), MARKS, 3, "open") == (
        Liquidation(ETH_PERP, 200, MARKS["ETHP"], 4 * ONE, 0, 3, "open"),
        Liquidation(BTC_PERP, -1, MARKS["BTCP"], ONE, 0, 3, "open"),
    )
    (isolated,) = liquidations(make_book(enough, -19 * ONE - 1, **held), MARKS, 3, "close")
    assert (isolated.instrument, isolated.when) == (SOL_PERP, "close")


def test_the_last_position_is_covered_so_that_the_account_ends_at_zero() -> None:
    held = {"ETHP": 200, "BTCP": -1}
    equity = 3 * ONE  # of which the fees of 5 dollars take more than there is
    one, other = liquidations(make_book(equity - 150 * ONE, **held), MARKS, 3, "open")
    assert (one.cover, other.cover) == (0, 2 * ONE)
    (one, other) = liquidations(make_book(-ONE - 150 * ONE, **held), MARKS, 3, "open")
    assert (one.cover, other.cover) == (0, 6 * ONE)


def test_liquidation_fees_are_rounded_up() -> None:
    (event,) = liquidations(make_book(0, ETHP=-1), {"ETHP": 30}, 1, "open")
    assert event.fee == 1


def test_an_account_without_positions_is_not_liquidated() -> None:
    assert liquidations(make_book(-5), MARKS, 1, "open") == ()


def test_initial_margin_counts_the_worse_end_of_what_open_orders_can_make() -> None:
    orders = (buy(300, 90_0000, "a"), buy(100, 120_0000, "b"), sell(50, 99_0000, "c"))
    # Short 1: it can become long 3 at most, priced at the highest limit: 360 dollars / 10.
    assert initial_margin(make_book(orders=orders, ETHP=-100), "perp", MARKS) == 36 * ONE
    # Short 5: it can become short 5.5.
    assert initial_margin(make_book(orders=orders, ETHP=-500), "perp", MARKS) == 66 * ONE
    # Orders whose limits lie below the mark are priced at the mark.
    assert initial_margin(make_book(orders=orders[:1], ETHP=-100), "perp", MARKS) == 20 * ONE


def test_initial_margin_adds_instruments_rounds_up_and_ends_at_the_account() -> None:
    book = make_book(ETHP=100, BTCP=-2, SOLP=10)
    assert initial_margin(book, "perp", MARKS) == 20 * ONE
    assert initial_margin(book, ISOLATED, MARKS) == 4 * ONE
    assert initial_margin(book, "sim", MARKS) == 0
    assert initial_margin(make_book(ETHP=1), "perp", {"ETHP": 11}) == 2


def test_an_order_that_has_ended_needs_no_margin() -> None:
    ended = replace(buy(100, 100_0000), status=Status.CANCELED)
    assert initial_margin(make_book(orders=(ended,)), "perp", {}) == 0


def test_room_is_equity_less_initial_margin() -> None:
    book = make_book(-80 * ONE, 7, ETHP=100)
    assert margin_room(book, "perp", MARKS) == 10 * ONE
    assert margin_room(book, ISOLATED, MARKS) == 7


def test_an_order_is_afforded_to_the_last_unit_of_room() -> None:
    order = buy(100, 100_0000)
    assert affords(make_book(10 * ONE), order, MARKS)
    assert not affords(make_book(10 * ONE - 1), order, MARKS)


def test_an_order_that_cannot_enlarge_the_position_is_always_afforded() -> None:
    poor = make_book(-120 * ONE, ETHP=100)
    assert affords(poor, sell(100, 1_0000), MARKS)
    assert affords(poor, sell(200, 1_0000), MARKS)
    assert not affords(poor, sell(201, 1_0000), MARKS)
    assert not affords(poor, buy(1, 1_0000), MARKS)
    resting = make_book(-120 * ONE, orders=(sell(150, 1_0000),), ETHP=100)
    assert not affords(resting, sell(60, 1_0000, "c"), MARKS)


def test_spot_orders_are_none_of_its_business() -> None:
    assert affords(make_book(), make_order("a", 10, 1000, instrument=ETH_USD), {})


@pytest.mark.parametrize("marks", [{}, {"ETHP": None}])
def test_a_missing_mark_is_named(marks: dict[str, int]) -> None:
    book = make_book(ETHP=1)
    for judge in (
        lambda: fundings(book, marks, {"ETHP": 1}, 1),
        lambda: liquidations(book, marks, 1, "open"),
        lambda: initial_margin(book, "perp", marks),
        lambda: margin_room(book, "perp", marks),
        lambda: affords(make_book(), buy(1, 10), marks),
    ):
        with pytest.raises(ExecutionError, match="mark of ETHP"):
            judge()


def test_a_mark_that_is_not_exact_is_refused() -> None:
    for mark in (0, 1.0):
        with pytest.raises(DomainError, match="mark of ETHP"):
            liquidations(make_book(ETHP=1), {"ETHP": mark}, 1, "open")  # type: ignore[dict-item]


quantities = st.integers(-1000, 1000)
prices = st.integers(1, 3_000_000)


@given(
    held=st.fixed_dictionaries(dict.fromkeys(MARKS, quantities)),
    marks=st.fixed_dictionaries(dict.fromkeys(MARKS, prices)),
    cash=st.tuples(st.integers(-(10**10), 10**10), st.integers(-(10**10), 10**10)),
)
def test_after_liquidation_no_account_is_below_zero_or_below_maintenance(
    held: dict[str, int], marks: dict[str, int], cash: tuple[int, int]
) -> None:
    book = make_book(*cash, **held)
    events = liquidations(book, marks, 1, "open")
    closed = {event.instrument.account for event in events}
    for place in ("perp", ISOLATED):
        positions = dict(book.at(place))
        equity = book.equity(place, marks)
        short = equity < book.maintenance(place, marks)
        assert (place in closed) == (bool(positions) and short)
        mine = [event for event in events if event.instrument.account == place]
        if mine:
            assert {event.instrument: event.quantity for event in mine} == positions
            fees = sum(event.fee for event in mine)
            exact = sum(
                Fraction(abs(i.notional(q, marks[i.symbol])), 50) for i, q in book.at(place)
            )
            assert exact <= fees < exact + len(mine)
            assert equity - fees + mine[-1].cover == max(0, equity - fees)
            assert not any(event.cover for event in mine[:-1])


@given(
    position=quantities,
    legs=st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 500), prices), max_size=4),
    mark=prices,
    data=st.data(),
)
def test_initial_margin_bounds_every_way_in_which_the_orders_can_fill(
    position: int, legs: list[tuple[Side, int, int]], mark: int, data: st.DataObject
) -> None:
    orders = tuple(
        make_order(str(n), quantity, -(-price // 10) * 10, side=side, instrument=ETH_PERP)
        for n, (side, quantity, price) in enumerate(legs)
    )
    need = initial_margin(make_book(orders=orders, ETHP=position), "perp", {"ETHP": mark})
    after = position + sum(
        order.side.sign * data.draw(st.integers(0, order.quantity)) for order in orders
    )
    for price in (mark, *(order.limit for order in orders)):
        assert need >= Fraction(abs(after) * price, 10)
