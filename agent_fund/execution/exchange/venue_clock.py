"""An exchange's time, never later than it is there, however this machine's clock is set.

What the exchange told is counted on by a clock that nobody sets. An answer tells a time before the
one at which it is read, so what is counted on from then is behind by the way of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.execution.exchange.answer import Unclear

STALE_SECONDS = 60.0
"""Seconds after which the time is asked for again: no clock drifts by much in them."""


class VenueClock:
    """The time of one exchange.

    Args:
        monotonic: seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._told = 0
        self._heard = float("-inf")

    @property
    def stale(self) -> bool:
        """Whether the exchange has told no time for too long."""
        return self._monotonic() - self._heard > STALE_SECONDS

    def hear(self, answer: Mapping[str, Any]) -> None:
        """Take over the ``time`` (Unix milliseconds) of an answer that is read now.

        Raises:
            Unclear: if it tells none.
        """
        if not isinstance(told := answer.get("time"), int):
            raise Unclear(f"the exchange tells no time, but {told!r}")
        self._told, self._heard = told, self._monotonic()

    def now(self) -> int:
        """Unix milliseconds there, or a little less; once it was heard."""
        return self._told + int((self._monotonic() - self._heard) * 1000)
