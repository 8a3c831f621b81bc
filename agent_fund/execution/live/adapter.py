"""Adapter: what every real venue implements, whatever it is made of; all amounts are exact ints.

Two steps, so that the write-ahead rule can hold: ``prepare`` decides on the exact bytes (signed
once, by nobody twice) without sending any, the caller makes them durable, and ``submit`` sends
them; it may be called again with the same bytes at any time, after a crash too. An answer that is
not certain is a Report in UNKNOWN, never an exception and never a rejection.

An adapter moves no book and keeps no state that a restart would need: what it must remember
between ``prepare`` and the end stands in ``Prepared``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Order, Side
from agent_fund.domain.transfer import Transit
from agent_fund.execution.live.leg_state import LegState


@dataclass(frozen=True)
class Capabilities:
    """What a venue can do, and how far it must be trusted.

    Attributes:
        partial_fills: whether an order may fill in parts; False: whole or not at all.
        resting: whether an order can rest, and be cancelled.
        finality: blocks after which a chain's word is taken for final; 0 off chain.
        custody: whether it holds the fund's assets itself, and so must be trusted for them.
        dead_man: whether it cancels by itself what a silent client leaves.
    """

    partial_fills: bool
    resting: bool
    finality: int
    custody: bool
    dead_man: bool = False


@dataclass(frozen=True)
class Quote:
    """What a venue offers for one trade of ``quantity`` base units, all costs at the venue inside.

    Attributes:
        max_spent: base units given away at most: quote asset for a buy, base asset for a sell.
        min_received: base units received at least: base asset for a buy, quote asset for a sell.
        gas: base units of the fund's currency that getting it done costs beside, estimated.
        valid_until: Unix milliseconds; the venue owes nothing after it.
        firm: whether the venue owes it until then; otherwise it is an indication.
    """

    instrument: Instrument
    side: Side
    quantity: int
    max_spent: int
    min_received: int
    gas: int
    valid_until: int
    firm: bool
    detail: str = ""


@dataclass(frozen=True)
class TransferQuote:
    """What moving ``amount`` of the currency from ``source`` to ``target`` would bring.

    Attributes:
        min_received: base units that arrive at least; the difference is the price.
        seconds: expected time under way. ``trusted``: an intermediary that holds it meanwhile, or
            the empty string if none has to be trusted.
    """

    source: str
    target: str
    amount: int
    min_received: int
    gas: int
    valid_until: int
    seconds: int
    trusted: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Prepared:
    """What is to be sent for one leg, exactly; durable before a byte of it leaves.

    Attributes:
        leg_id: ClOrdID of the order, or id of the transfer.
        reference: what the venue is asked by: client id, transaction hash, intent hash.
        payload: the bytes that leave; for a chain, signed. Sent again unchanged, never signed anew.
        deadline: Unix seconds after which the venue cannot begin with it any more; 0 if never.
        notes: plain strings that ``status`` needs again after a restart; no secrets.
    """

    leg_id: str
    reference: str
    payload: bytes
    deadline: int
    notes: Mapping[str, str]


@dataclass(frozen=True)
class Execution:
    """A trade that the venue reports (FIX ExecType F), keyed by (venue, exec_id).

    Attributes:
        quantity: base units, positive. ``price``: price units; for a swap the exact quotient,
            rounded towards less money moved, and the rest in ``fee``.
        fee: base units of the quote asset, not negative.
        final: False while a chain may still take it back.
    """

    exec_id: str
    quantity: int
    price: int
    fee: int
    final: bool


@dataclass(frozen=True)
class Report:
    """What a venue knows of a leg: all of it each time, so that a lost report loses nothing.

    Attributes:
        executions: every trade of the leg so far, in the venue's order; for a transfer none.
        received: of a transfer, base units that arrived at the target, or came back in a refund.
        gas: smallest units of the chain's own coin that the leg has burnt so far.
        detail: for people; no secrets.
    """

    leg_id: str
    state: LegState
    executions: tuple[Execution, ...] = ()
    received: int | None = None
    gas: int = 0
    detail: str = ""


@dataclass(frozen=True)
class DoubtfulTrade:
    """A trade that a venue reports and that cannot be booked; ``reason`` is for people."""

    reference: str
    exec_id: str
    reason: str


@dataclass(frozen=True)
class Holdings:
    """What a venue or a chain says that the fund has there, to be compared with the ledger.

    Attributes:
        assets: base units by asset symbol, everything that belongs to the fund, locked or not.
        open_references: references of orders that rest there, ours or not.
        executions: (reference, trade) of every trade since the time that was asked for.
        coin: smallest units of the chain's own coin that pays for gas; None off chain.
        doubtful: trades since then that cannot be booked; they are not among ``executions``.
    """

    assets: Mapping[str, int]
    open_references: tuple[str, ...]
    executions: tuple[tuple[str, Execution], ...]
    coin: int | None = None
    doubtful: tuple[DoubtfulTrade, ...] = ()


class Adapter(Protocol):
    """One real venue that trades. Methods raise only for defects and wrong configuration."""

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, and how far it must be trusted."""
        ...

    def maximum_fee(self, order: Order) -> int:
        """The most that filling ``order`` wholly can cost in fees, in base units of the quote."""
        ...

    async def start(self) -> None:
        """Connect, and check that what is configured exists and has the stated decimals.

        Raises:
            ExecutionError: with the fix, if it does not.
        """
        ...

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        """A quote, or None if the venue does not offer the trade now."""
        ...

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        """The exact bytes for ``order``; nothing is sent.

        Args:
            deadline: Unix seconds after which it must not begin any more.

        Raises:
            ExecutionError: if the venue cannot take such an order (its filters, its simulation);
                the desk then books it as REJECTED.
        """
        ...

    async def submit(self, prepared: Prepared) -> Report:
        """Send the bytes, or send them again."""
        ...

    async def status(self, prepared: Prepared) -> Report:
        """What became of it."""
        ...

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same leg with a higher fee, in the place of the first; None where there is no such.

        At most one of the two can happen (they share their nonces); ``status`` of the answer knows
        the earlier bytes too. It is durable before ``submit``, as the first was.
        """
        ...

    async def cancel(self, prepared: Prepared) -> Report:
        """Ask that nothing more comes of it; only an ended state in the answer confirms it."""
        ...

    async def holdings(self, since: int) -> Holdings:
        """Balances, resting orders, and trades since ``since`` (Unix milliseconds)."""
        ...

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """The middle of the market now, price units by symbol; absent if there is none."""
        ...

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """What trades here, base units by symbol: a bar's volume, or the depth of a pool."""
        ...

    async def close(self) -> None:
        """Let go of connections; orders stay."""
        ...


class Carrier(Protocol):
    """What carries currency from one place of the fund to another; legs as for an Adapter."""

    @property
    def name(self) -> str:
        """The name by which run files and mandates know it."""
        ...

    def carries(self, source: str, target: str) -> bool:
        """Whether it serves this pair of places."""
        ...

    async def start(self) -> None:
        """As ``Adapter.start``."""
        ...

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        """A quote, or None if it would not carry this now."""
        ...

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        """The exact bytes for the transfer; nothing is sent.

        Raises:
            ExecutionError: if it cannot be made; nothing has left its source then.
        """
        ...

    async def submit(self, prepared: Prepared) -> Report:
        """Send the bytes, or send them again."""
        ...

    async def status(self, prepared: Prepared) -> Report:
        """What became of it; ``received`` once it is FILLED, SETTLED or REFUNDED."""
        ...

    async def bump(self, prepared: Prepared) -> Prepared | None:
        """The same leg with a higher fee, in the place of the first; None where there is no such.

        At most one of the two can happen (they share their nonces); ``status`` of the answer knows
        the earlier bytes too. It is durable before ``submit``, as the first was.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; what is under way stays under way."""
        ...
