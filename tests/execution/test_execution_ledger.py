from __future__ import annotations

from dataclasses import replace

import pytest
from execution_world import ETH, ETH_USD, SPX, SPX_USD, USD, make_ledger, make_order, totals
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Venue
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.execution.account import OUTSIDE, Account, Bucket
from agent_fund.execution.entry import Entry, Posting
from agent_fund.execution.errors import InsufficientFunds, LedgerError
from agent_fund.execution.ledger import Ledger

CASH = Account("sim", USD, Bucket.AVAILABLE)
CAPITAL = Account(OUTSIDE, USD, Bucket.CAPITAL)


def make_fill(order: Order, quantity: int, price: int, fee: int = 0, exec_id: str = "x") -> Fill:
    return Fill(exec_id, order.order_id, order.instrument, order.side, quantity, price, fee, bar=1)


def move(entry_id: str, source: Account, target: Account, units: int) -> Entry:
    return Entry(entry_id, "transfer", (Posting(source, -units), Posting(target, units)))


@given(st.lists(st.integers(-5, 5).filter(bool), max_size=5))
def test_an_entry_exists_only_if_its_postings_sum_to_zero(units: list[int]) -> None:
    postings = tuple(Posting(CASH, number) for number in units)
    if units and sum(units) == 0:
        assert Entry("id", "kind", postings).postings == postings
    else:
        with pytest.raises(LedgerError):
            Entry("id", "kind", postings)


def test_assets_do_not_balance_each_other() -> None:
    with pytest.raises(LedgerError, match="sum of ETH"):
        Entry("id", "kind", (Posting(Account("sim", ETH, Bucket.AVAILABLE), 5), Posting(CASH, -5)))


def test_counterparties_stand_outside_and_nowhere_else() -> None:
    for place, bucket in ((OUTSIDE, Bucket.AVAILABLE), ("sim", Bucket.FEES)):
        with pytest.raises(LedgerError, match="bucket at"):
            Account(place, USD, bucket)


def test_a_float_is_refused_at_the_door() -> None:
    with pytest.raises(DomainError):
        Posting(CASH, 1.0)  # type: ignore[arg-type]
    with pytest.raises(DomainError):
        make_ledger().deposit(USD, 1.0, "sim", "more")  # type: ignore[arg-type]


def test_deposits_and_withdrawals_move_capital() -> None:
    ledger = make_ledger(100)
    assert ledger.withdraw(USD, 30, "sim", "out")
    assert ledger.balances() == {CASH: 70, CAPITAL: -70}
    with pytest.raises(InsufficientFunds, match="available USD at sim"):
        ledger.withdraw(USD, 71, "sim", "more")
    assert ledger.balances() == {CASH: 70, CAPITAL: -70}


def test_the_same_entry_counts_once_and_its_id_stands_for_nothing_else() -> None:
    ledger = make_ledger(100)
    assert not ledger.deposit(USD, 100, "sim", "capital")
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.deposit(USD, 101, "sim", "capital")
    assert ledger.balance("sim", USD, Bucket.AVAILABLE) == 100
    assert len(ledger.entries) == 1


def test_only_orders_reserve_and_only_transfers_are_in_transit() -> None:
    for bucket in (Bucket.RESERVED, Bucket.IN_TRANSIT):
        with pytest.raises(LedgerError, match="reserve for an order or start"):
            make_ledger().post(move("id", CASH, Account("sim", USD, bucket), 1))


def test_an_asset_that_no_book_would_show_is_refused() -> None:
    ledger = make_ledger()
    for asset in (USD, ETH):
        with pytest.raises(LedgerError, match="the fund's places are: sim"):
            ledger.deposit(asset, 1, "elsewhere", "lost")
    with pytest.raises(LedgerError, match="hold an asset only where"):
        ledger.deposit(Asset("XYZ", 0), 1, "sim", "lost")
    with pytest.raises(LedgerError, match="and there as available"):
        ledger.post(move("id", CASH, Account("sim", USD, Bucket.MARGIN), 1))


def test_an_entry_with_one_bad_posting_changes_nothing() -> None:
    ledger = make_ledger(100)
    before = ledger.balances()
    with pytest.raises(InsufficientFunds):
        ledger.reserve([(make_order("a", 10, 500), 0), (make_order("b", 10, 100_000), 0)])
    assert ledger.balances() == before
    assert not ledger.has_reserved("a")
    assert len(ledger.entries) == 1


def test_a_buy_reserves_its_notional_at_the_limit_and_its_maximum_fee() -> None:
    ledger = make_ledger()
    ledger.reserve([(make_order("a", 10, 200_000), 77)])
    assert ledger.reserved("a") == 10 * 200_000 * 10 + 77
    assert ledger.balance("sim", USD, Bucket.RESERVED) == ledger.reserved("a")


def test_a_buy_below_its_limit_frees_the_difference_at_once_and_the_fee_at_the_end() -> None:
    ledger = make_ledger(10**9)
    order = make_order("a", 30, 1000)
    ledger.reserve([(order, 9)])
    ledger.fill(make_fill(order, 10, 900, fee=2), order)
    order = replace(order, filled=10, status=Status.PARTIAL)
    assert ledger.reserved("a") == 20 * 1000 * 10 + 7
    assert ledger.balance("sim", USD, Bucket.AVAILABLE) == 10**9 - 90_000 - 2 - 200_007
    ledger.fill(make_fill(order, 20, 1000, fee=4, exec_id="y"), order)
    assert ledger.reserved("a") == 0
    assert ledger.balances() == {
        CASH: 10**9 - 290_000 - 6,
        Account("sim", ETH, Bucket.AVAILABLE): 30,
        CAPITAL: -(10**9),
        Account(OUTSIDE, ETH, Bucket.MARKET): -30,
        Account(OUTSIDE, USD, Bucket.MARKET): 290_000,
        Account(OUTSIDE, USD, Bucket.FEES): 6,
    }
    assert ledger.book().cash == 10**9 - 290_006
    assert ledger.book().positions == {"ETH": 30}


def test_a_sell_reserves_its_quantity_and_pays_its_fee_from_what_it_brings() -> None:
    ledger = make_ledger(1)
    ledger.deposit(SPX, 5, "sim", "shares")
    order = make_order("a", 4, 100, side=Side.SELL, instrument=SPX_USD)
    ledger.reserve([(order, 10**9)])
    assert ledger.reserved("a") == 4
    assert ledger.book().position("SPX") == 5
    ledger.fill(make_fill(order, 3, 120, fee=50), order)
    assert ledger.book().cash == 1 + 3 * 120 * 100_000 - 50
    assert ledger.reserved("a") == 1
    ended = replace(order, filled=3, status=Status.CANCELED)
    assert ledger.release(ended)
    assert ledger.reserved("a") == 0
    assert ledger.balance("sim", SPX, Bucket.AVAILABLE) == 2
    assert not ledger.release(ended)
    assert totals(ledger) == {USD: 0, SPX: 0}


def test_a_fill_counts_once_also_after_its_order_has_ended() -> None:
    ledger = make_ledger()
    order = make_order("a", 10, 1000)
    ledger.reserve([(order, 0)])
    fill = make_fill(order, 10, 1000)
    assert ledger.fill(fill, order)
    before = ledger.balances()
    assert not ledger.fill(fill, order)
    assert ledger.balances() == before
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.fill(replace(fill, price=995), order)


def test_a_fee_above_the_reserved_maximum_is_refused_whole() -> None:
    ledger = make_ledger()
    order = make_order("a", 10, 1000)
    ledger.reserve([(order, 5)])
    before = ledger.balances()
    with pytest.raises(LedgerError, match="at most 5 is left"):
        ledger.fill(make_fill(order, 10, 500, fee=6), order)
    assert ledger.balances() == before


def test_a_fill_needs_a_reservation_and_the_order_as_last_reported() -> None:
    ledger = make_ledger()
    order = make_order("a", 30, 1000)
    with pytest.raises(LedgerError, match="no reservation"):
        ledger.fill(make_fill(order, 10, 1000), order)
    ledger.reserve([(order, 0)])
    ledger.fill(make_fill(order, 10, 1000), order)
    with pytest.raises(LedgerError, match="as last reported"):
        ledger.fill(make_fill(order, 10, 1000, exec_id="y"), order)
    dearer = replace(order, filled=10, limit=2000, status=Status.PARTIAL)
    with pytest.raises(LedgerError, match="as last reported"):
        ledger.fill(make_fill(dearer, 10, 2000, exec_id="y"), dearer)
    with pytest.raises(DomainError, match="the limit is"):
        ledger.fill(make_fill(order, 10, 1005, exec_id="z"), order)


def test_an_open_order_is_not_released() -> None:
    ledger = make_ledger()
    order = make_order("a", 10, 1000)
    ledger.reserve([(order, 0)])
    with pytest.raises(LedgerError, match="release what has ended"):
        ledger.release(order)
    with pytest.raises(LedgerError, match="reserve first"):
        ledger.release(replace(make_order("b", 10, 1000), status=Status.CANCELED))


def test_an_order_reserves_once_and_for_the_funds_own_instrument() -> None:
    ledger = make_ledger()
    order = make_order("a", 10, 1000)
    with pytest.raises(LedgerError, match="reserve once"):
        ledger.reserve([(order, 0), (order, 0)])
    ledger.reserve([(order, 0)])
    ledger.reserve([(order, 0)])
    assert ledger.balance("sim", USD, Bucket.RESERVED) == 100_000
    with pytest.raises(LedgerError, match="stands for another"):
        ledger.reserve([(order, 1)])
    other = make_order("b", 10, 1000, instrument=replace(ETH_USD, tick=10))
    with pytest.raises(LedgerError, match="as the fund states it"):
        ledger.reserve([(other, 0)])


def test_two_instruments_never_share_a_position() -> None:
    twin = replace(ETH_USD, symbol="ETH2")
    with pytest.raises(LedgerError, match="one position"):
        Ledger(USD, {"ETH": ETH_USD, "ETH2": twin})
    with pytest.raises(LedgerError, match="one position"):
        Ledger(ETH, {"X": replace(ETH_USD, quote=ETH, price_scale=0)})
    with pytest.raises(DomainError, match="stated in EUR"):
        Ledger(Asset("EUR", 6), {"ETH": ETH_USD})
    elsewhere = replace(twin, venue=Venue("other"))
    assert Ledger(USD, {"ETH": ETH_USD, "ETH2": elsewhere}).book().cash == 0


def test_the_book_is_the_same_object_until_something_changes() -> None:
    ledger = make_ledger(100)
    orders = (make_order("a", 10, 1000),)
    book = ledger.book(orders)
    assert ledger.book(orders) is book
    assert ledger.book().open_orders == ()
    ledger.deposit(USD, 1, "sim", "more")
    assert ledger.book(orders).cash == 101


def test_the_export_holds_base_units_as_decimal_digits() -> None:
    ledger = make_ledger(100)
    ledger.withdraw(USD, 30, "sim", "out")
    assert ledger.export(1) == [
        {
            "entry_id": "out",
            "kind": "withdrawal",
            "postings": [
                {"place": "sim", "asset": "USD", "bucket": "available", "units": "-30"},
                {"place": "outside", "asset": "USD", "bucket": "capital", "units": "30"},
            ],
        }
    ]
    assert len(ledger.export()) == 2
