"""How fast orders go out and how fast a restart is: every target of the execution layer, one table.

    python -m benchmarks.execution [--quick] [--json]

Each figure comes from its own module, which says what is measured and beside which floor; they run
one after another, never at once:

    execution_live      order to acknowledged at a loopback exchange, durable writes included
    execution_exchange  the same through the adapter alone; quotes from eight exchanges in parallel
    execution_evm       swaps a second on anvil, sent at once
    execution_ledger    postings a second in memory, commits a second on the disk
    execution_restart   a restart with 100,000 past orders

``execution_near``, ``execution_router`` and ``execution_custody`` measure parts without a target of
their own and are run by themselves. The machine's load before and after is part of the result: on
a busy machine a figure says little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
from dataclasses import asdict, dataclass
from statistics import median, quantiles

from benchmarks import (
    execution_evm,
    execution_exchange,
    execution_ledger,
    execution_live,
    execution_restart,
)


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``aim`` is None where there is no target."""

    what: str
    value: float
    unit: str
    aim: float | None = None
    least: bool = False

    @property
    def verdict(self) -> str:
        """Whether the aim is met."""
        if self.aim is None:
            return ""
        met = self.value >= self.aim if self.least else self.value <= self.aim
        return "met" if met else "MISSED"


def acknowledged(orders: int) -> list[Figure]:
    """Order to acknowledged, through everything that is durable."""
    rows = execution_live.table(execution_live.measure(orders))
    aims = {("venue", "p50"): 3.0}
    names = {
        "floor": "bare POST to the loopback exchange",
        "adapter": "order to acknowledged, adapter alone",
        "venue": "order to acknowledged, durable writes included",
        "sync": "one bare fsync",
    }
    return [
        Figure(f"{names[name]}, {share}", value, "ms", aims.get((name, share)))
        for name, row in rows.items()
        for share, value in row.items()
    ]


def quoted(rounds: int) -> list[Figure]:
    """Quotes from eight exchanges in parallel."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=execution_exchange.serve, args=(there, execution_exchange.VENUES)
    )
    server.start()
    try:
        taken = asyncio.run(execution_exchange.run(here.recv(), 20, rounds))["quotes"]
    finally:
        here.send("stop")
        server.join(10)
    walls = [wall for wall, _ in taken]
    return [
        Figure("quotes from 8 exchanges at once, p50", median(walls), "ms", 40.0),
        Figure("quotes from 8 exchanges at once, p99", quantiles(walls, n=100)[98], "ms"),
    ]


def swapped(swaps: int) -> list[Figure]:
    """Swaps a second on anvil."""
    found = []
    for row in execution_evm.measure(swaps, 50):
        what, _, stage = str(row["what"]).partition(", ")
        rate = row.get("per second")
        if not isinstance(rate, float) or stage == "signed":
            continue
        # What counts is the whole way of an order: simulated, signed, sent, mined and reported.
        aim = 60.0 if what.startswith("swaps") and stage == "whole" else None
        means = "signed to reported" if stage == "whole" else "sent to reported"
        found.append(Figure(f"{what}, {means}", rate, "/s", aim, least=True))
    return found


def posted(orders: int, seconds: float) -> list[Figure]:
    """The ledger in memory, and what a commit to the disk holds."""
    memory = execution_ledger.postings(orders)["postings"]
    found = [Figure("ledger postings in memory", memory, "/s", 50_000.0, least=True)]
    disk = execution_ledger.durable(seconds)
    found += [Figure(f"{name} a commit", rate, "/s") for name, rate in disk.items()]
    return found


def restarted(orders: int) -> list[Figure]:
    """A restart after so many orders."""
    taken = execution_restart.measure(orders)
    ready = taken["open"] + taken["working"]
    name, aim = f"{orders:,} past orders", 2.0 if orders >= 100_000 else None
    return [
        Figure(f"{name}: file opened, legs under way found", ready, "s", aim),
        Figure(f"{name}: tape read through", taken["tape"], "s"),
        Figure(f"{name}: run made again, on the clock", taken["again"], "s", aim),
        Figure(f"{name}: run made again, computing", taken["again cpu"], "s"),
    ]


def measure(*, quick: bool) -> list[Figure]:
    """All figures; ``quick``: with fewer rounds."""
    few = 10 if quick else 1
    return [
        *acknowledged(400 // few),
        *quoted(200 // few),
        *swapped(200 // few),
        *posted(20_000 // few, 2.0 / few),
        *restarted(100_000 // few),
    ]


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    before = os.getloadavg()[0]
    figures = measure(quick=given.quick)
    load = f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {load}"
    if given.json:
        rows = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
        print(json.dumps({"machine": machine, "figures": rows}))
        return
    print(machine)
    for one in figures:
        aim = "" if one.aim is None else f"{'>=' if one.least else '<='} {one.aim:,.0f}"
        value = f"{one.value:,.0f}" if one.value >= 1000 else f"{one.value:.2f}"
        print(f"{one.what:58} {value:>10} {one.unit:3} {aim:>10} {one.verdict}")


if __name__ == "__main__":
    main()
