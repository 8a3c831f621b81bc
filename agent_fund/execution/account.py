"""Accounts: one asset in one bucket at one place; nothing else is a balance.

Own assets are available, reserved or in transit at a named place. What the fund gave away or got
stands at the one place ``outside``, so value never vanishes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from agent_fund.domain.instrument import Asset, Instrument, require_name
from agent_fund.domain.order import Side
from agent_fund.execution.errors import LedgerError

OUTSIDE = "outside"


class Bucket(enum.Enum):
    """The part of a place's holding: three own ones, and three counterparties outside."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    IN_TRANSIT = "in_transit"
    CAPITAL = "capital"
    MARKET = "market"
    FEES = "fees"


_COUNTERPARTIES = frozenset({Bucket.CAPITAL, Bucket.MARKET, Bucket.FEES})


@dataclass(frozen=True)
class Account:
    """One asset in one bucket at one place; CAPITAL, MARKET and FEES stand outside, and only there.

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
                f"capital, market and fees stand at {OUTSIDE!r}, all others elsewhere",
            )

    @property
    def own(self) -> bool:
        """Whether what stands here belongs to the fund."""
        return self.place != OUTSIDE


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
        """A buy gives the quote asset and receives the base asset; a sell the other way round."""
        place, base, quote = instrument.venue.name, instrument.base, instrument.quote
        given, received = (quote, base) if side is Side.BUY else (base, quote)
        return cls(
            Account(place, given, Bucket.AVAILABLE),
            Account(place, given, Bucket.RESERVED),
            Account(place, received, Bucket.AVAILABLE),
            Account(OUTSIDE, base, Bucket.MARKET),
            Account(OUTSIDE, quote, Bucket.MARKET),
            Account(OUTSIDE, quote, Bucket.FEES),
        )
