"""``FundingColumns``: one perpetual's funding rates as a source states them, checked when made.

A rate is a share of the notional, paid by longs to shorts (negative: by shorts to longs) at its
time for the position held then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from agent_fund.domain.money import from_units
from agent_fund.domain.settlement import RATE_SCALE
from agent_fund.market.columns import MAX_TIME
from agent_fund.market.errors import MarketError

MAX_RATE = 10**RATE_SCALE
"""A payment of more than the whole notional is a rate in other units."""

USUAL_SHARE = 100
"""A step between payments is usual if at least one in so many steps is of its length ..."""

USUAL_TIMES = 3
"""... and so many are; the commonest is usual in any case."""


@dataclass(frozen=True)
class FundingColumns:
    """The funding rates of one perpetual, checked when made.

    Attributes:
        source: the file or data set, as errors name it.
        times: when each payment is due, ms since the epoch, UTC; strictly increasing.
        rates: integers of 10**-RATE_SCALE of the notional.

    Raises:
        MarketError: naming source, row, column and value, for anything but ints; times out of
            order or range; a rate of more than the notional.
    """

    source: str
    times: list[int]
    rates: list[int]

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.times):
            fix = f"it needs {len(self.times)} values, one for each time"
            raise MarketError(f"{self.source}, column rate", len(self.rates), fix)
        before = -1
        for row, time in enumerate(self.times):
            if type(time) is not int or not 0 <= time <= MAX_TIME:
                raise self._error(row, "time", time, "write ms since the epoch, UTC")
            if time <= before:
                fix = "times must increase strictly: sort, drop duplicates"
                raise self._error(row, "time", time, fix)
            before = time
        for row, rate in enumerate(self.rates):
            if type(rate) is not int:
                raise self._error(row, "rate", rate, f"write integers of 10**-{RATE_SCALE}")
            if abs(rate) > MAX_RATE:
                seen = str(from_units(rate, RATE_SCALE))
                raise self._error(row, "rate", seen, "a rate is a share of the notional, 0.0001")

    def __len__(self) -> int:
        return len(self.times)

    def between(self, start_ms: int | None, end_ms: int | None) -> FundingColumns:
        """The payments with start_ms <= time < end_ms; None leaves an end open."""
        start = 0 if start_ms is None else bisect_left(self.times, start_ms)
        end = len(self.times) if end_ms is None else bisect_left(self.times, end_ms)
        return FundingColumns(self.source, self.times[start:end], self.rates[start:end])

    def usual_step_ms(self) -> int:
        """The longest usual time from one payment to the next, in ms; 1 if there is no second.

        Venues change the interval of a perpetual (8 h, 4 h, 1 h), so one length is not enough.
        """
        steps = Counter(later - earlier for earlier, later in pairwise(self.times))
        if not steps:
            return 1
        commonest = min(steps, key=lambda step: (-steps[step], step))
        least = max(USUAL_TIMES, -(-steps.total() // USUAL_SHARE))
        return max([commonest, *(step for step, times in steps.items() if times >= least)])

    def gaps(self) -> list[tuple[int, int]]:
        """Each step longer than the usual ones, as the times of the payments around it."""
        longest = self.usual_step_ms()
        return [pair for pair in pairwise(self.times) if pair[1] - pair[0] > longest]

    def _error(self, row: int, name: str, value: object, fix: str) -> MarketError:
        return MarketError(f"{self.source}, row {row}, column {name}", value, fix)
