"""How long routing takes: quotes from eight venues at once, splits, and certifying each route.

    python -m benchmarks.execution_router [--venues 8] [--delay-ms 5] [--runs 50] [--json]

Venues and carriers answer after a fixed delay on the event loop, as a loopback venue does, so what
is measured beyond that delay is the router's own work. The guard is the real one: a mandate over
the same venues of which any may be lost, with limits by venue. Timed, wall time in milliseconds:

    quotes     one purchase quoted by every venue and priced, no cash to be moved
    split      the same with four parts, seven sizes a venue
    bridged    cash at one venue only: every purchase has its bridge sized first, three rounds
    certified  one route at all of its points, by its number of stages
    refused    one route whose trade is refused, the guard's search for a repair included
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, cast

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Side
from agent_fund.execution.live.adapter import Adapter, Carrier, Quote, TransferQuote
from agent_fund.execution.route.goal import Buy, Goal, Sale
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.search import Found, Router
from agent_fund.execution.route.terms import RouteTerms
from agent_fund.fund.routing import certify
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Situation

USD = Asset("USD", 12)
DOLLAR = 10**12
PRICE = 100_00
ETH = 10**6
NEVER = 10**15
LIMIT_MS = 40.0


@dataclass
class Delayed:
    """A venue whose prices worsen with size, after a delay."""

    number: int
    delay: float

    def maximum_fee(self, order: Order) -> int:
        """A tenth of a per cent."""
        return order.instrument.notional(order.quantity, order.limit) // 1000 + 1

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """A price that is worse by one unit a coin."""
        await asyncio.sleep(self.delay)
        price = PRICE + side.sign * (self.number + quantity // ETH // 10)
        money = instrument.notional(quantity, price)
        spent, received = (money, quantity) if side is Side.BUY else (quantity, money)
        return Quote(instrument, side, quantity, spent, received, DOLLAR, NEVER, True)

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """The same middle for all."""
        await asyncio.sleep(self.delay)
        return {i.symbol: PRICE for i in instruments}


@dataclass
class Hop:
    """A carrier between any two places that keeps a dollar and a share, after a delay."""

    delay: float

    def carries(self, source: str, target: str) -> bool:
        """All of them."""
        return source != target

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        """A dollar and a thousandth less."""
        await asyncio.sleep(self.delay)
        brings = amount - DOLLAR - amount // 1000
        return TransferQuote(source, target, amount, brings, DOLLAR, NEVER, 60, "keeper")


class World:
    """Venues, their lines, a mandate, and books with the cash where a case needs it."""

    def __init__(self, venues: int, delay: float) -> None:
        self.lines = tuple(
            Instrument(
                f"ETH-{n}",
                Asset(f"ETH-{n}", 6),
                USD,
                Venue(f"venue-{n}"),
                price_scale=2,
                lot=10**4,
                underlying="ETH",
            )
            for n in range(venues)
        )
        self.adapters = {
            line.venue.name: cast(Adapter, Delayed(n, delay)) for n, line in enumerate(self.lines)
        }
        self.carriers = {"hop": cast(Carrier, Hop(delay))}
        names = tuple(line.symbol for line in self.lines)
        lost = (*self.adapters, "keeper")
        stress = Stress(names, tuple((-150_000, 150_000) for _ in names), (), 5, lost=lost)
        rails = (max_drawdown("40%"), venue_exposure("35%"), concentration("30%", by="venue"))
        costs = Costs(Fraction(1, 1000), Fraction(3, 1000), Fraction(1, 200))
        share, band = Fraction(4, 5), Fraction(1, 100)
        self.mandate = ResolvedMandate("router", rails, stress, costs, share, band)

    def router(self, parts: int) -> Router:
        """A router that splits into ``parts``."""
        none, settles = Fraction(0), dict.fromkeys(self.adapters, 2)
        fee = self.mandate.costs.fee
        terms = RouteTerms(5.0, parts, none, Fraction(1, 10_000), fee, settles, 1)
        return Router(self.adapters, self.carriers, terms, lambda: 0)

    def situation(self, cash: Mapping[int, int], held: Mapping[int, int]) -> Situation:
        """A book of ``cash`` in dollars and ``held`` coins by venue, others with their share."""
        places = {line.account: cash.get(n, 100_000) * DOLLAR for n, line in enumerate(self.lines)}
        every = {line.symbol: line for line in self.lines}
        positions = {f"ETH-{n}": coins * ETH for n, coins in held.items()}
        book = Book(USD, sum(places.values()), every, positions, places=places)
        prices = dict.fromkeys(every, PRICE)
        nav = book.nav(prices)
        return Situation(book, prices, nav, nav, 1, dict.fromkeys(every, 10**12))


def timed(run: Callable[[], Any], runs: int) -> list[float]:
    """Milliseconds of each run."""
    found = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        found.append((time.perf_counter() - begin) * 1000)
    return found


def quoted(router: Router, goal: Goal, book: Book, runs: int) -> tuple[Found, list[float]]:
    """What is found, and how long each search takes on one running loop."""

    async def inside() -> tuple[Found, list[float]]:
        found, taken = await router.find(goal, book), []
        for _ in range(runs):
            begin = time.perf_counter()
            found = await router.find(goal, book)
            taken.append((time.perf_counter() - begin) * 1000)
        return found, taken

    return asyncio.run(inside())


def measure(venues: int, delay: float, runs: int) -> dict[str, list[float]]:
    """All cases, by name."""
    world = World(venues, delay)
    goal = Buy("ETH", 40 * ETH, 6, Fraction(200))
    spread = world.situation({}, {})
    found, alone = quoted(world.router(1), goal, spread.book, runs)
    _, split = quoted(world.router(4), goal, spread.book, runs)
    rest = dict.fromkeys(range(venues), 0)
    _, bridged = quoted(world.router(1), goal, world.situation({**rest, 0: 10**5}, {}).book, runs)
    times = {"quotes": alone, "split": split, "bridged": bridged}
    guard = Guard(world.mandate)
    routes: list[tuple[Route, Situation]] = [(found.routes[0], spread)]
    poor = world.situation({1: 0}, {0: 60})
    sale = Sale("ETH-0", Fraction(50))
    chain = Buy("ETH", 40 * ETH, 6, Fraction(200), symbol="ETH-1", pay_with=sale)
    longer, _ = quoted(world.router(1), chain, poor.book, 1)
    routes += [(next(r for r in longer.routes if len(r.stages) == n), poor) for n in (2, 3)]
    for route, situation in routes:
        verdict = certify(route, situation, guard)
        if not verdict.admitted:
            raise SystemExit(f"not certified: {verdict.reason}")
        name = f"certified, {len(route.stages)} stages, {len(verdict.points)} points"
        times[name] = timed(partial(certify, route, situation, guard), runs)
    much = Buy("ETH", 3_000 * ETH, 6, Fraction(2000), symbol="ETH-0")
    rich = world.situation({0: 500_000}, {})
    large, _ = quoted(world.router(1), much, rich.book, 1)
    if certify(large.routes[0], rich, guard).admitted:
        raise SystemExit("a purchase that should be refused is admitted")
    times["refused"] = timed(partial(certify, large.routes[0], rich, guard), runs)
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venues", type=int, default=8)
    parser.add_argument("--delay-ms", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    times = measure(arguments.venues, arguments.delay_ms / 1000, arguments.runs)
    if arguments.json:
        print(json.dumps(times, indent=1))
        return
    print(f"{arguments.venues} venues that answer in {arguments.delay_ms:g} ms")
    print(f"{'':36}{'p50 ms':>10}{'min':>10}{'max':>10}")
    for name, taken in times.items():
        print(f"{name:36}{statistics.median(taken):10.2f}{min(taken):10.2f}{max(taken):10.2f}")
    within = statistics.median(times["quotes"]) <= LIMIT_MS
    print(f"\nquotes within {LIMIT_MS:g} ms: {'yes' if within else 'NO'}")


if __name__ == "__main__":
    main()
