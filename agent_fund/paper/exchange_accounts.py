"""Accounts at exchanges from the file of connections: their adapters, and a wallet carrier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import ceil_div
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
from agent_fund.execution.keys.credentials import Credentials, credentials
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Carrier
from agent_fund.paper.connections import ExchangeSpec, VenueSpec, WalletSpec
from agent_fund.paper.errors import PaperError

LOOPBACK = "loopback"
# Request weight a minute that exchanges allow.
_WEIGHT = {"binance": 6_000, "binance_futures": 2_400, "hyperliquid": 1_200}
# How much of it one unit of cost in ccxt's tables may be, which its rate limit counts: at Binance's
# spot they say 4 for a weight of 20, for Binance's futures the weight itself (but 1 for the 5 of an
# account's balances), and for most questions to Hyperliquid 10 for a weight of 20.
_UNIT = {"binance": 5, "binance_futures": 1, "hyperliquid": 2}
_MINUTE = 60_000  # milliseconds
_LOOPBACK_KEYS = ("loopback-key", "loopback-secret")  # of the devnet's exchange; open nothing else

V = TypeVar("V")


class ExchangeAccounts:
    """Builds the adapters of one run, not yet started; arguments as for Wiring.

    Attributes:
        users: by venue, whom the exchange knows: the address at Hyperliquid, elsewhere the public
            part of the API key.
    """

    def __init__(
        self, instruments: Sequence[Instrument], currency: Asset, keyring: Keyring
    ) -> None:
        self._instruments = tuple(instruments)
        self._currency = currency
        self._keyring = keyring
        self._built: dict[str, ExchangeAdapter] = {}
        self.users: dict[str, str] = {}

    def spot(self, venue: str, spec: ExchangeSpec) -> ExchangeAdapter:
        """A spot account."""
        setting = _setting(spec)
        keys = self._credentials(spec)
        self.users[venue] = keys.key
        made = binance_spot(venue, keys, self._markets(venue, spec), _fees(spec), setting)
        self._built[venue] = made
        return made

    async def margined(self, venue: str, spec: ExchangeSpec) -> MarginExchangeAdapter:
        """An account that margins perpetuals."""
        markets, fees, setting = self._markets(venue, spec), _fees(spec), _setting(spec)
        if spec.kind == "binance_futures":
            keys = self._credentials(spec)
            self.users[venue] = keys.key
            made = binance_futures(venue, keys, markets, fees, setting)
        else:
            signer = await self._keyring.evm(spec.credentials)
            user = self.users[venue] = spec.user or signer.address
            made = hyperliquid(venue, signer, user, markets, fees, setting, testnet=spec.testnet)
        self._built[venue] = made
        return made

    def wallet(self, name: str, spec: WalletSpec, venues: Mapping[str, VenueSpec]) -> Carrier:
        """Transfers between two venues of the run that are built, and one account.

        Raises:
            PaperError: if they are not.
        """
        subject, found = f"carrier {name}", []
        for venue, kind in ((spec.spot, "binance"), (spec.futures, "binance_futures")):
            one = venues.get(venue)
            if venue not in self._built or not isinstance(one, ExchangeSpec) or one.kind != kind:
                raise PaperError(subject, venue, f"name a venue of the run that is of kind {kind}")
            found.append(one)
        spot, futures = found
        if (spot.credentials, spot.url) != (futures.credentials, futures.url):
            fix = "their credentials and url differ: it moves money inside one account"
            raise PaperError(subject, f"{spec.spot}, {spec.futures}", fix)
        setting = _setting(spot)
        pair = self._built[spec.spot], self._built[spec.futures]
        return binance_wallet(name, self._credentials(spot), self._currency, *pair, setting)

    def _markets(self, venue: str, spec: ExchangeSpec) -> dict[Instrument, str]:
        lines, there = (
            (i for i in self._instruments if i.venue.name == venue),
            f"markets of {venue}",
        )
        return {i: stated(spec.markets, i.symbol, there) for i in lines}

    def _credentials(self, spec: ExchangeSpec) -> Credentials:
        if spec.credentials != LOOPBACK:
            return self._keyring.credentials(spec.credentials)
        if spec.url is None or not spec.url.startswith("http://127.0.0.1:"):
            raise PaperError("credentials", LOOPBACK, "they are the devnet's; name a key of yours")
        key, secret = _LOOPBACK_KEYS
        return credentials(Secret(key.encode()), Secret(secret.encode()), LOOPBACK)


def _setting(spec: ExchangeSpec) -> Setting:
    weight = spec.weight or _WEIGHT[spec.kind]
    return Setting(url=spec.url, rate_limit_ms=ceil_div(_MINUTE * _UNIT[spec.kind], weight))


def _fees(spec: ExchangeSpec) -> Fees:
    return Fees(spec.fee, spec.prepaid, spec.reserve)


def stated(table: Mapping[str, V], name: str, subject: str) -> V:
    """What ``table`` of the file states for ``name``.

    Raises:
        PaperError: if it states nothing.
    """
    if name not in table:
        raise PaperError(subject, f"nothing for {name}", f"it states {', '.join(table) or 'none'}")
    return table[name]
