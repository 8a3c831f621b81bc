"""What a devnet is built for: the lines of a run file, its cash, and the prices to be played."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

EXCHANGE, CHAIN_A, CHAIN_B, COW, NEAR = "exchange", "chain-a", "chain-b", "cow", "near"
FUTURES, HYPERLIQUID = "futures", "hyperliquid"
SPOT = (EXCHANGE, CHAIN_A, CHAIN_B, COW, NEAR)
MARGINED = (FUTURES, HYPERLIQUID)
VENUES = (*SPOT, *MARGINED)


@dataclass(frozen=True)
class Step:
    """One moment of the market that is played.

    Attributes:
        price: of the coin. ``perpetual``: the mark of its perpetuals.
        rate: funding that they pay then, as a share of the notional; 0 for none.
    """

    price: Decimal
    perpetual: Decimal
    rate: Decimal = Decimal(0)


@dataclass(frozen=True)
class Plan:
    """One coin at some of the venues.

    Attributes:
        currency: symbol of the fund's currency, which USDT at the exchange and USDC elsewhere
            stand for.
        lines: by venue of VENUES, the symbol of the instrument that trades there.
        cash: by venue, what the fund begins with, in whole units of the currency; 0 where absent.
        steps: played one after another, the last one stays; at least one.
        mandate_hash: 32 bytes, registered with the Safe's module.
    """

    currency: str
    lines: dict[str, str]
    cash: dict[str, Decimal]
    steps: tuple[Step, ...]
    mandate_hash: bytes

    def money(self, venue: str) -> Decimal:
        """What the fund begins with at ``venue``."""
        return self.cash.get(venue, Decimal(0))
