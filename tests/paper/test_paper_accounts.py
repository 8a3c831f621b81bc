"""A carry fund on two accounts, where venue, line and process misbehave: its books are they."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from accounts_world import BAR, BEGIN, Accounts, accounts, records, slow
from carry_world import RATE, carry

from agent_fund.audit.verify import verify
from agent_fund.backtest.errors import Interrupted
from agent_fund.backtest.run import Finished
from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.margin_account import Position
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.fund.control_command import Act, Outcome
from agent_fund.fund.control_file import ControlFile
from agent_fund.guard.machine import Mode
from agent_fund.paper.errors import PaperError


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@pytest.fixture
def world(tmp_path: Path):
    with accounts(tmp_path) as made:
        yield made


def require_equal(world: Accounts, finished: Finished) -> None:
    """The ledger is the accounts to the unit, every payment is in the log, and the log verifies."""
    heard = sum(int(record["amount"]) for record in records(finished.folder, "funding"))
    assert heard == world.paid()
    assert world.booked() == world.there()
    assert verify(finished.folder).run == finished.summary["run"]


def hidden(world: Accounts, path: str, until: int) -> None:
    """The exchange answers to nothing of ``path`` but with an empty list, until that bar."""
    answer = world.exchange._answer

    def answered(request: Any, body: str) -> Any:
        status, content, headers = answer(request, body)
        if request.path.endswith(path) and world.clock.ms < BEGIN + until * BAR:
            content = []
        return status, content, headers

    world.exchange._answer = answered  # type: ignore[method-assign]


def test_both_legs_are_held_funded_and_equal_to_the_accounts(
    tmp_path: Path, world: Accounts
) -> None:
    for bar in (3, 6, 9):
        world.in_bar(bar, world.fund)
    finished = world.run(carry(tmp_path, 13, slow))
    require_equal(world, finished)
    assert world.alarms == []
    spot, short = (world.booked()[place][1] for place in ("exchange", "futures"))
    assert abs(spot + short) <= Decimal("0.001") < spot
    assert finished.summary["guarantee"] == "held"


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_commit_a_run_hears_everything_once(
    tmp_path: Path, world: Accounts, monkeypatch, seed: int
) -> None:
    chance = random.Random(seed)
    runfile = carry(tmp_path, 13, slow)
    for bar in (2, 3, 4, 5, 7, 8, 10):
        world.in_bar(bar, world.fund, chance.random())
    closed: list[str] = []

    def deleverages() -> None:
        if world.exchange.margin_account.position("ETHUSDT").quantity < -11:
            world.deleverage("10.5")
            closed.append("-10500")

    for bar in (6, 9):
        world.in_bar(bar, deleverages, chance.random())
    commit, lives = LiveFile._commit, 0

    def mortal(file: LiveFile) -> None:
        nonlocal lives
        lives -= 1
        if lives == 0:
            if chance.random() < 0.5:
                commit(file)
            raise Killed
        commit(file)

    monkeypatch.setattr(LiveFile, "_commit", mortal)
    finished, kills = None, 0
    while finished is None:
        lives = chance.randint(1, 40) if kills < 6 else -1
        folders = list((tmp_path / "runs").glob("*"))
        try:
            finished = world.run(runfile, resume=folders[0] if folders else None)
        except Killed:
            kills += 1
            world.clock.ms += chance.choice([0, 1_000, 30_000])
            world.passed(world.clock.ms)
    assert kills
    require_equal(world, finished)
    assert [record["quantity"] for record in records(finished.folder, "forced")] == closed
    assert world.alarms == []


def test_a_payment_that_is_posted_late_is_heard_when_it_is_and_nothing_is_doubted(
    tmp_path: Path, world: Accounts
) -> None:
    world.in_bar(6, world.fund)
    hidden(world, "income", until=8)
    finished = world.run(carry(tmp_path, 12, slow))
    require_equal(world, finished)
    (record,) = records(finished.folder, "funding")
    assert record["bar"] == 7
    assert (record["rate"], world.alarms) == ("100000000", [])


def test_a_flattened_fund_buys_its_short_back_and_hears_what_is_paid_afterwards(
    tmp_path: Path, world: Accounts
) -> None:
    world.in_bar(6, world.fund)
    hidden(world, "income", until=13)
    modes: list[Mode] = []

    def told(tick, session, stores) -> None:
        modes.append(tick.mode)
        if tick.bar == 7:
            (folder,) = (tmp_path / "runs").iterdir()
            ControlFile(folder).ask(Act.FLATTEN, "bob", "the trial is over")

    finished = world.run(carry(tmp_path, 16, slow), told)
    require_equal(world, finished)
    assert modes[-1] is Mode.HALTED
    assert [held for _, held in world.booked().values()] == [0, 0]
    (record,) = records(finished.folder, "funding")
    # At the rate that was charged, on what was held then.
    assert (int(record["quantity"]) < 0, record["rate"]) == (True, str(RATE))
    assert int(record["amount"]) > 0


def test_a_liquidated_account_is_booked_below_zero_and_the_coin_is_sold(
    tmp_path: Path, world: Accounts
) -> None:
    world.in_bar(7, lambda: jump(world, 8000))
    finished = world.run(carry(tmp_path, 14, slow))
    require_equal(world, finished)
    (forced,) = records(finished.folder, "forced")
    assert int(forced["quantity"]) < 0
    assert world.booked()["futures"][0] < 0
    assert world.booked()["exchange"][1] == 0
    assert finished.summary["breaches"][0]["limit"] == "margin_safety"


def jump(world: Accounts, price: int) -> None:
    """The market is elsewhere; to be called in the exchange's loop."""
    world.price = Decimal(price)
    world.exchange.set_price("ETHUSDT", world.price, world.price + world.basis)


def test_a_page_of_such_a_run_says_what_broke_it(tmp_path: Path, world: Accounts) -> None:
    world.in_bar(7, lambda: jump(world, 8000))
    finished = world.run(carry(tmp_path, 12, slow))
    page = (finished.folder / "report.html").read_text("utf-8")
    assert "The promise that no account is liquidated" in page
    assert "positions closed in 1\xa0bar" in page
    assert finished.summary["guarantee"] == "assumption failed"


def test_a_venue_that_answers_nothing_for_a_while_is_heard_in_full_afterwards(
    tmp_path: Path, world: Accounts
) -> None:
    for bar in (5, 6, 7):
        world.in_bar(bar, world.fund)
    world.in_bar(6, lambda: world.deleverage("5"))

    def down() -> None:
        for path in ("income", "userTrades", "account", "premiumIndex", "countdownCancelAll"):
            world.exchange.faults.arm(Fault.UNAVAILABLE, "GET", path, 12)

    world.in_bar(5, down, 0.2)
    finished = world.run(carry(tmp_path, 20, slow))
    require_equal(world, finished)
    assert len(records(finished.folder, "forced")) == 1


def test_a_trade_of_the_venues_right_before_an_order_of_ours_is_booked_before_its_fill(
    tmp_path: Path, world: Accounts
) -> None:
    """The way out buys half of the short back when the venue has just closed nearly all of it."""

    def told(tick, session, stores) -> None:
        if tick.bar == 6:
            (folder,) = (tmp_path / "runs").iterdir()
            ControlFile(folder).ask(Act.FLATTEN, "bob", "the trial is over")

    closed = trade_before_an_order(world, "49")
    finished = world.run(carry(tmp_path, 16, slow), told)
    assert closed
    require_equal(world, finished)
    assert len(records(finished.folder, "forced")) == 1
    assert [held for _, held in world.booked().values()] == [0, 0]
    assert not world.alarms


def trade_before_an_order(world: Accounts, quantity: str) -> list[bool]:
    """The venue closes so much right before it takes the first purchase of contracts."""
    done: list[bool] = []
    answer: Callable[..., Any] = world.exchange._answer

    def answered(request: Any, body: str) -> Any:
        bought = "side=BUY" in f"{request.query_string}&{body}"
        if request.method == "POST" and request.path == "/fapi/v1/order" and bought and not done:
            done.append(True)
            world.deleverage(quantity)
        return answer(request, body)

    world.exchange._answer = answered  # type: ignore[method-assign]
    return done


def test_a_run_does_not_begin_on_an_account_that_holds_a_position(
    tmp_path: Path, world: Accounts
) -> None:
    account = world.exchange.margin_account
    account.positions["ETHUSDT"] = Position(Decimal(-10), Decimal(-20_000))
    account.wallet -= Decimal(20_000)  # as if bought outright, the stated cash is there
    with pytest.raises(PaperError, match="position at futures"):
        world.run(carry(tmp_path, 4, slow))


def test_a_way_out_that_a_venue_refuses_at_the_last_bar_goes_on_behind_it(
    tmp_path: Path, world: Accounts
) -> None:
    answer: Callable[..., Any] = world.exchange._answer
    refusing: list[bool] = []

    def refused(request: Any, body: str) -> Any:
        if refusing and request.method == "POST" and request.path.endswith("/order"):
            return 400, {"code": -2010, "msg": "Account has insufficient balance."}, {}
        return answer(request, body)

    def told(tick, session, stores) -> None:
        if tick.bar == 8:
            (folder,) = (tmp_path / "runs").iterdir()
            ControlFile(folder).ask(Act.FLATTEN, "bob", "the trial is over")

    alarmed: list[tuple[str, str]] = []
    world.exchange._answer = refused  # type: ignore[method-assign]
    world.in_bar(12, lambda: alarmed.extend((a.subject, a.text) for a in world.alarms))
    world.in_bar(8, lambda: refusing.append(True))
    world.in_bar(12, refusing.clear)
    finished = world.run(carry(tmp_path, 10, slow), told)
    require_equal(world, finished)
    assert [held for _, held in world.booked().values()] == [0, 0]
    (command,) = ControlFile(finished.folder).read().commands
    assert command.outcome is Outcome.DONE
    assert {subject for subject, _ in alarmed} == {"ETH", "ETH-PERP"}
    assert all("way out is refused" in text for _, text in alarmed)


def test_a_way_out_that_does_not_end_is_an_alarm_in_a_run_without_an_end_too(
    tmp_path: Path, world: Accounts
) -> None:
    answer: Callable[..., Any] = world.exchange._answer

    def refused(request: Any, body: str) -> Any:
        if world.clock.ms > BEGIN + 8 * BAR and request.path.endswith("/order"):
            return 400, {"code": -2010, "msg": "Account has insufficient balance."}, {}
        return answer(request, body)

    def told(tick, session, stores) -> None:
        if tick.bar == 8:
            (folder,) = (tmp_path / "runs").iterdir()
            ControlFile(folder).ask(Act.FLATTEN, "bob", "the trial is over")
        if tick.bar == 24:
            world.clock.stop()

    world.exchange._answer = refused  # type: ignore[method-assign]
    endless = carry(tmp_path, 0, slow)
    with pytest.raises(Interrupted):
        world.run(endless, told)
    assert ("run", "way out") in {(alarm.venue, alarm.subject) for alarm in world.alarms}


NONSENSE: dict[str, Any] = {
    "income": [{"tranId": 1, "symbol": "ETHUSDT", "income": "", "asset": "USDT", "time": 1}],
    "premiumIndex": {"markPrice": "Infinity", "indexPrice": "NaN"},
    "userTrades": "hello",
    "depth": {"bids": [["", "1"]], "asks": [["1", "1"]]},
    "account": None,
    "fundingRate": [{"fundingRate": "", "fundingTime": 1}],
}


@pytest.mark.parametrize("path", NONSENSE)
def test_an_answer_that_is_no_answer_ends_no_run(
    tmp_path: Path, world: Accounts, path: str
) -> None:
    answer: Callable[..., Any] = world.exchange._answer
    broken: list[bool] = []

    def nonsense(request: Any, body: str) -> Any:
        status, content, headers = answer(request, body)
        if broken and request.path.endswith(path) and "/fapi/" in request.path:
            return 200, NONSENSE[path], headers
        return status, content, headers

    world.exchange._answer = nonsense  # type: ignore[method-assign]
    world.in_bar(5, lambda: broken.append(True))
    world.in_bar(7, world.fund)
    world.in_bar(9, broken.clear)
    require_equal(world, world.run(carry(tmp_path, 12, slow)))
