"""Limits never leave the tolerance, lots never exceed the budget, shares are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from agents_market import USD, book_of, tracker
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.agents.sizing import (
    Pair,
    free_cash,
    legs_of,
    limit_price,
    margin_transfer,
    sellable,
    share,
    under_way,
    underlying,
    whole_lots,
)
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit

steps = st.integers(1, 50)
tolerances = st.fractions(0, 1).filter(lambda value: value < 1)


@given(steps, st.integers(1, 10_000), st.sampled_from(Side), tolerances)
def test_a_limit_is_the_furthest_tick_inside_the_tolerance(
    tick: int, ticks: int, side: Side, tolerance: Fraction
) -> None:
    instrument, close = tracker("X", tick=tick), ticks * tick
    limit = limit_price(instrument, close, side, tolerance)
    assert limit > 0
    assert limit % tick == 0
    assert abs(limit - close) <= close * tolerance
    assert (limit - close) * side.sign >= 0
    beyond = limit + side.sign * tick
    assert abs(beyond - close) > close * tolerance or beyond <= 0


@given(steps, st.integers(-10, 10**15), st.integers(1, 10**6))
def test_whole_lots_are_the_most_that_the_budget_pays(lot: int, budget: int, price: int) -> None:
    instrument = tracker("X", lot=lot)
    quantity = whole_lots(instrument, budget, price)
    assert quantity % lot == 0
    assert quantity >= 0
    assert instrument.notional(quantity, price) <= max(budget, 0)
    assert instrument.notional(quantity + lot, price) > budget


def order(instrument_lot: int, side: Side, quantity: int, limit: int) -> Order:
    return Order(
        "o", tracker("X", lot=instrument_lot), side, quantity, limit, Purpose.AGENT, expires=9
    )


def test_open_orders_are_counted() -> None:
    instrument = tracker("X", lot=10)
    buying = book_of(10**9, {instrument: 55}, (order(10, Side.BUY, 20, 100),))
    assert free_cash(buying) == 10**9 - instrument.notional(20, 100)
    assert sellable(buying, instrument) == 50
    selling = book_of(10**9, {instrument: 55}, (order(10, Side.SELL, 20, 100),))
    assert free_cash(selling) == 10**9
    assert sellable(selling, instrument) == 30
    assert sellable(book_of(0, {instrument: -55}), instrument) == 0


def test_shares_outside_their_range_are_refused() -> None:
    assert share("2.5%", "tolerance") == Fraction(1, 40)
    for bad in ("101%", "-1%", 0.5):
        with pytest.raises(DomainError, match="tolerance"):
            share(bad, "tolerance")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="below 100 %"):
        share("100%", "tolerance", below_one=True)


TERMS = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(1, 100))
COIN, ELSEWHERE = (
    Instrument(symbol, Asset(symbol, 3), USD, Venue(symbol), 2, underlying="C")
    for symbol in ("COIN", "ELSEWHERE")
)
PERP = Instrument(
    *("PERP", Asset("PERP", 3), USD, Venue("FUTURES"), 2, 1, 1, Kind.PERPETUAL, "C"), margin=TERMS
)


def wallets(coin: int, elsewhere: int, futures: int, *transit: Transit, **more: object) -> Book:
    places = {"COIN": coin, "ELSEWHERE": elsewhere, "FUTURES": futures}
    cash = sum(places.values()) + sum(t.transfer.amount for t in transit)
    instruments = {item.symbol: item for item in (COIN, ELSEWHERE, PERP)}
    return Book(USD, cash, instruments, places=places, transit=transit, **more)  # type: ignore[arg-type]


def test_free_cash_is_that_of_the_place() -> None:
    buys = tuple(
        Order(item.symbol, item, Side.BUY, 20, 100, Purpose.AGENT, expires=9)
        for item in (COIN, ELSEWHERE, PERP)
    )
    transit = Transit("t", Transfer(7, "COIN", "FUTURES"), 3)
    book = wallets(10**9, 2 * 10**9, -5, transit, open_orders=buys)
    spent = COIN.notional(20, 100)
    assert free_cash(book, "COIN") == 10**9 - spent
    assert free_cash(book, "ELSEWHERE") == 2 * 10**9 - spent
    assert free_cash(book) == 3 * 10**9 - 2 * spent
    assert free_cash(book, "NOWHERE") == 0
    with pytest.raises(DomainError, match="equity above margin"):
        free_cash(book, "FUTURES")


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([Fraction(1), Fraction(1, 10), Fraction(1000), Fraction(3, 2)]),
)
def test_a_step_is_the_least_that_is_whole_lots_of_both(
    lot: int, other: int, scale: int, other_scale: int, contract: Fraction
) -> None:
    spot = Instrument("S", Asset("S", scale), USD, Venue("A"), 2, lot, underlying="C")
    perp = Instrument(
        *("P", Asset("P", other_scale), USD, Venue("B"), 2, other, 1, Kind.PERPETUAL, "C"),
        contract=contract,
        margin=TERMS,
    )
    pair = Pair(spot, perp)
    assert pair.spot_step % lot == 0
    assert pair.perp_step % other == 0
    assert underlying(spot, pair.spot_step) == underlying(perp, pair.perp_step)
    for lots in range(1, min(pair.spot_step // lot, 200)):
        smaller = underlying(spot, lots * lot) / underlying(perp, other)
        assert smaller.denominator != 1


def test_pairs_that_hedge_nothing_are_refused() -> None:
    gold = tracker("GOLD")
    instruments = {item.symbol: item for item in (COIN, PERP, gold)}
    for legs, match in (
        (("GOLD", "PERP"), "one underlying"),
        (("PERP", "COIN"), "spot first"),
        (("COIN", "PRP"), "the fund knows: COIN, GOLD, PERP"),
    ):
        with pytest.raises(DomainError, match=match):
            Pair.of(*legs, instruments)


amounts = st.integers(-100_000, 100_000)


@given(
    amounts, amounts, st.integers(0, 1000), st.integers(0, 300), st.integers(0, 500), st.booleans()
)
def test_a_margin_transfer_is_covered_and_brings_the_account_to_what_is_needed(
    free: int, equity: int, needed: int, band: int, coming: int, to_account: bool
) -> None:
    way = ("COIN", "FUTURES") if to_account else ("FUTURES", "COIN")
    transit = (Transit("t", Transfer(coming, *way), 3),) if coming else ()
    book = wallets(max(free, 0), 0, equity, *transit)
    found = margin_transfer(
        book, "COIN", "FUTURES", free=free, equity=equity, needed=needed, band=band
    )
    there = equity + under_way(book, "COIN", "FUTURES")
    if abs(there - needed) <= band:
        assert found is None
        return
    deposit = there < needed
    blocked = coming and to_account is deposit
    most = free if deposit else equity - needed
    wanted = min(abs(there - needed), most)
    wanted -= wanted % 10 ** (book.currency.scale - 6)
    if blocked or wanted <= 0:
        assert found is None
        return
    assert found is not None
    assert (found.source, found.target) == (("COIN", "FUTURES") if deposit else ("FUTURES", "COIN"))
    assert found.amount == wanted


def test_a_leg_is_whole_lots_or_none() -> None:
    instrument = tracker("X", lot=10)
    (leg,) = legs_of(instrument, Side.SELL, 57, 1000, Fraction(1, 100))
    assert (leg.quantity, leg.limit, leg.side) == (50, 990, Side.SELL)
    assert legs_of(instrument, Side.SELL, 9, 1000, Fraction(1, 100)) == ()
    assert legs_of(instrument, Side.SELL, -57, 1000, Fraction(1, 100)) == ()
