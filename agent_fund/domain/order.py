"""Legs, proposals, orders and fills: what is asked for, what is sent, what came back.

An order is never changed: its life is a sequence of new values, each with a FIX OrdStatus.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import require_int, require_units
from agent_fund.domain.transfer import Transfer


class Side(enum.Enum):
    """Direction of a trade (FIX tag 54)."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Purpose(enum.Enum):
    """Who asked for an order: the agent, or the guard on its way out."""

    AGENT = "agent"
    REDUCE = "reduce"
    EXIT = "exit"


class Status(enum.Enum):
    """FIX OrdStatus (tag 39), as far as a limit order with a lifetime needs it.

    Attributes:
        open: whether fills can still come.
    """

    PENDING = "pending_new"
    NEW = "new"
    PARTIAL = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"

    def __init__(self, text: str) -> None:
        self.open = text in ("pending_new", "new", "partially_filled", "unknown")


@dataclass(frozen=True)
class Leg:
    """One limit trade: ``quantity`` in base units, ``limit`` in price units."""

    instrument: Instrument
    side: Side
    quantity: int
    limit: int

    def __post_init__(self) -> None:
        name = self.instrument.symbol
        if not isinstance(self.side, Side):
            raise DomainError(f"side of {name}", self.side, "write Side.BUY or Side.SELL")
        require_units(self.quantity, f"quantity of {name}", minimum=0)
        require_units(self.limit, f"limit price of {name}", minimum=1)
        self.instrument.require_quantity(self.quantity, f"quantity of {name}")
        if self.quantity == 0:
            raise DomainError(f"quantity of {name}", 0, "leave a leg out rather than trade nothing")
        self.instrument.require_price(self.limit, f"limit price of {name}")


@dataclass(frozen=True)
class Proposal:
    """What an agent asks for.

    Attributes:
        legs: at most one leg an instrument. Empty means: hold.
        ordered: leg k+1 is sent only after leg k is wholly filled.
        reason: the agent's own words, recorded and never read by the guard.
        transfers: currency to move between the fund's places; it leaves at once.
    """

    legs: tuple[Leg, ...] = ()
    ordered: bool = False
    reason: str = ""
    transfers: tuple[Transfer, ...] = ()

    def __post_init__(self) -> None:
        for part, kind in ((self.legs, Leg), (self.transfers, Transfer)):
            if wrong := next((item for item in part if not isinstance(item, kind)), None):
                raise DomainError("proposal", wrong, f"give each {kind.__name__} as one")
        seen: set[str] = set()
        for leg in self.legs:
            name = leg.instrument.symbol
            if name in seen:
                raise DomainError("legs of a proposal", name, "give each instrument one leg")
            seen.add(name)

    @property
    def holds(self) -> bool:
        """Whether nothing is asked for."""
        return not self.legs and not self.transfers


@dataclass(frozen=True)
class Order:
    """One limit order and how far it got.

    Attributes:
        order_id: ClOrdID, derived from the logged intent.
        expires: number of the bar at whose close what is unfilled expires.
        waits_for: ClOrdID of the leg that must be wholly filled first, or None.
        filled: base units filled so far.
    """

    order_id: str
    instrument: Instrument
    side: Side
    quantity: int
    limit: int
    purpose: Purpose
    expires: int
    waits_for: str | None = None
    filled: int = 0
    status: Status = Status.PENDING

    def __post_init__(self) -> None:
        name = f"order {self.order_id} of {self.instrument.symbol}"
        self.instrument.require_quantity(self.quantity, f"quantity of {name}")
        self.instrument.require_price(self.limit, f"limit price of {name}")
        require_int(self.filled, f"filled quantity of {name}", minimum=0)
        if self.quantity == 0 or self.filled > self.quantity:
            raise DomainError(f"quantity of {name}", self.quantity, "fills cannot exceed it")

    @property
    def remaining(self) -> int:
        """Base units that may still fill."""
        return self.quantity - self.filled if self.status.open else 0

    @property
    def signed_remaining(self) -> int:
        """``remaining`` with the sign of its effect on the position."""
        return self.side.sign * self.remaining

    def with_fill(self, fill: Fill) -> Order:
        """The order after ``fill``.

        Raises:
            DomainError: if the fill is for another order, too large, or beyond the limit price.
        """
        if fill.order_id != self.order_id or fill.instrument != self.instrument:
            raise DomainError("fill", fill.order_id, f"it does not belong to {self.order_id}")
        if fill.side is not self.side:
            raise DomainError("fill side", fill.side.value, f"the order is a {self.side.value}")
        if fill.quantity > self.remaining:
            raise DomainError(
                f"fill of {self.order_id}", fill.quantity, f"at most {self.remaining} remain"
            )
        if (fill.price - self.limit) * self.side.sign > 0:
            raise DomainError(
                f"fill price of {self.order_id}", fill.price, f"the limit is {self.limit}"
            )
        filled = self.filled + fill.quantity
        status = Status.FILLED if filled == self.quantity else Status.PARTIAL
        return self._as(filled, status)

    def with_status(self, status: Status) -> Order:
        """The order with another status; a closed order stays closed."""
        if not self.status.open:
            raise DomainError(
                f"status of {self.order_id}", status.value, f"it has ended as {self.status.value}"
            )
        return self._as(self.filled, status)

    def _as(self, filled: int, status: Status) -> Order:
        # For every report there is; dataclasses.replace takes half as long again.
        return Order(
            self.order_id,
            self.instrument,
            self.side,
            self.quantity,
            self.limit,
            self.purpose,
            self.expires,
            self.waits_for,
            filled,
            status,
        )


@dataclass(frozen=True)
class Fill:
    """An execution report of a trade (FIX ExecType F), keyed by (venue, exec_id).

    Attributes:
        quantity: base units, positive.
        price: price units.
        fee: base units of the quote asset, not negative.
        bar: number of the bar in which it happened.
    """

    exec_id: str
    order_id: str
    instrument: Instrument
    side: Side
    quantity: int
    price: int
    fee: int
    bar: int

    def __post_init__(self) -> None:
        name = f"fill {self.exec_id} of {self.instrument.symbol}"
        self.instrument.require_quantity(self.quantity, f"quantity of {name}")
        if self.quantity == 0:
            raise DomainError(f"quantity of {name}", 0, "an empty fill is no fill")
        require_int(self.price, f"price of {name}", minimum=1)
        require_int(self.fee, f"fee of {name}", minimum=0)
        require_int(self.bar, f"bar of {name}", minimum=0)
