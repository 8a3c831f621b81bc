"""The exchange's rules as they are now: read again each day, and wherever an order does not pass.

An order that the rules refuse is fitted once more into rules that were just read. One that the
exchange refuses has left with the price that was written down for it, and is not changed; the next
one is fitted into rules that are read after that.
"""

from __future__ import annotations

from collections.abc import Callable

from agent_fund.domain.order import Order
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Failure
from agent_fund.execution.exchange.listing import Listing
from agent_fund.execution.exchange.market_rules import Fitted, fit
from agent_fund.execution.exchange.venue_api import VenueApi

DAY_MS = 86_400_000


class CurrentRules:
    """The rules of ``listing``, which has them from the start on.

    Args:
        now: Unix milliseconds.
    """

    def __init__(self, api: VenueApi, listing: Listing, now: Callable[[], int]) -> None:
        self._api = api
        self._listing = listing
        self._now = now
        self._good_until = 0

    def started(self) -> None:
        """The exchange has just told them."""
        self._good_until = self._now() + DAY_MS

    def doubt(self) -> None:
        """The exchange has refused an order: they may have changed."""
        self._good_until = 0

    async def fit(self, order: Order) -> Fitted:
        """``order`` as its market takes it now.

        Raises:
            ExecutionError: naming the filter that it does not pass.
        """
        market = self._listing.market(order.instrument)
        fresh = self._now() >= self._good_until and await self._read()
        try:
            return fit(order, self._listing.rules[market])
        except ExecutionError:
            if fresh or not await self._read():
                raise
            return fit(order, self._listing.rules[market])

    async def _read(self) -> bool:
        """Whether the exchange told them; where it does not, those that are known stay."""
        try:
            self._listing.renew(await self._api.markets())
        except Failure:
            return False
        self.started()
        return True
