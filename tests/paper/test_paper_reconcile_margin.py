"""Margin accounts against the books: what differs is found, and what is only late is not."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.settlement import Funding
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Holdings, Prepared
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_clearing import PAUSE, LiveClearing
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.margin import ForcedTrade, FundingReceipt
from agent_fund.execution.live.tape import Tape
from agent_fund.paper.errors import PaperError
from agent_fund.paper.reconcile import Reconciler

USD = Asset("USD", 12)
TERMS = Margin(Fraction(1, 20), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))
PERP = Instrument(
    "PERP",
    Asset("COINP", 3),
    USD,
    Venue("futures"),
    price_scale=2,
    kind=Kind.PERPETUAL,
    margin=TERMS,
)
CASH = 10**18
MARKS = {"PERP": 2_000_00}
DOLLAR = 10**12


class Account:
    """The only venue, which trades no spot: what it has, and what it tells of how that came."""

    name = "futures"

    def __init__(self) -> None:
        self.cash, self.held = CASH, 0
        self.receipts: list[FundingReceipt] = []
        self.closings: list[ForcedTrade] = []
        self.deaf = self.down = False
        self.resting: tuple[str, ...] = ()

    async def holdings(self, since: int) -> Holdings:
        if self.down:
            raise ExecutionError("holdings", "no answer", "ask again")
        return Holdings({"USD": self.cash, "COINP": self.held}, self.resting, ())

    async def funding(self, since: int) -> tuple[FundingReceipt, ...]:
        if self.deaf:
            raise ExecutionError("funding", "no answer", "ask again")
        return tuple(self.receipts)

    async def forced(self, since: int) -> tuple[ForcedTrade, ...]:
        return tuple(self.closings)

    def pay(self, amount: int, posted: bool = True) -> None:
        self.cash += amount
        if posted:
            self.post(amount)

    def post(self, amount: int) -> None:
        self.receipts.append(FundingReceipt(str(len(self.receipts)), "PERP", amount, 1))


class World:
    def __init__(self, path: Path) -> None:
        self.now = 1_790_000_000_000
        self.account = Account()
        self.file = LiveFile(path)
        self.alarms = Alarms(self.file, lambda: self.now)
        self.ledger = Ledger(USD, {"PERP": PERP})
        self.ledger.deposit(USD, CASH, "futures", "capital futures")
        tape = Tape(self.file)
        adapters: Any = {"futures": self.account}
        clock = lambda: self.now  # noqa: E731
        self.clearing = LiveClearing(adapters, tape, self.alarms, asyncio.run, clock, 0)
        self.legs = LegStore(self.file, self.alarms, clock)
        self.reconciler = Reconciler(
            adapters, {"PERP": PERP}, USD, self.legs, self.alarms, asyncio.run, 0, self.clearing
        )
        self.bar = 0

    def look(self, times: int = 1) -> None:
        """A bar, at whose open the fund hears what there is, and the look behind it."""
        for _ in range(times):
            self.now += PAUSE
            book = self.ledger.book()
            for event in self.clearing.fundings(book, MARKS, {}, self.bar):
                self.ledger.fund(event)
            self.bar += 1
            self.compare()

    def compare(self) -> None:
        self.reconciler.compare(self.ledger, self.ledger.book())

    def own(self, amount: int) -> None:
        """Something that the books and the account both have."""
        self.account.cash += amount
        self.ledger.fund(Funding(PERP, 0, 1, 0, 10_000 + self.bar, amount))

    def raised(self) -> list[str]:
        return [alarm.subject for alarm in self.alarms.all()]

    def aside(self) -> list[str]:
        return [subject for _, subject, _ in self.alarms.orphans()]


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.file.close()


def test_an_account_that_equals_the_books_is_no_alarm(world: World) -> None:
    world.look(3)
    assert (world.raised(), world.aside()) == ([], [])


@pytest.mark.parametrize("held", [5, -5])
def test_a_position_that_differs_either_way_is_an_alarm_at_the_second_look(
    world: World, held: int
) -> None:
    world.account.held = held
    world.look()
    assert world.raised() == []
    world.look()
    assert world.raised() == ["COINP"]
    assert world.aside() == []


def test_less_cash_is_an_alarm_and_more_is_put_aside(world: World) -> None:
    world.account.cash -= DOLLAR
    world.look(2)
    assert (world.raised(), world.aside()) == (["USD"], [])
    world.account.cash += 3 * DOLLAR
    world.look(2)
    assert world.aside() == ["USD"]


def test_cash_that_is_missing_is_found_while_the_fund_goes_on_trading(world: World) -> None:
    world.account.cash -= DOLLAR
    for _ in range(3):
        world.look()
        world.own(-17 * DOLLAR)
    assert world.raised()
    assert set(world.raised()) == {"USD"}


def test_what_differs_by_another_amount_each_time_is_looked_at_again(world: World) -> None:
    for amount in (-DOLLAR, 3 * DOLLAR, -7 * DOLLAR):
        world.account.cash += amount
        world.look()
    assert (world.raised(), world.aside()) == ([], [])


def test_a_payment_that_the_fund_has_not_heard_of_yet_is_no_difference(world: World) -> None:
    world.look()
    world.account.pay(-DOLLAR)
    world.compare()
    world.compare()
    assert (world.raised(), world.aside()) == ([], [])
    world.look(2)
    assert (world.raised(), world.aside()) == ([], [])


def test_a_payment_that_is_in_the_cash_before_it_is_in_the_history_is_no_alarm(
    world: World,
) -> None:
    world.look()
    world.account.pay(-DOLLAR, posted=False)
    world.look()
    world.account.post(-DOLLAR)
    world.look(2)
    assert (world.raised(), world.aside()) == ([], [])


def test_the_venues_own_rounding_is_no_alarm_and_beyond_it_there_is_one(world: World) -> None:
    world.account.cash -= DOLLAR // 10_000
    world.look(2)
    assert world.raised() == []
    world.account.cash -= 1
    world.look(2)
    assert world.raised() == ["USD"]


def test_a_drift_within_the_rounding_does_not_hide_what_is_missing(world: World) -> None:
    world.account.cash -= DOLLAR
    for _ in range(2):
        world.look()
        world.account.cash -= DOLLAR // 10**8
    assert world.raised() == ["USD"]


def test_a_position_has_no_rounding(world: World) -> None:
    world.account.held = 1
    world.look(2)
    assert world.raised() == ["COINP"]


def test_a_forced_trade_that_the_books_do_not_allow_does_not_hide_the_position(
    world: World,
) -> None:
    world.account.held = 5
    world.account.closings = [ForcedTrade("x", "PERP", -5, 2_000_00, 0, 1)]
    world.look(3)
    assert world.raised() == ["x", "COINP"]


def test_a_history_that_is_silent_is_shown_and_no_alarm_of_the_position(world: World) -> None:
    world.account.held, world.account.deaf = 5, True
    world.look(3)
    assert "no answer" in world.reconciler.silent["futures"]
    assert world.raised() == []
    world.account.deaf = False
    world.look(2)
    assert world.raised() == ["COINP"]


def test_a_run_begins_with_its_cash_and_without_a_position(world: World) -> None:
    stated = {"futures": CASH}
    world.reconciler.require_funded(stated)
    world.account.cash -= 1
    with pytest.raises(PaperError, match="cash at futures"):
        world.reconciler.require_funded(stated)
    # What a short brought in is cash here, and none of the fund's.
    world.account.cash, world.account.held = CASH, -5
    with pytest.raises(PaperError, match=r"-0\.005 PERP.*close it first"):
        world.reconciler.require_funded(stated)
    world.account.down = True
    with pytest.raises(PaperError, match="venue futures"):
        world.reconciler.require_funded(stated)


def test_an_order_that_a_person_ended_and_that_still_rests_there_is_an_alarm(world: World) -> None:
    world.legs.open_leg("order-one", "futures", {}, 2_000_000_000)
    world.legs.keep(Prepared("order-one", "reference-one", b"bytes", 2_000_000_000, {}))
    world.legs.settle("order-one")
    world.account.resting = ("reference-one",)
    world.look()
    assert (world.raised(), world.aside()) == (["reference-one"], [])
