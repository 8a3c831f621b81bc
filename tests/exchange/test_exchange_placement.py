"""An order whose placement was accepted without telling it is not taken for one that never came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent_fund.execution.exchange.answer import Absent
from agent_fund.execution.exchange.placement import Placement
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

LIFETIME = 6.0
LEG = Prepared("leg", "ref", b"bytes", 2**40, {"market": "ETHUSDT"})


class Forgetful:
    """An exchange that answers a placement without an order, and then finds it late or never."""

    repeatable, lifetime = False, LIFETIME

    def __init__(self) -> None:
        self.placed, self.known = 0, False

    async def place(self, payload: bytes, deadline: int) -> None:
        self.placed += 1

    async def find(self, market: str, reference: str) -> str:
        if not self.known:
            raise Absent("no such order")
        return reference


class Reports:
    """Every order that is found rests."""

    async def of(self, prepared: Prepared, order: object) -> Report:
        return Report(prepared.leg_id, LegState.SUBMITTED)


def with_placement(
    steps: Callable[[Any, Forgetful, Callable[[float], None]], Any],
) -> None:
    api, passed = Forgetful(), [0.0]

    def pass_by(seconds: float) -> None:
        passed[0] += seconds

    async def no_sleep(seconds: float) -> None:
        raise AssertionError("nothing is waited for")

    async def run() -> None:
        parts: Any = (api, Reports())
        placement = Placement(*parts, 2.0, lambda: 0, lambda: passed[0], no_sleep)
        placement.prepared("leg")
        await steps(placement, api, pass_by)

    asyncio.run(run())


def test_an_accepted_order_that_is_not_found_yet_is_in_doubt_until_its_window_has_passed() -> None:
    async def steps(placement: Any, api: Forgetful, pass_by: Callable[[float], None]) -> None:
        assert (await placement.submit(LEG)).state is LegState.UNKNOWN
        pass_by(LIFETIME - 0.1)
        assert (await placement.submit(LEG)).state is LegState.UNKNOWN
        assert (await placement.status(LEG)).state is LegState.UNKNOWN
        pass_by(0.2)
        assert (await placement.status(LEG)).state is LegState.CANCELED
        assert (await placement.submit(LEG)).state is LegState.CANCELED
        assert api.placed == 1

    with_placement(steps)


def test_an_order_that_was_found_once_is_in_doubt_for_ever_when_it_is_gone() -> None:
    async def steps(placement: Any, api: Forgetful, pass_by: Callable[[float], None]) -> None:
        await placement.submit(LEG)
        api.known = True
        assert (await placement.status(LEG)).state is LegState.SUBMITTED
        api.known = False
        pass_by(100 * LIFETIME)
        assert (await placement.status(LEG)).state is LegState.UNKNOWN
        assert (await placement.submit(LEG)).state is LegState.UNKNOWN
        assert api.placed == 1

    with_placement(steps)
