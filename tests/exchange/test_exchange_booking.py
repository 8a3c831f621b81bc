"""What trades, commissions and errors are taken for, whatever their numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from exchange_world import IN_COIN, IN_QUOTE, SPOT, order
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.order import Side
from agent_fund.execution.exchange.answer import Absent, NotTaken, Refused, Unclear
from agent_fund.execution.exchange.booking import Doubt, booked, distinct
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.order_book import total, walk
from agent_fund.execution.exchange.venue_api import VenueTrade

UNIT = Decimal("0.00000001")
RULES = MarketRules(
    market="BTCUSDT",
    base="BTC",
    quote="USDT",
    step=Decimal("0.00001"),
    tick=Decimal("0.01"),
    smallest=Decimal("0.00001"),
    largest=None,
    least=Decimal(5),
    commission=UNIT,
)
TRADE = VenueTrade(
    "BTCUSDT-1-1",
    "1",
    "BTCUSDT",
    True,
    Decimal("60000.01"),
    Decimal("0.5"),
    Decimal(0),
    "USDT",
    time=1,
)
TRADES = st.builds(
    replace,
    st.just(TRADE),
    buy=st.booleans(),
    price=st.integers(1, 10**9).map(lambda n: n * RULES.tick),
    quantity=st.integers(1, 10**8).map(lambda n: n * RULES.step),
    commission=st.integers(0, 10**10).map(lambda n: n * UNIT),
    commission_asset=st.sampled_from(["USDT", "BTC", "BNB"]),
)


@given(TRADES)
def test_a_booked_trade_moves_exactly_what_the_exchange_moved_and_others_are_doubts(
    trade: VenueTrade,
) -> None:
    made = booked(trade, SPOT, RULES, "BNB")
    moved = {"BTC": trade.quantity, "USDT": -trade.price * trade.quantity, "BNB": Decimal(0)}
    if not trade.buy:
        moved = {asset: -amount for asset, amount in moved.items()}
    moved[trade.commission_asset] -= trade.commission
    if isinstance(made, Doubt):
        net = trade.quantity - trade.commission
        assert trade.commission_asset == "BTC"
        assert not trade.buy or net <= 0 or net % RULES.step
        return
    execution, burnt = made
    sign = 1 if trade.buy else -1
    notional = SPOT.notional(execution.quantity, execution.price)
    assert SPOT.base.amount(sign * execution.quantity) == moved["BTC"]
    assert SPOT.quote.amount(-sign * notional - execution.fee) == moved["USDT"]
    assert -burnt * UNIT == moved["BNB"]
    assert SPOT.price_decimal(execution.price) == trade.price  # so never beyond the limit
    assert execution.fee >= 0


@given(TRADES, st.integers(1, 10**15).map(lambda n: Decimal(n).scaleb(-9)))
def test_a_trade_at_a_price_finer_than_the_funds_is_booked_exactly(
    trade: VenueTrade, price: Decimal
) -> None:
    trade = replace(trade, price=price, commission_asset="USDT")
    made = booked(trade, SPOT, RULES, "")
    assert not isinstance(made, Doubt)
    execution, _ = made
    sign = 1 if trade.buy else -1
    notional = SPOT.notional(execution.quantity, execution.price)
    moved = -sign * price * trade.quantity - trade.commission
    assert SPOT.quote.amount(-sign * notional - execution.fee) == moved
    assert execution.fee >= 0
    assert abs(SPOT.price_decimal(execution.price) - price) < Decimal("0.01")
    assert booked(replace(trade, forced=True), SPOT, RULES, "") == made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"commission": Decimal(1), "commission_asset": "ETH"}, "was charged 1 ETH"),
        ({"commission": Decimal(-1)}, "a rebate of -1"),
        ({"commission": UNIT * UNIT * UNIT}, "more decimals"),
        ({"price": Decimal("60000.0000000000000000001")}, "more decimals"),
        ({"quantity": Decimal("0.000000001")}, "more decimals"),
        ({"quantity": Decimal("0.000001")}, "no whole number of lots"),
        ({"commission": Decimal("0.5"), "commission_asset": "BTC"}, "more decimals"),
    ],
)
def test_what_cannot_be_booked_exactly_is_a_doubt_with_its_reason(
    change: dict[str, Any], words: str
) -> None:
    made = booked(replace(TRADE, **change), SPOT, RULES, "BNB")
    assert isinstance(made, Doubt)
    assert words in made.reason


def test_a_coin_that_is_not_configured_is_a_doubt_and_nothing_in_it_is_not() -> None:
    paid = replace(TRADE, commission=UNIT, commission_asset="BNB")
    assert isinstance(booked(paid, SPOT, RULES, ""), Doubt)
    assert not isinstance(booked(replace(paid, commission=Decimal(0)), SPOT, RULES, ""), Doubt)


def test_one_trade_in_two_versions_is_a_doubt() -> None:
    other = replace(TRADE, price=Decimal(60_000))
    assert distinct([TRADE, TRADE]) == [TRADE]
    assert isinstance(distinct([TRADE, other]), Doubt)


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=30),
    st.integers(1, 10**7),
    st.sampled_from([IN_COIN, IN_QUOTE]),
)
def test_the_maximum_fee_holds_however_an_order_is_filled(
    parts: list[int], limit: int, fees: Any
) -> None:
    lots = sum(parts)
    made = replace(order(Side.BUY, "1", "1"), quantity=lots * SPOT.lot, limit=limit)
    price, charged = SPOT.price_decimal(limit), Decimal(0)
    for part in parts:
        exact = price * part * RULES.step * fees.rate
        charged += -(-exact // UNIT) * UNIT  # each trade is rounded up
    assert SPOT.quote.units(charged) <= fees.maximum(made, RULES)


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**5)), max_size=8), st.data())
def test_a_walk_costs_what_the_levels_say_and_is_none_beyond_them(
    book: list[tuple[int, int]], data: st.DataObject
) -> None:
    book.sort()
    levels = [(price * RULES.tick, lots * RULES.step) for price, lots in book]
    offered = total(levels, SPOT)
    assert offered == sum(lots for _, lots in book) * SPOT.lot
    assert walk(levels, SPOT, offered + 1) is None
    if offered:
        quantity = data.draw(st.integers(1, offered))
        worth = walk(levels, SPOT, quantity)
        assert worth is not None
        least, most = levels[0][0], levels[-1][0]
        per_unit = [SPOT.notional(quantity, SPOT.price(price)) for price in (least, most)]
        assert per_unit[0] <= worth <= per_unit[1]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ccxt.InvalidOrder, 400, Refused),
        (ccxt.InsufficientFunds, 400, Refused),
        (ccxt.BadRequest, 400, Refused),
        (ccxt.BadSymbol, 400, Refused),
        (ccxt.OrderNotFound, 400, Absent),
        (ccxt.DDoSProtection, 418, NotTaken),
        (ccxt.RateLimitExceeded, 429, NotTaken),
        (ccxt.InvalidNonce, 400, NotTaken),
        # Everything else may have been accepted, whatever its name.
        (ccxt.InvalidOrder, 503, Unclear),
        (ccxt.InsufficientFunds, 500, Unclear),
        (ccxt.OrderNotFound, 502, Unclear),
        (ccxt.DuplicateOrderId, 400, Unclear),
        (ccxt.ExchangeError, 400, Unclear),
        (ccxt.OperationFailed, 400, Unclear),
        (ccxt.OperationRejected, 400, Unclear),
        (ccxt.AuthenticationError, 401, Unclear),
        (ccxt.RequestTimeout, 0, Unclear),
        (ccxt.ExchangeNotAvailable, 503, Unclear),
        (ccxt.BadResponse, 200, Unclear),
        (ccxt.NullResponse, 200, Unclear),
    ],
)
def test_only_what_is_certain_is_taken_for_certain(
    error: type[Exception], status: int, kind: type[Exception]
) -> None:
    made: Any = error("words")
    made.http_status = status
    assert type(Connection(None)._failure(made)) is kind


@pytest.mark.parametrize(("told", "wait"), [("7", 7.0), (None, 1.0), ("soon", 1.0)])
def test_a_ban_lasts_as_long_as_the_exchange_says(told: str | None, wait: float) -> None:
    connection = Connection(None, monotonic=lambda: 100.0)
    made: Any = ccxt.DDoSProtection("words")
    made.retry_after = told
    failure = connection._failure(made)
    assert isinstance(failure, NotTaken)
    assert failure.wait == wait == connection.wait
