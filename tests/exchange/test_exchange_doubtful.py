"""Trades that cannot be booked are told as that, beside everything else that an account has."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from exchange_world import FAR, SPOT, order, world

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.domain.order import Side
from agent_fund.execution.live.leg_state import LegState


def test_a_strangers_trade_in_doubt_keeps_nothing_else_from_being_told() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            own = await adapter.prepare(order(Side.BUY, "0.5", "60010"), FAR)
            assert (await adapter.submit(own)).state is LegState.SETTLED
            account, engine = w.exchange.spot_account, w.exchange.spot
            account.burn = False
            grain = Decimal("0.12345")
            engine.place(engine.symbols["BTCUSDT"], "stranger", True, Decimal(70_000), grain, "IOC")
            account.burn = True
            resting = await adapter.prepare(order(Side.BUY, "0.5", "50000", "b"), FAR)
            await adapter.submit(resting)
            held = await adapter.holdings(0)
            assert {reference for reference, _ in held.executions} == {own.reference}
            (doubt,) = held.doubtful
            assert doubt.reference == "stranger"
            assert "no whole number of lots" in doubt.reason
            assert held.open_references == (resting.reference,)
            assert SPOT.base.amount(held.assets["BTC"]) == account.total("BTC")
            assert SPOT.quote.amount(held.assets["USD"]) == account.total("USDT")

    asyncio.run(run())


def test_a_trade_that_is_told_in_two_versions_is_in_doubt_and_not_among_the_executions() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            own = await adapter.prepare(order(Side.BUY, "0.5", "60010"), FAR)
            (trade,) = (await adapter.submit(own)).executions
            told = adapter._api.trades_since

            async def twice(market, since):  # type: ignore[no-untyped-def]
                ((reference, one),) = await told(market, since)
                other = type(one)(**{**vars(one), "price": one.price + 1})
                return [(reference, one), (reference, other)]

            adapter._api.trades_since = twice  # type: ignore[method-assign]
            held = await adapter.holdings(0)
            assert held.executions == ()
            (doubt,) = held.doubtful
            assert (doubt.exec_id, doubt.reason) == (trade.exec_id, "it was told in two versions")

    asyncio.run(run())


def test_a_trade_that_is_told_twice_is_in_no_doubt() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            own = await adapter.prepare(order(Side.BUY, "0.5", "60010"), FAR)
            report = await adapter.submit(own)
            w.exchange.faults.arm(Fault.DUPLICATE_TRADES, "GET", "/myTrades")
            held = await adapter.holdings(0)
            assert tuple(trade for _, trade in held.executions) == report.executions
            assert held.doubtful == ()

    asyncio.run(run())
