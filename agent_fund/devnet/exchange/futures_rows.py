"""Rows of Binance's USDⓈ-M futures interface: orders, trades, funding rates and markets as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from agent_fund.devnet.exchange.decimals import ZERO, floor, text
from agent_fund.devnet.exchange.margin_market import FundingRate
from agent_fund.devnet.exchange.orders import Order, Trade
from agent_fund.devnet.exchange.symbols import Symbol
from agent_fund.devnet.exchange.trading_rest import grid_filters

ENTRY_STEP = Decimal("0.00000001")


def rate_row(entry: FundingRate) -> dict[str, Any]:
    """One entry of the public history of funding rates."""
    return {
        "symbol": entry.symbol,
        "fundingTime": entry.time,
        "fundingRate": text(entry.rate),
        "markPrice": text(entry.mark),
    }


def order_row(order: Order) -> dict[str, Any]:
    """One order of the customer."""
    average = floor(order.quote / order.executed, ENTRY_STEP) if order.executed else ZERO
    return {
        "orderId": order.order_id,
        "symbol": order.symbol.name,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "avgPrice": text(average),
        "origQty": text(order.quantity),
        "executedQty": text(order.executed),
        "cumQuote": text(order.quote),
        "timeInForce": order.good,
        "type": "LIMIT",
        "reduceOnly": order.reduce_only,
        "side": "BUY" if order.buy else "SELL",
        "positionSide": "BOTH",
        "time": order.time,
        "updateTime": order.updated,
    }


def trade_row(trade: Trade) -> dict[str, Any]:
    """One trade of the customer."""
    return {
        "symbol": trade.order.symbol.name,
        "id": trade.trade_id,
        "orderId": trade.order.order_id,
        "side": "BUY" if trade.order.buy else "SELL",
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "realizedPnl": text(trade.realized),
        "marginAsset": trade.order.symbol.quote,
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.time,
        "positionSide": "BOTH",
        "buyer": trade.order.buy,
        "maker": trade.maker,
    }


def symbol_row(symbol: Symbol) -> dict[str, Any]:
    """One listed perpetual with its filters."""
    return {
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": symbol.status,
        "baseAsset": symbol.base,
        "quoteAsset": symbol.quote,
        "marginAsset": symbol.quote,
        "pricePrecision": 8,
        "quantityPrecision": 8,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT"],
        "timeInForce": ["GTC", "IOC", "FOK"],
        "filters": [
            *grid_filters(symbol),
            {"filterType": "MIN_NOTIONAL", "notional": text(symbol.min_notional)},
        ],
    }
