"""A strategy whose trades find their money: what is short of cash at its place is routed there.

It stands on the agent's side of the guard, so it needs no trust: every stage of a route is a
proposal like any other, judged on what has really happened when its turn comes. Before the first
one, the whole route is certified at every point at which it may stop half-way. One route is under
way at a time, and the strategy is asked again when it has ended. A restart ends a route between
two stages: what has arrived stays where it is, in the books.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from agent_fund.agents.errors import Abstain
from agent_fund.agents.strategy import HOLD, Strategy
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.leg_driver import Run
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import StoredLeg
from agent_fund.execution.live.tape import Answer, Tape
from agent_fund.execution.route.explain import Explanation
from agent_fund.execution.route.goal import Buy, Sale, in_line
from agent_fund.execution.route.run import Filled, Outcome, RouteRun, StageReport
from agent_fund.execution.route.search import Router
from agent_fund.execution.route.stages import Bridge, Stage
from agent_fund.fund.routing import find_route, proposal_of
from agent_fund.guard.engine import Guard
from agent_fund.guard.proof import legs_json, transfers_json
from agent_fund.guard.verdict import Situation
from agent_fund.market.snapshot import Snapshot

NAME = "router"


class Carried(Protocol):
    """Finds the leg of a transfer that a stage began."""

    def __call__(self, bar: int, source: str, target: str) -> StoredLeg | None:
        """The transfer begun at the close of ``bar`` between these places; None if none was."""


class RoutedStrategy:
    """Wraps ``inner``.

    Args:
        guard: one of its own, for books that may never be held.
        situation: of the fund now. ``any_venue``: whether a purchase may go to any venue that
            trades the same underlying, the cheapest that is admitted, wherever the cash stands.
        explanations: gets that of every route that is looked for.
    """

    def __init__(
        self,
        inner: Strategy,
        router: Router,
        guard: Guard,
        tape: Tape,
        run: Run,
        situation: Callable[[], Situation],
        carried: Carried,
        explanations: list[Explanation],
        *,
        any_venue: bool,
    ) -> None:
        self._inner, self._router, self._guard = inner, router, guard
        self._tape, self._run = tape, run
        self._situation, self._carried, self._any_venue = situation, carried, any_venue
        self._recorded = iter(tape.answers(NAME))
        self._next = next(self._recorded, None)
        self._route: RouteRun | None = None
        self._begun: tuple[int, Book] | None = None
        self._explanations = explanations

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """The next stage of the route under way, or what the strategy proposes, routed if short."""
        recorded = self._next
        if recorded is not None:
            if recorded.bar != snapshot.bar:
                fix = "the run made again asks at another bar: its inputs or code have changed"
                raise ExecutionError(f"tape of {NAME}", recorded.bar, fix)
            self._next = next(self._recorded, None)
            if "abstained" in recorded.body:
                raise Abstain(recorded.body["abstained"])
            if recorded.body["asked"]:
                self._inner.decide(snapshot, book)  # its own memory is made again
            return _proposal(recorded.body, book)
        known = len(self._explanations)
        try:
            asked, proposal = self._decided(snapshot, book)
        except Abstain as abstained:
            told = {"abstained": abstained.reason}
            self._tape.answer(Answer(NAME, "decide", snapshot.bar, "", told))
            raise
        body: dict[str, Any] = {
            "asked": asked,
            "legs": legs_json(proposal),
            "transfers": transfers_json(proposal),
            "ordered": proposal.ordered,
            "reason": proposal.reason,
        }
        body |= {"routes": [found.to_json() for found in self._explanations[known:]]}
        self._tape.answer(Answer(NAME, "decide", snapshot.bar, "", body))
        return proposal

    def _decided(self, snapshot: Snapshot, book: Book) -> tuple[bool, Proposal]:
        if self._route is not None and self._stuck():
            self._route = self._begun = None  # its money stays counted; the strategy goes on
        if self._route is not None:
            if book.open_orders or book.transit:
                return False, HOLD
            self._reported(book)
        if self._route is not None and (stage := self._route.next) is not None:
            return False, self._begin(stage, book)
        proposal = self._inner.decide(snapshot, book)
        short = next((leg for leg in proposal.legs if self._routed(leg, book)), None)
        if short is None or book.open_orders or book.transit:
            return True, proposal
        quantity, scale, limit = in_line(short.instrument, short.quantity, short.limit)
        line = short.instrument
        wanted = "" if self._any_venue else line.symbol
        goal = Buy(line.underlying, quantity, scale, limit, wanted, _paying(proposal))
        found = self._run(find_route(goal, self._router, self._situation(), self._guard))
        self._explanations.append(found)
        if found.chosen is None:
            return True, proposal  # the guard says of it what it says of any other
        self._route = RouteRun(found.chosen)
        stage = self._route.next
        return True, proposal if stage is None else self._begin(stage, book)

    def _stuck(self) -> bool:
        """Whether the bridge under way is stuck, or its transfer never came to be one."""
        stage = None if self._route is None else self._route.under_way
        if self._begun is None or not isinstance(stage, Bridge):
            return False
        leg = self._carried(self._begun[0], stage.source, stage.target)
        return leg is not None and leg.state is LegState.STUCK

    def _routed(self, leg: Leg, book: Book) -> bool:
        if leg.side is not Side.BUY or leg.instrument.margin is not None:
            return False
        return self._any_venue or self._needed(leg) > book.places.get(leg.instrument.account, 0)

    def _needed(self, leg: Leg) -> int:
        notional = leg.instrument.notional(leg.quantity, leg.limit)
        return notional + self._guard.mandate.costs.entry(notional)

    def _begin(self, stage: Stage, book: Book) -> Proposal:
        if self._route is None:
            raise ExecutionError("route", None, "choose one first")
        self._route, self._begun = self._route.begin(), (self._situation().bar, book)
        return proposal_of(stage)

    def _reported(self, book: Book) -> None:
        """What became of the stage under way, read from the book; the route goes on or ends."""
        route, begun = self._route, self._begun
        if route is None or begun is None or route.under_way is None:
            return
        bar, before = begun
        stage = route.under_way
        if isinstance(stage, Bridge):
            report = self._bridged(stage, route.stage, bar, before, book)
        else:
            filled = {}
            for swap in stage.swaps:
                line, place = swap.instrument, swap.place
                quantity = abs(book.position(line.symbol) - before.position(line.symbol))
                money = abs(book.places[place] - before.places[place])
                if quantity:
                    filled[line.symbol] = Filled(quantity, money)
            whole = all(filled.get(s.instrument.symbol, (0,))[0] == s.quantity for s in stage.swaps)
            outcome = Outcome.DONE if whole else Outcome.PARTLY if filled else Outcome.FAILED
            report = StageReport(route.stage, outcome, filled)
        self._route, self._begun = route.report(report), None
        if self._route.end is not None:
            self._route = None

    def _bridged(
        self, stage: Bridge, number: int, bar: int, before: Book, book: Book
    ) -> StageReport:
        leg = self._carried(bar, stage.source, stage.target)
        if leg is None:
            return StageReport(number, Outcome.FAILED, reason="the guard did not admit it")
        received = book.places[stage.target] - before.places[stage.target]
        if received > 0:
            return StageReport(number, Outcome.DONE, received=received)
        back = stage.amount - (before.places[stage.source] - book.places[stage.source])
        return StageReport(number, Outcome.REFUNDED, received=back, reason=leg.detail)


def _paying(proposal: Proposal) -> Sale | None:
    """The first sale that was proposed beside the purchase, and may pay for it."""
    for leg in proposal.legs:
        if leg.side is Side.SELL and leg.instrument.margin is None:
            _, _, limit = in_line(leg.instrument, leg.quantity, leg.limit)
            return Sale(leg.instrument.symbol, limit)
    return None


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
