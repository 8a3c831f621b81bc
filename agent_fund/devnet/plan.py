"""What a devnet is built for: the lines of a run file, its cash, and the prices to be played."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

EXCHANGE, CHAIN_A, CHAIN_B, COW, NEAR = "exchange", "chain-a", "chain-b", "cow", "near"
VENUES = (EXCHANGE, CHAIN_A, CHAIN_B, COW, NEAR)


@dataclass(frozen=True)
class Plan:
    """One coin at five venues.

    Attributes:
        currency: symbol of the fund's currency, which USDT at the exchange and USDC elsewhere
            stand for.
        lines: by venue of VENUES, the symbol of the instrument that trades there.
        cash: by venue, what the fund begins with, in whole units of the currency.
        prices: of the coin, played one after another; at least one.
        mandate_hash: 32 bytes, registered with the Safe's module.
    """

    currency: str
    lines: dict[str, str]
    cash: dict[str, Decimal]
    prices: tuple[Decimal, ...]
    mandate_hash: bytes
