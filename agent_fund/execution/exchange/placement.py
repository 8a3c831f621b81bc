"""An order is placed at most once, and none that was placed is lost.

The client id does not see to that: an exchange takes one again once its order has ended. This
does. The first sending happens in the process that prepared the order. Before any later one the
exchange is asked by client id, and only when it does not know the order, and everything sent
before is void (the request's own time window has passed), is it sent again. After a restart,
whatever an earlier process sent counts as sent at the moment of the start.

A limit on requests (429, 418) means that nothing was accepted. A placement that meets it waits for
``Retry-After`` if that is short and before the deadline, and tries again; otherwise the leg is
UNKNOWN, nothing is asked while the ban lasts, and ``status`` then finds that the order never
arrived. An order that did not arrive, and no longer can, ends CANCELED. REJECTED is only what the
exchange refused and, asked by client id, does not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent_fund.execution.exchange.answer import Absent, Failure, NotTaken, Refused
from agent_fund.execution.exchange.order_report import OrderReports
from agent_fund.execution.exchange.venue_api import VenueApi, VenueOrder
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

NOTHING_SENT = float("-inf")
MAY_EXIST = float("inf")
SHORTEST_WAIT = 0.1


class Placement:
    """Sends, asks and cancels.

    Args:
        patience: seconds that a sending waits, at most, for a limit on requests to pass.
        now: Unix milliseconds. ``monotonic``: seconds. ``sleep``: for so many seconds.
    """

    def __init__(
        self,
        api: VenueApi,
        reports: OrderReports,
        patience: float,
        now: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._api = api
        self._reports = reports
        self._patience = patience
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._started = monotonic()
        # The monotonic second from which what was sent for a leg is void.
        self._void_at: dict[str, float] = {}
        self._withdrawn: set[str] = set()
        self._ended: dict[str, Report] = {}

    def prepared(self, leg_id: str) -> None:
        """The leg was prepared here, and nothing of it has been sent."""
        self._void_at.setdefault(leg_id, NOTHING_SENT)

    async def submit(self, prepared: Prepared) -> Report:
        """Send it; or again, once it is certain that no earlier sending can be accepted too."""
        leg = prepared.leg_id
        if leg in self._withdrawn:
            return await self.status(prepared)
        if self._void_at.get(leg) != NOTHING_SENT:
            known = await self._ask(prepared)
            if known is not None:
                return known
            if self._under_way(leg) and not self._api.repeatable:
                return unknown(leg, "not known there; what was sent before may still arrive")
        patience, clock_set = self._patience, False
        while True:
            if self._late(prepared):
                return self._absent(prepared)
            try:
                return await self._send(prepared)
            except NotTaken as failure:
                reason = f"not accepted: {failure.reason}"
                if failure.clock and not clock_set and await self._set_clock():
                    clock_set = True
                elif failure.clock or failure.wait > patience:
                    return unknown(leg, reason)
                else:
                    patience -= max(failure.wait, SHORTEST_WAIT)
                    await self._sleep(failure.wait)
            except Refused as failure:
                known = await self._ask(prepared)
                return known or self._over(Report(leg, LegState.REJECTED, detail=failure.reason))
            except Failure as failure:
                return unknown(leg, failure.reason)

    async def status(self, prepared: Prepared) -> Report:
        """By client id, with all trades."""
        return await self._ask(prepared) or self._absent(prepared)

    async def cancel(self, prepared: Prepared) -> Report:
        """Ask to take it out, then ask what it came to; only an ended state confirms it.

        Nothing of the leg is sent from then on.
        """
        leg = prepared.leg_id
        self._withdrawn.add(leg)
        if self._void_at.get(leg) == NOTHING_SENT:
            self._void_at[leg] = self._monotonic()
        try:
            await self._api.cancel(prepared.notes["market"], prepared.reference)
        except (Absent, Refused):
            return await self.status(prepared)
        except Failure as failure:
            return unknown(leg, failure.reason)
        return await self.status(prepared)

    async def _send(self, prepared: Prepared) -> Report:
        leg = prepared.leg_id
        before = max(self._void_at.get(leg, NOTHING_SENT), self._monotonic())
        void_at = self._void_at[leg] = MAY_EXIST
        try:
            placed = await self._api.place(prepared.payload, prepared.deadline)
            void_at = self._monotonic() + self._api.lifetime
        except NotTaken:
            void_at = before  # nothing can come of this sending, only of earlier ones
            raise
        except Failure:
            void_at = self._monotonic() + self._api.lifetime
            raise
        finally:
            self._void_at[leg] = void_at
        if placed is None:
            return await self.status(prepared)
        return await self._found(prepared, placed)

    async def _ask(self, prepared: Prepared) -> Report | None:
        """What the exchange knows of the leg; None if it knows no such order."""
        leg = prepared.leg_id
        try:
            found = await self._api.find(prepared.notes["market"], prepared.reference)
        except Absent:
            return None
        except NotTaken as failure:
            if failure.clock:
                await self._set_clock()
            return unknown(leg, failure.reason)
        except Failure as failure:
            return unknown(leg, failure.reason)
        return await self._found(prepared, found)

    async def _found(self, prepared: Prepared, order: VenueOrder) -> Report:
        """An order that was seen there once is never taken for one that did not arrive."""
        self._void_at[prepared.leg_id] = MAY_EXIST
        return await self._reports.of(prepared, order)

    def _absent(self, prepared: Prepared) -> Report:
        """A leg of which the exchange knows nothing."""
        leg = prepared.leg_id
        if leg in self._ended:
            return self._ended[leg]
        if self._void_at.get(leg) == NOTHING_SENT and not self._late(prepared):
            return Report(leg, LegState.PENDING, detail="nothing was sent yet")
        if self._under_way(leg):
            return unknown(leg, "not known there; what was sent may still arrive")
        why = "it never arrived, and cannot any more"
        return self._over(Report(leg, LegState.CANCELED, detail=why))

    def _over(self, report: Report) -> Report:
        """A leg that was told to have ended is never sent again, whoever asks for it."""
        self._withdrawn.add(report.leg_id)
        self._ended[report.leg_id] = report
        return report

    def _under_way(self, leg: str) -> bool:
        """Whether something that was sent for the leg may still be accepted."""
        void_at = self._void_at.get(leg, self._started + self._api.lifetime)
        return self._monotonic() < void_at

    def _late(self, prepared: Prepared) -> bool:
        return bool(prepared.deadline) and self._now() >= prepared.deadline * 1000

    async def _set_clock(self) -> bool:
        """Sign with the exchange's time from now on; False if it does not tell it."""
        try:
            await self._api.adjust_clock()
        except Failure:
            return False
        return True


def unknown(leg: str, reason: str) -> Report:
    """A report of doubt."""
    return Report(leg, LegState.UNKNOWN, detail=reason)
