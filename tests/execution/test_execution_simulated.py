from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from execution_world import ETH_PERP, ETH_USD, SPX_USD, make_order, make_venue
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Venue
from agent_fund.domain.order import Fill, Side, Status
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    SquareRootImpact,
    maximum_slippage,
)
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.simulated import SimulatedVenue

MUCH = 10**9


def open_bar(
    venue: SimulatedVenue, bar: int, price: int, volume: int = MUCH, symbol: str = "ETH"
) -> list[Fill]:
    reports = venue.on_open(bar, {symbol: price}, {symbol: volume})
    return [report for report in reports if isinstance(report, Fill)]


@given(st.integers(0, 5), st.integers(0, 5))
def test_an_order_fills_first_at_the_next_open_after_its_latency(latency: int, sent: int) -> None:
    venue = make_venue(latency=latency)
    venue.submit(make_order("a", 10, 1000), sent)
    first = sent + 1 + latency
    for bar in range(sent, first):
        assert open_bar(venue, bar, 1000) == []
    assert [fill.bar for fill in open_bar(venue, first, 1000)] == [first]


def test_an_instrument_can_have_a_latency_of_its_own() -> None:
    venue = make_venue(latency=1, latencies={"SPX": Latency(3)})
    venue.submit(make_order("a", 10, 1000), 0)
    venue.submit(make_order("b", 1, 1000, instrument=SPX_USD), 0)
    filled: dict[int, list[str]] = {}
    for bar in range(1, 6):
        reports = venue.on_open(bar, {"ETH": 1000, "SPX": 1000}, {"ETH": MUCH, "SPX": MUCH})
        filled[bar] = [report.order_id for report in reports]
    assert filled == {1: [], 2: ["a"], 3: [], 4: ["b"], 5: []}


def test_a_perpetual_is_sold_short_at_the_last_price_less_costs() -> None:
    venue = make_venue(fee="1/1000", spread="1/1000", name="perp")
    order = make_order("a", 100, 90_0000, side=Side.SELL, instrument=ETH_PERP)
    venue.submit(order, 0)
    (fill,) = open_bar(venue, 1, 100_0010, symbol="ETHP")
    assert (fill.price, fill.quantity) == (99_9000, 100)
    assert fill.fee == ETH_PERP.notional(100, 99_9000) // 1000


def test_costs_and_tick_are_against_the_fund() -> None:
    venue = make_venue(fee="1/1000", spread="1/1000", impact="1/100")
    venue.submit(make_order("buy", 10_000, 101_00), 0)
    venue.submit(make_order("sell", 10_000, 98_00, side=Side.SELL), 0)
    buy, sell = open_bar(venue, 1, 100_00, volume=40_000)
    # buy: 0.1 % + 1 % x sqrt(1/4) = 0.6 %: 10060; sell, half of the bar taken: 0.8071 %: 9919.28
    assert (buy.price, sell.price) == (100_60, 99_15)
    assert buy.fee == 10_000 * 100_60 * 10 // 1000
    assert (buy.exec_id, sell.exec_id) == ("sim-1-0", "sim-1-1")


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 1005), (Side.SELL, 995)])
def test_beyond_the_limit_nothing_fills(side: Side, price: int) -> None:
    venue = make_venue()
    venue.submit(make_order("a", 10, 1000, side=side), 0)
    assert open_bar(venue, 1, price) == []
    assert venue.open_orders == ("a",)
    assert len(open_bar(venue, 2, 1000)) == 1
    assert venue.open_orders == ()


def test_an_open_on_the_right_side_of_the_limit_is_not_improved_to_it() -> None:
    venue = make_venue()
    venue.submit(make_order("a", 10, 1000), 0)
    assert open_bar(venue, 1, 900)[0].price == 900


def test_a_price_of_nothing_fills_nothing() -> None:
    venue = make_venue(spread="1")
    venue.submit(make_order("a", 10, 5, side=Side.SELL), 0)
    assert open_bar(venue, 1, 1000) == []


def test_orders_share_the_participation_of_a_bar_in_order_of_arrival() -> None:
    venue = make_venue(share="1/10")
    venue.submit(make_order("a", 70, 1000), 0)
    venue.submit(make_order("b", 70, 1000), 0)
    first = open_bar(venue, 1, 1000, volume=1099)
    assert [(fill.order_id, fill.quantity) for fill in first] == [("a", 70), ("b", 30)]
    second = open_bar(venue, 2, 1000, volume=299)
    assert [(fill.order_id, fill.quantity) for fill in second] == [("b", 20)]
    assert open_bar(venue, 3, 1000, volume=0) == []
    third = open_bar(venue, 4, 1000, volume=1000)
    assert [(fill.order_id, fill.quantity) for fill in third] == [("b", 20)]


def test_partial_fills_of_an_order_cost_the_fee_of_the_whole() -> None:
    venue = make_venue(fee="1/3000", share="1/10")
    venue.submit(make_order("a", 30, 1000), 0)
    fees = [open_bar(venue, bar, 1000, volume=100)[0].fee for bar in (1, 2, 3)]
    assert fees == [34, 33, 33]


def test_instruments_do_not_share_their_participation() -> None:
    venue = make_venue(share="1/10")
    venue.submit(make_order("a", 10, 1000), 0)
    venue.submit(make_order("b", 1, 1000, instrument=SPX_USD), 0)
    opens, volumes = {"ETH": 1000, "SPX": 1000}, {"ETH": 100, "SPX": 10}
    assert len(venue.on_open(1, opens, volumes)) == 2


def test_splitting_an_order_does_not_escape_its_impact() -> None:
    whole = make_venue(impact="1/10")
    whole.submit(make_order("a", 20_000, 2000_00), 0)
    parts = make_venue(impact="1/10")
    parts.submit(make_order("a", 10_000, 2000_00), 0)
    parts.submit(make_order("b", 10_000, 2000_00), 0)
    (one,) = open_bar(whole, 1, 1000_00, volume=80_000)
    assert open_bar(parts, 1, 1000_00, volume=80_000)[1].price == one.price == 1050_00


@given(
    side=st.sampled_from(Side),
    lots=st.integers(1, 500),
    price=st.integers(1, 400),
    limit_ticks=st.integers(1, 100),
    volume=st.integers(0, 10_000),
    half=st.fractions(0, Fraction(1, 5), max_denominator=100),
    coefficient=st.fractions(0, 1, max_denominator=20),
    share=st.fractions(Fraction(1, 50), 1, max_denominator=50),
)
def test_a_fill_is_the_largest_quantity_inside_limit_and_participation(
    side: Side,
    lots: int,
    price: int,
    limit_ticks: int,
    volume: int,
    half: Fraction,
    coefficient: Fraction,
    share: Fraction,
) -> None:
    lot, tick = ETH_USD.lot, ETH_USD.tick
    order = make_order("a", lots * lot, limit_ticks * tick, side=side)
    venue = make_venue(spread=str(half), impact=str(coefficient), share=str(share))
    venue.submit(order, 0)
    fills = open_bar(venue, 1, price, volume)
    impact = SquareRootImpact(coefficient)

    def inside(quantity: int) -> bool:
        if quantity > share * volume:
            return False
        exact = price * (1 + side.sign * (half + impact.share(quantity, volume)))
        positive = side is Side.BUY or exact >= tick
        return positive and (order.limit - exact) * side.sign >= 0

    expected = max(
        (quantity for quantity in range(lot, order.quantity + 1, lot) if inside(quantity)),
        default=0,
    )
    assert sum(fill.quantity for fill in fills) == expected
    bound = maximum_slippage(HalfSpread(half), impact, Participation(share))
    for fill in fills:
        slip = half + impact.share(fill.quantity, volume)
        worse = (fill.price - price * (1 + side.sign * slip)) * side.sign
        assert 0 <= worse < tick
        assert fill.price % tick == 0
        assert (fill.price - price) * side.sign < price * bound + tick


def test_an_instrument_without_an_open_does_not_trade_and_one_without_a_volume_is_an_error() -> (
    None
):
    venue = make_venue()
    venue.submit(make_order("a", 10, 1000), 0)
    assert venue.on_open(1, {}, {}) == []
    for opens, volumes in (
        ({"ETH": 1000}, {}),
        ({"ETH": 10.0}, {"ETH": 5}),
        ({"ETH": 0}, {"ETH": 5}),
    ):
        with pytest.raises(DomainError):
            venue.on_open(2, opens, volumes)  # type: ignore[arg-type]
    assert len(open_bar(venue, 2, 1000)) == 1


def test_a_bar_opens_once() -> None:
    venue = make_venue(share="1/100")
    venue.submit(make_order("a", 1000, 1000), 0)
    open_bar(venue, 3, 1000, volume=1000)
    with pytest.raises(ExecutionError, match="opened already"):
        open_bar(venue, 3, 1000, volume=1000)


def test_a_canceled_order_is_gone_with_what_it_filled() -> None:
    venue = make_venue(share="1/100")
    venue.submit(make_order("a", 100, 1000), 0)
    open_bar(venue, 1, 1000, volume=1000)
    canceled = venue.cancel("a", 1)
    assert (canceled.status, canceled.filled) == (Status.CANCELED, 10)
    assert open_bar(venue, 2, 1000) == []
    with pytest.raises(ExecutionError, match="no such order"):
        venue.cancel("a", 2)


def test_an_order_is_accepted_once_and_at_its_own_venue() -> None:
    venue = make_venue()
    assert venue.submit(make_order("a", 10, 1000), 0).status is Status.NEW
    with pytest.raises(ExecutionError, match="rests here already"):
        venue.submit(make_order("a", 10, 1000), 0)
    stranger = replace(ETH_USD, venue=Venue("other"))
    with pytest.raises(ExecutionError, match="this is sim"):
        venue.submit(make_order("b", 10, 1000, instrument=stranger), 0)


def test_reconcile_tells_open_orders_and_the_fills_since_a_bar() -> None:
    venue = make_venue(share="1/100")
    venue.submit(make_order("a", 100, 1000), 0)
    fills = [open_bar(venue, bar, 1000, volume=1000)[0] for bar in (1, 2, 3)]
    known = venue.reconcile(2)
    assert known.fills == tuple(fills[1:])
    assert [(order.order_id, order.filled) for order in known.open_orders] == [("a", 30)]
