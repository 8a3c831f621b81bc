"""The guard's other hot paths: one exact check, a look in a band, a batch, bytes, a repair.

Times are the processor's own, since a shared machine blurs what takes microseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from agent_fund.domain.order import Leg, Proposal
from agent_fund.fund.fund import Fund
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.codec import encode_certificate
from agent_fund.guard.kernel.form import Form, Hinge
from agent_fund.guard.language import batch
from agent_fund.guard.language.expression import Position
from agent_fund.guard.language.normal import Normal
from agent_fund.guard.machine import Machine, worst_drawdown
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.verdict import Outcome
from benchmarks.guard_cases import World, make_trade

TRADES = 10_000


def seconds(run: Callable[[], Any], times: int, runs: int = 7) -> float:
    """Median seconds of one call, by the processor."""
    found = []
    for _ in range(runs):
        start = time.process_time()
        for _ in range(times):
            run()
        found.append((time.process_time() - start) / times)
    return statistics.median(found)


def paths(world: World) -> dict[str, Any]:
    """Figures for one book: microseconds, bytes, milliseconds."""
    stress = world.mandate.stress.kernel
    form, _ = world.forms(Proposal())
    leaf, _ = Finder(stress).leaf(form)
    return {
        "one_leaf_us": seconds(lambda: proved_bound(form, stress, leaf), 200) * 1e6,
        "bytes": len(encode_certificate(leaf)),
        "look_us": look(world) * 1e6 / len(world.book.instruments),
        "batch_us": screened(len(world.book.instruments)) * 1e6 / TRADES,
        **repairs(world),
    }


def look(world: World) -> float:
    """Seconds of a look at a bar whose prices stay inside the band: the fund's own code."""
    situation = world.situation()
    certified = Guard(world.mandate).look(situation)
    if certified is None:
        raise SystemExit("the book held is not Safe")
    symbols = list(world.book.instruments)
    fund: Any = SimpleNamespace(
        _certified=certified,
        _covering=True,
        _band=[(n, *certified.band[s]) for n, s in enumerate(symbols) if s in certified.band],
    )
    machine = Machine(world.mandate.drawdown.limit, situation.nav)
    closes = tuple(world.prices[s] for s in symbols)
    navs = (situation.nav, situation.nav - 1)

    def one() -> None:
        for nav in navs:
            bounds = Fund._covered(fund, situation.bar, closes)
            machine.v = nav
            if bounds is None or not machine.try_decide(bounds):
                raise SystemExit("a look inside the band failed")

    return seconds(one, 1_000) / 2


def screened(count: int) -> float:
    """Seconds for gross exposure over TRADES trades at once, in floating point."""
    rng = np.random.default_rng(1)
    hinges = [Hinge(1, n, sign, 0) for n in range(count) for sign in (1, -1)]
    form = Form(0, (0,) * count, tuple(hinges))
    normal = Normal(tuple(Position(f"X{n}") for n in range(count)), form, 1)
    low = rng.uniform(-1e6, 1e6, (TRADES, count))
    high = low + rng.uniform(0, 1e5, (TRADES, count))
    return seconds(lambda: batch.worst(normal, low, high), 1)


def repairs(world: World) -> dict[str, Any]:
    """Milliseconds of verdicts on trades five times too large, by outcome: count, p50, most."""
    situation = world.situation()
    held = Guard(world.mandate).bounds(Proposal(), situation)
    base = worst_drawdown(situation.nav, situation.mark, held)
    strict = world.limited(base + Fraction(1, 100))
    guard = Guard(strict.mandate)
    times: dict[Outcome, list[float]] = {outcome: [] for outcome in Outcome}
    for seed in range(60):
        trade = make_trade(world, seed)
        large = tuple(Leg(o.instrument, o.side, o.quantity * 5, o.limit) for o in trade.legs)
        start = time.process_time()
        verdict = guard.judge(Proposal(large), situation)
        times[verdict.outcome].append((time.process_time() - start) * 1e3)
    shown = {
        outcome.value: [len(found), statistics.median(found), max(found)]
        for outcome, found in times.items()
        if found
    }
    return {"judge_ms": shown}
