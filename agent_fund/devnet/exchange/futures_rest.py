"""Binance's USDⓈ-M futures REST interface (``/fapi``), as far as perpetuals need it.

One-way position mode, cross margin. Source: Binance USDⓈ-M Futures API, REST: market data, trade
and account endpoints, "Auto-Cancel All Open Orders" among them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from agent_fund.devnet.exchange.decimals import ZERO, floor, text
from agent_fund.devnet.exchange.futures_rows import (
    ENTRY_STEP,
    order_row,
    rate_row,
    symbol_row,
    trade_row,
)
from agent_fund.devnet.exchange.margin_market import MarginMarket
from agent_fund.devnet.exchange.route import Parameters, Route, Routes, number, required
from agent_fund.devnet.exchange.trading_rest import LONGEST_PAGE, TradingRest

WEEK_MS = 7 * 86_400_000
LARGEST = Decimal(10**12)


class FuturesRest:
    """The routes of the futures exchange.

    Attributes:
        hedge, joint, isolated: the account's modes, of which it only tells: both sides at once,
            several assets as margin, margin by position.
        tiers: (floor, rate) of maintenance, as it is told; the market's rate by itself.
        coefficient: of the account's tiers, told if it is not 1.
    """

    def __init__(self, market: MarginMarket, clock: Callable[[], int]) -> None:
        self._market = market
        self._engine = market.engine
        self._account = market.account
        self._clock = clock
        self.hedge = self.joint = self.isolated = False
        self.tiers = [(ZERO, market.maintenance)]
        self.coefficient = Decimal(1)
        self._trading = TradingRest(market.engine, order_row, trade_row, WEEK_MS)

    @property
    def routes(self) -> Routes:
        """By method and path."""
        trading = self._trading
        return {
            ("GET", "/fapi/v1/exchangeInfo"): Route(self._exchange_info, 1, signed=False),
            ("GET", "/fapi/v1/time"): Route(lambda _: {"serverTime": self._clock()}, 1, False),
            ("GET", "/fapi/v1/depth"): Route(self._depth, 5, signed=False),
            ("GET", "/fapi/v1/premiumIndex"): Route(self._premium, 1, signed=False),
            ("GET", "/fapi/v1/fundingRate"): Route(self._funding, 1, signed=False),
            ("POST", "/fapi/v1/order"): Route(trading.place, 1),
            ("GET", "/fapi/v1/order"): Route(trading.find, 1),
            ("DELETE", "/fapi/v1/order"): Route(trading.cancel, 1),
            ("GET", "/fapi/v1/openOrders"): Route(trading.open_orders, 1),
            ("GET", "/fapi/v1/allOrders"): Route(trading.all_orders, 5),
            ("GET", "/fapi/v1/userTrades"): Route(trading.trades, 5),
            ("GET", "/fapi/v1/income"): Route(self._income, 30),
            ("GET", "/fapi/v1/positionSide/dual"): Route(self._mode, 30),
            ("GET", "/fapi/v1/commissionRate"): Route(self._rates, 20),
            ("GET", "/fapi/v1/feeBurn"): Route(lambda _: {"feeBurn": self._account.burn}, 1),
            ("GET", "/fapi/v1/accountConfig"): Route(self._configuration, 5),
            ("GET", "/fapi/v1/symbolConfig"): Route(self._setting, 5),
            ("GET", "/fapi/v1/leverageBracket"): Route(self._brackets, 1),
            ("POST", "/fapi/v1/leverage"): Route(self._leverage, 1),
            ("POST", "/fapi/v1/countdownCancelAll"): Route(self._countdown, 10),
            ("GET", "/fapi/v3/account"): Route(self._summary, 5),
            ("GET", "/fapi/v3/positionRisk"): Route(self._positions, 5),
        }

    def _exchange_info(self, _: Parameters) -> dict[str, Any]:
        rows = [symbol_row(symbol) for symbol in self._engine.symbols.values()]
        return {
            "timezone": "UTC",
            "serverTime": self._clock(),
            "rateLimits": [],
            "exchangeFilters": [],
            "assets": [{"asset": self._account.asset, "marginAvailable": True}],
            "symbols": rows,
        }

    def _depth(self, parameters: Parameters) -> dict[str, Any]:
        book = self._engine.books[self._engine.symbol(required(parameters, "symbol")).name]
        limit = number(parameters, "limit") or 500
        sides = {
            name: [[text(price), text(quantity)] for price, quantity in book.levels(buy, limit)]
            for name, buy in (("bids", True), ("asks", False))
        }
        now = self._clock()
        return {"lastUpdateId": len(self._engine.orders) + 1, "E": now, "T": now, **sides}

    def _premium(self, parameters: Parameters) -> dict[str, Any]:
        name = self.symbol_name(parameters)
        rates = [entry.rate for entry in self._market.rates if entry.symbol == name]
        return {
            "symbol": name,
            "markPrice": text(self._account.marks.get(name, ZERO)),
            "indexPrice": text(self._market.indexes.get(name, ZERO)),
            "lastFundingRate": text(rates[-1] if rates else ZERO),
            "time": self._clock(),
        }

    def _funding(self, parameters: Parameters) -> list[dict[str, Any]]:
        start, end = number(parameters, "startTime"), number(parameters, "endTime")
        limit = min(number(parameters, "limit") or 100, LONGEST_PAGE)
        wanted = parameters.get("symbol")
        rows = [
            rate_row(entry)
            for entry in self._market.rates
            if wanted in (None, entry.symbol)
            and entry.time >= (start or 0)
            and (end is None or entry.time <= end)
        ]
        return rows[:limit] if start is not None else rows[-limit:]

    def _income(self, parameters: Parameters) -> list[dict[str, Any]]:
        start, limit = number(parameters, "startTime") or 0, number(parameters, "limit") or 100
        rows = [p for p in self._account.payments if p.time >= start]
        if (end := number(parameters, "endTime")) is not None:
            rows = [p for p in rows if p.time <= end]
        if parameters.get("incomeType", "FUNDING_FEE") != "FUNDING_FEE":
            rows = []
        wanted = parameters.get("symbol")
        return [
            {
                "symbol": payment.symbol,
                "incomeType": "FUNDING_FEE",
                "income": text(payment.amount),
                "asset": self._account.asset,
                "info": "FUNDING_FEE",
                "time": payment.time,
                "tranId": payment.payment_id,
                "tradeId": "",
            }
            for payment in rows
            if wanted in (None, payment.symbol)
        ][:limit]

    def _mode(self, _: Parameters) -> dict[str, Any]:
        return {"dualSidePosition": self.hedge}

    def _rates(self, parameters: Parameters) -> dict[str, Any]:
        return {
            "symbol": self.symbol_name(parameters),
            "makerCommissionRate": text(self._account.maker),
            "takerCommissionRate": text(self._account.taker),
        }

    def _configuration(self, _: Parameters) -> dict[str, Any]:
        return {
            "feeTier": 0,
            "canTrade": True,
            "dualSidePosition": self.hedge,
            "multiAssetsMargin": self.joint,
        }

    def _setting(self, parameters: Parameters) -> list[dict[str, Any]]:
        return [
            {
                "symbol": self.symbol_name(parameters),
                "marginType": "ISOLATED" if self.isolated else "CROSSED",
                "isAutoAddMargin": "false",
                "leverage": int(self._account.leverage),
                "maxNotionalValue": "1000000000",
            }
        ]

    def _brackets(self, parameters: Parameters) -> list[dict[str, Any]]:
        """Rates and amounts are numbers here, not texts."""
        rows: list[dict[str, Any]] = []
        deduction, below = ZERO, ZERO
        for count, (lower, rate) in enumerate(self.tiers, start=1):
            deduction += lower * (rate - below)
            below = rate
            rows.append(
                {
                    "bracket": count,
                    "initialLeverage": int(self._account.leverage),
                    "notionalFloor": float(lower),
                    "maintMarginRatio": float(rate),
                    "cum": float(deduction),
                }
            )
        for row, (cap, _) in zip(rows, [*self.tiers[1:], (LARGEST, ZERO)], strict=True):
            row["notionalCap"] = float(cap)
        found = {"symbol": self.symbol_name(parameters), "brackets": rows}
        return [
            found if self.coefficient == 1 else {**found, "notionalCoef": float(self.coefficient)}
        ]

    def _leverage(self, parameters: Parameters) -> dict[str, Any]:
        name = self.symbol_name(parameters)
        self._account.leverage = Decimal(number(parameters, "leverage") or 1)
        return {"symbol": name, "leverage": int(self._account.leverage), "maxNotionalValue": "1e9"}

    def _countdown(self, parameters: Parameters) -> dict[str, Any]:
        name, milliseconds = self.symbol_name(parameters), number(parameters, "countdownTime") or 0
        self._engine.arm(name, self._clock() + milliseconds if milliseconds else None)
        return {"symbol": name, "countdownTime": str(milliseconds)}

    def symbol_name(self, parameters: Parameters) -> str:
        """The listed symbol that is asked for."""
        return self._engine.symbol(required(parameters, "symbol")).name

    def _summary(self, _: Parameters) -> dict[str, Any]:
        self._engine.expire()
        account = self._account
        unrealized = account.equity - account.wallet
        return {
            "totalWalletBalance": text(account.wallet),
            "totalUnrealizedProfit": text(unrealized),
            "totalMarginBalance": text(account.equity),
            "totalInitialMargin": text(account.used),
            "availableBalance": text(account.available),
            "assets": [
                {
                    "asset": account.asset,
                    "walletBalance": text(account.wallet),
                    "unrealizedProfit": text(unrealized),
                    "marginBalance": text(account.equity),
                    "updateTime": self._clock(),
                },
                {"asset": account.coin, "walletBalance": text(account.coins)},
            ],
            "positions": self._positions({}),
        }

    def _positions(self, _: Parameters) -> list[dict[str, Any]]:
        self._engine.expire()
        rows = []
        for name, held in self._account.positions.items():
            if not held.quantity:
                continue
            mark = self._account.marks.get(name, ZERO)
            rows.append(
                {
                    "symbol": name,
                    "positionSide": "BOTH",
                    "positionAmt": text(held.quantity),
                    "entryPrice": text(floor(held.cost / held.quantity, ENTRY_STEP)),
                    "markPrice": text(mark),
                    "unrealizedProfit": text(self._account.unrealized(name)),
                    "unRealizedProfit": text(self._account.unrealized(name)),
                    "notional": text(held.quantity * mark),
                    "marginAsset": self._account.asset,
                    "updateTime": self._clock(),
                }
            )
        return rows
