"""The account: what its owner has, what traded and what rests, by the chain and the API."""

from __future__ import annotations

from collections.abc import Sequence

from agent_fund.domain.instrument import Asset
from agent_fund.execution.cow.fate import execution
from agent_fund.execution.cow.market import Market
from agent_fund.execution.cow.order_book import ApiRefusedError, ApiSilentError, OrderBook
from agent_fund.execution.cow.settlement import Settlement
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.chain import UNCERTAIN, Chain
from agent_fund.execution.evm.history import block_since
from agent_fund.execution.evm.token import Token
from agent_fund.execution.live.adapter import Holdings


class Account:
    """Looks at ``owner``, whose key signs the orders."""

    def __init__(
        self,
        venue: str,
        markets: Sequence[Market],
        api: OrderBook,
        chain: Chain,
        settlement: Settlement,
        owner: str,
    ) -> None:
        self._venue = venue
        self._markets = markets
        self._api = api
        self._chain = chain
        self._settlement = settlement
        self._owner = owner

    async def holdings(self, since: int) -> Holdings:
        """Balances and trades by the chain; resting orders by the API.

        Raises:
            ExecutionError: if one of them does not answer, or a trade's transfers are missing.
        """
        owner = self._owner
        try:
            head = await self._chain.head()
            assets = {}
            for asset, token in self._tokens().items():
                assets[asset.symbol] = token.arrived(await token.balance(self._chain, owner), asset)
            first = await block_since(self._chain, since // 1000, head)
            trades, sound = await self._settlement.trades(owner, first, head)
            coin = await self._chain.coin(owner)
            resting = await self._api.open_uids(owner)
        except (*UNCERTAIN, ApiSilentError, ApiRefusedError) as error:
            raise ExecutionError(self._venue, str(error), "ask again") from None
        if not sound:
            raise ExecutionError(self._venue, owner, "a trade without its transfers: look at it")
        found = []
        for trade in trades:
            for market in self._markets:
                final = head - trade.block >= self._chain.finality
                if (done := execution(market, trade, owner, final=final)) is not None:
                    found.append(("0x" + trade.uid.hex(), done[1]))
                    break
        return Holdings(assets, tuple(resting), tuple(found), coin)

    def _tokens(self) -> dict[Asset, Token]:
        found: dict[Asset, Token] = {}
        for market in self._markets:
            one = market.pair.instrument
            found |= {one.base: market.pair.base, one.quote: market.pair.quote}
        return found
