"""Writes ``report.html``: one file that needs no network, the same bytes for the same run.

A model's words stand on this page, so nothing of it is trusted: the template escapes all text,
hover labels are escaped before they become JSON, JSON cannot close its element, and a
Content-Security-Policy lets only the page's own two scripts run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from agent_fund.audit.atomic import replace_file
from agent_fund.fund.monitor import Monitor
from agent_fund.report import tables, words
from agent_fund.report.assumptions import assumptions
from agent_fund.report.charts import drawdown_chart, exposure_chart, nav_chart
from agent_fund.report.decision_chart import decision_chart
from agent_fund.report.figure import Figure
from agent_fund.report.run import Parts, Run
from agent_fund.report.tiles import tiles

NAME = "report.html"
HERE = Path(__file__).resolve().parent


def write_report(
    folder: Path,
    parts: Parts,
    summary: Mapping[str, Any],
    frame: pd.DataFrame,
    records: Sequence[Mapping[str, Any]],
    monitor: Monitor,
) -> None:
    """Write the page of one run into its folder.

    Args:
        summary: as in ``summary.json``.
        frame: one row a bar, index close_time; columns as ``backtest.history.frame_of`` gives.
        records: the log's records, in order of their index.

    Raises:
        OSError: if the folder cannot be written.
    """
    replace_file(folder / NAME, page(Run(parts, summary, frame, records, monitor)).encode())


def page(run: Run) -> str:
    """The whole page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [get_plotlyjs(), (HERE / "draw.js").read_text("utf-8")]
    return environment.get_template("page.html.j2").render(
        run=run,
        policy=_policy(scripts),
        style=Markup((HERE / "style.css").read_text("utf-8")),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - Plotly's and our own file
        verdict=words.verdict(run),
        condition=words.condition(run),
        cautions=words.cautions(run),
        price=words.price(run) if run.twin else "",
        exposure=words.exposure(run),
        assumptions=assumptions(run),
        tiles=tiles(run),
        reasons=tables.reasons(run),
        tables=tables,
        charts={
            "nav": _json(nav_chart(run)),
            "drawdown": _json(drawdown_chart(run)),
            "exposure": _json(exposure_chart(run)),
            "decisions": _json(decision_chart(run)),
        },
    )


def _json(figure: Figure) -> Markup:
    """The figure as JSON that no HTML parser reads as anything but text."""
    text = json.dumps(figure, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - without < > & it holds no markup


def _policy(scripts: Sequence[str]) -> str:
    """A policy (CSP level 2) under which only these very scripts run."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
