"""A fund on real venues under way: what happens at its bars, and between two of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from agent_fund.agents.strategy import Strategy
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.runfile.scalars import seconds
from agent_fund.backtest.session import Market, Session
from agent_fund.domain.instrument import Instrument
from agent_fund.execution.live.leg_driver import LegDriver, Run
from agent_fund.execution.live.live_carriage import LiveCarriage
from agent_fund.execution.live.live_clearing import LiveClearing
from agent_fund.execution.live.live_venue import LiveVenue
from agent_fund.execution.route.search import Router
from agent_fund.execution.route.terms import RouteTerms
from agent_fund.fund.agent_turn import StrategyFailed
from agent_fund.fund.control import ControlBoard
from agent_fund.fund.control_command import Act, Stance
from agent_fund.fund.fund import Fund
from agent_fund.fund.terms import Tick
from agent_fund.guard.engine import Guard
from agent_fund.guard.machine import Mode
from agent_fund.market.bars import Row
from agent_fund.paper.bar_times import BarTimes
from agent_fund.paper.clock import WallClock
from agent_fund.paper.dead_man import DeadMan
from agent_fund.paper.errors import PaperError
from agent_fund.paper.feed import LiveFeed, row_of
from agent_fund.paper.operators import Operators
from agent_fund.paper.reconcile import Reconciler
from agent_fund.paper.routed import RoutedStrategy
from agent_fund.paper.status import status_of
from agent_fund.paper.stores import Stores
from agent_fund.paper.wiring import Wired

ToldBar = Callable[[Tick, Session, Stores], None]
_QUOTES = 2.0  # seconds that all quotes of one search may take
_PATIENCE = 30  # seconds, or a bar if that is shorter, until what nobody saw is sent again
_BARRED = 500  # milliseconds between two looks at the board while the first bar must wait
_LONG = 10  # bars after which a way out that goes on is an alarm
_WAY_OUT = (Mode.REDUCING, Mode.EXITING)
_PACKAGE = Path(__file__).parents[1]
_WORDS = 1_000  # characters of what a strategy raised that an alarm shows
_GRACE = 30_000  # milliseconds beyond three bars after which a silent fund is said to hang


class LiveRun:
    """One run; ``begin`` it with the session made on its ``market``.

    Args:
        run: runs coroutines. ``board``: of the operators.

    Attributes:
        finished: whether it has had its bars and nothing is under way, rather than being stopped.
    """

    def __init__(
        self,
        parts: Parts,
        stores: Stores,
        wired: Wired,
        run: Run,
        clock: WallClock,
        board: ControlBoard,
    ) -> None:
        section = parts.runfile.paper
        if section is None:
            raise PaperError("run file", "no [paper] section", "state bar, bars and connections")
        self._parts, self._stores, self._wired = parts, stores, wired
        self._run, self._clock, self._board = run, clock, board
        self._section = section
        self._bar_seconds, self._bars = seconds(section.bar), section.bars
        wait = 0 if parts.runfile.transfers is None else parts.terms.transfer_bars
        self._times = BarTimes(stores.tape, clock, self._bar_seconds, wait)
        now, patience = self._times.now, min(_PATIENCE, self._bar_seconds)
        self.venues = {
            name: LiveVenue(
                adapter,
                LegDriver(name, adapter, stores.legs, run, now, patience),
                stores.legs,
                stores.tape,
                stores.alarms,
                self._times.order_deadline,
            )
            for name, adapter in wired.adapters.items()
        }
        self._drivers = [
            LegDriver(c.name, c, stores.legs, run, now, patience) for c in wired.carriers
        ]
        carriers = list(zip(wired.carriers, self._drivers, strict=True))
        self.carriage = LiveCarriage(
            carriers, stores.legs, stores.tape, stores.alarms, self._times.transfer_deadline
        )
        self.clearing = LiveClearing(
            wired.margined, stores.tape, stores.alarms, run, clock.now, self._times.beginning()
        )
        self._dead_man = DeadMan(
            {n: a for n, a in wired.margined.items() if a.capabilities.dead_man},
            stores.alarms,
            run,
            clock.now,
        )
        self._feed = LiveFeed(
            parts.instruments,
            wired.adapters,
            wired.margined,
            stores.tape,
            run,
            clock,
            self._bar_seconds * 1000,
            self._idle,
            self._over,
            self._stale,
        )
        lines = {i.symbol: i for i in parts.instruments}
        self._reconciler = Reconciler(
            wired.adapters,
            lines,
            parts.currency,
            stores.legs,
            stores.alarms,
            run,
            clock.now(),
            self.clearing,
        )
        self.finished = False
        self._session: Session | None = None
        self._operators: Operators | None = None
        self._compared = -2
        self._leaving_since: int | None = None

    @property
    def market(self) -> Market:
        """What the fund trades on."""
        return Market(
            self._feed.rows(), dict(self.venues), self.carriage, self.clearing, self._routed
        )

    @property
    def fund(self) -> Fund:
        """The fund; once the run has begun."""
        return self._begun()[0].fund

    @property
    def rows(self) -> list[Row]:
        """The bars that the run had."""
        return [row_of(body) for body in self._stores.tape.bars()]

    def begin(self, session: Session) -> None:
        """The fund is put together; operators can be heard from now on.

        What every leg under way holds is taken up first, so that no nonce of it is given out again.
        """
        drivers = [*(venue.driver for venue in self.venues.values()), *self._drivers]
        for driver in drivers:
            driver.restore()
        for driver in drivers:
            driver.wake()
        if not self._stores.tape.bars():
            self._reconciler.require_funded(self._parts.capital())
        self._session = session
        tape, alarms = self._stores.tape, self._stores.alarms
        self._operators = Operators(
            self._board, session.fund, tape, alarms, self.venues, self._unheard
        )
        session.fund.listen, session.fund.failed = self._operators.interrupt, self._failed
        self.carriage.halted = self._halted
        for venue in self.venues.values():
            venue.halted = self._halted

    def advance(self, told: ToldBar) -> list[Tick]:
        """All bars, those on the tape first, until the run is over or stopped."""
        session, operators = self._begun()
        ticks: list[Tick] = []
        while (tick := session.fund.advance()) is not None:
            ticks.append(tick)
            operators.repeat(tick.bar)
            told(tick, session, self._stores)
        if self.finished:
            operators.end()
            self._dead_man.rest()
            # Margin accounts are believed to differ when they do so twice.
            for _ in range(2):
                self._reconciler.compare(session.ledger, session.fund.book)
        self._beat(session)
        return [tick._replace(**operators.figures.get(tick.bar, {})) for tick in ticks]

    def close(self) -> None:
        """Let go of every connection; what is under way stays under way."""
        self._run(self._wired.close())

    # -- routes --------------------------------------------------------------------------------

    def _routed(self, strategy: Strategy) -> Strategy:
        """``strategy`` with its purchases routed, if the run file asks for it."""
        stated = self._section.route
        if stated is None:
            return strategy
        mandate = self._parts.mandate
        terms = RouteTerms(
            time_out=_QUOTES,
            parts=stated.parts,
            tolerance=stated.tolerance,
            risk_per_hour=stated.risk_per_hour,
            fee=mandate.costs.fee,
            # What a venue has done, the fund is told at its next bar.
            settles=dict.fromkeys(self._wired.adapters, self._bar_seconds),
            step=self._wired.step,
        )
        carriers = {carrier.name: carrier for carrier in self._wired.carriers}
        router = Router(self._wired.adapters, carriers, terms, self._clock.now)
        return RoutedStrategy(
            strategy,
            router,
            Guard(mandate),
            self._run,
            lambda: self.fund,
            self._stores.legs,
            self._stores.tape,
            self._stores.alarms,
            self._stores.routes,
            any_venue=stated.any_venue,
        )

    # -- between two bars ---------------------------------------------------------------------

    def _idle(self) -> None:
        session, operators = self._begun()
        for venue in self.venues.values():
            venue.tend()
        self.carriage.tend()
        self._dead_man.live()
        if self._compared != session.fund.bar:
            self._compared = session.fund.bar
            self._reconciler.compare(session.ledger, session.fund.book)
            self._watch_way_out(session.fund)
            self._beat(session)
        operators.heed()
        while operators.barred and not self._clock.stopped:
            self._clock.sleep(_BARRED)
            operators.heed()

    def _over(self, number: int) -> bool:
        """Whether the run is over: stopped, or it has had its bars and nothing is under way.

        After its last bar the fund is held, or goes to flat if the run file says so: nothing new
        begins, and what is on its way is waited for: a fill or a refund that came later would be
        in nobody's books. So is the guard's way out, which tries again at every bar.
        """
        if self._clock.stopped:
            return True
        if number < 0 or not self._bars or number < self._bars:
            return False
        session, operators = self._begun()
        fund = session.fund
        operators.heed()  # what was said since the last bar, or while nothing ran
        leaving = fund.machine.mode in _WAY_OUT
        self.finished = not (fund.book.open_orders or fund.book.transit or leaving)
        if self._section.at_end == "flatten" and not fund.leaving:
            # A fund that was halted too: nobody guards what it holds from here on.
            if any(fund.book.positions.values()) or not self.finished:
                operators.wind_up(Act.FLATTEN)
                self.finished = False
        elif not (self.finished or fund.held or fund.leaving):
            operators.wind_up(Act.HALT)
        return self.finished

    def _watch_way_out(self, fund: Fund) -> None:
        """A way out that does not end needs a person: it may meet nobody, or be refused."""
        if fund.machine.mode not in _WAY_OUT:
            self._leaving_since = None
            return
        if self._leaving_since is None:
            self._leaving_since = fund.bar
        since = self._leaving_since
        if fund.bar >= since + _LONG:
            text = f"the guard is on its way out since bar {since}: look at what is still held"
            self._stores.alarms.raise_alarm("run", "way out", text)

    def _failed(self, failure: StrategyFailed) -> None:
        """A strategy's defect is an alarm: the guard looks on, and the strategy is asked again."""
        frames = traceback.extract_tb(failure.cause.__traceback__)
        strangers = [f for f in frames if not Path(f.filename).is_relative_to(_PACKAGE)]
        place = (strangers or list(frames))[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        text = f"the strategy failed: {failure} ({where}); it abstains when it does"
        self._stores.alarms.raise_alarm("run", "strategy", text[:_WORDS])

    def _halted(self) -> bool:
        return self._board.standing().stance is not Stance.RUN

    def _unheard(self, venue: str) -> bool:
        return venue in self._wired.margined and self.clearing.pending(venue)

    def _stale(self, instrument: Instrument) -> None:
        text = "it has no price; the last one stands"
        self._stores.alarms.raise_alarm(instrument.venue.name, instrument.symbol, text)

    def _beat(self, session: Session) -> None:
        if session.fund.bar >= 0:
            due = self._clock.now() + 3 * self._bar_seconds * 1000 + _GRACE
            alarms, silent = self._stores.alarms, self._reconciler.silent
            self._board.beat(status_of(self._parts, session.fund, alarms, silent, due))

    def _begun(self) -> tuple[Session, Operators]:
        if self._session is None or self._operators is None:
            raise PaperError("run", "not begun", "begin it with its session")
        return self._session, self._operators
