"""The nearest trade that certifies, by cutting planes: a share of its own for every leg.

The master problem keeps as much of the proposal as its cuts allow; rounded down to lots, that is
tried as the integers that would be sent. What it breaks becomes a cut, until a trial passes. Since
cuts are made of scenarios and limits that every admissible trade must live with, what passes is
nearest, but for rounding and for what does not shrink with a leg: that lines may stand a lot apart
is a cost which only goes with the last lot. Nothing further away than the largest share of the
whole is returned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from agent_fund.domain.order import Proposal
from agent_fund.guard.repair.distance import departure
from agent_fund.guard.repair.master import Master
from agent_fund.guard.repair.model import Model, Row, lots_of
from agent_fund.guard.repair.probe import facet
from agent_fund.guard.repair.scaled import STEPS, of_lots, scale
from agent_fund.guard.repair.share import largest_share
from agent_fund.guard.repair.trial import Trial, Trials

ROUNDS = 12
"""Trials before the search gives up and the largest share of the whole is taken."""


def nearest(trials: Trials, proposal: Proposal) -> Trial | None:
    """What may be sent instead of ``proposal``, as far as trials can tell; None for nothing."""
    asked = _provable(trials, proposal)
    found = _Search(trials, asked).run() if asked.legs else None
    if found is None:
        return largest_share(trials, proposal)[1]
    share = _as_near(trials, proposal, found.proposal)
    rival = trials.attempt(scale(proposal, Fraction(share, STEPS)))
    return largest_share(trials, proposal, share, rival)[1] if rival.passes else found


def _provable(trials: Trials, proposal: Proposal) -> Proposal:
    """``proposal`` without the legs of which nothing can be proved at all."""
    if trials.attempt(proposal).compiled or trials.compiled(proposal):
        return proposal
    whole, kept = lots_of(proposal), []
    for number, lots in enumerate(whole):
        alone = of_lots(proposal, [lots if leg == number else 0 for leg in range(len(whole))])
        fine = trials.compiled(alone) is not None
        if not fine and proposal.ordered:
            break
        kept.append(lots if fine else 0)
    return of_lots(proposal, [*kept, *[0] * (len(whole) - len(kept))])


def _as_near(trials: Trials, proposal: Proposal, found: Proposal) -> int:
    """The least share of the whole that is nearer to it than ``found``, in units of 1/STEPS."""
    repair, prices = trials.mandate.repair, trials.situation.prices
    kept = repair.kept(proposal, found, prices)
    low, high = 0, STEPS
    while high - low > 1:
        middle = (low + high) // 2
        if repair.kept(proposal, scale(proposal, Fraction(middle, STEPS)), prices) > kept:
            high = middle
        else:
            low = middle
    return high


class _Search:
    """Rounds of master problem and trial."""

    def __init__(self, trials: Trials, proposal: Proposal) -> None:
        repair, prices = trials.mandate.repair, trials.situation.prices
        self._trials = trials
        self._proposal = proposal
        self._whole = lots_of(proposal)
        self._facets: dict[str, list[list[float]]] = {}
        self._values = [float(repair.value(leg, prices)) for leg in proposal.legs]

    def run(self) -> Trial | None:
        """A trade that passed its trial; None if none was found."""
        lots, trial = self._whole, self._trials.attempt(self._proposal)
        if trial.passes:
            return trial
        model = Model.of(self._trials, trial, [(leg,) for leg in range(len(lots))])
        if model is None:
            return None
        sizes = [1 / number for number in self._whole]
        ordered = self._proposal.ordered
        master = Master(self._trials, model, self._values, sizes, ordered=ordered)
        for _ in range(ROUNDS):
            for name in dict.fromkeys(trial.broken):
                self._limit(master, name, lots)
            master.cut(trial, [n / most for n, most in zip(lots, self._whole, strict=True)])
            before, shares = lots, master.solve()
            if shares is None:
                return None
            lots = [math.floor(s * n + 1e-6) for s, n in zip(shares, self._whole, strict=True)]
            if lots == before:
                master.stand_back()
                continue
            candidate = of_lots(self._proposal, lots)
            if departure(self._proposal, candidate) is not None:
                return None
            trial = self._trials.attempt(candidate)
            if trial.passes:
                return trial
        return None

    def _limit(self, master: Master, name: str, lots: Sequence[int]) -> None:
        """Cut off a trade that breaks the exact limit ``name``."""

        def holds(lots: list[int]) -> bool:
            return name not in self._trials.broken(of_lots(self._proposal, lots), (name,))

        known = self._facets.setdefault(name, [])
        slopes = facet(lots, holds, known)
        if slopes is not None:
            known.append(slopes)
            master.limit(Row(-1.0, np.array(slopes) * np.array(self._whole)))
            return
        # Not even little of it holds: what fails by itself has to go, or else what counts least.
        kept = [leg for leg, size in enumerate(lots) if size]
        alone = [leg for leg in kept if not holds([int(leg == n) for n in range(len(lots))])]
        for leg in alone or [min(kept, key=lambda leg: (self._values[leg], leg))]:
            master.drop(leg)
