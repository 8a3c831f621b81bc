"""Binance spot: balances with what orders lock, and commissions in the prepaid coin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.binance import Binance, Endpoints
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.market_rules import MarketRules

COIN = "BNB"
ENDPOINTS = Endpoints(
    information="publicGetExchangeInfo",
    time="publicGetTime",
    depth="publicGetDepth",
    place="privatePostOrder",
    find="privateGetOrder",
    cancel="privateDeleteOrder",
    open="privateGetOpenOrders",
    trades="privateGetMyTrades",
    span_ms=86_400_000 - 1,
    # The answer to a placement tells the trades with their commissions.
    response={"newOrderRespType": "FULL"},
)


class BinanceSpot(Binance):
    """One spot account; arguments as for Binance."""

    dead_man = False

    def __init__(
        self, connection: Connection, now: Callable[[], int], window_ms: int = 5_000
    ) -> None:
        super().__init__(connection, ENDPOINTS, now, window_ms)

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """Check how the account pays its commissions, and at which rate.

        Raises:
            ExecutionError: if buys would be charged in what they buy, or more than is configured.
        """
        await self.adjust_clock()
        account = await self.connection.call("privateGetAccount")
        rates = account["commissionRates"]
        charged = max(Decimal(rates["taker"]), Decimal(rates["maker"]))
        if charged > fee_rate:
            fix = f"the account pays up to {charged}: configure that rate"
            raise ExecutionError("fee rate", str(fee_rate), fix)
        if charged:
            burns = (await self.connection.call("sapiGetBnbBurn"))["spotBNBBurn"]
            if not burns or coin != COIN:
                raise ExecutionError(
                    "prepaid coin of a spot account",
                    coin if burns else "not used by the account",
                    f"buys would be charged in what they buy: let the account pay in {COIN}, hold "
                    f"some there, and configure {COIN!r} as the prepaid coin",
                )
        return await self.markets()

    async def balances(self) -> Mapping[str, Decimal]:
        """Free and locked together, by asset."""
        account = await self.connection.call("privateGetAccount")
        return {
            row["asset"]: Decimal(row["free"]) + Decimal(row["locked"])
            for row in account["balances"]
        }
