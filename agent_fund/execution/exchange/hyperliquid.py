"""Hyperliquid's perpetuals: signed actions by client id (cloid), fills in USDC, scheduled cancel.

Only ccxt's raw endpoints are used. Its unified ``create_order`` first signs an approval of a fee
for ccxt's builder address, sets a referrer, and then attaches the builder to every order; nothing
of that is ever signed here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.binance import plain
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.hyperliquid_action import ActionSigner
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.venue_api import (
    Income,
    Level,
    NewOrder,
    VenueOrder,
    VenueTrade,
)
from agent_fund.execution.live.leg_state import LegState

PAGE = 2000
FIGURES = 5
DECIMALS = 6
LEAST = Decimal(10)
USDC = "USDC"
USDC_UNIT = Decimal("0.000001")
GOOD = {"GTC": "Gtc", "IOC": "Ioc"}
MARGIN_SECONDS = 1.0


class Hyperliquid:
    """One account.

    Args:
        user: address of the account, which the signer may sign for.
        now: Unix milliseconds.
        void_after_ms: how long a signed order is good for, at most.
    """

    dead_man = True
    repeatable = True

    def __init__(
        self,
        connection: Connection,
        actions: ActionSigner,
        user: str,
        now: Callable[[], int],
        void_after_ms: int = 15_000,
    ) -> None:
        self.connection = connection
        self._actions = actions
        self._user = user
        self._now = now
        self._void_after = void_after_ms
        self._assets: dict[str, int] = {}

    @property
    def lifetime(self) -> float:
        """Seconds after which what was signed before a sending is void."""
        return self._void_after / 1000 + MARGIN_SECONDS

    def reference(self, leg_id: str) -> str:
        """The cloid: 16 bytes of SHA-256 of the leg's id, in hexadecimal."""
        return "0x" + hashlib.sha256(leg_id.encode()).digest()[:16].hex()

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """Check the commission rates; commissions are always in USDC.

        Raises:
            ExecutionError: if a prepaid coin is configured, or the account pays more.
        """
        if coin:
            raise ExecutionError("prepaid coin", coin, "Hyperliquid charges USDC: leave it out")
        rates = await self._info(type="userFees", user=self._user)
        charged = max(Decimal(rates[name]) for name in ("userCrossRate", "userAddRate"))
        if charged > fee_rate:
            fix = f"the account pays up to {charged}: configure that rate"
            raise ExecutionError("fee rate", str(fee_rate), fix)
        listed, _ = await self._info(type="metaAndAssetCtxs")
        universe = listed["universe"]
        self._assets = {row["name"]: number for number, row in enumerate(universe)}
        return {row["name"]: _rules(row) for row in universe if not row.get("isDelisted")}

    async def encode(self, order: NewOrder, good: str) -> tuple[bytes, int]:
        """The signed request as canonical JSON; it is void from then on."""
        expires = self._now() + self._void_after
        if order.deadline:
            expires = min(expires, order.deadline * 1000)
        action = {
            "type": "order",
            "orders": [
                {
                    "a": self._assets[order.market],
                    "b": order.buy,
                    "p": plain(order.price),
                    "s": plain(order.quantity),
                    "r": False,
                    "t": {"limit": {"tif": GOOD[good]}},
                    "c": self.reference(order.leg_id),
                }
            ],
            "grouping": "na",
        }
        request = await self._actions.request(action, expires)
        payload = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()
        return payload, -(-expires // 1000)

    async def place(self, payload: bytes, deadline: int) -> VenueOrder | None:
        """Send the bytes as they are; the answer tells too little of the order to be used."""
        await self.connection.call("privatePostExchange", json.loads(payload))
        return None

    async def find(self, market: str, reference: str) -> VenueOrder:
        """By cloid."""
        found = await self._info(type="orderStatus", user=self._user, oid=reference)
        row, status = found["order"]["order"], found["order"]["status"]
        quantity, left = Decimal(row["origSz"]), Decimal(row["sz"])
        order = VenueOrder(
            order_id=str(row["oid"]),
            reference=row["cloid"],
            market=row["coin"],
            buy=row["side"] == "B",
            price=Decimal(row["limitPx"]),
            quantity=quantity,
            executed=quantity - left,
            placed=int(row["timestamp"]),
            state=_state(status),
        )
        return order

    async def trades(self, order: VenueOrder) -> Sequence[VenueTrade]:
        """The order's among the fills since it was placed."""
        told = await self.trades_since(order.market, order.placed)
        return [trade for _, trade in told if trade.order_id == order.order_id]

    async def cancel(self, market: str, reference: str) -> None:
        """By cloid; a cancel that arrives late does no harm."""
        cancels = [{"asset": self._assets[market], "cloid": reference}]
        await self._act({"type": "cancelByCloid", "cancels": cancels})

    async def levels(self, market: str) -> tuple[Sequence[Level], Sequence[Level]]:
        """The best twenty on each side."""
        book = await self._info(type="l2Book", coin=market)
        bids, asks = (
            [(Decimal(level["px"]), Decimal(level["sz"])) for level in side]
            for side in book["levels"]
        )
        return bids, asks

    async def balances(self) -> Mapping[str, Decimal]:
        """Positions by market, signed, and USDC as if they had been bought outright."""
        state = await self._info(type="clearinghouseState", user=self._user)
        found = {USDC: Decimal(state["marginSummary"]["totalRawUsd"])}
        for row in state["assetPositions"]:
            found[row["position"]["coin"]] = Decimal(row["position"]["szi"])
        return found

    async def open_references(self, markets: Sequence[str]) -> Sequence[str]:
        """Of the whole account; an order without a cloid goes by its number."""
        rows = await self._info(type="frontendOpenOrders", user=self._user)
        return [_reference(row) for row in rows]

    async def trades_since(self, market: str, since: int) -> Sequence[tuple[str, VenueTrade]]:
        """Page by time; what two pages share is dropped by its content."""
        found: dict[str, tuple[str, VenueTrade]] = {}
        start = since
        while True:
            rows = await self._info(type="userFillsByTime", user=self._user, startTime=start)
            before = len(found)
            for row in rows:
                trade = _trade(row)
                found[trade.exec_id] = (_reference(row), trade)
            if len(rows) < PAGE:
                return [pair for pair in found.values() if pair[1].market == market]
            if len(found) == before:
                raise Unclear(f"more than {PAGE} fills in one millisecond are not shown")
            start = max(int(row["time"]) for row in rows)

    async def arm_dead_man(self, markets: Sequence[str], seconds: int) -> None:
        """One timer for the whole account, five seconds or more."""
        action: dict[str, Any] = {"type": "scheduleCancel"}
        if seconds:
            action["time"] = self._now() + seconds * 1000
        await self._act(action)

    async def income(self, since: int) -> Sequence[Income]:
        """Funding; a payment is known by its time and market, of which there is one."""
        rows = await self._info(type="userFunding", user=self._user, startTime=since)
        return [
            Income(
                payment_id=f"{row['delta']['coin']}-{row['time']}",
                market=row["delta"]["coin"],
                amount=Decimal(row["delta"]["usdc"]),
                asset=USDC,
                time=int(row["time"]),
            )
            for row in rows
        ]

    async def adjust_clock(self) -> None:
        """Nothing to adjust: nonces may be two days old, and expiry errs to the safe side."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self.connection.close()

    async def _info(self, **request: Any) -> Any:
        return await self.connection.call("publicPostInfo", request)

    async def _act(self, action: Mapping[str, Any]) -> Any:
        request = await self._actions.request(action, self._now() + self._void_after)
        return await self.connection.call("privatePostExchange", request)


def _state(status: str) -> LegState:
    """Hyperliquid's order status, of which there are many that say why it was cancelled."""
    if status == "open":
        return LegState.SUBMITTED
    if status == "filled":
        return LegState.SETTLED
    if status.lower().endswith(("canceled", "cancel", "rejected")):
        return LegState.CANCELED
    return LegState.UNKNOWN


def _reference(row: Mapping[str, Any]) -> str:
    return row.get("cloid") or f"oid {row['oid']}"


def _trade(row: Mapping[str, Any]) -> VenueTrade:
    """Both sides of a trade with oneself bear one ``tid``, so the order is part of the id."""
    return VenueTrade(
        exec_id=f"{row['oid']}-{row['tid']}",
        order_id=str(row["oid"]),
        market=row["coin"],
        buy=row["side"] == "B",
        price=Decimal(row["px"]),
        quantity=Decimal(row["sz"]),
        commission=Decimal(row["fee"]),
        commission_asset=row["feeToken"],
        time=int(row["time"]),
    )


def _rules(row: Mapping[str, Any]) -> MarketRules:
    decimals = int(row["szDecimals"])
    step = Decimal(1).scaleb(-decimals)
    return MarketRules(
        market=row["name"],
        base=row["name"],
        quote=USDC,
        step=step,
        tick=Decimal(1).scaleb(decimals - DECIMALS),
        smallest=step,
        largest=None,
        least=LEAST,
        commission=USDC_UNIT,
        figures=FIGURES,
    )
