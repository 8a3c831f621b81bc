"""The guard's answer to a proposal: admitted, repaired to what certifies, or refused; and why."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal
from agent_fund.guard.activity import NOTHING_SENT, Activity
from agent_fund.guard.band import Band
from agent_fund.guard.finding import Finding, share
from agent_fund.guard.machine import Bounds, Mode
from agent_fund.guard.proof import Proof
from agent_fund.guard.repair.distance import words

HOLD = Proposal()
"""What is sent of a refused trade: nothing."""


@dataclass(frozen=True)
class Situation:
    """What the guard looks at: the book really held, and the market at one close.

    Attributes:
        prices: closing prices in price units, by symbol: marks, at which positions are valued.
        nav, mark: NAV and high-water mark in base units of the book's currency.
        bar: number of the bar that has just closed.
        capacity: base units of each instrument that the venue's participation cap lets one bar
            take, by recent volume.
        floor: NAV that must not be fallen below, in base units; 0 for none.
        activity: what the agent has sent of late, as far as throttles ask.
    """

    book: Book
    prices: Mapping[str, int]
    nav: int
    mark: int
    bar: int
    capacity: Mapping[str, int]
    floor: int = 0
    activity: Activity = NOTHING_SENT


def capacity(
    instruments: Iterable[Instrument],
    volumes: Mapping[str, Sequence[int]],
    shares: Mapping[str, Fraction],
) -> dict[str, int]:
    """What one bar can take: a share of the smallest recent volume, in whole lots, by symbol."""
    return {
        i.symbol: int(min(volumes[i.symbol], default=0) * shares[i.symbol]) // i.lot * i.lot
        for i in instruments
    }


class Outcome(enum.Enum):
    """What became of a proposal."""

    ADMITTED = "admitted"
    REPAIRED = "repaired"
    REFUSED = "refused"


@dataclass(frozen=True)
class Certified:
    """A proof, the band it holds in, and what it proves.

    Attributes:
        until: the last bar at whose close a decision may rest on it.
        latest: the last bar that it covers then, to the end of the way out.
    """

    proof: Proof
    band: Band
    bounds: Bounds
    until: int
    latest: int


@dataclass(frozen=True)
class Verdict:
    """The answer, and why.

    Attributes:
        proposal: what may be sent: the proposal, its largest certified share, or nothing.
        theta: the share of each leg that is left, before rounding to lots; of a repair to the
            nearest trade, the share of the whole by the mandate's distance.
        findings: one a guardrail, for what may be sent (for the proposal itself if refused).
        broken: what the proposal as made would have broken; empty if it was admitted.
        certified: None only if refused.
        asked: what was proposed, if it was repaired to the nearest trade.
    """

    outcome: Outcome
    proposal: Proposal
    theta: Fraction
    findings: tuple[Finding, ...]
    broken: tuple[Finding, ...]
    certified: Certified | None
    asked: Proposal | None = None

    @property
    def text(self) -> str:
        """For a person, and for the model: what happened and what stood in the way."""
        if self.outcome is Outcome.ADMITTED:
            return "admitted"
        reasons = "; ".join(f.text for f in self.broken)
        if self.asked is not None:
            return f"repaired to {words(self.asked, self.proposal)}: {reasons}"
        if self.outcome is Outcome.REPAIRED:
            return f"repaired to {share(self.theta)} of the proposal: {reasons}"
        return f"refused: {reasons}"


def locked_out(mode: Mode) -> Verdict:
    """The refusal of whatever an agent proposes while the fund is not Active, or held."""
    held = mode is Mode.ACTIVE
    why = "an operator holds the fund" if held else "the guard is on its way out"
    value = "held" if held else mode.value
    finding = Finding("mode", False, "an active fund", value, why)
    return Verdict(Outcome.REFUSED, Proposal(), Fraction(0), (finding,), (finding,), None)
