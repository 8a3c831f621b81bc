"""What the report tells besides: windows of days, and the same strategy unguarded."""

from __future__ import annotations

import datetime as dt

from pydantic import StrictBool, model_validator

from agent_fund.backtest.runfile.section import Section


class WindowSection(Section):
    """``[[windows]]``: a stretch of days, ``end`` the last of them, that the report tells of."""

    name: str
    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _ordered(self) -> WindowSection:
        if self.end < self.start:
            raise ValueError(f"window {self.name!r} ends on {self.end}, before it starts")
        return self


class CompareSection(Section):
    """``[compare]``: whether the same strategy also runs unguarded, beside the fund."""

    unguarded: StrictBool
