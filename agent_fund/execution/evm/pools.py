"""Pools: the pools in which a venue's instruments trade, checked at the start, and their prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.amm import Amm
from agent_fund.execution.evm.chain import UNCERTAIN, Chain
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.token import Token


@dataclass(frozen=True)
class SwapConfig:
    """What trades at the venue and how.

    Attributes:
        venue: the domain Venue's name.
        tokens: by asset symbol, for every asset of the instruments.
        coin: symbol of the instrument whose base asset is worth one of the chain's own coin
            (wrapped coin against the fund's currency); empty: quotes leave gas out, and say so.
        validity: milliseconds for which a quote is worth comparing.
    """

    venue: str
    instruments: tuple[Instrument, ...]
    tokens: Mapping[str, Token]
    coin: str = ""
    validity: int = 12_000


class Pools:
    """One pair of tokens, and one pool, for each instrument of ``config``.

    Raises:
        ExecutionError: for an instrument of another venue, or an asset without a token.
    """

    def __init__(self, config: SwapConfig, amm: Amm, chain: Chain) -> None:
        self.config = config
        self._amm = amm
        self._chain = chain
        self._pairs: dict[str, Pair] = {}
        for one in config.instruments:
            if one.venue.name != config.venue:
                raise ExecutionError(
                    f"instrument {one.symbol}", one.venue.name, f"this venue is {config.venue}"
                )
            for asset in (one.base, one.quote):
                if asset.symbol not in config.tokens:
                    raise ExecutionError(
                        f"tokens of {config.venue}", asset.symbol, "state this asset's token"
                    )

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair, in the order of the instruments; none before the start."""
        return tuple(self._pairs.values())

    @property
    def assets(self) -> tuple[Asset, ...]:
        """Every asset of the instruments, once."""
        assets = [a for one in self.config.instruments for a in (one.base, one.quote)]
        return tuple({asset.symbol: asset for asset in assets}.values())

    async def start(self) -> None:
        """Check the tokens' decimals and find every pool.

        Raises:
            ExecutionError: if one of them is not as configured.
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        for asset in self.assets:
            await self.config.tokens[asset.symbol].require(self._chain, asset)
        for one in self.config.instruments:
            base = self.config.tokens[one.base.symbol]
            quote = self.config.tokens[one.quote.symbol]
            pool = await self._amm.pool(self._chain, base.address, quote.address)
            self._pairs[one.symbol] = Pair(one, base, quote, pool)
        if self.config.coin:
            self.pair(self.config.coin)

    def pair(self, symbol: str) -> Pair:
        """The pair of an instrument.

        Raises:
            ExecutionError: for one that this venue was not started with.
        """
        pair = self._pairs.get(symbol)
        if pair is None:
            known = ", ".join(self._pairs) or "nothing"
            raise ExecutionError(self.config.venue, symbol, f"it was started with {known}")
        return pair

    async def offer(self, pair: Pair, side: Side, quantity: int) -> tuple[int, int]:
        """(most spent, least received) in base units, were it traded now.

        Raises:
            ExecutionError: if the quantity is no whole number of the token's own units.
            ChainSilent, Web3RPCError: without an answer, or if the pool holds too little.
        """
        base, quote = pair.base.address, pair.quote.address
        asset = pair.instrument.quote
        amount = pair.base.exactly(quantity, pair.instrument.base)
        if side is Side.BUY:
            cost = await self._amm.amount_in(self._chain, quote, base, amount)
            return pair.quote.spent(cost, asset), quantity
        brought = await self._amm.amount_out(self._chain, base, quote, amount)
        return quantity, pair.quote.arrived(brought, asset)

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """Each pool's price now, without its fee, rounded down to the tick; absent without one."""
        found = {}
        for one in instruments:
            try:
                price = await self._middle(self.pair(one.symbol))
            except UNCERTAIN:
                continue
            if price:
                found[one.symbol] = price
        return found

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        """What each pool holds of the base asset, in base units; absent without an answer."""
        found = {}
        for one in instruments:
            pair = self.pair(one.symbol)
            base, quote = pair.base.address, pair.quote.address
            try:
                amount = await self._amm.reserve(self._chain, pair.pool, base, quote)
            except UNCERTAIN:
                continue
            found[one.symbol] = pair.base.arrived(amount, one.base)
        return found

    async def gas(self, price: int) -> tuple[int, str]:
        """What a swap's gas costs in base units of the currency, about; and a remark for people.

        Args:
            price: wei for one unit of gas.

        Raises:
            ChainSilent, Web3RPCError: if the chain does not answer.
        """
        if not self.config.coin:
            return 0, "gas is not priced: no instrument is the coin's"
        pair = self.pair(self.config.coin)
        one = pair.instrument
        units = ceil_div(self._amm.gas * price * int(10**one.base.scale), 10**18)
        return one.notional(units, await self._middle(pair)), ""

    async def _middle(self, pair: Pair) -> int:
        base, quote = pair.base.address, pair.quote.address
        ratio = await self._amm.ratio(self._chain, pair.pool, base, quote)
        return 0 if ratio is None else pair.middle(ratio)
