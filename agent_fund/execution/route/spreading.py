"""One trade spread over the siblings at once: sizes quoted, and the cheapest split of them."""

from __future__ import annotations

import asyncio

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.route.goal import Buy, Sell, common_lot, siblings, units
from agent_fund.execution.route.inquiry import Inquiry, Stages
from agent_fund.execution.route.pricing import UnavailableError
from agent_fund.execution.route.quotes import NoQuoteError
from agent_fund.execution.route.split import cheapest_split, grid
from agent_fund.execution.route.stages import Swap, Trade


async def spread(inquiry: Inquiry, goal: Buy | Sell) -> list[Stages]:
    """The cheapest split over two siblings or more, if one is cheaper than the best alone.

    It uses the cash, or what is held, at the siblings' own places; no bridge comes before it.
    """
    lines = siblings(inquiry.book, goal.underlying, goal.symbol)
    parts = inquiry.terms.parts
    if len(lines) < 2 or parts < 2 or (isinstance(goal, Buy) and goal.sells_first):
        return []
    if isinstance(goal, Sell) and goal.to and {line.account for line in lines} != {goal.to}:
        return []
    sizes = grid(goal.quantity, common_lot(lines, goal.scale), parts)
    asked = [(line, size) for line in lines for size in sizes]
    found = await asyncio.gather(*(_piece(inquiry, goal, *one) for one in asked))
    swaps = {
        (line.symbol, size): swap
        for (line, size), swap in zip(asked, found, strict=True)
        if swap is not None
    }
    ladders: dict[str, dict[int, int]] = {line.symbol: {} for line in lines}
    for (symbol, size), swap in swaps.items():
        ladders[symbol][size] = swap.quoted * swap.side.sign + swap.gas
    pieces = cheapest_split(goal.quantity, ladders) or ()
    chosen = tuple(swaps[piece.symbol, piece.size] for piece in pieces)
    if len(chosen) < 2 or not _affordable(inquiry, chosen):
        return []
    return [(Trade(chosen),)]


async def _piece(
    inquiry: Inquiry, goal: Buy | Sell, line: Instrument, quantity: int
) -> Swap | None:
    """One size at one line, if it can be had: whole lots, quoted, within the means there."""
    size = units(line, quantity, goal.scale)
    if size is None or (goal.side is Side.SELL and size > inquiry.held(line)):
        return None
    try:
        swap = await inquiry.swap(goal, line, quantity)
    except (NoQuoteError, UnavailableError):
        return None  # told by name where the line is tried alone, or among the absences
    return swap if _affordable(inquiry, (swap,)) else None


def _affordable(inquiry: Inquiry, swaps: tuple[Swap, ...]) -> bool:
    """Whether each place pays for its purchases together."""
    need: dict[str, int] = {}
    for swap in swaps:
        if swap.side is Side.BUY:
            need[swap.place] = need.get(swap.place, 0) + swap.reserve
    return all(paid <= inquiry.cash(place) for place, paid in need.items())
