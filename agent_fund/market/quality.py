"""What is suspicious in market data, by rules that are stated; nothing is changed or left out.

A finding is no verdict: prices may jump, exchanges do stop. It says where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from agent_fund.domain.money import from_units
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.columns import PRICES, BarColumns, from_names
from agent_fund.market.errors import MarketError
from agent_fund.market.funding import FundingColumns
from agent_fund.market.gaps import find_gaps, iso
from agent_fund.market.sources.raw_bars import RawBars, RawFunding

OUTLIER_DEVIATIONS = 20
TAKEN_BACK = 4
STALE_OPENS = Fraction(3, 4)
MARK_DEVIATION = 0.03

RULES = {
    "unsorted": "a row that is earlier than the one before it (files only)",
    "duplicate": "a row of a time that an earlier row has (files only)",
    "inconsistent": "a row that is no bar: a price of 0 or less, a high or low that is not the "
    "highest or lowest, a volume below 0, bars that overlap (files only)",
    "gap": "a time without bars or payments that is longer than a regular step",
    "outlier": f"a close whose log return from the close before is more than {OUTLIER_DEVIATIONS} "
    "times the median absolute deviation of all, and of which the next bar takes back more than "
    f"{TAKEN_BACK - 1} quarters",
    "zero volume": "a bar without trade, in a series that has trades",
    "stale opens": "more than three quarters of all opens equal the close before: opens are then "
    "no prices at which one could have traded",
    "mark deviation": f"a close whose mark price is more than {MARK_DEVIATION:.0%} away from the "
    "index, or from the last price where there is no index",
}
"""Each rule, in words; findings come in this order."""


@dataclass(frozen=True)
class Finding:
    """What one rule found.

    Attributes:
        rule: a key of RULES.
        count: how many bars, payments or stretches.
        text: where, or how much, in a person's words.
        times: close_time of each bar found, or the end of each stretch; ms since the epoch, UTC.
    """

    rule: str
    count: int
    text: str
    times: tuple[int, ...]


@dataclass(frozen=True)
class Quality:
    """What was checked, and found.

    Attributes:
        name: the data set or file.
        kind: ``"bars"`` or ``"funding"``.
        rows: bars or payments checked; ``first``, ``last``: times of their ends.
        facts: name and value of what was measured.
        findings: in the order of RULES; none: clean.
        times, values: the series for a picture: closes, or rates.
    """

    name: str
    kind: str
    rows: int
    first: int
    last: int
    facts: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    times: tuple[int, ...]
    values: tuple[float, ...]


def check_bars(
    name: str,
    bars: BarColumns,
    max_step_ms: int,
    *,
    before: Sequence[Finding] = (),
    mark: tuple[BarColumns, str, BarColumns] | None = None,
) -> Quality:
    """The findings of ``bars``.

    Args:
        max_step_ms: the longest time from one close to the next that is no gap.
        before: what was found when the rows of a file were put in order.
        mark: the mark price, and name and bars of what it is compared with.
    """
    if not len(bars):
        raise MarketError(name, "no bars", "there is nothing to check")
    closes = np.array(bars.closes, dtype=np.float64) / 10.0**bars.price_scale
    findings = [*before, *_gaps(bars, max_step_ms), *_outliers(bars, closes), *_silent(bars)]
    stale = sum(a == b for a, b in zip(bars.opens[1:], bars.closes, strict=False))
    share = Fraction(stale, len(bars))
    facts = [("stale opens", f"{stale} of {len(bars)}, {float(share):.1%}")]
    if share > STALE_OPENS:
        findings.append(Finding("stale opens", stale, f"{float(share):.1%} of all bars", ()))
    if mark is not None:
        fact, found = _mark_deviation(*mark)
        facts += fact
        findings += found
    return Quality(
        name=name,
        kind="bars",
        rows=len(bars),
        first=bars.close_times[0],
        last=bars.close_times[-1],
        facts=tuple(facts),
        findings=tuple(findings),
        times=tuple(bars.close_times),
        values=tuple(closes.tolist()),
    )


def check_funding(name: str, columns: FundingColumns, *, before: Sequence[Finding] = ()) -> Quality:
    """The findings of funding rates; arguments as ``check_bars`` has them."""
    if not len(columns):
        raise MarketError(name, "no payments", "there is nothing to check")
    gaps = columns.gaps()
    largest = max(range(len(columns)), key=lambda row: abs(columns.rates[row]))
    rate = from_units(columns.rates[largest], RATE_SCALE)
    facts = [("largest rate", f"{float(rate):.4%} at {short(columns.times[largest])}")]
    return Quality(
        name=name,
        kind="funding",
        rows=len(columns),
        first=columns.times[0],
        last=columns.times[-1],
        facts=tuple(facts),
        findings=(*before, *_stretches(gaps, columns.usual_step_ms())),
        times=tuple(columns.times),
        values=tuple(rate / 10**RATE_SCALE for rate in columns.rates),
    )


def short(time: int) -> str:
    """A time in ms since the epoch to the minute, UTC."""
    return iso(time)[:16].replace("T", " ")


def in_order(raw: RawBars) -> tuple[BarColumns, tuple[Finding, ...]]:
    """The rows of a file that are bars, by time, each time once; and what was not so."""
    columns = raw.columns
    opens, closes = columns["open_time"], columns["close_time"]
    unsorted = [closes[row] for row in range(1, len(opens)) if opens[row] < opens[row - 1]]
    duplicates, inconsistent, kept = [], [], list[int]()
    for row in sorted(range(len(opens)), key=lambda row: opens[row]):
        if kept and opens[row] == opens[kept[-1]]:
            duplicates.append(closes[row])
        elif not _is_bar(raw, row) or (kept and opens[row] < closes[kept[-1]]):
            inconsistent.append(closes[row])
        else:
            kept.append(row)
    rows = {name: [values[row] for row in kept] for name, values in columns.items()}
    bars = from_names(raw.source, raw.price_scale, raw.volume_scale, rows)
    return bars, _disorder(unsorted, duplicates, inconsistent)


def funding_in_order(raw: RawFunding) -> tuple[FundingColumns, tuple[Finding, ...]]:
    """The payments of a file by time, each time once; and what was not so."""
    unsorted = [later for earlier, later in pairwise(raw.times) if later < earlier]
    duplicates, kept = [], dict[int, int]()
    for time, rate in sorted(zip(raw.times, raw.rates, strict=True), key=lambda row: row[0]):
        if time in kept:
            duplicates.append(time)
        else:
            kept[time] = rate
    columns = FundingColumns(raw.source, list(kept), list(kept.values()))
    return columns, _disorder(unsorted, duplicates, [])


def _disorder(*times: list[int]) -> tuple[Finding, ...]:
    named = zip(("unsorted", "duplicate", "inconsistent"), times, strict=True)
    return tuple(
        Finding(rule, len(found), _where(found), tuple(found)) for rule, found in named if found
    )


def _is_bar(raw: RawBars, row: int) -> bool:
    values = {name: column[row] for name, column in raw.columns.items()}
    prices = [values[name] for name in PRICES]
    return (
        values["close_time"] > values["open_time"] >= 0
        and values["volume"] >= 0
        and min(prices) == values["low"] >= 1
        and max(prices) == values["high"]
    )


def _gaps(bars: BarColumns, max_step_ms: int) -> list[Finding]:
    gaps = find_gaps({bars.source: bars}, max_step_ms)
    return _stretches([(gap.after, gap.before) for gap in gaps], max_step_ms)


def _stretches(gaps: Sequence[tuple[int, int]], step_ms: int) -> list[Finding]:
    if not gaps:
        return []
    after, before = max(gaps, key=lambda gap: gap[1] - gap[0])
    missing = sum(-(-(end - start) // step_ms) - 1 for start, end in gaps)
    text = f"about {missing:,} missing; the longest after {short(after)} and before {short(before)}"
    return [Finding("gap", len(gaps), text, tuple(end for _, end in gaps))]


def _outliers(bars: BarColumns, closes: npt.NDArray[np.float64]) -> list[Finding]:
    returns = np.diff(np.log(closes))
    if len(returns) < 2:
        return []
    deviations = np.abs(returns - np.median(returns))
    deviation = float(np.median(deviations)) or float(np.median(deviations[deviations > 0] or [0]))
    first, second = returns[:-1], returns[1:]
    found = (np.abs(first) > OUTLIER_DEVIATIONS * deviation) & (
        np.abs(first + second) * TAKEN_BACK < np.abs(first)
    )
    rows = (np.flatnonzero(found) + 1).tolist()
    if not rows or deviation == 0:
        return []
    worst = max(rows, key=lambda row: abs(float(returns[row - 1])))
    moved = float(np.expm1(returns[worst - 1]))
    text = f"the largest {moved:+.2%} at {short(bars.close_times[worst])}"
    return [Finding("outlier", len(rows), text, tuple(bars.close_times[row] for row in rows))]


def _silent(bars: BarColumns) -> list[Finding]:
    times = [
        time for time, volume in zip(bars.close_times, bars.volumes, strict=True) if not volume
    ]
    if not times or len(times) == len(bars):
        return []
    return [Finding("zero volume", len(times), _where(times), tuple(times))]


def _mark_deviation(
    mark: BarColumns, name: str, other: BarColumns
) -> tuple[list[tuple[str, str]], list[Finding]]:
    prices = dict(zip(other.close_times, other.closes, strict=True))
    scale = 10.0 ** (other.price_scale - mark.price_scale)
    away = [
        (close * scale / prices[time] - 1, time)
        for time, close in zip(mark.close_times, mark.closes, strict=True)
        if time in prices
    ]
    if not away:
        return [], []
    most, at = max(away, key=lambda pair: abs(pair[0]))
    text = f"{most:+.2%} from the {name} at {short(at)}"
    times = tuple(time for share, time in away if abs(share) > MARK_DEVIATION)
    found = [Finding("mark deviation", len(times), text, times)] if times else []
    return [("largest mark deviation", text)], found


def _where(times: Sequence[int]) -> str:
    first, last = min(times), max(times)
    return f"at {short(first)}" if first == last else f"from {short(first)} to {short(last)}"
