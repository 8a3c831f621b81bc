"""Perpetuals at Binance futures: positions, cash, funding and the dead-man timer equal a ledger."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from exchange_world import FAR, PERPETUAL, USD, World, order, world

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.domain.order import Fill, Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.margin_adapter import MarginExchangeAdapter
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.leg_state import LegState


async def trade(adapter: ExchangeAdapter, ledger: Ledger, *orders: Any) -> None:
    """Place orders that fill at once, and book what the adapter reports."""
    for made in orders:
        ledger.reserve([(made, adapter.maximum_fee(made))])
        report = await adapter.submit(await adapter.prepare(made, FAR))
        assert report.state is LegState.SETTLED
        current = made
        for told in report.executions:
            fill = Fill(
                told.exec_id,
                made.order_id,
                made.instrument,
                made.side,
                told.quantity,
                told.price,
                told.fee,
                0,
            )
            assert ledger.fill(fill, current)
            current = current.with_fill(fill)


def balances(ledger: Ledger) -> dict[str, int]:
    """Position and cash as the ledger has them."""
    book = ledger.book()
    return {"BTCP": book.position("BTC-PERP"), "ETHP": 0, "USD": book.cash}


def test_positions_and_cash_equal_the_ledger_through_opening_closing_and_turning() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            ledger = Ledger(USD, {"BTC-PERP": PERPETUAL})
            ledger.deposit(USD, USD.units(100_000), "futures", "capital")
            held = await adapter.holdings(0)
            assert held.assets == balances(ledger)
            for number, (side, quantity, price) in enumerate(
                (
                    (Side.BUY, "1.001", 60_000),
                    (Side.BUY, "0.333", 61_234),
                    (Side.SELL, "0.777", 62_345),
                    (Side.SELL, "1.111", 59_871),
                    (Side.BUY, "0.554", 58_003),
                )
            ):
                w.exchange.set_price("BTCUSDT", Decimal(price))
                limit = "70000" if side is Side.BUY else "50000"
                made = order(side, quantity, limit, "abcde"[number], PERPETUAL)
                await trade(adapter, ledger, made)
                held = await adapter.holdings(0)
                assert held.assets == balances(ledger)
                assert USD.amount(held.assets["USD"]) == w.exchange.margin_account.cash
            assert held.assets["BTCP"] == 0
            assert w.exchange.margin_account.position("BTCUSDT").cost == 0

    asyncio.run(run())


def test_funding_is_told_once_each_and_is_in_the_cash() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            made = order(Side.SELL, "0.5", "59000", instrument=PERPETUAL)
            await adapter.submit(await adapter.prepare(made, FAR))
            before = (await adapter.holdings(0)).assets["USD"]
            w.exchange.fund("BTCUSDT", Decimal("0.0001"))
            w.clock.pass_by(8 * 3600)
            since = w.clock.ms
            w.exchange.fund("BTCUSDT", Decimal("-0.00012345"))
            received = await adapter.funding(0)
            assert [USD.amount(r.amount) for r in received] == [3, Decimal("-3.7035")]
            assert {r.symbol for r in received} == {"BTC-PERP"}
            assert [r.payment_id for r in await adapter.funding(since)] == ["2"]
            after = (await adapter.holdings(0)).assets["USD"]
            assert after - before == sum(r.amount for r in received)

    asyncio.run(run())


async def _resting(w: World) -> tuple[MarginExchangeAdapter, Any]:
    adapter = await w.futures()
    made = order(Side.BUY, "0.5", "50000", instrument=PERPETUAL)
    prepared = await adapter.prepare(made, FAR)
    assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
    return adapter, prepared


def test_a_disarmed_timer_cancels_nothing_and_an_unconfirmed_one_is_told() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await _resting(w)
            await adapter.arm_dead_man(10)
            await adapter.arm_dead_man(0)
            w.clock.pass_by(100)
            assert (await adapter.status(prepared)).state is LegState.SUBMITTED
            w.exchange.faults.arm(Fault.UNAVAILABLE, "POST", "/countdownCancelAll")
            with pytest.raises(ExecutionError, match="dead-man timer"):
                await adapter.arm_dead_man(10)
            assert not (await w.spot()).capabilities.dead_man

    asyncio.run(run())


def test_too_little_margin_is_a_rejection() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            made = order(Side.BUY, "100", "60000", instrument=PERPETUAL)
            report = await adapter.submit(await adapter.prepare(made, FAR))
            assert report.state is LegState.REJECTED
            assert "Margin is insufficient" in report.detail

    asyncio.run(run())


def test_an_account_in_hedge_mode_does_not_start() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.futures_rest.hedge = True
            with pytest.raises(ExecutionError, match="one-way mode"):
                await w.futures()

    asyncio.run(run())


def test_a_commission_in_the_quote_asset_is_inside_the_quote() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.futures()
            quantity = PERPETUAL.quantity("0.5")
            bought = await adapter.quote(PERPETUAL, Side.BUY, quantity)
            sold = await adapter.quote(PERPETUAL, Side.SELL, quantity)
            assert bought is not None
            assert sold is not None
            assert USD.amount(bought.max_spent) == Decimal("30003") * Decimal("1.0005")
            assert USD.amount(sold.min_received) == Decimal("29997") * Decimal("0.9995")
            assert bought.gas == sold.gas == 0

    asyncio.run(run())
