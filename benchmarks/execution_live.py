"""From an order to its acknowledgement through everything that is written down on the way.

    python -m benchmarks.execution_live [--orders 300] [--json]

One loop takes turns, at one loopback exchange in a process of its own:

    floor      a bare aiohttp POST of the same signed request
    adapter    prepare and submit, nothing kept
    venue      the same through the live venue: intent and bytes are durable before they leave,
               and what the fund is told before it is
    sync       a bare append of 4 KiB and fsync to the same disk: the floor of one commit

``venue`` is four commits to SQLite in WAL mode, two of them with an fsync: the one with the bytes,
which takes the intent along, before anything leaves; and the one with what the fund is told, which
takes the exchange's answer along, before it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from agent_fund.domain.order import Order, Status
from agent_fund.execution.exchange.connect import Setting, binance_spot
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.live_venue import LiveVenue
from agent_fund.execution.live.tape import Tape
from benchmarks.execution_exchange import FAR, ROOM, Keys, bare, order, place, serve, spot

_PAUSE = 0.005


def measure(orders: int = 300) -> dict[str, list[float]]:
    """Milliseconds of each turn, by name."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, 1))
    server.start()
    try:
        (url,) = here.recv()
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
            return _measured(url, orders, Path(folder), runner)
    finally:
        here.send("stop")
        server.join(10)


def _measured(
    url: str, orders: int, folder: Path, runner: asyncio.Runner
) -> dict[str, list[float]]:
    line = spot("binance")
    setting = Setting(url=url, rate_limit_ms=ROOM)
    adapter = binance_spot(
        "binance", Keys(), {line: "BTCUSDT"}, Fees(Decimal("0.001"), "BNB", Decimal(1)), setting
    )
    file = LiveFile(folder / "live.sqlite")
    alarms = Alarms(file, lambda: 0)
    legs = LegStore(file, alarms, lambda: 0)
    driver = LegDriver("binance", adapter, legs, runner.run, lambda: int(time.time()))
    venue = LiveVenue(adapter, driver, legs, Tape(file), alarms, lambda order, bar: FAR)
    figures: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.perf_counter()
        work()
        figures.setdefault(name, []).append((time.perf_counter() - start) * 1000)
        time.sleep(_PAUSE)

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    def acknowledged(one: Order) -> None:
        if venue.submit(one, 0).status is not Status.NEW:
            raise RuntimeError(one.order_id)

    client = runner.run(session())
    try:
        runner.run(adapter.start())
        with (folder / "sync").open("ab", buffering=0) as plain:

            def sync() -> None:
                plain.write(b"x" * 4096)
                os.fsync(plain.fileno())

            for number in range(orders):
                one, two = (order(line, f"{name}{number}", "50000") for name in ("rest", "live"))
                bare_one = partial(bare, client, url, f"floor{number}")
                turns: dict[str, Callable[[], object]] = {
                    "floor": partial(_run, runner, bare_one),
                    "adapter": partial(_run, runner, partial(place, adapter, one, "submitted")),
                    "venue": partial(acknowledged, two),
                    "sync": sync,
                }
                for name, work in turns.items():
                    timed(name, work)
    finally:
        runner.run(client.close())
        runner.run(adapter.close())
        file.close()
    return figures


def _run(runner: asyncio.Runner, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    runner.run(work())


def table(figures: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """p50 and p99 by name."""
    return {
        name: {"p50": median(taken), "p99": quantiles(taken, n=100)[98]}
        for name, taken in figures.items()
    }


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = table(measure(given.orders))
    if given.json:
        print(json.dumps(rows))
        return
    print(f"{'ms':10} {'p50':>8} {'p99':>8}")
    for name, row in rows.items():
        print(f"{name:10} {row['p50']:>8.2f} {row['p99']:>8.2f}")


if __name__ == "__main__":
    main()
