"""Random orders, cancels, price moves, faults and restarts at three venues at once.

After every step, once the exchange answers again: each leg has at most one order there, every
trade there is told exactly once, and the ledger that booked the adapters' reports equals the
exchange's own balances to the last unit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchange_world import (
    BTC,
    FAR,
    HYPER,
    IN_COIN,
    IN_QUOTE,
    OWNER,
    PERPETUAL,
    SPOT,
    USD,
    Clock,
    Keys,
    Signer,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from time_outs import PATIENCE_MS, withheld_answers_time_out

from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.server import LoopbackExchange
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Fill, Order, Purpose, Side, Status
from agent_fund.execution.errors import InsufficientFunds
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.connect import (
    Setting,
    binance_futures,
    binance_spot,
    hyperliquid,
)
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState, follows

VENUES = {"binance": SPOT, "futures": PERPETUAL, "hyperliquid": HYPER}
PATHS = {"binance": "/api/v3/order", "futures": "/fapi/v1/order", "hyperliquid": "/exchange"}
PLACING = [
    Fault.LOST,
    Fault.SILENT,
    Fault.LATE,
    Fault.CUT,
    Fault.DROPPED,
    Fault.LIMITED,
    Fault.UNAVAILABLE,
    Fault.UNAVAILABLE_AFTER,
    Fault.HTML,
]
TELLING = [Fault.DUPLICATE_TRADES, Fault.SHUFFLED_TRADES, Fault.MISSING_TRADE, Fault.CUT]


@dataclass
class Leg:
    """One order of the fund, and what was booked of it."""

    order: Order
    prepared: Prepared
    state: LegState = LegState.PENDING
    booked: set[str] = field(default_factory=set)


class Exchanges(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.exchange = LoopbackExchange(
            clock=self.clock.now,
            maker=MarketMaker(levels=3, depth=Decimal(30_000)),
            owner=OWNER.address,
        )
        url = self.run(self.exchange.start())
        self.stack = ExitStack()
        self.stack.enter_context(withheld_answers_time_out(self.exchange))
        self.exchange.set_price("BTCUSDT", Decimal(60_000))
        self.setting = Setting(
            url=url,
            timeout_ms=PATIENCE_MS,
            rate_limit_ms=1,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
        )
        self.adapters: dict[str, ExchangeAdapter] = {}
        for venue in VENUES:
            self.connect(venue)
        self.ledger = Ledger(USD, {i.symbol: i for i in VENUES.values()})
        self.ledger.deposit(USD, USD.units(1_000_000), "binance", "spot")
        self.ledger.deposit(BTC, BTC.units(10), "binance", "coins")
        self.ledger.deposit(USD, USD.units(100_000), "futures", "futures")
        self.ledger.deposit(USD, USD.units(100_000), "hyperliquid", "hyperliquid")
        self.legs: list[Leg] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def engine(self, venue: str) -> Engine:
        return {
            "binance": self.exchange.spot,
            "futures": self.exchange.futures,
            "hyperliquid": self.exchange.hyperliquid,
        }[venue]

    def connect(self, venue: str) -> None:
        """A new adapter that has forgotten everything."""
        if venue in self.adapters:
            self.run(self.adapters[venue].close())
        if venue == "binance":
            made = binance_spot(venue, Keys(), {SPOT: "BTCUSDT"}, IN_COIN, self.setting)
        elif venue == "futures":
            made = binance_futures(venue, Keys(), {PERPETUAL: "BTCUSDT"}, IN_QUOTE, self.setting)
        else:
            markets = {HYPER: "BTC"}
            made = hyperliquid(venue, Signer(), OWNER.address, markets, IN_QUOTE, self.setting)
        self.clock.pass_by(0.001)
        self.run(made.start())
        self.adapters[venue] = made

    def take(self, leg: Leg, report: Report) -> None:
        """Book a report as the fund does: a trade once, never after the end."""
        assert report.leg_id == leg.order.order_id
        assert follows(leg.state, report.state), (leg.state, report)
        leg.state = report.state
        for told in report.executions:
            if told.exec_id in leg.booked:
                continue
            leg.booked.add(told.exec_id)
            fill = Fill(
                told.exec_id,
                leg.order.order_id,
                leg.order.instrument,
                leg.order.side,
                told.quantity,
                told.price,
                told.fee,
                0,
            )
            assert self.ledger.fill(fill, leg.order)
            leg.order = leg.order.with_fill(fill)
        if report.state.ended and leg.order.status.open:
            leg.order = leg.order.with_status(Status.CANCELED)
            self.ledger.release(leg.order)

    @rule(
        venue=st.sampled_from(sorted(VENUES)),
        buy=st.booleans(),
        lots=st.integers(1, 1000),
        away=st.integers(-60, 60),
        deadline=st.sampled_from([FAR, 3]),
        fault=st.none() | st.sampled_from(PLACING),
    )
    def place(
        self, venue: str, buy: bool, lots: int, away: int, deadline: int, fault: Fault | None
    ) -> None:
        instrument: Instrument = VENUES[venue]
        quantity = lots * 100_000
        limit = instrument.price(60_000 + away * 10)
        number = len(self.legs)
        name = "".join(chr(97 + int(digit)) for digit in str(number)).rjust(32, "z")
        side = Side.BUY if buy else Side.SELL
        made = Order(name, instrument, side, quantity, limit, Purpose.AGENT, expires=1)
        adapter = self.adapters[venue]
        try:
            self.ledger.reserve([(made, adapter.maximum_fee(made))])
        except InsufficientFunds:
            return
        at = deadline if deadline == FAR else self.clock.ms // 1000 + deadline
        leg = Leg(made, self.run(adapter.prepare(made, at)))
        self.legs.append(leg)
        if fault is not None:
            self.exchange.faults.arm(fault, "POST", PATHS[venue])
        self.take(leg, self.run(adapter.submit(leg.prepared)))

    @precondition(lambda self: self.legs)
    @rule(
        which=st.integers(0, 99),
        what=st.sampled_from(["submit", "submit", "status", "cancel"]),
        method=st.sampled_from(["POST", "GET", "DELETE"]),
        path=st.sampled_from(["/order", "/myTrades", "/userTrades", "/exchange", "/info"]),
        fault=st.none() | st.sampled_from(PLACING + TELLING),
    )
    def ask(self, which: int, what: str, method: str, path: str, fault: Fault | None) -> None:
        leg = self.legs[which % len(self.legs)]
        adapter = self.adapters[leg.order.instrument.venue.name]
        if fault is not None:
            self.exchange.faults.arm(fault, method, path)
        report = self.run(getattr(adapter, what)(leg.prepared))
        if not leg.state.ended:
            self.take(leg, report)

    @rule()
    def send_everything_again(self) -> None:
        for leg in self.legs:
            adapter = self.adapters[leg.order.instrument.venue.name]
            report = self.run(adapter.submit(leg.prepared))
            if not leg.state.ended:
                self.take(leg, report)

    @rule(dollars=st.integers(59_000, 61_000))
    def move(self, dollars: int) -> None:
        self.exchange.set_price("BTCUSDT", Decimal(dollars))

    @rule(seconds=st.sampled_from([0.5, 3, 7]))
    def wait(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def let_late_ones_arrive(self) -> None:
        self.exchange.release()
        for _ in range(20):
            self.run(asyncio.sleep(0))

    @rule(venue=st.sampled_from(sorted(VENUES)))
    def restart(self, venue: str) -> None:
        self.exchange.faults.clear()
        self.connect(venue)

    @rule(rate=st.sampled_from(["0.0001", "-0.0003"]))
    def fund(self, rate: str) -> None:
        """Funding goes into the cash beside the trades; the ledger is told of it at once."""
        since = self.clock.ms
        self.exchange.fund("BTCUSDT", Decimal(rate))
        self.exchange.faults.clear()
        for venue in ("futures", "hyperliquid"):
            for receipt in self.run(self.adapters[venue].funding(since)):
                entry = f"funding {venue} {receipt.payment_id}"
                if receipt.amount > 0:
                    self.ledger.deposit(USD, receipt.amount, venue, entry)
                else:
                    self.ledger.withdraw(USD, -receipt.amount, venue, entry)
        self.clock.pass_by(0.001)

    @invariant()
    def books_equal_the_exchange(self) -> None:
        self.exchange.faults.clear()
        for leg in self.legs:
            if not leg.state.ended:
                adapter = self.adapters[leg.order.instrument.venue.name]
                self.take(leg, self.run(adapter.status(leg.prepared)))
        for venue, instrument in VENUES.items():
            mine = [leg for leg in self.legs if leg.order.instrument is instrument]
            there = list(self.engine(venue).orders.values())
            references = [made.client_id for made in there]
            assert len(references) == len(set(references)), "an order was placed twice"
            assert set(references) <= {leg.prepared.reference for leg in mine}
            told = sum(len(leg.booked) for leg in mine)
            assert told == len(self.engine(venue).trades), "a trade was lost or invented"
            for leg in mine:
                if leg.state.ended:
                    assert not any(
                        made.open for made in there if made.client_id == leg.prepared.reference
                    )
        spot, books = self.exchange.spot_account, self.ledger.book()
        assert BTC.amount(books.position("BTC-SPOT")) == spot.total("BTC")
        places = books.places
        assert USD.amount(places["binance"]) == spot.total("USDT")
        for venue, symbol, account, market in (
            ("futures", "BTC-PERP", self.exchange.margin_account, "BTCUSDT"),
            ("hyperliquid", "BTC-HL", self.exchange.usdc_account, "BTC"),
        ):
            quantity = VENUES[venue].base.amount(books.position(symbol))
            assert quantity == account.position(market).quantity
            assert USD.amount(places[venue]) == account.cash

    def teardown(self) -> None:
        try:
            for venue, adapter in self.adapters.items():
                held, books = self.run(adapter.holdings(0)), self.ledger.book()
                instrument = VENUES[venue]
                assert held.assets[instrument.base.symbol] == books.position(instrument.symbol)
                assert held.assets["USD"] == books.places[venue]
        finally:
            for adapter in self.adapters.values():
                self.run(adapter.close())
            self.run(self.exchange.stop())
            self.stack.close()
            self.runner.close()


Exchanges.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, print_blob=True
)
TestExchanges = Exchanges.TestCase
