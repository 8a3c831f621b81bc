"""Named stretches of market stress, each with its source; those that a run saw are marked on it.

A market that also trades at weekends is shown the crashes of crypto, one that does not those of
equities. The run file's ``[[windows]]`` are added to them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from agent_fund.report.run import Run

SATURDAY = 5


@dataclass(frozen=True)
class Window:
    """A stretch of days, the first and the last in it; UTC.

    Attributes:
        source: where its days come from.
    """

    name: str
    start: dt.date
    end: dt.date
    source: str


@dataclass(frozen=True)
class Seen:
    """The part of a window that lies in a run.

    Attributes:
        first, last: numbers of its first and last bar. ``before``: the bar at whose close it
            begins; its own first one where the run begins no earlier.
    """

    window: Window
    before: int
    first: int
    last: int


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


CRYPTO = tuple(
    Window(name, _day(start), _day(end), source)
    for name, start, end, source in (
        (
            "COVID crash",
            "2020-03-12",
            "2020-03-13",
            "MakerDAO (2020), The market collapse of March 12-13, 2020",
        ),
        (
            "Flash crash",
            "2021-05-19",
            "2021-05-19",
            "Baumgartner and Guettler (2022), Bitcoin flash crash on May 19, 2021",
        ),
        (
            "Terra and LUNA",
            "2022-05-09",
            "2022-05-13",
            "Liu, Makarov and Schoar (2023), Anatomy of a run: the Terra Luna crash",
        ),
        (
            "FTX",
            "2022-11-08",
            "2022-11-10",
            "BIS Bulletin 69 (2023), Crypto shocks and retail losses",
        ),
        (
            "USDC off its peg",
            "2023-03-10",
            "2023-03-12",
            "FEDS Notes (2024), Primary and secondary markets for stablecoins",
        ),
        (
            "Yen carry unwind",
            "2024-08-05",
            "2024-08-05",
            "BIS Bulletin 90 (2024), The market turbulence and carry trade unwind",
        ),
        (
            "Liquidation cascade",
            "2025-10-10",
            "2025-10-11",
            "Amberdata (2025) on the liquidations from 20:50 UTC on 10 October",
        ),
    )
)

EQUITIES = tuple(
    Window(name, _day(start), _day(end), source)
    for name, start, end, source in (
        (
            "After 11 September",
            "2001-09-17",
            "2001-09-21",
            "New York Stock Exchange, closed until 17 September 2001",
        ),
        (
            "Lehman",
            "2008-09-15",
            "2008-10-10",
            "Financial Crisis Inquiry Commission (2011), Report, chapters 18 to 20",
        ),
        (
            "Flash crash",
            "2010-05-06",
            "2010-05-06",
            "CFTC and SEC (2010), Findings regarding the market events of May 6, 2010",
        ),
        (
            "US downgrade",
            "2011-08-04",
            "2011-08-10",
            "Standard & Poor's, 5 August 2011, downgrade of the United States",
        ),
        (
            "China devaluation",
            "2015-08-20",
            "2015-08-25",
            "SEC (2015), Research note: equity market volatility on August 24, 2015",
        ),
        (
            "Volatility shock",
            "2018-02-05",
            "2018-02-08",
            "BIS Quarterly Review (March 2018), Volatility is back",
        ),
        (
            "COVID crash",
            "2020-02-20",
            "2020-03-23",
            "Financial Stability Board (2020), Holistic review of the March market turmoil",
        ),
        (
            "Yen carry unwind",
            "2024-08-02",
            "2024-08-05",
            "BIS Bulletin 90 (2024), The market turbulence and carry trade unwind",
        ),
    )
)


def windows_seen(run: Run) -> list[Seen]:
    """The windows that overlap the run, clipped to it, in order of time."""
    named = CRYPTO if _at_weekends(run) else EQUITIES
    own = [
        Window(w["name"], w["start"], w["end"], "the run file")
        for w in run.config.get("windows", ())
    ]
    found = [seen for window in (*named, *own) if (seen := _clipped(run, window)) is not None]
    return sorted(found, key=lambda seen: (seen.first, seen.last, seen.window.name))


def _at_weekends(run: Run) -> bool:
    # A short run may lie within one week: perpetuals trade always.
    days = pd.DatetimeIndex(run.frame.index).dayofweek
    return run.margined or bool((days >= SATURDAY).any())


def _clipped(run: Run, window: Window) -> Seen | None:
    """Bars that closed after the window began, up to its end: a close at midnight ends a day."""
    closes = pd.DatetimeIndex(run.frame.index)
    begin = pd.Timestamp(window.start, tz="UTC")
    end = pd.Timestamp(window.end, tz="UTC") + pd.Timedelta(days=1)
    inside = np.flatnonzero((closes > begin) & (closes <= end))
    if not len(inside):
        return None
    first, last = int(inside[0]), int(inside[-1])
    return Seen(window, max(first - 1, 0), first, last)
