"""Accounts on chains from the file of connections: their adapters, and the carrier between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import to_units
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.place import Place
from agent_fund.execution.cow.adapter import CowAdapter
from agent_fund.execution.cow.market import CowConfig, Market
from agent_fund.execution.cow.order_book import OrderBook
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.safe_account import SafeAccount
from agent_fund.execution.custody.verdict import Domain
from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.evm.account import Account, DirectAccount
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.keys.evm import EvmKey
from agent_fund.execution.keys.keyring import Keyring
from agent_fund.execution.live.adapter import Adapter, Carrier
from agent_fund.execution.near.adapter import NearIntents
from agent_fund.execution.near.lane import Lane as NearLane
from agent_fund.execution.near.listing import Listing
from agent_fund.execution.near.listing import Token as NearToken
from agent_fund.execution.near.relay import SolverRelay
from agent_fund.execution.near.rpc import NearRpc
from agent_fund.paper.connections import AcrossSpec, Connections, CowSpec, NearSpec, UniswapSpec
from agent_fund.paper.errors import PaperError
from agent_fund.paper.exchange_accounts import stated
from agent_fund.paper.uniswap import amm_of

Covers = Callable[[str, str], Cover | None]


@dataclass(frozen=True)
class Site:
    """The account of one venue on a chain, which a carrier uses too."""

    chain: Chain
    lane: Lane
    account: Account
    tokens: Mapping[str, Token]


class ChainAccounts:
    """Builds the adapters of one run, not yet started; arguments as for Wiring.

    Attributes:
        sites: by venue on an EVM chain.
        places: where Across takes and brings the currency, by venue.
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
    ) -> None:
        self._connections = connections
        self._instruments = tuple(instruments)
        self._currency = currency
        self._keyring = keyring
        self._mandate_hash = mandate_hash
        self._covers = covers
        self._verdict_of = verdict_of
        self._chains: dict[str, Chain] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}
        self.sites: dict[str, Site] = {}
        self.places: dict[str, Place] = {}

    async def close(self) -> None:
        """Let go of every chain."""
        for chain in self._chains.values():
            await chain.close()

    async def uniswap(self, venue: str, spec: UniswapSpec) -> Adapter:
        """Pools of Uniswap, with the executor's own account or a Safe that asks for verdicts."""
        chain, signer, lane = await self._signed(venue, spec)
        account: Account = DirectAccount(chain, signer.address)
        if spec.safe is not None:
            key = await self._keyring.evm(spec.safe.guard_key)
            domain = Domain(chain.chain_id, spec.safe.module)
            # Of this venue alone: another Safe's legs are not this one's to do a second time.
            admitted = partial(self._covers, venue)
            verdicts = VerdictSigner(key, domain, self._mandate_hash, admitted)
            account = SafeAccount(spec.safe.address, verdicts)
        tokens = _tokens(spec)
        self.sites[venue] = Site(chain, lane, account, tokens)
        config = SwapConfig(venue, tuple(self._at(venue)), tokens, spec.coin)
        return SwapAdapter(config, amm_of(spec), account, chain, lane)

    async def cow(self, venue: str, spec: CowSpec) -> Adapter:
        """Signed intents at CoW Protocol."""
        chain, signer, lane = await self._signed(venue, spec)
        tokens = _tokens(spec)
        self.sites[venue] = Site(chain, lane, DirectAccount(chain, signer.address), tokens)
        markets = tuple(
            Market(
                Pair(
                    i,
                    stated(tokens, i.base.symbol, f"tokens of {venue}"),
                    stated(tokens, i.quote.symbol, f"tokens of {venue}"),
                    spec.settlement,
                ),
                _units(spec.probe, i, f"probe of {venue}"),
                _units(spec.depth, i, f"depth of {venue}"),
            )
            for i in self._at(venue)
        )
        config = CowConfig(venue, spec.settlement, markets)
        return CowAdapter(config, OrderBook(spec.url), chain, lane, signer, self._verdict_of)

    def across(self, name: str, spec: AcrossSpec) -> Carrier:
        """Across between accounts that are venues of the run; build those first."""
        places = []
        for venue, place in spec.places.items():
            site = self.sites.get(venue)
            if site is None:
                raise PaperError(f"carrier {name}", venue, "name venues of the run on EVM chains")
            token = stated(site.tokens, self._currency.symbol, f"tokens of {venue}")
            made = Place(
                venue, site.chain, site.account, site.lane, token, place.pool, place.depositor
            )
            places.append(made)
            self.places[venue] = made
        fee = RelayerFee.stated(spec.relative_fee, spec.fixed_fee, self._currency.scale)
        return AcrossCarrier(
            name,
            self._currency,
            places,
            fee,
            seconds=spec.seconds,
            refund_seconds=spec.refund_seconds,
        )

    async def near(self, venue: str, spec: NearSpec) -> Adapter:
        """NEAR Intents through its solver relay."""
        rpc = NearRpc(spec.url)
        signer = await self._keyring.ed25519(spec.key)
        listing = Listing(
            spec.as_of, {a: NearToken(t.address, t.decimals) for a, t in spec.tokens.items()}
        )
        probes = {i: _units(spec.probe, i, f"probe of {venue}") for i in self._at(venue)}
        return NearIntents(
            venue,
            spec.account,
            signer,
            rpc,
            SolverRelay(spec.relay),
            listing,
            probes,
            contract_id=spec.contract,
            lane=NearLane(rpc, signer, spec.account),
            valid_ms=spec.valid_ms,
        )

    async def _signed(self, venue: str, spec: UniswapSpec | CowSpec) -> tuple[Chain, EvmKey, Lane]:
        """The chain, whose key signs there, and the one lane of that key."""
        stated_chain = self._connections.chains.get(spec.chain)
        if stated_chain is None:
            known = ", ".join(self._connections.chains) or "none"
            raise PaperError(f"chain of {venue}", spec.chain, f"the file has: {known}")
        chain = self._chains.get(spec.chain)
        if chain is None:
            chain = Chain(
                spec.chain, stated_chain.url, stated_chain.chain_id, stated_chain.finality
            )
            self._chains[spec.chain] = chain
        await chain.start()
        signer = await self._keyring.evm(spec.key)
        lane = self._lanes.setdefault((spec.chain, signer.address), Lane(chain, signer))
        return chain, signer, lane

    def _at(self, venue: str) -> list[Instrument]:
        return [i for i in self._instruments if i.venue.name == venue]


def _tokens(spec: UniswapSpec | CowSpec) -> dict[str, Token]:
    return {a: Token(t.address, t.decimals) for a, t in spec.tokens.items()}


def _units(table: Mapping[str, Decimal], line: Instrument, subject: str) -> int:
    """A positive quantity of ``line`` in base units."""
    found = to_units(stated(table, line.symbol, subject), line.base.scale, subject)
    if found <= 0:
        raise PaperError(subject, str(table[line.symbol]), "write a positive quantity")
    return found
