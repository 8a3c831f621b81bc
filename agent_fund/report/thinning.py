"""Fewer rows for a chart, without losing what a chart is read for: every bucket keeps its worst.

A run of a year of minutes has half a million bars and a screen a thousand columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

T = TypeVar("T")

MAX_ROWS = 4000
MAX_MARKS = 2000


def kept_rows(length: int, lowest: Sequence[pd.Series[float]]) -> npt.NDArray[np.intp]:
    """Numbers of the rows to draw: all, or each bucket's last row and its minimum of each series.

    Args:
        lowest: series of ``length`` whose minima must be seen.
    """
    if length <= MAX_ROWS:
        return np.arange(length)
    buckets = MAX_ROWS // (1 + len(lowest))
    edges = np.linspace(0, length, buckets + 1).astype(np.intp)
    kept = {0}
    for start, end in itertools.pairwise(edges):
        kept.add(int(end) - 1)
        kept |= {int(start + np.argmin(series.to_numpy()[start:end])) for series in lowest}
    return np.array(sorted(kept), dtype=np.intp)


def evenly(marks: Sequence[T], most: int = MAX_MARKS) -> list[T]:
    """All ``marks``, or ``most`` of them evenly spaced, the first and the last among them."""
    if len(marks) <= most:
        return list(marks)
    return [marks[i] for i in np.linspace(0, len(marks) - 1, most).astype(int)]
