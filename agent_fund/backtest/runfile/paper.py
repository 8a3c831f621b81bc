"""How the same fund runs on real venues, in real time."""

from __future__ import annotations

from pydantic import Field, StrictBool, StrictInt

from agent_fund.backtest.runfile.scalars import Period, Ratio
from agent_fund.backtest.runfile.section import Section


class RouteSection(Section):
    """``[paper.route]``: purchases that lack cash at their venue are routed.

    Attributes:
        any_venue: whether a purchase may go to any venue that trades the same underlying.
        parts: into how many parts it may be split over venues; 1 never splits.
        tolerance: how far beyond an indicative quote a limit may lie, as a share of the price.
        risk_per_hour: what an hour under way is taken to cost, as a share of the amount.
    """

    any_venue: StrictBool
    parts: StrictInt = Field(ge=1, le=16)
    tolerance: Ratio
    risk_per_hour: Ratio


class PaperSection(Section):
    """``[paper]``: how the same fund runs on real venues, in real time.

    Attributes:
        bar: length of a bar on the clock, such as ``"1h"``; prices are sampled inside it.
        bars: after how many the run ends by itself; 0 for never.
        connections: the file that says how each venue is reached; a path in the workspace.
        route: how purchases are routed; without it they go where the strategy says, or nowhere.
    """

    bar: Period
    bars: StrictInt = Field(ge=0)
    connections: str
    route: RouteSection | None = None
