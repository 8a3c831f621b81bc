"""The loopback exchange itself: what it refuses, how it matches, and that no money is made."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from decimal import ROUND_CEILING, Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from exchange_world import Clock, World, world
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.devnet.exchange.decimals import ceiling, floor, text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.margin_account import MarginAccount
from agent_fund.devnet.exchange.margin_market import MarginMarket
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.server import KEY, SECRET
from agent_fund.devnet.exchange.spot_account import SpotAccount
from agent_fund.devnet.exchange.symbols import BTCUSDT, BTCUSDT_PERPETUAL

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.1",
    "price": "50000",
    "newClientOrderId": "mine",
}


async def ask(
    w: World,
    method: str,
    path: str,
    parameters: dict[str, str],
    key: str = KEY,
    secret: str = SECRET,
    sent: int | None = None,
) -> tuple[int, Any, Any]:
    """A signed request made without ccxt: status, JSON, headers."""
    stamped = {**parameters, "timestamp": str(w.clock.ms if sent is None else sent)}
    content = urlencode(stamped)
    mac = hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()
    url = f"{w.exchange.url}{path}?{content}&signature={mac}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers={"X-MBX-APIKEY": key}) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"key": "other"}, 401, -2015),
        ({"secret": "other"}, 400, -1022),
        ({"sent": 0}, 400, -1021),
        ({"sent": 4_000_000_000_000}, 400, -1021),
        ({"parameters": {**ORDER, "price": "50000.001"}}, 400, -1013),
        ({"parameters": {**ORDER, "quantity": "0.100001"}}, 400, -1013),
        ({"parameters": {**ORDER, "quantity": "0.00009"}}, 400, -1013),
        ({"parameters": {**ORDER, "quantity": "1e"}}, 400, -1100),
        ({"parameters": {**ORDER, "price": "NaN"}}, 400, -1100),
        ({"parameters": {**ORDER, "symbol": "DOGEUSDT"}}, 400, -1121),
        ({"parameters": {**ORDER, "side": "HOLD"}}, 400, -1117),
        ({"parameters": {**ORDER, "type": "MARKET"}}, 400, -1116),
        ({"parameters": {**ORDER, "timeInForce": "GTX"}}, 400, -1115),
        ({"parameters": {**ORDER, "newClientOrderId": "x" * 37}}, 400, -1100),
        ({"parameters": {**ORDER, "quantity": "30"}}, 400, -2010),
        ({"parameters": {**ORDER, "recvWindow": "60001"}}, 400, -1131),
    ],
)
def test_what_the_real_exchange_refuses_is_refused(
    change: dict[str, Any], status: int, code: int
) -> None:
    async def run() -> None:
        async with world() as w:
            given_ = {"parameters": ORDER, **change}
            answered, body, _ = await ask(w, "POST", "/api/v3/order", **given_)
            assert (answered, body["code"]) == (status, code)
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


def test_an_open_client_id_is_taken_and_an_ended_one_is_free_again() -> None:
    async def run() -> None:
        async with world() as w:
            first = await ask(w, "POST", "/api/v3/order", ORDER)
            assert (first[0], first[1]["status"]) == (200, "NEW")
            assert (await ask(w, "POST", "/api/v3/order", ORDER))[1]["msg"] == (
                "Duplicate order sent."
            )
            cancel = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
            assert (await ask(w, "DELETE", "/api/v3/order", cancel))[1]["status"] == "CANCELED"
            filled = {**ORDER, "price": "60100"}
            for _ in range(2):  # filled at once, and for that taken twice
                assert (await ask(w, "POST", "/api/v3/order", filled))[1]["status"] == "FILLED"
            gone = {"symbol": "BTCUSDT", "origClientOrderId": "nobodys"}
            assert (await ask(w, "GET", "/api/v3/order", gone))[1]["code"] == -2013
            assert (await ask(w, "DELETE", "/api/v3/order", gone))[1]["code"] == -2011

    asyncio.run(run())


def test_weights_are_counted_then_limited_then_banned() -> None:
    async def run() -> None:
        async with world(weight_limit=60) as w:
            statuses = []
            for _ in range(15):
                status, _, headers = await ask(w, "GET", "/api/v3/account", {})
                statuses.append(status)
            assert statuses == [200] * 3 + [429] * 10 + [418] * 2
            assert headers["X-MBX-USED-WEIGHT-1M"] == "60"
            assert headers["Retry-After"] == "120"
            w.clock.pass_by(120)
            assert (await ask(w, "GET", "/api/v3/account", {}))[0] == 200

    asyncio.run(run())


def test_the_public_history_of_rates_is_cut_from_the_start_or_else_to_the_latest() -> None:
    async def run() -> None:
        async with world() as w:
            for number in range(1, 5):
                w.clock.pass_by(3_600)
                w.exchange.fund("BTCUSDT", Decimal(number) / 10_000)

            async def told(**parameters: str) -> list[str]:
                _, rows, _ = await ask(w, "GET", "/fapi/v1/fundingRate", parameters)
                return [row["fundingRate"] for row in rows]

            last = w.clock.ms
            assert await told(limit="2") == ["0.0003", "0.0004"]
            assert await told(limit="2", startTime="1") == ["0.0001", "0.0002"]
            assert await told(endTime=str(last - 1), limit="1") == ["0.0003"]
            assert await told(startTime=str(last), endTime=str(last)) == ["0.0004"]
            assert await told(symbol="ETHUSDT") == []
            _, row, _ = await ask(w, "GET", "/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"})
            assert row["lastFundingRate"] == "0.0004"

    asyncio.run(run())


def test_a_fall_beyond_the_equity_is_owed() -> None:
    account = MarginAccount("USDT", Decimal(10_000))
    market = MarginMarket(Engine([BTCUSDT_PERPETUAL], account, Clock().now), account, "me", False)
    maker = MarketMaker()
    market.move("BTCUSDT", Decimal(60_000), Decimal(60_000), maker)
    engine = market.engine
    engine.place(BTCUSDT_PERPETUAL, "a", True, Decimal(60_100), Decimal(1), "IOC")
    market.move("BTCUSDT", Decimal(40_000), Decimal(40_000), maker)
    closed = engine.trades[-1]
    assert (closed.price, closed.quantity, closed.commission) == (40_000, 1, 20)
    assert closed.order.client_id.startswith("autoclose-")
    assert account.position("BTCUSDT").quantity == 0
    assert account.wallet == account.cash == account.equity < -9_000


def _engine(**terms: Any) -> tuple[Engine, SpotAccount]:
    account = SpotAccount({"USDT": Decimal(10**6), "BTC": Decimal(10)}, **terms)
    return Engine([BTCUSDT], account, Clock().now), account


def test_the_best_price_trades_first_and_at_one_price_the_earliest() -> None:
    engine, _ = _engine()
    for number, price in enumerate((60_010, 60_000, 60_000)):
        engine.place(BTCUSDT, f"m{number}", False, Decimal(price), Decimal(1), "GTC")
    engine.place(BTCUSDT, "taker", True, Decimal(60_010), Decimal("2.5"), "GTC")
    makers = [(t.order.client_id, t.quantity) for t in engine.trades if t.maker]
    assert makers == [("m1", 1), ("m2", 1), ("m0", Decimal("0.5"))]
    engine.place(BTCUSDT, "all", True, Decimal(60_010), Decimal(1), "FOK")
    assert engine.find(None, "all").status == "EXPIRED"
    engine.place(BTCUSDT, "some", True, Decimal(60_010), Decimal(1), "IOC")
    some = engine.find(None, "some")
    assert (some.status, some.executed) == ("EXPIRED", Decimal("0.5"))


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(-30, 30), st.integers(1, 300), st.booleans()), max_size=30
)


@settings(deadline=None)
@given(STEPS, st.booleans())
def test_spot_balances_follow_from_the_trades_to_the_last_digit(
    steps: list[tuple[bool, int, int, bool]], burn: bool
) -> None:
    engine, account = _engine(burn=burn)
    account.free["BNB"] = Decimal("0.5")
    maker = MarketMaker(levels=3, depth=Decimal(20_000))
    for number, (buy, away, lots, moves) in enumerate(steps):
        if moves:
            maker.quote(engine, BTCUSDT, Decimal(60_000 + 10 * away))
        price, quantity = Decimal(60_000 + 10 * away), lots * Decimal("0.01")
        try:
            made = engine.place(BTCUSDT, f"o{number}", buy, price, quantity, "GTC")
        except Refusal:
            continue
        if number % 3 == 0 and made.open:
            engine.cancel(made)
    expected = {"USDT": Decimal(10**6), "BTC": Decimal(10), "BNB": Decimal("0.5")}
    for trade in engine.trades:
        sign = 1 if trade.order.buy else -1
        expected["BTC"] += sign * trade.quantity
        expected["USDT"] -= sign * trade.quantity * trade.price
        expected[trade.commission_asset] -= trade.commission
        assert (trade.price - trade.order.price) * sign <= 0
    assert {asset: account.total(asset) for asset in expected} == expected
    assert all(amount >= 0 for amount in (*account.free.values(), *account.locked.values()))
    locked = {"USDT": Decimal(0), "BTC": Decimal(0)}
    for order in engine.open_orders():
        asset = "USDT" if order.buy else "BTC"
        locked[asset] += order.left * (order.price if order.buy else 1)
    assert {asset: account.locked.get(asset, Decimal(0)) for asset in locked} == locked


@settings(deadline=None)
@given(STEPS)
def test_a_margin_account_shows_wallet_and_profit_that_make_its_cash(
    steps: list[tuple[bool, int, int, bool]],
) -> None:
    account = MarginAccount("USDT", Decimal(10**6))
    engine = Engine([BTCUSDT_PERPETUAL], account, Clock().now)
    maker = MarketMaker(levels=3, depth=Decimal(20_000))
    cash = Decimal(10**6)
    for number, (buy, away, lots, moves) in enumerate(steps):
        price = Decimal(60_000 + 10 * away)
        account.marks["BTCUSDT"] = price
        maker.quote(engine, BTCUSDT_PERPETUAL, price)
        if moves and (paid := account.fund("BTCUSDT", Decimal("0.00017"), price, 0)) is not None:
            cash += paid.amount
        known = len(engine.trades)
        try:
            limit = price * (2 if buy else 1) / (1 if buy else 2)
            engine.place(
                BTCUSDT_PERPETUAL, f"o{number}", buy, limit, lots * Decimal("0.007"), "IOC"
            )
        except Refusal:
            continue
        for trade in engine.trades[known:]:
            sign = 1 if trade.order.buy else -1
            cash -= sign * trade.quantity * trade.price + trade.commission
        held = account.position("BTCUSDT")
        assert account.cash == cash
        assert account.equity == cash + held.quantity * price
        if not held.quantity:
            assert account.wallet == cash


@given(st.decimals("0.00000001", "1000000", places=8), st.sampled_from(["0.01", "0.00001", "5"]))
def test_texts_are_plain_and_rounding_stays_on_the_grid(value: Decimal, step: str) -> None:
    assert Decimal(text(value)) == value
    assert "E" not in text(value)
    grid = Decimal(step)
    assert floor(value, grid) <= value <= ceiling(value, grid)
    assert ceiling(value, grid) - floor(value, grid) in (0, grid)
    assert ceiling(value, grid) == (value / grid).to_integral_value(ROUND_CEILING) * grid
