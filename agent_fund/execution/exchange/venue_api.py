"""What the adapter asks of one exchange's interface; amounts are Decimals from its own texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.live.leg_state import LegState

Level = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class NewOrder:
    """A limit order in the exchange's terms; ``deadline`` in Unix seconds, 0 for none.

    Attributes:
        closes: whether the exchange may only reduce a position by it.
    """

    leg_id: str
    market: str
    buy: bool
    price: Decimal
    quantity: Decimal
    deadline: int
    closes: bool = False


@dataclass(frozen=True)
class VenueTrade:
    """One trade of ours, as the exchange reports it; ``time`` in Unix milliseconds.

    Attributes:
        forced: whether the exchange itself made it, to close a position: a liquidation and the
            like. No order of ours is behind it.
    """

    exec_id: str
    order_id: str
    market: str
    buy: bool
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    forced: bool = False


@dataclass(frozen=True)
class VenueOrder:
    """One order of ours, as the exchange reports it.

    Attributes:
        placed: Unix milliseconds; no trade of it is older.
        state: SUBMITTED, SETTLED, CANCELED or REJECTED; UNKNOWN for a status not in its manual.
        trades: those that came with the answer; None if they have to be asked for.
    """

    order_id: str
    reference: str
    market: str
    buy: bool
    price: Decimal
    quantity: Decimal
    executed: Decimal
    placed: int
    state: LegState
    trades: tuple[VenueTrade, ...] | None = None


class VenueApi(Protocol):
    """One exchange's interface. Methods raise ``answer.Failure`` when there is no good answer."""

    @property
    def dead_man(self) -> bool:
        """Whether it can cancel by itself what a silent client leaves."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the same bytes, sent again, can never be accepted twice."""
        ...

    @property
    def lifetime(self) -> float:
        """Seconds after a sending, at most, in which the exchange may still accept it."""
        ...

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """The markets by the exchange's ids, once the account is found to be as configured.

        Raises:
            ExecutionError: if it is not.
        """
        ...

    async def markets(self) -> Mapping[str, MarketRules]:
        """The markets by the exchange's ids as they are now, halted ones too."""
        ...

    def reference(self, leg_id: str) -> str:
        """The client id of a leg."""
        ...

    async def encode(self, order: NewOrder, good: str) -> tuple[bytes, int]:
        """What ``place`` needs, and the Unix second after which it is void (0: see deadline)."""
        ...

    async def place(self, payload: bytes, deadline: int) -> VenueOrder | None:
        """Send it; the order if the answer tells it."""
        ...

    async def find(self, market: str, reference: str) -> VenueOrder:
        """The order with that client id, the latest if there are several."""
        ...

    async def trades(self, order: VenueOrder) -> Sequence[VenueTrade]:
        """The trades of an order, as the exchange lists them."""
        ...

    async def cancel(self, market: str, reference: str) -> None:
        """Ask to take the order out."""
        ...

    async def levels(self, market: str) -> tuple[Sequence[Level], Sequence[Level]]:
        """(price, quantity) of bids and asks, best first."""
        ...

    async def balances(self) -> Mapping[str, Decimal]:
        """Total by asset; of a margin account its cash without positions, and those by market."""
        ...

    async def open_references(self, markets: Sequence[str]) -> Sequence[str]:
        """Client ids of what rests there, ours or not."""
        ...

    async def trades_since(self, market: str, since: int) -> Sequence[tuple[str, VenueTrade]]:
        """(client id, trade) of every trade since ``since`` (Unix ms), forced ones too."""
        ...

    async def adjust_clock(self) -> None:
        """Measure the difference between the clocks again."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
