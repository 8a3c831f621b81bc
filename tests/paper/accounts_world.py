"""A carry fund's two accounts at a loopback exchange, in a time that the test's own clock makes.

The fund, its adapters and ccxt are the real ones, and the exchange is the devnet's. Nothing waits:
time passes where the run would sleep, and there the market moves, so that a run of many bars takes
seconds and is the same each time.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent_fund.backtest.run import Finished
from agent_fund.backtest.session import Session
from agent_fund.devnet.exchange.server import LoopbackExchange
from agent_fund.execution.exchange.connect import Setting
from agent_fund.fund.terms import Tick
from agent_fund.paper import exchange_accounts
from agent_fund.paper.clock import WallClock
from agent_fund.paper.run import paper
from agent_fund.paper.stores import Stores

SCALE = 12  # of the run file's currency
BAR = 20_000  # milliseconds
BEGIN = 1_790_000_000_000
COIN, PERPETUAL = "ETH", "ETH-PERP"
CASH = {"exchange": Decimal(300_000), "futures": Decimal(200_000)}
Told = Callable[[Tick, Session, Stores], None]


class Clock(WallClock):
    """Time that passes while the run waits; ``each`` happens every time, at the new time."""

    def __init__(self, each: Callable[[int], None]) -> None:
        super().__init__()
        self.ms = BEGIN
        self._each = each

    def now(self) -> int:
        return self.ms

    def sleep(self, milliseconds: int) -> None:
        self.ms += milliseconds
        self._each(self.ms)


@dataclass
class Accounts:
    """The exchange behind its thread, and the run files' clock.

    Attributes:
        at: what happens once the clock has come to a time: (Unix ms, what).
        price, basis: of the coin, and of the perpetual over it.
        alarms: open when the last bar was told. ``booked``: (cash, positions) by place then.
    """

    exchange: LoopbackExchange
    loop: asyncio.AbstractEventLoop
    folder: Path
    price: Decimal = Decimal(2000)
    basis: Decimal = Decimal(1)
    at: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    clock: Clock = field(init=False)
    alarms: list[Any] = field(default_factory=list)
    session: Session | None = None

    def __post_init__(self) -> None:
        self.clock = Clock(self.passed)

    @property
    def connections(self) -> Path:
        """A file of connections to the two accounts."""
        line = {"url": self.exchange.url, "credentials": "loopback"}
        spot = {"kind": "binance", "markets": {COIN: "ETHUSDT"}, "fee": "0.001", **line}
        futures = {"kind": "binance_futures", "markets": {PERPETUAL: "ETHUSDT"}, **line}
        venues = {
            "exchange": {**spot, "prepaid": "BNB", "reserve": "1"},
            "futures": {**futures, "fee": "0.0005"},
        }
        wallet = {"kind": "binance_wallet", "spot": "exchange", "futures": "futures"}
        path = self.folder / "connections.json"
        path.write_text(json.dumps({"venues": venues, "carriers": {"wallet": wallet}}))
        return path

    def call(self, act: Callable[[], Any]) -> Any:
        """``act`` in one step of the exchange's loop."""

        async def acted() -> Any:
            return act()

        return self.do(acted())

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def passed(self, now: int) -> None:
        """The time is ``now``: the market is quoted anew, and what was to happen happens."""
        self.quote()
        due = [act for time, act in self.at if time <= now]
        self.at = [(time, act) for time, act in self.at if time > now]
        for act in due:
            self.call(act)

    def quote(self, price: Decimal | None = None) -> None:
        """Move the market to ``price``, or fill its book up where it is."""
        self.price = self.price if price is None else price
        mark = self.price + self.basis
        self.call(lambda: self.exchange.set_price("ETHUSDT", self.price, mark))

    def fund(self, rate: str = "0.0001") -> None:
        """Pay funding now; to be called in the exchange's loop."""
        self.exchange.fund("ETHUSDT", Decimal(rate))

    def deleverage(self, quantity: str) -> None:
        """Let the venue close a part of the short; to be called in the exchange's loop."""
        self.exchange.futures_market.deleverage("ETHUSDT", Decimal(quantity))

    def in_bar(self, bar: int, act: Callable[[], None], part: float = 0.5) -> None:
        """Let ``act`` happen while bar number ``bar`` lasts."""
        self.at.append((BEGIN + int((bar + part) * BAR), act))

    def run(
        self, runfile: Path, told: Told = lambda tick, session, stores: None, **more: Any
    ) -> Finished:
        """The paper run over these accounts."""

        def kept(tick: Tick, session: Session, stores: Stores) -> None:
            self.session, self.alarms = session, stores.alarms.all()
            told(tick, session, stores)

        connections = self.connections
        return paper(runfile, connections=connections, clock=self.clock, told_bar=kept, **more)

    def there(self) -> dict[str, tuple[int, Decimal]]:
        """(cash in the fund's units, contracts or coins) by venue, as the exchange has them."""
        spot, margin = self.exchange.spot_account, self.exchange.margin_account
        return {
            "exchange": (int(spot.total("USDT").scaleb(SCALE)), spot.total("ETH")),
            "futures": (int(margin.cash.scaleb(SCALE)), margin.position("ETHUSDT").quantity),
        }

    def booked(self) -> dict[str, tuple[int, Decimal]]:
        """The same by the ledger."""
        assert self.session is not None
        book = self.session.fund.book
        held = {i.venue.name: i.base.amount(book.position(s)) for s, i in book.instruments.items()}
        return {place: (cash, held[place]) for place, cash in book.places.items()}

    def paid(self) -> int:
        """All funding so far, in the fund's units."""
        payments = self.exchange.margin_account.payments
        return int(sum((p.amount for p in payments), Decimal(0)).scaleb(SCALE))


@contextmanager
def accounts(folder: Path) -> Iterator[Accounts]:
    """The exchange up, and every adapter in the test's time."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made: list[Accounts] = []
    funds = {"USDT": CASH["exchange"], "ETH": Decimal(0), "BNB": Decimal(100)}
    exchange = LoopbackExchange(funds, CASH["futures"], clock=lambda: made[0].clock.ms)
    world = Accounts(exchange, loop, folder)
    made.append(world)

    async def slept(seconds: float) -> None:
        world.clock.ms += int(seconds * 1000)

    clock = world.clock
    setting = partial(Setting, now=clock.now, monotonic=lambda: clock.ms / 1000, sleep=slept)

    def timed(*, url: str | None, rate_limit_ms: int | None = None) -> Setting:
        return setting(url=url, rate_limit_ms=1)  # ccxt's limiter counts in real minutes

    patch = pytest.MonkeyPatch()
    patch.setattr(exchange_accounts, "Setting", timed)
    patch.setenv("XDG_STATE_HOME", str(folder / ".state"))
    try:
        world.do(exchange.start())
        world.quote()
        yield world
    finally:
        patch.undo()
        world.do(exchange.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def records(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    """The records of the run's log, of one kind if it is named."""
    log = sqlite3.connect(folder / "log.sqlite")
    found = [json.loads(body) for (body,) in log.execute("SELECT body FROM leaf ORDER BY seq")]
    log.close()
    return [record for record in found if kind in ("", record["kind"])]


def slow(text: str) -> str:
    """The run file with bars of BAR."""
    assert 'bar = "1s"' in text
    return text.replace('bar = "1s"', f'bar = "{BAR // 1000}s"')
