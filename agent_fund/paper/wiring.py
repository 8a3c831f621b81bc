"""From the file of connections to adapters and carriers: every part built, nothing assumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from urllib.parse import urlsplit

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.execution.across.place import Place
from agent_fund.execution.exchange.wallet import PLACES
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.live.adapter import Adapter, Carrier
from agent_fund.execution.live.margin import MarginAdapter
from agent_fund.paper.chain_accounts import ChainAccounts, Covers
from agent_fund.paper.connections import (
    CarrierSpec,
    Connections,
    CowSpec,
    ExchangeSpec,
    NearSpec,
    UniswapSpec,
    VenueSpec,
    WalletSpec,
)
from agent_fund.paper.errors import PaperError
from agent_fund.paper.exchange_accounts import ExchangeAccounts

_TAKEN = ("router", "carriage")  # the tape knows these by their names

Claim = Callable[[str, Sequence[str]], None]


@dataclass
class Wired:
    """What a run talks to.

    Attributes:
        margined: those of the adapters whose venues margin perpetuals.
        step: base units of the currency; what is moved between places is a multiple of it.
    """

    adapters: dict[str, Adapter]
    margined: dict[str, MarginAdapter]
    carriers: list[Carrier]
    step: int

    async def close(self) -> None:
        """Let go of every connection; what is under way stays under way."""
        await asyncio.gather(*(adapter.close() for adapter in self.adapters.values()))
        await asyncio.gather(*(carrier.close() for carrier in self.carriers))


class Wiring:
    """Builds all parts of one file of connections.

    Args:
        instruments: of the run. ``currency``: the fund's.
        mandate_hash: 32 bytes, as a Safe's module knows the mandate in force.
        covers: what the guard has admitted, by venue and leg id. ``verdict_of``: the leaf hash of
            the guard's record that admitted an order.
        claim: told each venue and who the account is that it trades with, before that is used.
    """

    def __init__(
        self,
        connections: Connections,
        instruments: Sequence[Instrument],
        currency: Asset,
        keyring: Keyring,
        mandate_hash: bytes,
        covers: Covers,
        verdict_of: Callable[[str], bytes],
        claim: Claim = lambda venue, account: None,
    ) -> None:
        self._connections = connections
        self._instruments = tuple(instruments)
        self._currency = currency
        self._exchanges = ExchangeAccounts(self._instruments, currency, keyring)
        self._on_chains = ChainAccounts(
            connections, self._instruments, currency, keyring, mandate_hash, covers, verdict_of
        )
        self._claim = claim
        self._holders: dict[tuple[str, str | None, str, str], str] = {}

    @property
    def places(self) -> dict[str, Place]:
        """Where Across takes and brings the currency, by venue."""
        return self._on_chains.places

    async def build(self) -> Wired:
        """Connect to every venue that the run's instruments name, and to every carrier.

        Raises:
            PaperError, KeyRefused, ExecutionError: with the fix.
        """
        wired = Wired({}, {}, [], self._step())
        try:
            await self._build(wired)
        except BaseException:
            await wired.close()
            await self._on_chains.close()
            raise
        return wired

    async def _build(self, wired: Wired) -> None:
        for venue in dict.fromkeys(i.venue.name for i in self._instruments):
            if venue in _TAKEN:
                raise PaperError("venue", venue, "give it a name that nothing else has")
            spec = self._connections.venues.get(venue)
            if spec is None:
                known = ", ".join(self._connections.venues) or "none"
                fix = (
                    f"the file has: {known}; name another with --connections, or bring the devnet "
                )
                fix += "up for this run file: agent-fund devnet up RUNFILE"
                raise PaperError(f"venue {venue}", "no connection", fix)
            if isinstance(spec, ExchangeSpec) and spec.kind != "binance":
                margined = await self._exchanges.margined(venue, spec)
                wired.adapters[venue] = wired.margined[venue] = margined
            else:
                wired.adapters[venue] = await self._venue(venue, spec)
            self._require_kinds(venue, spec.kind, venue in wired.margined)
            self._require_own(venue, spec)
        for name, carrier in self._connections.carriers.items():
            if name in wired.adapters or name in _TAKEN:
                raise PaperError("carrier", name, "give it a name that nothing else has")
            wired.carriers.append(self._carrier(name, carrier))
        self._require_one_carrier(wired.carriers)
        for adapter in wired.adapters.values():
            await adapter.start()
        for carrier_ in wired.carriers:
            await carrier_.start()

    def _carrier(self, name: str, spec: CarrierSpec) -> Carrier:
        if isinstance(spec, WalletSpec):
            return self._exchanges.wallet(name, spec, self._connections.venues)
        return self._on_chains.across(name, spec)

    def _require_one_carrier(self, carriers: Sequence[Carrier]) -> None:
        """A transfer names its places alone: what was certified for one carrier is not another's.

        Raises:
            PaperError: if two carriers serve one pair of places.
        """
        places = dict.fromkeys(i.account for i in self._instruments)
        for source, target in permutations(places, 2):
            serving = [c.name for c in carriers if c.carries(source, target)]
            if len(serving) > 1:
                fix = f"{' and '.join(serving)} both carry there: leave all but one of them out"
                raise PaperError(f"carriers from {source} to {target}", len(serving), fix)

    def _require_own(self, venue: str, spec: VenueSpec) -> None:
        """Two venues at one account would count its money twice."""
        account: tuple[str, str | None, str, str]
        match spec:
            case ExchangeSpec(kind="hyperliquid"):
                user = self._exchanges.users[venue].lower()
                account = (spec.kind, str(spec.testnet), user, "")
            case ExchangeSpec():
                account = (spec.kind, (spec.url or "").rstrip("/"), spec.credentials, "")
            case NearSpec():
                account = (spec.kind, spec.contract, spec.account, "")
            case _:
                site = self._on_chains.sites[venue]
                account = ("chain", str(site.chain.chain_id), site.account.address, "")
        other = self._holders.setdefault(account, venue)
        if other != venue:
            fix = f"{other} has the same account: give each venue one of its own"
            raise PaperError(f"account of {venue}", account[2], fix)
        for identity in self._identities(venue, spec):
            self._claim(venue, identity)

    def _identities(self, venue: str, spec: VenueSpec) -> list[tuple[str, ...]]:
        """Who the account of ``venue`` is, whatever the file calls it, and who pays its gas."""
        match spec:
            case ExchangeSpec():
                url = (spec.url or "").rstrip("/")
                return [(spec.kind, url, str(spec.testnet), self._exchanges.users[venue].lower())]
            case NearSpec():
                return [(spec.kind, _private(spec.url), spec.contract, spec.account)]
            case _:
                site = self._on_chains.sites[venue]
                at = _private(self._connections.chains[spec.chain].url)
                known = dict.fromkeys((site.account.address.lower(), site.lane.address.lower()))
                return [("chain", at, str(site.chain.chain_id), address) for address in known]

    def of(self, venue: str) -> list[Instrument]:
        """The run's instruments at ``venue``."""
        return [i for i in self._instruments if i.venue.name == venue]

    def _step(self) -> int:
        """What the token of the currency, or the wallet, with the fewest decimals can express."""
        named = self._connections.venues.values()
        tokens = [v.tokens for v in named if not isinstance(v, ExchangeSpec)]
        symbol, scale = self._currency.symbol, self._currency.scale
        decimals = [t[symbol].decimals for t in tokens if symbol in t]
        if any(isinstance(c, WalletSpec) for c in self._connections.carriers.values()):
            decimals.append(PLACES)
        return int(10 ** max(0, scale - min(decimals, default=scale)))

    async def _venue(self, venue: str, spec: VenueSpec) -> Adapter:
        match spec:
            case UniswapSpec():
                return await self._on_chains.uniswap(venue, spec)
            case ExchangeSpec(kind="binance"):
                return self._exchanges.spot(venue, spec)
            case NearSpec():
                return await self._on_chains.near(venue, spec)
            case CowSpec():
                return await self._on_chains.cow(venue, spec)
            case _:
                raise PaperError(
                    f"venue {venue}",
                    spec.kind,
                    "a paper run trades spot at binance, uniswap_v2, uniswap_v3, cow and "
                    "near_intents, perpetuals at binance_futures and hyperliquid",
                )

    def _require_kinds(self, venue: str, kind: str, margined: bool) -> None:
        """Perpetuals trade where there is margin, spot where there is none."""
        for instrument in self.of(venue):
            if (instrument.margin is not None) != margined:
                what = "perpetuals" if margined else "spot"
                raise PaperError(instrument.symbol, instrument.kind.value, f"{kind} trades {what}")
            if instrument.account != venue:
                fix = "real accounts are cross margined: leave isolated out"
                raise PaperError(f"account of {instrument.symbol}", instrument.account, fix)


def _private(url: str) -> str:
    """``url`` if it is on this machine, where networks of the same name are many; else nothing."""
    return url.rstrip("/") if urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost") else ""
