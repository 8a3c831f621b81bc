"""The page of ``agent-fund data check``: each series a picture, its findings marked, and listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agent_fund.audit.atomic import replace_file
from agent_fund.market.gaps import iso
from agent_fund.market.quality import RULES, Finding, Quality
from agent_fund.report.document import figure_json, page_scripts, page_style, policy_of, templates
from agent_fund.report.figure import ACCENT, INK, LIMIT, MUTED, Figure, layout, line, times, values
from agent_fund.report.thinning import evenly, kept_rows

HEIGHT = 380
DIGITS = 8
LISTED = 12
MARKERS = {
    "gap": ("line-ns-open", LIMIT, 16),
    "outlier": ("circle-open", LIMIT, 11),
    "zero volume": ("triangle-down", "#e69f00", 9),
    "mark deviation": ("diamond-open", "#cc79a7", 10),
    "unsorted": ("square-open", MUTED, 9),
    "duplicate": ("cross-thin-open", INK, 10),
    "inconsistent": ("x-thin-open", INK, 10),
}


def write_data_check(path: Path, checked: Sequence[Quality]) -> None:
    """Write the page to ``path``.

    Raises:
        OSError: if it cannot be written.
    """
    replace_file(path, page(checked).encode())


def page(checked: Sequence[Quality]) -> str:
    """The whole page as HTML."""
    scripts = page_scripts()
    found = [quality for quality in checked if quality.findings]
    series = [
        {
            "id": f"series-{number}",
            "quality": quality,
            "chart": figure_json(_chart(quality)),
            "findings": [_row(finding) for finding in quality.findings],
        }
        for number, quality in enumerate(checked)
    ]
    return (
        templates()
        .get_template("data_check.html.j2")
        .render(
            policy=policy_of(scripts),
            style=page_style(),
            scripts=scripts,
            title=f"{len(found)} of {len(checked)} with findings" if found else "All clean",
            clean=not found,
            series=series,
            rules=RULES,
            iso=iso,
        )
    )


def _chart(quality: Quality) -> Figure:
    index = pd.DatetimeIndex(np.array(quality.times, dtype="datetime64[ms]"))
    frame = pd.Series(quality.values, index=index)
    kept = frame.iloc[kept_rows(len(frame), [frame, -frame])]
    x, y = times(pd.DatetimeIndex(kept.index)), values(kept, DIGITS)
    name = "Close" if quality.kind == "bars" else "Rate"
    shown = ",.8~f" if quality.kind == "bars" else ".4%"
    traces = [line(name, x, y, ACCENT, width=1, hovertemplate=f"%{{y:{shown}}}")]
    traces += [_marks(finding, frame) for finding in quality.findings if finding.times]
    axis: dict[str, Any] = {"title": {"text": "close, log scale"}, "type": "log", "dtick": "D2"}
    if quality.kind == "funding":
        axis = {"title": {"text": "rate"}, "tickformat": ".2%"}
    shape = layout(HEIGHT, axis, hovermode="closest")
    shape["xaxis"]["range"] = [x[0], x[-1]]
    return {"data": traces, "layout": shape}


def _marks(finding: Finding, series: pd.Series[float]) -> dict[str, Any]:
    """The findings of one rule on the line, or, where it has no row then, on the one before."""
    symbol, colour, size = MARKERS.get(finding.rule, ("circle-open", INK, 9))
    shown = evenly(finding.times)
    at = np.array(shown, dtype="datetime64[ms]")
    index = series.index.to_numpy()
    rows = np.clip(np.searchsorted(index, at, side="right") - 1, 0, len(series) - 1)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{finding.rule} ({finding.count:,})",
        "x": [iso(time)[:19].replace("T", " ") for time in shown],
        "y": values(series.iloc[rows], DIGITS),
        "marker": {"symbol": symbol, "color": colour, "size": size, "line": {"width": 1.6}},
        "hovertemplate": f"{finding.rule}<br>%{{x}}<extra></extra>",
    }


def _row(finding: Finding) -> dict[str, str]:
    listed = ", ".join(iso(time)[:16].replace("T", " ") for time in finding.times[:LISTED])
    rest = len(finding.times) - LISTED
    return {
        "rule": finding.rule,
        "count": f"{finding.count:,}",
        "text": finding.text,
        "times": f"{listed} and {rest:,} more" if rest > 0 else listed,
    }
