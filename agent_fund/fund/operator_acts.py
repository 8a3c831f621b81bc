"""What a person does to a fund between two bars: kill, hold, resume, settle, adjust.

Each is recorded, with who asked for it and why, before it takes effect. Settle and adjust change
what the books say without a venue having said so; they are for a fund that was halted first, so
that no trade is judged on books that a person is about to correct.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Order, Purpose, Status
from agent_fund.fund.adjustment import Adjustment, count
from agent_fund.fund.control_command import BROKEN
from agent_fund.fund.guard_look import GuardedFund
from agent_fund.guard.machine import Mode


class OperatedFund(GuardedFund):
    """A fund that hears its operators."""

    # What adjustments have taken from NAV and not given back, and how many there were.
    _taken = _adjusted = 0

    def kill(self, why: str) -> None:
        """An operator's act or a breach: to flat, then Halted. Callable between two bars."""
        if self.machine.mode is Mode.HALTED or self.machine.killed:
            return
        if self._bar < 0:
            raise DomainError("kill", why, "nothing runs before the first bar; do not start it")
        self._journal.mode("kill", self.situation(), why)
        self.machine.kill()
        # The guard's own orders are on their way out already; without them it would be longer.
        self._orders.cancel(self._bar, only=Purpose.AGENT)

    def hold(self, why: str) -> None:
        """An operator's act: the agent's orders are cancelled, and it trades no more until resumed.

        What is held stays held, under the guard. Callable between two bars.
        """
        if self.held or self._bar < 0:
            return
        self._journal.mode("hold", self.situation(), why)
        self.held = True
        self._orders.cancel(self._bar, only=Purpose.AGENT)

    def resume(self, why: str) -> bool:
        """A named person's act: Active again after a hold or a halt, if the held book is Safe.

        Returns:
            False if there is nothing to resume from, a limit was broken, or the book is not Safe.
        """
        machine, situation = self.machine, self.situation()
        halted = machine.mode is Mode.HALTED
        if not (halted or (self.held and machine.mode is Mode.ACTIVE)) or machine.breached:
            return False
        certified = self._gate.look(situation)
        if certified is None:
            return False
        self._journal.resume(certified, situation, why)
        self.held = False
        if halted:
            machine.resume(certified.bounds)
        self._accept(certified, covering=True)
        return True

    def doubted(self, begin: str) -> Order:
        """The open order in doubt whose id begins so, if a person may settle it now.

        A doubt that an open has not outlived is none yet: a venue that fills at once tells of it
        only then.

        Raises:
            DomainError: if the fund was not halted, or there is no one such order in doubt.
        """
        self._require_halted("settle", begin)
        found = [o for o in self._orders.book.open_orders if o.order_id.startswith(begin)]
        if len(found) != 1 or not begin:
            fix = "no open order has an id that begins so" if not found else "several orders do"
            raise DomainError("settle", begin, f"{fix}; see agent-fund status")
        if found[0].status is not Status.UNKNOWN:
            fix = f"its venue says {found[0].status.value}: only an order in doubt is settled"
            raise DomainError("settle", found[0].order_id, fix)
        if not self._orders.doubted(found[0], self._bar):
            fix = "its venue is asked again at the next open: wait for it"
            raise DomainError("settle", found[0].order_id, fix)
        return found[0]

    def settle(self, order_id: str, why: str) -> None:
        """A named person's act: an order in doubt ends CANCELED, with the fills booked so far.

        Raises:
            DomainError: see ``doubted``.
        """
        order = self.doubted(order_id)
        self._journal.mode("settle", self.situation(), why, order=order.order_id)
        self._journal.recorder.barrier()
        self._orders.settle(order, self._bar)
        self._hold()

    def adjustment(self, place: str, amounts: Mapping[str, str]) -> Adjustment:
        """What a person states, by asset symbol, if it may be posted now.

        Raises:
            DomainError: if the fund was not halted, or for what ``Adjustment`` refuses.
        """
        self._require_halted("adjust", place)
        return Adjustment.stated(self._orders.book, place, amounts)

    def adjust(self, adjustment: Adjustment, why: str) -> None:
        """A named person's act: the books take over what a place really has; NAV is counted anew.

        Raises:
            DomainError: if the fund was not halted, or for what ``Adjustment.require`` refuses.
        """
        self._require_halted("adjust", adjustment.place)
        book, machine = self._orders.book, self.machine
        adjustment.require(book)
        value = adjustment.value(book, self.prices)
        self._journal.mode(
            "adjust",
            self.situation(),
            why,
            place=adjustment.place,
            units={symbol: str(units) for symbol, units in sorted(adjustment.units.items())},
            value=str(value),
        )
        self._journal.recorder.barrier()
        self._adjusted += 1
        self._orders.adjust(adjustment, f"adjustment-{self._adjusted}")
        self._hold()
        known = machine.breached
        self._taken = count(machine, value, self._taken)
        if self.monitor is not None:
            self.monitor.adjusted(self._bar, adjustment.place)
            if machine.breached and not known:
                since = self._anchor_bar
                self.monitor.broken(self._bar, "close", machine.v, machine.h, since, machine.broken)
        if machine.breached:
            self.kill(BROKEN)

    def _require_halted(self, act: str, about: str) -> None:
        if self._bar < 0 or not (self.held or self.leaving):
            raise DomainError(act, about, "halt or flatten the fund first")
