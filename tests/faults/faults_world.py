"""Processes of a fund on the devnet that can die at any point, with real adapters.

A point is a write to the live file, before and after it is committed, or a request over the
network, before it leaves and after the venue has answered it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from faults_stage import AT, MANDATE, USD, Stage
from time_outs import PATIENCE_MS

from agent_fund.devnet.plan import COW
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.account import Bucket
from agent_fund.execution.desk import Desk
from agent_fund.execution.exchange.connect import Setting
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_carriage import LiveCarriage
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.live_venue import LiveVenue
from agent_fund.execution.live.tape import Tape
from agent_fund.paper.connections import Connections
from agent_fund.paper.covers import Covers
from agent_fund.paper.wiring import Wired, Wiring

LIFE = 900  # seconds that an order may take to begin
_OWN = (Bucket.AVAILABLE, Bucket.RESERVED, Bucket.MARGIN)


class Killed(BaseException):
    """The process is gone; no handler of an error may catch it."""


@dataclass
class Fate:
    """When a process dies: at its point number ``at``, counted from 1; None: never.

    Attributes:
        cut: whether the power is, and takes what was not synced.
        seen: what the points were, in order, once it is ``armed``.
    """

    at: int | None = None
    cut: bool = False
    armed: bool = False
    dead: bool = False
    seen: list[str] = field(default_factory=list)

    def point(self, what: str) -> None:
        """Here it may die; a dead process does nothing more."""
        if self.dead:
            raise Killed
        if not self.armed:
            return
        self.seen.append(what)
        if len(self.seen) == self.at:
            self.dead = True
            raise Killed


class MortalFile(LiveFile):
    """A live file whose process may die at a commit, before or after it.

    Where the power may be cut, ``synced`` is what the disk then holds: everything up to the last
    commit that was synced, and nothing after it.
    """

    # A kill leaves what the system was given, so that nothing need be synced here.
    LEVELS: ClassVar = {True: "OFF", False: "OFF"}

    def __init__(self, path: Path, fate: Fate) -> None:
        self._fate = fate
        self.synced = path.with_suffix(".synced")
        super().__init__(path)

    def _commit(self) -> None:
        self._fate.point("before a commit")
        super()._commit()
        if self._synced and self._fate.cut:
            with closing(sqlite3.connect(self.synced)) as disk:
                self._db.backup(disk)
        self._fate.point("after a commit")


def cut(path: Path) -> None:
    """What a power cut leaves of the file."""
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    path.with_suffix(".synced").rename(path)


def verdict_of(leg_id: str) -> bytes:
    """Stands for the hash of the verdict that admitted a leg: 32 bytes."""
    return hashlib.sha256(leg_id.encode()).digest()


class Fund:
    """What all processes of the fund in one test share: the event loop, and who is alive.

    Attributes:
        skew: seconds that the fund's clocks are ahead.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.fate = Fate()
        self.skew = 0.0
        self._real: Any = aiohttp.ClientSession._request

    def monotonic(self) -> float:
        return time.monotonic() + self.skew

    def setting(self, *, url: str | None, rate_limit_ms: int) -> Setting:
        """How exchanges are reached: as the wiring says, with these clocks."""
        return Setting(
            url=url,
            rate_limit_ms=rate_limit_ms,
            monotonic=self.monotonic,
            timeout_ms=PATIENCE_MS,
        )

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    def request(self) -> Callable[..., Coroutine[Any, Any, Any]]:
        """What takes the place of aiohttp's: only requests of the fund are points."""
        fund, real = self, self._real

        async def _request(session: Any, method: str, url: Any, **rest: Any) -> Any:
            if asyncio.get_running_loop() is not fund.loop:
                return await real(session, method, url, **rest)
            fund.fate.point(f"before {method}")
            answer = await real(session, method, url, **rest)
            fund.fate.point(f"after {method}")
            return answer

        return _request

    def bury(self) -> None:
        """Nothing of a dead process goes on."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run(asyncio.wait(tasks))

    def close(self) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()


class Process:
    """One process of the fund at ``venues``: real adapters, desk and ledger over one file.

    Args:
        capital: (currency, coin) at each venue when the fund began.
        life: seconds from then on in which a leg may begin.

    Attributes:
        heard: what the fund was told, call by call.
    """

    def __init__(
        self,
        stage: Stage,
        fund: Fund,
        path: Path,
        capital: Mapping[str, tuple[int, int]],
        life: int = LIFE,
    ) -> None:
        self.stage, self._fund, self._life = stage, fund, life
        self.heard: list[object] = []
        self._stack = ExitStack()
        self.file = MortalFile(path, fund.fate)
        self._stack.callback(self.file.close)
        try:
            self._build(stage.connections, capital)
        except BaseException:
            self.end()
            raise

    def _build(self, wires: Connections, capital: Mapping[str, tuple[int, int]]) -> None:
        run, now = self._fund.run, lambda: time.time_ns() // 1_000_000
        lines = [AT[venue] for venue in capital]
        covers = Covers(wires, USD)
        used = wires if len(capital) > 1 else wires.model_copy(update={"carriers": {}})
        keyring = Keyring(self.stage.folder)
        wiring = Wiring(used, lines, USD, keyring, MANDATE, covers, verdict_of)
        wired: Wired = run(wiring.build())
        covers.places = wiring.places
        self._stack.callback(lambda: run(wired.close()))
        self.adapters = wired.adapters
        self.alarms = Alarms(self.file, now)
        self.legs = LegStore(self.file, self.alarms, now)
        tape = Tape(self.file)
        self.ledger = Ledger(USD, {line.symbol: line for line in lines})
        for venue, (money, coins) in capital.items():
            if money:
                self.ledger.deposit(USD, money, venue, f"capital {venue}")
            if coins:
                self.ledger.deposit(AT[venue].base, coins, venue, f"coins {venue}")

        def seconds() -> int:
            return int(now() / 1000 + self._fund.skew)

        began = _began(tape, seconds())
        self.venues = {
            name: LiveVenue(
                adapter,
                LegDriver(name, adapter, self.legs, run, seconds),
                self.legs,
                tape,
                self.alarms,
                lambda order, bar: began + self._life,
            )
            for name, adapter in wired.adapters.items()
        }
        covers.live = self  # type: ignore[assignment]
        self.run = run
        carriers = [(c, LegDriver(c.name, c, self.legs, run, seconds)) for c in wired.carriers]
        self.carriage = LiveCarriage(
            carriers, self.legs, tape, self.alarms, lambda bar: began + self._life
        )
        self.desk = Desk(self.ledger, self.venues, self.carriage)
        drivers = [*(venue.driver for venue in self.venues.values()), *(d for _, d in carriers)]
        for driver in drivers:
            driver.restore()
        for driver in drivers:
            driver.wake()

    def tend(self) -> None:
        """What a run does between two bars."""
        for venue in self.venues.values():
            venue.tend()
        self.carriage.tend()

    def bar(self, bar: int, blocks: int = 3) -> None:
        """Time passes, blocks come; then what a run does before ``bar`` and at its open."""
        self._fund.skew += 10
        if COW in self.venues:
            self.stage.solve()
        self.stage.mine(blocks)
        if len(self.venues) > 1:
            self.stage.relay()
        self.tend()
        self.heard.append(self.desk.arrive(bar))
        self.heard.append(self.desk.on_open(bar, {}, {}))

    def books(self, venue: str) -> tuple[int, int]:
        """(currency, coin) at ``venue`` by the ledger."""
        assets = (USD, AT[venue].base)
        money, coins = (sum(self.ledger.balance(venue, a, b) for b in _OWN) for a in assets)
        return money, coins

    def end(self) -> None:
        """The process is gone, gently or not: nothing more is sent."""
        self._fund.bury()
        self._fund.fate = Fate()
        self._stack.close()


def _began(tape: Tape, now: int) -> int:
    """When the fund began, as its first process wrote it down: deadlines do not get younger."""
    if not tape.bars():
        tape.add_bar(0, [now, now])
    return int(tape.bars()[0][0])


_NUMBER = iter(range(1, 10**6))


def order(venue: str, side: Side, quantity: str, limit: str) -> Order:
    """A new order that lives until it is ended."""
    line = AT[venue]
    return Order(
        f"order{next(_NUMBER):027}",
        line,
        side,
        line.quantity(quantity),
        line.price(limit),
        Purpose.AGENT,
        expires=10_000,
    )


def transfer_id() -> str:
    """An id for one transfer."""
    return f"move{next(_NUMBER):028}"


@contextmanager
def process(
    stage: Stage, fund: Fund, path: Path, *venues: str, life: int = LIFE
) -> Iterator[Process]:
    """A process at ``venues`` that begins with what the fund has there."""
    fund.skew, fund.fate = 0.0, Fate()
    capital = {venue: stage.truth(venue) for venue in venues}
    made = Process(stage, fund, path / "live.sqlite", capital, life)
    try:
        yield made
    finally:
        made.end()
