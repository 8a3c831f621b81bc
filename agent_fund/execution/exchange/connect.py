"""Adapters from credentials: the one place that decides how ccxt is set up for each exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.execution.exchange.adapter import ExchangeAdapter, Terms
from agent_fund.execution.exchange.binance_futures import BinanceFutures
from agent_fund.execution.exchange.binance_spot import BinanceSpot
from agent_fund.execution.exchange.connection import Connection, client
from agent_fund.execution.exchange.fees import Fees
from agent_fund.execution.exchange.hyperliquid import Hyperliquid
from agent_fund.execution.exchange.hyperliquid_action import ActionSigner
from agent_fund.execution.exchange.margin_adapter import MarginExchangeAdapter
from agent_fund.execution.exchange.wallet import Wallet
from agent_fund.execution.exchange.wallet_carrier import WalletCarrier
from agent_fund.execution.live.signing import ApiCredentials, EvmSigner

Markets = Mapping[Instrument, str]


@dataclass(frozen=True)
class Setting:
    """How an exchange is reached.

    Attributes:
        url: scheme and host instead of the exchange's own, e.g. a loopback exchange's.
        timeout_ms: for one request, connecting and answer together.
        window_ms: how long a request is good for once it is signed.
        rate_limit_ms: milliseconds for one of ccxt's units of weight, which at Binance's spot are
            five of the exchange's; None for ccxt's own figure.
        good: time in force of every order, GTC or IOC.
        patience: see ExchangeAdapter.
        now: Unix milliseconds. ``monotonic``: seconds. ``sleep``: for so many seconds.
    """

    url: str | None = None
    timeout_ms: int = 5_000
    window_ms: int = 5_000
    rate_limit_ms: int | None = None
    good: str = "GTC"
    patience: float = 2.0
    now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def connection(self, exchange: str, keys: ApiCredentials | None) -> Connection:
        """A connection to ``exchange``, with the account's keys if it takes such."""
        named = {} if keys is None else {"apiKey": keys.key, "secret": keys.reveal()}
        made = client(exchange, named, self.url, self.timeout_ms, self.rate_limit_ms)
        made.milliseconds = self.now
        return Connection(made, self.monotonic)

    @property
    def terms(self) -> Terms:
        """What an adapter takes of it."""
        return {
            "good": self.good,
            "patience": self.patience,
            "now": self.now,
            "monotonic": self.monotonic,
            "sleep": self.sleep,
        }


def binance_spot(
    name: str, keys: ApiCredentials, markets: Markets, fees: Fees, setting: Setting
) -> ExchangeAdapter:
    """A Binance spot account."""
    api = BinanceSpot(setting.connection("binance", keys), setting.now, setting.window_ms)
    return ExchangeAdapter(name, api, markets, fees, **setting.terms)


def binance_futures(
    name: str, keys: ApiCredentials, markets: Markets, fees: Fees, setting: Setting
) -> MarginExchangeAdapter:
    """A Binance USDⓈ-M futures account."""
    connection = setting.connection("binance", keys)
    listed = tuple(markets.values())
    api = BinanceFutures(connection, listed, setting.now, setting.window_ms)
    return MarginExchangeAdapter(name, api, markets, fees, **setting.terms)


def binance_wallet(
    name: str,
    keys: ApiCredentials,
    currency: Asset,
    spot: ExchangeAdapter,
    futures: ExchangeAdapter,
    setting: Setting,
) -> WalletCarrier:
    """Transfers of ``currency`` between the spot and futures wallets of one Binance account."""
    return WalletCarrier(
        name,
        Wallet(setting.connection("binance", keys)),
        currency,
        spot,
        futures,
        window_ms=setting.window_ms,
        patience=setting.patience,
        now=setting.now,
        sleep=setting.sleep,
    )


def hyperliquid(
    name: str,
    signer: EvmSigner,
    user: str,
    markets: Markets,
    fees: Fees,
    setting: Setting,
    testnet: bool = False,
) -> MarginExchangeAdapter:
    """A Hyperliquid account.

    Args:
        user: address of the account; the signer may be an API wallet of it.
    """
    connection = setting.connection("hyperliquid", None)
    actions = ActionSigner(connection.client, signer, setting.now, testnet)
    api = Hyperliquid(connection, actions, user, setting.now, setting.window_ms, setting.monotonic)
    return MarginExchangeAdapter(name, api, markets, fees, **setting.terms)
