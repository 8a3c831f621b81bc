"""What a real venue with a margin account tells beside trades: marks, funding, liquidations.

What it paid, took or closed is what it says, to the last unit; nothing is worked out from rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_fund.domain.instrument import Instrument
from agent_fund.execution.live.adapter import Adapter


@dataclass(frozen=True)
class Mark:
    """A perpetual's mark, at which the venue margins and liquidates, and its index; price units."""

    mark: int
    index: int


@dataclass(frozen=True)
class FundingReceipt:
    """One funding payment.

    Attributes:
        payment_id: the venue's id of it; a second record with it is the same payment.
        symbol: of the fund's instrument.
        amount: base units of the quote asset; negative if it was paid.
        time: Unix milliseconds.
    """

    payment_id: str
    symbol: str
    amount: int
    time: int


@dataclass(frozen=True)
class ForcedTrade:
    """A trade by which the venue itself closed a position, or a part of one: a liquidation, or
    auto-deleveraging.

    Attributes:
        exec_id: as in Execution.
        symbol: of the fund's instrument.
        quantity: what was held and is closed by it, signed base units: positive if a long was sold.
        price: price units. ``fee``: base units of the quote, not negative.
        time: Unix milliseconds.
    """

    exec_id: str
    symbol: str
    quantity: int
    price: int
    fee: int
    time: int


class MarginAdapter(Adapter, Protocol):
    """A venue that margins perpetuals."""

    async def marks(self, instruments: Sequence[Instrument]) -> Mapping[str, Mark]:
        """The marks now, by symbol; absent where the venue does not tell one."""
        ...

    async def funding_rates(
        self, instruments: Sequence[Instrument], since: int, until: int
    ) -> Mapping[str, int]:
        """The sum of the funding rates of the times ``since < t <= until`` (Unix ms), by symbol.

        In 10**-RATE_SCALE of the notional, positive: longs pay; 0 where there was no payment.

        Raises:
            ExecutionError: if the venue does not answer.
        """
        ...

    async def funding(self, since: int) -> tuple[FundingReceipt, ...]:
        """Funding paid and received at ``since`` (Unix ms) or later, each payment once.

        Raises:
            ExecutionError: if the venue does not answer, or a payment is in another market.
        """
        ...

    async def forced(self, since: int) -> tuple[ForcedTrade, ...]:
        """Trades of the venue's own making at ``since`` (Unix ms) or later, in order.

        They are not among the executions of ``holdings``.

        Raises:
            ExecutionError: if the venue does not answer, or one cannot be booked exactly.
        """
        ...

    async def arm_dead_man(self, seconds: int) -> None:
        """Let the venue cancel all that rests in ``seconds`` unless this is called again.

        Args:
            seconds: 0 disarms.

        Raises:
            ExecutionError: if it did not confirm it.
        """
        ...
