"""Lives: what a fund does, bar by bar, made again by a new process after each death."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faults_stage import Stage
from faults_world import Fate, Fund, Killed, Process, cut


class Life(Protocol):
    """What one process of a fund does from its first bar on; made again after each death."""

    venues: tuple[str, ...]

    def begin(self, process: Process) -> None:
        """At bar 0."""

    def at(self, process: Process, bar: int) -> None:
        """After the open of ``bar``."""

    def ended(self, process: Process) -> bool:
        """Whether nothing more can come."""


BARS = 12


def live(
    stage: Stage,
    fund: Fund,
    path: Path,
    life: Life,
    deaths: Sequence[int],
    *,
    power: bool = False,
) -> Lived:
    """Lead ``life`` to its end, with a process for each death (at its point of that number).

    Args:
        power: whether the processes die because the power is cut.
    """
    capital = {venue: stage.truth(venue) for venue in life.venues}
    fund.skew = 0.0
    died: list[str] = []
    heard: list[object] = []
    for at in [*deaths, None]:
        fund.fate = Fate(cut=power)
        process = Process(stage, fund, path, capital)
        fund.fate.at, fund.fate.armed = at, True
        try:
            bar = _lived(process, life)
        except Killed:
            died.append(fund.fate.seen[-1])
            process.end()
            if power:
                cut(path)
            assert process.heard[: len(heard)] == heard[: len(process.heard)]
            heard = max(heard, process.heard, key=len)
            continue
        # What an earlier process was told, a later one is told again.
        assert process.heard[: len(heard)] == heard
        return Lived(process, capital, tuple(fund.fate.seen), tuple(died), bar)
    raise AssertionError(deaths)


def _lived(process: Process, life: Life) -> int:
    life.begin(process)
    for bar in range(1, BARS):
        process.bar(bar)
        life.at(process, bar)
        if life.ended(process):
            return bar
    raise AssertionError(f"not ended after {BARS} bars: {process.desk.book()}")


@dataclass
class Lived:
    """A life that has ended.

    Attributes:
        process: the last one, still there.
        before: by venue, what the fund had there. ``points``: of the last process.
        died: where its forerunners did.
    """

    process: Process
    before: Mapping[str, tuple[int, int]]
    points: tuple[str, ...]
    died: tuple[str, ...]
    bars: int
