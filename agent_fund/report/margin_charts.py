"""Charts of a fund with perpetuals: funding and fees, margin use, where money stands, the hedge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from agent_fund.domain.instrument import Instrument
from agent_fund.report.figure import (
    ACCENT,
    INK,
    INSTRUMENTS,
    LIMIT,
    MUTED,
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
HEIGHT = 230
HIGHEST = 2.0
"""Margin use and hedge ratios above this are drawn at it: an unhedged short has no ratio."""
DUST = 0.001
"""Share of NAV below which a side of a hedge is a remainder, and no ratio is drawn."""
SHARE: dict[str, Any] = {"hovertemplate": "%{y:.2%}"}


def funding_chart(run: Run) -> Figure:
    """What funding brought and what fees took, each summed up from the start."""
    frame, rows = kept(run)
    x = times(pd.DatetimeIndex(frame.index))
    money = {"hovertemplate": "%{y:,.2f}"}
    funding, fees = run.frame["funding"].cumsum(), -run.fees.cumsum()
    traces = [
        line("Funding", x, values(funding.iloc[rows], 2), ACCENT, width=1.8, **money),
        line("Fees", x, values(fees.iloc[rows], 2), LIMIT, **money),
    ]
    if "unguarded_funding" in run.frame:
        twin = run.frame["unguarded_funding"].cumsum().iloc[rows]
        traces.append(line("Unguarded, funding", x, values(twin, 2), MUTED, dash="dot", **money))
    axis = {"title": {"text": run.currency}, "tickformat": "~s", "zeroline": True}
    return over_time(run, traces, layout(HEIGHT, axis | {"zerolinecolor": "#c9ced4"}))


def margin_chart(run: Run) -> Figure:
    """Maintenance as a share of equity by margin account, under the line of liquidation.

    On a log scale: what a crash multiplies is seen from far below the line too.
    """
    used = [run.margin_use(account).clip(upper=HIGHEST) for account in run.accounts]
    frame, rows = kept(run, [-use for use in used])
    x = times(pd.DatetimeIndex(frame.index))
    traces = []
    for account, use, colour in zip(run.accounts, used, _colours(run.accounts), strict=True):
        y = values(use.where(use > 0).iloc[rows], RATIO_DIGITS + 1)
        traces.append(line(account, x, y, colour, **SHARE))
    traces.append(_flat("Liquidation: 100\N{NO-BREAK SPACE}%", x, 1.0, LIMIT))
    axis: dict[str, Any] = {
        "type": "log",
        "tickvals": [10.0**power for power in range(-4, 1)],
        "ticktext": ["0.01%", "0.1%", "1%", "10%", "100%"],
        "title": {"text": "of equity"},
    }
    stated = run.parts.mandate.guardrail("margin_safety")
    if stated is not None and stated.limit > 1:
        most = 1 / float(stated.limit)
        name = f"Guardrail: {limit_percent(round(most, 4))}"
        traces.append(_flat(name, x, most, INK, width=1))
    return over_time(run, traces, layout(HEIGHT, axis))


def venue_chart(run: Run) -> Figure:
    """The share of NAV that stands at each venue, and what is on its way between them."""
    standing = at_venues(run)
    transit = 1 - standing.sum(axis=1)
    venues = tuple(_venues(run))
    frame, rows = kept(run, [-standing.max(axis=1), -transit])
    x = times(pd.DatetimeIndex(frame.index))
    traces = [
        line(venue, x, values(standing[venue].iloc[rows], RATIO_DIGITS), colour, **SHARE)
        for venue, colour in zip(venues, _colours(venues), strict=True)
    ]
    if bool((transit > DUST).any()):
        moving = values(transit.iloc[rows], RATIO_DIGITS)
        traces.append(line("In transit", x, moving, MUTED, dash="dot", **SHARE))
    axis = {"tickformat": ".0%", "rangemode": "tozero", "title": {"text": "of NAV"}}
    stated = run.parts.mandate.guardrail("venue_exposure")
    if stated is not None:
        most = float(stated.limit)
        traces.append(_flat(f"Guardrail: {limit_percent(most)}", x, most, LIMIT))
    return over_time(run, traces, layout(HEIGHT, axis))


def at_venues(run: Run) -> pd.DataFrame:
    """The share of NAV that stands at each venue, one column each, at closes."""
    frame = run.frame
    standing = {
        venue: frame[[f"equity.{place}" for place in places]].sum(axis=1) / frame["nav"]
        for venue, places in _venues(run).items()
    }
    return pd.DataFrame(standing, index=frame.index)


def hedge_chart(run: Run) -> Figure:
    """Short as a share of long by underlying, in units of it, and the mandate's band."""
    names = hedged(run)
    ratios = [hedge_ratio(run, name) for name in names]
    frame, rows = kept(run, [sign * ratio.fillna(1.0) for ratio in ratios for sign in (1, -1)])
    x = times(pd.DatetimeIndex(frame.index))
    traces = []
    for name, ratio, colour in zip(names, ratios, _colours(names), strict=True):
        traces.append(line(name, x, values(ratio.iloc[rows], RATIO_DIGITS), colour, **SHARE))
    stated = run.parts.mandate.guardrail("hedge_coverage")
    if stated is not None:
        for term in ("at_least", "at_most"):
            most = float(stated.share(term))
            name = f"{term.replace('_', ' ').capitalize()} {limit_percent(most)}"
            traces.append(_flat(name, x, most, LIMIT, width=1.2))
    axis = {"tickformat": ".0%", "title": {"text": "short / long"}}
    return over_time(run, traces, layout(HEIGHT, axis))


def hedged(run: Run) -> tuple[str, ...]:
    """The underlyings of the perpetuals, in the order of the instruments."""
    found = (i.underlying for i in run.parts.instruments if i.margin is not None)
    return tuple(dict.fromkeys(found))


def hedge_ratio(run: Run, underlying: str) -> pd.Series[float]:
    """Short over long in units of ``underlying``; no value where neither side is held.

    Remainders below DUST of NAV count as nothing; the ratio is HIGHEST at most.
    """
    lines = [i for i in run.parts.instruments if i.underlying == underlying]
    long, short = (sum((_units(run, i, sign) for i in lines), start=_none(run)) for sign in (1, -1))
    ratio = np.where(short > 0, HIGHEST, np.nan)
    held = (long > 0).to_numpy()
    ratio[held] = (short[held] / long[held]).clip(upper=HIGHEST)
    return pd.Series(ratio, index=run.frame.index)


def _units(run: Run, instrument: Instrument, sign: int) -> pd.Series[float]:
    """Units of the underlying held on one side; zero where that is dust."""
    frame, symbol = run.frame, instrument.symbol
    held = (sign * frame[f"position.{symbol}"]).clip(lower=0) * float(instrument.contract)
    return held.where(sign * frame[f"exposure.{symbol}"] > DUST, 0.0)


def _none(run: Run) -> pd.Series[float]:
    return pd.Series(0.0, index=run.frame.index)


def _venues(run: Run) -> dict[str, list[str]]:
    """The places of each venue, in the order of the instruments."""
    found: dict[str, list[str]] = {}
    for instrument in run.parts.instruments:
        places = found.setdefault(instrument.venue.name, [])
        if instrument.account not in places:
            places.append(instrument.account)
    return found


def _colours(names: tuple[str, ...]) -> list[str]:
    return [INSTRUMENTS[number % len(INSTRUMENTS)] for number in range(len(names))]


def _flat(name: str, x: list[str], at: float, colour: str, *, width: float = 1.4) -> Trace:
    """A limit from end to end."""
    ends, y = [x[0], x[-1]], values(pd.Series([at, at]), RATIO_DIGITS)
    return line(name, ends, y, colour, dash="dash", width=width, hoverinfo="skip")
