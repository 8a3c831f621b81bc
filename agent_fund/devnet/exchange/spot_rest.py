"""Binance's spot REST interface (``/api/v3``), as far as limit orders need it.

Source: Binance Spot API, REST: general, market data, trading and account endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_fund.devnet.exchange.decimals import ZERO, text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.orders import Order, Trade
from agent_fund.devnet.exchange.route import Parameters, Route, Routes, number, required
from agent_fund.devnet.exchange.spot_account import SpotAccount
from agent_fund.devnet.exchange.symbols import Symbol
from agent_fund.devnet.exchange.trading_rest import TradingRest, grid_filters

DAY_MS = 86_400_000


class SpotRest:
    """The routes of the spot exchange."""

    def __init__(self, engine: Engine, account: SpotAccount, clock: Callable[[], int]) -> None:
        self._engine = engine
        self._account = account
        self._clock = clock
        self._trading = TradingRest(engine, order_row, _trade_row, DAY_MS)

    @property
    def routes(self) -> Routes:
        """By method and path."""
        trading = self._trading
        return {
            ("GET", "/api/v3/exchangeInfo"): Route(self._exchange_info, 20, signed=False),
            ("GET", "/api/v3/time"): Route(lambda _: {"serverTime": self._clock()}, 1, False),
            ("GET", "/api/v3/depth"): Route(self._depth, 5, signed=False),
            ("GET", "/api/v3/account"): Route(self._balances, 20),
            ("GET", "/sapi/v1/bnbBurn"): Route(self._burn, 1),
            ("POST", "/api/v3/order"): Route(trading.place, 1),
            ("GET", "/api/v3/order"): Route(trading.find, 4),
            ("DELETE", "/api/v3/order"): Route(trading.cancel, 1),
            ("GET", "/api/v3/openOrders"): Route(trading.open_orders, 6),
            ("GET", "/api/v3/allOrders"): Route(trading.all_orders, 20),
            ("GET", "/api/v3/myTrades"): Route(trading.trades, 20),
        }

    def _exchange_info(self, _: Parameters) -> dict[str, Any]:
        rows = [_symbol_row(symbol) for symbol in self._engine.symbols.values()]
        return {
            "timezone": "UTC",
            "serverTime": self._clock(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": rows,
        }

    def _depth(self, parameters: Parameters) -> dict[str, Any]:
        book = self._engine.books[self._engine.symbol(required(parameters, "symbol")).name]
        limit = number(parameters, "limit") or 100
        sides = {
            name: [[text(price), text(quantity)] for price, quantity in book.levels(buy, limit)]
            for name, buy in (("bids", True), ("asks", False))
        }
        return {"lastUpdateId": len(self._engine.orders) + 1, **sides}

    def _balances(self, _: Parameters) -> dict[str, Any]:
        self._engine.expire()
        account = self._account
        balances = [
            {
                "asset": asset,
                "free": text(account.free.get(asset, ZERO)),
                "locked": text(account.locked.get(asset, ZERO)),
            }
            for asset in account.assets
        ]
        return {
            "canTrade": True,
            "accountType": "SPOT",
            "commissionRates": {
                "maker": text(account.maker),
                "taker": text(account.taker),
                "buyer": "0",
                "seller": "0",
            },
            "balances": balances,
        }

    def _burn(self, _: Parameters) -> dict[str, Any]:
        return {"spotBNBBurn": self._account.burn, "interestBNBBurn": False}


def order_row(order: Order) -> dict[str, Any]:
    """An order as spot endpoints show it."""
    return {
        "symbol": order.symbol.name,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated,
        "time": order.time,
        "updateTime": order.updated,
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.executed),
        "cummulativeQuoteQty": text(order.quote),
        "status": order.status,
        "timeInForce": order.good,
        "type": "LIMIT",
        "side": "BUY" if order.buy else "SELL",
    }


def _trade_row(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.order.symbol.name,
        "id": trade.trade_id,
        "orderId": trade.order.order_id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time,
        "isBuyer": trade.order.buy,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }


def _symbol_row(symbol: Symbol) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "status": symbol.status,
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "filters": [
            *grid_filters(symbol),
            {
                "filterType": "NOTIONAL",
                "minNotional": text(symbol.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
    }
