"""Options, futures and pool shares on the simulated venue: each an instrument with its own bars."""

from __future__ import annotations

from fractions import Fraction

import pytest
from execution_world import CROSS, ETH_USD, USD, make_order, make_venue

from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.execution.clearing import liquidations
from agent_fund.execution.desk import Desk
from agent_fund.execution.errors import InsufficientFunds
from agent_fund.execution.ledger import Ledger

ONE = 10**6
CALL = Instrument(
    *("CALL", Asset("CALL", 1), USD, Venue("sim"), 2),
    kind=Kind.OPTION,
    underlying="ETH",
    terms=OptionTerms("ETH", Fraction(10), 2_000_000_000, True),
)
SHARE = Instrument(
    *("LP", Asset("LP", 1), USD, Venue("sim"), 2),
    kind=Kind.LP_SHARE,
    underlying="ETH",
    terms=PoolTerms("ETH", "USD"),
)
FUTURE = Instrument(
    *("FUT", Asset("FUT", 1), USD, Venue("perp"), 2),
    kind=Kind.FUTURE,
    underlying="ETH",
    contract=Fraction(1, 10),
    margin=CROSS,
    terms=FutureTerms(2_000_000_000),
)
ITEMS = {i.symbol: i for i in (ETH_USD, CALL, SHARE, FUTURE)}
OPENS = {"ETH": 1_000, "CALL": 150, "LP": 2_000, "FUT": 10_000}
PLENTY = dict.fromkeys(ITEMS, 10**9)


def desk(spot: int, margin: int) -> Desk:
    ledger = Ledger(USD, ITEMS)
    for place, amount in (("sim", spot), ("perp", margin)):
        ledger.deposit(USD, amount * ONE, place, f"capital {place}")
    return Desk(ledger, {"sim": make_venue(), "perp": make_venue(name="perp")})


def trade(at: Desk, order: Order, bar: int) -> None:
    at.send([order], bar, OPENS)
    assert any(isinstance(report, Fill) for report in at.on_open(bar + 1, OPENS, PLENTY))


@pytest.mark.parametrize(("item", "price"), [(CALL, 150), (SHARE, 2_000)])
def test_what_needs_no_margin_is_paid_in_cash_and_sold_again(item: Instrument, price: int) -> None:
    at = desk(1_000, 1)
    trade(at, make_order("a", 10, price, instrument=item), 0)
    assert at.book().positions == {item.symbol: 10}
    assert at.book().places["sim"] == 1_000 * ONE - price * ONE // 100
    assert at.book().nav(OPENS) == 1_001 * ONE
    trade(at, make_order("b", 10, price, side=Side.SELL, instrument=item), 1)
    assert at.book().nav(OPENS) == at.book().cash == 1_001 * ONE


@pytest.mark.parametrize("item", [CALL, SHARE])
def test_what_needs_no_margin_cannot_be_sold_short(item: Instrument) -> None:
    at = desk(1_000, 1)
    with pytest.raises(InsufficientFunds):
        at.send([make_order("a", 10, 1, side=Side.SELL, instrument=item)], 0, OPENS)


def test_a_future_is_sold_short_in_its_margin_account_and_liquidated_below_maintenance() -> None:
    at = desk(1, 200)
    trade(at, make_order("a", 100, 10_000, side=Side.SELL, instrument=FUTURE), 0)
    # Ten contracts of a tenth, at 100.00: worth 100 of the currency, which came in.
    assert at.book().places["perp"] == 300 * ONE
    assert at.book().equity("perp", OPENS) == 200 * ONE
    assert at.book().maintenance("perp", OPENS) == 5 * ONE
    assert liquidations(at.book(), OPENS, 2, "open") == ()
    (event,) = liquidations(at.book(), {**OPENS, "FUT": 29_000}, 2, "open")
    assert (event.instrument, event.quantity) == (FUTURE, -100)
