"""Random transfers both ways, lost answers, slow ones, restarts: each moves its money once or not.

A leg that is told to have arrived has moved its amount; one that is told to have been refused or
never to have arrived has moved nothing; and once everything has ended both wallets say so too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange_world import IN_COIN, IN_QUOTE, OWNER, PERPETUAL, SPOT, USD, Clock, Keys
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from time_outs import PATIENCE_MS, withheld_answers_time_out

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.server import LoopbackExchange
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.connect import (
    Setting,
    binance_futures,
    binance_spot,
    binance_wallet,
)
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState, follows

PATH = "/sapi/v1/asset/transfer"
SENDING = [
    Fault.LOST,
    Fault.SILENT,
    Fault.LATE,
    Fault.CUT,
    Fault.DROPPED,
    Fault.LIMITED,
    Fault.BANNED,
    Fault.UNAVAILABLE,
    Fault.UNAVAILABLE_AFTER,
    Fault.HTML,
]
TELLING = [
    Fault.DROPPED,
    Fault.CUT,
    Fault.LIMITED,
    Fault.UNAVAILABLE,
    Fault.DUPLICATE_TRADES,
    Fault.SHUFFLED_TRADES,
]
FUNDS, WALLET = Decimal(5), Decimal(3)


@dataclass
class Leg:
    """One transfer of the fund, and what was told of it."""

    transit: Transit
    prepared: Prepared
    state: LegState = LegState.PENDING


class Wallets(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.exchange = LoopbackExchange(
            {"USDT": FUNDS, "BNB": Decimal(100)},
            WALLET,
            owner=OWNER.address,
            clock=self.clock.now,
            maker=MarketMaker(levels=1, depth=Decimal(1000)),
        )
        url = self.run(self.exchange.start())
        self.stack = ExitStack()
        self.stack.enter_context(withheld_answers_time_out(self.exchange))
        self.exchange.set_price("BTCUSDT", Decimal(60_000))
        setting = Setting(
            url=url,
            timeout_ms=PATIENCE_MS,
            rate_limit_ms=1,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
        )
        self.setting = setting
        self.spot = binance_spot("binance", Keys(), {SPOT: "BTCUSDT"}, IN_COIN, setting)
        self.futures = binance_futures("futures", Keys(), {PERPETUAL: "BTCUSDT"}, IN_QUOTE, setting)
        self.run(self.spot.start())
        self.run(self.futures.start())
        self.legs: list[Leg] = []
        self.connect()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def connect(self) -> None:
        """A new carrier that has forgotten everything; it is asked after what is open."""
        self.carrier = binance_wallet("wallet", Keys(), USD, self.spot, self.futures, self.setting)
        self.run(self.carrier.start())
        for leg in self.legs:
            if not leg.state.ended:
                ask = self.carrier.submit if leg.state is LegState.PENDING else self.carrier.status
                self.take(leg, self.run(ask(leg.prepared)))

    def take(self, leg: Leg, report: Report) -> None:
        assert report.leg_id == leg.transit.transfer_id
        assert follows(leg.state, report.state), (leg.state, report)
        leg.state = report.state
        if report.state is LegState.SETTLED:
            assert report.received == leg.transit.transfer.amount

    @rule(
        home=st.booleans(),
        amount=st.sampled_from(["1", "2.5", "0.00000001"]),
        seconds=st.sampled_from([1, 3, 600]),
        fault=st.none() | st.sampled_from(SENDING),
        sent=st.sampled_from([True, True, True, False]),
    )
    def begin(self, home: bool, amount: str, seconds: int, fault: Fault | None, sent: bool) -> None:
        pair = ("futures", "binance") if home else ("binance", "futures")
        units = USD.units(amount)
        transit = Transit(f"t{len(self.legs)}", Transfer(units, *pair), 1)
        deadline = self.clock.ms // 1000 + seconds
        try:
            prepared = self.run(self.carrier.prepare(transit, units, deadline))
        except ExecutionError:
            return
        leg = Leg(transit, prepared)
        self.legs.append(leg)
        if fault is not None:
            self.exchange.faults.arm(fault, "POST", PATH)
        if sent:
            self.take(leg, self.run(self.carrier.submit(prepared)))

    @precondition(lambda self: self.legs)
    @rule(
        which=st.integers(0, 99),
        again=st.booleans(),
        path=st.sampled_from([PATH, "/api/v3/time"]),
        fault=st.none() | st.sampled_from(TELLING),
    )
    def ask(self, which: int, again: bool, path: str, fault: Fault | None) -> None:
        leg = self.legs[which % len(self.legs)]
        if fault is not None:
            self.exchange.faults.arm(fault, "GET", path)
        work = self.carrier.submit if again else self.carrier.status
        report = self.run(work(leg.prepared))
        if not leg.state.ended:
            self.take(leg, report)

    @rule(seconds=st.sampled_from([0.5, 3, 7, 40]))
    def wait(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def let_late_ones_arrive(self) -> None:
        self.exchange.release()
        for _ in range(20):
            self.run(asyncio.sleep(0))

    @rule(slow=st.booleans(), failed=st.booleans())
    def slow_down(self, slow: bool, failed: bool) -> None:
        self.exchange.wallets.slow = slow
        for made in self.exchange.wallets.transfers:
            if made.status == "PENDING":
                self.exchange.wallets.end(made, failed)

    @rule()
    def restart(self) -> None:
        self.exchange.faults.clear()
        self.run(self.carrier.close())
        self.connect()

    @invariant()
    def nothing_moves_twice(self) -> None:
        happened = [made for made in self.exchange.wallets.transfers if made.status != "FAILED"]
        arrived = [leg for leg in self.legs if leg.state is LegState.SETTLED]
        gone = [leg for leg in self.legs if leg.state.ended and leg not in arrived]
        assert len(arrived) <= len(happened) <= len(self.legs) - len(gone)

    def teardown(self) -> None:
        try:
            self.exchange.faults.clear()
            self.slow_down(slow=False, failed=False)
            self.let_late_ones_arrive()
            self.clock.pass_by(60)
            self.restart()
            net = Decimal(0)
            for leg in self.legs:
                assert leg.state.ended, leg
                transfer = leg.transit.transfer
                if leg.state is LegState.SETTLED:
                    sign = 1 if transfer.target == "futures" else -1
                    net += sign * USD.amount(transfer.amount)
            assert self.exchange.spot_account.total("USDT") == FUNDS - net
            assert self.exchange.margin_account.wallet == WALLET + net
        finally:
            for made in (self.carrier, self.spot, self.futures):
                self.run(made.close())
            self.run(self.exchange.stop())
            self.stack.close()
            self.runner.close()


Wallets.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, print_blob=True
)
TestWallets = Wallets.TestCase
