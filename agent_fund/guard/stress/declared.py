"""Boxes that a mandate declares, each with its reason: moves that history did not show, say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.budget import BudgetRule, Combination, Interval


@dataclass(frozen=True)
class Declared:
    """What calibration takes as it is stated.

    Attributes:
        boxes: by instrument, the lowest and the highest move of its price in 1/SCALE; what funding
            takes or brings comes on top.
        why: where the boxes come from, for the record.
    """

    boxes: Mapping[str, Interval]
    why: str

    def __post_init__(self) -> None:
        if self.boxes and not self.why.strip():
            raise DomainError("declared boxes", self.why, "say why, for those who read the record")
        for symbol, (low, high) in self.boxes.items():
            if not -SCALE <= low <= 0 <= high or low == high:
                raise DomainError(
                    f"declared box of {symbol}",
                    (low, high),
                    "write a range of moves that holds 0%, is not 0% alone and starts at -100% or "
                    "above",
                )

    @property
    def words(self) -> str:
        """The reason, with the instruments it is given for; empty if there are none."""
        return f"{', '.join(self.boxes)} as declared ({self.why})" if self.boxes else ""


def declared_boxes(boxes: Mapping[str, tuple[Exact, Exact]], why: str) -> Declared:
    """Boxes as people write them, e.g. ``{"USDC": ("-10%", "2%")}``, rounded outward."""
    found: dict[str, Interval] = {}
    for symbol, ends in boxes.items():
        if isinstance(ends, str) or len(ends) != 2:
            raise DomainError(f"declared box of {symbol}", ends, 'write a pair: ("-10%", "2%")')
        low, high = (ratio(end, f"declared box of {symbol}") * SCALE for end in ends)
        found[symbol] = low.__floor__(), high.__ceil__()
    return Declared(found, why)


def budget(of: Sequence[str], most: Exact = "calibrated") -> BudgetRule:
    """Not everything at its worst at once: what ``of`` use of their boxes sums to ``most`` at most.

    Args:
        most: boxes, at least 1: ``"1.5"`` lets one of them be at its worst and another half way
            there. ``"calibrated"`` takes the stress set's multiple of the largest sum of uses that
            the calibration window has seen at once.
    """
    if isinstance(of, str):
        raise DomainError("budget", of, 'name several instruments: of=("BTC", "ETH")')
    part = None if most == "calibrated" else ratio(most, f"budget of {', '.join(of)}")
    return BudgetRule(tuple(of), part)


def combination(name: str, weights: Mapping[str, Exact], most: Exact) -> Combination:
    """``sum weight * move <= most``: a row of the stress set, named, e.g. a bound on a spread.

    Args:
        weights: by instrument, of either sign. ``most``: a share, from 0% on, rounded outward.
    """
    parts = {s: ratio(w, f"weight of {s} in {name}") for s, w in weights.items()}
    return Combination(name, parts, (ratio(most, f"bound of {name}") * SCALE).__ceil__())
