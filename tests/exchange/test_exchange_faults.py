"""Time-outs, disconnects, bans and lies: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from exchange_world import (
    FAR,
    HYPER,
    IN_COIN,
    PERPETUAL,
    SPOT,
    World,
    order,
    placed,
    world,
)

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

SPOT_ORDER = "/api/v3/order"
WINDOW = 6.6  # recvWindow, the second ahead that is allowed, and the margin
NOT_ACTED_ON = (Fault.LOST, Fault.DROPPED, Fault.UNAVAILABLE, Fault.HTML)
ACTED_ON = (Fault.SILENT, Fault.CUT, Fault.UNAVAILABLE_AFTER)


async def ready(w: World) -> tuple[ExchangeAdapter, Prepared]:
    """A spot adapter, and a prepared purchase of 0.5 BTC that fills at once."""
    adapter = await w.spot()
    return adapter, await adapter.prepare(order(Side.BUY, "0.5", "60010"), FAR)


def bought(w: World) -> Decimal:
    """What the account's balance of BTC says."""
    return w.exchange.spot_account.total("BTC") - 10


@pytest.mark.parametrize("fault", NOT_ACTED_ON)
def test_a_placement_that_never_arrived_is_unknown_then_canceled_and_was_sent_once(
    fault: Fault,
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(fault, "POST", SPOT_ORDER)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert (await adapter.status(prepared)).state is LegState.UNKNOWN
            # It may still be on its way: nothing is sent again.
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert placed(w.exchange) == 0
            w.clock.pass_by(WINDOW)
            assert (await adapter.status(prepared)).state is LegState.CANCELED
            # It was told to have ended, and keeps to that.
            assert (await adapter.submit(prepared)).state is LegState.CANCELED
            assert bought(w) == 0
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


def test_what_is_kept_of_a_failure_holds_no_signature() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            await w.exchange.stop()
            with pytest.raises(ExecutionError) as failed:
                await adapter.holdings(0)
            assert "/api/v3/account" in str(failed.value)
            assert "?" not in str(failed.value)
            assert "signature" not in str(failed.value)

    asyncio.run(run())


def test_a_client_that_is_told_nothing_gives_up_by_its_own_clock() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.withheld = lambda headers: None  # no other time-out than the client's
            adapter._api.connection.client.timeout = 200
            w.exchange.faults.arm(Fault.SILENT, "POST", SPOT_ORDER)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert bought(w) == Decimal("0.5")

    asyncio.run(run())


@pytest.mark.parametrize("fault", NOT_ACTED_ON)
def test_a_placement_that_never_arrived_may_be_sent_again_once_it_is_void(fault: Fault) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(fault, "POST", SPOT_ORDER)
            await adapter.submit(prepared)
            w.clock.pass_by(WINDOW)
            report = await adapter.submit(prepared)
            assert report.state is LegState.SETTLED
            assert placed(w.exchange) == 1
            assert bought(w) == Decimal("0.5")

    asyncio.run(run())


@pytest.mark.parametrize("fault", ACTED_ON)
def test_a_placement_without_an_answer_is_found_by_client_id_and_never_sent_again(
    fault: Fault,
) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(fault, "POST", SPOT_ORDER)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            w.clock.pass_by(WINDOW)
            report = await adapter.submit(prepared)
            assert report.state is LegState.SETTLED
            assert sum(e.quantity for e in report.executions) == SPOT.quantity("0.5")
            assert await adapter.status(prepared) == report
            assert len(w.exchange.spot.orders) == 1
            assert bought(w) == Decimal("0.5")

    asyncio.run(run())


@pytest.mark.parametrize("fault", ACTED_ON)
def test_after_a_restart_the_exchange_is_asked_before_anything_is_sent(fault: Fault) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(fault, "POST", SPOT_ORDER)
            await adapter.submit(prepared)
            again = await w.spot()
            assert (await again.submit(prepared)).state is LegState.SETTLED
            assert len(w.exchange.spot.orders) == 1

    asyncio.run(run())


def test_after_a_restart_what_an_earlier_process_may_have_sent_is_waited_for() -> None:
    async def run() -> None:
        async with world() as w:
            _, prepared = await ready(w)  # and then it crashed, before or after sending
            again = await w.spot()
            assert (await again.submit(prepared)).state is LegState.UNKNOWN
            assert placed(w.exchange) == 0
            w.clock.pass_by(WINDOW)
            assert (await again.submit(prepared)).state is LegState.SETTLED
            assert placed(w.exchange) == 1

    asyncio.run(run())


def test_an_order_that_arrives_late_but_in_time_is_found_and_not_sent_again() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(Fault.LATE, "POST", SPOT_ORDER)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            w.clock.pass_by(4)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            w.exchange.release()
            while not w.exchange.spot.orders:
                await asyncio.sleep(0)
            assert (await adapter.submit(prepared)).state is LegState.SETTLED
            assert len(w.exchange.spot.orders) == 1

    asyncio.run(run())


def test_an_order_that_arrives_when_it_is_void_is_refused_by_the_exchange() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(Fault.LATE, "POST", SPOT_ORDER)
            await adapter.submit(prepared)
            w.clock.pass_by(WINDOW)
            assert (await adapter.status(prepared)).state is LegState.CANCELED
            w.exchange.release()
            for _ in range(50):
                await asyncio.sleep(0)
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


def test_a_request_is_void_at_the_deadline_of_its_order() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            deadline = w.clock.ms // 1000 + 2
            prepared = await adapter.prepare(order(Side.BUY, "0.5", "60010"), deadline)
            w.exchange.faults.arm(Fault.LATE, "POST", SPOT_ORDER)
            await adapter.submit(prepared)
            w.clock.pass_by(3)  # its recvWindow alone would allow five
            w.exchange.release()
            for _ in range(50):
                await asyncio.sleep(0)
            assert w.exchange.spot.orders == {}
            w.clock.pass_by(WINDOW)
            # Past its deadline it is not sent, and nothing can come of it.
            assert (await adapter.submit(prepared)).state is LegState.CANCELED
            assert placed(w.exchange) == 0

    asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault.LIMITED, Fault.BANNED])
def test_a_short_limit_on_requests_is_waited_for_and_the_order_sent_once(fault: Fault) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(fault, "POST", SPOT_ORDER)
            before = w.clock.ms
            assert (await adapter.submit(prepared)).state is LegState.SETTLED
            assert w.clock.ms - before == 1_000  # Retry-After
            assert placed(w.exchange) == 1

    asyncio.run(run())


def test_during_a_ban_nothing_is_asked_and_the_order_was_not_accepted() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.retry_after = "120"
            w.exchange.faults.arm(Fault.BANNED, "POST", SPOT_ORDER)
            seen = len(w.exchange.seen)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert (await adapter.status(prepared)).state is LegState.UNKNOWN
            assert (await adapter.cancel(prepared)).state is LegState.UNKNOWN
            assert await adapter.quote(SPOT, Side.BUY, SPOT.quantity("0.1")) is None
            assert await adapter.prices([SPOT]) == {}
            with pytest.raises(ExecutionError, match="asked to wait"):
                await adapter.holdings(0)
            assert len(w.exchange.seen) == seen
            w.clock.pass_by(120)
            assert (await adapter.status(prepared)).state is LegState.CANCELED
            assert w.exchange.spot.orders == {}

    asyncio.run(run())


def test_a_limit_that_was_met_while_an_earlier_sending_is_in_doubt_decides_nothing() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.faults.arm(Fault.SILENT, "POST", SPOT_ORDER)
            await adapter.submit(prepared)
            w.exchange.faults.arm(Fault.LIMITED, "GET", SPOT_ORDER)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            w.clock.pass_by(1)
            assert (await adapter.status(prepared)).state is LegState.SETTLED
            assert len(w.exchange.spot.orders) == 1

    asyncio.run(run())


@pytest.mark.parametrize("skew", [-8_000, 8_000])
def test_a_clock_that_is_off_is_set_by_the_exchange_and_the_order_sent_once(skew: int) -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.skew = skew
            assert (await adapter.submit(prepared)).state is LegState.SETTLED
            assert placed(w.exchange) == 1

    asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault.DUPLICATE_TRADES, Fault.SHUFFLED_TRADES])
def test_trades_told_twice_or_out_of_order_are_the_same_trades(fault: Fault) -> None:
    async def run() -> None:
        async with world(depth="6000") as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.35", "60100"), FAR)
            first = await adapter.submit(prepared)
            assert len(first.executions) == 4
            for _ in range(2):
                w.exchange.faults.arm(fault, "GET", "/myTrades")
                assert await adapter.status(prepared) == first
            w.exchange.faults.arm(fault, "GET", "/myTrades", times=9)
            held = await adapter.holdings(0)
            assert tuple(e for _, e in held.executions) == first.executions

    asyncio.run(run())


def test_a_trade_that_is_missing_is_a_doubt_until_it_is_told() -> None:
    async def run() -> None:
        async with world(depth="6000") as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.35", "60100"), FAR)
            first = await adapter.submit(prepared)
            w.exchange.faults.arm(Fault.MISSING_TRADE, "GET", "/myTrades")
            doubt = await adapter.status(prepared)
            assert doubt.state is LegState.UNKNOWN
            assert doubt.executions == ()
            assert "0.35 executed, but trades of 0.3" in doubt.detail
            assert await adapter.status(prepared) == first

    asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.UNAVAILABLE, Fault.HTML])
def test_a_question_without_an_answer_is_a_doubt_and_decides_nothing(fault: Fault) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.5", "50000"), FAR)
            assert (await adapter.submit(prepared)).state is LegState.SUBMITTED
            w.exchange.faults.arm(fault, "GET", SPOT_ORDER)
            assert (await adapter.status(prepared)).state is LegState.UNKNOWN
            w.exchange.faults.arm(fault, "DELETE", SPOT_ORDER)
            assert (await adapter.cancel(prepared)).state is LegState.UNKNOWN
            w.exchange.faults.clear()
            assert (await adapter.cancel(prepared)).state is LegState.CANCELED

    asyncio.run(run())


def test_an_order_that_was_seen_is_never_taken_for_one_that_did_not_arrive() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.5", "50000"), FAR)
            await adapter.submit(prepared)
            w.exchange.spot._by_client.clear()  # the exchange forgets
            w.clock.pass_by(1_000)
            assert (await adapter.status(prepared)).state is LegState.UNKNOWN
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert placed(w.exchange) == 1

    asyncio.run(run())


def test_a_client_id_that_somebody_uses_again_is_a_doubt_not_our_order() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            first = await adapter.submit(prepared)
            assert first.state is LegState.SETTLED
            # As on the real exchange, the id of an order that ended is taken again.
            foreign = {"quantity": "0.25", "price": "60010", "timeInForce": "GTC"}
            foreign |= {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT"}
            client = adapter._api.connection.client  # type: ignore[attr-defined]
            await client.privatePostOrder({**foreign, "newClientOrderId": prepared.reference})
            doubt = await adapter.status(prepared)
            assert doubt.state is LegState.UNKNOWN
            assert "was not sent for it" in doubt.detail
            held = await adapter.holdings(0)
            assert len(held.executions) == len(first.executions) + 1

    asyncio.run(run())


def test_a_lying_balance_differs_from_the_trades() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            await adapter.submit(prepared)
            honest = await adapter.holdings(0)
            w.exchange.faults.arm(Fault.LYING_BALANCE, "GET", "/account")
            lied = await adapter.holdings(0)
            assert lied.executions == honest.executions
            assert lied.assets["BTC"] == honest.assets["BTC"] + 1

    asyncio.run(run())


def test_a_refusal_because_of_a_duplicate_finds_the_order_that_is_there() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            resting = order(Side.BUY, "0.5", "50000")
            await adapter.submit(await adapter.prepare(resting, FAR))
            # Prepared again by another process that has forgotten: its first sending is refused.
            again = await w.spot()
            report = await again.submit(await again.prepare(resting, FAR))
            assert report.state is LegState.SUBMITTED
            assert len(w.exchange.spot.orders) == 1

    asyncio.run(run())


@pytest.mark.parametrize("fault", [*NOT_ACTED_ON, *ACTED_ON])
@pytest.mark.parametrize("venue", ["futures", "hyper"])
def test_each_fault_ends_right_at_the_other_venues_too(fault: Fault, venue: str) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await (w.futures() if venue == "futures" else w.hyper())
            instrument = PERPETUAL if venue == "futures" else HYPER
            path = "/fapi/v1/order" if venue == "futures" else "/exchange"
            engine = w.exchange.futures if venue == "futures" else w.exchange.hyperliquid
            made = order(Side.BUY, "0.5", "60010", instrument=instrument)
            prepared = await adapter.prepare(made, FAR)
            w.exchange.faults.arm(fault, "POST", path)
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            await adapter.submit(prepared)
            assert len(engine.orders) <= 1
            w.clock.pass_by(WINDOW)
            report = await adapter.status(prepared)
            if fault in ACTED_ON or engine.orders:
                assert report.state is LegState.SETTLED
                assert sum(e.quantity for e in report.executions) == instrument.quantity("0.5")
            else:
                assert report.state is LegState.CANCELED
            w.exchange.faults.clear()
            assert (await adapter.submit(prepared)).state is not LegState.UNKNOWN
            assert len(engine.orders) <= 1

    asyncio.run(run())


def test_without_the_coin_a_buy_is_charged_in_what_it_buys_and_that_is_a_doubt() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.spot()
            prepared = await adapter.prepare(order(Side.BUY, "0.12345", "60010"), FAR)
            w.exchange.spot_account.free["BNB"] = Decimal(0)
            report = await adapter.submit(prepared)
            assert report.state is LegState.UNKNOWN
            assert report.executions == ()
            assert "no whole number of lots" in report.detail
            with pytest.raises(ExecutionError, match="prepaid coin"):
                await adapter.start()
            with pytest.raises(ExecutionError, match="prepaid coin"):
                await adapter.prepare(order(Side.BUY, "0.5", "60010", "b"), FAR)

    asyncio.run(run())


def test_a_commission_of_whole_lots_in_what_was_bought_is_booked_net() -> None:
    async def run() -> None:
        async with world() as w:
            adapter, prepared = await ready(w)
            w.exchange.spot_account.free["BNB"] = Decimal(0)
            report = await adapter.submit(prepared)
            assert report.state is LegState.CANCELED  # filled, but less than 0.5 arrived
            (trade,) = report.executions
            assert SPOT.base.amount(trade.quantity) == bought(w) == Decimal("0.4995")
            spent = SPOT.notional(trade.quantity, trade.price) + trade.fee
            assert SPOT.quote.amount(spent) == 1_000_000 - w.exchange.spot_account.total("USDT")
            assert trade.fee <= adapter.maximum_fee(order(Side.BUY, "0.5", "60010"))

    asyncio.run(run())


def test_an_account_that_does_not_pay_in_the_coin_does_not_start() -> None:
    async def run() -> None:
        async with world() as w:
            w.exchange.spot_account.burn = False
            with pytest.raises(ExecutionError, match="charged in what they buy"):
                await w.spot(IN_COIN)

    asyncio.run(run())
