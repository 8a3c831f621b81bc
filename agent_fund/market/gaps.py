"""Gaps are found and refused, or skipped and reported; a missing bar is never filled.

A gap is a bar that some instrument has and another lacks, or a step from one close to the next
that is longer than the data set's longest regular step.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent_fund.market.columns import BarColumns
from agent_fund.market.errors import MarketError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Gap:
    """A stretch of time without a bar that every instrument has: after < close_time < before.

    Attributes:
        after: close_time of the last bar before the gap; if the data begins with the gap, the
            open_time of the first bar that any instrument has. ms since the epoch, UTC.
        before: close_time of the first bar after the gap; if the data ends with the gap, 1 ms
            after the last close_time that any instrument has.
        missing: symbols of the instruments that lack bars in it.
    """

    after: int
    before: int
    missing: tuple[str, ...]


class GapPolicy(enum.Enum):
    """What happens to data with gaps: the run is refused, or only common bars are kept."""

    REFUSE = "refuse"
    SKIP = "skip"


def align(
    columns: Mapping[str, BarColumns], policy: GapPolicy, max_step_ms: int
) -> tuple[dict[str, BarColumns], tuple[Gap, ...]]:
    """The bars that every instrument has, and each gap.

    Args:
        columns: bars by symbol.
        policy: whether a gap is an error.
        max_step_ms: the longest time from one close to the next that is no gap.

    Returns:
        Columns by symbol, all with the same times, and the gaps in order of time.

    Raises:
        MarketError: for the first gap under REFUSE; if no bar is left; if bars that close
            together do not open together.
    """
    gaps = find_gaps(columns, max_step_ms)
    if gaps and policy is GapPolicy.REFUSE:
        gap = gaps[0]
        raise MarketError(
            ", ".join(bars.source for bars in columns.values()),
            f"gap after {iso(gap.after)} and before {iso(gap.before)}",
            f"missing there: {', '.join(gap.missing)}; gaps in all: {len(gaps)}. Choose another "
            'period, or write gaps = "skip" under [market] in the run file',
        )
    common = _common(columns)
    aligned = {symbol: _kept(bars, common) for symbol, bars in columns.items()}
    first = next(iter(aligned.values()))
    for bars in aligned.values():
        for row, time in enumerate(bars.open_times):
            if time != first.open_times[row]:
                place = f"{bars.source}, bar that closes at {iso(bars.close_times[row])}"
                fix = f"in {first.source} it opens at {iso(first.open_times[row])}"
                raise MarketError(place, iso(time), f"{fix}: use bars of one length")
    return aligned, gaps


def find_gaps(columns: Mapping[str, BarColumns], max_step_ms: int) -> tuple[Gap, ...]:
    """Every gap, in order of time; see ``align``."""
    common = _common(columns)
    have = {symbol: set(bars.close_times) for symbol, bars in columns.items()}
    stamps = sorted(set().union(*have.values()))
    first_open = min(bars.open_times[0] for bars in columns.values() if len(bars))
    after = first_open
    gaps: list[Gap] = []
    lacking: set[str] = set()
    for time, previous in zip(stamps, [stamps[0], *stamps], strict=False):
        if time - previous > max_step_ms:
            lacking.update(have)
        if time not in common:
            lacking.update(symbol for symbol, times in have.items() if time not in times)
            continue
        if lacking:
            gaps.append(_gap(after, time, lacking, columns))
            lacking = set()
        after = time
    if lacking:
        gaps.append(_gap(after, stamps[-1] + 1, lacking, columns))
    return tuple(gaps)


def iso(time: int) -> str:
    """A time in ms since the epoch as people read it (RFC 3339, UTC)."""
    moment = EPOCH + timedelta(milliseconds=time)
    return moment.isoformat(timespec="milliseconds" if time % 1000 else "seconds")


def _gap(after: int, before: int, lacking: set[str], columns: Mapping[str, BarColumns]) -> Gap:
    return Gap(after, before, tuple(symbol for symbol in columns if symbol in lacking))


def _common(columns: Mapping[str, BarColumns]) -> set[int]:
    """The close_times that every instrument has; never empty."""
    times = [bars.close_times for bars in columns.values()]
    common = set(times[0]).intersection(*times[1:]) if times else set()
    if not common:
        sources = ", ".join(bars.source for bars in columns.values()) or "no data set"
        raise MarketError("market data", sources, "the instruments have no bar in common")
    return common


def _kept(bars: BarColumns, common: set[int]) -> BarColumns:
    if len(bars) == len(common):
        return bars
    rows = [row for row, time in enumerate(bars.close_times) if time in common]
    return bars.with_columns(
        {name: [values[row] for row in rows] for name, values in bars.by_name().items()}
    )
