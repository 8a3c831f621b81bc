"""The Venue protocol: what the desk asks of every place that trades, simulated or live.

A venue answers with execution reports: a Fill moves the book, an Order only tells a status. An
answer that is not certain is ``Status.UNKNOWN``, never a rejection: such an order stays open and
counted until ``reconcile`` settles it.

Live venues keep this shape and add what the wire needs before ``submit`` returns: firm quotes with
a deadline, preparing and signing once with the bytes stored, rebroadcast of the same bytes, one
nonce lane a chain and key, and finality (a Fill is reported when final, so a reorganised one never
reaches the ledger).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_fund.domain.order import Fill, Order

Report = Fill | Order


@dataclass(frozen=True)
class Reconciliation:
    """What a venue knows: open orders as it sees them, and the fills since the bar asked for."""

    open_orders: tuple[Order, ...]
    fills: tuple[Fill, ...]


class Venue(Protocol):
    """One place that trades; ``bar`` is the number of the last bar that opened."""

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        ...

    def maximum_fee(self, order: Order) -> int:
        """The most that filling ``order`` wholly can cost in fees, in base units of the quote."""
        ...

    def submit(self, order: Order, bar: int) -> Order:
        """Send ``order``; the answer is NEW, REJECTED or UNKNOWN."""
        ...

    def cancel(self, order_id: str, bar: int) -> Order:
        """Ask to cancel; only CANCELED in the answer confirms it.

        The answer about an order that does not rest at the venue (it filled, or never arrived) is
        UNKNOWN: the desk then has a report to catch up with.
        """
        ...

    def settle(self, order_id: str) -> None:
        """A person has ended the order, in doubt until then: nothing more is told of it."""
        ...

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        """The reports that the open of ``bar`` brought, in the order in which they happened.

        Args:
            bar: number of the bar.
            opens: price units by instrument symbol; absent: it does not trade in this bar.
            volumes: base units by symbol, of the same bar.
        """
        ...

    @property
    def open_orders(self) -> tuple[str, ...]:
        """ClOrdIDs of the orders that may still fill here, in order of arrival."""
        ...

    def reconcile(self, since: int) -> Reconciliation:
        """The open orders, and every fill in bar ``since`` or later."""
        ...
