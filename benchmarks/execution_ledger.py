"""Postings a second in memory, and commits a second that are on the disk.

    python -m benchmarks.execution_ledger [--orders 20000] [--seconds 2] [--json]

``postings`` reserves for an order and books its fill, a buy and a sell in turn; each order is two
entries with eight postings. The ledger itself is in memory: it is made again from the log and the
tape, so what must be durable is what those hold. A live file's commit is one fsync, whatever is in
it, so its rate is the disk's; what grows is what one commit holds:

    fsync       a bare append of 4 KiB and fsync to the same disk
    tape        one answer a commit: what a venue said of one order
    group       one answer that tells the trades of 1, 10 and 100 orders, as a bar's open does
    legs        taking over the reports of 1, 10 and 100 legs in one commit
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Fill, Order, Purpose, Side, Status
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Execution, Prepared, Report
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.tape import Answer, Tape

USD = Asset("USD", 8)
LINE = Instrument("ETH", Asset("ETH", 4), USD, Venue("exchange"), price_scale=2, lot=10)
PRICE, QUANTITY, FEE = 1_200_00, 1000, 12_000_000
GROUPS = (1, 10, 100)


def postings(orders: int) -> dict[str, float]:
    """Postings and entries a second of so many orders reserved and filled."""
    ledger = Ledger(USD, {"ETH": LINE})
    ledger.deposit(USD, 10**17, "exchange", "capital")
    made = []
    for number in range(orders):
        side = Side.BUY if number % 2 == 0 else Side.SELL
        name = f"{number:032x}"
        order = Order(name, LINE, side, QUANTITY, PRICE, Purpose.AGENT, expires=9)
        fill = Fill(f"t{number}", name, LINE, side, QUANTITY, PRICE, FEE, 1)
        made.append((order, order.with_status(Status.NEW), fill))
    before = len(ledger.entries)
    start = time.perf_counter()
    for order, sent, fill in made:
        ledger.reserve([(order, FEE)])
        ledger.fill(fill, sent)
    seconds = time.perf_counter() - start
    entries = ledger.entries[before:]
    posted = sum(len(entry.postings) for entry in entries)
    return {
        "postings": posted / seconds,
        "entries": len(entries) / seconds,
        "orders": orders / seconds,
    }


def _rate(seconds: float, work: Callable[[int], None]) -> float:
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        work(count)
        count += 1
    return count / (time.perf_counter() - start)


def durable(seconds: float) -> dict[str, float]:
    """Commits a second."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "plain").open("ab", buffering=0) as plain:

            def sync(number: int) -> None:
                plain.write(b"x" * 4096)
                os.fsync(plain.fileno())

            figures["fsync"] = _rate(seconds, sync)
        file = LiveFile(Path(folder) / "live.sqlite")
        legs, tape = LegStore(file, Alarms(file, lambda: 0), lambda: 0), Tape(file)
        for group in GROUPS:
            trade = ["fill", "0" * 32, "trade 1", str(QUANTITY), str(PRICE), str(FEE), 1]
            told = Answer("exchange", "open", 1, "", [trade] * group)
            figures[f"tape, {group} trades"] = _rate(seconds, _teller(tape, told))
        for group in GROUPS:
            figures[f"legs, {group} reports"] = _rate(seconds, _taker(file, legs, group))
        file.close()
    return figures


def _teller(tape: Tape, told: Answer) -> Callable[[int], None]:
    def tell(number: int) -> None:
        tape.answer(told)

    return tell


def _taker(file: LiveFile, legs: LegStore, group: int) -> Callable[[int], None]:
    names = [f"{group}-{number}" for number in range(group)]
    with file.transaction():
        for name in names:
            legs.open_leg(name, "exchange", {"kind": "order"}, 2_000_000_000)
            legs.keep(Prepared(name, name, b"x" * 300, 2_000_000_000, {}))

    def take(number: int) -> None:
        # A provisional trade and its being taken back, in turn: the leg never ends.
        state = LegState.FILLED if number % 2 == 0 else LegState.SUBMITTED
        with file.transaction():
            for name in names:
                trades = (Execution(name, QUANTITY, PRICE, FEE, False),)
                told = trades if state is LegState.FILLED else ()
                legs.take("exchange", Report(name, state, told))

    return take


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    memory, disk = postings(given.orders), durable(given.seconds)
    if given.json:
        print(json.dumps({"memory": memory, "disk": disk}))
        return
    for name, rate in memory.items():
        print(f"{name + ' in memory':24} {rate:12,.0f} a second")
    for name, rate in disk.items():
        print(f"{name:24} {rate:12,.0f} commits a second")


if __name__ == "__main__":
    main()
