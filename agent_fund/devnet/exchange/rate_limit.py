"""Request weights by the minute: over the limit comes 429, and who goes on is banned with 418."""

from __future__ import annotations

from collections.abc import Callable

from agent_fund.devnet.exchange.refusal import Refusal

MINUTE_MS = 60_000


class RateLimit:
    """Used weight of the running minute.

    Args:
        limit: weight a minute. ``patience``: refusals with 429 before the ban.
        clock: Unix milliseconds.
    """

    def __init__(self, limit: int, clock: Callable[[], int], patience: int = 10) -> None:
        self.limit = limit
        self.used = 0
        self._patience = patience
        self._clock = clock
        self._minute = 0
        self._refused = 0
        self._banned_until = 0

    def count(self, weight: int) -> None:
        """Count a request.

        Raises:
            Refusal: 429 or 418 with Retry-After in seconds.
        """
        now = self._clock()
        if now < self._banned_until:
            self._refuse(418, self._banned_until - now)
        if now // MINUTE_MS != self._minute:
            self._minute, self.used, self._refused = now // MINUTE_MS, 0, 0
        if self.used + weight <= self.limit:
            self.used += weight
            return
        self._refused += 1
        if self._refused > self._patience:
            self._banned_until = now + 2 * MINUTE_MS
            self._refuse(418, 2 * MINUTE_MS)
        self._refuse(429, MINUTE_MS - now % MINUTE_MS)

    def _refuse(self, status: int, wait_ms: int) -> None:
        message = "Way too many requests; IP banned." if status == 418 else "Too many requests."
        raise Refusal(-1003, message, status, {"Retry-After": str(-(-wait_ms // 1000))})
