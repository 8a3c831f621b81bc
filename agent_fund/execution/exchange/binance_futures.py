"""Binance USDⓈ-M futures: positions, cash without them, marks, funding, and the dead-man timer.

One-way mode, commissions in the margin asset. Cash is what the account would hold had everything
been bought outright: wallet balance + unrealised profit - position x mark, which equals the
ledger's.

Orders of the exchange's own making are known by their client ids (Binance's "Event: Order Update"):
liquidation, auto-deleveraging, and settlement at a delisting. A ClOrdID has none of these forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.binance import PAGE, Binance, Endpoints
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.margin_api import FundingRate, Income, MarketMark
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.venue_api import VenueTrade

FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
ENDPOINTS = Endpoints(
    information="fapiPublicGetExchangeInfo",
    time="fapiPublicGetTime",
    depth="fapiPublicGetDepth",
    place="fapiPrivatePostOrder",
    find="fapiPrivateGetOrder",
    cancel="fapiPrivateDeleteOrder",
    open="fapiPrivateGetOpenOrders",
    trades="fapiPrivateGetUserTrades",
    span_ms=7 * 86_400_000 - 1,
    # The answer to a placement tells what was executed, though not its trades.
    response={"newOrderRespType": "RESULT"},
)


class BinanceFutures(Binance):
    """One futures account trading ``markets``; other arguments as for Binance."""

    dead_man = True

    def __init__(
        self,
        connection: Connection,
        markets: Sequence[str],
        now: Callable[[], int],
        window_ms: int = 5_000,
    ) -> None:
        super().__init__(connection, ENDPOINTS, now, window_ms)
        self._traded = tuple(markets)
        self._margin_assets: Mapping[str, str] = {}

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """Check the position mode and the commission rates.

        Raises:
            ExecutionError: in hedge mode, or if the account pays more than is configured.
        """
        await self.adjust_clock()
        if (await self.connection.call("fapiPrivateGetPositionSideDual"))["dualSidePosition"]:
            raise ExecutionError("position mode", "hedge", "set the account to one-way mode")
        for market in self._traded:
            rates = await self.connection.call("fapiPrivateGetCommissionRate", {"symbol": market})
            names = ("takerCommissionRate", "makerCommissionRate")
            charged = max(Decimal(rates[name]) for name in names)
            if charged > fee_rate:
                fix = f"the account pays up to {charged} on {market}: configure that rate"
                raise ExecutionError("fee rate", str(fee_rate), fix)
        listed = await self.markets()
        self._margin_assets = {market: rules.quote for market, rules in listed.items()}
        return listed

    async def balances(self) -> Mapping[str, Decimal]:
        """Positions by market, signed, and each margin asset's cash without them."""
        account = await self.connection.call("fapiPrivateV3GetAccount")
        found = {row["asset"]: Decimal(row["walletBalance"]) for row in account["assets"]}
        for row in account["positions"]:
            found[row["symbol"]] = Decimal(row["positionAmt"])
            asset = self._margin_assets[row["symbol"]]
            found[asset] += Decimal(row["unrealizedProfit"]) - Decimal(row["notional"])
        return found

    async def trades_since(self, market: str, since: int) -> Sequence[tuple[str, VenueTrade]]:
        """As Binance's; forced by the client id of the order."""
        told = await super().trades_since(market, since)
        return [
            (reference, replace(trade, forced=reference.startswith(FORCED)))
            for reference, trade in told
        ]

    async def marks(self, markets: Sequence[str]) -> Mapping[str, MarketMark]:
        """Mark and index price of each market."""
        found = {}
        for market in markets:
            row = await self.connection.call("fapiPublicGetPremiumIndex", {"symbol": market})
            made = MarketMark(Decimal(row["markPrice"]), Decimal(row["indexPrice"]))
            if made.mark > 0 and made.index > 0:
                found[market] = made
        return found

    async def rates(self, market: str, start: int, end: int) -> Sequence[FundingRate]:
        """Page by time; a market has one rate at a time."""
        found: list[FundingRate] = []
        while start <= end:
            span = {"symbol": market, "startTime": start, "endTime": end, "limit": PAGE}
            rows = await self.connection.call("fapiPublicGetFundingRate", span)
            found += [FundingRate(Decimal(r["fundingRate"]), int(r["fundingTime"])) for r in rows]
            if len(rows) < PAGE:
                break
            start = max(int(row["fundingTime"]) for row in rows) + 1
        return found

    async def arm_dead_man(self, markets: Sequence[str], seconds: int) -> None:
        """Each market has its own timer."""
        for market in markets:
            parameters = {"symbol": market, "countdownTime": seconds * 1000}
            await self.connection.call("fapiPrivatePostCountdownCancelAll", parameters)

    async def income(self, since: int) -> Sequence[Income]:
        """Funding, page by page; pages overlap."""
        found: list[Income] = []
        start = since
        while True:
            parameters = {"incomeType": "FUNDING_FEE", "startTime": start, "limit": PAGE}
            rows = await self.connection.call("fapiPrivateGetIncome", parameters)
            found += [
                Income(
                    payment_id=str(row["tranId"]),
                    market=row["symbol"],
                    amount=Decimal(row["income"]),
                    asset=row["asset"],
                    time=int(row["time"]),
                )
                for row in rows
            ]
            if len(rows) < PAGE:
                return found
            last = max(int(row["time"]) for row in rows)
            if last == start:
                raise Unclear(f"more than {PAGE} payments of one time are not shown")
            start = last
