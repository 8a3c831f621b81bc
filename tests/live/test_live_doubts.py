"""What is in doubt stays in doubt: nothing that may have left is given up, nothing ends the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from live_world import COIN, BridgeTruth, Killed, Market, MarketAdapter, Process, order

from agent_fund.domain.order import Order, Side, Status
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.live.adapter import Report
from agent_fund.execution.live.leg_state import LegState

LIMIT = 100_00


class Fund:
    """One process after another over the same file, market and carrier."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "live.sqlite"
        self.market, self.bridge = Market(COIN), BridgeTruth()
        self.process = self.again()

    def again(self) -> Process:
        self.process = Process(self.path, {"here": self.market}, self.bridge)
        return self.process


def killed(folder: Path, wanted: Callable[[Fund], bool]) -> tuple[Fund, Order]:
    """A fund killed while it sent an order, at the first commit at which ``wanted`` holds."""
    for lives in range(1, 9):
        for after in (False, True):
            place = folder / f"{lives} {after}"
            place.mkdir()
            fund, made = Fund(place), order(1, COIN, Side.BUY, 100, LIMIT)
            fund.process.file.lives, fund.process.file.after = lives, after
            with contextlib.suppress(Killed):
                fund.process.desk.send([made], 0)
            fund.process.end()
            fund.again()
            if wanted(fund):
                return fund, made
            fund.process.end()
    raise AssertionError("there is no such moment")


def test_an_order_that_left_before_a_crash_is_not_refused_because_of_an_alarm_since(
    tmp_path: Path,
) -> None:
    fund, made = killed(tmp_path, lambda fund: bool(fund.market.known))
    process = fund.process
    process.alarms.raise_alarm("here", "another leg", "stuck")
    (answer,) = process.desk.send([made], 0)
    assert answer.status in (Status.NEW, Status.UNKNOWN)
    fund.market.fill(made.order_id, 100, LIMIT, 0)
    fund.market.head += 5
    process.desk.on_open(1, {}, {})
    assert process.desk.book().position("COIN") == 100
    process.end()


def test_an_alarm_that_was_cleared_is_raised_again_and_freezes_again(tmp_path: Path) -> None:
    fund = Fund(tmp_path)
    alarms = fund.process.alarms
    alarms.raise_alarm("here", "USD", "less than the books say")
    alarms.raise_alarm("here", "USD", "less than the books say")
    assert len(alarms.all()) == 1
    alarms.clear("ann", 2**62)
    assert not alarms.frozen("here")
    alarms.raise_alarm("here", "USD", "less than the books say")
    assert alarms.frozen("here")
    fund.process.end()


def test_a_person_clears_only_what_was_raised_before_the_command(tmp_path: Path) -> None:
    fund = Fund(tmp_path)
    fund.process.alarms.raise_alarm("here", "USD", "raised at 0")
    fund.process.alarms.clear("ann", 0)
    assert fund.process.alarms.frozen("here")
    fund.process.end()


def test_a_trade_with_a_fee_beyond_what_was_reserved_is_a_doubt_and_not_a_crash(
    tmp_path: Path,
) -> None:
    fund = Fund(tmp_path)
    process, made = fund.process, order(1, COIN, Side.BUY, 100, LIMIT)
    process.desk.send([made], 0)
    most = process.venues["here"].maximum_fee(made)
    fund.market.fill(made.order_id, 100, LIMIT, most + 1)
    fund.market.head += 5
    process.desk.on_open(1, {}, {})
    assert [o.status for o in process.desk.open_orders] == [Status.UNKNOWN]
    assert "fee of trade" in process.alarms.all()[0].text
    process.end()


class StrangeError(Exception):
    """An exception of some library, of no family that anybody here knows."""


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("late"),
        KeyError("price"),
        OSError("down"),
        RecursionError("[["),
        StrangeError(),
    ],
)
def test_an_adapter_that_fails_is_a_doubt_and_not_a_crash(
    tmp_path: Path, monkeypatch, error: Exception
) -> None:
    fund = Fund(tmp_path)
    process, made = fund.process, order(1, COIN, Side.BUY, 100, LIMIT)
    process.desk.send([made], 0)

    async def failing(prepared):
        raise error

    monkeypatch.setattr(process.venues["here"].adapter, "status", failing)
    process.desk.on_open(1, {}, {})
    assert [o.status for o in process.desk.open_orders] == [Status.UNKNOWN]
    assert process.alarms.frozen("here")
    monkeypatch.undo()
    fund.market.fill(made.order_id, 100, LIMIT, 0)
    fund.market.head += 5
    process.desk.on_open(2, {}, {})
    assert process.desk.book().position("COIN") == 100
    process.end()


def test_a_cancel_whose_answer_was_lost_is_asked_for_again(tmp_path: Path) -> None:
    fund = Fund(tmp_path)
    process, made = fund.process, order(1, COIN, Side.BUY, 100, LIMIT)
    process.desk.send([made], 0)
    fund.market.faults = ["lost"]
    process.desk.cancel(process.desk.open_orders, 0)
    assert process.desk.open_orders
    process.desk.on_open(1, {}, {})
    assert not process.desk.open_orders
    process.end()


def asked(fund: Fund, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process asks its venue for from now on."""
    told: list[str] = []
    adapter = fund.process.venues["here"].adapter
    for name in ("submit", "bump", "cancel"):
        real = getattr(adapter, name)

        def noted(prepared, name=name, real=real):
            told.append(name)
            return real(prepared)

        monkeypatch.setattr(adapter, name, noted)
    return told


@pytest.mark.parametrize("again", [False, True])
def test_what_was_cancelled_is_never_sent_again_not_by_the_next_process_either(
    tmp_path: Path, monkeypatch, again: bool
) -> None:
    fund, made = Fund(tmp_path), order(1, COIN, Side.BUY, 100, LIMIT)
    told = asked(fund, monkeypatch)
    fund.process.desk.send([made], 0)
    fund.market.faults = ["lost"]
    fund.process.desk.cancel(fund.process.desk.open_orders, 0)
    assert fund.process.desk.open_orders
    told.clear()
    if again:
        fund.process.end()
        fund.again()
        told = asked(fund, monkeypatch)
    process = fund.process
    process.venues["here"].driver.wake()
    if again:
        process.desk.send([made], 0)
        process.desk.cancel(process.desk.open_orders, 0)
    assert not process.venues["here"].replaying
    fund.market.faults = ["lost"] * 8
    for _ in range(4):
        fund.market.head += 31
        process.venues["here"].tend()
    assert set(told) == {"cancel"}
    fund.market.faults = []
    process.desk.on_open(1, {}, {})
    assert not process.desk.open_orders
    process.end()


def test_bytes_that_may_never_have_left_are_not_sent_once_they_are_cancelled(
    tmp_path: Path, monkeypatch
) -> None:
    fund, made = Fund(tmp_path), order(1, COIN, Side.BUY, 100, LIMIT)

    async def pending(prepared):
        return Report(prepared.leg_id, LegState.PENDING)

    monkeypatch.setattr(fund.process.venues["here"].adapter, "submit", pending)
    fund.process.desk.send([made], 0)
    fund.market.faults = ["lost"]
    fund.process.desk.cancel(fund.process.desk.open_orders, 0)
    fund.process.end()
    fund.again()
    told = asked(fund, monkeypatch)
    fund.process.venues["here"].driver.wake()
    assert not told
    assert not fund.market.known
    fund.process.end()


@pytest.mark.parametrize("fails", [False, True])
def test_what_legs_under_way_hold_is_taken_up_at_a_start(
    tmp_path: Path, monkeypatch, fails: bool
) -> None:
    fund = Fund(tmp_path)
    orders = [order(number, COIN, Side.BUY, 100, LIMIT) for number in (1, 2, 3)]
    fund.process.desk.send(orders, 0)
    fund.market.fill(orders[0].order_id, 100, LIMIT, 0)
    fund.market.head += 5
    fund.process.desk.on_open(1, {}, {})
    fund.process.end()
    process, held = fund.again(), []

    async def restore(self, prepared):
        held.extend(one.leg_id for one in prepared)
        if fails:
            raise RecursionError("of the node")

    monkeypatch.setattr(MarketAdapter, "restore", restore, raising=False)
    process.venues["here"].driver.restore()
    assert held == [one.order_id for one in orders[1:]]
    assert process.alarms.frozen("here") is fails
    process.end()


def test_a_transfer_by_a_carrier_with_an_open_alarm_comes_back_at_once(tmp_path: Path) -> None:
    fund = Fund(tmp_path)
    process = fund.process
    process.alarms.raise_alarm("bridge", "the one before", "stuck")
    transit = Transit("transfer-1", Transfer(10**6, "here", "there", 10), 1)
    process.desk.transfer(transit, 0)
    (arrival,) = process.desk.arrive(1)
    assert (arrival.returned, arrival.received) == (True, 10**6)
    assert process.legs.leg("transfer-1").state is LegState.REJECTED
    assert not fund.bridge.begun
    process.end()


def test_a_transfer_does_not_begin_in_a_halted_fund_and_one_under_way_goes_on(
    tmp_path: Path,
) -> None:
    fund = Fund(tmp_path)
    process, stopped = fund.process, [False]
    process.carriage.halted = lambda: stopped[0]
    process.desk.transfer(Transit("transfer-1", Transfer(10**6, "here", "there", 10), 1), 0)
    stopped[0] = True
    process.desk.transfer(Transit("transfer-2", Transfer(10**6, "here", "there", 10), 1), 0)
    assert set(fund.bridge.begun) == {"transfer-1"}
    (back,) = process.desk.arrive(1)
    assert (back.transit.transfer_id, back.returned) == ("transfer-2", True)
    fund.bridge.ended["transfer-1"] = LegState.SETTLED, 10**6
    (arrived,) = process.desk.arrive(2)
    assert (arrived.transit.transfer_id, arrived.returned) == ("transfer-1", False)
    process.end()


@pytest.mark.parametrize(
    ("state", "came", "booked"),
    [
        (LegState.SETTLED, 10**6 + 1, 10**6),
        (LegState.SETTLED, 10**6 - 11, 10**6 - 11),
        (LegState.REFUNDED, 10**6 - 1, 10**6 - 1),
    ],
)
def test_more_than_left_is_never_booked_and_less_than_agreed_is_with_an_alarm(
    tmp_path: Path, state: LegState, came: int, booked: int
) -> None:
    fund = Fund(tmp_path)
    process = fund.process
    process.desk.transfer(Transit("transfer-1", Transfer(10**6, "here", "there", 10), 1), 0)
    fund.bridge.ended["transfer-1"] = state, came
    (arrival,) = process.desk.arrive(1)
    assert (arrival.received, arrival.returned) == (booked, state is LegState.REFUNDED)
    (alarm,) = process.alarms.all()
    assert f"{came} came of 1000000" in alarm.text
    process.end()


def test_bytes_that_were_kept_and_never_sent_are_sent_after_a_crash(tmp_path: Path) -> None:
    def kept(fund: Fund) -> bool:
        legs = fund.process.legs.working("here")
        return bool(legs) and legs[0].prepared is not None and not fund.market.known

    fund, made = killed(tmp_path, kept)
    fund.process.venues["here"].driver.wake()
    assert made.order_id in fund.market.known
    fund.process.end()


def test_a_time_out_after_a_final_trade_takes_nothing_back_and_is_no_alarm(tmp_path: Path) -> None:
    fund = Fund(tmp_path)
    process, made = fund.process, order(1, COIN, Side.BUY, 100, LIMIT)
    process.desk.send([made], 0)
    fund.market.fill(made.order_id, 50, LIMIT, 0)
    fund.market.head += 5
    process.desk.on_open(1, {}, {})
    fund.market.faults = ["lost"]
    process.desk.on_open(2, {}, {})
    assert not process.alarms.all()
    assert process.desk.book().position("COIN") == 50
    process.end()
