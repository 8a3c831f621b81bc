"""What the loop is given and what it gives: terms of trade, the gate's face, one bar's outcome."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

from agent_fund.domain.order import Proposal
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
    """How the fund trades: exact numbers from the run file.

    Attributes:
        order_bars: bars for which an agent's order lives.
        exit_bars: bars within which any position must be closable; the mandate enforces it.
        latency: bars before a new order can fill, beyond the next open.
        participation: share of a bar's volume that one bar can take.
    """

    order_bars: int
    exit_bars: int
    latency: int
    participation: Fraction


class Tick(NamedTuple):
    """One bar of the book's history; positions and prices in instrument order."""

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
