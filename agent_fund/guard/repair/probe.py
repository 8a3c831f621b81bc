"""A cut for an exact limit that only says yes or no, found by asking it around a broken trade.

What an exact limit allows is a convex set of trades that holds the empty one. Along the ray from
there to a trade that breaks it, the last size that it allows is found by bisection; how that moves
when one leg is made smaller gives the facet of the set: the gradient of its gauge (Minkowski). No
trade that is asked about has more of a leg than the proposal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Holds = Callable[[list[int]], bool]
"""Whether the limit holds for a trade of so many lots of each leg."""

_NEAR = 1 / 64
"""A facet that came as near as that to a trade is the one that it breaks."""


def facet(
    lots: Sequence[int], holds: Holds, known: Sequence[Sequence[float]] = ()
) -> list[float] | None:
    """Slopes a, in lots, with ``a . n <= 1`` for what the limit allows, near ``lots``.

    None if it allows nothing along the ray to ``lots``.

    Args:
        lots: a trade that breaks the limit.
        known: facets found before; one that is near only has to be moved a little.
    """
    reach = _reach(lots, holds, 0.0, 1.0, 1 / 2048)
    if not reach:
        return None
    for slopes in known:
        if _product(slopes, lots) > 1 - _NEAR and reach > 1 - _NEAR:
            return _through(slopes, lots, reach)
    cut = min(0.25, (1 / reach - 1) / 2)
    reach = _reach(lots, holds, reach, min(1.0, reach + 1 / 2048), cut / 256)
    slopes = []
    for leg, size in enumerate(lots):
        moved = [float(n) for n in lots]
        moved[leg] -= cut * size
        near = _reach(
            moved, holds, reach * (1 - 2 * cut), min(1.0, reach * (1 + 2 * cut)), cut / 256
        )
        slopes.append((1 / reach - 1 / near) / (cut * size) if near and size else 0.0)
    return _through(slopes, lots, reach)


def _through(slopes: Sequence[float], lots: Sequence[int], reach: float) -> list[float] | None:
    """The facet moved to pass through the last size that is allowed along the ray to ``lots``.

    A gauge is homogeneous: its gradient times a point is its value there (Euler); but lots round.
    """
    product = _product(slopes, lots)
    return [slope / product / reach for slope in slopes] if product > 0 else None


def _product(slopes: Sequence[float], lots: Sequence[int]) -> float:
    return sum(slope * size for slope, size in zip(slopes, lots, strict=True))


def _reach(lots: Sequence[float], holds: Holds, low: float, high: float, width: float) -> float:
    """The largest share of ``lots``, up to 1, that holds, to ``width``; 0 if none does.

    Args:
        low, high: where it most likely lies.
    """

    def allowed(share: float) -> bool:
        return holds([math.floor(n * share) for n in lots])

    if low and not allowed(low):
        low, high = 0.0, low
    elif high < 1 and allowed(high):
        low, high = high, 1.0
    while high - low > width:
        middle = (low + high) / 2
        if allowed(middle):
            low = middle
        else:
            high = middle
    return low
