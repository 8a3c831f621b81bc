"""The loop: ``advance()`` takes the fund over one bar, and does not know which mode it runs in.

At a bar's open the venue reports fills. At its close the guard looks at the book really held: it
certifies it again, else reduces it, else exits; then, if a decision is due, the agent is asked. It
is asked on the guard's way out too, so that a strategy sees every one of its turns, but whatever it
proposes then is refused. Only the feed and the venue differ between backtest, paper and live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from agent_fund.agents.errors import Abstain
from agent_fund.agents.strategy import Strategy
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Fill, Order, Proposal, Purpose
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.order_id import client_order_id
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.committed import Commitments, CommittedModel
from agent_fund.fund.flows import Flow
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding
from agent_fund.guard.machine import Bounds, Machine, Mode, scaled_mark
from agent_fund.guard.verdict import Certified, Situation, Verdict, locked_out
from agent_fund.guard.wayout import closing, reduction
from agent_fund.market.bars import Row
from agent_fund.market.gaps import Gap
from agent_fund.market.snapshot import History

CAPACITY_BARS = 20


class Gate(Protocol):
    """What stands between a proposal and the money: the guard, or for comparison nothing."""

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The verdict on a proposal."""

    def look(self, situation: Situation) -> Certified | None:
        """A certificate for the held book, or None if it is not Safe."""


@dataclass(frozen=True)
class Terms:
    """How the fund trades: exact numbers from the run file.

    Attributes:
        order_bars: bars for which an agent's order lives.
        exit_bars: bars for which a reducing or closing order lives.
        latency: bars before a new order can fill, beyond the next open.
        participation: share of a bar's volume that one bar can take.
    """

    order_bars: int
    exit_bars: int
    latency: int
    participation: Fraction


class Tick(NamedTuple):
    """One bar of the book's history; positions and prices in instrument order."""

    bar: int
    close_time: int
    nav_open: int
    nav: int
    mark: int
    cash: int
    positions: tuple[int, ...]
    closes: tuple[int, ...]
    mode: Mode
    bounds: Bounds


class Fund:
    """One fund on one ledger, one venue, one strategy, behind one gate."""

    def __init__(
        self,
        *,
        feed: Iterator[Row],
        history: History,
        instruments: Sequence[Instrument],
        strategy: Strategy,
        cadence: Cadence,
        gate: Gate,
        guard: Guard | None,
        machine: Machine,
        ledger: Ledger,
        desk: Desk,
        terms: Terms,
        journal: Journal,
        commitments: Commitments,
        model: CommittedModel | None = None,
        monitor: Monitor | None = None,
        flows: Sequence[Flow] = (),
        gaps: Sequence[Gap] = (),
    ) -> None:
        self._feed = feed
        self._history = history
        self._instruments = tuple(instruments)
        self._symbols = tuple(i.symbol for i in instruments)
        self._strategy = strategy
        self._cadence = cadence
        self._gate = gate
        self._guard = guard
        self.machine = machine
        self._ledger = ledger
        self._desk = desk
        self._terms = terms
        self._journal = journal
        self._recorder = journal.recorder
        self._commitments = commitments
        self._model = model
        self.monitor = monitor
        self._flows = sorted(flows, key=lambda f: f.due)
        self._queued: set[Flow] = set()
        self._gaps = list(gaps)
        self._bar = -1
        self._certified: Certified | None = None
        self._covering = False
        self._working = False
        self._cash = 0
        self._positions: tuple[int, ...] = ()
        self._units: list[tuple[int, int]] = []
        self._band: list[tuple[int, int, int]] = []
        self._anchor: tuple[int, ...] | None = None
        self._anchor_bar = -1
        self._way_out: dict[str, Order] = {}
        self._hold(desk.book())
        self.decisions = 0
        self.last_verdict: Verdict | None = None

    @property
    def book(self) -> Book:
        """What the fund holds now, open orders included."""
        return self._desk.book()

    def advance(self) -> Tick | None:
        """One bar: its open, its close, the guard's look, the agent's turn. None at the end."""
        row = next(self._feed, None)
        if row is None:
            return None
        open_time, close_time, opens, highs, lows, closes, volumes = row
        bar = self._bar = self._bar + 1
        machine = self.machine
        if self._gaps and self._gaps[0].before <= close_time:
            self._journal.gap(self._gaps.pop(0))
        if self._working:
            self._open(bar, opens, volumes)
        if self._units:
            nav_open, nav = self._nav(opens), self._nav(closes)
            self._tick(bar, nav_open, nav)
        else:
            nav_open = nav = self._cash  # nothing is held: no price can move it
            if machine.v != nav:
                self._tick(bar, nav, nav)
        self._history.append(open_time, close_time, opens, highs, lows, closes, volumes)
        self._recorder.mark(bar, open_time, close_time, opens, closes, nav_open, nav)
        if self.monitor is not None and self._anchor is not None:
            self.monitor.moved(bar, self._anchor_bar, self._anchor, opens, closes)
        if self._working:
            for order in self._desk.on_close(bar):
                self._ended(order)
            self._working = bool(self._desk.open_orders)
            self._held = self._desk.book()
        if machine.breached:
            self.kill("the drawdown limit is broken")
        if machine.mode is not Mode.HALTED:
            self._look(bar, closes)
        if self._flows and self._flows[0].due <= close_time:
            self._flow(bar, closes)
        if self._cadence.due(bar, close_time) and machine.mode is not Mode.HALTED:
            self._decide(bar, close_time, closes)
        return Tick(
            bar,
            close_time,
            nav_open,
            machine.v,
            machine.h,
            self._cash,
            self._positions,
            closes,
            machine.mode,
            machine.bounds,
        )

    # -- the book -----------------------------------------------------------------------------

    def _tick(self, bar: int, nav_open: int, nav: int) -> None:
        """The machine sees both marks of the bar; the first breach of a run is kept."""
        machine = self.machine
        breached = machine.breached
        if not machine.tick(nav_open) and not breached:
            self._broken(bar, "open", nav_open)
            breached = True
        if not machine.tick(nav) and not breached:
            self._broken(bar, "close", nav)

    def _hold(self, book: Book) -> None:
        """Positions or cash changed: no certificate covers this book yet."""
        self._covering = False
        self._held = book
        self._cash = book.cash
        self._positions = tuple(book.positions.get(s, 0) for s in self._symbols)
        self._units = [
            (column, quantity * instrument.multiplier)
            for column, (instrument, quantity) in enumerate(
                zip(self._instruments, self._positions, strict=True)
            )
            if quantity
        ]

    def _nav(self, prices: tuple[int, ...]) -> int:
        nav = self._cash
        for column, units in self._units:
            nav += units * prices[column]
        return nav

    def _situation(self, bar: int, closes: tuple[int, ...]) -> Situation:
        return Situation(
            self._desk.book(),
            dict(zip(self._symbols, closes, strict=True)),
            self.machine.v,
            self.machine.h,
            bar,
            self._capacity(),
        )

    def _capacity(self) -> Mapping[str, int]:
        """What one bar can take, by the smallest volume of the last CAPACITY_BARS bars."""
        share = self._terms.participation
        snapshot = self._history.snapshot()
        capacity = {}
        for instrument in self._instruments:
            volume = min(snapshot.volumes(instrument.symbol, CAPACITY_BARS))
            lots = volume * share.numerator // share.denominator // instrument.lot
            capacity[instrument.symbol] = lots * instrument.lot
        return capacity

    # -- the venue ----------------------------------------------------------------------------

    def _open(self, bar: int, opens: tuple[int, ...], volumes: tuple[int, ...]) -> None:
        orders = {order.order_id: order for order in self._desk.open_orders}
        market = dict(zip(self._symbols, opens, strict=True))
        traded = dict(zip(self._symbols, volumes, strict=True))
        for report in self._desk.on_open(bar, market, traded):
            if isinstance(report, Fill):
                self._journal.fill(report)
                if self.monitor is not None:
                    order = orders[report.order_id]
                    self.monitor.filled(report, order, market[report.instrument.symbol])
            else:
                self._ended(report)
        self._hold(self._desk.book())

    def _ended(self, order: Order) -> None:
        """Record a status that is not told by a fill; keep count of the guard's own orders."""
        if not order.status.open and order.remaining == 0 and order.filled < order.quantity:
            self._journal.status(order, self._bar)
        if order.order_id in self._way_out:
            self._way_out[order.order_id] = order
            if all(not o.status.open for o in self._way_out.values()):
                if self.monitor is not None:
                    self.monitor.way_out(self._bar, list(self._way_out.values()))
                self._way_out = {}

    def _send(
        self, proposal: Proposal, purpose: Purpose, guard: int, bar: int, leaf: bytes
    ) -> None:
        """Orders for ``proposal``, recorded and durable before they are sent."""
        life = self._terms.order_bars if purpose is Purpose.AGENT else self._terms.exit_bars
        orders: list[Order] = []
        for number, leg in enumerate(proposal.legs):
            waits_for = orders[-1].order_id if proposal.ordered and orders else None
            order = Order(
                client_order_id(leaf, number, 0),
                leg.instrument,
                leg.side,
                leg.quantity,
                leg.limit,
                purpose,
                bar + life + self._terms.latency,
                waits_for,
            )
            self._journal.order(order, guard, number)
            orders.append(order)
        self._recorder.barrier()
        if purpose is not Purpose.AGENT:
            self._way_out = {order.order_id: order for order in orders}
        for answer in self._desk.send(orders, bar):
            if not answer.status.open:
                self._ended(answer)
        self._covering, self._working = False, True

    # -- the guard ----------------------------------------------------------------------------

    def _accept(
        self, certified: Certified, covering: bool, bar: int, closes: tuple[int, ...]
    ) -> None:
        """The machine's Decide: these bounds are in force; ``covering``: at coming looks too."""
        self.machine.decide(certified.bounds)
        self._certified, self._covering = certified, covering
        self._band = [
            (column, *certified.band[symbol])
            for column, symbol in enumerate(self._symbols)
            if symbol in certified.band
        ]
        self._anchor, self._anchor_bar = closes, bar

    def _look(self, bar: int, closes: tuple[int, ...]) -> None:
        machine = self.machine
        if machine.mode is Mode.ACTIVE:
            bounds = self._covered(bar, closes)
            if bounds is not None and machine.try_decide(bounds):
                self._anchor, self._anchor_bar = closes, bar
                return
            situation = self._situation(bar, closes)
            if not self._recertify(situation, closes):
                self._reduce(situation)
            return
        if self._desk.open_orders:
            return  # on the way out, inside the horizon of the last decision
        situation = self._situation(bar, closes)
        flat = not any(self._positions)
        if machine.killed:
            if flat:
                self._journal.mode("done", situation, "flat")
                machine.done(flat=True)
            else:
                self._exit(situation)
        elif not self._recertify(situation, closes):
            if machine.mode is Mode.REDUCING:
                machine.exit()
            self._exit(situation)

    def _covered(self, bar: int, closes: tuple[int, ...]) -> Bounds | None:
        """The bounds in force, if their certificate covers this very book at these prices."""
        certified = self._certified
        if not self._covering or certified is None or bar > certified.until:
            return None
        for column, low, high in self._band:
            if not low <= closes[column] <= high:
                return None
        return certified.bounds

    def _recertify(self, situation: Situation, closes: tuple[int, ...]) -> bool:
        certified = self._gate.look(situation)
        if certified is None:
            return False
        self._journal.look(certified, situation)
        self._accept(certified, True, situation.bar, closes)
        return True

    def _reduce(self, situation: Situation) -> None:
        """The held book is no longer Safe: cancel, then close the same fraction of every leg."""
        if self._guard is None:
            raise DomainError("reduction", "unguarded", "only a guard reduces")
        for order in self._desk.cancel_all(situation.bar):
            self._ended(order)
        situation = self._situation(situation.bar, tuple(situation.prices.values()))
        why = self._guard.explain(situation)
        proposal = reduction(self._guard, situation, self._anchor_prices())
        self.machine.reduce()
        self._leave(Purpose.REDUCE, proposal, situation, why)

    def _exit(self, situation: Situation) -> None:
        """On to flat: close every position, at limits that fill anywhere inside the set."""
        if self._guard is None:
            raise DomainError("exit", "unguarded", "only a guard exits")
        mandate = self._guard.mandate
        proposal = closing(mandate, situation, Fraction(1), self._anchor_prices())
        why = None if self.machine.killed else self._guard.explain(situation)
        self._leave(Purpose.EXIT, proposal, situation, why)

    def _leave(
        self, purpose: Purpose, proposal: Proposal, situation: Situation, why: Finding | None
    ) -> None:
        guard = self._journal.way_out(purpose.value, situation, proposal, why)
        if proposal.legs:
            leaf = self._recorder.leaf_hash(guard)
            self._send(proposal, purpose, guard, situation.bar, leaf)

    def _anchor_prices(self) -> Mapping[str, int]:
        if self._anchor is None:
            raise DomainError("anchor", None, "a way out follows an accepted decision")
        return dict(zip(self._symbols, self._anchor, strict=True))

    def kill(self, why: str) -> None:
        """An operator's act or a breach: to flat, then Halted. Callable between two bars."""
        if self.machine.mode is Mode.HALTED or self.machine.killed:
            return
        situation = self._situation(self._bar, self._last_closes())
        self._journal.mode("kill", situation, why)
        self.machine.kill()
        for order in self._desk.cancel_all(self._bar):
            self._ended(order)

    def _last_closes(self) -> tuple[int, ...]:
        snapshot = self._history.snapshot()
        return tuple(snapshot.last_close(s) for s in self._symbols)

    def _broken(self, bar: int, when: str, nav: int) -> None:
        if self.monitor is not None:
            self.monitor.broken(bar, when, nav, self.machine.h, self._anchor_bar)

    # -- the agent ----------------------------------------------------------------------------

    def _decide(self, bar: int, time: int, closes: tuple[int, ...]) -> None:
        snapshot = self._history.snapshot()
        book = self._desk.book() if self._working else self._held
        self._commitments.begin(bar, time)
        if self._model is not None:
            self._model.snapshot_digest = snapshot.digest()
        try:
            proposal = self._strategy.decide(snapshot, book)
        except Abstain as abstained:
            self._journal.abort(bar, self._commitments.intent, abstained.reason)
            return
        intent = self._commitments.intent
        if not proposal.legs and intent is None:
            return  # code that holds leaves no record but the bar's own mark
        for leg in proposal.legs:
            if book.instrument(leg.instrument.symbol) != leg.instrument:
                raise DomainError("instrument", leg.instrument, "it is not the fund's own")
        self.decisions += 1
        if intent is None:
            intent = self._commitments.intend(snapshot.digest(), {})
        made = self._journal.proposal(bar, intent, proposal)
        if not proposal.legs:
            return
        situation = self._situation(bar, closes)
        if self.machine.mode is Mode.ACTIVE:
            verdict = self._gate.judge(proposal, situation)
        else:
            verdict = locked_out(self.machine.mode)
        self.last_verdict = verdict
        guard = self._journal.decide(verdict, made, situation)
        if verdict.certified is None:
            return
        self._accept(verdict.certified, False, bar, closes)
        leaf = self._recorder.leaf_hash(intent)
        self._send(verdict.proposal, Purpose.AGENT, guard, bar, leaf)

    # -- money in and out ---------------------------------------------------------------------

    def _flow(self, bar: int, closes: tuple[int, ...]) -> None:
        """Try the first due flow; it waits while its book is not certified."""
        flow = self._flows[0]
        if self.machine.mode is not Mode.ACTIVE or self._desk.open_orders:
            return
        before = self._situation(bar, closes)
        nav = before.nav + flow.amount
        certified = None
        after = before
        if nav > 0 and before.book.cash + flow.amount >= 0:
            book = before.book
            cash = book.cash + flow.amount
            after = Situation(
                Book(book.currency, cash, book.instruments, book.positions),
                before.prices,
                nav,
                scaled_mark(before.mark, before.nav, nav),
                bar,
                before.capacity,
            )
            certified = self._gate.look(after)
        if certified is None:
            if flow not in self._queued:
                self._queued.add(flow)
                self._journal.flow(flow, before, after, None)
            return
        del self._flows[0]
        self._journal.flow(flow, before, after, certified)
        self._recorder.barrier()
        place = self._instruments[0].venue.name
        if flow.amount > 0:
            self._ledger.deposit(before.book.currency, flow.amount, place, f"flow-{bar}-{flow.due}")
        else:
            self._ledger.withdraw(
                before.book.currency, -flow.amount, place, f"flow-{bar}-{flow.due}"
            )
        self.machine.flow(flow.amount, certified.bounds)
        self._hold(self._desk.book())

    def close(self) -> None:
        """Record the end of the run; nothing is sent or cancelled by it."""
        breaches = [b.bar for b in self.monitor.breaches] if self.monitor is not None else []
        machine = self.machine
        self._journal.close(self._bar + 1, machine.v, machine.h, machine.mode, breaches)
