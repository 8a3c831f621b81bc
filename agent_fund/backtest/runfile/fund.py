"""The fund itself: its currency, its mandate, and the money that comes and goes."""

from __future__ import annotations

import datetime as dt

from pydantic import Field, StrictInt

from agent_fund.backtest.runfile.scalars import Number
from agent_fund.backtest.runfile.section import Section


class FundSection(Section):
    """``[fund]``: the currency in which NAV is stated, and the cash at the start."""

    currency: str
    scale: StrictInt = Field(ge=0, le=36)
    cash: Number


class MandateSection(Section):
    """``[mandate]``: the mandate's file and the calibration window, which ends before the test."""

    file: str
    calibrate_start: dt.date
    calibrate_end: dt.date


class FlowSection(Section):
    """``[[flows]]``: money in (positive) or out (negative) on a date."""

    date: dt.date
    amount: Number
    name: str
