"""A run as on real venues, without any: bars of a file, a venue that loses orders, and operators.

Two orders are never heard of again. The fund is held, and an order with the leg waiting for it is
settled; the books are adjusted by a trade that nobody booked, by a loss and by a gain; it goes on,
loses another order, and is told to leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.genesis import PAPER, genesis, run_digest
from agent_fund.backtest.run import end, opened_log, run_folder, told
from agent_fund.backtest.session import Market, open_session
from agent_fund.domain.order import Order, Status
from agent_fund.execution.carriage import SIMULATED_CARRIAGE
from agent_fund.execution.clearing import ByRule
from agent_fund.execution.venue import Reconciliation, Report
from agent_fund.fund.adjustment import Adjustment
from agent_fund.fund.fund import Fund
from agent_fund.guard.engine import Guard

PLAN: dict[int, list[str]] = {
    2: ["buy 100 SP500", "buy 50 NASDAQ"],
    10: ["buy 50 SP500", "buy 20 NASDAQ"],
    22: ["buy 40 SP500", "buy 20 NASDAQ"],
}
LOSES = (10, 22)
USD = 10**8


class Losing:
    """A venue that does not know what became of the orders sent at the close of some bars."""

    def __init__(self, venue: Any) -> None:
        self._venue = venue
        self.lost: dict[str, Order] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    def submit(self, order: Order, bar: int) -> Order:
        if bar not in LOSES:
            return self._venue.submit(order, bar)
        self.lost[order.order_id] = order.with_status(Status.UNKNOWN)
        return self.lost[order.order_id]

    def cancel(self, order_id: str, bar: int) -> Order:
        return self.lost.get(order_id) or self._venue.cancel(order_id, bar)

    def settle(self, order_id: str) -> None:
        del self.lost[order_id]

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        return self._venue.on_open(bar, opens, volumes)

    def reconcile(self, since: int) -> Reconciliation:
        raise AssertionError


def settle(fund: Fund) -> None:
    """The one order in doubt."""
    (order,) = (o for o in fund.book.open_orders if o.status is Status.UNKNOWN)
    fund.settle(order.order_id, "ann: they never had it")


def adjust(**units: int) -> Callable[[Fund], None]:
    """At the one place that there is."""
    return lambda fund: fund.adjust(Adjustment("simulated", units), "ann: as they have it")


ACTS: dict[int, Callable[[Fund], object]] = {
    12: lambda fund: fund.hold("ann: an order is lost"),
    13: settle,
    14: adjust(SP500=100, USD=-1600 * USD),
    16: adjust(USD=-1000 * USD),
    18: adjust(USD=3000 * USD),
    20: lambda fund: fund.resume("ann: the books are right"),
    24: lambda fund: fund.kill("bob: enough"),
    26: lambda fund: (settle(fund), adjust(USD=-50 * USD)(fund)),
}


def operated(runfile: Path) -> Path:
    """The folder of the finished run."""
    parts = assemble(runfile)
    record, blobs = genesis(parts, guarded=True, mode=PAPER)
    guard = Guard(parts.mandate)
    folder = run_folder(parts, run_digest(record), None, None)
    venues = {name: Losing(venue) for name, venue in parts.venues().items()}
    market = Market(parts.test.rows(), venues, SIMULATED_CARRIAGE, ByRule(), lambda s: s)
    with opened_log(folder, resume=False) as log:
        session = open_session(parts, log, record, blobs, guarded=True, guard=guard, market=market)
        fund, ticks = session.fund, []
        while (tick := fund.advance()) is not None:
            act = ACTS.get(tick.bar)
            if act is not None:
                act(fund)
                tick = tick._replace(**fund.figures)
            ticks.append(tick)
        ended = end(session, log)
    silent = lambda stage, done, total: None  # noqa: E731
    told(parts, guard, run_digest(record), folder, ended, ticks, None, silent)
    return folder
