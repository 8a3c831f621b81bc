"""A small world for the loop: markets that stay inside a declared set, and an adversary with
foresight that proposes whatever the gate admits and the coming bars make worst."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from agent_fund.audit.log import Log, MemoryLog
from agent_fund.audit.recorder import Recorder
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Leg, Proposal, Side
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
from agent_fund.fund.flows import Flow
from agent_fund.fund.fund import Fund
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Gate, Terms, Tick
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.fixed_floor import floor_of
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Machine
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Situation
from agent_fund.market.snapshot import History, Snapshot

USD = Asset("USD", 8)
VENUE = Venue("simulated")
HOUR = 3_600_000
CAPITAL = 1_000_000 * 10**8
VOLUME = 10**12


def instrument(symbol: str) -> Instrument:
    return Instrument(symbol, Asset(symbol, 2), USD, VENUE, 2)


@dataclass(frozen=True)
class Market:
    """Opens and closes by symbol; hourly bars; VOLUME in every bar, or what is said of one."""

    instruments: tuple[Instrument, ...]
    opens: Mapping[str, Sequence[int]]
    closes: Mapping[str, Sequence[int]]
    volumes: Mapping[int, int] = field(default_factory=dict)

    def rows(self):
        symbols = [i.symbol for i in self.instruments]
        for bar in range(len(self.closes[symbols[0]])):
            o = tuple(self.opens[s][bar] for s in symbols)
            c = tuple(self.closes[s][bar] for s in symbols)
            high = tuple(map(max, o, c))
            low = tuple(map(min, o, c))
            volume = (self.volumes.get(bar, VOLUME),) * len(symbols)
            yield bar * HOUR, (bar + 1) * HOUR, o, high, low, c, volume, o, c, (), ()


def edge_market(
    seed: int, symbols: Sequence[str], size: Fraction, bars: int = 60, horizon: int = 3
) -> Market:
    """Paths at the edge of ±``size`` around each of the last closes, the whole way out.

    From every close, all prices up to the last open of the horizon stay inside: A1 holds by
    construction. Most moves go to an edge of what is left; the rest drift.
    """
    rng = random.Random(seed)
    opens: dict[str, list[int]] = {}
    closes: dict[str, list[int]] = {}
    for symbol in symbols:
        o, c = [100_000], [100_000]
        while len(c) < bars:
            bar = len(c)
            o.append(_edge(rng, c[max(0, bar - horizon) : bar], c[-1], size))
            c.append(_edge(rng, c[max(0, bar - horizon + 1) : bar], o[-1], size))
        opens[symbol], closes[symbol] = o, c
    return Market(tuple(instrument(s) for s in symbols), opens, closes)


def _edge(rng: random.Random, anchors: Sequence[int], last: int, size: Fraction) -> int:
    low = max(-(-p * (1 - size) // 1) for p in anchors)
    high = min(p * (1 + size) // 1 for p in anchors)
    low, high = int(low), int(high)
    choice = rng.random()
    if choice < 0.4:
        return low
    if choice < 0.75:
        return high
    return min(high, max(low, last + int(last * size * Fraction(rng.randint(-30, 30), 100))))


def mandate(
    symbols: Sequence[str],
    size: Fraction,
    limit: Fraction,
    fee: Fraction = Fraction(1, 1000),
    slippage: Fraction = Fraction(1, 500),
    guardrails: Sequence[Guardrail] = (),
    horizon: int = 3,
    exit_bars: int = 1,
) -> ResolvedMandate:
    edge = int(size * SCALE)
    stress = Stress(tuple(symbols), tuple((-edge, edge) for _ in symbols), (), horizon)
    rails = (Guardrail("max_drawdown", limit, always=True), *guardrails)
    return ResolvedMandate(
        "world", rails, stress, Costs(fee, slippage), Fraction(4, 5), Fraction(1, 100), exit_bars
    )


class Adversary:
    """Sees the next bars; of what the gate would admit, it proposes what ends worst.

    Candidates: all in, all out, half, into one instrument only; each is judged by a gate of its
    own and played over the coming opens and closes to the end of the way out.
    """

    def __init__(self, market: Market, gate: Gate, tolerance: Fraction = Fraction(1, 50)) -> None:
        self._market = market
        self._gate = gate
        self._tolerance = tolerance
        self.fund: Fund | None = None
        self.capacity: Mapping[str, int] = {i.symbol: VOLUME for i in market.instruments}

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        fund = self.fund
        assert fund is not None
        machine, prices = fund.machine, snapshot.prices
        situation = Situation(
            book, prices, machine.v, machine.h, snapshot.bar, self.capacity, machine.F
        )
        best, worst = Proposal(), self._play(book, Proposal(), snapshot.bar)
        for proposal in self._candidates(snapshot, book):
            verdict = self._gate.judge(proposal, situation)
            ratio = self._play(book, verdict.proposal, snapshot.bar)
            if verdict.proposal.legs and ratio < worst:
                best, worst = proposal, ratio
        return best

    def _candidates(self, snapshot: Snapshot, book: Book) -> list[Proposal]:
        found = []
        all_in, out = [], []
        for inst in self._market.instruments:
            price = snapshot.last_close(inst.symbol)
            held = book.position(inst.symbol)
            if held:
                limit = max(1, int(price * (1 - Fraction(1, 2))))
                out.append(Leg(inst, Side.SELL, held, limit))
            for tolerance in (self._tolerance, Fraction(0)):
                limit = int(price * (1 + tolerance))
                quantity = int(book.cash * Fraction(99, 100) / inst.notional(1, limit))
                if quantity > 0:
                    leg = Leg(inst, Side.BUY, quantity, limit)
                    found.append(Proposal((leg,)))
                    if tolerance:
                        share = max(1, quantity // len(self._market.instruments))
                        all_in.append(Leg(inst, Side.BUY, share, limit))
        if len(all_in) > 1:
            found += [Proposal(tuple(all_in)), Proposal(tuple(all_in), ordered=True)]
        if out:
            found.append(Proposal(tuple(out)))
        return found

    def _play(self, book: Book, proposal: Proposal, bar: int) -> Fraction:
        """The lowest NAV / mark of the coming bars if ``proposal`` fills at the next open."""
        fund = self.fund
        assert fund is not None
        positions = dict(book.positions)
        cash, mark, worst = book.cash, fund.machine.h, Fraction(1)
        for step in range(1, 4):
            if bar + step >= len(next(iter(self._market.closes.values()))):
                break
            opens = {s: p[bar + step] for s, p in self._market.opens.items()}
            closes = {s: p[bar + step] for s, p in self._market.closes.items()}
            if step == 1:
                for leg in proposal.legs:
                    price, sign = opens[leg.instrument.symbol], leg.side.sign
                    if (price - leg.limit) * sign <= 0:
                        symbol = leg.instrument.symbol
                        positions[symbol] = positions.get(symbol, 0) + sign * leg.quantity
                        cash -= sign * leg.instrument.notional(leg.quantity, price)
            for prices in (opens, closes):
                nav = cash + sum(
                    book.instruments[s].notional(q, prices[s]) for s, q in positions.items()
                )
                mark = max(mark, nav)
                worst = min(worst, Fraction(nav, mark))
        return worst


@dataclass
class World:
    """A fund in a market, and what came of it."""

    fund: Fund
    monitor: Monitor
    log: Log
    recorder: Recorder
    ticks: list[Tick] = field(default_factory=list)
    outside_band: int = 0

    def run(self, bars: int | None = None) -> World:
        while bars is None or len(self.ticks) < bars:
            machine = self.fund.machine
            low = machine.V * SCALE - machine.bounds.loss - machine.bounds.costs * SCALE
            high = machine.V * SCALE + machine.bounds.gain
            before = len(self.ticks)
            tick = self.fund.advance()
            if tick is None:
                break
            self.ticks.append(tick)
            if before and not low <= tick.nav_open * SCALE <= high:
                self.outside_band += 1
        return self

    @property
    def drawdown(self) -> Fraction:
        return max(1 - Fraction(min(t.nav, t.nav_open), t.mark) for t in self.ticks)


def world(
    market: Market,
    resolved: ResolvedMandate,
    strategy,
    *,
    gate: Gate | None = None,
    guard: Guard | None = None,
    limit: Fraction | None = None,
    fee: Fraction = Fraction(1, 1000),
    spread: Fraction = Fraction(1, 1000),
    impact: Fraction = Fraction(0),
    participation: Fraction = Fraction(1),
    latency: int = 0,
    order_bars: int = 1,
    exit_bars: int = 1,
    flows: Sequence[Flow] = (),
    log: Log | None = None,
    resume: bool = False,
) -> World:
    guard = Guard(resolved) if guard is None and gate is None else guard
    log = MemoryLog() if log is None else log
    recorder = Recorder(log, resume=resume)
    ledger = Ledger(USD, {i.symbol: i for i in market.instruments})
    ledger.deposit(USD, CAPITAL, VENUE.name, "capital")
    venue = SimulatedVenue(
        VENUE.name,
        ProportionalFee(fee),
        HalfSpread(spread),
        SquareRootImpact(impact),
        Participation(participation),
        Latency(latency),
    )
    monitor = Monitor(resolved, [i.symbol for i in market.instruments])
    chosen: Gate = guard if gate is None else gate  # type: ignore[assignment]
    floor = floor_of(resolved.guardrail("fixed_floor"), CAPITAL, USD)
    journal = Journal(recorder, resolved.digest)
    commitments = Commitments(recorder, Provenance({"fund": "world"}, b"s" * 32))
    fund = Fund(
        feed=iter(market.rows()),
        history=History(market.instruments),
        instruments=market.instruments,
        turn=AgentTurn(strategy, commitments, journal),
        cadence=Cadence("bar"),
        gate=chosen,
        guard=guard,
        machine=Machine(resolved.drawdown.limit if limit is None else limit, CAPITAL, floor),
        ledger=ledger,
        desk=Desk(ledger, {VENUE.name: venue}),
        clearing=ByRule(),
        terms=Terms(
            order_bars,
            {i.symbol: latency for i in market.instruments},
            {i.symbol: participation for i in market.instruments},
            VENUE.name,
        ),
        journal=journal,
        monitor=monitor,
        flows=flows,
    )
    if isinstance(strategy, Adversary):
        strategy.fund = fund
    return World(fund, monitor, log, recorder)
