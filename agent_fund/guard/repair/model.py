"""The forms of a trade as affine functions of the shares that are kept of its legs.

In a fixed scenario, with fixed fills, what a leg does to a form is in proportion to its size: two
compiled trades, one with all of a leg and one with a lot of it, tell what each share of it does;
and since the rest of the book does the same to both, a book of the traded instruments alone tells
it too. Where proportion fails (fees of a position that turns over, maintenance in tiers) the line
lies above. The model guides a search and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from agent_fund.domain.order import Proposal
from agent_fund.guard.kernel.check import Box
from agent_fund.guard.kernel.form import Form
from agent_fund.guard.obligations import Obligation, Role
from agent_fund.guard.proof import Trading
from agent_fund.guard.repair.points import Vector, value_at
from agent_fund.guard.repair.scaled import of_lots
from agent_fund.guard.repair.trial import Compiled, Trial, Trials

Key: TypeAlias = tuple[int, Role, str]
"""The number of an obligation's case, its role, and what it is about."""


@dataclass(frozen=True)
class Row:
    """``constant + slopes . shares``."""

    constant: float
    slopes: Vector


class Model:
    """One trade, and what is left of it in each direction of a search.

    Attributes:
        whole: the trade compiled.
    """

    def __init__(
        self, box: Box, whole: Compiled, alone: Sequence[Compiled], kept: Sequence[float]
    ) -> None:
        """``alone``: in a book of their own, whole, then with ``kept`` times each direction."""
        self._box = box
        self.whole = whole
        self._keys = _keys(whole.every)
        self._trading = [compiled.trading for compiled in alone]
        self._forms = [
            dict(zip(_keys(c.every), [o.form for o in c.every], strict=True)) for c in alone
        ]
        self._less = 1 - np.array(kept, dtype=np.float64)

    @classmethod
    def of(cls, trials: Trials, first: Trial, directions: Sequence[Sequence[int]]) -> Model | None:
        """The model of what ``first`` tried, each direction a group of legs that shrink together.

        None if there is nothing to compile, or the fund is worth nothing.
        """
        proposal = first.proposal
        full = lots_of(proposal)
        alone, kept = [trials.compiled(proposal, alone=True)], []
        for direction in directions:
            other = [n if leg not in direction else 1 + (n == 1) for leg, n in enumerate(full)]
            alone.append(trials.compiled(of_lots(proposal, other), alone=True))
            kept.append(sum(other[leg] / full[leg] for leg in direction) / len(direction))
        whole = first.compiled or trials.compiled(proposal)
        parts = [part for part in alone if part is not None]
        worthless = trials.situation.nav <= 0
        if worthless or whole is None or len(parts) < len(alone) or 1.0 in kept:
            return None
        return cls(trials.mandate.stress.kernel.box, whole, parts, kept)

    def rows(self, trial: Trial, shares: Vector) -> Iterator[tuple[Role, Row]]:
        """The trade's own forms, each at every point that was worst for one of its kind.

        Args:
            trial: of ``shares`` of the trade, at which the rows have the values that it found. If
                legs have vanished it may have fewer obligations; then a scenario counts for all
                that bound the same.
        """
        if trial.compiled is None or not trial.points:
            return
        keys, points, values = _keys(trial.compiled.every), trial.points, trial.values
        same = keys == self._keys
        for key, obligation in zip(self._keys, self.whole.every, strict=True):
            for other, point, value in zip(keys, points, values, strict=True):
                if other == key if same else other[1:] == key[1:]:
                    box = self._box if obligation.role is Role.GAIN else None
                    whole, *parts = (_alone(forms, key, point, box) for forms in self._forms)
                    base = value_at(obligation.form, point, box)
                    row = self._row(base, whole, parts)
                    if same:
                        row = Row(value - float(row.slopes @ shares), row.slopes)
                    yield obligation.role, row

    def trading(self, of: Callable[[Trading], int]) -> Row:
        """What trading can do, as ``of`` picks it."""
        whole, *parts = map(of, self._trading)
        return self._row(of(self.whole.trading), whole, parts)

    def _row(self, base: float, whole: float, parts: Sequence[float]) -> Row:
        slopes = (whole - np.array(parts, dtype=np.float64)) / self._less
        return Row(base - float(slopes.sum()), slopes)


def lots_of(proposal: Proposal) -> list[int]:
    """The size of each leg in lots."""
    return [leg.quantity // leg.instrument.lot for leg in proposal.legs]


def _alone(forms: Mapping[Key, Form], key: Key, point: Vector, box: Box | None) -> float:
    """A form of the traded instruments alone; of a loss that takes none of them, as without it."""
    case, role, _ = key
    form = forms.get(key) or forms.get((case, role, ""))
    return value_at(form, point, box) if form is not None else 0.0


def _keys(every: Sequence[Obligation]) -> list[Key]:
    keys: list[Key] = []
    number, before = -1, None
    for obligation in every:
        if obligation.case is not before:
            number, before = number + 1, obligation.case
        keys.append((number, obligation.role, obligation.about))
    return keys
