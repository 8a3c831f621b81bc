"""A world of spot at one venue and its perpetual at another: markets inside a declared set with a
basis and funding, and an adversary with foresight that goes short, borrows and moves money.

Its logs begin with a genesis record, so that an auditor can replay them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from fund_world import HOUR, VOLUME, World

from agent_fund.audit.log import Log, MemoryLog
from agent_fund.audit.recorder import Recorder
from agent_fund.audit.replay import Replay
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.domain.transfer import Transfer
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
from agent_fund.fund.instruments import instrument_json, instrument_of
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.terms import Gate, Terms
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Machine
from agent_fund.guard.proof import book_json
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie
from agent_fund.guard.verdict import Situation
from agent_fund.market.snapshot import History, Snapshot

USD = Asset("USD", 10)
UNIT = 10**10
CAPITAL = {"spot": 600_000 * UNIT, "perp": 400_000 * UNIT}
CASH = sum(CAPITAL.values())
FUNDING_BARS = 8
TRANSFER_BARS = 2
FEE, SPREAD = Fraction(1, 1000), Fraction(1, 1000)
SECRET = b"s" * 32


def _table(symbol: str, venue: str, **terms: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "symbol": symbol,
        "kind": "spot",
        "venue": venue,
        "underlying": "A",
        "contract": "1",
        "margin": None,
        "latency": None,
        "asset_scale": 2,
        "price_scale": 2,
        "lot": "0.01",
        "tick": "0.01",
    }
    return base | terms


SPOT_TABLE = _table("A", "spot")
PERP_TABLE = _table(
    "P",
    "perp",
    kind="perpetual",
    price_scale=8,
    margin={
        "initial": "10%",
        "tiers": [{"floor": "0", "rate": "5%"}, {"floor": "300000", "rate": "8%"}],
        "liquidation_fee": "1%",
        "isolated": False,
    },
)
SPOT = instrument_of(SPOT_TABLE, USD, "spot")
PERP = instrument_of(PERP_TABLE, USD, "spot")
INSTRUMENTS = (SPOT, PERP)
FINE = 10**6  # perp price units in one spot price unit


@dataclass(frozen=True)
class Set:
    """What a market may do: the spot's move, the basis, and one funding payment."""

    size: Fraction
    basis: Fraction
    rate: Fraction

    def stress(self, horizon: int) -> Stress:
        """The declared set; a horizon shorter than a funding period sees one payment at most."""
        assert horizon < FUNDING_BARS
        size, basis = int(self.size * SCALE), int(self.basis * SCALE)
        carry = -int(-self.rate * (SCALE + size + basis) // 1)
        wide = size + basis + carry
        return Stress(
            ("A", "P"),
            ((-size, size), (-wide, wide)),
            (),
            horizon,
            ties=(Tie("P", "A", -basis - carry, basis + carry),),
            carry={"P": (carry, carry)},
        )


@dataclass(frozen=True)
class MarginMarket:
    """Prices of trades and marks, in price units; rates are paid at the opens of their bars."""

    opens: Sequence[tuple[int, int]]
    mark_opens: Sequence[tuple[int, int]]
    closes: Sequence[tuple[int, int]]
    rates: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.closes)

    def rows(self):
        volume = (VOLUME, VOLUME)
        for bar, (o, m, c) in enumerate(zip(self.opens, self.mark_opens, self.closes, strict=True)):
            high, low = tuple(map(max, o, c)), tuple(map(min, o, c))
            times = bar * HOUR, (bar + 1) * HOUR
            yield *times, o, high, low, c, volume, m, c, (0, self.rates.get(bar, 0)), c


def edge_market(seed: int, limits: Set, bars: int = 40, horizon: int = 3) -> MarginMarket:
    """Paths at the edge of ``limits`` around each of the last closes, the whole way out.

    From every close, all prices up to the last open of the horizon stay inside, prices of trades
    and marks alike: A1 holds by construction.
    """
    rng = random.Random(seed)
    start = (100_000, 100_000 * FINE)
    opens, marks, closes = [start], [start], [start]
    for bar in range(1, bars):
        window = closes[max(0, bar - horizon) : bar]
        spot, perp = _point(rng, limits, window, closes[-1])
        last = _perp(rng, limits, window, spot, near=perp)
        opens.append((spot, last))
        marks.append((spot, perp))
        closes.append(_point(rng, limits, closes[max(0, bar - horizon + 1) : bar], marks[-1]))
    most = int(limits.rate * 10**RATE_SCALE)
    paid = {bar: rng.choice([-most, most, most // 3]) for bar in range(5, bars, FUNDING_BARS)}
    return MarginMarket(opens, marks, closes, paid)


def _point(
    rng: random.Random, limits: Set, window: Sequence[tuple[int, int]], last: tuple[int, int]
) -> tuple[int, int]:
    """A spot price and a mark that the set allows from everything in ``window``."""
    size = limits.size
    low = max(-(-spot * (1 - size) // 1) for spot, _ in window) if window else last[0] * (1 - size)
    high = min(spot * (1 + size) // 1 for spot, _ in window) if window else last[0] * (1 + size)
    choice = rng.random()
    goal = int(low if choice < 0.4 else high if choice < 0.75 else (low + high) / 2)
    for _ in range(20):
        try:
            return goal, _perp(rng, limits, window, goal)
        except ValueError:
            goal = (goal + last[0]) // 2  # nearer to what was allowed a moment ago
    return last


def _perp(
    rng: random.Random,
    limits: Set,
    window: Sequence[tuple[int, int]],
    spot: int,
    near: int | None = None,
) -> int:
    """A price of the perpetual inside the basis to ``spot``, from everything in ``window``."""
    basis = limits.basis
    low, high = spot * FINE * (1 - basis), spot * FINE * (1 + basis)
    if window:
        low = max(p * (Fraction(spot, s) - basis) for s, p in window)
        high = min(p * (Fraction(spot, s) + basis) for s, p in window)
    low, high = -int(-low // 1), int(high // 1)
    if low > high:
        raise ValueError("the basis has no room here")
    if near is not None:  # of trades: a little off the mark
        return min(high, max(low, near + int(near * Fraction(rng.randint(-20, 20), 10_000))))
    return rng.choice([low, high, (low + high) // 2])


def mandate(
    limits: Set,
    limit: Fraction,
    *,
    horizon: int = 3,
    exit_bars: int = 1,
    legging: Fraction = Fraction(0),
    guardrails: Sequence[Guardrail] = (),
) -> ResolvedMandate:
    return ResolvedMandate(
        "margined",
        (Guardrail("max_drawdown", limit, always=True), *guardrails),
        limits.stress(horizon),
        Costs(FEE, Fraction(1, 500), legging),
        Fraction(4, 5),
        Fraction(1, 100),
        exit_bars,
    )


def halved(resolved: ResolvedMandate) -> ResolvedMandate:
    """The same mandate over a set of half the size."""
    stress = resolved.stress
    box = tuple((low // 2, high // 2) for low, high in stress.box)
    return replace(resolved, stress=replace(stress, box=box))


class Adversary:
    """Sees the next bars; of what the gate would admit, it proposes what ends worst.

    It buys, sells short and hedges at any leverage, closes, and moves money between the venues. It
    judges by its gate what plays worst, and plays the answer again.
    """

    def __init__(self, market: MarginMarket, gate: Gate, seed: int = 0, tried: int = 3) -> None:
        self._market = market
        self._gate = gate
        self._rng = random.Random(seed)
        self._tried = tried
        self.fund: Fund | None = None
        self.capacity: Mapping[str, int] = {"A": VOLUME, "P": VOLUME}

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        fund = self.fund
        assert fund is not None
        bar = snapshot.bar
        situation = Situation(
            book, snapshot.prices, fund.machine.v, fund.machine.h, bar, self.capacity
        )
        ranked = sorted(
            ((self._play(book, made, bar), number, made) for number, made in self._made(situation)),
            key=lambda one: one[:2],
        )
        best, worst = Proposal(), self._play(book, Proposal(), bar)
        for _, _, made in ranked[: self._tried]:
            kept = self._gate.judge(made, situation).proposal
            ratio = self._play(book, kept, bar)
            if not kept.holds and ratio < worst:
                best, worst = made, ratio
        if not best.holds or self._rng.random() < 0.6:
            return best
        # Nothing hurts at once: prepare, with money at the other venue or a leg to come back to.
        return self._rng.choice([made for _, made in self._made(situation)])

    def _made(self, now: Situation) -> list[tuple[int, Proposal]]:
        book, found = now.book, []
        equity = {place: book.equity(place, now.prices) for place in CAPITAL}
        for leverage in (Fraction(1, 2), Fraction(2), Fraction(8)):
            for side in Side:
                leg = self._leg(now, "P", side, equity["perp"] * leverage, side.sign)
                found.append(Proposal(leg))
        buy = self._leg(now, "A", Side.BUY, Fraction(book.places["spot"] * 98, 100), 1)
        found.append(Proposal(buy))
        if buy:
            hedge = self._leg(now, "P", Side.SELL, Fraction(book.places["spot"]), -1)
            found += [Proposal((*buy, *hedge)), Proposal((*buy, *hedge), ordered=True)]
        out = [
            leg
            for symbol, held in book.positions.items()
            for leg in self._leg(now, symbol, Side.SELL if held > 0 else Side.BUY, None, 9)
        ]
        found += [Proposal(tuple(out)), *(Proposal((leg,)) for leg in out)]
        for source, target in (("spot", "perp"), ("perp", "spot")):
            spare = equity[source] if source == "perp" else book.places[source]
            for share in (Fraction(3, 10), Fraction(9, 10)):
                amount = int(spare * share)
                if amount > 0:
                    transfer = Transfer(amount, source, target)
                    short = self._leg(now, "P", Side.SELL, equity["perp"] * 2, -1)
                    found.append(Proposal(transfers=(transfer,)))
                    found.append(Proposal(short, transfers=(transfer,)))
        return [(number, made) for number, made in enumerate(found) if not made.holds]

    def _leg(
        self, now: Situation, symbol: str, side: Side, notional: Fraction | None, away: int
    ) -> tuple[Leg, ...]:
        """One leg of a notional, or of all that is held; its limit up to 9 times 2% away."""
        inst, price = now.book.instruments[symbol], now.prices[symbol]
        near = Fraction(1, 50) if notional is not None else Fraction(abs(away), 50)
        limit = int(price * (1 + side.sign * near)) // inst.tick * inst.tick
        quantity = abs(now.book.position(symbol))
        if notional is not None:
            quantity = int(notional / inst.notional(1, limit))
        return (Leg(inst, side, quantity, limit),) if quantity > 0 else ()

    def _play(self, book: Book, proposal: Proposal, bar: int) -> Fraction:
        """The lowest NAV / mark of the coming bars, the shares of margin accounts counted too."""
        fund = self.fund
        assert fund is not None
        places, positions = dict(book.places), dict(book.positions)
        cash, mark, worst = book.cash, fund.machine.h, Fraction(1)
        for transfer in proposal.transfers:
            places[transfer.source] -= transfer.amount
        market = self._market
        for step in range(1, 4):
            if bar + step >= len(market):
                break
            if step == 1:
                opens = dict(zip("AP", market.opens[bar + 1], strict=True))
                for leg in proposal.legs:
                    inst, sign = leg.instrument, leg.side.sign
                    if (opens[inst.symbol] - leg.limit) * sign <= 0:
                        paid = sign * inst.notional(leg.quantity, opens[inst.symbol])
                        held = positions.get(inst.symbol, 0)
                        positions[inst.symbol] = held + sign * leg.quantity
                        places[inst.account] -= paid
                        cash -= paid
            for row in (market.mark_opens[bar + step], market.closes[bar + step]):
                prices = dict(zip("AP", row, strict=True))
                worth = {
                    s: book.instruments[s].notional(q, prices[s]) for s, q in positions.items()
                }
                nav = cash + sum(worth.values())
                mark = max(mark, nav)
                worst = min(worst, Fraction(nav, mark))
                if held := abs(worth.get("P", 0)):
                    spare = places["perp"] + worth["P"] - held // 20
                    worst = min(worst, Fraction(spare, held) if spare < held else Fraction(1))
        return worst


class MarginWorld(World):
    """A world that keeps every bar's book, and tells at which bars NAV left the proved band."""

    books: list[dict[str, Any]]
    left: list[int]
    peak: Fraction = Fraction(0)

    def run(self, bars: int | None = None) -> MarginWorld:
        while bars is None or len(self.ticks) < bars:
            machine = self.fund.machine
            low = machine.V * SCALE - machine.bounds.loss - machine.bounds.costs * SCALE
            high = machine.V * SCALE + machine.bounds.gain
            tick = self.fund.advance()
            if tick is None:
                break
            self.ticks.append(tick)
            self.books.append(book_json(self.fund._orders.book))
            gross = sum(
                abs(i.notional(q, p))
                for i, q, p in zip(INSTRUMENTS, tick.positions, tick.closes, strict=True)
            )
            if tick.nav > 0:
                self.peak = max(self.peak, Fraction(gross, tick.nav))
            if tick.bar and not all(low <= n * SCALE <= high for n in (tick.nav_open, tick.nav)):
                self.left.append(tick.bar)
        return self

    @property
    def liquidated(self) -> int:
        return sum(tick.liquidated for tick in self.ticks)

    def kinds(self) -> set[str]:
        """Of the records: kinds, and acts of the guard."""
        replayed = self.replayed()
        return {r.get("act", r["kind"]) for r in replayed.records}

    def finished(self) -> MarginWorld:
        self.fund.close()
        self.recorder.finish()
        return self

    def replayed(self) -> BookKeeper:
        replay = BookKeeper(self.log)
        for leaf in self.log.leaves():
            replay.take(leaf)
        return replay


class BookKeeper(Replay):
    """A replay that keeps every bar's book as it stands when the bar is over."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.books: list[dict[str, Any]] = []

    def _end_bar(self) -> None:
        if self._bar_open:
            self.books.append(book_json(self._book()))
        super()._end_bar()


def world(
    market: MarginMarket,
    resolved: ResolvedMandate,
    strategy: Any,
    *,
    gate: Gate | None = None,
    latencies: tuple[int, int] = (0, 0),
    order_bars: int = 1,
    exit_bars: int = 1,
    participation: Fraction = Fraction(1),
    flows: Sequence[Flow] = (),
    flow_tables: Sequence[Mapping[str, str]] = (),
    log: Log | None = None,
    resume: bool = False,
) -> MarginWorld:
    """A fund over both venues; guarded unless another gate is given."""
    guard = Guard(resolved) if gate is None else None
    log = MemoryLog() if log is None else log
    recorder = Recorder(log, resume=resume)
    config = dumps(
        {
            "name": "world",
            "fund": {"currency": "USD", "scale": 10, "cash": str(CASH // UNIT)},
            "market": {"start": "1970-01-01", "end": "1971-01-01", "gaps": "refuse"},
            "strategy": {"every": "bar", "model": None},
            "instruments": [SPOT_TABLE, PERP_TABLE],
            "venues": [
                {
                    "name": name,
                    "cash": str(CAPITAL[name] // UNIT),
                    "fee": {"rate": str(FEE)},
                    "spread": {"share": str(SPREAD)},
                    "impact": {"coefficient": "0"},
                    "participation": {"share": str(participation)},
                    "latency": {"bars": bars},
                }
                for name, bars in zip(("spot", "perp"), latencies, strict=True)
            ],
            "execution": {"order_bars": order_bars, "exit_bars": exit_bars},
            "transfers": {"bars": TRANSFER_BARS},
            "flows": list(flow_tables),
        }
    )
    mandate_body = dumps(resolved.to_json())
    common: dict[str, Any] = {
        "fund": "world",
        "mandate": resolved.digest,
        "code": "0" * 64,
        "lock": "0" * 64,
        "strategy": "0" * 64,
        "data": {},
    }
    for body in (config, mandate_body):
        recorder.blob(body)
    recorder.append(
        common
        | {
            "kind": "genesis",
            "v": 3,
            "mode": "backtest",
            "guarded": gate is None,
            "config": hashlib.sha256(config).hexdigest(),
            "currency": {"symbol": "USD", "scale": 10},
            "cash": str(CASH),
            "capital": {name: str(cash) for name, cash in CAPITAL.items()},
            "instruments": [instrument_json(i) for i in INSTRUMENTS],
            "model": {},
            "secret": {"public": True, "hex": SECRET.hex()},
        }
    )
    ledger = Ledger(USD, {i.symbol: i for i in INSTRUMENTS})
    for name, cash in CAPITAL.items():
        ledger.deposit(USD, cash, name, f"capital {name}")
    venues = {
        name: SimulatedVenue(
            name,
            ProportionalFee(FEE),
            HalfSpread(SPREAD),
            SquareRootImpact(Fraction(0)),
            Participation(participation),
            Latency(bars),
        )
        for name, bars in zip(("spot", "perp"), latencies, strict=True)
    }
    monitor = Monitor(resolved, ["A", "P"])
    journal = Journal(recorder, resolved.digest)
    commitments = Commitments(recorder, Provenance(common, SECRET))
    fund = Fund(
        feed=iter(market.rows()),
        history=History(INSTRUMENTS),
        instruments=INSTRUMENTS,
        turn=AgentTurn(strategy, commitments, journal),
        cadence=Cadence("bar"),
        gate=guard if gate is None else gate,  # type: ignore[arg-type]
        guard=guard,
        machine=Machine(resolved.drawdown.limit if guard is not None else Fraction(1), CASH),
        ledger=ledger,
        desk=Desk(ledger, venues),
        clearing=ByRule(),
        terms=Terms(
            order_bars,
            dict(zip("AP", latencies, strict=True)),
            dict.fromkeys("AP", participation),
            "spot",
            TRANSFER_BARS,
        ),
        journal=journal,
        monitor=monitor if guard is not None else None,
        flows=flows,
    )
    if isinstance(strategy, Adversary):
        strategy.fund = fund
    made = MarginWorld(fund, monitor, log, recorder)
    made.books, made.left = [], []
    return made
