"""The prepaid coin: without enough of it nothing starts, and it is none of what is traded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from exchange_world import FAR, IN_COIN, PERPETUAL, USD, Keys, order, world

from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.connect import binance_futures
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.prepaid_coin import PrepaidCoin
from agent_fund.execution.live.leg_state import LegState


@pytest.mark.parametrize("reserve", [Decimal(0), Decimal(-1)])
def test_a_prepaid_coin_has_a_reserve(reserve: Decimal) -> None:
    with pytest.raises(ExecutionError, match="reserve of BNB"):
        Fees(Decimal("0.001"), "BNB", reserve)
    assert Fees(Decimal("0.001")).reserve == 0


@pytest.mark.parametrize("there", ["0", "0.09999999"])
def test_an_account_without_the_reserve_does_not_start(there: str) -> None:
    async def run() -> None:
        funds = {"USDT": Decimal(1_000_000), "BNB": Decimal(there)}
        async with world(funds=funds) as w:
            with pytest.raises(ExecutionError, match=r"hold 0\.1 or more"):
                await w.spot()
            assert not w.exchange.spot.orders
            w.exchange.spot_account.free["BNB"] = Decimal("0.1")
            await w.spot()

    asyncio.run(run())


@pytest.mark.parametrize("asset", ["base", "quote"])
def test_a_coin_that_is_traded_pays_no_commissions(asset: str) -> None:
    named = {"base": "BTC", "quote": "USDT", asset: "BNB"}
    grain = Decimal("0.001")
    rules = MarketRules("X", named["base"], named["quote"], grain, grain, grain, None, grain, grain)
    coin = PrepaidCoin(IN_COIN)
    with pytest.raises(ExecutionError, match="X trades it"):
        coin.compare("exchange", {"X": rules})
    PrepaidCoin(Fees(IN_COIN.rate)).compare("exchange", {"X": rules})


def test_a_market_of_the_coin_does_not_start() -> None:
    async def run() -> None:
        async with world() as w:
            symbols = w.exchange.spot.symbols
            symbols["BTCUSDT"] = replace(symbols["BTCUSDT"], base="BNB")
            with pytest.raises(ExecutionError, match="BTCUSDT trades it"):
                await w.spot()

    asyncio.run(run())


def test_a_futures_account_may_pay_in_the_coin_and_its_cash_stays_exact() -> None:
    async def run() -> None:
        async with world() as w:
            account = w.exchange.margin_account
            account.burn, account.coins = True, Decimal(5)
            fees = Fees(Decimal("0.0005"), "BNB", Decimal("0.1"))
            adapter = binance_futures("futures", Keys(), {PERPETUAL: "BTCUSDT"}, fees, w.setting)
            w.made.append(adapter)
            await adapter.start()
            made = order(Side.BUY, "0.5", "60100", instrument=PERPETUAL)
            report = await adapter.submit(await adapter.prepare(made, FAR))
            assert report.state is LegState.SETTLED
            assert {trade.fee for trade in report.executions} == {0}
            assert Decimal(report.gas).scaleb(-8) == 5 - account.coins > 0
            held = await adapter.holdings(0)
            assert USD.amount(held.assets["USD"]) == account.cash
            assert held.coin is not None
            assert Decimal(held.coin).scaleb(-8) == account.coins

    asyncio.run(run())


def test_a_futures_account_without_the_reserve_of_its_coin_does_not_start() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.margin_account.burn = True
            fees = Fees(Decimal("0.0005"), "BNB", Decimal("0.1"))
            adapter = binance_futures("futures", Keys(), {PERPETUAL: "BTCUSDT"}, fees, w.setting)
            w.made.append(adapter)
            with pytest.raises(ExecutionError, match=r"hold 0\.1 or more"):
                await adapter.start()

    asyncio.run(run())
