"""Routing under the guard: a route is certified at every point at which it may stop half-way.

The guard judges each stage again when its time comes, on what has really happened. Certifying the
whole route before its first leg is sent adds what no later judgement can: no route is begun of
which it is known already that a coming stage will be refused, so that money would end up where it
was only meant to pass; and at no point where the route can stop, by its own failure or by the
guard's refusal, is the book outside the mandate at today's prices. It does not replace the later
judgements: prices move, and fills in part leave books between the ones looked at here. While a
stage is in progress the guard's own proof covers every fill of it, in part too.

The points of a route are, for each stage, with the amounts that the run would really begin:

    before it     the book as the earlier stages leave it at their limits, and as quoted: Safe
    in progress   the stage as a proposal from that book: admitted as it is, not repaired
    under way     a bridge's money in nobody's place: Safe; within the limit for one venue in the
                  hands of its intermediary; Safe with that intermediary lost, if the mandate
                  declares that loss
    refunded      the money back at its source: the book before the stage again
    at the end    the book after the last stage: Safe

Throttles are judged as if all of it were sent in this bar. Gas is paid in a chain's own coin, which
no book holds, and is among the costs by which routes are compared. A loss of a chain is declared of
venues, so money under way counts as gone with its target, and, as refunded, with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.route.explain import Choice, Considered, Explanation, explained
from agent_fund.execution.route.goal import Goal
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.run import Filled, Outcome, RouteRun, StageReport
from agent_fund.execution.route.search import Found, Router
from agent_fund.execution.route.stages import Bridge, Stage, Trade, stage_name
from agent_fund.guard.engine import Guard
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.guardrails.venue_exposure import equity_at
from agent_fund.guard.limits import activity_after
from agent_fund.guard.stress.losses import Loss, Subject
from agent_fund.guard.verdict import Outcome as Judged
from agent_fund.guard.verdict import Situation

NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Point:
    """One point of a route.

    Attributes:
        name: where the route stands there. ``reason``: empty if it is admitted.
    """

    name: str
    reason: str

    @property
    def admitted(self) -> bool:
        """Whether the mandate holds there."""
        return not self.reason


@dataclass(frozen=True)
class RouteVerdict:
    """What the mandate says of a route: its points in order, up to the first that is refused."""

    points: tuple[Point, ...]

    @property
    def admitted(self) -> bool:
        """Whether the mandate holds at all of them."""
        return all(point.admitted for point in self.points)

    @property
    def reason(self) -> str:
        """Where and why it is refused; empty if it is not."""
        refused = next((point for point in self.points if not point.admitted), None)
        return "" if refused is None else f"{refused.name}: {refused.reason}"


def certify(
    route: Route, situation: Situation, guard: Guard, holders: Mapping[str, str] = NOBODY
) -> RouteVerdict:
    """The verdict on ``route`` from ``situation``.

    Args:
        guard: one of its own, not the fund's: a guard remembers the certificates of its looks, and
            books that may never be held should leave no trace in those that are recorded.
        holders: by id of a transfer under way, the intermediary that must be trusted for it.
    """
    points: list[Point] = []
    for point in _Certification(guard, holders).points(RouteRun(route), situation):
        points.append(point)
        if not point.admitted:
            break
    return RouteVerdict(tuple(points))


def choose(
    found: Found,
    situation: Situation,
    guard: Guard,
    clock: Callable[[], int],
    holders: Mapping[str, str] = NOBODY,
) -> Explanation:
    """The cheapest route that certifies at every point; none is a refusal, with every reason.

    Args:
        clock: Unix milliseconds now; a route whose first quotes have ended is not taken.
        guard, holders: as for ``certify``.
    """
    judged: list[Considered] = []
    others = "no route is left unjudged"
    for route in found.routes:
        verdict = certify(route, situation, guard, holders)
        expired = clock() >= route.valid_until
        if verdict.admitted and not expired:
            reason = f"the cheapest of those admitted, at {len(verdict.points)} points"
            judged.append(Considered(route.name, route, Choice.CHOSEN, reason))
            others = "it costs more than the chosen one"
            break
        choice = Choice.REFUSED if not verdict.admitted else Choice.EXPIRED
        reason = verdict.reason or "its quotes have expired"
        judged.append(Considered(route.name, route, choice, reason))
    return explained(found, situation.book.currency, judged, others)


async def find_route(
    goal: Goal,
    router: Router,
    situation: Situation,
    guard: Guard,
    holders: Mapping[str, str] = NOBODY,
) -> Explanation:
    """Ask for routes from the book of ``situation`` and choose among them; see ``choose``."""
    found = await router.find(goal, situation.book)
    return choose(found, situation, guard, router.clock, holders)


def proposal_of(stage: Stage) -> Proposal:
    """What the guard judges and the desk sends for ``stage``."""
    if isinstance(stage, Bridge):
        return Proposal(transfers=(stage.transfer,), reason=stage_name(stage))
    return Proposal(tuple(swap.leg for swap in stage.swaps), reason=stage_name(stage))


class _Certification:
    """One route over its hypothetical books; a book that recurs is looked at once."""

    def __init__(self, guard: Guard, holders: Mapping[str, str]) -> None:
        self._guard = guard
        self._holders = holders
        self._seen: dict[object, str] = {}

    def points(self, run: RouteRun, situation: Situation) -> Iterator[Point]:
        """Every point from where ``run`` stands, depth first."""
        stage, number = run.next, run.stage + 1
        where = f"stage {number}" if stage is None else f"stage {number}, {stage_name(stage)}"
        if stage is None:
            yield Point("at the end", self._look(situation))
            if run.end is not None and run.end.reason:
                yield Point("at the end", run.end.reason)
            return
        yield Point(f"before {where}", self._look(situation))
        proposal = proposal_of(stage)
        verdict = self._guard.judge(proposal, situation)
        admitted = verdict.outcome is Judged.ADMITTED
        broken = "; ".join(finding.text for finding in verdict.broken)
        yield Point(f"{where}, in progress", "" if admitted else broken)
        activity = activity_after(self._guard.mandate, situation, proposal)
        begun, situation = run.begin(), replace(situation, activity=activity)
        if isinstance(stage, Bridge):
            yield from self._under_way(stage, where, situation)
            yield Point(f"{where}, refunded", self._look(situation))
            after = _arrived(situation.book, stage)
            report = StageReport(run.stage, Outcome.DONE, received=stage.min_received)
            yield from self.points(begun.report(report), _with_book(situation, after))
            return
        for worst in (True, False):
            book, report = _traded(situation.book, stage, run.stage, worst=worst)
            yield from self.points(begun.report(report), _with_book(situation, book))

    def _under_way(self, bridge: Bridge, where: str, situation: Situation) -> Iterator[Point]:
        """The bridge's money has left and not arrived."""
        left = _departed(situation.book, bridge, f"{where}, under way", situation.bar)
        yield Point(f"{where}, under way", self._look(_with_book(situation, left)))
        if not bridge.trusted:
            return
        holders = {**self._holders, left.transit[-1].transfer_id: bridge.trusted}
        held = _held_by(left, bridge.trusted, holders)
        finding = self._exposure(bridge.trusted, held, situation)
        yield Point(f"{where}, held by {bridge.trusted}", "" if finding.holds else finding.text)
        if str(Loss(Subject.VENUE, bridge.trusted)) in self._guard.mandate.stress.lost:
            reason = self._look(_with_book(situation, held))
            yield Point(f"{where}, lost with {bridge.trusted}", reason)

    def _look(self, situation: Situation) -> str:
        """Why the guard's look fails at this book; empty if it passes."""
        book = situation.book
        places, held = sorted(book.places.items()), sorted(book.positions.items())
        key = (situation.mark, book.cash, tuple(places), tuple(held), book.transit)
        if key not in self._seen:
            safe = self._guard.look(situation) is not None
            self._seen[key] = "" if safe else self._guard.explain(situation).text
        return self._seen[key]

    def _exposure(self, trusted: str, held: Book, situation: Situation) -> Finding:
        """An intermediary that must be trusted is limited as any one venue is.

        Args:
            held: with what it holds counted as on its way to it.
        """
        limit = self._guard.mandate.guardrail("venue_exposure")
        coming = [t.transfer.amount for t in held.transit if t.transfer.target == trusted]
        own = {i.account for i in held.instruments.values() if i.venue.name == trusted}
        there = equity_at(held, trusted, situation.prices) if own else 0
        there += 0 if trusted in own else sum(coming)
        nav = held.nav(situation.prices)
        bound = "no limit for one venue" if limit is None else share(limit.limit) + " of NAV"
        return Finding(
            "venue_exposure",
            limit is None or there <= limit.limit * nav,
            f"at most {bound} in the hands of one",
            f"{held.currency.amount(there):,.2f} {held.currency.symbol} with {trusted}",
            "while the bridge is under way",
        )


def _with_book(situation: Situation, book: Book) -> Situation:
    """The situation with another book at the same prices; a mark is never below its NAV."""
    nav = book.nav(situation.prices)
    return replace(situation, book=book, nav=nav, mark=max(situation.mark, nav))


def _traded(book: Book, trade: Trade, number: int, *, worst: bool) -> tuple[Book, StageReport]:
    """The book after the whole trade, at its limits or as quoted, and the report of it."""
    places, positions, cash = dict(book.places), dict(book.positions), book.cash
    filled = {}
    for swap in trade.swaps:
        symbol, money = swap.instrument.symbol, swap.worst if worst else swap.quoted
        moved = -money if swap.side is Side.BUY else money
        places[swap.place] = places.get(swap.place, 0) + moved
        positions[symbol] = positions.get(symbol, 0) + swap.side.sign * swap.quantity
        cash += moved
        filled[symbol] = Filled(swap.quantity, money)
    after = replace(book, cash=cash, places=places, positions=positions)
    return after, StageReport(number, Outcome.DONE, filled)


def _departed(book: Book, bridge: Bridge, name: str, bar: int) -> Book:
    """The book once the bridge's money has left its source."""
    places = {**book.places, bridge.source: book.places.get(bridge.source, 0) - bridge.amount}
    transit = Transit(name, bridge.transfer, bar + 1)
    return replace(book, places=places, transit=(*book.transit, transit))


def _arrived(book: Book, bridge: Bridge) -> Book:
    """The book once as little as is promised has arrived."""
    places = {**book.places, bridge.source: book.places.get(bridge.source, 0) - bridge.amount}
    places[bridge.target] = places.get(bridge.target, 0) + bridge.min_received
    return replace(book, cash=book.cash - bridge.cost, places=places)


def _held_by(book: Book, trusted: str, holders: Mapping[str, str]) -> Book:
    """The book with what ``trusted`` holds counted as on its way to it."""

    def seen(transit: Transit) -> Transit:
        transfer = transit.transfer
        if holders.get(transit.transfer_id) != trusted or transfer.source == trusted:
            return transit
        there = Transfer(transfer.amount, transfer.source, trusted, transfer.cost)
        return replace(transit, transfer=there)

    return replace(book, transit=tuple(map(seen, book.transit)))
