"""What margin venues tell, whatever happens: each payment and forced trade once, the ledger exact.

Venues post late, fall silent, and number payments and trades alike at both; our own trades cross
theirs; the process is killed before and after any commit and made again from its tape. What was
told at a bar is told there again, and once everything is posted the ledger is the accounts but for
trades that the books do not allow, each of which is an alarm.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from live_world import Killed, MortalFile, driven

from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.execution.account import OUTSIDE, Account, Bucket
from agent_fund.execution.entry import Entry, Posting
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.live_clearing import PAUSE, LiveClearing
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.margin import ForcedTrade, FundingReceipt
from agent_fund.execution.live.tape import Tape

USD = Asset("USD", 6)
TERMS = Margin(Fraction(1, 20), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))
BEGIN = 1_000_000_000_000
MARK = 2_000_00
CASH = 10**12
DAY = 86_400_000


def perpetual(venue: str) -> Instrument:
    return Instrument(
        f"P-{venue}",
        Asset(f"C{venue}", 3),
        USD,
        Venue(venue),
        price_scale=2,
        kind=Kind.PERPETUAL,
        margin=TERMS,
    )


LINES = {name: perpetual(name) for name in ("here", "there")}
BY_SYMBOL = {line.symbol: line for line in LINES.values()}
MARKS = dict.fromkeys(BY_SYMBOL, MARK)


@dataclass
class Truth:
    """What one venue has, and when it will tell of it."""

    line: Instrument
    position: int = 0
    cash: int = CASH
    payments: list[tuple[FundingReceipt, int]] = field(default_factory=list)
    closings: list[tuple[ForcedTrade, int]] = field(default_factory=list)
    silent: int = 0
    since: list[int] = field(default_factory=list)

    def trade(self, quantity: int, fee: int = 0) -> None:
        self.position += quantity
        self.cash -= self.line.notional(quantity, MARK) + fee

    def pay(self, amount: int, time: int, late: int) -> None:
        self.cash += amount
        name = str(len(self.payments))
        receipt = FundingReceipt(name, self.line.symbol, amount, time)
        self.payments.append((receipt, time + late))

    def close(self, quantity: int, fee: int, time: int, late: int) -> None:
        """The venue sells (or buys back) so much of what is held."""
        self.trade(-quantity, fee)
        name = str(len(self.closings))
        trade = ForcedTrade(name, self.line.symbol, quantity, MARK, fee, time)
        self.closings.append((trade, time + late))


class Speaker:
    """A MarginAdapter as far as the clearing asks it."""

    def __init__(self, truth: Truth, now: Any) -> None:
        self.truth, self._now = truth, now

    async def funding(self, since: int) -> tuple[FundingReceipt, ...]:
        return tuple(self._posted(self.truth.payments, since))

    async def forced(self, since: int) -> tuple[ForcedTrade, ...]:
        return tuple(self._posted(self.truth.closings, since))

    def _posted(self, told: Sequence[tuple[Any, int]], since: int) -> list[Any]:
        self.truth.since.append(since)
        if self.truth.silent:
            self.truth.silent -= 1
            raise ExecutionError("history", "no answer", "ask again")
        return [one for one, posted in told if posted <= self._now() and one.time >= since]


class Process:
    """One process of a fund that does nothing but hold its accounts."""

    def __init__(self, path: Path, truths: dict[str, Truth], now: Any, began: int) -> None:
        self.file = MortalFile(path)
        self.now = now
        self.alarms = Alarms(self.file, now)
        self.tape = Tape(self.file)
        self.ledger = Ledger(USD, BY_SYMBOL)
        for place in LINES:
            self.ledger.deposit(USD, CASH, place, f"capital {place}")
        adapters: Any = {name: Speaker(truth, now) for name, truth in truths.items()}
        self.clearing = LiveClearing(adapters, self.tape, self.alarms, driven, now, began)
        self.bar = 0

    def advance(self, fills: dict[str, int]) -> tuple[list[Funding], list[Liquidation]]:
        """One bar, as the fund takes it: payments, own trades, then the venues'."""
        if self.bar >= len(self.tape.bars()):
            self.tape.add_bar(self.bar, [0, self.now()])
        ledger, clearing, bar = self.ledger, self.clearing, self.bar
        paid = clearing.fundings(ledger.book(), MARKS, {}, bar)
        for payment in paid:
            ledger.fund(payment)
        early = clearing.liquidations(ledger.book(), MARKS, bar, "before")
        for trade in early:
            ledger.liquidate(trade)
        for place, quantity in fills.items():
            if quantity:
                ledger.post(bought(LINES[place], quantity, bar))
        closed = clearing.liquidations(ledger.book(), MARKS, bar, "open")
        for trade in closed:
            ledger.liquidate(trade)
        assert clearing.liquidations(ledger.book(), MARKS, bar, "close") == ()
        self.bar += 1
        return list(paid), [*early, *closed]


def bought(line: Instrument, quantity: int, bar: int) -> Entry:
    """An own trade at the mark, without a fee."""
    place, worth = line.account, line.notional(quantity, MARK)
    movements = (
        (Account(place, line.base, Bucket.MARGIN), quantity),
        (Account(OUTSIDE, line.base, Bucket.MARKET), -quantity),
        (Account(place, USD, Bucket.MARGIN), -worth),
        (Account(OUTSIDE, USD, Bucket.MARKET), worth),
    )
    name = f"own {line.symbol} {bar}"
    return Entry(name, "fill", tuple(Posting(account, units) for account, units in movements))


def kind(call: str) -> str:
    """Trades are told before the fills of an open, or after them."""
    return call.removesuffix(" before fills")


class Accounts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "live.sqlite"
        self.now = BEGIN
        self.truths = {name: Truth(line) for name, line in LINES.items()}
        self.fills: list[dict[str, int]] = []
        self.traded = dict.fromkeys(LINES, 0)
        self.heard: dict[int, Any] = {}
        self.process = self.made()

    def made(self) -> Process:
        return Process(self.path, self.truths, lambda: self.now, BEGIN)

    # -- what happens -------------------------------------------------------------------------

    @rule(place=st.sampled_from(list(LINES)), quantity=st.integers(-60, 60).filter(bool))
    def trade(self, place: str, quantity: int) -> None:
        self.truths[place].trade(quantity)
        self.traded[place] += quantity

    @rule(
        place=st.sampled_from(list(LINES)),
        amount=st.integers(-(10**6), 10**6).filter(bool),
        late=st.sampled_from([0, 0, 1, 45_000, 3_600_000]),
    )
    def pay(self, place: str, amount: int, late: int) -> None:
        self.truths[place].pay(amount, self.now, late)

    @rule(
        place=st.sampled_from(list(LINES)),
        share=st.fractions(0, 1).filter(bool),
        fee=st.integers(0, 50),
        late=st.sampled_from([0, 0, 0, 45_000]),
    )
    def close(self, place: str, share: Fraction, fee: int, late: int) -> None:
        truth = self.truths[place]
        quantity = round(truth.position * share)
        if quantity:
            truth.close(quantity, fee, self.now, late)

    @rule(place=st.sampled_from(list(LINES)), calls=st.integers(1, 4))
    def fall_silent(self, place: str, calls: int) -> None:
        self.truths[place].silent = calls

    @rule(milliseconds=st.sampled_from([1, 900, PAUSE, 60_000, 5_000_000, DAY]))
    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(place=st.sampled_from(list(LINES)))
    def compare(self, place: str) -> None:
        """The reconciliation asks between two bars, and tells the fund nothing."""
        try:
            self.process.clearing.pending(place)
        except ExecutionError:
            return

    @rule()
    def bar(self) -> None:
        self.advance()

    @rule(lives=st.integers(1, 3), after=st.booleans())
    def bar_with_a_kill(self, lives: int, after: bool) -> None:
        self.process.file.lives, self.process.file.after = lives, after
        try:
            self.advance()
        except Killed:
            self.restart()
        self.process.file.lives = None

    @rule()
    def restart(self) -> None:
        self.process.file.close()
        self.process = self.made()
        for _ in self.process.tape.bars():
            self.advance()

    def advance(self) -> None:
        number = self.process.bar
        if number == len(self.fills):
            self.fills.append(self.traded)
            self.traded = dict.fromkeys(LINES, 0)
        heard = self.process.advance(self.fills[number])
        # A run that is made again is told the same at the same bar.
        assert self.heard.setdefault(number, heard) == heard

    # -- what holds ---------------------------------------------------------------------------

    @invariant()
    def nothing_is_told_twice_or_made_up(self) -> None:
        told: Counter[tuple[str, str, str]] = Counter()
        for name in LINES:
            for answer in self.process.tape.answers(f"{name} clearing"):
                told.update((name, kind(answer.call), item[0]) for item in answer.body)
        assert all(count == 1 for count in told.values())
        known = {
            (n, "funding", p.payment_id) for n, t in self.truths.items() for p, _ in t.payments
        }
        known |= {(n, "forced", c.exec_id) for n, t in self.truths.items() for c, _ in t.closings}
        assert set(told) <= known

    def teardown(self) -> None:
        for truth in self.truths.values():
            truth.silent = 0
        self.now += 2 * 3_600_000
        for _ in range(3):
            self.advance()
            self.now += PAUSE
        for name, truth in self.truths.items():
            told = {"funding": set[str](), "forced": set[str]()}
            for answer in self.process.tape.answers(f"{name} clearing"):
                told[kind(answer.call)] |= {item[0] for item in answer.body}
            assert told["funding"] == {p.payment_id for p, _ in truth.payments}
            refused = [c for c, _ in truth.closings if c.exec_id not in told["forced"]]
            alarms = {a.subject for a in self.process.alarms.all() if a.venue == name}
            assert {c.exec_id for c in refused} <= alarms
            missing = sum(c.quantity for c in refused)
            worth = sum(truth.line.notional(c.quantity, c.price) - c.fee for c in refused)
            ledger = self.process.ledger
            held = ledger.balance(name, truth.line.base, Bucket.MARGIN)
            cash = ledger.balance(name, USD, Bucket.MARGIN)
            assert (held - missing, cash + worth) == (truth.position, truth.cash)
            # A trade that will never be told does not hide what else differs.
            assert not self.process.clearing.pending(name)
        self.process.file.close()
        self.folder.cleanup()


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# -- single cases -----------------------------------------------------------------------------


class World:
    """One process over two accounts, and time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = BEGIN
        self.truths = {name: Truth(line) for name, line in LINES.items()}
        self.process = self.made()

    def made(self) -> Process:
        return Process(self.path, self.truths, lambda: self.now, BEGIN)

    def advance(self, **fills: int) -> tuple[list[Funding], list[Liquidation]]:
        self.now += PAUSE
        return self.process.advance(fills)

    def alarms(self) -> list[tuple[str, str]]:
        return [(alarm.venue, alarm.subject) for alarm in self.process.alarms.all()]


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "live.sqlite")
    yield made
    made.process.file.close()


def test_a_payment_and_a_trade_of_one_number_are_both_heard(world: World) -> None:
    world.truths["here"].trade(-50)
    world.advance(here=-50)
    world.truths["here"].pay(700, world.now, 0)
    world.truths["here"].close(-20, 3, world.now, 0)
    paid, closed = world.advance()
    assert [event.amount for event in paid] == [700]
    assert [(event.quantity, event.exec_id) for event in closed] == [(-20, "0")]


def test_several_payments_of_one_bar_are_one_event_and_all_are_known(world: World) -> None:
    world.truths["here"].trade(-50)
    world.advance(here=-50)
    for amount in (5, 7, -12, 9):
        world.truths["here"].pay(amount, world.now, 0)
    (event,), _ = world.advance()
    assert event.amount == 9
    assert world.advance() == ([], [])


def test_a_payment_for_what_is_closed_by_now_has_no_rate(world: World) -> None:
    world.truths["here"].pay(-4, world.now, 0)
    (event,), _ = world.advance()
    assert (event.amount, event.quantity, event.rate) == (-4, 0, 0)


def test_a_history_that_fails_does_not_hide_the_other(world: World, monkeypatch) -> None:
    world.truths["here"].trade(-50)
    world.advance(here=-50)

    async def fails(self: Speaker, since: int) -> tuple[FundingReceipt, ...]:
        raise ExecutionError("funding", "a payment in another market", "leave it alone")

    world.truths["here"].close(-20, 3, world.now, 0)
    with monkeypatch.context() as patch:
        patch.setattr(Speaker, "funding", fails)
        _, closed = world.advance()
        assert [event.quantity for event in closed] == [-20]
        assert not world.alarms()
        world.now += 120_000
        world.advance()
        assert world.alarms() == [("here", "clearing"), ("there", "clearing")]


def test_a_forced_trade_in_an_account_that_the_books_have_flat_is_an_alarm(world: World) -> None:
    world.truths["here"].position = -5
    world.truths["here"].close(-5, 0, world.now, 0)
    world.now += PAUSE
    process = world.process
    process.tape.add_bar(0, [0, world.now])
    # A fund that is flat asks for no liquidations at all.
    assert process.clearing.fundings(process.ledger.book(), MARKS, {}, 0) == ()
    assert world.alarms() == [("here", "0")]
    assert not process.clearing.pending("here")


def test_a_trade_whose_alarm_a_person_has_answered_is_never_told(world: World) -> None:
    world.truths["here"].trade(-5)
    world.truths["here"].close(-5, 0, world.now, 0)
    world.advance(here=-3)
    assert world.alarms() == [("here", "0")]
    world.now += 1
    world.process.alarms.clear("ann", world.now)
    assert world.advance(here=-60) == ([], [])
    world.process.file.close()
    world.process = world.made()
    world.process.advance({"here": -3})
    world.process.advance({"here": -60})
    assert world.advance() == ([], [])


def test_a_time_to_come_does_not_make_the_fund_deaf(world: World) -> None:
    world.truths["here"].pay(1, world.now, 0)
    receipt, _ = world.truths["here"].payments[0]
    ahead = FundingReceipt("ahead", receipt.symbol, 2, world.now + 1000 * DAY)
    world.truths["here"].payments.append((ahead, world.now))
    world.advance()
    world.truths["here"].pay(4, world.now, 0)
    (event,), _ = world.advance()
    assert event.amount == 4


def test_a_clock_set_back_does_not_make_the_fund_deaf(world: World) -> None:
    world.advance()
    world.truths["here"].pay(4, BEGIN, 0)
    world.now = BEGIN + 5
    (event,), _ = world.process.advance({})
    assert event.amount == 4


def test_requests_do_not_reach_back_further_and_further_while_nothing_is_told(
    world: World,
) -> None:
    for _ in range(20):
        world.now += DAY
        world.advance()
    assert world.now - world.truths["here"].since[-1] <= 2 * DAY + 2 * PAUSE


def test_between_two_questions_nothing_is_asked(world: World) -> None:
    world.advance()
    asked = len(world.truths["here"].since)
    world.now += PAUSE - 1
    world.process.advance({})
    assert len(world.truths["here"].since) == asked


def test_the_tape_of_a_real_file_is_told_again_to_the_letter(tmp_path: Path) -> None:
    world = World(tmp_path / "live.sqlite")
    world.truths["here"].trade(-50)
    told = [world.advance(here=-50)]
    world.truths["here"].pay(700, world.now, 0)
    world.truths["here"].close(-20, 3, world.now, 0)
    told += [world.advance(), world.advance()]
    world.process.file.close()
    assert LiveFile(world.path).close() is None
    world.process = world.made()
    assert [
        world.process.advance({"here": -50}),
        *(world.process.advance({}) for _ in "12"),
    ] == told
    world.process.file.close()


@pytest.mark.parametrize(
    ("quantity", "amount", "rate"),
    [
        (-1000, 20, 100_000_000),  # short, receives: longs pay
        (-1000, -20, -100_000_000),
        (1000, -20, 100_000_000),
        (1000, 20, -100_000_000),
        (-1000, 1, 5_000_000),
        (-3, 1, 1_666_666_667),  # away from zero
        (0, 7, 0),
    ],
)
def test_a_payment_as_told_has_the_rate_that_it_comes_to(
    quantity: int, amount: int, rate: int
) -> None:
    line = LINES["here"]
    event = Funding.as_told(line, quantity, MARK // 10**4, 3, amount)
    assert event.amount == amount
    assert event.rate == rate
