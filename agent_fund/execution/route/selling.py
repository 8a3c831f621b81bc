"""Ways to sell, the proceeds moved where they are wanted; and ways to move currency."""

from __future__ import annotations

import asyncio

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.route.carrying import sweeping
from agent_fund.execution.route.goal import Move, Sell, units
from agent_fund.execution.route.inquiry import Inquiry, Stages
from agent_fund.execution.route.stages import Trade, shown


async def sold_at(inquiry: Inquiry, goal: Sell, line: Instrument) -> list[Stages]:
    """Every route that sells the goal at ``line``; bridges carry what it brings at worst."""
    name, held = f"sell {line.symbol} at {line.venue.name}", inquiry.held(line)
    size = units(line, goal.quantity, goal.scale)
    if size is not None and size > held:
        inquiry.drop(name, f"{shown(line.base, held)} of it are held and free")
        return []
    swap = await inquiry.tried(name, inquiry.swap(goal, line, goal.quantity))
    if swap is None:
        return []
    trade, place = Trade((swap,)), line.account
    if goal.to in ("", place):
        return [(trade,)]
    ways = list(sweeping(inquiry, place, goal.to, swap.worst, own=False, through=False))
    if not ways:
        inquiry.drop(name, f"no carrier goes from {place} to {goal.to}")
    found = await asyncio.gather(
        *(inquiry.tried(f"{name}, then {way.name}", way.ask()) for way in ways)
    )
    return [(trade, *stages) for stages in found if stages is not None]


async def moved(inquiry: Inquiry, goal: Move) -> list[Stages]:
    """Every route that moves the goal's amount, directly or through a third place."""
    name = f"move {goal.source} to {goal.target}"
    if inquiry.cash(goal.source) < goal.amount:
        inquiry.drop(name, inquiry.short(goal.source, goal.amount))
        return []
    if goal.amount % inquiry.terms.step:
        inquiry.drop(name, f"amounts that are moved step by {inquiry.terms.step}")
        return []
    between = (goal.source, goal.target, goal.amount)
    ways = list(sweeping(inquiry, *between, own=True, through=True))
    if not ways:
        inquiry.drop(name, "no carrier goes there")
    found = await asyncio.gather(*(inquiry.tried(way.name, way.ask()) for way in ways))
    return [stages for stages in found if stages is not None]
