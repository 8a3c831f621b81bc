"""A year of hourly bars of spot and perpetuals: the loop with the guard at every bar, and without.

    python -m benchmarks.crypto backtests/crypto_luna_ftx.toml [--runs 5] [--json]

It reads the run file's catalog (the README says how to make it). In one process, taking turns:

    load       run file, catalog and calibration, up to the first bar
    off        the loop with the gate open: the floor
    on         the guard looking at every bar; each bar timed by itself too

Logs are in memory. The guard's own answer time is in the bars that need a new certificate.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from agent_fund.audit.log import MemoryLog
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.genesis import genesis
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.session import open_session


def bars_of(parts: Parts, *, guarded: bool) -> tuple[float, list[float]]:
    """Seconds of the whole loop, and of each bar."""
    record, blobs = genesis(parts, guarded=guarded)
    start = time.perf_counter()
    session = open_session(parts, MemoryLog(), record, blobs, guarded=guarded)
    each: list[float] = []
    before = time.perf_counter()
    while session.fund.advance() is not None:
        now = time.perf_counter()
        each.append(now - before)
        before = now
    session.recorder.finish()
    return time.perf_counter() - start, each


def main() -> None:
    """Time every stage and print a table, or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runfile", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {"load": [], "off": [], "on": []}
    each: list[float] = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        parts = assemble(arguments.runfile)
        seconds["load"].append(time.perf_counter() - start)
        seconds["off"].append(bars_of(parts, guarded=False)[0])
        whole, each = bars_of(parts, guarded=True)
        seconds["on"].append(whole)
    each.sort()
    result: dict[str, Any] = {
        "bars": len(parts.test),
        "instruments": len(parts.instruments),
        "seconds": seconds,
        "bar_us": {
            "p50": each[len(each) // 2] * 1e6,
            "p99": each[len(each) * 99 // 100] * 1e6,
            "max": each[-1] * 1e6,
        },
    }
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{result['bars']:,} bars, {result['instruments']} instruments")
    print(f"{'seconds':10}{'p50':>10}{'min':>10}{'max':>10}")
    for name, times in seconds.items():
        print(f"{name:10}{statistics.median(times):10.2f}{min(times):10.2f}{max(times):10.2f}")
    micro = ", ".join(f"{name} {value:,.0f}" for name, value in result["bar_us"].items())
    print(f"one bar with the guard on, microseconds: {micro}")


if __name__ == "__main__":
    main()
