"""Ways to carry currency: bridges that bring what is needed, and bridges that move all there is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

from agent_fund.execution.route.inquiry import Inquiry, Stages
from agent_fund.execution.route.pricing import Hop, bridge_bringing, bridge_of
from agent_fund.execution.route.stages import Bridge


class Way(NamedTuple):
    """A way that may be tried: its name, and what asks for its stages."""

    name: str
    ask: Callable[[], Coroutine[Any, Any, Stages]]


def paths(inquiry: Inquiry, source: str, target: str, *, through: bool = False) -> list[list[Hop]]:
    """Direct carriers, and two in a row through a third place where none goes directly.

    Args:
        through: whether third places are tried beside direct carriers too.
    """
    found = [[Hop(carrier, source, target)] for carrier in inquiry.between(source, target)]
    if found and not through:
        return found
    return found + [
        [Hop(first, source, middle), Hop(second, middle, target)]
        for middle in inquiry.book.places
        for first in inquiry.between(source, middle)
        for second in inquiry.between(middle, target)
    ]


def bringing(inquiry: Inquiry, place: str, need: int) -> Iterator[Way]:
    """Cash that stands elsewhere: from one place that has enough, or else from two."""
    sources = inquiry.sources(place)
    enough = [(source, cash) for source, cash in sources if cash >= need]
    for source, cash in enough:
        for hops in paths(inquiry, source, place):
            yield Way(_name(hops), partial(_brought, inquiry, hops, need, cash))
    if enough:
        return
    for one, other in combinations(sources, 2):
        large, small = (one, other) if one[1] >= other[1] else (other, one)
        if large[1] + small[1] < need:
            continue
        for first in inquiry.between(large[0], place):
            for second in inquiry.between(small[0], place):
                hops = [Hop(first, large[0], place), Hop(second, small[0], place)]
                yield Way(_name(hops), partial(_both, inquiry, hops, (large[1], small[1]), need))


def sweeping(
    inquiry: Inquiry, source: str, target: str, amount: int, *, own: bool, through: bool
) -> Iterator[Way]:
    """``amount``, all of it, from ``source`` to ``target``.

    Args:
        own: whether it stood at ``source`` before the route; otherwise the route brings it.
        through: as for ``paths``.
    """
    for hops in paths(inquiry, source, target, through=through):
        yield Way(_name(hops), partial(_swept, inquiry, hops, amount, own))


async def _brought(inquiry: Inquiry, hops: list[Hop], need: int, cash: int) -> Stages:
    """Bridges one after another that bring ``need``, filled backwards; the first takes of cash."""
    found: list[Bridge] = []
    for hop in reversed(hops):
        own, step = hop is hops[0], inquiry.terms.step
        bridge = await bridge_bringing(inquiry.quotes, hop, need, cash, own=own, step=step)
        found.append(bridge)
        need = bridge.amount
    return tuple(reversed(found))


async def _both(inquiry: Inquiry, hops: list[Hop], cash: tuple[int, int], need: int) -> Stages:
    """All of the first source's cash, and of the second's what is missing then."""
    (one, other), quotes, step = hops, inquiry.quotes, inquiry.terms.step
    whole = await bridge_of(quotes, one, cash[0], own=cash[0], sweep=False, step=step)
    rest = need - whole.min_received
    return (whole, await bridge_bringing(quotes, other, rest, cash[1], own=True, step=step))


async def _swept(inquiry: Inquiry, hops: list[Hop], amount: int, own: bool) -> Stages:
    found: list[Bridge] = []
    for hop in hops:
        mine = amount if own and hop is hops[0] else 0
        bridge = await bridge_of(
            inquiry.quotes, hop, amount, own=mine, sweep=not mine, step=inquiry.terms.step
        )
        found.append(bridge)
        amount = found[-1].min_received
    return tuple(found)


def _name(hops: list[Hop]) -> str:
    return ", ".join(f"{hop.source} to {hop.target} by {hop.carrier}" for hop in hops)
