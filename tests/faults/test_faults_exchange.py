"""What exchanges do to an order, through desk and ledger: silence, repetition, bans, lies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from faults_stage import LINES, PRICE, USD, Stage
from faults_world import Fund, Process, order, process

from agent_fund.devnet.exchange.decimals import EXACT
from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.packages import missing
from agent_fund.devnet.plan import EXCHANGE
from agent_fund.domain.order import Order, Purpose, Side, Status
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.live_clearing import LiveClearing
from agent_fund.execution.live.tape import Tape
from agent_fund.paper.reconcile import Reconciler

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
ORDER, TRADES, ACCOUNT = "/api/v3/order", "/api/v3/myTrades", "/api/v3/account"


@pytest.fixture(autouse=True)
def mended(stage: Stage) -> Iterator[None]:
    """Afterwards nothing goes wrong any more, and nothing hangs."""
    yield

    async def restore() -> None:
        exchange = stage.network.exchange
        exchange.faults.clear()
        exchange.release()
        with localcontext(EXACT):
            for resting in exchange.spot.open_orders():
                exchange.spot.cancel(resting)
        exchange.set_price("ETHUSDT", PRICE)

    stage.run(restore())


def buy(quantity: str = "0.1", limit: str = "1500") -> Order:
    return order(EXCHANGE, Side.BUY, quantity, limit)


def wait_until_ended(fund: Process, made: Order) -> Status:
    """Bars until the desk has no open order; how ``made`` ended."""
    for bar in range(1, 15):
        fund.bar(bar)
        if not fund.desk.open_orders:
            return fund.legs.leg(made.order_id).state.status
    raise AssertionError(fund.desk.open_orders)


def placements(stage: Stage, made: Order) -> int:
    seen = stage.network.exchange.seen
    return sum(
        method == "POST" and sent.get("newClientOrderId") == made.order_id
        for method, _, sent in seen
    )


@pytest.mark.parametrize(
    ("fault", "first", "traded"),
    [
        (Fault.LOST, Status.UNKNOWN, False),
        (Fault.DROPPED, Status.UNKNOWN, False),
        (Fault.UNAVAILABLE, Status.UNKNOWN, False),
        (Fault.HTML, Status.UNKNOWN, False),
        (Fault.SILENT, Status.UNKNOWN, True),
        (Fault.CUT, Status.UNKNOWN, True),
        (Fault.UNAVAILABLE_AFTER, Status.UNKNOWN, True),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_answer_that_does_not_come_is_a_doubt_until_the_exchange_is_asked(
    stage: Stage,
    fund: Fund,
    tmp_path: Path,
    fault: Fault,
    first: Status,
    traded: bool,
) -> None:
    with process(stage, fund, tmp_path, EXCHANGE) as one:
        before = stage.truth(EXCHANGE)
        stage.network.exchange.faults.arm(fault, "POST", ORDER)
        made = buy()
        (sent,) = one.desk.send([made], 0)
        assert sent.status is first
        assert one.books(EXCHANGE) == before  # a doubt moves nothing, and gives nothing back
        (waiting,) = one.desk.open_orders
        assert one.desk.book().open_orders == (waiting,)
        assert wait_until_ended(one, made) is (Status.FILLED if traded else Status.CANCELED)
        assert (stage.truth(EXCHANGE) != before) == traded
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        assert placements(stage, made) <= 1
        assert not one.alarms.all()


def test_an_order_that_arrives_after_the_client_gave_up_is_found_and_booked_once(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    with process(stage, fund, tmp_path, EXCHANGE) as one:
        stage.network.exchange.faults.arm(Fault.LATE, "POST", ORDER)
        made = buy()
        (sent,) = one.desk.send([made], 0)
        assert sent.status is Status.UNKNOWN
        one.tend()  # it is not there yet, and may still come
        assert one.legs.leg(made.order_id).state is LegState.UNKNOWN
        assert not placements(stage, made)

        async def release() -> None:
            stage.network.exchange.release()

        stage.run(release())
        while not placements(stage, made):
            time.sleep(0.005)
        assert wait_until_ended(one, made) is Status.FILLED
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        assert placements(stage, made) == 1


@pytest.fixture
def thin(stage: Stage) -> Iterator[None]:
    """A book of which an order takes several levels."""
    exchange = stage.network.exchange
    deep, exchange._maker = exchange._maker, MarketMaker(depth=Decimal(36))
    exchange.set_price("ETHUSDT", PRICE)
    yield
    exchange._maker = deep


@pytest.mark.parametrize(
    "fault",
    [Fault.DUPLICATE_TRADES, Fault.SHUFFLED_TRADES, Fault.MISSING_TRADE],
    ids=lambda fault: fault.name,
)
def test_trades_told_twice_or_out_of_order_or_in_part_are_booked_once_each(
    stage: Stage, fund: Fund, tmp_path: Path, thin: None, fault: Fault
) -> None:
    faults = stage.network.exchange.faults
    with process(stage, fund, tmp_path, EXCHANGE) as one:
        before = stage.truth(EXCHANGE)
        faults.arm(Fault.CUT, "POST", ORDER)  # so that its trades have to be asked for
        faults.arm(fault, "GET", TRADES, times=4)
        made = buy()
        one.desk.send([made], 0)
        assert wait_until_ended(one, made) is Status.FILLED
        assert stage.truth(EXCHANGE)[1] == before[1] + made.quantity
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        trades = stage.network.exchange.spot.trades
        own = {str(t.trade_id) for t in trades if t.order.client_id == made.order_id}
        told = [e.exec_id for e in one.legs.executions(made.order_id)]
        assert len(told) == len(own) >= 3
        assert {exec_id.rpartition("-")[2] for exec_id in told} == own
        assert not one.alarms.all()


def test_an_order_fills_in_parts_over_bars_and_each_part_is_booked_when_it_is_told(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    engine = stage.network.exchange.spot
    symbol = engine.symbols["ETHUSDT"]

    async def sell(quantity: str) -> None:
        with localcontext(EXACT):
            engine.withdraw(symbol)  # so that nobody else buys it
            engine.quote(symbol, False, Decimal("1100.00"), Decimal(quantity))

    with process(stage, fund, tmp_path, EXCHANGE) as one:
        made = buy("0.1", "1100")
        one.desk.send([made], 0)
        for bar, part in enumerate(["0.03", "0.05"], start=1):
            stage.network.exchange.faults.arm(Fault.DUPLICATE_TRADES, "GET", TRADES)
            stage.run(sell(part))
            one.bar(bar)
            assert one.desk.open_orders[0].status is Status.PARTIAL
            assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        one.desk.cancel(one.desk.open_orders, 2)
        one.bar(3)
        assert not one.desk.open_orders
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        assert one.legs.leg(made.order_id).state is LegState.CANCELED


def test_silence_after_a_part_was_filled_takes_nothing_back_and_raises_no_alarm(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    exchange = stage.network.exchange
    engine, symbol = exchange.spot, exchange.spot.symbols["ETHUSDT"]

    async def sell() -> None:
        with localcontext(EXACT):
            engine.withdraw(symbol)  # so that nobody else buys it
            engine.quote(symbol, False, Decimal("1100.00"), Decimal("0.03"))

    with process(stage, fund, tmp_path, EXCHANGE) as one:
        made = buy("0.1", "1100")
        one.desk.send([made], 0)
        stage.run(sell())
        one.bar(1)
        booked = one.books(EXCHANGE)
        assert booked == stage.truth(EXCHANGE)
        exchange.faults.arm(Fault.UNAVAILABLE, "GET", ORDER, times=10)
        one.bar(2)
        assert one.desk.open_orders[0].status is Status.UNKNOWN
        exchange.faults.clear()
        one.bar(3)
        assert one.desk.open_orders[0].status is Status.PARTIAL
        assert not one.alarms.all()
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE) == booked


def test_a_ban_is_kept_to_and_its_order_never_arrives(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    exchange = stage.network.exchange
    exchange.faults.retry_after = "60"
    try:
        with process(stage, fund, tmp_path, EXCHANGE) as one:
            before = stage.truth(EXCHANGE)
            exchange.faults.arm(Fault.BANNED, "POST", ORDER)
            made = buy()
            (sent,) = one.desk.send([made], 0)
            assert sent.status is Status.UNKNOWN
            asked = len(exchange.seen)
            for bar in range(1, 5):
                one.bar(bar)
                assert one.desk.open_orders[0].status is Status.UNKNOWN
            assert len(exchange.seen) == asked  # not a word while it lasts
            fund.skew += 60
            assert wait_until_ended(one, made) is Status.CANCELED
            assert one.books(EXCHANGE) == stage.truth(EXCHANGE) == before
    finally:
        exchange.faults.retry_after = "1"


def test_a_limit_that_passes_soon_delays_an_order_and_does_not_double_it(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    exchange = stage.network.exchange
    exchange.faults.retry_after = "0"
    try:
        with process(stage, fund, tmp_path, EXCHANGE) as one:
            exchange.faults.arm(Fault.LIMITED, "POST", ORDER, times=2)
            made = buy()
            one.desk.send([made], 0)
            assert wait_until_ended(one, made) is Status.FILLED
            assert placements(stage, made) == 1
            assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
    finally:
        exchange.faults.retry_after = "1"


def reconciler(stage: Stage, one: Process) -> Callable[[], None]:
    """Compares the books with the exchange, trades from now on included."""
    made = Reconciler(
        {EXCHANGE: one.adapters[EXCHANGE]},
        {"ETH": LINES["ETH"]},
        USD,
        one.legs,
        one.alarms,
        one.run,
        time.time_ns() // 1_000_000,
        LiveClearing({}, Tape(one.file), one.alarms, one.run, lambda: 0, 0),
    )
    return lambda: made.compare(one.ledger, one.desk.book())


def test_a_venue_that_says_less_than_the_books_takes_no_orders_but_the_guards_way_out(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    account = stage.network.exchange.spot_account
    with process(stage, fund, tmp_path, EXCHANGE) as one:
        compare = reconciler(stage, one)
        one.desk.send([buy()], 0)
        one.bar(1)
        compare()
        assert not one.alarms.all()
        booked = one.books(EXCHANGE)
        account.free["USDT"] -= Decimal("0.00000001")
        try:
            compare()
        finally:
            account.free["USDT"] += Decimal("0.00000001")
        (alarm,) = one.alarms.all()
        assert (alarm.venue, alarm.subject) == (EXCHANGE, "USD")
        assert one.books(EXCHANGE) == booked  # nothing is adopted
        refused = buy()
        (sent,) = one.desk.send([refused], 1)
        assert sent.status is Status.REJECTED
        assert not placements(stage, refused)
        assert one.books(EXCHANGE) == booked
        out = replace(order(EXCHANGE, Side.SELL, "0.1", "900"), purpose=Purpose.EXIT)
        one.desk.send([out], 1)
        one.bar(2)
        assert one.legs.leg(out.order_id).state is LegState.SETTLED
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)
        one.alarms.clear("a person", 2**62)
        again = buy()
        one.desk.send([again], 2)
        one.bar(3)
        assert one.legs.leg(again.order_id).state is LegState.SETTLED
        assert one.books(EXCHANGE) == stage.truth(EXCHANGE)


def test_a_venue_that_says_more_than_the_books_is_shown_and_not_believed(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    with process(stage, fund, tmp_path, EXCHANGE) as one:
        compare = reconciler(stage, one)
        booked = one.books(EXCHANGE)
        stage.network.exchange.faults.arm(Fault.LYING_BALANCE, "GET", ACCOUNT)
        compare()
        # A hundred-millionth of the coin is less than the fund can book at all.
        assert [row[:2] for row in one.alarms.orphans()] == [(EXCHANGE, "USD")]
        assert one.books(EXCHANGE) == booked


def test_an_order_that_is_not_ours_is_put_aside_and_neither_adopted_nor_cancelled(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    engine = stage.network.exchange.spot
    symbol = engine.symbols["ETHUSDT"]

    async def place(name: str, price: str) -> None:
        with localcontext(EXACT):
            engine.place(symbol, name, True, Decimal(price), Decimal("0.01"), "GTC")

    with process(stage, fund, tmp_path, EXCHANGE) as one:
        compare = reconciler(stage, one)
        booked = one.books(EXCHANGE)
        stage.run(place("stranger", "900.00"))
        compare()
        assert (EXCHANGE, "stranger") in [row[:2] for row in one.alarms.orphans()]
        assert [a.subject for a in one.alarms.all()] == ["stranger"]
        assert not one.desk.open_orders
        assert one.books(EXCHANGE) == booked
        one.bar(1)
        assert [o.client_id for o in engine.open_orders()] == ["stranger"]
        assert one.desk.send([buy()], 1)[0].status is Status.REJECTED


def test_a_trade_that_is_not_ours_is_put_aside_and_not_booked(
    stage: Stage, fund: Fund, tmp_path: Path
) -> None:
    engine = stage.network.exchange.spot

    async def trade() -> None:
        with localcontext(EXACT):
            symbol = engine.symbols["ETHUSDT"]
            engine.place(symbol, "intruder", True, Decimal("1500.00"), Decimal("0.01"), "GTC")

    with process(stage, fund, tmp_path, EXCHANGE) as one:
        compare = reconciler(stage, one)
        booked = one.books(EXCHANGE)
        stage.run(trade())
        compare()
        assert one.books(EXCHANGE) == booked
        trade_id = str(engine.trades[-1].trade_id)
        subjects = [a.subject for a in one.alarms.all()]
        assert any(subject.endswith(trade_id) for subject in subjects)
        assert "USD" in subjects  # what it cost is missing
        assert one.desk.send([buy()], 1)[0].status is Status.REJECTED
