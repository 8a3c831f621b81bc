"""The loop: ``advance()`` takes the fund over one bar, and does not know which mode it runs in.

At a bar's open the venue reports fills. At its close the guard looks at the book really held: it
certifies it again, else reduces it, else exits; then, if a decision is due, the agent is asked. It
is asked on the guard's way out too, so that a strategy sees every one of its turns, but whatever it
proposes then is refused. Only the feed and the venue differ between backtest, paper and live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Purpose
from agent_fund.domain.settlement import Liquidation
from agent_fund.execution.clearing import Clearing
from agent_fund.execution.desk import Desk
from agent_fund.execution.ledger import Ledger
from agent_fund.fund.agent_turn import AgentTurn, StrategyFailed
from agent_fund.fund.cadence import Cadence
from agent_fund.fund.control_command import BROKEN
from agent_fund.fund.flow_queue import FlowQueue
from agent_fund.fund.flows import Flow
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor, Prices
from agent_fund.fund.operator_acts import OperatedFund
from agent_fund.fund.order_flow import OrderFlow
from agent_fund.fund.terms import Gate, Terms, Tick
from agent_fund.guard.engine import Guard
from agent_fund.guard.limits import activity_after
from agent_fund.guard.machine import Machine, Mode
from agent_fund.guard.verdict import locked_out
from agent_fund.market.bars import Row
from agent_fund.market.gaps import Gap
from agent_fund.market.snapshot import History


class Fund(OperatedFund):
    """One fund on one ledger, its venues, one strategy, behind one gate.

    Args:
        feed: bars as they come. ``history``: the bars known before the first of them.
        gate: the guard, or an open gate for comparison; ``guard`` is None for the latter.
        monitor: watches the assumptions; None for an unguarded fund, which makes no promise.

    Attributes:
        listen: called with ``"before"`` when the agent is about to be asked, and with ``"after"``
            when it has proposed something and before that is judged, and with whether the log holds
            what comes next already: operators are heard there, because a model may think for long.
        failed: told of a strategy that failed, whose turn is then an abstention; None, as in a
            backtest, where it stops the run. A fund with it asks no agent while people hold it, so
            that one which never answers can be kept out.
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
        orders = OrderFlow(desk, clearing, journal, terms, monitor)
        super().__init__(history, instruments, gate, machine, orders, terms, journal, monitor)
        self._feed = feed
        self._turn = turn
        self._cadence = cadence
        self._guard = guard
        self._watchful = guard is not None and guard.watchful
        self._recorder = journal.recorder
        self._clearing = clearing
        self._flows = FlowQueue(flows, ledger, terms.home, gate, journal)
        self._gaps = list(gaps)
        self._funding = self._liquidated = 0
        self.listen: Callable[[str, bool], None] = lambda moment, known: None
        self.failed: Callable[[StrategyFailed], None] | None = None

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
        forced: tuple[Liquidation, ...] = ()
        if self._margined and not holdings.flat:
            forced = orders.liquidate(bar, "before", self._named(mark_opens))
            if forced:
                self._hold()
        if orders.working:
            orders.open(bar, self._named(opens), self._named(volumes), self._named(mark_opens))
            self._hold()
        traded = holdings.positions
        if holdings.flat and not forced:
            nav_open = nav = holdings.cash
            if machine.v != nav:
                self._tick(bar, nav, nav)
        else:
            nav_open = self._settled(bar, "open", mark_opens, forced)
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
            self.kill(BROKEN)
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
            *((*self._accounts(), self._funding, self._liquidated) if self._margined else ()),
        )

    def close(self) -> None:
        """Record the end of the run; nothing is sent or cancelled by it."""
        breaches = [b.bar for b in self.monitor.breaches] if self.monitor is not None else []
        machine = self.machine
        self._journal.close(self._bar + 1, machine.v, machine.h, machine.mode, breaches)

    # -- the book -----------------------------------------------------------------------------

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

    def _settled(
        self, bar: int, when: str, marks: Sequence[int], before: Sequence[Liquidation] = ()
    ) -> int:
        """NAV at ``marks``, once venues have closed what is below its maintenance.

        Args:
            before: what they had closed before the fills.
        """
        if self._margined:
            closed = [*before, *self._orders.liquidate(bar, when, self._named(marks))]
            if closed:
                self._liquidated += len(closed)
                self._hold()
                if self.monitor is not None:
                    for event in closed:
                        if event.exec_id:
                            self.monitor.forced(event)
                    self.machine.liquidated()
                    nav = self._holdings.nav(marks)
                    self.monitor.liquidated(bar, when, nav, self.machine.h, self._anchor_bar)
        return self._holdings.nav(marks)

    def _tick(self, bar: int, nav_open: int, nav: int) -> None:
        """The machine sees both marks of the bar; the first breach of a run is kept."""
        machine, monitor = self.machine, self.monitor
        for when, mark in (("open", nav_open), ("close", nav)):
            known = machine.breached
            if not machine.tick(mark) and not known and monitor is not None:
                monitor.broken(bar, when, mark, machine.h, self._anchor_bar, machine.broken)

    # -- the agent ----------------------------------------------------------------------------

    def _decide(self, bar: int) -> None:
        self.listen("before", self._recorder.replaying)
        if self.failed is not None and (self.held or self.leaving):
            return
        book = self._orders.book if self._orders.working else self._held
        try:
            asked = self._turn.ask(bar, self._history.snapshot(), book)
        except StrategyFailed as failure:
            if self.failed is None:
                raise failure.cause from None
            self._turn.failed(bar, failure)
            self.failed(failure)
            return
        if asked is None:
            return
        self.listen("after", self._recorder.replaying)
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
