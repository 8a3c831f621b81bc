"""Ways to buy: with the cash at the line's place, cash moved there, or what a sale brings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Side
from agent_fund.execution.route.carrying import Way, bringing
from agent_fund.execution.route.goal import Buy, Sale
from agent_fund.execution.route.inquiry import Inquiry, Stages, paying_line
from agent_fund.execution.route.pricing import (
    Hop,
    UnavailableError,
    bridge_bringing,
    goal_price,
    sale_bringing,
)
from agent_fund.execution.route.stages import Trade, shown


async def bought_at(inquiry: Inquiry, goal: Buy, line: Instrument) -> list[Stages]:
    """Every route that buys the goal at ``line``, filled backwards from that purchase."""
    name, place = f"buy {line.symbol} at {line.venue.name}", line.account
    swap = await inquiry.tried(name, inquiry.swap(goal, line, goal.quantity))
    if swap is None:
        return []
    here = inquiry.cash(place)
    need = swap.reserve - here
    if need <= 0 and goal.sells_first:
        inquiry.drop(name, "it needs no money from the sale, which is wanted too")
        return []
    if need <= 0:
        return [(Trade((swap,)),)]
    last = Trade((replace(swap, own=here),))
    cash = () if goal.sells_first else bringing(inquiry, place, need)
    ways = [*cash, *_selling(inquiry, goal, line, need)]
    inquiry.drop(name, inquiry.short(place, swap.reserve))
    found = await asyncio.gather(
        *(inquiry.tried(f"{way.name}, then {name}", way.ask()) for way in ways)
    )
    return [(*stages, last) for stages in found if stages is not None]


def _selling(inquiry: Inquiry, goal: Buy, bought: Instrument, need: int) -> Iterator[Way]:
    """The sale of the goal's other line, its proceeds moved to where ``bought`` is paid for."""
    sale, place = goal.pay_with, bought.account
    for line in paying_line(goal, inquiry.book):
        if sale is None or line == bought:
            continue
        name = f"sell {line.symbol} at {line.venue.name}"
        if line.account == place:
            yield Way(name, partial(_sold, inquiry, goal, sale, line, need, ""))
        for carrier in inquiry.between(line.account, place):
            way = partial(_sold, inquiry, goal, sale, line, need, carrier, place)
            yield Way(f"{name}, {line.account} to {place} by {carrier}", way)


async def _sold(
    inquiry: Inquiry,
    goal: Buy,
    sale: Sale,
    line: Instrument,
    need: int,
    carrier: str,
    place: str = "",
) -> Stages:
    """What brings ``need`` from the sale of ``line``, moved by ``carrier`` if one is named."""
    middle, held = (await inquiry.middles(goal))[line.underlying], inquiry.held(line)
    if sale.quantity is not None and sale.quantity > held:
        raise UnavailableError(f"{line.symbol} held", held, f"{shown(line.base, held)} are free")
    held, least = (held, 0) if sale.quantity is None else (sale.quantity, sale.quantity)
    after: Stages = ()
    if carrier:
        hop, step = Hop(carrier, line.account, place), inquiry.terms.step
        # More than all of it at its middle it will hardly bring.
        most = line.notional(held, goal_price(line, Side.SELL, middle))
        bridge = await bridge_bringing(inquiry.quotes, hop, need, most, own=False, step=step)
        need, after = bridge.amount, (bridge,)
    swap = await sale_bringing(
        inquiry.quotes, line, need, held, sale.limit, middle, inquiry.terms, least
    )
    return (Trade((swap,)), *after)
