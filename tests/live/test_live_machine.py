"""Random lives of orders and transfers on real venues: nothing twice, nothing lost, books equal.

Replies get lost, come late or come again; fills are taken back by reorganisations; the process is
killed before and after any commit and made again from its file. After each step the ledger is the
trades that were told, and once everything has ended it is what the venues have.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from live_world import (
    CASH,
    COIN,
    TWIN,
    USD,
    BridgeTruth,
    Killed,
    Market,
    Process,
    order,
)

from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.account import Bucket
from agent_fund.execution.entry import Entry
from agent_fund.execution.errors import InsufficientFunds
from agent_fund.execution.live.leg_state import LegState

PRICE = 100_00
FAULTS = st.sampled_from(["lost", "silent", "refused", "lost"])


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "live.sqlite"
        self.markets = {i.venue.name: Market(i) for i in (COIN, TWIN)}
        self.bridge = BridgeTruth()
        self.script: list[Callable[[Process], object]] = []
        self.process = Process(self.path, self.markets, self.bridge)
        self.number = self.bar = self.kills = 0
        self.entries: tuple[Entry, ...] = ()  # after the last step that was done whole

    # -- what happens -------------------------------------------------------------------------

    @initialize(lots=st.integers(1, 60))
    def begin(self, lots) -> None:
        """An order works at each venue: few rules come to anything before."""
        for line in (COIN, TWIN):
            self.send(line, Side.BUY, lots, [])

    @rule(
        line=st.sampled_from([COIN, TWIN]),
        side=st.sampled_from(list(Side)),
        lots=st.integers(1, 60),
        faults=st.lists(FAULTS, max_size=2),
    )
    def send(self, line, side, lots, faults) -> None:
        quantity = lots * line.lot
        if side is Side.SELL:
            free = self.process.ledger.balance(line.venue.name, line.base, Bucket.AVAILABLE)
            quantity = min(quantity, free // line.lot * line.lot)
            if quantity == 0:
                return
        self.number += 1
        made = order(self.number, line, side, quantity, PRICE)
        bar = self.bar
        self.markets[line.venue.name].faults = list(faults)

        def sent(process: Process) -> None:
            try:
                process.desk.send([made], bar)
            except InsufficientFunds:
                return

        self.do(sent)
        self.markets[line.venue.name].faults = []

    @rule(
        amount=st.integers(1, 2 * 10**9),
        forth=st.booleans(),
        cost=st.integers(0, 10**6),
        faults=st.lists(FAULTS, max_size=1),
    )
    def carry(self, amount, forth, cost, faults) -> None:
        source, target = ("here", "there") if forth else ("there", "here")
        if self.process.ledger.balance(source, USD, Bucket.AVAILABLE) < amount or cost >= amount:
            return
        self.number += 1
        transit = Transit(f"move{self.number:028}", Transfer(amount, source, target, cost), 0)
        bar = self.bar
        self.bridge.faults = [f for f in faults if f == "lost"]
        self.do(lambda process: process.desk.transfer(transit, bar))
        self.bridge.faults = []

    @rule(data=st.data(), back=st.booleans())
    def bridge_ends(self, data, back) -> None:
        waiting = sorted(set(self.bridge.begun) - set(self.bridge.ended))
        if not waiting:
            return
        name = data.draw(st.sampled_from(waiting))
        leg = self.process.legs.leg(name) if self.process.legs.knows(name) else None
        if leg is None:
            return
        amount, cost = int(leg.request["amount"]), int(leg.request["cost"])
        received = amount if back else amount - data.draw(st.integers(0, cost))
        state = LegState.REFUNDED if back else LegState.SETTLED
        self.bridge.ended[name] = (state, received)

    @rule(data=st.data(), lots=st.integers(1, 60), better=st.integers(0, 40))
    def fill(self, data, lots, better) -> None:
        known = {k: (m, v) for m in self.markets.values() for k, v in m.known.items() if not v.over}
        if not known:
            return
        market, chosen = known[data.draw(st.sampled_from(sorted(known)))]
        made: Order = chosen.order
        quantity = min(lots * made.instrument.lot, made.quantity - chosen.filled)
        price = made.limit - made.side.sign * better
        fee = made.instrument.notional(quantity, price) // 100
        market.fill(made.order_id, quantity, price, fee)

    @rule(blocks=st.integers(1, 4))
    def mine(self, blocks) -> None:
        for market in self.markets.values():
            market.head += blocks

    @rule(depth=st.integers(1, 3))
    def reorganise(self, depth) -> None:
        for market in self.markets.values():
            market.reorganise(depth)

    @rule(faults=st.lists(FAULTS, max_size=2))
    def open(self, faults) -> None:
        self.bar += 1
        bar = self.bar
        for market in self.markets.values():
            market.faults = list(faults)

        def opened(process: Process) -> None:
            process.desk.arrive(bar)
            process.desk.on_open(bar, {}, {})

        self.do(opened)
        for market in self.markets.values():
            market.faults = []

    @rule()
    def tend(self) -> None:
        def tended(process: Process) -> None:
            for venue in process.venues.values():
                venue.tend()
            process.carriage.tend()

        # It tells the fund nothing, so a run that is made again does not repeat it.
        self.do(tended, told=False)

    @rule(data=st.data())
    def cancel(self, data) -> None:
        working = [o.order_id for o in self.process.desk.open_orders]
        if not working:
            return
        chosen, bar = data.draw(st.sampled_from(working)), self.bar

        def cancelled(process: Process) -> None:
            process.desk.cancel([o for o in process.desk.open_orders if o.order_id == chosen], bar)

        self.do(cancelled)

    @precondition(lambda self: self.kills < 6)
    @rule(commits=st.integers(1, 8), after=st.booleans())
    def doom(self, commits, after) -> None:
        """The process will be killed at one of its next commits."""
        self.kills += 1
        self.process.file.lives, self.process.file.after = commits, after

    @precondition(lambda self: self.kills < 6)
    @rule()
    def restart(self) -> None:
        self.kills += 1
        self.process.end()
        self.again()

    # -- how it is done -----------------------------------------------------------------------

    def do(self, step: Callable[[Process], object], *, told: bool = True) -> None:
        if told:
            self.script.append(step)
        try:
            step(self.process)
        except Killed:
            self.process.end()
            self.again()
        self.entries = self.process.ledger.entries

    def again(self) -> None:
        """A new process makes everything again from the file; then it goes on."""
        self.process = Process(self.path, self.markets, self.bridge)
        for step in self.script:
            step(self.process)
        assert self.process.ledger.entries[: len(self.entries)] == self.entries

    # -- what always holds --------------------------------------------------------------------

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        sums: Counter[object] = Counter()
        for account, units in self.process.ledger.balances().items():
            sums[account.asset] += units
        assert not any(sums.values())

    @invariant()
    def only_final_trades_are_in_the_books(self) -> None:
        book = self.process.desk.book()
        for name, market in self.markets.items():
            final = 0
            for known in market.known.values():
                for fill, block in known.fills:
                    if block + 2 <= market.head:
                        final += abs(fill.quantity)
            traded = sum(
                abs(p.units)
                for entry in self.process.ledger.entries
                if entry.kind == "fill"
                for p in entry.postings
                if p.account.asset == market.instrument.base and p.account.place == "outside"
            )
            assert traded <= final, (name, traded, final)
        assert all(cash >= 0 for cash in book.places.values())

    @invariant()
    def no_order_is_placed_that_had_ended(self) -> None:
        for market in self.markets.values():
            assert not (market.dead & set(market.known))
            assert not market.late

    def teardown(self) -> None:
        """Everything ends: every line is sound, every block comes, every order is cancelled."""
        self.process.file.lives = None
        for _ in range(5):
            for name in set(self.bridge.begun) - set(self.bridge.ended):
                leg = self.process.legs.leg(name)
                self.bridge.ended[name] = (LegState.SETTLED, int(leg.request["amount"]))
            for market in self.markets.values():
                market.head += 60
            self.open([])
            self.do(lambda process, bar=self.bar: process.desk.cancel_all(bar))
        book = self.process.desk.book()
        assert not book.open_orders
        lost = {
            transit.transfer_id for transit in book.transit
        }  # never began: a person has to say what becomes of them
        assert lost.isdisjoint(self.bridge.begun)
        under_way = sum(t.transfer.amount for t in book.transit)
        carried = 0
        for name, (state, received) in self.bridge.ended.items():
            leg = self.process.legs.leg(name)
            carried += int(leg.request["amount"]) - received
            assert state in (LegState.SETTLED, LegState.REFUNDED)
        money = 2 * CASH - carried
        for market in self.markets.values():
            coins, moved = market.holdings()
            assert book.position(market.instrument.symbol) == coins
            money += moved
        assert book.cash == money, (book.cash, money, under_way)
        assert all(o.purpose is Purpose.AGENT for o in book.open_orders)
        assert not self.process.alarms.all()
        self.process.end()
        self.folder.cleanup()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=300, stateful_step_count=50, deadline=None)
