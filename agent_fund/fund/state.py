"""What a fund is between two bars: its book, its machine, and the certificate that covers it.

Operators act on it, the guard looks at it, and the loop takes it over a bar; each in a file of its
own. A certificate covers the book that it was made for: whatever changes positions or cash
says so here, and the guard looks anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Purpose
from agent_fund.fund.holdings import Holdings
from agent_fund.fund.journal import Journal
from agent_fund.fund.monitor import Monitor
from agent_fund.fund.order_flow import OrderFlow
from agent_fund.fund.terms import Gate, Terms
from agent_fund.guard.activity import NOTHING_SENT
from agent_fund.guard.machine import Machine, Mode
from agent_fund.guard.verdict import Certified, Situation, capacity
from agent_fund.market.snapshot import History

CAPACITY_BARS = 20


class FundState:
    """The fund as it stands after its last bar.

    Attributes:
        machine: NAV, mark and mode. ``monitor``: None for an unguarded fund.
        held: whether an operator keeps the agent from trading.
    """

    def __init__(
        self,
        history: History,
        instruments: Sequence[Instrument],
        gate: Gate,
        machine: Machine,
        orders: OrderFlow,
        terms: Terms,
        journal: Journal,
        monitor: Monitor | None,
    ) -> None:
        self._history = history
        self._instruments = tuple(instruments)
        self._symbols = tuple(i.symbol for i in instruments)
        self._margined = any(i.margin is not None for i in instruments)
        self._gate = gate
        self.machine = machine
        self._orders = orders
        self._terms = terms
        self._journal = journal
        self.monitor = monitor
        self._bar = -1
        self._closes: tuple[int, ...] = ()
        self._held = orders.book
        self._holdings = Holdings(instruments, self._held)
        # The certificate in force, whether it covers the book held, and its decision's prices.
        self._certified: Certified | None = None
        self._covering = False
        self._band: list[tuple[int, int, int]] = []
        self._anchor: tuple[int, ...] | None = None
        self._anchor_bar = -1
        self._activity = NOTHING_SENT
        self.held = False

    @property
    def bar(self) -> int:
        """Number of the last bar; -1 before the first."""
        return self._bar

    @property
    def time(self) -> int:
        """Close of the last bar, ms since the epoch; 0 before the first."""
        return self._history.snapshot().time if self._bar >= 0 else 0

    @property
    def prices(self) -> dict[str, int]:
        """Closes of the last bar by symbol, at which positions are valued."""
        return self._named(self._closes)

    @property
    def leaving(self) -> bool:
        """Whether the fund was told to go to flat and stay there."""
        return self.machine.killed or self.machine.mode is Mode.HALTED

    @property
    def agent_orders(self) -> int:
        """How many of the agent's orders may still fill."""
        return sum(o.purpose is Purpose.AGENT for o in self._orders.book.open_orders)

    @property
    def book(self) -> Book:
        """What the fund holds, open orders included."""
        return self._orders.book

    @property
    def figures(self) -> dict[str, Any]:
        """The fields of a ``Tick`` that an act behind a bar may change, as they are now."""
        names = ("places", "maintenance")
        accounts = dict(zip(names, self._accounts(), strict=True)) if self._margined else {}
        return {
            "nav": self.machine.v,
            "mark": self.machine.h,
            "cash": self._holdings.cash,
            "positions": self._holdings.positions,
            "mode": self.machine.mode,
            **accounts,
        }

    def verdict_of(self, order_id: str) -> bytes:
        """The leaf hash of the guard's record that admitted an order; see ``OrderFlow``."""
        return self._orders.verdict_of(order_id)

    def situation(self) -> Situation:
        """What the guard looks at now: the book really held, at the last close."""
        snapshot = self._history.snapshot()
        volumes = {s: snapshot.volumes(s, CAPACITY_BARS) for s in self._symbols}
        return Situation(
            self._orders.book,
            self._named(self._closes),
            self.machine.v,
            self.machine.h,
            self._bar,
            capacity(self._instruments, volumes, self._terms.participation),
            self.machine.F,
            self._activity,
        )

    def _named(self, values: Sequence[int]) -> dict[str, int]:
        return dict(zip(self._symbols, values, strict=True))

    def _hold(self) -> None:
        """Positions or cash may have changed: no certificate covers this book yet."""
        self._covering = False
        self._held = self._orders.book
        self._holdings.take(self._held)

    def _accept(self, certified: Certified, *, covering: bool) -> None:
        """The machine's Decide: these bounds are in force; ``covering``: at coming looks too."""
        self.machine.decide(certified.bounds)
        self._certified, self._covering = certified, covering
        self._band = [
            (column, *certified.band[symbol])
            for column, symbol in enumerate(self._symbols)
            if symbol in certified.band
        ]
        self._anchor, self._anchor_bar = self._closes, self._bar

    def _accounts(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Equity and maintenance at each place of the book held."""
        book, prices = self._held, self._named(self._closes)
        return (
            tuple(book.equity(place, prices) for place in book.places),
            tuple(book.maintenance(place, prices) for place in book.places),
        )
