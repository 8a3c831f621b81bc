"""Bars a second through the whole loop, beside backtesting.py on the same bars and the same rule.

    python -m benchmarks.engine [--bars 100000 1000000] [--runs 5] [--cpu] [--json]

One-minute bars of a seeded random walk; SMA 20/100, long or flat, decided at every close, filled
at the next open, a fee of 0.02 %. Each configuration is timed in one process, alternating with its
peer, so that a noisy machine slows both:

    peer       backtesting.py
    off        the loop with the gate open, log in memory
    on         the guard looking at every bar, log in memory
    quiet      the same with a strategy that never trades: what a bar costs by itself
    durable    the same on SQLite, WAL and synchronous=FULL, committed before every order

At 100,000 bars the guard-off run and the peer must make the same trades and the same final equity
to the cent; the script fails if they do not.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from agent_fund.agents.loading import build, load_class
from agent_fund.agents.strategy import HOLD, Strategy
from agent_fund.audit.log import Log, MemoryLog
from agent_fund.audit.recorder import Recorder
from agent_fund.audit.sqlite_log import SqliteLog
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Proposal
from agent_fund.execution.clearing import ByRule
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
)
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.simulated import SimulatedVenue
from agent_fund.fund.agent_turn import AgentTurn
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.committed import Commitments, Provenance
from agent_fund.fund.fund import Fund
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Gate, Terms, Tick
from agent_fund.fund.unguarded import Unguarded
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.machine import Machine
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.market.bars import Row
from agent_fund.market.snapshot import History, Snapshot

Clock = Callable[[], float]
FEE = Fraction(2, 10_000)
CASH = 10_000_000
QUANTITY = 100
MINUTE = 60_000
USD = Asset("USD", 8)
LINE = Instrument("X", Asset("X", 0), USD, Venue("simulated"), 2)
STRATEGY = Path(__file__).resolve().parent.parent / "strategies" / "moving_average_cross.py"


def walk(bars: int) -> list[Row]:
    """Bars of a seeded random walk, prices in cents."""
    rng = random.Random(20)
    rows: list[Row] = []
    last = 1_000_000
    for number in range(bars):
        first = last + rng.randint(-20, 20)
        last = max(100_000, first + rng.randint(-300, 300))
        high = max(first, last) + rng.randint(0, 50)
        low = min(first, last) - rng.randint(0, 50)
        start = number * MINUTE
        bar = ((first,), (high,), (low,), (last,), (10**9,))
        rows.append((start, start + MINUTE, *bar, bar[0], bar[3], (), ()))
    return rows


def mandate() -> ResolvedMandate:
    """Loose enough never to bind: the trades must be the peer's; tight enough to be proved."""
    return ResolvedMandate(
        "bench",
        (Guardrail("max_drawdown", Fraction(95, 100), always=True),),
        Stress(("X",), ((-50_000, 50_000),), (), 3),
        Costs(Fraction(1, 1000), Fraction(1, 1000)),
        Fraction(4, 5),
        Fraction(1, 100),
    )


def average_cross() -> Strategy:
    """The repository's own strategy, long or flat."""
    cls = load_class(STRATEGY, "MovingAverageCross")
    made: Strategy = build(  # type: ignore[assignment]
        cls, {"symbol": "X", "quantity": str(QUANTITY), "tolerance": "50%"}
    )
    return made


class Idle:
    """Holds at every turn."""

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """Nothing."""
        return HOLD


def fund(rows: Iterator[Row], guarded: bool, log: Log, *, idle: bool = False) -> Fund:
    """The loop over ``rows``, on ``log``; ``idle``: with a strategy that never trades."""
    resolved = mandate()
    recorder = Recorder(log)
    ledger = Ledger(USD, {"X": LINE})
    capital = CASH * 10**8
    ledger.deposit(USD, capital, "simulated", "capital")
    venue = SimulatedVenue(
        "simulated",
        ProportionalFee(FEE),
        HalfSpread(Fraction(0)),
        SquareRootImpact(Fraction(0)),
        Participation(Fraction(1)),
        Latency(0),
    )
    guard = Guard(resolved) if guarded else None
    gate: Gate = guard if guard is not None else Unguarded(resolved.costs)
    strategy: Strategy = Idle() if idle else average_cross()
    journal = Journal(recorder, resolved.digest)
    commitments = Commitments(recorder, Provenance({"fund": "bench"}, b"s" * 32))
    return Fund(
        feed=rows,
        history=History((LINE,)),
        instruments=(LINE,),
        turn=AgentTurn(strategy, commitments, journal),
        cadence=Cadence("bar"),
        gate=gate,
        guard=guard,
        machine=Machine(resolved.drawdown.limit if guarded else Fraction(1), capital),
        ledger=ledger,
        desk=Desk(ledger, {venue.name: venue}),
        clearing=ByRule(),
        terms=Terms(1, {"X": 0}, {"X": Fraction(1)}, "simulated"),
        journal=journal,
        monitor=Monitor(resolved, ["X"]) if guarded else None,
    )


def ours(
    rows: list[Row], guarded: bool, log: Log, clock: Clock, *, idle: bool = False
) -> tuple[float, Tick, int]:
    """Seconds for all bars, the last tick, and fills."""
    loop = fund(iter(rows), guarded, log, idle=idle)
    advance = loop.advance
    start = clock()
    last = tick = advance()
    while tick is not None:
        last = tick
        tick = advance()
    loop.close()
    log.flush()
    seconds = clock() - start
    if last is None:
        raise SystemExit("no bars")
    fills = sum(leaf.startswith(b'{"bar":') and b'"kind":"fill"' in leaf for leaf in log.leaves())
    return seconds, last, fills


def peer(rows: list[Row], clock: Clock) -> tuple[float, float, int]:
    """Seconds, final equity and fills of backtesting.py."""
    import numpy as np
    import pandas as pd
    from backtesting import Backtest
    from backtesting import Strategy as PeerStrategy

    frame = pd.DataFrame(
        {
            "Open": [r[2][0] / 100 for r in rows],
            "High": [r[3][0] / 100 for r in rows],
            "Low": [r[4][0] / 100 for r in rows],
            "Close": [r[5][0] / 100 for r in rows],
            "Volume": [r[6][0] for r in rows],
        },
        index=pd.to_datetime([r[1] for r in rows], unit="ms"),
    )

    def average(values: Any, length: int) -> Any:
        # Sums of whole cents, so that both sides see the same crosses.
        cents = np.rint(np.asarray(values) * 100).astype(np.int64)
        sums = np.concatenate([[0], np.cumsum(cents)])
        result = np.full(len(cents), np.nan)
        # The peer calls next() from the bar after the first that has a value; it must not be late.
        result[length - 2] = np.inf
        result[length - 1 :] = (sums[length:] - sums[:-length]) / length
        return result

    class Cross(PeerStrategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(average, self.data.Close, 20)
            self.slow = self.I(average, self.data.Close, 100)

        def next(self) -> None:
            long = self.fast[-1] > self.slow[-1]
            if long and not self.position:
                self.buy(size=QUANTITY)
            elif not long and self.position:
                self.position.close()

    warnings.simplefilter("ignore")
    test = Backtest(
        frame,
        Cross,
        cash=CASH,
        commission=float(FEE),
        finalize_trades=False,
        trade_on_close=False,
    )
    start = clock()
    stats = test.run()
    seconds = clock() - start
    closed = len(stats["_trades"])
    still_open = len(stats["_strategy"].trades)
    return seconds, float(stats["Equity Final [$]"]), 2 * closed + still_open


def main() -> None:
    """Time every configuration and print a table, or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bars", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="the processor's time: a busy machine")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    results = [measure(bars, arguments.runs, clock) for bars in arguments.bars]
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    for result in results:
        print(f"\n{result['bars']:,} bars, {result['fills']} fills, equity {result['equity']}")
        print(f"{'':10}{'bars/s p50':>14}{'min':>14}{'max':>14}")
        for name, speeds in result["speeds"].items():
            p50 = statistics.median(speeds)
            print(f"{name:10}{p50:14,.0f}{min(speeds):14,.0f}{max(speeds):14,.0f}")


def measure(bars: int, runs: int, clock: Clock) -> dict[str, Any]:
    """Speeds of every configuration at ``bars`` bars, the runs taking turns."""
    rows = walk(bars)
    speeds: dict[str, list[float]] = {
        name: [] for name in ("peer", "off", "on", "quiet", "durable")
    }
    last_tick: Tick | None = None
    fills = 0
    for _ in range(runs):
        seconds, equity, peer_fills = peer(rows, clock)
        speeds["peer"].append(bars / seconds)
        timings: list[tuple[str, bool, Callable[[], Log]]] = [
            ("off", False, MemoryLog),
            ("on", True, MemoryLog),
        ]
        for name, guarded, make in timings:
            seconds, last_tick, fills = ours(rows, guarded, make(), clock)
            speeds[name].append(bars / seconds)
            require_equal(fills, last_tick, peer_fills, equity)
        seconds, _, none = ours(rows, True, MemoryLog(), clock, idle=True)
        if none:
            raise SystemExit(f"{none} fills of a strategy that never trades")
        speeds["quiet"].append(bars / seconds)
        with tempfile.TemporaryDirectory() as folder:
            log = SqliteLog(Path(folder) / "log.sqlite", create=True)
            seconds, _, _ = ours(rows, True, log, clock)
            log.close()
        speeds["durable"].append(bars / seconds)
    if last_tick is None:
        raise SystemExit("no runs")
    return {
        "bars": bars,
        "fills": fills,
        "equity": f"{last_tick.nav / 10**8:.2f}",
        "speeds": speeds,
    }


def require_equal(fills: int, tick: Tick, peer_fills: int, equity: float) -> None:
    """Same number of fills and same final equity to the cent as the peer, or stop."""
    nav = tick.nav / 10**8
    if fills != peer_fills or abs(nav - equity) >= 0.005:
        raise SystemExit(f"not the peer's run: {fills} fills, {nav}; {peer_fills}, {equity}")


if __name__ == "__main__":
    main()
