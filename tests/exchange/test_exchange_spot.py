"""Orders, quotes and holdings at Binance spot, through ccxt, exact to the last unit."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from exchange_world import (
    BTC,
    FAR,
    IN_COIN,
    SPOT,
    USD,
    Keys,
    World,
    order,
    world,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.devnet.exchange.server import KEY, SECRET
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange import binance
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.connect import binance_spot
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.live.leg_state import LegState


def test_a_resting_order_is_acknowledged_fills_in_parts_and_settles() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "1.5", "60010"), FAR)
            report = await adapter.submit(prepared)
            assert report.state is LegState.SUBMITTED
            assert [e.quantity for e in report.executions] == [SPOT.quantity("1")]
            w.exchange.set_price("BTCUSDT", Decimal(59_900))
            report = await adapter.status(prepared)
            assert report.state is LegState.SETTLED
            assert [e.quantity for e in report.executions] == [10**8, 10**8 // 2]
            assert report.executions[1].price == SPOT.price("60010")  # the maker's own limit

    asyncio.run(run())


def test_what_an_immediate_order_leaves_is_canceled_with_its_trades() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot(good="IOC")
            assert not adapter.capabilities.resting
            prepared = await adapter.prepare(order(Side.SELL, "1.5", "59990"), FAR)
            report = await adapter.submit(prepared)
            assert report.state is LegState.CANCELED
            assert [e.quantity for e in report.executions] == [SPOT.quantity("1")]
            assert await adapter.status(prepared) == report

    asyncio.run(run())


def test_a_cancel_is_confirmed_only_by_an_ended_state() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            resting = await adapter.prepare(order(Side.BUY, "1", "50000"), FAR)
            await adapter.submit(resting)
            assert (await adapter.cancel(resting)).state is LegState.CANCELED
            assert (await adapter.cancel(resting)).state is LegState.CANCELED
            filled = await adapter.prepare(order(Side.BUY, "0.1", "60010", "b"), FAR)
            await adapter.submit(filled)
            assert (await adapter.cancel(filled)).state is LegState.SETTLED

    asyncio.run(run())


def test_what_was_canceled_before_it_was_sent_is_never_sent() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "1", "50000"), FAR)
            assert (await adapter.status(prepared)).state is LegState.PENDING
            assert (await adapter.cancel(prepared)).state is LegState.CANCELED
            assert (await adapter.submit(prepared)).state is LegState.CANCELED
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


def test_too_little_money_is_a_rejection() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "100", "60000"), FAR)
            report = await adapter.submit(prepared)
            assert report.state is LegState.REJECTED
            assert "InsufficientFunds" in report.detail
            w.clock.pass_by(7)
            w.exchange.spot_account.free["USDT"] = Decimal(10**8)
            assert await adapter.submit(prepared) == report  # ended is ended
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("quantity", "limit", "words"),
    [("0.00008", "60000", "trade 5 USDT or more"), ("9000.00001", "60000", "to 9000")],
)
def test_an_order_that_the_filters_would_refuse_is_not_prepared(
    quantity: str, limit: str, words: str
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            with pytest.raises(ExecutionError, match=words):
                await adapter.prepare(order(Side.BUY, quantity, limit), FAR)

    asyncio.run(run())


def _spot(**changes: Any) -> Instrument:
    return replace(SPOT, **changes)


@pytest.mark.parametrize(
    ("instrument", "words"),
    [
        (_spot(base=Asset("BTC", 5), quote=Asset("USD", 7), lot=1), r"scale of USD.*decimals"),
        (_spot(base=Asset("BTC", 4), quote=Asset("USD", 6), lot=1), r"scale of USD.*decimals"),
    ],
)
def test_an_instrument_too_coarse_for_what_a_trade_moves_does_not_start(
    instrument: Instrument, words: str
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = binance_spot("binance", Keys(), {instrument: "BTCUSDT"}, IN_COIN, w.setting)
            try:
                with pytest.raises(ExecutionError, match=words):
                    await adapter.start()
            finally:
                await adapter.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("market", "fees", "words"),
    [
        ("BTCUSD", IN_COIN, "write one that is trading there"),
        ("BTCUSDT", Fees(Decimal("0.0009"), "BNB", Decimal(1)), "configure that rate"),
        ("BTCUSDT", Fees(Decimal("0.001")), "configure 'BNB'"),
    ],
)
def test_a_configuration_that_the_account_contradicts_does_not_start(
    market: str, fees: Fees, words: str
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = binance_spot("binance", Keys(), {SPOT: market}, fees, w.setting)
            try:
                with pytest.raises(ExecutionError, match=words):
                    await adapter.start()
            finally:
                await adapter.close()

    asyncio.run(run())


def test_a_wrong_key_does_not_start_and_is_not_told() -> None:
    class Wrong(Keys):
        def reveal(self) -> str:
            return "not-the-secret"

    async def run() -> None:
        async with world() as w:
            adapter = binance_spot("binance", Wrong(), {SPOT: "BTCUSDT"}, IN_COIN, w.setting)
            try:
                with pytest.raises(ExecutionError, match="key and clock") as refused:
                    await adapter.start()
            finally:
                await adapter.close()
            assert "not-the-secret" not in str(refused.value)

    asyncio.run(run())


@settings(max_examples=15, deadline=None)
@given(
    lots=st.integers(1, 9_000_00000),
    ticks=st.integers(1, 10_000_000_00),
    buy=st.booleans(),
)
def test_the_request_states_exactly_the_order_whatever_its_digits(
    lots: int, ticks: int, buy: bool
) -> None:
    side = Side.BUY if buy else Side.SELL
    made = replace(order(side, "1", "1"), quantity=lots * SPOT.lot, limit=ticks)
    if SPOT.notional(made.quantity, made.limit) < USD.units(5):
        with pytest.raises(ExecutionError, match="trade 5 USDT"):
            _payload(made)
        return
    payload = json.loads(_payload(made))
    assert BTC.units(payload["quantity"]) == made.quantity
    assert Decimal(payload["price"]) == SPOT.price_decimal(made.limit)
    assert "e" not in (payload["quantity"] + payload["price"]).lower()
    assert payload["newClientOrderId"] == made.order_id


def _payload(made: Any) -> bytes:
    async def run() -> bytes:
        return (await _kept(lambda adapter: adapter.prepare(made, FAR))).payload

    return asyncio.run(run())


async def _kept(use: Callable[[ExchangeAdapter], Any]) -> Any:
    async with world() as w:
        return await use(await w.spot())


def test_the_request_is_the_one_that_ccxt_would_make_of_the_same_order() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.00123", "60010.07"), FAR)
            client = adapter._api.connection.client  # type: ignore[attr-defined]
            client.options["fetchMarkets"] = {"types": ["spot"]}
            client.options["fetchMargins"] = False
            client.has["fetchCurrencies"] = False
            await client.load_markets()
            made = client.create_order_request(
                "BTC/USDT",
                "limit",
                "buy",
                "0.00123",
                "60010.07",
                {"clientOrderId": prepared.reference},
            )
            assert json.loads(prepared.payload) == made

    asyncio.run(run())


def test_a_quote_walks_the_book_and_has_the_commission_inside_or_beside() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            quantity = SPOT.quantity("1.5")
            bought = await adapter.quote(SPOT, Side.BUY, quantity)
            sold = await adapter.quote(SPOT, Side.SELL, quantity)
            assert bought is not None
            assert sold is not None
            paid = Decimal("60006") + Decimal("60012") / 2  # the first two levels
            got = Decimal("59994") + Decimal("59988") / 2
            assert USD.amount(bought.max_spent) == paid
            assert USD.amount(bought.gas) == paid / 1000
            assert USD.amount(sold.min_received) == got
            assert (bought.min_received, sold.max_spent) == (quantity, quantity)
            assert not bought.firm
            assert await adapter.quote(SPOT, Side.BUY, SPOT.quantity("9")) is None
            assert await adapter.prices([SPOT]) == {"BTC-SPOT": SPOT.price("60000")}
            assert (await adapter.depth([SPOT]))["BTC-SPOT"] == SPOT.quantity("5")
            w.exchange.spot.withdraw(w.exchange.spot.symbols["BTCUSDT"])
            assert await adapter.prices([SPOT]) == {}

    asyncio.run(run())


async def _three_orders(w: World) -> ExchangeAdapter:
    adapter = await w.spot()
    for name, side, quantity, limit in (
        ("a", Side.BUY, "1.5", "60010"),
        ("b", Side.SELL, "0.3", "59900"),
        ("c", Side.SELL, "0.2", "70000"),
    ):
        await adapter.submit(await adapter.prepare(order(side, quantity, limit, name), FAR))
        w.clock.pass_by(60)
    return adapter


def test_holdings_are_totals_with_every_trade_and_every_resting_order() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await _three_orders(w)
            api: Any = adapter._api
            foreign = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            foreign |= {"quantity": "0.1", "price": "40000", "newClientOrderId": "by-hand"}
            await api.connection.client.privatePostOrder(foreign)
            held = await adapter.holdings(0)
            truth = w.exchange.spot_account
            assert held.assets == {
                "BTC": BTC.units(truth.total("BTC")),
                "USD": USD.units(truth.total("USDT")),
            }
            assert held.coin == int(truth.total("BNB") * 10**8)
            names = {reference[0] for reference in held.open_references}
            assert (len(held.open_references), names) == (3, {"a", "c", "b"})  # by-hand
            # The second trade is between two orders of ours: both sides of it are told.
            assert [reference[0] for reference, _ in held.executions] == ["a", "a", "b"]

    asyncio.run(run())


def test_trades_are_read_page_by_page_and_from_the_time_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(binance, "PAGE", 2)

    async def run() -> None:
        async with world(depth="6000") as w:
            adapter = await w.spot()
            start = w.clock.ms
            w.clock.pass_by(3 * 86_400)
            first = await adapter.prepare(order(Side.SELL, "0.33", "59000"), FAR)
            assert (await adapter.submit(first)).state is LegState.SETTLED
            assert (await adapter.status(first)).state is LegState.SETTLED
            middle = w.clock.ms + 1
            w.clock.pass_by(3 * 86_400)
            w.exchange.set_price("BTCUSDT", Decimal(60_000))
            second = await adapter.prepare(order(Side.SELL, "0.31", "59000", "b"), FAR)
            await adapter.submit(second)
            for since, expected in ((0, 8), (start, 8), (middle, 4), (w.clock.ms + 1, 0)):
                held = await adapter.holdings(since)
                assert len({trade.exec_id for _, trade in held.executions}) == expected

    asyncio.run(run())


def test_secrets_are_in_no_text_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with world() as w:
            with caplog.at_level(logging.DEBUG):
                adapter = await w.spot()
                prepared = await adapter.prepare(order(Side.BUY, "0.5", "60010"), FAR)
                report = await adapter.submit(prepared)
            texts = [repr(adapter), str(vars(adapter)), repr(prepared), repr(report), caplog.text]
            api: Any = adapter._api
            texts += [repr(api.connection), str(vars(api.connection)), repr(w.setting)]
            assert all(SECRET not in text for text in texts)
            assert KEY not in repr(prepared)

    asyncio.run(run())


def test_an_instrument_of_another_venue_or_a_second_one_in_a_market_is_refused() -> None:
    other = replace(SPOT, symbol="OTHER")
    elsewhere = replace(SPOT, venue=Venue("kraken"))
    for markets in ({SPOT: "BTCUSDT", other: "BTCUSDT"}, {elsewhere: "BTCUSDT"}):
        api: Any = None
        with pytest.raises(ExecutionError):
            ExchangeAdapter("binance", api, markets, IN_COIN)
    with pytest.raises(ExecutionError, match="GTC or IOC"):
        ExchangeAdapter("binance", None, {}, IN_COIN, good="FOK")  # type: ignore[arg-type]
