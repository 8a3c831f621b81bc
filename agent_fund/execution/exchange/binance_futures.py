"""Binance USDⓈ-M futures: positions, cash without them, marks, funding, and the dead-man timer.

One-way mode, cross margin, one asset as margin; commissions in that asset, or in BNB if that is the
prepaid coin. Cash is what the account would hold had everything
been bought outright: wallet balance + unrealised profit - position x mark, which equals the
ledger's.

Orders of the exchange's own making are known by their client ids (Binance's "Event: Order Update"):
liquidation, auto-deleveraging, and settlement at a delisting. A ClOrdID has none of these forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.binance import PAGE, Binance, Endpoints
from agent_fund.execution.exchange.binance_spot import COIN
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.margin_api import FundingRate, Income, MarketMark
from agent_fund.execution.exchange.margin_terms import Bracket, MarginTerms
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.pages import Pages
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
        self._margin_assets: dict[str, str] = {}

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """Check the account's modes, which asset pays its commissions, and their rates.

        Raises:
            ExecutionError: in hedge or multi-assets mode, or if the account pays more than is
                configured, or in something else.
        """
        await self.adjust_clock()
        if (await self.connection.call("fapiPrivateGetPositionSideDual"))["dualSidePosition"]:
            raise ExecutionError("position mode", "hedge", "set the account to one-way mode")
        account = await self.connection.call("fapiPrivateGetAccountConfig")
        if account["multiAssetsMargin"] is not False:
            fix = "set the account to single-asset mode: the fund counts one asset as margin"
            raise ExecutionError("margin mode", "multi-assets", fix)
        burns = (await self.connection.call("fapiPrivateGetFeeBurn"))["feeBurn"] is not False
        if burns and coin != COIN:
            fix = (
                f"let the futures account pay in its margin asset, or configure {COIN!r} as prepaid"
            )
            raise ExecutionError("commissions of a futures account", COIN, fix)
        if coin and not burns:
            fix = f"the futures account does not pay in it: switch that on, or leave {coin} out"
            raise ExecutionError("prepaid coin of a futures account", coin, fix)
        for market in self._traded:
            rates = await self.connection.call("fapiPrivateGetCommissionRate", {"symbol": market})
            names = ("takerCommissionRate", "makerCommissionRate")
            charged = max(Decimal(rates[name]) for name in names)
            if charged > fee_rate:
                fix = f"the account pays up to {charged} on {market}: configure that rate"
                raise ExecutionError("fee rate", str(fee_rate), fix)
        return await self.markets()

    async def markets(self) -> Mapping[str, MarketRules]:
        """As Binance's; an order that only reduces has no smallest notional (its error -4164)."""
        listed = await super().markets()
        self._margin_assets |= {market: rules.quote for market, rules in listed.items()}
        return {market: replace(rules, closes_any=True) for market, rules in listed.items()}

    async def balances(self) -> Mapping[str, Decimal]:
        """Positions by market, signed, and each margin asset's cash without them.

        A position in a market that nobody here trades is among them, and out of the cash too.
        """
        account = await self.connection.call("fapiPrivateV3GetAccount")
        found = {row["asset"]: Decimal(row["walletBalance"]) for row in account["assets"]}
        for row in account["positions"]:
            found[row["symbol"]] = Decimal(row["positionAmt"])
            if value := Decimal(row["unrealizedProfit"]) - Decimal(row["notional"]):
                asset = await self._margin_asset(row["symbol"])
                found[asset] = found.get(asset, Decimal(0)) + value
        return found

    async def _margin_asset(self, market: str) -> str:
        """What positions in ``market`` are margined in; that of an unlisted one is told beside it.

        Raises:
            Unclear: if the exchange does not tell it.
        """
        if market not in self._margin_assets:
            rows = await self.connection.call("fapiPrivateV3GetPositionRisk")
            self._margin_assets |= {row["symbol"]: row["marginAsset"] for row in rows}
        if market not in self._margin_assets:
            raise Unclear(f"there is a position in {market}, and nobody says what margins it")
        return self._margin_assets[market]

    async def terms(self, markets: Sequence[str]) -> Mapping[str, MarginTerms]:
        """As the account has set each market, with its tiers of maintenance."""
        found = {}
        for market in markets:
            named = {"symbol": market}
            setting = _row(await self.connection.call("fapiPrivateGetSymbolConfig", named), market)
            tiers = _row(await self.connection.call("fapiPrivateGetLeverageBracket", named), market)
            found[market] = MarginTerms(
                isolated=setting["marginType"] != "CROSSED",
                initial=Fraction(1, int(setting["leverage"])),
                brackets=_brackets(tiers),
            )
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
        found: Pages[FundingRate] = Pages(PAGE, f"funding rates of {market}")
        while start <= end:
            span = {"symbol": market, "startTime": start, "endTime": end, "limit": PAGE}
            rows = await self.connection.call("fapiPublicGetFundingRate", span)
            page = [FundingRate(Decimal(r["fundingRate"]), int(r["fundingTime"])) for r in rows]
            if not found.more(page):
                break
            start = max(rate.time for rate in page) + 1
        return found.rows

    async def arm_dead_man(self, markets: Sequence[str], seconds: int) -> None:
        """Each market has its own timer."""
        for market in markets:
            parameters = {"symbol": market, "countdownTime": seconds * 1000}
            await self.connection.call("fapiPrivatePostCountdownCancelAll", parameters)

    async def income(self, since: int) -> Sequence[Income]:
        """Funding, page by page; pages overlap."""
        found: Pages[Income] = Pages(PAGE, "funding payments")
        start = since
        while True:
            parameters = {"incomeType": "FUNDING_FEE", "startTime": start, "limit": PAGE}
            rows = await self.connection.call("fapiPrivateGetIncome", parameters)
            page = [
                Income(
                    payment_id=str(row["tranId"]),
                    market=row["symbol"],
                    amount=Decimal(row["income"]),
                    asset=row["asset"],
                    time=int(row["time"]),
                )
                for row in rows
            ]
            if not found.more(page):
                return found.rows
            last = max(payment.time for payment in page)
            if last == start:
                raise Unclear(f"more than {PAGE} payments of one time are not shown")
            start = last


def _row(told: Any, market: str) -> Mapping[str, Any]:
    """The row of ``market``, which stands alone or among others.

    Raises:
        Unclear: if there is none.
    """
    for row in told if isinstance(told, list) else [told]:
        if row["symbol"] == market:
            return row  # type: ignore[no-any-return]
    raise Unclear(f"nothing is told of {market}")


def _brackets(row: Mapping[str, Any]) -> tuple[Bracket, ...]:
    """The tiers of maintenance; ``cum`` is what a tier takes off for those below it.

    Where the account's tiers are narrower than the market's by a coefficient, they are narrowed
    here, whether or not they were told so: that errs towards more margin.
    """
    narrower = min(Fraction(1), Fraction(str(row.get("notionalCoef", 1))))
    made = [
        Bracket(
            floor=Fraction(str(tier["notionalFloor"])) * narrower,
            rate=Fraction(str(tier["maintMarginRatio"])),
            deduction=Fraction(str(tier["cum"])) * narrower,
        )
        for tier in row["brackets"]
    ]
    return tuple(sorted(made, key=lambda bracket: bracket.floor))
