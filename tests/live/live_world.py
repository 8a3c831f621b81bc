"""A venue with a truth of its own, behind a line that loses, repeats and takes back; and a crash.

The market survives what happens to the fund: it knows which bytes arrived, what filled in which
block, and what the fund really has there.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from agent_fund.domain.instrument import Asset, Chain, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.domain.transfer import Transit
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import (
    Capabilities,
    Execution,
    Holdings,
    Prepared,
    Quote,
    Report,
    TransferQuote,
)
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_carriage import LiveCarriage
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.live_venue import LiveVenue
from agent_fund.execution.live.tape import Tape

USD = Asset("USD", 6)
HERE = Venue("here", Chain("eip155:1"))
THERE = Venue("there", Chain("eip155:2"))
COIN = Instrument("COIN", Asset("COIN", 3), USD, HERE, price_scale=2, lot=10, tick=5)
TWIN = Instrument("TWIN", Asset("TWIN", 3), USD, THERE, price_scale=2, lot=10, tick=5)
LINES = {"COIN": COIN, "TWIN": TWIN}
CASH = 10_000 * 10**6
FINALITY = 2
LIFE = 30  # blocks that an order may take to begin
PATIENCE = 3  # blocks after which what nobody has seen is sent again


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@dataclass
class Known:
    """An order that has arrived."""

    order: Order
    fills: list[tuple[Execution, int]] = field(default_factory=list)
    over: bool = False
    arrivals: int = 0

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill, _ in self.fills)


class Market:
    """The truth about one venue."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.head = 10
        self.known: dict[str, Known] = {}
        self.dead: set[str] = set()
        self.late: set[str] = set()  # of what came, what came first after its deadline
        self.trades = 0
        # What goes wrong at the next requests of a kind: lost, silent, refused.
        self.faults: list[str] = []

    def fill(self, order_id: str, quantity: int, price: int, fee: int) -> None:
        """Fill a part in the block to come."""
        known = self.known[order_id]
        self.head += 1
        self.trades += 1
        trade = Execution(f"x{self.trades}", quantity, price, fee, False)
        known.fills.append((trade, self.head))
        known.over = known.filled == known.order.quantity

    def reorganise(self, depth: int) -> None:
        """Take back the fills of the last blocks, none of them final."""
        last = self.head - min(depth, FINALITY)
        for known in self.known.values():
            kept = [(fill, block) for fill, block in known.fills if block <= last]
            if len(kept) < len(known.fills):
                known.fills, known.over = kept, False

    def holdings(self) -> tuple[int, int]:
        """(coins, currency) won or lost in all trades that stand."""
        coins = money = 0
        for known in self.known.values():
            sign = known.order.side.sign
            for fill, _ in known.fills:
                coins += sign * fill.quantity
                money -= sign * self.instrument.notional(fill.quantity, fill.price) + fill.fee
        return coins, money


class MarketAdapter:
    """What speaks to the market; an exact Adapter but for its faults."""

    def __init__(self, market: Market) -> None:
        self.market = market

    @property
    def name(self) -> str:
        return self.market.instrument.venue.name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(True, True, FINALITY, False)

    def maximum_fee(self, order: Order) -> int:
        return order.instrument.notional(order.quantity, order.limit) // 50 + 100

    async def start(self) -> None:
        return None

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        return None

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        body = f"{order.order_id} {order.quantity} {order.limit}".encode()
        return Prepared(order.order_id, f"ref-{order.order_id}", body, deadline, {})

    async def submit(self, prepared: Prepared) -> Report:
        fault = self._fault()
        if fault == "lost":
            return Report(prepared.leg_id, LegState.UNKNOWN, detail="time-out")
        market, leg_id = self.market, prepared.leg_id
        if leg_id in market.dead:
            return self._report(prepared)
        if fault == "refused" and leg_id not in market.known:
            market.dead.add(leg_id)
            return Report(leg_id, LegState.REJECTED, detail="no")
        if leg_id not in market.known and market.head >= prepared.deadline:
            market.late.add(leg_id)
        known = market.known.setdefault(leg_id, Known(self.orders[leg_id]))
        known.arrivals += 1
        if fault == "silent":
            return Report(leg_id, LegState.UNKNOWN, detail="time-out")
        return self._report(prepared)

    async def status(self, prepared: Prepared) -> Report:
        if self._fault() is not None:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail="time-out")
        return self._report(prepared)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        return None

    async def cancel(self, prepared: Prepared) -> Report:
        if self._fault() is not None:
            return Report(prepared.leg_id, LegState.UNKNOWN, detail="time-out")
        known = self.market.known.get(prepared.leg_id)
        if known is None:
            self.market.dead.add(prepared.leg_id)
        else:
            known.over = True
        return self._report(prepared)

    async def holdings(self, since: int) -> Holdings:
        raise AssertionError

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        return {}

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        return {}

    async def close(self) -> None:
        return None

    orders: ClassVar[dict[str, Order]] = {}

    def _fault(self) -> str | None:
        return self.market.faults.pop(0) if self.market.faults else None

    def _report(self, prepared: Prepared) -> Report:
        market, leg_id = self.market, prepared.leg_id
        known = market.known.get(leg_id)
        if known is None:
            gone = leg_id in market.dead or market.head > prepared.deadline
            if gone:
                market.dead.add(leg_id)
            state = LegState.CANCELED if gone else LegState.UNKNOWN
            return Report(leg_id, state, detail="it is not here")
        final = [block + FINALITY <= market.head for _, block in known.fills]
        trades = tuple(
            Execution(fill.exec_id, fill.quantity, fill.price, fill.fee, sure)
            for (fill, _), sure in zip(known.fills, final, strict=True)
        )
        whole = known.filled == known.order.quantity
        if known.over and all(final):
            state = LegState.SETTLED if whole else LegState.CANCELED
        elif trades:
            state = LegState.FILLED
        else:
            state = LegState.SUBMITTED
        return Report(leg_id, state, trades)


class MortalFile(LiveFile):
    """A live file whose process dies at a commit, before or after it.

    Attributes:
        lives: commits left; None for ever.
    """

    lives: int | None = None
    after = False

    # A kill leaves what the system was given; only a power cut asks for more, and takes longer.
    LEVELS: ClassVar = {True: "OFF", False: "OFF"}

    def _commit(self) -> None:
        if self.lives is None:
            super()._commit()
            return
        self.lives -= 1
        if self.lives > 0:
            super()._commit()
            return
        if self.after:
            super()._commit()
        raise Killed


class BridgeTruth:
    """The truth about a carrier: which transfers were begun, and how each ended."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.ended: dict[str, tuple[LegState, int]] = {}
        self.faults: list[str] = []


class BridgeCarrier:
    """What speaks to the carrier."""

    name = "bridge"

    def __init__(self, truth: BridgeTruth) -> None:
        self.truth = truth

    def carries(self, source: str, target: str) -> bool:
        return {source, target} == {"here", "there"}

    async def start(self) -> None:
        return None

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        return None

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        notes = {"least": str(min_received)}
        return Prepared(transit.transfer_id, transit.transfer_id, b"bytes", deadline, notes)

    async def submit(self, prepared: Prepared) -> Report:
        fault = self.truth.faults.pop(0) if self.truth.faults else None
        if fault == "lost":
            return Report(prepared.leg_id, LegState.UNKNOWN)
        self.truth.begun[prepared.leg_id] = self.truth.begun.get(prepared.leg_id, 0) + 1
        return await self.status(prepared)

    async def status(self, prepared: Prepared) -> Report:
        ended = self.truth.ended.get(prepared.leg_id)
        if ended is not None:
            return Report(prepared.leg_id, ended[0], received=ended[1])
        if prepared.leg_id in self.truth.begun:
            return Report(prepared.leg_id, LegState.ORIGIN_CONFIRMED)
        return Report(prepared.leg_id, LegState.UNKNOWN)

    async def bump(self, prepared: Prepared) -> Prepared | None:
        return None

    async def close(self) -> None:
        return None


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def driven(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns; one loop for all, because a process here lives for a moment."""
    return LOOP.run_until_complete(coroutine)


class Process:
    """One process of the fund: desk, ledger and live venues over one file."""

    def __init__(self, path: Path, markets: Mapping[str, Market], bridge: BridgeTruth) -> None:
        self.file = MortalFile(path)
        now = next(iter(markets.values()))
        self.alarms = Alarms(self.file, lambda: 0)
        self.legs = LegStore(self.file, self.alarms, lambda: 0)
        tape = Tape(self.file)
        self.ledger = Ledger(USD, LINES)
        for place in ("here", "there"):
            self.ledger.deposit(USD, CASH, place, f"capital {place}")

        def seconds() -> int:
            return now.head

        def deadline(order: Order, bar: int) -> int:
            return bar + LIFE

        self.venues: dict[str, Any] = {}
        for name, market in markets.items():
            adapter = MarketAdapter(market)
            driver = LegDriver(name, adapter, self.legs, driven, seconds, PATIENCE)
            self.venues[name] = LiveVenue(adapter, driver, self.legs, tape, self.alarms, deadline)
        carrier = BridgeCarrier(bridge)
        carrying = LegDriver("bridge", carrier, self.legs, driven, seconds, PATIENCE)
        self.carriage = LiveCarriage(
            [(carrier, carrying)], self.legs, tape, self.alarms, lambda bar: bar + 1000
        )
        self.desk = Desk(self.ledger, self.venues, self.carriage)

    def end(self) -> None:
        """The process is gone, gently or not."""
        self.file.close()


def order(number: int, instrument: Instrument, side: Side, quantity: int, limit: int) -> Order:
    """A new order that lives until it is ended."""
    made = Order(
        f"order{number:027}", instrument, side, quantity, limit, Purpose.AGENT, expires=10_000
    )
    MarketAdapter.orders[made.order_id] = made
    return made
