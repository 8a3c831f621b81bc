"""A real venue as the desk knows venues: every answer is written down before the desk hears it.

Trades are told once, and only when they are final: until then their order stays open, and counted.
What the fund was told stands on the tape, and a run that is made again is told the same. A trade
that its order does not allow is not told at all: it raises an alarm, and the order is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent_fund.domain.order import Order, Purpose, Status
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Adapter
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_driver import LegDriver
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.live.leg_store import LegStore, StoredLeg
from agent_fund.execution.live.tape import Answer, Tape
from agent_fund.execution.live.told_trades import ToldTrades, fill_of
from agent_fund.execution.venue import Reconciliation, Report

_DOUBTED = 120  # seconds beyond its deadline for which an order may be in doubt without an alarm
_REFUSED = 2  # times running after which it is no accident of a crash or of a moment


class LiveVenue:
    """One real venue.

    Args:
        adapter: what speaks to it.
        deadline: of an order sent at the close of a bar, Unix seconds.

    Attributes:
        halted: whether operators have halted the fund; then no order of the agent begins.
    """

    def __init__(
        self,
        adapter: Adapter,
        driver: LegDriver,
        legs: LegStore,
        tape: Tape,
        alarms: Alarms,
        deadline: Callable[[Order, int], int],
    ) -> None:
        self.adapter = adapter
        self.driver = driver
        self._legs = legs
        self._tape = tape
        self._alarms = alarms
        self._deadline = deadline
        for order_id in tape.keys(adapter.name, "cancel"):
            driver.unwant(order_id, adapter.cancel)  # after a restart it is not sent again
        self._recorded = iter(tape.answers(adapter.name))
        self._next = next(self._recorded, None)
        self._orders: dict[str, Order] = {}  # as the desk knows them
        self._trades = ToldTrades(adapter, legs)
        self._bars: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self.halted: Callable[[], bool] = lambda: False

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        return self.adapter.name

    @property
    def replaying(self) -> bool:
        """Whether the tape still has an answer to give."""
        return self._next is not None

    @property
    def open_orders(self) -> tuple[str, ...]:
        """ClOrdIDs of the orders that may still fill here, in order of arrival."""
        return tuple(self._orders)

    def maximum_fee(self, order: Order) -> int:
        """The most that filling ``order`` wholly can cost in fees, in base units of the quote."""
        return self.adapter.maximum_fee(order)

    def admitted(self, order_id: str) -> tuple[Order, int] | None:
        """An open order that the desk has sent here, and its deadline; None for any other."""
        order, bar = self._orders.get(order_id), self._bars.get(order_id)
        return None if order is None or bar is None else (order, self._deadline(order, bar))

    def submit(self, order: Order, bar: int) -> Order:
        """Send ``order``; the answer is NEW, REJECTED or UNKNOWN."""
        self._orders[order.order_id] = order
        self._bars[order.order_id] = bar
        self._trades.begin(order.order_id)
        told = self._answered("submit", bar, order.order_id, lambda: self._send(order, bar))
        return self._order_in(told, order.order_id)

    def cancel(self, order_id: str, bar: int) -> Order:
        """Ask to cancel; only CANCELED in the answer confirms it."""
        known = self._orders.get(order_id)
        if known is None:
            raise ExecutionError("cancel", order_id, f"{self.name} was never given it")
        self.driver.unwant(order_id, self.adapter.cancel)
        told = self._answered("cancel", bar, order_id, lambda: self._stop(order_id))
        return self._order_in(told, order_id)

    def tells(self, order_id: str) -> bool:
        """Whether a trade of the order is known that the fund is told of at the next open."""
        order = self._orders[order_id]
        untold = self._trades.untold(order_id)
        return bool(untold) and not self._trades.fault(untold[0], order)

    def doubts(self, order_id: str) -> bool:
        """Whether the venue has left the order in doubt: as a leg, or by what it tells of it."""
        if not self._legs.knows(order_id):
            return True
        order, leg = self._orders[order_id], self._legs.leg(order_id)
        if leg.state.ended or leg.state.status is Status.UNKNOWN:
            return True
        return any(self._trades.fault(one, order) for one in self._trades.untold(order_id))

    def settle(self, order_id: str) -> None:
        """A person has ended the order: it is asked after no more, and nothing is told of it.

        A trade of it that the venue tells later is found by the reconciliation.
        """
        self._orders.pop(order_id, None)
        if self._legs.knows(order_id):
            self._legs.settle(order_id)

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        """What became final since the last bar, in the order of the orders."""
        if not self._orders:
            return []
        return self._reports(self._answered("open", bar, "", lambda: self._news(bar)))

    def reconcile(self, since: int) -> Reconciliation:
        """The open orders; trades are told by ``on_open`` alone, each once."""
        return Reconciliation(tuple(self._orders.values()), ())

    def tend(self) -> None:
        """Between bars: keep what is under way moving; nothing is told yet."""
        if self._orders and not self.replaying:
            self.driver.tend()

    # -- asking -------------------------------------------------------------------------------

    def _send(self, order: Order, bar: int) -> list[Any]:
        # What may have left before a crash is gone on with, whatever alarm was raised since.
        begun = self._legs.knows(order.order_id)
        stopped = self._alarms.frozen(self.name) or self.halted()
        if order.purpose is Purpose.AGENT and not begun and stopped:
            return [["status", order.order_id, Status.REJECTED.value]]
        leg = self.driver.begin(
            order.order_id,
            order_request(order, bar),
            self._deadline(order, bar),
            lambda: self.adapter.prepare(order, self._deadline(order, bar)),
        )
        if order.purpose is not Purpose.AGENT:
            self._watch_refusals(leg, order.instrument.symbol)
        return [["status", order.order_id, self._status(leg, order)]]

    def _stop(self, order_id: str) -> list[Any]:
        leg = self._legs.leg(order_id)
        if leg.prepared is not None and not leg.state.ended:
            leg = self.driver.cancel(leg.prepared)
        order = self._orders[order_id]
        status = self._status(leg, order)
        if order.status is Status.UNKNOWN and Status(status).open:
            status = Status.UNKNOWN.value  # that the doubt is over is told at the next open
        return [["status", order_id, status]]

    def _news(self, bar: int) -> list[Any]:
        self.driver.insist()
        self.driver.ask()
        told: list[Any] = []
        for order_id, order in self._orders.items():
            if not self._legs.knows(order_id):
                continue
            leg = self._legs.leg(order_id)
            fills, fault = self._trades.news(order, bar)
            told += fills
            if fault:
                self._alarms.raise_alarm(self.name, order_id, fault)
            if leg.state.status is Status.UNKNOWN:
                self._watch(order)
            after = order
            for fill in fills:
                after = after.with_fill(fill_of(fill, order))
            ended = leg.state.ended and not fault and after.status.open
            if ended and leg.state.status is Status.FILLED:
                text = "it is settled, and its trades do not add up to it"
                self._alarms.raise_alarm(self.name, order_id, text)
            if ended and leg.state.status is not Status.FILLED:
                told.append(["status", order_id, leg.state.status.value])
            elif after.status.open and (leg.state.status is Status.UNKNOWN or fault or ended):
                told.append(["status", order_id, Status.UNKNOWN.value])
            elif after.status is Status.UNKNOWN:
                known = Status.PARTIAL if after.filled else Status.NEW
                told.append(["status", order_id, known.value])
        return told

    def _watch_refusals(self, leg: StoredLeg, symbol: str) -> None:
        """A way out that is refused twice running needs a person."""
        refused = leg.state is LegState.REJECTED
        self._refused[symbol] = self._refused.get(symbol, 0) + 1 if refused else 0
        if self._refused[symbol] == _REFUSED:
            text = f"the guard's way out is refused: {leg.detail}"
            self._alarms.raise_alarm(self.name, symbol, text)

    def _watch(self, order: Order) -> None:
        """An order that is in doubt long after its deadline needs a person."""
        deadline = self._deadline(order, self._bars[order.order_id])
        if self.driver.overdue(deadline, _DOUBTED):
            text = "it is in doubt long after its last bar: look at the venue, then settle it"
            self._alarms.raise_alarm(self.name, order.order_id, text)

    def _status(self, leg: StoredLeg, order: Order) -> str:
        """The status to tell; with a trade that is not told yet, a doubt until the next open."""
        if leg.state.ended and self._trades.untold(order.order_id):
            return str(Status.UNKNOWN.value)
        status = leg.state.status
        if status is Status.FILLED:
            status = Status.UNKNOWN
        elif status in (Status.NEW, Status.PENDING):
            status = Status.PARTIAL if order.filled else Status.NEW
        return str(status.value)

    # -- telling ------------------------------------------------------------------------------

    def _answered(self, call: str, bar: int, key: str, ask: Callable[[], list[Any]]) -> list[Any]:
        """What was answered before, or is answered now and kept first."""
        recorded = self._next
        if recorded is not None:
            if (recorded.call, recorded.bar, recorded.key) != (call, bar, key):
                raise ExecutionError(
                    f"tape of {self.name}",
                    (recorded.call, recorded.bar, recorded.key),
                    f"the run made again asks {(call, bar, key)}: its inputs or code have changed",
                )
            self._next = next(self._recorded, None)
            body: list[Any] = recorded.body
            return body
        told = ask()
        self._tape.answer(Answer(self.name, call, bar, key, told))
        return told

    def _reports(self, told: Sequence[Any]) -> list[Report]:
        reports: list[Report] = []
        for item in told:
            order = self._orders[item[1]]
            if item[0] == "fill":
                fill = fill_of(item, order)
                self._trades.take(fill)
                after = order.with_fill(fill)
                reports.append(fill)
            else:
                after = order.with_status(Status(item[2]))
                reports.append(after)
            self._keep(after)
        return reports

    def _order_in(self, told: Sequence[Any], order_id: str) -> Order:
        order = self._orders[order_id]
        self._reports(told)
        status = Status(told[0][2])
        return order if status is order.status else order.with_status(status)

    def _keep(self, order: Order) -> None:
        if order.status.open:
            self._orders[order.order_id] = order
        else:
            self._orders.pop(order.order_id, None)


def order_request(order: Order, bar: int) -> dict[str, Any]:
    """The intent of an order in plain JSON values, as it is written ahead."""
    return {
        "kind": "order",
        "bar": bar,
        "instrument": order.instrument.symbol,
        "side": order.side.value,
        "quantity": str(order.quantity),
        "limit": str(order.limit),
        "purpose": order.purpose.value,
        "expires": order.expires,
    }
