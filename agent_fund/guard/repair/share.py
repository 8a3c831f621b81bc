"""The largest share of a proposal that certifies, on the grid of 1/STEPS: a bisection that guesses.

The answer is a share that certifies while the next one up does not. Plain bisection finds it in ten
trials; here cutting planes in one share say where to look, so that two or three trials do: one
that certifies, one above that does not.
"""

from __future__ import annotations

import math
from fractions import Fraction

from agent_fund.domain.order import Proposal
from agent_fund.guard.repair.master import Master
from agent_fund.guard.repair.model import Model
from agent_fund.guard.repair.scaled import STEPS, scale
from agent_fund.guard.repair.trial import Trial, Trials

_GUESSES = 6
"""After so many guesses the middle is taken: cuts that mislead cost no more than that."""


def largest_share(
    trials: Trials, proposal: Proposal, low: int = 0, best: Trial | None = None
) -> tuple[int, Trial | None]:
    """The share in units of 1/STEPS, and the trial that it passed; 0 and None if none certifies.

    Args:
        low: a share that certifies, and ``best`` its trial.
    """
    high, trial = STEPS, trials.attempt(proposal)
    guess = _Guess(trials, trial)
    while high - low > 1:
        if trial.broken:
            high = _within_limits(trials, proposal, trial.broken, low, high)
            if high - low == 1:
                break
        middle = guess.after(trial, low, high)
        scaled = scale(proposal, Fraction(middle, STEPS))
        if not scaled.legs:
            low = middle  # nothing left after rounding to lots: look higher
            continue
        trial = trials.attempt(scaled)
        if trial.passes:
            best, low = trial, middle
        else:
            high = middle
    return (low, best) if best is not None else (0, None)


def _within_limits(
    trials: Trials, proposal: Proposal, names: tuple[str, ...], low: int, high: int
) -> int:
    """The least share above ``low`` at which one of the exact limits ``names`` is broken."""
    while high - low > 1:
        middle = (low + high) // 2
        broken = trials.broken(scale(proposal, Fraction(middle, STEPS)), names)
        if set(names) & set(broken):
            high = middle
        else:
            low = middle
    return high


class _Guess:
    """Where to try next, between a share that certifies and one that does not."""

    def __init__(self, trials: Trials, first: Trial) -> None:
        self._trials = trials
        self._first = first
        self._left = _GUESSES
        self._master: Master | None = None

    def after(self, last: Trial, low: int, high: int) -> int:
        """A share above ``low`` and below ``high``, in units of 1/STEPS."""
        self._left -= 1
        if self._left < 0:
            return (low + high) // 2
        if last.broken:
            return high - 1  # the limits hold up to there
        if last.passes:
            return low + 1  # most likely the first that does not
        found = self._solved(last, high)
        if found is None:
            return (low + high) // 2
        return min(max(found, low + 1), high - 1)

    def _solved(self, last: Trial, tried: int) -> int | None:
        if not last.points:
            return None
        if self._master is None:
            every = range(len(self._first.proposal.legs))
            model = Model.of(self._trials, self._first, [every])
            if model is None:
                return None
            self._master = Master(self._trials, model, [1.0], [0.0], ordered=False)
        self._master.cut(last, [tried / STEPS])
        shares = self._master.solve()
        return None if shares is None else math.floor(float(shares[0]) * STEPS)
