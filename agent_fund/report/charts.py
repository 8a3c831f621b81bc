"""The three charts of the fund over time: NAV above its floor, drawdown, exposure under its cap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from agent_fund.report.figure import (
    ACCENT,
    ACCENT_PALE,
    GRID,
    INK,
    INSTRUMENTS,
    LIMIT,
    MUTED,
    TWIN,
    Figure,
    Trace,
    layout,
    line,
    times,
    values,
)
from agent_fund.report.numbers import limit_percent
from agent_fund.report.over_time import kept, over_time
from agent_fund.report.run import Run

RATIO_DIGITS = 5
BROKEN = (
    ("max_drawdown", "Limit broken", "x"),
    ("fixed_floor", "Fixed floor broken", "x"),
    ("margin_safety", "Liquidated by the venue", "star-triangle-down"),
)


def nav_chart(run: Run) -> Figure:
    """NAV, its high-water mark, the floor that the mandate promises, and the unguarded twin."""
    frame, rows = kept(run)
    x = times(pd.DatetimeIndex(frame.index))
    digits = max(0, 7 - len(str(int(frame["mark"].max()))))
    money = {"hovertemplate": f"%{{y:,.{min(digits, 2)}f}}"}
    floor = f"Floor: {limit_percent(1 - run.limit)} of the mark"
    traces = [
        line(floor, x, values(frame["floor"], digits), LIMIT, dash="dash", **money),
        line(
            "High-water mark",
            x,
            values(frame["mark"], digits),
            MUTED,
            dash="dot",
            width=1,
            fill="tonexty",
            fillcolor=ACCENT_PALE,
            **money,
        ),
    ]
    if run.twin:
        twin = frame["unguarded_nav"]
        traces.append(line("Unguarded", x, values(twin, digits), TWIN, **money))
        beyond = run.unguarded_beyond.iloc[rows]
        if beyond.any():
            over = line(
                "Unguarded, beyond the limit",
                x,
                values(twin.where(beyond), digits),
                LIMIT,
                width=2,
                hoverinfo="skip",
            )
            traces.append(over)
    nav = values(frame["nav"], digits)
    traces.append(line("Fund", x, nav, ACCENT, width=2.2, **money))
    traces += _breaches(run, digits)
    axis = {"title": {"text": run.currency}, "tickformat": "~s"}
    return over_time(run, traces, layout(400, axis), named=True)


def drawdown_chart(run: Run) -> Figure:
    """The share below the mark, with and without the guard, against the limit."""
    frame, rows = kept(run)
    x = times(pd.DatetimeIndex(frame.index))
    # Three decimals of what was rounded down: nothing beyond the limit reads as within it.
    share: dict[str, Any] = {"hovertemplate": "%{y:.3%}"}
    traces = []
    if run.twin:
        y = values(_down(run.unguarded_drawdown.iloc[rows]), RATIO_DIGITS)
        traces.append(line("Unguarded", x, y, TWIN, **share))
    y = values(_down(run.drawdown.iloc[rows]), RATIO_DIGITS)
    filled = {"fill": "tozeroy", "fillcolor": ACCENT_PALE}
    traces.append(line("Fund", x, y, ACCENT, width=1.8, **filled, **share))
    ends = [x[0], x[-1]]
    limit = [-run.limit, -run.limit]
    name = f"Limit: {limit_percent(run.limit)}"
    traces.append(line(name, ends, [*limit], LIMIT, dash="dash", hoverinfo="skip"))
    axis = {"tickformat": ".0%", "rangemode": "tozero"}
    return over_time(run, traces, layout(250, axis))


def _down(drawdown: pd.Series[float]) -> pd.Series[float]:
    """Rounded away from zero; what floats add beyond a millionth of a percent is noise."""
    steps = np.floor((drawdown.to_numpy() * 10**RATIO_DIGITS).round(3))
    return pd.Series(steps / 10**RATIO_DIGITS, index=drawdown.index)


def exposure_chart(run: Run) -> Figure:
    """Exposure by instrument, stacked, under the cap of the day and the cap at no drawdown."""
    frame, _ = kept(run)
    x = times(pd.DatetimeIndex(frame.index))
    share: dict[str, Any] = {"hovertemplate": "%{y:.1%}"}
    traces = []
    for number, (name, held) in enumerate(_held(run, frame)):
        colour = INSTRUMENTS[number % len(INSTRUMENTS)]
        stacked = {"stackgroup": "held", "width": 0.6}
        traces.append(line(name, x, values(held, RATIO_DIGITS), colour, **stacked, **share))
    cap = values(frame["cap"], RATIO_DIGITS)
    peak = values(frame["cap_at_peak"], RATIO_DIGITS)
    traces.append(line("Cap at no drawdown", x, peak, MUTED, dash="dot", width=1, **share))
    traces.append(line("Cap of the day", x, cap, LIMIT, dash="dash", **share))
    gross = run.parts.mandate.guardrail("gross_leverage")
    if gross is not None:
        most = float(gross.limit)
        name = f"Gross leverage: {limit_percent(most)}"
        ends, flat = [x[0], x[-1]], values(pd.Series([most, most]), RATIO_DIGITS)
        traces.append(line(name, ends, flat, INK, width=1, hoverinfo="skip"))
    axis = {"tickformat": ".0%", "rangemode": "tozero", "title": {"text": "share of NAV"}}
    return over_time(run, traces, layout(270, axis))


def _held(run: Run, frame: pd.DataFrame) -> list[tuple[str, pd.Series[float]]]:
    """Exposure by name; beyond as many as there are colours, the smallest ones together."""
    columns = {i.symbol: frame[f"exposure.{i.symbol}"].abs() for i in run.parts.instruments}
    if len(columns) <= len(INSTRUMENTS):
        return list(columns.items())
    ranked = sorted(columns, key=lambda s: (-float(columns[s].mean()), s))
    shown, rest = ranked[: len(INSTRUMENTS) - 1], ranked[len(INSTRUMENTS) - 1 :]
    others = pd.concat([columns[s] for s in rest], axis=1).sum(axis=1)
    return [*((s, columns[s]) for s in shown), (f"{len(rest)} others", others)]


def _breaches(run: Run, digits: int) -> list[Trace]:
    stamps = times(pd.DatetimeIndex(run.frame.index))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [stamps[b.bar] for b in breaches],
            "y": [round(run.nav(b.nav), digits) for b in breaches],
            "marker": {
                "symbol": symbol,
                "size": 10,
                "color": INK,
                "line": {"color": GRID, "width": 1},
            },
            "hovertemplate": "%{y:,.2f}",
        }
        for limit, name, symbol in BROKEN
        if (breaches := [b for b in run.monitor.breaches if b.limit == limit])
    ]
