"""The queue of flows: each waits until the book after it is certified and Safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent_fund.domain.book import Book
from agent_fund.execution.ledger import Ledger
from agent_fund.fund.flows import Flow
from agent_fund.fund.journal import Journal
from agent_fund.fund.terms import Gate
from agent_fund.guard.machine import Machine, Mode, scaled_mark
from agent_fund.guard.verdict import Situation


class FlowQueue:
    """Flows in the order in which they are due; the first one blocks those after it."""

    def __init__(
        self, flows: Sequence[Flow], ledger: Ledger, place: str, gate: Gate, journal: Journal
    ) -> None:
        self._waiting = sorted(flows, key=lambda flow: flow.due)
        self._ledger = ledger
        self._place = place
        self._gate = gate
        self._journal = journal
        self._told: Flow | None = None

    def due(self, time: int) -> bool:
        """Whether a flow is waiting at ``time``."""
        return bool(self._waiting) and self._waiting[0].due <= time

    def attempt(self, before: Situation, machine: Machine) -> bool:
        """Make the first flow if the book after it is certified and Safe; tell if it must wait.

        It also waits while the fund is not Active or has orders open.
        """
        if machine.mode is not Mode.ACTIVE or before.book.open_orders:
            return False
        flow = self._waiting[0]
        after = _after(before, flow, self._place, machine)
        certified = None if after is None else self._gate.look(after)
        if after is None or certified is None:
            if self._told is not flow:
                self._told = flow
                self._journal.flow(flow, before, before, None)
            return False
        del self._waiting[0]
        self._journal.flow(flow, before, after, certified)
        self._journal.recorder.barrier()
        move = self._ledger.deposit if flow.amount > 0 else self._ledger.withdraw
        entry_id = f"flow-{before.bar}-{flow.due}"
        move(before.book.currency, abs(flow.amount), self._place, entry_id)
        machine.flow(flow.amount, certified.bounds)
        return True


def after_flow(book: Book, amount: int, place: str) -> Book:
    """The book once ``amount`` has come in (or gone out) at ``place``."""
    places = {**book.places, place: book.places.get(place, 0) + amount}
    return replace(book, cash=book.cash + amount, places=places)


def _after(before: Situation, flow: Flow, place: str, machine: Machine) -> Situation | None:
    """The situation that ``flow`` would make; None if cash or NAV would not be left."""
    book, nav = before.book, before.nav + flow.amount
    margined = any(i.account == place and i.margin is not None for i in book.instruments.values())
    # A margin account answers with its equity; that it stays margined, the certificate says.
    there = book.equity(place, before.prices) if margined else book.places.get(place, 0)
    if before.nav <= 0 or nav <= 0 or there + flow.amount < 0:
        return None
    return replace(
        before,
        book=after_flow(book, flow.amount, place),
        nav=nav,
        mark=scaled_mark(before.mark, before.nav, nav),
        floor=machine.floor_after(nav),
    )
