"""The search: every route of up to three stages that reaches a goal, as it is quoted now.

    buy     at any sibling with the cash that stands there; with cash moved there, from one place,
            through a third place where no carrier goes directly, or from two places where none
            has enough; with what the sale of another line brings, there or elsewhere
    sell    at any sibling that holds enough; and the proceeds moved where they are wanted
    move    by any carrier, directly or through a third place

and either trade split over the siblings at once. Routes are filled backwards: the last trade says
what cash it needs, the bridge before it what it must be given, the sale before that what it must
bring. All of them are asked for at the same time; what cannot be had is told by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Kind
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Adapter, Carrier
from agent_fund.execution.route.buying import bought_at
from agent_fund.execution.route.cost import expected_seconds, route_costs, under_way
from agent_fund.execution.route.goal import Buy, Goal, Move, Sell, siblings
from agent_fund.execution.route.inquiry import Dropped, Inquiry, Stages
from agent_fund.execution.route.quotes import Absence, Quotes
from agent_fund.execution.route.route import Route, prune
from agent_fund.execution.route.selling import moved, sold_at
from agent_fund.execution.route.spreading import spread
from agent_fund.execution.route.terms import RouteTerms


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        routes: cheapest first; of equals the quicker, then the one that was looked for first.
        dominated: routes that another one makes superfluous, each with that one.
        middles: by underlying, the price against which slippage is stated.
    """

    goal: Goal
    routes: tuple[Route, ...]
    dominated: tuple[tuple[Route, Route], ...]
    dropped: tuple[Dropped, ...]
    absences: tuple[Absence, ...]
    middles: Mapping[str, Fraction]


class Router:
    """Looks for routes over the venues and carriers of one fund.

    Args:
        adapters: by venue name. ``carriers``: by their names, in the order of preference.
        clock: Unix milliseconds now.

    Raises:
        ExecutionError: for a venue of which ``terms`` do not say when it settles.
    """

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        carriers: Mapping[str, Carrier],
        terms: RouteTerms,
        clock: Callable[[], int],
    ) -> None:
        for venue in adapters:
            if venue not in terms.settles:
                raise ExecutionError(f"settling of {venue}", None, "state its seconds in the terms")
        self._adapters = dict(adapters)
        self._carriers = dict(carriers)
        self._terms = terms
        self.clock = clock

    async def find(self, goal: Goal, book: Book) -> Found:
        """Every route to ``goal`` from ``book`` that can be had now.

        Raises:
            ExecutionError: for a goal that names what the fund does not have.
        """
        _require_known(goal, book)
        time_out = self._terms.time_out
        async with Quotes(self._adapters, self._carriers, time_out, self.clock) as quotes:
            inquiry = Inquiry(book, quotes, self._carriers, self._terms)
            # The middles are asked for beside the quotes.
            middles, *several = await asyncio.gather(_middles(inquiry, goal), *_ways(inquiry, goal))
        stages = dict.fromkeys(one for ways in several for one in ways)
        routes = [self._priced(one, middles, book) for one in stages]
        routes.sort(key=lambda route: (route.costs.total, route.seconds))
        kept, dominated = prune(routes)
        dropped = tuple(sorted(inquiry.dropped))
        return Found(goal, tuple(kept), tuple(dominated), dropped, quotes.absences, middles)

    def _priced(self, stages: Stages, middles: Mapping[str, Fraction], book: Book) -> Route:
        costs = route_costs(stages, middles, self._terms, book.currency)
        return Route(stages, costs, expected_seconds(stages, self._terms), under_way(stages))


def _ways(inquiry: Inquiry, goal: Goal) -> list[Coroutine[Any, Any, list[Stages]]]:
    match goal:
        case Buy():
            lines = siblings(inquiry.book, goal.underlying, goal.symbol)
            return [*(bought_at(inquiry, goal, line) for line in lines), spread(inquiry, goal)]
        case Sell():
            lines = siblings(inquiry.book, goal.underlying, goal.symbol)
            return [*(sold_at(inquiry, goal, line) for line in lines), spread(inquiry, goal)]
        case Move():
            return [moved(inquiry, goal)]


async def _middles(inquiry: Inquiry, goal: Goal) -> dict[str, Fraction]:
    return {} if isinstance(goal, Move) else await inquiry.middles(goal)


def _require_known(goal: Goal, book: Book) -> None:
    """Refuse a goal that names what the fund does not have."""
    places = [goal.source, goal.target] if isinstance(goal, Move) else []
    if not isinstance(goal, Move) and not siblings(book, goal.underlying, goal.symbol):
        name = goal.symbol or goal.underlying
        raise ExecutionError("goal", name, "no spot line of the fund trades it")
    if isinstance(goal, Sell) and goal.to:
        places.append(goal.to)
    if isinstance(goal, Buy) and goal.pay_with is not None:
        line = book.instrument(goal.pay_with.symbol)
        if line.kind is not Kind.SPOT:
            raise ExecutionError("sale to pay with", line.symbol, "name a spot line")
    for place in places:
        if place not in book.places:
            known = ", ".join(book.places)
            raise ExecutionError("place of a goal", place, f"the fund's places are: {known}")
