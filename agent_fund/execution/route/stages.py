"""Stages of a route: a trade of one or more swaps at once, or a bridge; each with its worst case.

The worst allowed outcome of a stage is what its limits and the carrier's word leave open: a swap
fills at its limit and pays the highest fee of its venue, a bridge delivers its ``min_received``.
All amounts are base units of the currency unless a line's own units are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Leg, Side
from agent_fund.domain.transfer import Transfer


@dataclass(frozen=True)
class Swap:
    """One limit trade, as an order would state it, and what it was quoted.

    Attributes:
        quantity: base units of the line. ``limit``: price units.
        quoted: money spent by a purchase or received for a sale, the venue's costs inside.
        max_fee: the most that the venue may charge on top of the limit.
        ready: what a purchase keeps ready for fees; at least ``max_fee``. 0 for a sale.
        own: what a purchase may take of the cash that stood at its place before the route.
        valid_until: Unix milliseconds.
    """

    instrument: Instrument
    side: Side
    quantity: int
    limit: int
    quoted: int
    max_fee: int
    ready: int
    gas: int
    own: int
    valid_until: int

    @property
    def place(self) -> str:
        """Where it pays, or is paid."""
        return self.instrument.account

    @property
    def leg(self) -> Leg:
        """As a proposal states it."""
        return Leg(self.instrument, self.side, self.quantity, self.limit)

    @property
    def at_limit(self) -> int:
        """The notional at the limit."""
        return self.instrument.notional(self.quantity, self.limit)

    @property
    def worst(self) -> int:
        """The most that a purchase spends, or the least that a sale brings."""
        if self.side is Side.BUY:
            return self.at_limit + self.max_fee
        return max(0, self.at_limit - self.max_fee)

    @property
    def reserve(self) -> int:
        """What a purchase needs at its place before it may begin."""
        return self.at_limit + self.ready

    def within(self, budget: int) -> Swap | None:
        """The purchase as large as ``budget`` allows, in whole lots; None if not one lot.

        The fees of the whole are kept ready for the part, since a venue may have a smallest fee.
        """
        if self.reserve <= budget:
            return self
        lot = self.instrument.notional(self.instrument.lot, self.limit)
        lots = (budget - self.ready) // lot
        if lots < 1:
            return None
        quantity = lots * self.instrument.lot
        quoted = ceil_div(self.quoted * quantity, self.quantity)
        return replace(self, quantity=quantity, quoted=quoted)


@dataclass(frozen=True)
class Trade:
    """Swaps that are sent together; a split of one goal over several lines."""

    swaps: tuple[Swap, ...]


@dataclass(frozen=True)
class Bridge:
    """Currency moved between two places by a carrier.

    Attributes:
        own: what it may take of the cash that stood at its source before the route.
        sweep: whether it moves all that the route has brought to its source, not just ``amount``.
        trusted: an intermediary that must be trusted while it holds the money, or empty.
        step: amounts are multiples of it.
    """

    carrier: str
    source: str
    target: str
    amount: int
    min_received: int
    gas: int
    seconds: int
    trusted: str
    own: int
    sweep: bool
    step: int
    valid_until: int

    @property
    def cost(self) -> int:
        """The most that the carrier keeps."""
        return self.amount - self.min_received

    @property
    def transfer(self) -> Transfer:
        """As a proposal states it."""
        return Transfer(self.amount, self.source, self.target, self.cost)

    def carrying(self, amount: int) -> Bridge | None:
        """The same for another amount, rounded down to the step; None if nothing would arrive.

        What arrives is bounded for a carrier that keeps a fixed sum and a share: of a smaller
        amount it keeps no more than of the whole, of a larger one no larger share.
        """
        amount = amount // self.step * self.step
        if amount == self.amount:
            return self
        less = amount - self.cost
        arrives = less if amount < self.amount else self.min_received * amount // self.amount
        if arrives <= 0:
            return None
        return replace(self, amount=amount, min_received=arrives)


Stage = Trade | Bridge


def swaps_of(stages: tuple[Stage, ...]) -> Iterator[Swap]:
    """Every swap of ``stages``, in order."""
    for stage in stages:
        if isinstance(stage, Trade):
            yield from stage.swaps


def bridges_of(stages: tuple[Stage, ...]) -> Iterator[Bridge]:
    """Every bridge of ``stages``, in order."""
    for stage in stages:
        if isinstance(stage, Bridge):
            yield stage


def shown(asset: Asset, quantity: int) -> str:
    """``quantity`` base units of ``asset`` as people read it, without zeros that say nothing."""
    text = f"{asset.amount(quantity):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stage_name(stage: Stage) -> str:
    """The stage as people read it, in one line."""
    if isinstance(stage, Bridge):
        return f"move {stage.source} to {stage.target} by {stage.carrier}"
    return " + ".join(
        f"{swap.side.value} {shown(swap.instrument.base, swap.quantity)} {swap.instrument.symbol}"
        f" at {swap.instrument.venue.name}"
        for swap in stage.swaps
    )
