"""Hyperliquid's HTTP interface for perpetuals: /info here, /exchange in its actions.

Source: Hyperliquid's "Info endpoint" and "Perpetuals" pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from agent_fund.devnet.exchange.decimals import UNIT, ZERO, floor, text
from agent_fund.devnet.exchange.hyperliquid_actions import HyperliquidActions
from agent_fund.devnet.exchange.margin_market import MarginMarket
from agent_fund.devnet.exchange.orders import Closing, Order, Trade
from agent_fund.devnet.exchange.refusal import Refusal

BOOK_LEVELS = 20
MOST_FILLS = 2000
MOST_TIMES = 500
TABLE = 51
STATUSES = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "iocCancelRejected",
}


class HyperliquidRest:
    """Answers of the one account of ``owner``.

    Attributes:
        isolated: whether the account's positions have margin of their own; it only says so.
        tiers: (floor, highest leverage), as they are told: maintenance is half of its inverse.
        timeless: whether answers tell no time.
    """

    def __init__(self, market: MarginMarket, owner: str, clock: Callable[[], int]) -> None:
        self._market = market
        self._engine = market.engine
        self._account = market.account
        self._clock = clock
        self._actions = HyperliquidActions(market.engine, owner, clock)
        self.isolated = self.timeless = False
        self.tiers = [(ZERO, int(1 / (2 * market.maintenance)))]

    def answer(self, path: str, body: str) -> Any:
        """What ``path`` answers to ``body``."""
        request = json.loads(body)
        if path == "/exchange":
            return self._actions.answer(request)
        self._engine.expire()
        match request["type"]:
            case "metaAndAssetCtxs":
                return self._markets()
            case "l2Book":
                return self._book(request["coin"])
            case "orderStatus":
                return self._status(request["oid"])
            case "openOrders" | "frontendOpenOrders":
                return [_order(order) for order in self._engine.open_orders()]
            case "userFills" | "userFillsByTime":
                return self._fills(request)
            case "clearinghouseState":
                return self._state()
            case "activeAssetData":
                name = request["coin"]
                return {"user": request["user"], "coin": name, "leverage": self._leverage}
            case "userFunding":
                return self._funding(request.get("startTime", 0))
            case "fundingHistory":
                return self._history(request)
            case "userFees":
                rates = {"userCrossRate": self._account.taker, "userAddRate": self._account.maker}
                return {name: text(rate) for name, rate in rates.items()}
            case "userAbstraction":
                return "disabled"
            case other:
                raise Refusal(0, f"Failed to deserialize: unknown type {other}", 422)

    def _markets(self) -> list[Any]:
        universe, contexts = [], []
        for name, symbol in self._engine.symbols.items():
            decimals = -int(symbol.step.as_tuple().exponent)
            most = self.tiers[0][1]
            row = {
                "name": name,
                "szDecimals": decimals,
                "maxLeverage": most,
                "marginTableId": TABLE,
            }
            universe.append(row if symbol.status == "TRADING" else {**row, "isDelisted": True})
            mark = text(self._account.marks.get(name, ZERO))
            index = text(self._market.indexes.get(name, ZERO))
            contexts.append({"markPx": mark, "midPx": mark, "oraclePx": index, "funding": "0"})
        tiers = [{"lowerBound": text(lower), "maxLeverage": most} for lower, most in self.tiers]
        tables = [[TABLE, {"description": "", "marginTiers": tiers}]]
        return [{"universe": universe, "marginTables": tables}, contexts]

    @property
    def _leverage(self) -> dict[str, Any]:
        kind = "isolated" if self.isolated else "cross"
        return {"type": kind, "value": int(self._account.leverage)}

    def _book(self, coin: str) -> dict[str, Any]:
        book = self._engine.books[coin]
        levels = [
            [
                {"px": text(price), "sz": text(quantity), "n": 1}
                for price, quantity in book.levels(buy, BOOK_LEVELS)
            ]
            for buy in (True, False)
        ]
        return {"coin": coin, "time": self._clock(), "levels": levels}

    def _status(self, wanted: int | str) -> dict[str, Any]:
        try:
            if isinstance(wanted, int):
                order = self._engine.find(wanted, None)
            else:
                order = self._engine.find(None, wanted)
        except Refusal:
            return {"status": "unknownOid"}
        status = STATUSES[order.status]
        if order.status == "EXPIRED" and order.executed:
            status = "canceled"
        return {
            "status": "order",
            "order": {
                "order": _order(order),
                "status": status,
                "statusTimestamp": order.updated,
            },
        }

    def _fills(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        start, end = request.get("startTime", 0), request.get("endTime")
        rows = [
            trade
            for trade in self._engine.trades
            if trade.time >= start and (end is None or trade.time <= end)
        ]
        if request["type"] == "userFills":
            rows = rows[::-1]
        return [_fill(trade) for trade in rows[:MOST_FILLS]]

    def _state(self) -> dict[str, Any]:
        account = self._account
        rows, worth = [], ZERO
        for name, held in account.positions.items():
            if not held.quantity:
                continue
            value = abs(held.quantity) * account.marks.get(name, ZERO)
            worth += value
            position = {
                "coin": name,
                "szi": text(held.quantity),
                "leverage": self._leverage,
                "positionValue": text(value),
                "unrealizedPnl": text(account.unrealized(name)),
            }
            rows.append({"type": "oneWay", "position": position})
        state = {
            "assetPositions": rows,
            "marginSummary": {
                "accountValue": text(account.equity),
                "totalNtlPos": text(worth),
                "totalRawUsd": text(account.cash),
                "totalMarginUsed": text(account.used),
            },
            "withdrawable": text(max(ZERO, account.available)),
        }
        return state if self.timeless else {**state, "time": self._clock()}

    def _funding(self, start: int) -> list[dict[str, Any]]:
        return [
            {
                "time": payment.time,
                "hash": "0x" + "0" * 64,
                "delta": {
                    "type": "funding",
                    "coin": payment.symbol,
                    "usdc": text(payment.amount),
                    "szi": text(payment.quantity),
                    "fundingRate": text(payment.rate),
                    "nSamples": None,
                },
            }
            for payment in self._account.payments
            if payment.time >= start
        ][:MOST_TIMES]

    def _history(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        start, end = request["startTime"], request.get("endTime")
        return [
            {
                "coin": entry.symbol,
                "fundingRate": text(entry.rate),
                "premium": text(floor((entry.mark - entry.index) / entry.index, UNIT)),
                "time": entry.time,
            }
            for entry in self._market.rates
            if entry.symbol == request["coin"]
            and entry.time >= start
            and (end is None or entry.time <= end)
        ][:MOST_TIMES]


def _order(order: Order) -> dict[str, Any]:
    return {
        "coin": order.symbol.name,
        "side": "B" if order.buy else "A",
        "limitPx": text(order.price),
        "sz": text(order.left),
        "origSz": text(order.quantity),
        "oid": order.order_id,
        "timestamp": order.time,
        "orderType": "Limit",
        "tif": order.good.capitalize(),
        "reduceOnly": order.reduce_only,
        "cloid": order.client_id if order.closing is None else None,
    }


def _fill(trade: Trade) -> dict[str, Any]:
    row: dict[str, Any] = {
        "coin": trade.order.symbol.name,
        "px": text(trade.price),
        "sz": text(trade.quantity),
        "side": "B" if trade.order.buy else "A",
        "time": trade.time,
        "startPosition": text(trade.held),
        "dir": _direction(trade),
        "closedPnl": text(trade.realized),
        "hash": "0x" + "0" * 64,
        "oid": trade.order.order_id,
        "crossed": not trade.maker,
        "fee": text(trade.commission),
        "feeToken": trade.commission_asset,
        "tid": trade.trade_id,
    }
    if trade.order.closing is None:
        row["cloid"] = trade.order.client_id
    if trade.cause is not None and trade.cause.closing is Closing.LIQUIDATION:
        row["liquidation"] = {
            "liquidatedUser": trade.cause.closed.lower(),
            "markPx": text(trade.price),
            "method": "market",
        }
    return row


def _direction(trade: Trade) -> str:
    """What the fill did to the position."""
    if trade.order.closing is Closing.DELEVERAGING:
        return "Auto-Deleveraging"
    held, buy = trade.held, trade.order.buy
    if held == 0 or (held > 0) == buy:
        return "Open Long" if buy else "Open Short"
    side, other = ("Long", "Short") if held > 0 else ("Short", "Long")
    return f"Close {side}" if trade.quantity <= abs(held) else f"{side} > {other}"
