"""When the agent is asked: at every bar, every N bars, or at the first close of a week or month."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from agent_fund.domain.errors import DomainError

_BARS = re.compile(r"([1-9][0-9]*) bars")


class Cadence:
    """Tells, close by close, whether a decision is due. The guard looks at every bar regardless.

    Args:
        text: ``"bar"``, ``"N bars"``, ``"week"`` (ISO weeks, UTC) or ``"month"``.
    """

    def __init__(self, text: str) -> None:
        bars = _BARS.fullmatch(text)
        if text not in ("bar", "week", "month") and bars is None:
            raise DomainError("cadence", text, 'write "bar", "5 bars", "week" or "month"')
        self.text = text
        self._every = int(bars[1]) if bars else 1
        self._calendar = text in ("week", "month")
        self._period: tuple[int, int] | None = None

    def due(self, bar: int, close_time: int) -> bool:
        """Whether to ask at the close of ``bar``; call once a bar, in order."""
        if not self._calendar:
            return bar % self._every == 0
        moment = datetime.fromtimestamp(close_time / 1000, UTC)
        week = moment.isocalendar()
        period = (week.year, week.week) if self.text == "week" else (moment.year, moment.month)
        new = period != self._period
        self._period = period
        return new
