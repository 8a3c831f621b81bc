"""Splitting one quantity over several lines: the cheapest sum of quoted sizes, exactly.

Each line is quoted at a few sizes, multiples of one part in whole lots and what such multiples
leave of the whole. ``cheapest_split`` finds, by min-plus convolution over the lines, the least
total cost of all ways to make the quantity of one quoted size a line. That is optimal on the grid
for any costs, a fixed cost of gas included; where costs are convex it is the split in which each
further part goes where it costs least. Every line alone is one of the ways, so a split is never
dearer than the best single line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent_fund.domain.money import ceil_div


@dataclass(frozen=True)
class Piece:
    """What one line takes: ``size`` in the goal's units, ``cost`` in base units of currency."""

    symbol: str
    size: int
    cost: int


def grid(quantity: int, lot: int, parts: int) -> tuple[int, ...]:
    """The sizes to ask for, rising, the whole last: whole lots where the whole is.

    Args:
        lot: a quantity that is whole lots of every line.
        parts: at most so many parts.
    """
    part = max(lot, ceil_div(ceil_div(quantity, parts), lot) * lot)
    steps = range(part, quantity, part)
    return tuple(sorted({*steps, *(quantity - step for step in steps), quantity}))


def cheapest_split(
    quantity: int, ladders: Mapping[str, Mapping[int, int]]
) -> tuple[Piece, ...] | None:
    """The pieces that make ``quantity`` at the least total cost; None if no sizes make it.

    Of equal costs the fewest pieces, and then the lines that come first.

    Args:
        ladders: by line, what each of its quoted sizes costs; negative for what brings money.
    """
    best: dict[int, tuple[int, int, tuple[Piece, ...]]] = {0: (0, 0, ())}
    for symbol, ladder in ladders.items():
        longer = dict(best)
        for made, (cost, count, pieces) in best.items():
            for size, price in sorted(ladder.items()):
                total, found = made + size, (cost + price, count + 1)
                if total <= quantity and (total not in longer or found < longer[total][:2]):
                    longer[total] = (*found, (*pieces, Piece(symbol, size, price)))
        best = longer
    return best[quantity][2] if quantity in best else None
