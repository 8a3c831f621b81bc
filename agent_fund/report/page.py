"""Writes ``report.html``: one file that needs no network, the same bytes for the same run.

A model's words stand on this page, so nothing of it is trusted: the template escapes all text,
hover labels are escaped before they become JSON, JSON cannot close its element, and a
Content-Security-Policy lets only the page's own two scripts run and nothing be loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from agent_fund.audit.atomic import replace_file
from agent_fund.fund.monitor import Monitor
from agent_fund.report import tables, terms, words
from agent_fund.report.assumptions import assumptions
from agent_fund.report.box_coverage import box_coverage
from agent_fund.report.charts import drawdown_chart, exposure_chart, nav_chart
from agent_fund.report.decision_chart import decision_chart
from agent_fund.report.document import figure_json, page_scripts, page_style, policy_of, templates
from agent_fund.report.figure import Figure
from agent_fund.report.margin_charts import funding_chart, hedge_chart, margin_chart, venue_chart
from agent_fund.report.run import Parts, Run
from agent_fund.report.tiles import tiles
from agent_fund.report.window_cards import cards

NAME = "report.html"


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
    scripts = page_scripts()
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            run=run,
            policy=policy_of(scripts),
            style=page_style(),
            scripts=scripts,
            verdict=words.verdict(run),
            condition=words.condition(run),
            cautions=words.cautions(run),
            price=words.price(run) if run.twin else "",
            exposure=words.exposure(run),
            assumptions=assumptions(run),
            box_coverage=box_coverage,
            tiles=tiles(run),
            windows=cards(run),
            reasons=tables.reasons(run),
            tables=tables,
            terms=terms,
            charts={
                "nav": figure_json(nav_chart(run)),
                "drawdown": figure_json(drawdown_chart(run)),
                "exposure": figure_json(exposure_chart(run)),
                "decisions": figure_json(decision_chart(run)),
                **{name: figure_json(figure) for name, figure in _margined(run).items()},
            },
        )
    )


def _margined(run: Run) -> dict[str, Figure]:
    """The charts of a fund that may hold perpetuals, by name; no others have them."""
    if not run.margined:
        return {}
    found = {"funding": funding_chart(run), "margin": margin_chart(run), "hedge": hedge_chart(run)}
    if len({i.venue for i in run.parts.instruments}) > 1:
        found["venues"] = venue_chart(run)
    return found
