"""The loop: ``advance()`` takes the fund over one bar, and does not know which mode it runs in.

At a bar's open the venue reports fills. At its close the guard looks at the book really held: it
certifies it again, else reduces it, else exits; then, if a decision is due, the agent is asked. It
is asked on the guard's way out too, so that a strategy sees every one of its turns, but whatever it
proposes then is refused. Only the feed and the venue differ between backtest, paper and live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Purpose
from agent_fund.execution.clearing import Clearing
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.fund.agent_turn import AgentTurn
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.flow_queue import FlowQueue
from agent_fund.fund.flows import Flow
from agent_fund.fund.holdings import Holdings
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor, Prices
from agent_fund.fund.order_flow import OrderFlow
from agent_fund.fund.terms import Gate, Terms, Tick
from agent_fund.guard.activity import NOTHING_SENT
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding
from agent_fund.guard.limits import activity_after
from agent_fund.guard.machine import Bounds, Machine, Mode
from agent_fund.guard.reduction import reduction
from agent_fund.guard.verdict import Certified, Situation, capacity, locked_out
from agent_fund.guard.wayout import closing
from agent_fund.market.bars import Row
from agent_fund.market.gaps import Gap
from agent_fund.market.snapshot import History

CAPACITY_BARS = 20


class Fund:
    """One fund on one ledger, its venues, one strategy, behind one gate.

    Args:
        feed: bars as they come. ``history``: the bars known before the first of them.
        gate: the guard, or an open gate for comparison; ``guard`` is None for the latter.
        monitor: watches the assumptions; None for an unguarded fund, which makes no promise.

    Attributes:
        held: whether an operator keeps the agent from trading.
    """

    def __init__(
        self,
        *,
        feed: Iterator[Row],
        history: History,
        instruments: Sequence[Instrument],
        turn: AgentTurn,
        cadence: Cadence,
        gate: Gate,
        guard: Guard | None,
        machine: Machine,
        ledger: Ledger,
        desk: Desk,
        clearing: Clearing,
        terms: Terms,
        journal: Journal,
        monitor: Monitor | None = None,
        flows: Sequence[Flow] = (),
        gaps: Sequence[Gap] = (),
    ) -> None:
        self._feed = feed
        self._history = history
        self._instruments = tuple(instruments)
        self._symbols = tuple(i.symbol for i in instruments)
        self._turn = turn
        self._cadence = cadence
        self._gate = gate
        self._guard = guard
        self.machine = machine
        self._terms = terms
        self._journal = journal
        self._recorder = journal.recorder
        self.monitor = monitor
        self._clearing = clearing
        self._orders = OrderFlow(desk, clearing, journal, terms, monitor)
        self._flows = FlowQueue(flows, ledger, terms.home, gate, journal)
        self._gaps = list(gaps)
        self._bar = -1
        self._closes: tuple[int, ...] = ()
        self._watchful = guard is not None and guard.watchful
        self._margined = any(i.margin is not None for i in instruments)
        self._funding = self._liquidated = 0
        self._held = desk.book()
        self._holdings = Holdings(instruments, self._held)
        # The certificate in force, whether it covers the book held, and its decision's prices.
        self._certified: Certified | None = None
        self._covering = False
        self._band: list[tuple[int, int, int]] = []
        self._anchor: tuple[int, ...] | None = None
        self._anchor_bar = -1
        self._activity = NOTHING_SENT
        self.held = False

    def advance(self) -> Tick | None:
        """One bar: its open, its close, the guard's look, the agent's turn. None at the end."""
        row = next(self._feed, None)
        if row is None:
            return None
        open_time, close_time, opens, volumes = row[0], row[1], row[2], row[6]
        mark_opens, closes, rates = row[7], row[8], row[9]
        bar = self._bar = self._bar + 1
        machine, orders, holdings = self.machine, self._orders, self._holdings
        while self._gaps and self._gaps[0].before <= close_time:
            self._journal.gap(self._gaps.pop(0))
        before = holdings.positions
        self._funding = self._liquidated = 0
        paid: Sequence[int] = ()
        if self._held.transit and orders.arrive(bar):
            self._hold()
        if self._margined and self._clearing.due(rates, holdings.flat):
            paid = self._fund(bar, mark_opens, rates)
        if orders.working:
            orders.open(bar, self._named(opens), self._named(volumes), self._named(mark_opens))
            self._hold()
        traded = holdings.positions
        if holdings.flat:
            nav_open = nav = holdings.cash
            if machine.v != nav:
                self._tick(bar, nav, nav)
        else:
            nav_open = self._settled(bar, "open", mark_opens)
            nav = self._settled(bar, "close", closes)
            self._tick(bar, nav_open, nav)
        self._closes = closes
        self._history.append(*row)
        # Where nothing has a mark of its own, marks are the prices of trades.
        apart = mark_opens if self._margined else ()
        self._recorder.mark(bar, open_time, close_time, opens, closes, nav_open, nav, apart)
        if self.monitor is not None and self._anchor is not None:
            self.monitor.moved(
                bar,
                self._anchor_bar,
                self._anchor,
                Prices(opens, mark_opens, closes, paid),
                before,
                traded,
            )
        if orders.working:
            orders.close(bar)
            if self.held or machine.killed:
                # A cancel whose answer was lost is asked for again, until it is confirmed.
                orders.cancel(bar, only=Purpose.AGENT)
            self._held = orders.book
        if machine.breached:
            self.kill("a limit is broken")
        if self._guard is not None and machine.mode is not Mode.HALTED:
            self._look(bar, closes)
        if self._flows.due(close_time) and self._flows.attempt(self.situation(), machine):
            self._hold()
        if self._cadence.due(bar, close_time) and machine.mode is not Mode.HALTED:
            self._decide(bar)
        return Tick(
            bar,
            close_time,
            nav_open,
            machine.v,
            machine.h,
            holdings.cash,
            holdings.positions,
            closes,
            machine.mode,
            machine.bounds,
            *(self._accounts() if self._margined else ()),
        )

    def kill(self, why: str) -> None:
        """An operator's act or a breach: to flat, then Halted. Callable between two bars."""
        if self.machine.mode is Mode.HALTED or self.machine.killed:
            return
        if self._bar < 0:
            raise DomainError("kill", why, "nothing runs before the first bar; do not start it")
        self._journal.mode("kill", self.situation(), why)
        self.machine.kill()
        # The guard's own orders are on their way out already; without them it would be longer.
        self._orders.cancel(self._bar, only=Purpose.AGENT)

    @property
    def bar(self) -> int:
        """Number of the last bar; -1 before the first."""
        return self._bar

    @property
    def time(self) -> int:
        """Close of the last bar, ms since the epoch; 0 before the first."""
        return self._history.snapshot().time if self._bar >= 0 else 0

    @property
    def prices(self) -> dict[str, int]:
        """Closes of the last bar by symbol, at which positions are valued."""
        return self._named(self._closes)

    def verdict_of(self, order_id: str) -> bytes:
        """The leaf hash of the guard's record that admitted an order; see ``OrderFlow``."""
        return self._orders.verdict_of(order_id)

    @property
    def leaving(self) -> bool:
        """Whether the fund was told to go to flat and stay there."""
        return self.machine.killed or self.machine.mode is Mode.HALTED

    @property
    def agent_orders(self) -> int:
        """How many of the agent's orders may still fill."""
        return sum(o.purpose is Purpose.AGENT for o in self._orders.book.open_orders)

    @property
    def book(self) -> Book:
        """What the fund holds, open orders included."""
        return self._orders.book

    def hold(self, why: str) -> None:
        """An operator's act: the agent's orders are cancelled, and it trades no more until resumed.

        What is held stays held, under the guard. Callable between two bars.
        """
        if self.held or self._bar < 0:
            return
        self._journal.mode("hold", self.situation(), why)
        self.held = True
        self._orders.cancel(self._bar, only=Purpose.AGENT)

    def resume(self, why: str) -> bool:
        """A named person's act: Active again after a hold or a halt, if the held book is Safe.

        Returns:
            False if there is nothing to resume from, a limit was broken, or the book is not Safe.
        """
        machine, situation = self.machine, self.situation()
        halted = machine.mode is Mode.HALTED
        if not (halted or (self.held and machine.mode is Mode.ACTIVE)) or machine.breached:
            return False
        certified = self._gate.look(situation)
        if certified is None:
            return False
        self._journal.resume(certified, situation, why)
        self.held = False
        if halted:
            machine.resume(certified.bounds)
        self._accept(certified, covering=True)
        return True

    def close(self) -> None:
        """Record the end of the run; nothing is sent or cancelled by it."""
        breaches = [b.bar for b in self.monitor.breaches] if self.monitor is not None else []
        machine = self.machine
        self._journal.close(self._bar + 1, machine.v, machine.h, machine.mode, breaches)

    # -- the book -----------------------------------------------------------------------------

    def _named(self, values: Sequence[int]) -> dict[str, int]:
        return dict(zip(self._symbols, values, strict=True))

    def _hold(self) -> None:
        """Positions or cash may have changed: no certificate covers this book yet."""
        self._covering = False
        self._held = self._orders.book
        self._holdings.take(self._held)

    def _fund(self, bar: int, marks: Sequence[int], rates: Sequence[int]) -> tuple[int, ...]:
        """Pay and receive the funding of this open, on the book as it was before its fills.

        Returns:
            The rates that were paid, in instrument order; 0 where nothing was held.
        """
        named = {s: rate for s, rate in zip(self._symbols, rates, strict=True) if rate}
        events = self._orders.fund(bar, self._named(marks), named)
        self._funding = sum(event.amount for event in events)
        if events:
            self._hold()
        paid = {event.instrument.symbol: event.rate for event in events}
        return tuple(paid.get(symbol, 0) for symbol in self._symbols)

    def _settled(self, bar: int, when: str, marks: Sequence[int]) -> int:
        """NAV at ``marks``, once venues have closed what is below its maintenance."""
        if self._margined:
            closed = self._orders.liquidate(bar, when, self._named(marks))
            if closed:
                self._liquidated += closed
                self._hold()
                if self.monitor is not None:
                    self.machine.liquidated()
                    nav = self._holdings.nav(marks)
                    self.monitor.liquidated(bar, when, nav, self.machine.h, self._anchor_bar)
        return self._holdings.nav(marks)

    def _accounts(self) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
        """Equity and maintenance at each place, funding received, positions liquidated."""
        book, prices = self._held, self._named(self._closes)
        return (
            tuple(book.equity(place, prices) for place in book.places),
            tuple(book.maintenance(place, prices) for place in book.places),
            self._funding,
            self._liquidated,
        )

    def _tick(self, bar: int, nav_open: int, nav: int) -> None:
        """The machine sees both marks of the bar; the first breach of a run is kept."""
        machine, monitor = self.machine, self.monitor
        for when, mark in (("open", nav_open), ("close", nav)):
            known = machine.breached
            if not machine.tick(mark) and not known and monitor is not None:
                monitor.broken(bar, when, mark, machine.h, self._anchor_bar, machine.broken)

    def situation(self) -> Situation:
        """What the guard looks at now: the book really held, at the last close."""
        snapshot = self._history.snapshot()
        volumes = {s: snapshot.volumes(s, CAPACITY_BARS) for s in self._symbols}
        return Situation(
            self._orders.book,
            self._named(self._closes),
            self.machine.v,
            self.machine.h,
            self._bar,
            capacity(self._instruments, volumes, self._terms.participation),
            self.machine.F,
            self._activity,
        )

    # -- the guard ----------------------------------------------------------------------------

    def _look(self, bar: int, closes: tuple[int, ...]) -> None:
        machine = self.machine
        if machine.mode is Mode.ACTIVE:
            bounds = self._covered(bar, closes)
            watched = bounds is not None and (not self._watchful or self._holds())
            if bounds is not None and watched and machine.try_decide(bounds):
                self._anchor, self._anchor_bar = closes, bar
            elif not self._recertify():
                self._reduce()
        elif self._orders.any_open:
            return  # on the way out, inside the horizon of the last decision
        elif machine.killed:
            if self._holdings.flat:
                self._journal.mode("done", self.situation(), "flat")
                machine.done(flat=True)
            else:
                self._exit()
        elif not self._recertify():
            if machine.mode is Mode.REDUCING:
                machine.exit()
            self._exit()

    def _holds(self) -> bool:
        """Whether the limits marked ``always`` hold at this close too."""
        return self._require_guard().holds(self.situation())

    def _covered(self, bar: int, closes: tuple[int, ...]) -> Bounds | None:
        """The bounds in force, if their certificate covers this very book at these prices."""
        certified = self._certified
        if not self._covering or certified is None or bar > certified.until:
            return None
        for column, low, high in self._band:
            if not low <= closes[column] <= high:
                return None
        return certified.bounds

    def _recertify(self) -> bool:
        """Certify the held book anew, if that is Safe."""
        situation = self.situation()
        certified = self._gate.look(situation)
        if certified is None:
            return False
        self._journal.look(certified, situation)
        self._accept(certified, covering=True)
        return True

    def _accept(self, certified: Certified, *, covering: bool) -> None:
        """The machine's Decide: these bounds are in force; ``covering``: at coming looks too."""
        self.machine.decide(certified.bounds)
        self._certified, self._covering = certified, covering
        self._band = [
            (column, *certified.band[symbol])
            for column, symbol in enumerate(self._symbols)
            if symbol in certified.band
        ]
        self._anchor, self._anchor_bar = self._closes, self._bar

    def _reduce(self) -> None:
        """The held book is no longer Safe: cancel, then close the same fraction of every leg."""
        guard = self._require_guard()
        if self._orders.any_open:
            self._orders.cancel(self._bar)
            if self._recertify():
                return  # without its open orders the book is Safe
            if self._orders.any_open:
                return  # what is not confirmed as cancelled may fill: nothing is closed beside it
        situation = self.situation()
        why, fraction = guard.explain(situation), reduction(guard, situation)
        self.machine.reduce()
        self._leave(Purpose.REDUCE, fraction, situation, why)

    def _exit(self) -> None:
        """On to flat: close every position, at limits that fill anywhere inside the set."""
        guard, situation = self._require_guard(), self.situation()
        why = None if self.machine.killed else guard.explain(situation)
        self._leave(Purpose.EXIT, Fraction(1), situation, why)

    def _leave(
        self, purpose: Purpose, fraction: Fraction, situation: Situation, why: Finding | None
    ) -> None:
        mandate = self._require_guard().mandate
        proposal = closing(mandate, situation, fraction, self._anchor_prices())
        guard = self._journal.way_out(purpose.value, situation, fraction, proposal, why)
        if proposal.legs:
            leaf = self._recorder.leaf_hash(guard)
            marks = self._named(self._closes)
            self._orders.send(proposal, purpose, guard, self._bar, leaf, marks)
            self._covering = False

    def _require_guard(self) -> Guard:
        if self._guard is None:
            raise DomainError("way out", "unguarded", "only a guard reduces or exits")
        return self._guard

    def _anchor_prices(self) -> Mapping[str, int]:
        if self._anchor is None:
            raise DomainError("anchor", None, "a way out follows an accepted decision")
        return self._named(self._anchor)

    # -- the agent ----------------------------------------------------------------------------

    def _decide(self, bar: int) -> None:
        book = self._orders.book if self._orders.working else self._held
        asked = self._turn.ask(bar, self._history.snapshot(), book)
        if asked is None:
            return
        situation = self.situation()
        if self.machine.mode is Mode.ACTIVE and not self.held:
            verdict = self._gate.judge(asked.proposal, situation)
        else:
            verdict = locked_out(self.machine.mode)
        guard = self._journal.decide(verdict, asked.made, situation)
        if verdict.certified is None:
            return
        self._accept(verdict.certified, covering=False)
        if self._guard is not None:
            self._activity = activity_after(self._guard.mandate, situation, verdict.proposal)
        leaf = self._recorder.leaf_hash(asked.intent)
        marks = self._named(self._closes)
        self._orders.send(verdict.proposal, Purpose.AGENT, guard, bar, leaf, marks)
        if verdict.proposal.transfers:
            self._hold()
