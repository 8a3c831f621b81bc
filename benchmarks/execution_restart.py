"""What a restart costs after 100,000 orders: the file, the legs under way, the run made again.

    python -m benchmarks.execution_restart [--orders 100000] [--json]

A live file is filled with ended orders, each as the real classes leave it: an intent with its
bytes, four states, a trade, an answer to its sending and its part of the answers at the open of a
bar; ten orders were sent a bar. Then, each on a file that is opened anew:

    open       the file is opened, its lock taken
    working    the legs that have not ended are found (ten are left working)
    tape       every answer is read, so that the run can be made again
    again      desk, ledger and venue go through every order again, all from the tape

``again`` ends with the ledger that the run had: no venue is asked, nothing is written. What a
strategy and the guard compute at each bar comes on top; it is the same as in a backtest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Adapter
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile, to_json
from agent_fund.execution.live.live_venue import LiveVenue, order_request
from agent_fund.execution.live.tape import Tape

USD = Asset("USD", 8)
LINE = Instrument("ETH", Asset("ETH", 4), USD, Venue("exchange"), price_scale=2, lot=10)
CASH = 10**9 * 10**8
A_BAR = 10
PRICE = 1_200_00
PAYLOAD = b"x" * 300


class Silent:
    """An adapter that nobody may ask."""

    name = "exchange"

    def maximum_fee(self, order: Order) -> int:
        """A thousandth."""
        return order.instrument.notional(order.quantity, order.limit) // 1000


def order(number: int) -> Order:
    """Buys and sells in turn, so that the cash lasts."""
    side = Side.BUY if number % 2 == 0 else Side.SELL
    bar = number // A_BAR
    return Order(f"{number:032x}", LINE, side, 1000, PRICE, Purpose.AGENT, expires=bar + 2)


def fill(path: Path, orders: int) -> None:
    """Write the file that a run of so many orders leaves; the last bar's are still working."""
    file = LiveFile(path)
    with file.transaction():
        for number in range(orders):
            one, bar = order(number), number // A_BAR
            over = bar + 1 < orders // A_BAR
            state = "settled" if over else "submitted"
            file.execute(
                "INSERT INTO leg (id, venue, request, deadline, state, payload, reference, notes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    one.order_id,
                    "exchange",
                    to_json(order_request(one, bar)),
                    2_000_000_000,
                    state,
                    PAYLOAD,
                    one.order_id,
                    to_json({"market": "ETHUSDT", "side": one.side.value}),
                ),
            )
            for name in ("pending", "pending", "submitted", *(["settled"] if over else [])):
                file.execute(
                    "INSERT INTO history (leg, state, time, detail) VALUES (?, ?, ?, ?)",
                    (one.order_id, name, number, ""),
                )
            if over:
                trade = ("exchange", f"trade {number}", one.order_id, "1000", str(PRICE), "0", 1)
                file.execute("INSERT INTO execution VALUES (?, ?, ?, ?, ?, ?, ?)", trade)
            _answer(file, "submit", bar, one.order_id, [["status", one.order_id, "new"]])
            if number % A_BAR == A_BAR - 1:
                row = [bar * 1000, bar * 1000 + 999, *([[PRICE]] * 7), [], []]
                values = (bar, to_json(row))
                file.execute("INSERT INTO bar (number, body) VALUES (?, ?)", values)
                if over:
                    sent = range(bar * A_BAR, (bar + 1) * A_BAR)
                    told = [
                        ["fill", f"{n:032x}", f"trade {n}", "1000", str(PRICE), "0", bar + 1]
                        for n in sent
                    ]
                    _answer(file, "open", bar + 1, "", told)
    file.close()


def _answer(file: LiveFile, call: str, bar: int, key: str, body: object) -> None:
    file.execute(
        "INSERT INTO answer (venue, call, bar, key, body) VALUES (?, ?, ?, ?, ?)",
        ("exchange", call, bar, key, to_json(body)),
    )


def again(file: LiveFile, orders: int) -> Desk:
    """The run made again from the tape, to where it was cut off."""
    alarms = Alarms(file, lambda: 0)
    legs, tape = LegStore(file, alarms, lambda: 0), Tape(file)

    def run(coroutine: Coroutine[Any, Any, Any], /) -> Any:
        raise AssertionError("a venue was asked")

    adapter = cast(Adapter, Silent())
    driver = LegDriver("exchange", adapter, legs, run, lambda: 0)
    venue = LiveVenue(adapter, driver, legs, tape, alarms, lambda order, bar: 2_000_000_000)
    ledger = Ledger(USD, {"ETH": LINE})
    ledger.deposit(USD, CASH, "exchange", "capital")
    ledger.deposit(LINE.base, 10**9, "exchange", "coins")
    desk = Desk(ledger, {"exchange": venue})
    for bar in range(orders // A_BAR):
        if bar:
            desk.on_open(bar, {}, {})
        desk.send([order(n) for n in range(bar * A_BAR, (bar + 1) * A_BAR)], bar)
    if venue.replaying or len(desk.open_orders) != A_BAR:
        raise RuntimeError("the run made again is another one")
    return desk


def measure(orders: int = 100_000) -> dict[str, float]:
    """Seconds by stage, on the clock and of computing, and the size of the file in bytes."""
    figures: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start, computed = time.perf_counter(), time.process_time()
        made = work()
        figures[name] = time.perf_counter() - start
        figures[f"{name} cpu"] = time.process_time() - computed
        return made

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live.sqlite"
        fill(path, orders)
        figures["bytes"] = path.stat().st_size
        file: LiveFile = timed("open", lambda: LiveFile(path))
        legs = LegStore(file, Alarms(file, lambda: 0), lambda: 0)
        working = timed("working", lambda: legs.working("exchange"))
        if len(working) != A_BAR:
            raise RuntimeError(f"{len(working)} legs are working")
        timed("tape", lambda: sum(1 for _ in Tape(file).answers("exchange")))
        desk: Desk = timed("again", lambda: again(file, orders))
        figures["entries"] = len(desk._ledger.entries)
        file.close()
    return figures


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(given.orders)
    if given.json:
        print(json.dumps(figures))
        return
    print(f"{given.orders:,} orders, {figures['bytes'] / 1e6:.0f} MB")
    for name in ("open", "working", "tape", "again"):
        print(f"{name:10} {figures[name]:9.3f} s  cpu {figures[name + ' cpu']:9.3f} s")
    print(f"{'an order':10} {figures['again cpu'] / given.orders * 1e6:9.1f} us cpu")


if __name__ == "__main__":
    main()
