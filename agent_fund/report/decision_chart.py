"""The chart of decisions: how much of each proposal was sent, and what the guard did by itself."""

from __future__ import annotations

import pandas as pd

from agent_fund.report.decisions import (
    ACTS,
    Abstention,
    Act,
    Decision,
    abstentions,
    acts,
    decisions,
)
from agent_fund.report.figure import (
    ACCENT,
    GRID,
    LIMIT,
    MUTED,
    TWIN,
    Figure,
    Trace,
    escaped,
    layout,
    lines,
    times,
)
from agent_fund.report.numbers import limit_percent
from agent_fund.report.over_time import with_windows
from agent_fund.report.run import Run
from agent_fund.report.thinning import MAX_MARKS, evenly

OUTCOMES = {
    "admitted": ("Admitted", ACCENT, "circle"),
    "repaired": ("Repaired: a share was sent", "#e69f00", "triangle-down"),
    "refused": ("Refused", LIMIT, "x"),
}
MAX_REASON = 240
MAX_DECISIONS = 600
"""Of each kind of mark that carries words."""


def decision_chart(run: Run) -> Figure:
    """Above: the share of each proposal that was sent. Below: abstentions and the guard's acts."""
    stamps = times(pd.DatetimeIndex(run.frame.index))
    traces = []
    made = decisions(run)
    for outcome, (name, colour, symbol) in OUTCOMES.items():
        some = evenly([d for d in made if d.outcome == outcome], MAX_DECISIONS)
        if some:
            traces.append(
                _marks(
                    name,
                    [stamps[d.bar] for d in some],
                    [round(d.theta, 4) for d in some],
                    [_decision_text(d) for d in some],
                    {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.8},
                )
            )
    lanes = []
    missed = evenly(abstentions(run))
    if missed:
        lanes.append("agent abstains")
        text = [escaped(_cut(a.reason)) for a in missed]
        traces.append(_lane(stamps, missed, lanes[-1], text, MUTED))
    done = acts(run)
    for act, words in ACTS.items():
        most = MAX_MARKS if act == "look" else MAX_DECISIONS
        events = evenly([a for a in done if a.act == act], most)
        if events:
            lanes.append(words)
            text = [lines([escaped(a.why), escaped(a.legs)]) or words for a in events]
            traces.append(_lane(stamps, events, words, text, TWIN if act == "look" else LIMIT))
    share = {
        "domain": [0.12 + 0.1 * len(lanes), 1] if lanes else [0, 1],
        "tickformat": ".0%",
        "range": [-0.08, 1.08],
        "title": {"text": "share sent"},
    }
    height = 250 + 30 * len(lanes)
    figure = layout(height, share, hovermode="closest")
    figure["yaxis"]["automargin"] = True
    figure["xaxis"] |= {"range": [stamps[0], stamps[-1]], "anchor": "y2" if lanes else "y"}
    if lanes:
        figure["yaxis2"] = {
            "domain": [0, 0.02 + 0.1 * len(lanes)],
            "type": "category",
            "categoryarray": lanes[::-1],
            "range": [-0.7, len(lanes) - 0.3],
            "gridcolor": GRID,
            "automargin": True,
        }
    return {"data": traces, "layout": with_windows(run, figure)}


def _decision_text(decision: Decision) -> str:
    sent = "" if decision.outcome == "admitted" else f"<b>sent</b> {escaped(decision.sent) or '–'}"
    head = OUTCOMES[decision.outcome][0].partition(":")[0]
    share = f" to {limit_percent(round(decision.theta, 3))}" if 0 < decision.theta < 1 else ""
    return lines(
        [
            f"<b>{head}{share}</b>",
            f"<b>asked</b> {escaped(decision.asked)}",
            sent,
            f"<b>agent</b> {escaped(_cut(decision.reason))}" if decision.reason else "",
            *(f"<b>guard</b> {escaped(words)}" for words in decision.why),
        ]
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


def _marks(
    name: str, x: list[str], y: list[float], text: list[str], marker: dict[str, object]
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "text": text,
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
        "marker": marker,
        "cliponaxis": False,
    }


def _lane(
    stamps: list[str],
    events: list[Act] | list[Abstention],
    lane: str,
    text: list[str],
    colour: str,
) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": lane,
        "showlegend": False,
        "x": [stamps[e.bar] for e in events],
        "y": [lane] * len(events),
        "text": text,
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
        "marker": {"symbol": "line-ns-open", "size": 11, "color": colour, "line": {"width": 1.5}},
        "yaxis": "y2",
    }
