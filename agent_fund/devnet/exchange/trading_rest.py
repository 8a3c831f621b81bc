"""What Binance's spot and futures interfaces share: orders and trades, by client id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_fund.devnet.exchange.decimals import text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.orders import Order, Trade
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.route import Parameters, amount, number, required
from agent_fund.devnet.exchange.symbols import Symbol

SIDES = {"BUY": True, "SELL": False}
GOOD = ("GTC", "IOC", "FOK")
FIRST_PAGE = 500
LONGEST_PAGE = 1000


class TradingRest:
    """Answers about the orders and trades of one engine.

    Args:
        order_row: the exchange's JSON of an order. ``trade_row``: of a trade.
        window_ms: longest time between startTime and endTime.
    """

    def __init__(
        self,
        engine: Engine,
        order_row: Callable[[Order], dict[str, Any]],
        trade_row: Callable[[Trade], dict[str, Any]],
        window_ms: int,
    ) -> None:
        self.engine = engine
        self._order_row = order_row
        self._trade_row = trade_row
        self._window = window_ms

    def place(self, parameters: Parameters) -> dict[str, Any]:
        """POST order; only LIMIT orders."""
        self.engine.expire()
        symbol = self.engine.symbol(required(parameters, "symbol"))
        side, kind = required(parameters, "side"), required(parameters, "type")
        if side not in SIDES:
            raise Refusal(-1117, "Invalid side.")
        if kind != "LIMIT":
            raise Refusal(-1116, "Invalid orderType.")
        good = required(parameters, "timeInForce")
        if good not in GOOD:
            raise Refusal(-1115, "Invalid timeInForce.")
        before = len(self.engine.trades)
        order = self.engine.place(
            symbol,
            required(parameters, "newClientOrderId"),
            SIDES[side],
            amount(parameters, "price"),
            amount(parameters, "quantity"),
            good,
            parameters.get("reduceOnly") == "true",
        )
        row = self._order_row(order)
        if parameters.get("newOrderRespType") == "FULL":
            mine = [trade for trade in self.engine.trades[before:] if trade.order is order]
            row["fills"] = [
                {
                    "price": text(trade.price),
                    "qty": text(trade.quantity),
                    "commission": text(trade.commission),
                    "commissionAsset": trade.commission_asset,
                    "tradeId": trade.trade_id,
                }
                for trade in mine
            ]
        return row

    def find(self, parameters: Parameters) -> dict[str, Any]:
        """GET order."""
        return self._order_row(self._order(parameters))

    def cancel(self, parameters: Parameters) -> dict[str, Any]:
        """DELETE order."""
        try:
            order = self._order(parameters)
        except Refusal:
            raise Refusal(-2011, "Unknown order sent.") from None
        self.engine.cancel(order)
        return self._order_row(order)

    def open_orders(self, parameters: Parameters) -> list[dict[str, Any]]:
        """GET openOrders."""
        return [
            self._order_row(order) for order in self.engine.open_orders(parameters.get("symbol"))
        ]

    def all_orders(self, parameters: Parameters) -> list[dict[str, Any]]:
        """GET allOrders, from an order id or from a time on."""
        self.engine.expire()
        start, limit = self._page(parameters)
        first = number(parameters, "orderId") or 0
        symbol = self.engine.symbol(required(parameters, "symbol"))
        rows = [
            order
            for order in self.engine.orders.values()
            if order.symbol.name == symbol.name and order.order_id >= first and order.time >= start
        ]
        return [self._order_row(order) for order in rows[:limit]]

    def trades(self, parameters: Parameters) -> list[dict[str, Any]]:
        """GET myTrades or userTrades: of an order, from a trade id, or from a time on."""
        start, limit = self._page(parameters)
        end, first = number(parameters, "endTime"), number(parameters, "fromId") or 0
        wanted = number(parameters, "orderId")
        symbol = self.engine.symbol(required(parameters, "symbol"))
        rows = [
            trade
            for trade in self.engine.trades
            if trade.order.symbol.name == symbol.name
            and trade.trade_id >= first
            and trade.time >= start
            and (end is None or trade.time <= end)
            and wanted in (None, trade.order.order_id)
        ]
        return [self._trade_row(trade) for trade in rows[:limit]]

    def _order(self, parameters: Parameters) -> Order:
        self.engine.symbol(required(parameters, "symbol"))
        order_id, client_id = number(parameters, "orderId"), parameters.get("origClientOrderId")
        if order_id is None and not client_id:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent.")
        return self.engine.find(order_id, client_id)

    def _page(self, parameters: Parameters) -> tuple[int, int]:
        start, end = number(parameters, "startTime"), number(parameters, "endTime")
        if "fromId" in parameters and (start is not None or end is not None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if start is not None and end is not None and end - start > self._window:
            raise Refusal(-1127, "More than the allowed time between startTime and endTime.")
        return start or 0, min(number(parameters, "limit") or FIRST_PAGE, LONGEST_PAGE)


def grid_filters(symbol: Symbol) -> list[dict[str, str]]:
    """The filters of prices and quantities, which spot and futures state alike."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(symbol.tick),
            "maxPrice": text(symbol.max_price),
            "tickSize": text(symbol.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(symbol.step),
            "maxQty": text(symbol.max_quantity),
            "stepSize": text(symbol.step),
        },
    ]
