"""Accounts: one asset in one bucket at one place; nothing else is a balance.

Own assets at a named place are available or reserved at a spot place, margin at a margin place, and
in transit towards either. What the fund gave away or got stands at the one place ``outside``, so
value never vanishes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import require_name
from agent_fund.domain.order import Side
from agent_fund.execution.errors import LedgerError

OUTSIDE = "outside"


class Bucket(enum.Enum):
    """The part of a place's holding: four own ones, and six counterparties outside.

    MARGIN is all that stands in a margin account, currency and contracts; it alone may be negative:
    contracts sold short, and currency that longs took out. IN_TRANSIT is currency on its way to its
    place, the target of the transfer. ADJUSTMENT is where a person says that the rest is.
    """

    AVAILABLE = "available"
    RESERVED = "reserved"
    MARGIN = "margin"
    IN_TRANSIT = "in_transit"
    CAPITAL = "capital"
    MARKET = "market"
    FEES = "fees"
    FUNDING = "funding"
    INSURANCE = "insurance"
    ADJUSTMENT = "adjustment"


_COUNTERPARTIES = frozenset(
    {
        Bucket.CAPITAL,
        Bucket.MARKET,
        Bucket.FEES,
        Bucket.FUNDING,
        Bucket.INSURANCE,
        Bucket.ADJUSTMENT,
    }
)


@dataclass(frozen=True)
class Account:
    """One asset in one bucket at one place; counterparties stand outside, and only there.

    Raises:
        LedgerError: if the bucket does not belong to the place.
    """

    place: str
    asset: Asset
    bucket: Bucket

    def __post_init__(self) -> None:
        require_name(self.place, "place of an account")
        if self.own == (self.bucket in _COUNTERPARTIES):
            raise LedgerError(
                f"bucket at {self.place}",
                self.bucket.value,
                f"counterparties stand at {OUTSIDE!r}, all other buckets elsewhere",
            )

    def __hash__(self) -> int:
        return hash((self.place, self.asset.symbol, self.bucket._value_))  # of texts

    @property
    def own(self) -> bool:
        """Whether what stands here belongs to the fund."""
        return self.place != OUTSIDE

    @property
    def bounded(self) -> bool:
        """Whether its balance stays at 0 or above."""
        return self.own and self.bucket is not Bucket.MARGIN


def free_bucket(instrument: Instrument) -> Bucket:
    """Where what is not tied to an order stands at the instrument's place."""
    return Bucket.AVAILABLE if instrument.margin is None else Bucket.MARGIN


class TradeAccounts(NamedTuple):
    """The accounts that an order of one side in one instrument touches."""

    available: Account
    reserved: Account
    received: Account
    base_market: Account
    quote_market: Account
    fees: Account

    @classmethod
    def of(cls, instrument: Instrument, side: Side) -> TradeAccounts:
        """A buy gives the quote asset and receives the base asset; a sell the other way round.

        A perpetual is exchanged out of and into margin; nothing is ever reserved for it.
        """
        place, base, quote = instrument.account, instrument.base, instrument.quote
        given, received = (quote, base) if side is Side.BUY else (base, quote)
        free = free_bucket(instrument)
        return cls(
            Account(place, given, free),
            Account(place, given, Bucket.RESERVED),
            Account(place, received, free),
            Account(OUTSIDE, base, Bucket.MARKET),
            Account(OUTSIDE, quote, Bucket.MARKET),
            Account(OUTSIDE, quote, Bucket.FEES),
        )
