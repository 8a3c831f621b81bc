"""How often prices left their boxes within each horizon, and Kupiec's test of the rate declared.

A window begins at a close. It is outside if, at any open up to its horizon or any close before the
last of them, the last price or the mark has left the box around the mark it began at: what
calibration measures and the monitor watches. Counts are exact. Prices are judged without funding,
against the box without its carry.

Kupiec's proportion-of-failures test (P. Kupiec, Techniques for Verifying the Accuracy of Risk
Measurement Models, Journal of Derivatives 3(2), 1995) asks whether ``outside`` of ``windows`` agree
with the declared rate. It takes windows for independent; these overlap beyond one open, so its
p-values are a guide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from agent_fund.audit.canonical import JSON
from agent_fund.backtest.calibrated import histories
from agent_fund.backtest.joint_coverage import joint_counts
from agent_fund.backtest.metrics import decimal_text
from agent_fund.backtest.parts import Parts
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.market.bars import BarTable
from agent_fund.market.catalog import Catalog
from agent_fund.market.load import DataSets

TOGETHER = "all together"


@dataclass(frozen=True)
class Kupiec:
    """The likelihood ratio, and the probability of one as large if the declared rate is true."""

    ratio: float
    p_value: float


def kupiec(windows: int, outside: int, expected: Fraction) -> Kupiec:
    """Kupiec's test; the ratio is chi-squared with one degree of freedom.

    Args:
        expected: the declared rate, between 0 and 1.
    """
    rate = float(expected)
    inside = windows - outside
    log_expected = outside * math.log(rate) + inside * math.log1p(-rate)
    log_seen = sum(n * math.log(n / windows) for n in (outside, inside) if n)
    ratio = max(0.0, 2 * (log_seen - log_expected))
    return Kupiec(ratio, math.erfc(math.sqrt(ratio / 2)))


def counts(past: Past, box: tuple[int, int], horizon: int) -> list[tuple[int, int]]:
    """For each horizon from 1 on: how many windows there are, and how many left ``box``."""
    largest = max([1, *past.opens, *past.mark_opens, *past.mark_closes])
    fits = largest * (SCALE + max(map(abs, box))) < 1 << 63
    opens, mark_opens, closes = (
        np.array(prices, dtype=np.int64 if fits else object)
        for prices in (past.opens, past.mark_opens, past.mark_closes)
    )
    low, high = closes * (SCALE + box[0]), closes * (SCALE + box[1])

    def left(prices: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        moved = prices[step:] * SCALE
        found: npt.NDArray[np.bool_] = (moved < low[: len(moved)]) | (moved > high[: len(moved)])
        return found

    found = []
    outside = np.zeros(len(closes), dtype=np.bool_)
    for step in range(1, horizon + 1):
        outside = outside[: max(0, len(closes) - step)] | left(opens) | left(mark_opens)
        found.append((len(outside), int(outside.sum())))
        outside |= left(closes)
    return found


def coverage(parts: Parts) -> dict[str, JSON]:
    """Canonical JSON values for both windows: an entry for each instrument and horizon, and for
    the set as a whole if it ties instruments to each other."""
    stress, runfile = parts.mandate.stress, parts.runfile
    datasets = {
        section.symbol: DataSets(section.dataset, instrument, section.mark)
        for section, instrument in zip(runfile.instruments, parts.instruments, strict=True)
    }
    catalog = Catalog(parts.workspace / runfile.market.catalog)
    return {
        "expected": str(stress.expected),
        "calibration": _judged(stress, histories(runfile, catalog, datasets, stress.horizon)),
        "test": _judged(stress, {s: _of(parts.test, s) for s in parts.test.opens}),
    }


def _of(table: BarTable, symbol: str) -> Past:
    opens, closes = table.opens[symbol], table.closes[symbol]
    marks = table.mark_opens.get(symbol, opens), table.mark_closes.get(symbol, closes)
    return Past(table.close_times, opens, *marks)


def _judged(stress: Stress, pasts: Mapping[str, Past]) -> list[JSON]:
    found: list[JSON] = []
    for symbol, (low, high) in zip(stress.instruments, stress.box, strict=False):
        paid, received = stress.carry.get(symbol, (0, 0))
        every = counts(pasts[symbol], (low + paid, high - received), stress.horizon)
        found += _entries(symbol, every, stress.expected)
    if stress.kernel.rows:
        found += _entries(TOGETHER, joint_counts(stress, pasts), stress.expected)
    return found


def _entries(of: str, every: Sequence[tuple[int, int]], expected: Fraction) -> Iterator[JSON]:
    for opens, (windows, outside) in enumerate(every, 1):
        entry: dict[str, JSON] = {
            "of": of,
            "opens": opens,
            "windows": windows,
            "outside": outside,
        }
        if windows:
            test = kupiec(windows, outside, expected)
            entry["kupiec"] = decimal_text(test.ratio)
            entry["p_value"] = decimal_text(test.p_value)
        yield entry
