"""What cannot be booked or compared is an alarm itself, and hides nothing else."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from accounts_world import Accounts, accounts, slow
from carry_world import carry

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import DoubtfulTrade, Holdings, Prepared
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_clearing import LiveClearing
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.tape import Tape
from agent_fund.paper.reconcile import Reconciler

USD = Asset("USD", 6)
COIN = Instrument("COIN", Asset("COIN", 3), USD, Venue("spot"), price_scale=2)
CASH = 10**9
BARS = 5


class Account:
    """The only venue, which trades spot."""

    name = "spot"

    def __init__(self) -> None:
        self.cash = CASH
        self.down = False
        self.doubtful: tuple[DoubtfulTrade, ...] = ()

    async def holdings(self, since: int) -> Holdings:
        if self.down:
            raise ExecutionError("holdings", "no answer", "ask again")
        return Holdings({"USD": self.cash, "COIN": 0}, (), (), doubtful=self.doubtful)


class World:
    def __init__(self, path: Path) -> None:
        self.now = 1_790_000_000_000
        self.account = Account()
        self.file = LiveFile(path)
        self.alarms = Alarms(self.file, lambda: self.now)
        self.ledger = Ledger(USD, {"COIN": COIN})
        self.ledger.deposit(USD, CASH, "spot", "capital spot")
        adapters: Any = {"spot": self.account}
        clock = lambda: self.now  # noqa: E731
        clearing = LiveClearing({}, Tape(self.file), self.alarms, asyncio.run, clock, 0)
        self.legs = LegStore(self.file, self.alarms, clock)
        self.reconciler = Reconciler(
            adapters, {"COIN": COIN}, USD, self.legs, self.alarms, asyncio.run, 0, clearing
        )

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += 1
            self.reconciler.compare(self.ledger, self.ledger.book())

    def clear(self) -> None:
        """A person has looked at what was raised so far."""
        self.now += 1
        self.alarms.clear("Ada", self.now)

    def raised(self) -> list[str]:
        return [alarm.subject for alarm in self.alarms.all()]

    def aside(self) -> list[str]:
        return [subject for _, subject, _ in self.alarms.orphans()]


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.file.close()


def test_a_trade_in_doubt_is_an_alarm_and_hides_no_missing_cash(world: World) -> None:
    world.account.doubtful = (DoubtfulTrade("stranger", "7", "charged in ETH"),)
    world.look()
    assert (world.raised(), world.aside()) == (["7"], ["7"])
    (alarm,) = world.alarms.all()
    assert "stranger, not ours" in alarm.text
    assert "charged in ETH" in alarm.text
    world.account.cash -= 1
    world.look()
    assert world.raised() == ["7", "USD"]


def test_a_trade_in_doubt_that_a_person_has_cleared_stays_cleared(world: World) -> None:
    world.account.doubtful = (DoubtfulTrade("stranger", "7", "charged in ETH"),)
    world.look(2)
    world.clear()
    world.look(2)
    assert world.raised() == []
    world.account.doubtful += (DoubtfulTrade("stranger", "8", "charged in ETH"),)
    world.look()
    assert world.raised() == ["8"]


def test_a_trade_in_doubt_of_an_order_that_a_person_ended_is_an_alarm(world: World) -> None:
    world.legs.open_leg("order-one", "spot", {}, 2_000_000_000)
    world.legs.keep(Prepared("order-one", "reference-one", b"bytes", 2_000_000_000, {}))
    world.legs.settle("order-one")
    world.account.doubtful = (DoubtfulTrade("reference-one", "7", "charged in ETH"),)
    world.look()
    (alarm,) = world.alarms.all()
    assert (alarm.subject, "order-one" in alarm.text) == ("7", True)


def test_a_venue_that_cannot_be_compared_for_long_is_an_alarm(world: World) -> None:
    world.account.down = True
    world.look(BARS - 1)
    assert world.raised() == []
    assert "no answer" in world.reconciler.silent["spot"]
    world.look()
    assert world.raised() == ["reconciliation"]
    assert world.alarms.frozen("spot")


def test_a_look_in_between_begins_the_count_anew(world: World) -> None:
    for _ in range(3):
        world.account.down = True
        world.look(BARS - 1)
        world.account.down = False
        world.look()
    assert world.raised() == []


def test_an_alarm_of_silence_is_raised_again_after_a_person_has_cleared_it(world: World) -> None:
    world.account.down = True
    world.look(2 * BARS + 1)
    assert world.raised() == ["reconciliation"]
    world.clear()
    world.look(BARS - 2)
    assert world.raised() == []
    world.look()
    assert world.raised() == ["reconciliation"]
    world.clear()
    world.account.down = False
    world.look(2 * BARS)
    assert world.raised() == []


def stranger(world: Accounts) -> None:
    """Somebody else with the account's key buys, and is charged in what he buys."""
    spot, engine = world.exchange.spot_account, world.exchange.spot
    spot.burn = False
    price, grain = Decimal("2100"), Decimal("0.0101")
    engine.place(engine.symbols["ETHUSDT"], "stranger", True, price, grain, "IOC")
    spot.burn = True


def test_money_taken_after_a_strangers_trade_in_doubt_is_found(tmp_path: Path) -> None:
    with accounts(tmp_path) as world:
        world.in_bar(3, lambda: stranger(world))
        world.in_bar(5, lambda: world.exchange.spot_account.transfer("USDT", Decimal(-100_000)))
        world.run(carry(tmp_path, 10, slow))
        raised = {(alarm.venue, alarm.subject) for alarm in world.alarms}
        assert ("exchange", "USDT") in raised
        assert any("cannot be booked" in alarm.text for alarm in world.alarms)
