"""What the margin adapter asks of an exchange's interface beside trading; all Decimals exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from agent_fund.execution.exchange.margin_terms import MarginTerms
from agent_fund.execution.exchange.venue_api import VenueApi


@dataclass(frozen=True)
class Income:
    """One funding payment; positive amounts are received. ``time`` in Unix milliseconds."""

    payment_id: str
    market: str
    amount: Decimal
    asset: str
    time: int


@dataclass(frozen=True)
class MarketMark:
    """A market's mark and index (Hyperliquid: oracle) price, in the quote asset."""

    mark: Decimal
    index: Decimal


@dataclass(frozen=True)
class FundingRate:
    """One funding rate of a market, of the notional; ``time`` in Unix milliseconds."""

    rate: Decimal
    time: int


class MarginApi(VenueApi, Protocol):
    """One exchange that margins perpetuals. Methods raise ``answer.Failure`` as VenueApi's do.

    Its ``trades_since`` marks the trades of the exchange's own making as forced.
    """

    async def terms(self, markets: Sequence[str]) -> Mapping[str, MarginTerms]:
        """What it asks of a position of this account, by market."""
        ...

    async def marks(self, markets: Sequence[str]) -> Mapping[str, MarketMark]:
        """By market; absent where the exchange does not tell both prices."""
        ...

    async def rates(self, market: str, start: int, end: int) -> Sequence[FundingRate]:
        """The funding rates of the times from ``start`` to ``end``, both inside (Unix ms)."""
        ...

    async def income(self, since: int) -> Sequence[Income]:
        """Funding paid and received since ``since`` (Unix ms); perhaps some of it twice."""
        ...

    async def arm_dead_man(self, markets: Sequence[str], seconds: int) -> None:
        """Cancel everything in ``seconds`` unless armed anew; 0 disarms."""
        ...
