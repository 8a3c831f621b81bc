"""What Binance's spot and futures interfaces share: orders by client id, trades, paging, the clock.

Raw endpoints through ccxt, texts read as Decimals. A request is signed when it is sent, never
before: a Binance signature covers a timestamp and not the order's identity, and the exchange takes
a client id again once its order has ended. So stored signed bytes would protect nothing; what
protects is that the exchange is asked by client id before anything is sent again, and that a
request is void ``recvWindow`` after its timestamp. The window is cut to the order's deadline.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent_fund.execution.exchange.answer import Absent, Unclear
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.venue_api import Level, NewOrder, VenueOrder, VenueTrade
from agent_fund.execution.live.leg_state import LegState

PAGE = 1000
MOST_SPANS = 40
BOOK_LIMIT = 100
AHEAD_SECONDS = 1.0
"""How far a timestamp may be ahead of Binance's clock, and so how much longer it may live."""
MARGIN_SECONDS = 0.5
TRADING = "TRADING"

STATES = {
    "NEW": LegState.SUBMITTED,
    "PENDING_NEW": LegState.SUBMITTED,
    "PARTIALLY_FILLED": LegState.SUBMITTED,
    "PENDING_CANCEL": LegState.SUBMITTED,
    "FILLED": LegState.SETTLED,
    "CANCELED": LegState.CANCELED,
    "EXPIRED": LegState.CANCELED,
    "EXPIRED_IN_MATCH": LegState.CANCELED,
    "REJECTED": LegState.REJECTED,
}
"""Binance's order status, as what it means for a leg."""


@dataclass(frozen=True)
class Endpoints:
    """ccxt's names of one market's endpoints, and the longest span of a search by time."""

    information: str
    time: str
    depth: str
    place: str
    find: str
    cancel: str
    open: str
    trades: str
    span_ms: int
    response: Mapping[str, str]


class Binance:
    """One account in one of Binance's markets.

    Args:
        now: Unix milliseconds.
        window_ms: recvWindow of every request.
    """

    repeatable = False

    def __init__(
        self,
        connection: Connection,
        endpoints: Endpoints,
        now: Callable[[], int],
        window_ms: int = 5_000,
    ) -> None:
        self.connection = connection
        self._endpoints = endpoints
        self.now = now
        self._window = window_ms
        # Client ids by (market, order id); neither ever changes.
        self._references: dict[tuple[str, str], str] = {}
        connection.client.options["recvWindow"] = window_ms

    @property
    def lifetime(self) -> float:
        """Seconds after which the exchange refuses what was sent, however late it arrives."""
        return self._window / 1000 + AHEAD_SECONDS + MARGIN_SECONDS

    def reference(self, leg_id: str) -> str:
        """A ClOrdID is a client id as it is: 32 characters of ``a-z2-7``."""
        return leg_id

    async def encode(self, order: NewOrder, good: str) -> tuple[bytes, int]:
        """The request's parameters as canonical JSON, without timestamp and signature."""
        parameters = {
            "symbol": order.market,
            "side": "BUY" if order.buy else "SELL",
            "type": "LIMIT",
            "timeInForce": good,
            "quantity": plain(order.quantity),
            "price": plain(order.price),
            "newClientOrderId": self.reference(order.leg_id),
            **({"reduceOnly": "true"} if order.closes else {}),
            **self._endpoints.response,
        }
        return json.dumps(parameters, sort_keys=True, separators=(",", ":")).encode(), 0

    async def place(self, payload: bytes, deadline: int) -> VenueOrder | None:
        """Sign and send; the exchange refuses it after ``deadline`` (Unix seconds).

        The window begins here, and not when the request's turn has come.
        """
        window, now = self._window, self.now()
        if deadline:
            window = max(1, min(window, deadline * 1000 - now))
        timestamp = now - int(self.connection.client.options.get("timeDifference") or 0)
        parameters = {**json.loads(payload), "timestamp": timestamp, "recvWindow": window}
        return self.order(await self.connection.call(self._endpoints.place, parameters))

    async def find(self, market: str, reference: str) -> VenueOrder:
        """By client id."""
        parameters = {"symbol": market, "origClientOrderId": reference}
        return self.order(await self.connection.call(self._endpoints.find, parameters))

    async def trades(self, order: VenueOrder) -> Sequence[VenueTrade]:
        """All trades of the order; where a page is too short, among all since it was placed."""
        parameters = {"symbol": order.market, "orderId": order.order_id, "limit": PAGE}
        rows = await self.connection.call(self._endpoints.trades, parameters)
        if len(rows) >= PAGE:
            every = await self._trades_since(order.market, order.placed)
            rows = [row for row in every if str(row["orderId"]) == order.order_id]
        return [self.trade(row) for row in rows]

    async def cancel(self, market: str, reference: str) -> None:
        """By client id."""
        parameters = {"symbol": market, "origClientOrderId": reference}
        await self.connection.call(self._endpoints.cancel, parameters)

    async def levels(self, market: str) -> tuple[Sequence[Level], Sequence[Level]]:
        """The best hundred on each side."""
        parameters = {"symbol": market, "limit": BOOK_LIMIT}
        book = await self.connection.call(self._endpoints.depth, parameters)
        bids, asks = (
            [(Decimal(price), Decimal(quantity)) for price, quantity, *_ in book[side]]
            for side in ("bids", "asks")
        )
        return bids, asks

    async def open_references(self, markets: Sequence[str]) -> Sequence[str]:
        """Every open order of the account in these markets."""
        found: list[str] = []
        for market in markets:
            rows = await self.connection.call(self._endpoints.open, {"symbol": market})
            found += [row["clientOrderId"] for row in rows]
        return found

    async def trades_since(self, market: str, since: int) -> Sequence[tuple[str, VenueTrade]]:
        """Page by trade id from the first trade since then; each with its order's client id."""
        rows = await self._trades_since(market, since)
        ids = dict.fromkeys(str(row["orderId"]) for row in rows)
        references = {order_id: await self._reference(market, order_id) for order_id in ids}
        return [(references[str(row["orderId"])], self.trade(row)) for row in rows]

    async def _reference(self, market: str, order_id: str) -> str:
        """The client id of an order, asked for once."""
        if (market, order_id) not in self._references:
            parameters = {"symbol": market, "orderId": order_id}
            try:
                row = await self.connection.call(self._endpoints.find, parameters)
            except Absent:
                return f"orderId {order_id}"
            self._references[market, order_id] = row["clientOrderId"]
        return self._references[market, order_id]

    async def adjust_clock(self) -> None:
        """Sign with the exchange's time from now on, as far as one answer tells it."""
        before = self.now()
        told = int((await self.connection.call(self._endpoints.time))["serverTime"])
        between = (before + self.now()) // 2
        self.connection.client.options["timeDifference"] = between - told

    async def close(self) -> None:
        """Let go of the connections."""
        await self.connection.close()

    async def markets(self) -> Mapping[str, MarketRules]:
        """The filters of every market that has the two that each order must pass."""
        listed = await self.connection.call(self._endpoints.information)
        told = (rules_of(row) for row in listed["symbols"])
        return {rules.market: rules for rules in told if rules is not None}

    def order(self, row: Mapping[str, Any]) -> VenueOrder:
        """The exchange's JSON of an order."""
        fills = row.get("fills")
        common = {"symbol": row["symbol"], "orderId": row["orderId"], "side": row["side"]}
        time = row.get("transactTime", row.get("updateTime", 0))
        return VenueOrder(
            order_id=str(row["orderId"]),
            reference=row["clientOrderId"],
            market=row["symbol"],
            buy=row["side"] == "BUY",
            price=Decimal(row["price"]),
            quantity=Decimal(row["origQty"]),
            executed=Decimal(row["executedQty"]),
            placed=int(row.get("time", time)),
            state=STATES.get(row["status"], LegState.UNKNOWN),
            trades=None
            if fills is None
            else tuple(
                self.trade({**common, **fill, "id": fill["tradeId"], "time": time})
                for fill in fills
            ),
        )

    def trade(self, row: Mapping[str, Any]) -> VenueTrade:
        """The exchange's JSON of a trade; its ids count by market."""
        buy = row["isBuyer"] if "isBuyer" in row else row["side"] == "BUY"
        return VenueTrade(
            exec_id=f"{row['symbol']}-{row['orderId']}-{row['id']}",
            order_id=str(row["orderId"]),
            market=row["symbol"],
            buy=buy,
            price=Decimal(row["price"]),
            quantity=Decimal(row["qty"]),
            commission=Decimal(row["commission"]),
            commission_asset=row["commissionAsset"],
            time=int(row["time"]),
        )

    async def _trades_since(self, market: str, since: int) -> list[Any]:
        """Look for the first trade span by span, then go on by trade id to the end.

        Where that would be too many spans, from the account's first trade on.
        """
        start, now = since, self.now()
        rows: list[Any] = []
        if now - start > MOST_SPANS * self._endpoints.span_ms:
            first = {"symbol": market, "fromId": 0, "limit": PAGE}
            rows = await self.connection.call(self._endpoints.trades, first)
        else:
            while not rows and start <= now:
                end = start + self._endpoints.span_ms
                span = {"symbol": market, "startTime": start, "endTime": end, "limit": PAGE}
                rows = await self.connection.call(self._endpoints.trades, span)
                start = end + 1
        page, last = rows, -1
        while page:
            before, last = last, max(int(row["id"]) for row in page)
            if last <= before:
                raise Unclear(f"trades of {market} after number {before} are told again and again")
            following = {"symbol": market, "fromId": last + 1, "limit": PAGE}
            page = await self.connection.call(self._endpoints.trades, following)
            rows = rows + page
        return [row for row in rows if int(row["time"]) >= since]


def plain(value: Decimal) -> str:
    """Digits without an exponent or trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def rules_of(row: Mapping[str, Any]) -> MarketRules | None:
    """The filters in the exchange's JSON of a symbol; None without those of price and quantity."""
    filters = {f["filterType"]: f for f in row["filters"]}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or lot is None:
        return None
    least = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    digits = int(row.get("quoteCommissionPrecision", 8))
    return MarketRules(
        market=row["symbol"],
        base=row["baseAsset"],
        quote=row["quoteAsset"],
        step=Decimal(lot["stepSize"]),
        tick=Decimal(price["tickSize"]),
        smallest=Decimal(lot["minQty"]),
        largest=Decimal(lot["maxQty"]),
        least=Decimal(least.get("minNotional", least.get("notional", "0"))),
        commission=Decimal(1).scaleb(-digits),
        halted="" if row["status"] == TRADING else row["status"],
    )
