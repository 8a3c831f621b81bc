"""Quotes: what CoW's API expects solvers to give or take; indications, and nobody's promise."""

from __future__ import annotations

import asyncio
from datetime import datetime

from agent_fund.domain.order import Side
from agent_fund.execution.cow.market import Market
from agent_fund.execution.cow.order_book import ApiRefusedError, ApiSilentError, OrderBook
from agent_fund.execution.live.adapter import Quote


class Quotes:
    """Asks for ``owner``; ``gas`` is what every quote states."""

    def __init__(self, api: OrderBook, owner: str, gas: int) -> None:
        self._api = api
        self._owner = owner
        self._gas = gas

    async def quote(self, market: Market, side: Side, quantity: int) -> Quote | None:
        """One quote; None without an answer that makes sense."""
        pair, instrument = market.pair, market.pair.instrument
        amount = pair.base.exactly(quantity, instrument.base)
        sells = side is Side.SELL
        request = {
            "sellToken": (pair.base if sells else pair.quote).address,
            "buyToken": (pair.quote if sells else pair.base).address,
            "from": self._owner,
            "receiver": self._owner,
            "kind": "sell" if sells else "buy",
            "sellAmountBeforeFee" if sells else "buyAmountAfterFee": str(amount),
            "signingScheme": "eip712",
        }
        try:
            answer = await self._api.quote(request)
            found, until = answer["quote"], datetime.fromisoformat(answer["expiration"])
            # The API names its fee apart; an order pays none beside its limit.
            sold = int(found["sellAmount"]) + int(found["feeAmount"])
            bought = int(found["buyAmount"])
        except (ApiSilentError, ApiRefusedError):
            return None
        except (KeyError, TypeError, ValueError):
            return None
        if sold <= 0 or bought <= 0 or (sold if sells else bought) != amount:
            return None
        moved = pair.quote.arrived(bought, instrument.quote)
        spent = pair.quote.spent(sold, instrument.quote)
        return Quote(
            instrument,
            side,
            quantity,
            max_spent=quantity if sells else spent,
            min_received=moved if sells else quantity,
            gas=self._gas,
            valid_until=int(until.timestamp() * 1000),
            firm=False,
        )

    async def middle(self, market: Market) -> int:
        """Half way between what the probe sells and buys for, down to the tick; 0 if unknown."""
        one, probe = market.pair.instrument, market.probe
        bid, ask = await asyncio.gather(
            self.quote(market, Side.SELL, probe), self.quote(market, Side.BUY, probe)
        )
        if bid is None or ask is None:
            return 0
        price = (bid.min_received + ask.max_spent) // (2 * one.notional(probe, 1))
        return price - price % one.tick
