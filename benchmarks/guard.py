"""The guard's certificates beside Z3 and cvc5 on the same questions, and its other hot paths.

    python -m benchmarks.guard [--sizes 5 20 50 200] [--trades 200] [--peer-seconds 60] [--json]

For a book of N instruments and trades of four legs that the market may fill as it likes, each trade
is asked whether its loss, and whether its gain, can exceed a bound: its true maximum, found by
mixed-integer programming beforehand, and a slack of 2 %, 0.5 %, -0.5 % or -2 % on top. All take
turns, ten trades at a time:

    guard      compile both forms, find certificates with a warm finder, check them exactly
    z3, cvc5   the same two questions, each with a fresh solver and with an incremental one
    lp         the floor: one warm linear program alone

Certificate and unsat must agree, and a scenario found and sat, or the script ends with an error.
What no tree of the budget proves, and what no peer answers in time, is counted. Times are wall
time; the processor's own time stands beside where a busy machine blurs it.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from agent_fund.domain.order import Proposal
from agent_fund.guard.kernel.certificate import Certificate, Split
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.form import Form, StressSet
from agent_fund.guard.search.finder import Finder, Found
from agent_fund.guard.search.program import Program
from agent_fund.guard.search.relaxation import Box, FloatForm
from agent_fund.guard.search.scenario import form_at
from benchmarks.guard_cases import World, make_trade, make_world, true_maximum
from benchmarks.guard_paths import paths
from benchmarks.guard_peers import PEERS, Incremental, fresh

BLOCK = 10
SLACKS = (0.02, 0.005, -0.005, -0.02)
LIMITS_MS = {
    False: {5: 0.3, 20: 0.5, 50: 1.0, 200: 4.0},
    True: {5: 1.0, 20: 1.5, 50: 3.0, 200: 12.0},
}


Bounds = tuple[int, int]
"""Of loss and of gain."""


class Timed(NamedTuple):
    """Seconds by the wall and by the processor."""

    wall: float
    cpu: float


def timed(run: Callable[[], Any]) -> tuple[Any, Timed]:
    """What ``run`` gives, and how long it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run()
    return result, Timed(time.perf_counter() - wall, time.process_time() - cpu)


def leaves(tree: Certificate) -> int:
    """Leaves of a certificate."""
    return leaves(tree.left) + leaves(tree.right) if isinstance(tree, Split) else 1


def _check(trees: list[tuple[Form, Certificate]], stress: StressSet) -> list[int]:
    return [proved_bound(form, stress, tree) for form, tree in trees]


class Bench:
    """One book, its warm finder, and what has been measured."""

    def __init__(self, count: int, seed: int, *, options: bool, milliseconds: int) -> None:
        self.world: World = make_world(count, seed, options=options)
        self._stress = self.world.mandate.stress.kernel
        # One a slack: none of them sees a trade twice.
        self._finders = {slack: Finder(self._stress) for slack in SLACKS}
        self._milliseconds = milliseconds
        self._incremental = {
            name: Incremental(make, self.world, milliseconds) for name, make in PEERS.items()
        }
        self._floor = Program(self._stress, ())
        self.times: dict[str, list[Timed]] = {}
        self.leaves: dict[float, list[int]] = {slack: [] for slack in SLACKS}
        self.counts = dict.fromkeys(("asked", "refused", "answered", "unanswered"), 0)

    def ask(self, numbers: Iterable[int], seconds: float) -> float:
        """Ask the guard about a block of trades, and then the peers for ``seconds`` at most.

        Returns:
            Seconds that the peers took.
        """
        trades = [make_trade(self.world, number) for number in numbers]
        forms = [self.world.forms(trade) for trade in trades]
        true = [[true_maximum(form, self._stress) for form in both] for both in forms]
        asked: list[tuple[int, float, Bounds, list[str]]] = []
        # The peers' garbage is theirs: it is not collected in the guard's time.
        gc.collect()
        gc.disable()
        for slack in SLACKS:
            for number, (loss, gain) in enumerate(true):
                bounds = (self._bound(loss, slack), self._bound(gain, slack))
                asked.append((number, slack, bounds, self._guard(trades[number], slack, bounds)))
        gc.enable()
        asked.sort(key=lambda one: one[0])
        start = time.perf_counter()
        for number, slack, bounds, says in asked:
            if time.perf_counter() - start < seconds:
                self._peers(trades[number], slack, bounds, says)
        return time.perf_counter() - start

    def _guard(self, trade: Proposal, slack: float, bounds: Bounds) -> list[str]:
        """The guard's answers for loss and gain: unsat, sat or unknown."""
        (found, proved), spent = timed(partial(self._certify, trade, slack, bounds))
        self._note(f"guard {slack:+.1%}", spent)
        says = [self._says(f, p, b) for f, p, b in zip(found, proved, bounds, strict=True)]
        self.leaves[slack] += [leaves(f.certificate) for f in found]
        self.counts["asked"] += 2
        self.counts["refused"] += says.count("unknown")
        if slack == SLACKS[0]:
            self._parts(trade, found)
        return says

    @staticmethod
    def _bound(true: float, slack: float) -> int:
        return int(true + abs(true) * slack)

    def _certify(
        self, trade: Proposal, slack: float, bounds: Bounds
    ) -> tuple[list[Found], list[int]]:
        forms, finder = self.world.forms(trade), self._finders[slack]
        found = [finder.bound(f, b) for f, b in zip(forms, bounds, strict=True)]
        checked = [
            proved_bound(form, self._stress, one.certificate)
            for form, one in zip(forms, found, strict=True)
        ]
        return found, checked

    @staticmethod
    def _says(found: Found, proved: int, bound: int) -> str:
        if proved <= bound:
            return "unsat"
        return "sat" if form_at(found.form, found.scenario) > bound else "unknown"

    def _parts(self, trade: Proposal, found: list[Found]) -> None:
        """The parts of the guard's time, and the floor."""
        forms, spent = timed(partial(self.world.forms, trade))
        self._note("compile", spent)
        trees = [(one.form, one.certificate) for one in found]
        _, spent = timed(partial(_check, trees, self._stress))
        self._note("check both trees", spent)
        floats, box = FloatForm(forms[0]), Box.of(self._stress.box)
        cost, _ = floats.chords(box)
        none = np.zeros(0)
        _, spent = timed(partial(self._floor.solve, cost, none, none, box.low, box.high))
        self._note("lp alone", spent)
        _, spent = timed(partial(np.dot, cost, box.high))
        self._note("dot product", spent)

    def _peers(self, trade: Proposal, slack: float, bounds: Bounds, says: list[str]) -> None:
        world, limit = self.world, self._milliseconds
        for name, make in PEERS.items():
            runs: dict[str, Callable[[], list[str]]] = {
                "fresh": partial(fresh, make, world, trade, bounds, limit),
                "incremental": partial(self._incremental[name].ask, trade, bounds),
            }
            for how, run in runs.items():
                answers, spent = timed(run)
                self._note(f"{name} {how} {slack:+.1%}", spent)
                for mine, theirs in zip(says, answers, strict=True):
                    known = "unknown" not in (mine, theirs)
                    self.counts["answered" if known else "unanswered"] += 1
                    if known and mine != theirs:
                        raise SystemExit(f"{name} says {theirs} at {slack:+.1%}, the guard {mine}")

    def _note(self, name: str, spent: Timed) -> None:
        self.times.setdefault(name, []).append(spent)


def summary(times: list[Timed]) -> dict[str, float]:
    """p50 and p99 in milliseconds, by the wall; p50 by the processor."""
    wall = sorted(t.wall * 1e3 for t in times)
    return {
        "p50": statistics.median(wall),
        "p99": wall[min(len(wall) - 1, len(wall) * 99 // 100)],
        "cpu50": statistics.median(t.cpu * 1e3 for t in times),
        "cpu99": sorted(t.cpu * 1e3 for t in times)[min(len(times) - 1, len(times) * 99 // 100)],
        "count": len(times),
    }


def measure(
    count: int, trades: int, peer_seconds: int, seed: int, milliseconds: int, *, options: bool
) -> dict[str, Any]:
    """Everything for one size of book."""
    bench = Bench(count, seed, options=options, milliseconds=milliseconds)
    bench.ask(range(100_000, 100_005), 0)
    bench.times.clear()
    left = float(peer_seconds)
    for first in range(0, trades, BLOCK):
        left -= bench.ask(range(first, min(first + BLOCK, trades)), left)
    stress = bench.world.mandate.stress.kernel
    form, _ = bench.world.forms(make_trade(bench.world, 0))
    return {
        "instruments": count,
        "options": options,
        "drivers": len(stress.box),
        "rows": len(stress.rows),
        "hinges": len(form.hinges),
        "limit_ms": LIMITS_MS[options].get(count),
        "ms": {name: summary(times) for name, times in bench.times.items()},
        "leaves": {
            f"{slack:+.1%}": [statistics.median(found), max(found)]
            for slack, found in bench.leaves.items()
        },
        "counts": bench.counts,
        **({} if options else paths(bench.world)),
    }


def main() -> None:
    """Time everything and print a table, or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 20, 50, 200])
    parser.add_argument("--trades", type=int, default=200)
    parser.add_argument("--peer-seconds", type=int, default=60, help="for each size of book")
    parser.add_argument("--peer-limit", type=int, default=2_000, help="milliseconds a question")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = []
    for options in (False, True):
        for count in arguments.sizes:
            result = measure(
                count,
                arguments.trades,
                arguments.peer_seconds,
                arguments.seed,
                arguments.peer_limit,
                options=options,
            )
            results.append(result)
            if not arguments.json:
                show(result)
    if arguments.json:
        print(json.dumps(results, indent=1))


def show(result: dict[str, Any]) -> None:
    """Print one size."""
    book = "with options" if result["options"] else "linear"
    print(
        f"\nN={result['instruments']} {book}: {result['drivers']} drivers, {result['rows']} rows, "
        f"{result['hinges']} hinges; limit {result['limit_ms']} ms"
    )
    print(f"{'ms':26}{'p50':>10}{'p99':>10}{'cpu p50':>10}{'cpu p99':>10}{'n':>6}")
    for name, one in result["ms"].items():
        figures = "".join(f"{one[key]:10.3f}" for key in ("p50", "p99", "cpu50", "cpu99"))
        print(f"{name:26}{figures}{one['count']:6}")
    print("leaves, median and most:", result["leaves"], result["counts"])
    for name in ("one_leaf_us", "look_us", "batch_us", "bytes", "judge_ms"):
        if name in result:
            print(f"{name}: {result[name]}", flush=True)


if __name__ == "__main__":
    main()
