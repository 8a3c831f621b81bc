"""What the loop is given and what it gives: terms of trade, the gate's face, one bar's outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from agent_fund.domain.order import Proposal, Purpose
from agent_fund.guard.machine import Bounds, Mode
from agent_fund.guard.verdict import Certified, Situation, Verdict


class Gate(Protocol):
    """What stands between a proposal and the money: the guard, or for comparison nothing."""

    def judge(self, proposal: Proposal, situation: Situation) -> Verdict:
        """The verdict on a proposal."""

    def look(self, situation: Situation) -> Certified | None:
        """A certificate for the held book, or None if it is not Safe."""


@dataclass(frozen=True)
class Terms:
    """How the fund trades: exact numbers from the run file and the mandate.

    Attributes:
        order_bars: bars for which an agent's order lives.
        latency: by symbol, bars before a new order can fill, beyond the next open.
        participation: by symbol, share of a bar's volume that one bar can take.
        transfer_bars: bars that money is under way between two places.
        home: the place at which flows come in and go out.
    """

    order_bars: int
    latency: Mapping[str, int]
    participation: Mapping[str, Fraction]
    home: str
    transfer_bars: int = 1

    def expires(self, symbol: str, bar: int, purpose: Purpose) -> int:
        """The last bar of an order sent at the close of ``bar``; a slice of a way out lives one.

        What a slice leaves is closed by the next one, again in proportion.
        """
        life = self.order_bars if purpose is Purpose.AGENT else 1
        return bar + life + self.latency[symbol]


class Tick(NamedTuple):
    """One bar of the book's history; positions and closes in instrument order.

    Attributes:
        closes: prices at which positions are valued.
        places: equity at each place of the fund, in its order; empty with one spot venue.
        maintenance: what each place's margined positions need to stand; likewise.
        funding: received in this bar, negative if paid. ``liquidated``: positions that venues
            closed.
    """

    bar: int
    close_time: int
    nav_open: int
    nav: int
    mark: int
    cash: int
    positions: tuple[int, ...]
    closes: tuple[int, ...]
    mode: Mode
    bounds: Bounds
    places: tuple[int, ...] = ()
    maintenance: tuple[int, ...] = ()
    funding: int = 0
    liquidated: int = 0
