"""What every chart over time shares: rows thinned alike, modes shaded, stress windows named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from agent_fund.report.figure import Figure, Trace, escaped, times
from agent_fund.report.run import Run
from agent_fund.report.stress_windows import Seen, windows_seen
from agent_fund.report.thinning import kept_rows

MODES = {
    "reducing": ("Reducing", "rgba(230,159,0,0.20)"),
    "exiting": ("Exiting", "rgba(213,94,0,0.17)"),
    "halted": ("Halted", "rgba(91,99,109,0.15)"),
    "held": ("Held", "rgba(0,158,115,0.14)"),
}
BAND_AXIS = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
WINDOW = "rgba(204,121,167,0.16)"
WINDOW_EDGE = "rgba(204,121,167,0.55)"
WINDOW_INK = "#8f4573"
LABEL_ROW = 14
LABEL_SIZE = 10
LETTER = 0.006
"""Width of a letter of a label as a share of the chart, at the page's full width."""


def over_time(
    run: Run, traces: list[Trace], shape: dict[str, Any], *, named: bool = False
) -> Figure:
    """The figure over the whole run, modes and stress windows shaded; ``named``: modes too."""
    bands = [band | {"showlegend": named} for band in _mode_bands(run)]
    if bands:
        shape["yaxis9"] = BAND_AXIS
    stamps = times(pd.DatetimeIndex(run.frame.index))
    shape["xaxis"]["range"] = [stamps[0], stamps[-1]]
    return {"data": [*bands, *traces], "layout": with_windows(run, shape)}


def kept(
    run: Run, lowest: Sequence[pd.Series[float]] = ()
) -> tuple[pd.DataFrame, npt.NDArray[np.intp]]:
    """The rows to draw, and their numbers; minima of ``lowest`` are kept, or of the drawdowns."""
    seen = lowest or [run.drawdown, *([run.unguarded_drawdown] if run.twin else [])]
    rows = kept_rows(len(run.frame), seen)
    return run.frame.iloc[rows], rows


def with_windows(run: Run, shape: dict[str, Any]) -> dict[str, Any]:
    """The layout with the stress windows shaded, and named between plot and legend."""
    seen = windows_seen(run)
    if not seen:
        return shape
    stamps = times(pd.DatetimeIndex(run.frame.index))
    shapes = [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": "paper",
            "x0": stamps[window.before],
            "x1": stamps[window.last],
            "y0": 0,
            "y1": 1,
            "fillcolor": WINDOW,
            # Two days of six years are narrower than a pixel: the edge is drawn too.
            "line": {"color": WINDOW_EDGE, "width": 1},
        }
        for window in seen
    ]
    labels, rows = _labels(run, seen, stamps)
    room = LABEL_ROW * rows
    return shape | {
        "shapes": shapes,
        "annotations": labels,
        "height": shape["height"] + room,
        "margin": shape["margin"] | {"t": shape["margin"]["t"] + room},
        "legend": shape["legend"] | {"yref": "container", "y": 1, "yanchor": "top"},
    }


def _labels(run: Run, seen: list[Seen], stamps: list[str]) -> tuple[list[dict[str, Any]], int]:
    """Each window's name above it, in the lowest row where it covers no other; and the rows."""
    closes = pd.DatetimeIndex(run.frame.index)
    span = max((closes[-1] - closes[0]).total_seconds(), 1.0)
    taken: list[float] = []
    labels = []
    for window in seen:
        at = (closes[window.before] - closes[0]).total_seconds() / span
        width = LETTER * len(window.window.name) + 0.01
        left = at + width < 1
        begin = at if left else at - width
        row = next((r for r, end in enumerate(taken) if end <= begin), len(taken))
        taken[row : row + 1] = [begin + width]
        labels.append(
            {
                "x": stamps[window.before if left else window.last],
                "xref": "x",
                "xanchor": "left" if left else "right",
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "yshift": LABEL_ROW * row,
                "text": escaped(window.window.name),
                "showarrow": False,
                "font": {"size": LABEL_SIZE, "color": WINDOW_INK},
                "borderpad": 0,
            }
        )
    return labels, len(taken)


def _mode_bands(run: Run) -> list[Trace]:
    """Shaded bands, bar by bar, where the agent was locked out; on an axis from 0 to 1, ``y9``."""
    stamps = times(pd.DatetimeIndex(run.frame.index))
    traces = []
    for mode, (name, colour) in MODES.items():
        x: list[str | None] = []
        y: list[int | None] = []
        for start, end in _stretches(run.modes.to_numpy() == mode):
            until = stamps[min(end, len(stamps) - 1)]
            x += [stamps[start], stamps[start], until, until, None]
            y += [0, 1, 1, 0, None]
        if x:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": x,
                    "y": y,
                    "yaxis": "y9",
                    "fill": "toself",
                    "fillcolor": colour,
                    # A single bar among thousands is narrower than a pixel: the edge is drawn too.
                    "line": {"color": colour, "width": 1},
                    "hoverinfo": "skip",
                }
            )
    return traces


def _stretches(inside: Any) -> Iterator[tuple[int, int]]:
    """(first, one past the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])).astype(np.int8)))
    yield from zip(map(int, edges[::2]), map(int, edges[1::2]), strict=True)
