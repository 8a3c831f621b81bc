"""A strategy is any class with ``decide``: it sees the past and the book, and proposes trades.

The least that works::

    class HoldGold:
        def __init__(self, quantity: int) -> None:
            self.quantity = quantity

        def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
            if book.position("GOLD"):
                return HOLD
            gold = snapshot.instruments["GOLD"]
            limit = gold.require_price(snapshot.last_close("GOLD"), "limit")
            return Proposal((Leg(gold, Side.BUY, self.quantity, limit),))

Nothing a strategy does can break the mandate: the guard decides what leaves. A strategy may use
floats, pandas or any model for its view; quantities and prices in a ``Leg`` are integers.
"""

from __future__ import annotations

from typing import Protocol

from agent_fund.agents.errors import ConfigurationError
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Proposal
from agent_fund.market.snapshot import Snapshot

HOLD = Proposal()
"""The empty proposal. Return this very object when there is nothing to do: it costs nothing."""


class Strategy(Protocol):
    """What the fund asks, once for each bar that it is allowed to decide on.

    Keyword parameters of the constructor are the keys of the run file's strategy section. Write
    shares and ratios as strings (``"2.5%"``) and read them with ``agent_fund.domain.money.ratio``.
    """

    def decide(self, snapshot: Snapshot, book: Book) -> Proposal:
        """The trades wanted now.

        Args:
            snapshot: every bar that had closed by ``snapshot.time`` and nothing later.
            book: cash, positions and open orders, from the ledger. Open orders may still fill.

        Returns:
            Limit trades, at most one an instrument; ``HOLD`` for none. What is proposed is asked
            for in addition to open orders, not instead of them.

        Raises:
            Abstain: the strategy cannot tell this time; the fund holds and records the reason.
                Any other exception stops a backtest; in a live run it is an abstention too, with an
                alarm.
        """
        ...


def proposed(strategy: Strategy, snapshot: Snapshot, book: Book) -> Proposal:
    """What ``strategy`` proposes, if it is a proposal of this fund.

    Raises:
        Abstain: the strategy has no answer.
        ConfigurationError: for anything but a Proposal, and for an attempt to end the program.
        DomainError: for a leg in an instrument that is not the fund's own.
    """
    name = f"strategy {type(strategy).__name__}"
    try:
        proposal: object = strategy.decide(snapshot, book)
    except SystemExit as error:
        raise ConfigurationError(name, f"it ends the program: SystemExit({error})") from error
    if not isinstance(proposal, Proposal):
        problem = f"decide gave {proposal!r}; return a Proposal, or HOLD"
        raise ConfigurationError(name, problem)
    for leg in proposal.legs:
        if book.instrument(leg.instrument.symbol) != leg.instrument:
            raise DomainError("instrument", leg.instrument, "it is not the fund's own")
    return proposal
