"""Filters that an exchange changes while a fund lives, and orders that are too small for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from exchange_world import (
    FAR,
    HYPER,
    IN_COIN,
    IN_QUOTE,
    PERPETUAL,
    PERPETUAL_ETH,
    SPOT,
    USD,
    Keys,
    World,
    order,
    world,
)
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.route import Route
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.binance_futures import BinanceFutures
from agent_fund.execution.exchange.binance_spot import BinanceSpot
from agent_fund.execution.exchange.connect import binance_spot
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.hyperliquid import Hyperliquid
from agent_fund.execution.exchange.market_rules import MarketRules, fit
from agent_fund.execution.live.leg_state import LegState

INFORMATION = "/api/v3/exchangeInfo"
DAY = 86_400


def change(w: World, **changes: Any) -> None:
    """The exchange changes what holds for BTC in its spot market and its futures market."""
    for engine in (w.exchange.spot, w.exchange.futures):
        engine.symbols["BTCUSDT"] = replace(engine.symbols["BTCUSDT"], **changes)


def told(w: World, path: str = INFORMATION) -> int:
    """How often the exchange was asked for its filters."""
    return sum(1 for _, where, _ in w.exchange.seen if where == path)


async def restarted(w: World, instrument: Instrument = SPOT) -> ExchangeAdapter:
    """A spot adapter that has just started."""
    adapter = binance_spot("binance", Keys(), {instrument: "BTCUSDT"}, IN_COIN, w.setting)
    w.made.append(adapter)
    await adapter.start()
    return adapter


def guards(made: Order) -> Order:
    """The same order, as one of the guard's way out."""
    return replace(made, purpose=Purpose.EXIT)


# -- ticks -----------------------------------------------------------------------------------


def test_after_a_refusal_the_next_order_has_the_tick_of_the_day() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            change(w, tick=Decimal("0.5"))
            first = await adapter.prepare(order(Side.SELL, "0.1", "59990.30"), FAR)
            report = await adapter.submit(first)
            assert report.state is LegState.REJECTED
            assert "price is invalid" in report.detail
            asked = told(w)
            for name, side, limit, sent in (
                ("b", Side.SELL, "59990.30", "59990.5"),
                ("c", Side.BUY, "60010.30", "60010"),
                ("d", Side.SELL, "59990.50", "59990.5"),
            ):
                prepared = await adapter.prepare(order(side, "0.1", limit, name), FAR)
                assert json.loads(prepared.payload)["price"] == sent
                assert (await adapter.submit(prepared)).state is LegState.SETTLED
                # What was sent is recognised as the leg's own, restart or not.
                assert (await (await restarted(w)).status(prepared)).state is LegState.SETTLED
            assert told(w) == asked + 1 + 3  # once after the refusal, and at each start

    asyncio.run(run())


def test_the_rules_are_read_again_each_day_and_what_is_known_stays_without_an_answer() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            change(w, tick=Decimal("0.5"))
            made = order(Side.BUY, "0.1", "60010.30")

            async def price() -> str:
                return (await adapter.prepare(made, FAR)).notes["price"]

            w.clock.pass_by(DAY - 1)
            assert await price() == "60010.30"
            w.clock.pass_by(1)
            w.exchange.faults.arm(Fault.UNAVAILABLE, "GET", "/exchangeInfo")
            assert await price() == "60010.30"
            assert Decimal(await price()) == 60_010
            asked = told(w)
            assert Decimal(await price()) == 60_010
            assert told(w) == asked

    asyncio.run(run())


def test_a_tick_coarser_than_the_instruments_does_not_stop_a_start() -> None:
    async def run() -> None:
        async with world() as w:
            change(w, tick=Decimal(1))
            adapter = await restarted(w)
            prepared = await adapter.prepare(order(Side.SELL, "0.1", "59990.01"), FAR)
            assert Decimal(prepared.notes["price"]) == 59_991

    asyncio.run(run())


def test_a_tick_finer_than_the_funds_prices_is_booked_to_the_last_unit() -> None:
    async def run() -> None:
        async with world() as w:
            change(w, tick=Decimal("0.0001"))
            w.exchange.set_price("BTCUSDT", Decimal("60000.1234"))
            adapter = await restarted(w)
            coarse = replace(SPOT, price_scale=1)
            for instrument in (SPOT, coarse):
                adapter = await restarted(w, instrument)
                for side, limit in ((Side.BUY, "60100"), (Side.SELL, "59900")):
                    before = await adapter.holdings(w.clock.ms)
                    name = f"{side.value}{'cd'[instrument is coarse]}"
                    made = order(side, "0.07777", limit, name, instrument)
                    report = await adapter.submit(await adapter.prepare(made, FAR))
                    assert report.state is LegState.SETTLED
                    (trade,) = report.executions
                    moved = made.side.sign * instrument.notional(trade.quantity, trade.price)
                    after = await adapter.holdings(w.clock.ms)
                    assert after.assets["USD"] - before.assets["USD"] == -moved - trade.fee
                    assert 0 < trade.fee <= adapter.maximum_fee(made)
                    assert (trade.price - made.limit) * side.sign <= 0

    asyncio.run(run())


RULES = MarketRules(
    market="BTCUSDT",
    base="BTC",
    quote="USDT",
    step=Decimal("0.00001"),
    tick=Decimal("0.01"),
    smallest=Decimal("0.00001"),
    largest=None,
    least=Decimal(0),
    commission=Decimal("0.00000001"),
)
TICKS = st.tuples(st.integers(1, 9_999), st.integers(-8, 2)).map(
    lambda t: Decimal(t[0]).scaleb(t[1])
)


@given(st.integers(1, 10**12), TICKS, st.none() | st.integers(1, 8), st.booleans())
def test_a_rounded_limit_is_on_the_grid_and_never_beyond_the_orders_own(
    limit: int, tick: Decimal, figures: int | None, buy: bool
) -> None:
    made = replace(order(Side.BUY if buy else Side.SELL, "1", "1"), limit=limit)
    if figures is not None:
        tick = Decimal(1).scaleb(tick.adjusted())
    own = SPOT.price_decimal(limit)
    try:
        price = fit(made, replace(RULES, tick=tick, figures=figures)).price
    except ExecutionError:
        assert buy
        assert own < max(tick, Decimal(0 if figures is None else 1))
        return
    assert price > 0
    assert price % tick == 0
    assert (price - own) * made.side.sign <= 0
    width = tick
    if figures is not None:
        assert (
            price == price.to_integral_value()
            or len(price.normalize().as_tuple().digits) <= figures
        )
        width = max(tick, min(Decimal(1), Decimal(10) ** (own.adjusted() + 1 - figures)))
    assert abs(price - own) < width


def test_a_buy_below_the_first_tick_is_refused() -> None:
    made = order(Side.BUY, "1", "0.07")
    with pytest.raises(ExecutionError, match="no price between 0 and"):
        fit(made, replace(RULES, tick=Decimal("0.1")))
    assert fit(replace(made, side=Side.SELL), replace(RULES, tick=Decimal("0.1"))).price == Decimal(
        "0.1"
    )


# -- steps -----------------------------------------------------------------------------------


def test_a_finer_step_does_not_stop_a_start_and_whole_lots_trade() -> None:
    async def run() -> None:
        async with world() as w:
            change(w, step=Decimal("0.000001"))
            adapter = await restarted(w)
            prepared = await adapter.prepare(order(Side.BUY, "0.00123", "60010"), FAR)
            report = await adapter.submit(prepared)
            assert report.state is LegState.SETTLED
            assert sum(e.quantity for e in report.executions) == SPOT.quantity("0.00123")

    asyncio.run(run())


def test_with_a_coarser_step_holdings_are_told_and_only_whole_steps_trade() -> None:
    async def run() -> None:
        async with world() as w:
            before = (await (await w.spot()).holdings(0)).assets
            change(w, step=Decimal("0.001"))
            adapter = await restarted(w)
            assert (await adapter.holdings(0)).assets == before
            with pytest.raises(ExecutionError, match=r"0\.00123.*steps of 0\.001: trade whole"):
                await adapter.prepare(order(Side.SELL, "0.00123", "59900"), FAR)
            with pytest.raises(ExecutionError, match=r"by hand.*agent-fund adjust"):
                await adapter.prepare(guards(order(Side.SELL, "0.00123", "59900")), FAR)
            prepared = await adapter.prepare(order(Side.SELL, "0.002", "59900"), FAR)
            assert (await adapter.submit(prepared)).state is LegState.SETTLED

    asyncio.run(run())


# -- markets ---------------------------------------------------------------------------------


def test_a_halted_market_is_told_and_refuses_orders_with_its_reason_until_it_trades() -> None:
    async def run() -> None:
        async with world() as w:
            before = (await (await w.spot()).holdings(0)).assets
            change(w, status="BREAK")
            adapter = await restarted(w)
            assert (await adapter.holdings(0)).assets == before
            made = order(Side.SELL, "0.1", "59900")
            with pytest.raises(ExecutionError, match=r"BREAK.*does not trade"):
                await adapter.prepare(made, FAR)
            change(w, status="TRADING")
            assert (await adapter.submit(await adapter.prepare(made, FAR))).executions

    asyncio.run(run())


def test_a_position_in_a_market_that_is_being_settled_or_delisted_is_told() -> None:
    async def run() -> None:
        async with world() as w:
            venues = (
                (PERPETUAL, w.futures, w.exchange.futures),
                (HYPER, w.hyper, w.exchange.hyperliquid),
            )
            for instrument, make, engine in venues:
                adapter = await make()
                made = order(Side.SELL, "0.1", "59000", instrument=instrument)
                await adapter.submit(await adapter.prepare(made, FAR))
                before = (await adapter.holdings(0)).assets
                for name, symbol in list(engine.symbols.items()):
                    engine.symbols[name] = replace(symbol, status="SETTLING")
                w.clock.pass_by(1)
                adapter = await make()
                assert (await adapter.holdings(0)).assets == before
                with pytest.raises(ExecutionError, match="does not trade"):
                    await adapter.prepare(order(Side.BUY, "0.1", "61000", "b", instrument), FAR)

    asyncio.run(run())


def test_a_market_that_is_gone_from_the_list_trades_no_more_and_is_still_told() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            before = (await adapter.holdings(0)).assets
            w.clock.pass_by(DAY)
            hidden = w.exchange.spot.symbols.pop("BTCUSDT")
            with pytest.raises(ExecutionError, match="not listed any more"):
                await adapter.prepare(order(Side.BUY, "0.1", "60010"), FAR)
            w.exchange.spot.symbols["BTCUSDT"] = hidden
            assert (await adapter.holdings(0)).assets == before

    asyncio.run(run())


def _without_filters(w: World) -> None:
    real = w.exchange._routes["GET", INFORMATION]

    def answer(parameters: Any) -> Any:
        row = real.answer(parameters)
        row["symbols"].append({"symbol": "ODD", "status": "BREAK", "filters": []})
        return row

    w.exchange._routes["GET", INFORMATION] = Route(answer, 1, signed=False)


def test_a_market_without_filters_that_nobody_trades_is_left_out() -> None:
    async def run() -> None:
        async with world() as w:
            _without_filters(w)
            assert (await restarted(w)).name == "binance"

    asyncio.run(run())


def _position_elsewhere(w: World, margined: bool) -> None:
    """A position in a market that the exchange does not list any more."""
    old = {"symbol": "OLDUSDT", "positionSide": "BOTH", "positionAmt": "2"}
    old |= {"unrealizedProfit": "1", "notional": "11", "marginAsset": "USDT"}
    account = w.exchange._routes["GET", "/fapi/v3/account"]
    risk = w.exchange._routes["GET", "/fapi/v3/positionRisk"]

    def summary(parameters: Any) -> Any:
        row = account.answer(parameters)
        return {**row, "positions": [*row["positions"], old]}

    def positions(parameters: Any) -> Any:
        return [*risk.answer(parameters), *([old] if margined else [])]

    w.exchange._routes["GET", "/fapi/v3/account"] = Route(summary, 5)
    w.exchange._routes["GET", "/fapi/v3/positionRisk"] = Route(positions, 5)


def test_a_position_in_an_unlisted_market_is_out_of_the_cash_too_and_no_bare_error() -> None:
    async def run() -> None:
        async with world() as w:
            before = (await (await w.futures()).holdings(0)).assets["USD"]
            _position_elsewhere(w, margined=True)
            after = (await (await w.futures()).holdings(0)).assets["USD"]
            assert after - before == USD.units(1 - 11)

    asyncio.run(run())


def test_a_position_of_which_nobody_says_what_margins_it_is_a_typed_refusal() -> None:
    async def run() -> None:
        async with world() as w:
            _position_elsewhere(w, margined=False)
            with pytest.raises(ExecutionError, match="a position in OLDUSDT"):
                await w.futures()

    asyncio.run(run())


# -- dust ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("0.00008", r"smallest order of 5 USDT: sell it there by hand or convert it, then agent-f"),
        ("0.00001", r"smallest order of 0\.00002 BTC: sell it there by hand"),
    ],
)
def test_dust_that_the_guard_cannot_sell_is_refused_with_what_a_person_can_do(
    quantity: str, words: str
) -> None:
    made = guards(order(Side.SELL, quantity, "59990"))
    with pytest.raises(ExecutionError, match=words):
        fit(made, replace(RULES, least=Decimal(5), smallest=Decimal("0.00002")))


def test_a_small_position_is_closed_by_an_order_that_can_do_nothing_else() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            opened = order(Side.SELL, "0.02", "2900", instrument=PERPETUAL_ETH)
            await adapter.submit(await adapter.prepare(opened, FAR))
            w.exchange.set_price("ETHUSDT", Decimal(900))  # worth 18, and 20 is the smallest order
            closing = order(Side.BUY, "0.02", "910", "b", PERPETUAL_ETH)
            with pytest.raises(ExecutionError, match="trade 20 USDT or more"):
                await adapter.prepare(closing, FAR)
            prepared = await adapter.prepare(guards(closing), FAR)
            assert json.loads(prepared.payload)["reduceOnly"] == "true"
            report = await adapter.submit(prepared)
            assert report.state is LegState.SETTLED
            assert (await adapter.holdings(0)).assets["ETHP"] == 0
            # There is nothing to close any more: it opens nothing, and says so.
            again = replace(guards(closing), order_id="c" * 32)
            report = await adapter.submit(await adapter.prepare(again, FAR))
            assert report.state is LegState.REJECTED
            assert "ReduceOnly" in report.detail
            assert (await adapter.holdings(0)).assets["ETHP"] == 0

    asyncio.run(run())


def test_what_is_large_enough_is_no_reduce_only_order() -> None:
    async def run() -> None:
        async with world() as w:
            made = guards(order(Side.BUY, "0.1", "3100", instrument=PERPETUAL_ETH))
            prepared = await (await w.futures()).prepare(made, FAR)
            assert "reduceOnly" not in json.loads(prepared.payload)

    asyncio.run(run())


def test_the_maximum_fee_does_not_change_with_the_exchanges_step() -> None:
    made = order(Side.BUY, "1", "60000")
    changed = replace(RULES, step=Decimal(1))
    for fees in (IN_COIN, IN_QUOTE):
        assert fees.maximum(made, RULES) == fees.maximum(made, changed)
    fine = replace(RULES, tick=Decimal("0.001"))
    free = Fees(Decimal(0))
    assert free.maximum(made, fine) - free.maximum(made, RULES) == SPOT.notional(made.quantity, 1)


def test_a_quote_asset_too_coarse_for_what_a_trade_moves_does_not_start() -> None:
    async def run() -> None:
        async with world() as w:
            change(w, tick=Decimal("0.000001"))
            coarse = replace(SPOT, quote=Asset("USD", 10))
            with pytest.raises(ExecutionError, match=r"scale of USD.*more decimals"):
                await restarted(w, coarse)

    asyncio.run(run())


# -- pages -----------------------------------------------------------------------------------


class Repeating(Connection):
    """An exchange that tells the same pages for ever, one after the other.

    Args:
        most: pages after which the test has failed.
    """

    def __init__(self, *pages: Sequence[Any], most: int = 20) -> None:
        super().__init__(SimpleNamespace(options={}))
        self._pages = pages
        self._most = most
        self._asked = 0

    async def call(self, endpoint: str, parameters: Any = None) -> Any:
        assert self._asked < self._most, "it asks on and on"
        page = self._pages[self._asked % len(self._pages)]
        self._asked += 1
        return page


def _spot_trade(time: int) -> dict[str, Any]:
    row = {"symbol": "X", "id": 1, "orderId": 1, "isBuyer": True, "price": "1", "qty": "1"}
    return {**row, "commission": "0", "commissionAsset": "X", "time": time}


def _payments(time: int, size: int) -> list[dict[str, Any]]:
    """Of two times, so that no page is of one time alone."""
    rows = []
    for number in range(size):
        at = time + (number == size - 1)
        delta = {"coin": "X", "usdc": "1"}
        row = {"tranId": 1, "symbol": "X", "income": "1", "asset": "U", "delta": delta}
        rows.append({**row, "time": at, "fundingTime": at, "fundingRate": "0"})
    return rows


def test_a_page_of_trades_that_comes_again_is_a_doubt_and_not_an_endless_search() -> None:
    spot = BinanceSpot(Repeating([_spot_trade(1_000)]), lambda: 2_000)
    with pytest.raises(Unclear, match="again and again"):
        asyncio.run(spot.trades_since("X", 500))


@pytest.mark.parametrize("what", ["rates", "income"])
@pytest.mark.parametrize("place", ["futures", "hyperliquid"])
def test_a_page_of_funding_that_comes_again_is_a_doubt(what: str, place: str) -> None:
    size = 1_000 if place == "futures" else 500
    pages = Repeating(_payments(10, size), _payments(12, size))
    api: Any = BinanceFutures(pages, ("X",), lambda: 2_000)
    if place == "hyperliquid":
        signer: Any = None
        api = Hyperliquid(pages, signer, "0x", lambda: 1)
    asked = api.rates("X", 5, 2_000) if what == "rates" else api.income(5)
    with pytest.raises(Unclear, match="same page"):
        asyncio.run(asked)
