"""The small funds that the tests of this folder trade at the loopback exchange.

Time is the test's: ``Clock`` is both the exchange's and the adapter's, so that a request's window
passes when the test says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from eth_account import Account
from time_outs import PATIENCE_MS, withheld_answers_time_out

from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.server import KEY, SECRET, LoopbackExchange
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.connect import (
    Setting,
    binance_futures,
    binance_spot,
    binance_wallet,
    hyperliquid,
)
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.margin_adapter import MarginExchangeAdapter
from agent_fund.execution.exchange.wallet_carrier import WalletCarrier

USD = Asset("USD", 18)
BTC = Asset("BTC", 8)
SPOT = Instrument("BTC-SPOT", BTC, USD, Venue("binance"), price_scale=2, lot=1000)
MARGIN = Margin(Fraction(1, 20), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))
PERPETUAL = Instrument(
    "BTC-PERP",
    Asset("BTCP", 8),
    USD,
    Venue("futures"),
    price_scale=1,
    lot=100_000,
    kind=Kind.PERPETUAL,
    margin=MARGIN,
)
HYPER = Instrument(
    "BTC-HL",
    Asset("BTCH", 8),
    USD,
    Venue("hyperliquid"),
    price_scale=1,
    lot=1000,
    tick=10,
    kind=Kind.PERPETUAL,
    margin=MARGIN,
)
PERPETUAL_ETH = replace(
    PERPETUAL, symbol="ETH-PERP", base=Asset("ETHP", 8), underlying="", price_scale=2
)
HYPER_ETH = replace(
    HYPER, symbol="ETH-HL", base=Asset("ETHH", 8), underlying="", price_scale=2, lot=10_000
)
PRICE = Decimal(60_000)
ETH_PRICE = Decimal(3_000)
AnyAdapter = TypeVar("AnyAdapter", bound=ExchangeAdapter)
IN_COIN = Fees(Decimal("0.001"), "BNB", Decimal("0.1"))
IN_QUOTE = Fees(Decimal("0.0005"))
# A key for these tests only.
OWNER = Account.from_key("0x" + "11" * 32)
FAR = 4_000_000_000


class Clock:
    """Milliseconds since the epoch that move when the test moves them."""

    def __init__(self) -> None:
        self.ms = 1_790_000_000_000

    def now(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def pass_by(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)


class Keys:
    """Credentials of the loopback exchange."""

    key = KEY

    def reveal(self) -> str:
        return SECRET


class Signer:
    """An EvmSigner with the owner's key."""

    address = OWNER.address

    async def sign_transaction(self, transaction: Mapping[str, Any]) -> Any:
        raise AssertionError("an exchange is sent no transaction")

    async def sign_typed_data(self, full_message: Mapping[str, Any]) -> bytes:
        signed = Account.sign_typed_data(OWNER.key, full_message=dict(full_message))
        return bytes(signed.signature)


@dataclass
class World:
    """One loopback exchange, its clock, and adapters to it."""

    clock: Clock
    exchange: LoopbackExchange
    setting: Setting
    made: list[ExchangeAdapter | WalletCarrier]

    async def spot(self, fees: Fees = IN_COIN, **changes: Any) -> ExchangeAdapter:
        return await self._start(
            binance_spot("binance", Keys(), {SPOT: "BTCUSDT"}, fees, self._set(changes))
        )

    async def futures(self, **changes: Any) -> MarginExchangeAdapter:
        markets = {PERPETUAL: "BTCUSDT", PERPETUAL_ETH: "ETHUSDT"}
        return await self._start(
            binance_futures("futures", Keys(), markets, IN_QUOTE, self._set(changes))
        )

    async def hyper(self, **changes: Any) -> MarginExchangeAdapter:
        markets = {HYPER: "BTC", HYPER_ETH: "ETH"}
        return await self._start(
            hyperliquid(
                "hyperliquid", Signer(), OWNER.address, markets, IN_QUOTE, self._set(changes)
            )
        )

    async def carrier(self, **changes: Any) -> WalletCarrier:
        """Between a spot and a futures adapter; as after a restart, it has forgotten everything."""
        setting, (spot, futures) = self._set(changes), await self.accounts()
        made = binance_wallet("wallet", Keys(), USD, spot, futures, setting)
        self.made.append(made)
        await made.start()
        return made

    async def accounts(self) -> tuple[ExchangeAdapter, ExchangeAdapter]:
        """The first two adapters, made if there are none."""
        if not self.made:
            await self.spot()
            await self.futures()
        first = [made for made in self.made if isinstance(made, ExchangeAdapter)]
        return first[0], first[1]

    def _set(self, changes: dict[str, Any]) -> Setting:
        return Setting(**{**vars(self.setting), **changes})

    async def _start(self, adapter: AnyAdapter) -> AnyAdapter:
        self.made.append(adapter)
        await adapter.start()
        return adapter


@asynccontextmanager
async def world(depth: str = "60000", **terms: Any) -> AsyncIterator[World]:
    """A world at PRICE whose market maker offers ``depth`` of the quote asset a level."""
    clock = Clock()
    maker = MarketMaker(levels=5, depth=Decimal(depth))
    exchange = LoopbackExchange(clock=clock.now, maker=maker, owner=OWNER.address, **terms)
    url = await exchange.start()
    exchange.set_price("BTCUSDT", PRICE)
    exchange.set_price("ETHUSDT", ETH_PRICE)
    setting = Setting(
        url=url,
        timeout_ms=PATIENCE_MS,
        rate_limit_ms=1,
        now=clock.now,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
    )
    made = World(clock, exchange, setting, [])
    try:
        with withheld_answers_time_out(exchange):
            yield made
    finally:
        for adapter in made.made:
            await adapter.close()
        await exchange.stop()


def order(
    side: Side,
    quantity: str,
    limit: str,
    name: str = "a",
    instrument: Instrument = SPOT,
) -> Order:
    """An order with a ClOrdID of 32 characters that begins with ``name``."""
    return Order(
        name.ljust(32, "2"),
        instrument,
        side,
        instrument.quantity(quantity),
        instrument.price(limit),
        Purpose.AGENT,
        expires=10,
    )


def placed(exchange: LoopbackExchange, path: str = "/api/v3/order") -> int:
    """How many placements the exchange acted on."""
    return sum(1 for method, where, _ in exchange.seen if (method, where) == ("POST", path))
