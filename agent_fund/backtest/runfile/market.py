"""The test window, and the catalog that its bars come from."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from agent_fund.backtest.runfile.section import Section


class MarketSection(Section):
    """``[market]``: the test window, and where bars come from.

    Attributes:
        catalog: folder of the Parquet catalog, filled from the instruments' sources if need be.
        start, end: first day in, first day out; UTC.
        gaps: ``"refuse"``, or ``"skip"``: keep the bars that all have, and log every gap.
    """

    catalog: str = "catalog"
    start: dt.date
    end: dt.date
    gaps: Literal["refuse", "skip"] = "refuse"
