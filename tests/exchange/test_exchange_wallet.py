"""Currency between the wallets of one account: moved once or not at all, whatever is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from exchange_world import USD, Keys, World, placed, world

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.wallet_rest import TO_FUTURES
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.connect import binance_wallet
from agent_fund.execution.exchange.wallet_carrier import WalletCarrier
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

PATH = "/sapi/v1/asset/transfer"
HELD = {"binance": Decimal(1_000_000), "futures": Decimal(100_000)}
VOID, FORGOTTEN = 7, 40
"""Seconds after which a request is certainly void, and after which its row would be seen."""


def transit(
    amount: str = "250.5", source: str = "binance", target: str = "futures", name: str = "t1"
) -> Transit:
    return Transit(name, Transfer(USD.units(amount), source, target), 1)


def balances(w: World) -> dict[str, Decimal]:
    return {
        "binance": w.exchange.spot_account.total("USDT"),
        "futures": w.exchange.margin_account.wallet,
    }


def moved(w: World) -> Decimal:
    """What has gone from spot to futures, checked at both ends."""
    now = balances(w)
    gone = HELD["binance"] - now["binance"]
    assert now["futures"] - HELD["futures"] == gone
    return gone


async def prepared(w: World, carrier: WalletCarrier, one: Transit, seconds: int = 600) -> Prepared:
    return await carrier.prepare(one, one.transfer.amount, w.clock.ms // 1000 + seconds)


def on_wallets(check: Callable[[World], Awaitable[None]], **terms: Any) -> None:
    async def run() -> None:
        async with world(**terms) as made:
            await check(made)

    asyncio.run(run())


def test_it_moves_the_exact_amount_at_no_cost_and_back() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        for source, target in (("binance", "futures"), ("futures", "binance")):
            one = transit("250.12345678", source, target, name=source)
            quote = await carrier.quote(source, target, one.transfer.amount)
            assert quote is not None
            assert (quote.min_received, quote.gas, quote.trusted) == (one.transfer.amount, 0, "")
            made = await prepared(w, carrier, one)
            assert not moved(w) or source == "futures"
            report = await carrier.submit(made)
            assert (report.state, report.received) == (LegState.SETTLED, one.transfer.amount)
            assert moved(w) == (Decimal("250.12345678") if source == "binance" else 0)
        assert placed(w.exchange, PATH) == 2

    on_wallets(check)


def test_it_serves_its_two_venues_only_and_refuses_what_it_cannot_carry() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        assert carrier.carries("binance", "futures")
        assert carrier.carries("futures", "binance")
        assert not carrier.carries("binance", "hyperliquid")
        assert not carrier.carries("binance", "binance")
        assert await carrier.quote("binance", "hyperliquid", 10**18) is None
        far = w.clock.ms // 1000 + 600
        for one, least, deadline, words in (
            (transit(target="hyperliquid"), 1, far, "serves"),
            (transit(), 0, far, "ask for something"),
            (transit(), USD.units("250.6"), far, "no more than"),
            (transit(), 1, w.clock.ms // 1000, "more time"),
        ):
            with pytest.raises(ExecutionError, match=words):
                await carrier.prepare(one, least, deadline)
        assert not placed(w.exchange, PATH)

    on_wallets(check)


def test_an_amount_finer_than_the_exchange_knows_is_refused_before_anything_is_sent() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        amount = USD.units("1.000000001")
        assert await carrier.quote("binance", "futures", amount) is None
        with pytest.raises(ExecutionError, match="8 decimals"):
            await prepared(w, carrier, transit("1.000000001"))
        assert not placed(w.exchange, PATH)

    on_wallets(check)


def test_a_key_that_may_not_move_money_is_refused_at_the_start() -> None:
    async def check(w: World) -> None:
        w.exchange.wallets.permitted = False
        with pytest.raises(ExecutionError, match="universal transfers"):
            await w.carrier()

    on_wallets(check)


def test_two_venues_with_different_assets_are_refused_at_the_start() -> None:
    async def check(w: World) -> None:
        spot, hyper = await w.spot(), await w.hyper()
        carrier = binance_wallet("wallet", Keys(), USD, spot, hyper, w.setting)
        try:
            with pytest.raises(ExecutionError, match="different assets"):
                await carrier.start()
        finally:
            await carrier.close()

    on_wallets(check)


@pytest.mark.parametrize(
    ("fault", "acts"),
    [
        (Fault.LOST, False),
        (Fault.SILENT, True),
        (Fault.CUT, True),
        (Fault.DROPPED, False),
        (Fault.BANNED, False),
        (Fault.UNAVAILABLE, False),
        (Fault.UNAVAILABLE_AFTER, True),
        (Fault.HTML, False),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_a_lost_answer_is_told_by_the_history_and_nothing_is_sent_twice(
    fault: Fault, acts: bool, restart: bool
) -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        w.exchange.faults.retry_after = "60"
        w.exchange.faults.arm(fault, "POST", PATH)
        made = await prepared(w, carrier, transit())
        states = [(await carrier.submit(made)).state]
        if restart:
            carrier = await w.carrier()
        for _ in range(2):
            states.append((await carrier.submit(made)).state)
        assert set(states) == {LegState.UNKNOWN}
        w.clock.pass_by(VOID)
        early = await carrier.submit(made)
        w.clock.pass_by(FORGOTTEN + 60)
        report = await carrier.submit(made)
        if acts:
            assert early.state is LegState.SETTLED
            assert (report.state, report.received) == (LegState.SETTLED, USD.units("250.5"))
        else:
            assert report.state is LegState.CANCELED
        assert moved(w) == (Decimal("250.5") if acts else 0)
        assert len(w.exchange.wallets.transfers) == int(acts)
        assert (await carrier.submit(made)).state is report.state
        assert len(w.exchange.wallets.transfers) == int(acts)

    on_wallets(check)


@pytest.mark.parametrize("seconds", [1, VOID])
def test_a_request_that_arrives_late_is_acted_on_in_its_window_or_never(seconds: int) -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        w.exchange.faults.arm(Fault.LATE, "POST", PATH)
        made = await prepared(w, carrier, transit())
        assert (await carrier.submit(made)).state is LegState.UNKNOWN
        w.clock.pass_by(seconds)
        assert (await carrier.status(made)).state is LegState.UNKNOWN
        w.exchange.release()
        for _ in range(20):
            await asyncio.sleep(0)
        w.clock.pass_by(FORGOTTEN)
        acted = seconds == 1
        report = await carrier.status(made)
        assert report.state is (LegState.SETTLED if acted else LegState.CANCELED)
        assert moved(w) == (Decimal("250.5") if acted else 0)

    on_wallets(check)


def test_a_request_is_void_at_its_deadline() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        w.exchange.faults.arm(Fault.LATE, "POST", PATH)
        made = await prepared(w, carrier, transit(), seconds=2)
        assert made.deadline == w.clock.ms // 1000 + 2
        await carrier.submit(made)
        w.clock.pass_by(3)
        w.exchange.release()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not moved(w)

    on_wallets(check)


def test_a_short_limit_on_requests_is_waited_for_and_the_transfer_goes_out() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        w.exchange.faults.arm(Fault.LIMITED, "POST", PATH)
        made = await prepared(w, carrier, transit())
        assert (await carrier.submit(made)).state is LegState.SETTLED
        assert moved(w) == Decimal("250.5")

    on_wallets(check)


def test_what_was_turned_away_unread_can_be_sent_again_until_it_is_void() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        w.exchange.faults.retry_after = "3"
        w.exchange.faults.arm(Fault.BANNED, "POST", PATH, times=2)
        one = await prepared(w, carrier, transit())
        assert (await carrier.submit(one)).state is LegState.UNKNOWN
        assert await carrier.quote("binance", "futures", 10**18) is None  # nothing is asked now
        w.clock.pass_by(3)
        assert (await carrier.submit(one)).state is LegState.UNKNOWN
        w.clock.pass_by(3)
        report = await carrier.status(one)
        assert (report.state, moved(w)) == (LegState.CANCELED, 0)
        other = await prepared(w, carrier, transit(name="t2"))
        w.exchange.faults.arm(Fault.BANNED, "POST", PATH)
        await carrier.submit(other)
        w.clock.pass_by(3)
        assert (await carrier.submit(other)).state is LegState.SETTLED
        assert (await carrier.submit(one)).state is LegState.CANCELED
        assert moved(w) == Decimal("250.5")

    on_wallets(check)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.CUT, Fault.UNAVAILABLE, Fault.LIMITED])
def test_a_history_that_does_not_answer_leaves_a_doubt(fault: Fault) -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.faults.arm(fault, "GET", PATH)
        assert (await carrier.submit(made)).state is LegState.UNKNOWN
        w.clock.pass_by(FORGOTTEN)
        assert (await carrier.status(made)).state is LegState.SETTLED

    on_wallets(check)


def test_a_history_that_is_behind_does_not_bring_the_money_back() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.faults.arm(Fault.MISSING_TRADE, "GET", PATH)
        assert (await carrier.submit(made)).state is LegState.SUBMITTED  # it was answered
        carrier = await w.carrier()
        w.clock.pass_by(VOID)
        w.exchange.faults.arm(Fault.MISSING_TRADE, "GET", PATH)
        report = await carrier.status(made)
        assert report.state is LegState.UNKNOWN
        assert "may still come to be seen" in report.detail
        assert (await carrier.status(made)).state is LegState.SETTLED

    on_wallets(check)


def test_a_history_out_of_order_or_told_twice_is_the_same_history() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.faults.arm(Fault.SILENT, "POST", PATH)
        await carrier.submit(made)
        w.exchange.wallets.move(TO_FUTURES, "USDT", Decimal(1))
        w.clock.pass_by(VOID)
        for fault in (Fault.DUPLICATE_TRADES, Fault.SHUFFLED_TRADES):
            w.exchange.faults.arm(fault, "GET", PATH)
            assert (await (await w.carrier()).status(made)).state is LegState.SETTLED

    on_wallets(check)


def test_every_page_of_the_history_is_read() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.faults.arm(Fault.SILENT, "POST", PATH)
        await carrier.submit(made)
        for _ in range(250):
            w.exchange.wallets.move(TO_FUTURES, "USDT", Decimal(1))
        w.clock.pass_by(FORGOTTEN)
        assert (await carrier.status(made)).state is LegState.SETTLED

    on_wallets(check)


@pytest.mark.parametrize("direction", ["binance", "futures"])
def test_what_is_not_available_is_refused_and_nothing_moves(direction: str) -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        if direction == "binance":
            one = transit("1000000.00000001")
        else:  # the short needs 5 % of 60,000 as margin
            held = w.exchange.margin_account.position("BTCUSDT")
            held.quantity, held.cost = Decimal(-1), Decimal(-60_000)
            one = transit("97000.00000001", "futures", "binance")
        report = await carrier.submit(await prepared(w, carrier, one))
        assert report.state is LegState.REJECTED
        assert "insufficient balance" in report.detail
        assert balances(w) == HELD
        if direction == "futures":
            most = transit("97000", "futures", "binance", name="t2")
            report = await carrier.submit(await prepared(w, carrier, most))
            assert report.state is LegState.SETTLED
            with pytest.raises(Refusal):
                w.exchange.wallets.move("UMFUTURE_MAIN", "USDT", Decimal("0.00000001"))

    on_wallets(check)


def test_a_transfer_of_somebody_else_at_the_same_time_is_a_doubt_for_a_person() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.faults.arm(Fault.SILENT, "POST", PATH)
        await carrier.submit(made)
        w.exchange.wallets.move(TO_FUTURES, "USDT", Decimal("250.5"))
        w.clock.pass_by(FORGOTTEN)
        for one in (carrier, await w.carrier()):
            report = await one.submit(made)
            assert report.state is LegState.UNKNOWN
            ids = [str(row.tran_id) for row in w.exchange.wallets.transfers]
            assert all(name in report.detail for name in ids)
            assert "both balances" in report.detail
        assert placed(w.exchange, PATH) == 1

    on_wallets(check)


def test_an_answer_tells_the_transfer_from_one_of_somebody_else() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        w.exchange.wallets.move(TO_FUTURES, "USDT", Decimal("250.5"))
        assert (await carrier.submit(made)).state is LegState.SETTLED

    on_wallets(check)


def test_an_earlier_transfer_of_the_same_amount_is_not_taken_for_a_lost_one() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        first = await prepared(w, carrier, transit(name="t1"))
        assert (await carrier.submit(first)).state is LegState.SETTLED
        # Even if the history does not show it just then: the carrier itself knows it.
        w.exchange.faults.arm(Fault.MISSING_TRADE, "GET", PATH)
        second = await prepared(w, carrier, transit(name="t2"))
        w.exchange.faults.arm(Fault.DROPPED, "POST", PATH)
        assert (await carrier.submit(second)).state is LegState.UNKNOWN
        w.clock.pass_by(FORGOTTEN)
        assert (await (await w.carrier()).status(second)).state is LegState.CANCELED
        assert moved(w) == Decimal("250.5")

    on_wallets(check)


def test_the_same_amount_is_not_prepared_again_while_it_may_still_arrive() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        first = await prepared(w, carrier, transit(name="t1"))
        w.exchange.faults.arm(Fault.LATE, "POST", PATH)
        await carrier.submit(first)
        carrier = await w.carrier()
        await carrier.status(first)  # as at every start
        with pytest.raises(ExecutionError, match="t1 is the same and under way"):
            await prepared(w, carrier, transit(name="t2"))
        for other in (transit("250.4", name="t3"), transit("250.5", "futures", "binance", "t4")):
            assert (
                await carrier.submit(await prepared(w, carrier, other))
            ).state is LegState.SETTLED
        w.clock.pass_by(FORGOTTEN)
        assert (await carrier.status(first)).state is LegState.CANCELED
        again = await prepared(w, carrier, transit(name="t5"))
        assert (await carrier.submit(again)).state is LegState.SETTLED

    on_wallets(check)


@pytest.mark.parametrize("failed", [False, True])
def test_a_transfer_that_is_pending_ends_as_the_exchange_says(failed: bool) -> None:
    async def check(w: World) -> None:
        w.exchange.wallets.slow = True
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        assert (await carrier.submit(made)).state is LegState.SUBMITTED
        carrier = await w.carrier()
        w.clock.pass_by(FORGOTTEN)
        assert (await carrier.submit(made)).state is LegState.SUBMITTED
        w.exchange.wallets.end(w.exchange.wallets.transfers[0], failed)
        report = await carrier.status(made)
        assert report.state is (LegState.REJECTED if failed else LegState.SETTLED)
        assert moved(w) == (0 if failed else Decimal("250.5"))

    on_wallets(check)


def test_a_local_clock_that_is_off_changes_nothing() -> None:
    async def check(w: World) -> None:
        w.exchange.skew = -90_000
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        assert (await carrier.submit(made)).state is LegState.SETTLED

    on_wallets(check)


def test_an_exchange_that_does_not_answer_prepares_nothing() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        for path in ("/api/v3/time", PATH):
            w.exchange.faults.arm(Fault.UNAVAILABLE, "GET", path)
            with pytest.raises(ExecutionError, match="nothing was sent"):
                await prepared(w, carrier, transit())

    on_wallets(check)


def test_no_secret_stands_in_what_is_kept() -> None:
    async def check(w: World) -> None:
        carrier = await w.carrier()
        made = await prepared(w, carrier, transit())
        assert Keys().reveal() not in repr(made)
        assert Keys.key not in repr(made)
        assert (await carrier.bump(made)) is None

    on_wallets(check)
