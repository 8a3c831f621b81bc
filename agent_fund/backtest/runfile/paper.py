"""How the same fund runs on real venues, in real time."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from agent_fund.backtest.runfile.scalars import Period, Ratio, seconds
from agent_fund.backtest.runfile.section import Section

_LONGEST = 100  # seconds that a fund may look away


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


class LiveModelSection(Section):
    """``[paper.model]``: the endpoint that is asked, in the place of a cassette.

    Attributes:
        url: of an OpenAI-compatible endpoint, such as ``"https://api.openai.com/v1"``.
        key: ``"env:NAME"``, the environment variable that holds its key; empty if it asks for none.
        timeout: after which it counts as silent, at most 100 s; nothing else happens meanwhile, and
            venues' dead-man timers run.
    """

    url: str = Field(pattern="^https?://")
    key: str = ""
    timeout: Period = "30s"

    @model_validator(mode="after")
    def _require_a_short_one(self) -> Self:
        if seconds(self.timeout) > _LONGEST:
            raise ValueError(f"timeout {self.timeout} is too long: state at most {_LONGEST}s")
        return self


class PaperSection(Section):
    """``[paper]``: how the same fund runs on real venues, in real time.

    Attributes:
        bar: length of a bar on the clock, such as ``"1h"``; prices are sampled inside it.
        bars: after how many the run ends by itself; 0 for never.
        at_end: what becomes of positions then: they are held, by nobody's guard any more, or closed
            through the guard's way out.
        connections: the file that says how each venue is reached; a path in the workspace.
        route: how purchases are routed; without it they go where the strategy says, or nowhere.
        model: who answers the strategy's questions; without it, its cassette.
    """

    bar: Period
    bars: StrictInt = Field(ge=0)
    at_end: Literal["hold", "flatten"] = "hold"
    connections: str
    route: RouteSection | None = None
    model: LiveModelSection | None = None

    @model_validator(mode="after")
    def _require_an_end(self) -> Self:
        if self.at_end == "flatten" and not self.bars:
            raise ValueError("with bars = 0 it has no end: state bars, or leave at_end out")
        return self
