"""The look that all charts share: one accent, greys beside it, vermilion for limits alone.

Figures are plain JSON values in Plotly's schema. Colours are Okabe and Ito's (2008), which stay
apart for colour-blind readers and, with the dashes, in a grey print.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

Figure = dict[str, Any]
Trace = dict[str, Any]

ACCENT = "#0072b2"
ACCENT_PALE = "rgba(0,114,178,0.09)"
LIMIT = "#d55e00"
TWIN = "#8b919a"
INK = "#1d2329"
MUTED = "#5b636d"
GRID = "#e9ebee"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

INSTRUMENTS = ("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#cc79a7", "#8b919a")


def times(index: pd.DatetimeIndex) -> list[str]:
    """The x values: dates where there is one bar a day, else date and time; UTC."""
    daily = index.normalize().is_unique
    return [str(t) for t in index.strftime("%Y-%m-%d" if daily else "%Y-%m-%d %H:%M:%S")]


def values(series: pd.Series[float], digits: int) -> list[float | None]:
    """The y values, rounded; None leaves a gap."""
    return [round(v, digits) if np.isfinite(v) else None for v in map(float, series)]


def line(name: str, x: list[str], y: list[float | None], colour: str, **more: Any) -> Trace:
    """A line; ``dash``, ``width`` and everything else of a Plotly scatter trace may follow."""
    style = {"color": colour, "width": more.pop("width", 1.4), "dash": more.pop("dash", "solid")}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style} | more


def layout(height: int, y: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The common layout; ``y`` is the main axis."""
    axis = {"gridcolor": GRID, "linecolor": GRID, "zeroline": False}
    return {
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 34, "b": 42},
        "font": {"family": FONT, "size": 12, "color": MUTED},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": GRID, "font": {"color": INK}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "xaxis": {**axis, "showgrid": False, "ticks": "outside", "tickcolor": GRID},
        "yaxis": {**axis, **y},
    } | more


def escaped(text: str, width: int = 72) -> str:
    """Untrusted ``text`` for a hover label, which reads some HTML: escaped and wrapped."""
    return "<br>".join(html.escape(part) for part in textwrap.wrap(text, width))


def lines(parts: Iterable[str]) -> str:
    """The parts that are not empty, one below the other."""
    return "<br>".join(part for part in parts if part)
