"""A strategy whose trades find their money: what is short of cash at its place is routed there.

It stands on the agent's side of the guard, so it needs no trust: every stage of a route is a
proposal like any other, judged on what has really happened when its turn comes. Before the first
one, the whole route is certified at every point at which it may stop half-way. One route is under
way at a time, and the strategy is asked again when it has ended. A restart ends a route between
two stages: what has arrived stays where it is, in the books. So does what the guard or an operator
does meanwhile, and whatever the router cannot account for: the turn is an abstention with the
reason, and nothing of the router ends the run.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from agent_fund.agents.errors import Abstain
from agent_fund.agents.strategy import HOLD, Strategy, proposed
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import FAULTS, Run
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.tape import Answer, Tape
from agent_fund.execution.route.explain import Explanation
from agent_fund.execution.route.goal import Buy, Sale, in_line
from agent_fund.execution.route.run import RouteRun
from agent_fund.execution.route.search import Router
from agent_fund.execution.route.stages import Bridge
from agent_fund.execution.route.told import Told
from agent_fund.fund.committed import RecordFailed
from agent_fund.fund.fund import Fund
from agent_fund.fund.routing import find_route, proposal_of
from agent_fund.guard.engine import Guard
from agent_fund.guard.machine import Mode
from agent_fund.guard.proof import legs_json, transfers_json
from agent_fund.market.snapshot import Snapshot

NAME = "router"

T = TypeVar("T")


class _Wanted(NamedTuple):
    """A purchase, and the sale that was proposed to pay for it."""

    purchase: Leg
    sale: Leg | None


class _Way(NamedTuple):
    """A route with a stage under way, and the bar at whose close that stage began."""

    route: RouteRun
    bar: int


class RoutedStrategy:
    """Wraps ``inner``.

    Args:
        guard: one of its own, for books that may never be held.
        fund: whose strategy it is. ``legs``: everything that the fund has sent.
        explanations: gets that of every route that is looked for.
        any_venue: whether a purchase may go to any venue that trades the same underlying, the
            cheapest that is admitted, wherever the cash stands.
    """

    def __init__(
        self,
        inner: Strategy,
        router: Router,
        guard: Guard,
        run: Run,
        fund: Callable[[], Fund],
        legs: LegStore,
        tape: Tape,
        alarms: Alarms,
        explanations: list[Explanation],
        *,
        any_venue: bool,
    ) -> None:
        self._inner, self._router, self._guard = inner, router, guard
        self._run, self._fund = run, fund
        self._told, self._tape, self._alarms = Told(legs, tape), tape, alarms
        self._any_venue = any_venue
        self._recorded = iter(tape.answers(NAME))
        self._next = next(self._recorded, None)
        self._way: _Way | None = None
        self._explanations = explanations

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """The next stage of the route under way, or what the strategy proposes, routed if short.

        Raises:
            Abstain: if the strategy abstains, the guard or an operator has ended the route, or the
                router fails; then with an alarm.
            RecordFailed: if it cannot be written down, or the run made again is another one.
        """
        recorded = self._next
        if recorded is not None:
            self._next = next(self._recorded, None)
            return self._again(recorded, snapshot, book)
        known, asked = len(self._explanations), False
        try:
            proposal = self._attempted(lambda: self._onward(book))
            if proposal is None:
                asked = True
                proposal = self._routed(proposed(self._inner, snapshot, book), book)
        except Abstain as abstained:
            self._tell(snapshot.bar, known, {"asked": asked, "abstained": abstained.reason})
            raise
        except Exception:
            self._tell(snapshot.bar, known, {"asked": asked, "failed": True})
            raise
        body = {
            "asked": asked,
            "legs": legs_json(proposal),
            "transfers": transfers_json(proposal),
            "ordered": proposal.ordered,
            "reason": proposal.reason,
        }
        self._tell(snapshot.bar, known, body)
        return proposal

    def _again(self, recorded: Answer, snapshot: Snapshot, book: Book) -> Proposal:
        """What was decided before a crash; what the strategy remembers of it is made again."""
        told = recorded.body
        if recorded.bar != snapshot.bar:
            fix = "the run made again asks at another bar: its inputs or code have changed"
            raise RecordFailed(ExecutionError(f"tape of {NAME}", recorded.bar, fix))
        if told["asked"]:
            with suppress(Abstain):
                proposed(self._inner, snapshot, book)
        if "failed" in told:
            fix = "a strategy fails again where it failed: its code has changed, or it guesses"
            raise RecordFailed(ExecutionError(f"tape of {NAME}", recorded.bar, fix))
        if "abstained" in told:
            raise Abstain(told["abstained"])
        return _proposal(told, book)

    def _tell(self, bar: int, known: int, body: dict[str, Any]) -> None:
        found = [one.to_json() for one in self._explanations[known:]]
        try:
            self._tape.answer(Answer(NAME, "decide", bar, "", {**body, "routes": found}))
        except sqlite3.Error as error:
            raise RecordFailed(error) from error

    def _attempted(self, act: Callable[[], T]) -> T:
        """What a part of the router comes to; if it fails, the route is over.

        Raises:
            Abstain: if it fails, with an alarm, or if it says so itself.
        """
        try:
            return act()
        except Abstain:
            raise
        except FAULTS as error:
            # It asks code of others too, and the book wants guarding whatever comes out of it.
            self._way = None
            reason = f"the router failed: {_words(error)}"
            self._alarms.raise_alarm(NAME, "route", reason)
            raise Abstain(reason) from error

    # -- the route under way -----------------------------------------------------------------

    def _onward(self, book: Book) -> Proposal | None:
        """What the route under way proposes; None if there is none, or it has come to its end."""
        if self._way is None:
            return None
        self._require_alone(self._way.bar)
        if self._stuck(self._way):
            self._way = None  # its money stays counted; the strategy goes on
            return None
        if book.open_orders or book.transit:
            return HOLD
        if self._told.way_out(self._way.bar):
            self._end("the guard has sent orders of its own")
        route, bar = self._way
        self._way = None
        if (begun := route.under_way) is None:
            return None
        route = route.report(self._told.report(route.stage, begun, bar))
        return None if route.end is not None else self._begin(route)

    def _begin(self, route: RouteRun) -> Proposal | None:
        if (stage := route.next) is None:
            return None
        self._way = _Way(route.begin(), self._fund().bar)
        return proposal_of(stage)

    def _require_alone(self, bar: int) -> None:
        """Abstain if anybody else has acted since the close of ``bar``: the route is over."""
        fund = self._fund()
        acts = [str(body["act"]) for at, body in self._tape.acts() if at >= bar]
        if acts:
            self._end(f"the fund was told to {', '.join(acts)}")
        if fund.machine.mode is not Mode.ACTIVE:
            self._end(f"the guard is {fund.machine.mode.value}")

    def _end(self, why: str) -> None:
        self._way = None
        raise Abstain(f"the route is over: {why}; what has arrived stays where it is")

    def _stuck(self, way: _Way) -> bool:
        """Whether the bridge under way is stuck."""
        stage = way.route.under_way
        leg = self._told.transfer(stage, way.bar) if isinstance(stage, Bridge) else None
        return leg is not None and leg.state is LegState.STUCK

    # -- a new one ---------------------------------------------------------------------------

    def _routed(self, proposal: Proposal, book: Book) -> Proposal:
        """The first stage of a route to what is proposed; as it was proposed, if there is none.

        Raises:
            Abstain: if the router fails.
        """
        wanted, fund = self._wanted(proposal, book), self._fund()
        barred = fund.held or fund.machine.mode is not Mode.ACTIVE
        if wanted is None or barred or book.open_orders or book.transit:
            return proposal
        begun = self._attempted(lambda: self._sought(wanted))
        return proposal if begun is None else begun

    def _sought(self, wanted: _Wanted) -> Proposal | None:
        """The first stage of the route that was chosen; None if the guard admits none.

        The guard then says of the proposal what it says of any other.
        """
        purchase, sale = wanted
        line, paying = purchase.instrument, None
        quantity, scale, limit = in_line(line, purchase.quantity, purchase.limit)
        if sale is not None:
            _, _, least = in_line(sale.instrument, sale.quantity, sale.limit)
            paying = Sale(sale.instrument.symbol, least, sale.quantity)
        symbol = "" if self._any_venue else line.symbol
        goal = Buy(line.underlying, quantity, scale, limit, symbol, paying)
        found = self._run(find_route(goal, self._router, self._fund().situation(), self._guard))
        self._explanations.append(found)
        return None if found.chosen is None else self._begin(RouteRun(found.chosen))

    def _wanted(self, proposal: Proposal, book: Book) -> _Wanted | None:
        """What is to be routed: one purchase of spot, and the one sale of spot that pays for it.

        Any other proposal means all of its parts together, so it goes as it was proposed. So does a
        purchase that comes before the sale, and a pair with the cash in its place.
        """
        legs = {leg.side: leg for leg in proposal.legs}
        purchase, sale = legs.get(Side.BUY), legs.get(Side.SELL)
        spot = all(leg.instrument.kind is Kind.SPOT for leg in proposal.legs)
        apart = proposal.transfers or len(legs) != len(proposal.legs) or not spot
        if purchase is None or apart:
            return None
        if sale is not None and proposal.ordered and proposal.legs[0] is purchase:
            return None
        short = self._needed(purchase) > book.places.get(purchase.instrument.account, 0)
        return _Wanted(purchase, sale) if short or (self._any_venue and sale is None) else None

    def _needed(self, leg: Leg) -> int:
        notional = leg.instrument.notional(leg.quantity, leg.limit)
        return notional + self._guard.mandate.costs.entry(notional)


def _words(error: BaseException) -> str:
    """Our own errors in full; of others the kind and place, since their text may hold a secret."""
    if isinstance(error, (DomainError, ExecutionError)):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name}"


def _proposal(body: dict[str, Any], book: Book) -> Proposal:
    def line(symbol: str) -> Instrument:
        return book.instrument(symbol)

    legs = tuple(
        Leg(line(leg["instrument"]), Side(leg["side"]), int(leg["quantity"]), int(leg["limit"]))
        for leg in body["legs"]
    )
    transfers = tuple(
        Transfer(int(t["amount"]), t["source"], t["target"], int(t["cost"]))
        for t in body["transfers"]
    )
    return Proposal(legs, body["ordered"], body["reason"], transfers)
