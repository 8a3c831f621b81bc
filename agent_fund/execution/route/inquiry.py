"""Inquiry: one search over one book: what is free where, who carries, what was tried in vain."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.live.adapter import Carrier
from agent_fund.execution.route.goal import Buy, Sell, siblings, units
from agent_fund.execution.route.pricing import UnavailableError, swap_at
from agent_fund.execution.route.quotes import NoQuoteError, Quotes
from agent_fund.execution.route.stages import Stage, Swap
from agent_fund.execution.route.terms import RouteTerms

T = TypeVar("T")
Stages = tuple[Stage, ...]


@dataclass(frozen=True, order=True)
class Dropped:
    """A route, or a part of one, that was looked for and is not to be had, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Inquiry:
    """What every part of a search uses.

    Attributes:
        dropped: filled as the search goes on, each once.
    """

    book: Book
    quotes: Quotes
    carriers: Mapping[str, Carrier]
    terms: RouteTerms
    dropped: dict[Dropped, None] = field(default_factory=dict)

    def cash(self, place: str) -> int:
        """Cash at ``place`` that no open purchase is waiting for."""
        free = self.book.places.get(place, 0)
        for order in self.book.open_orders:
            line = order.instrument
            if order.side is Side.BUY and line.margin is None and line.account == place:
                free -= line.notional(order.remaining, order.limit)
                free -= self.terms.fees(line.notional(order.quantity, order.limit))
        return max(0, free)

    def held(self, line: Instrument) -> int:
        """Base units of ``line`` that no open sale is waiting to deliver."""
        selling = sum(
            order.remaining
            for order in self.book.open_orders
            if order.instrument.symbol == line.symbol and order.side is Side.SELL
        )
        return max(0, self.book.position(line.symbol) - selling)

    def sources(self, place: str) -> list[tuple[str, int]]:
        """Every other place with free cash, and how much."""
        every = ((p, self.cash(p)) for p in self.book.places if p != place)
        return [(p, cash) for p, cash in every if cash > 0]

    def between(self, source: str, target: str) -> list[str]:
        """The carriers that serve this pair of places."""
        if source == target:
            return []
        return [name for name, c in self.carriers.items() if c.carries(source, target)]

    def short(self, place: str, need: int) -> str:
        """That ``need`` is more than is free at ``place``, in words."""
        unit, have = self.book.currency, self.cash(place)
        wanted = unit.amount(need)
        return f"{unit.amount(have):,.2f} {unit.symbol} free at {place}, {wanted:,.2f} needed"

    async def swap(self, goal: Buy | Sell, line: Instrument, quantity: int) -> Swap:
        """The swap of ``quantity`` in the goal's units at one line.

        Raises:
            NoQuoteError, UnavailableError: if there is none; the latter for part of a lot too.
        """
        size = units(line, quantity, goal.scale)
        if size is None:
            raise UnavailableError(line.symbol, quantity, "that is no whole number of its lots")
        return await swap_at(self.quotes, line, goal.side, size, goal.limit, self.terms)

    async def tried(self, name: str, way: Awaitable[T]) -> T | None:
        """What ``way`` leads to; None with the reason kept if it leads nowhere."""
        try:
            return await way
        except NoQuoteError as error:
            self.drop(name, error.absence.text)
        except UnavailableError as error:
            self.drop(name, f"{error.subject}: {error.fix}")
        return None

    def drop(self, name: str, reason: str) -> None:
        """Keep why ``name`` is not to be had."""
        self.dropped[Dropped(name, reason)] = None

    async def middles(self, goal: Buy | Sell) -> dict[str, Fraction]:
        """By underlying, the best middle for the goal's side; the goal's limit if none is stated.

        Of what is sold to pay, its own line's middle, or the limit of its sale.
        """
        lines = siblings(self.book, goal.underlying, goal.symbol)
        paying = paying_line(goal, self.book)
        prices = await self.quotes.middles([*lines, *paying])
        found: dict[str, Fraction] = {}
        if isinstance(goal, Buy) and goal.pay_with is not None:
            for line in paying:
                found[line.underlying] = _price(line, prices) or goal.pay_with.limit
        stated = [price for line in lines if (price := _price(line, prices)) is not None]
        best = min if goal.side is Side.BUY else max
        found[goal.underlying] = best(stated, default=goal.limit)
        return found


def paying_line(goal: Buy | Sell, book: Book) -> tuple[Instrument, ...]:
    """The line that may be sold to pay, if the goal names one."""
    if isinstance(goal, Buy) and goal.pay_with is not None:
        return (book.instrument(goal.pay_with.symbol),)
    return ()


def _price(line: Instrument, prices: Mapping[str, int]) -> Fraction | None:
    price = prices.get(line.symbol)
    return None if price is None else Fraction(price, int(10**line.price_scale))
