"""Hyperliquid's perpetuals: signed actions by client id (cloid), fills in USDC, scheduled cancel.

Only ccxt's raw endpoints are used. Its unified ``create_order`` first signs an approval of a fee
for ccxt's builder address, sets a referrer, and then attaches the builder to every order; nothing
of that is ever signed here.

What is signed expires at a time of the exchange's clock. It is counted from the time that the
exchange tells at the start, with every look at balances, and before anything is signed if that was
long ago. So an order that was told to be over cannot be placed any more, however this machine's
clock is set.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.binance import plain
from agent_fund.execution.exchange.connection import Connection
from agent_fund.execution.exchange.hyperliquid_action import ActionSigner
from agent_fund.execution.exchange.hyperliquid_rows import (
    USDC,
    brackets_of,
    reference_of,
    rules_of,
    state_of,
    trade_of,
)
from agent_fund.execution.exchange.margin_api import FundingRate, Income, MarketMark
from agent_fund.execution.exchange.margin_terms import MarginTerms
from agent_fund.execution.exchange.market_rules import MarketRules
from agent_fund.execution.exchange.pages import Pages
from agent_fund.execution.exchange.venue_api import (
    Level,
    NewOrder,
    VenueOrder,
    VenueTrade,
)
from agent_fund.execution.exchange.venue_clock import VenueClock

PAGE = 2000
FUNDING_PAGE = 500
GOOD = {"GTC": "Gtc", "IOC": "Ioc"}
MARGIN_SECONDS = 1.0


class Hyperliquid:
    """One account.

    Args:
        user: address of the account, which the signer may sign for.
        now: Unix milliseconds.
        void_after_ms: how long a signed order is good for, at most.
        monotonic: seconds.
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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connection = connection
        self._actions = actions
        self._user = user
        self._now = now
        self._void_after = void_after_ms
        self._clock = VenueClock(monotonic)
        self._assets: dict[str, int] = {}

    @property
    def lifetime(self) -> float:
        """Seconds after which what was signed before a sending is void."""
        return self._void_after / 1000 + MARGIN_SECONDS

    def reference(self, leg_id: str) -> str:
        """The cloid: 16 bytes of SHA-256 of the leg's id, in hexadecimal."""
        return "0x" + hashlib.sha256(leg_id.encode()).digest()[:16].hex()

    async def start(self, fee_rate: Decimal, coin: str) -> Mapping[str, MarketRules]:
        """Check the commission rates, which are always in USDC, and measure the clock.

        Raises:
            ExecutionError: if a prepaid coin is configured, or the account pays more.
        """
        if coin:
            raise ExecutionError("prepaid coin", coin, "Hyperliquid charges USDC: leave it out")
        await self.adjust_clock()
        rates = await self._info(type="userFees", user=self._user)
        charged = max(Decimal(rates[name]) for name in ("userCrossRate", "userAddRate"))
        if charged > fee_rate:
            fix = f"the account pays up to {charged}: configure that rate"
            raise ExecutionError("fee rate", str(fee_rate), fix)
        return await self.markets()

    async def markets(self) -> Mapping[str, MarketRules]:
        """Of every perpetual, delisted ones too: they keep their numbers."""
        listed, _ = await self._info(type="metaAndAssetCtxs")
        universe = listed["universe"]
        self._assets = {row["name"]: number for number, row in enumerate(universe)}
        return {row["name"]: rules_of(row) for row in universe}

    async def encode(self, order: NewOrder, good: str) -> tuple[bytes, int]:
        """The signed request as canonical JSON; it is void from then on."""
        there = await self._there()
        now, good_for = self._now(), self._void_after
        if order.deadline:
            good_for = min(good_for, order.deadline * 1000 - now)
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
        request = await self._actions.request(action, there + good_for)
        payload = json.dumps(request, sort_keys=True, separators=(",", ":")).encode()
        return payload, -(-(now + good_for) // 1000)

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
            state=state_of(status),
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
        state = await self._state()
        found = {USDC: Decimal(state["marginSummary"]["totalRawUsd"])}
        for row in state["assetPositions"]:
            found[row["position"]["coin"]] = Decimal(row["position"]["szi"])
        return found

    async def open_references(self, markets: Sequence[str]) -> Sequence[str]:
        """Of the whole account; an order without a cloid goes by its number."""
        rows = await self._info(type="frontendOpenOrders", user=self._user)
        return [reference_of(row) for row in rows]

    async def trades_since(self, market: str, since: int) -> Sequence[tuple[str, VenueTrade]]:
        """Page by time; what two pages share is dropped by its content."""
        found: dict[str, tuple[str, VenueTrade]] = {}
        start = since
        while True:
            rows = await self._info(type="userFillsByTime", user=self._user, startTime=start)
            before = len(found)
            for row in rows:
                trade = trade_of(row, self._user)
                found[trade.exec_id] = (reference_of(row), trade)
            if len(rows) < PAGE:
                return [pair for pair in found.values() if pair[1].market == market]
            if len(found) == before:
                raise Unclear(f"more than {PAGE} fills in one millisecond are not shown")
            start = max(int(row["time"]) for row in rows)

    async def arm_dead_man(self, markets: Sequence[str], seconds: int) -> None:
        """One timer for the whole account, five seconds or more."""
        action: dict[str, Any] = {"type": "scheduleCancel"}
        if seconds:
            action["time"] = await self._there() + seconds * 1000
        await self._act(action)

    async def terms(self, markets: Sequence[str]) -> Mapping[str, MarginTerms]:
        """As the account has set each market, with its tiers of maintenance."""
        listed, _ = await self._info(type="metaAndAssetCtxs")
        rows = {row["name"]: row for row in listed["universe"]}
        found = {}
        for market in markets:
            told = await self._info(type="activeAssetData", user=self._user, coin=market)
            found[market] = MarginTerms(
                isolated=told["leverage"]["type"] != "cross",
                initial=Fraction(1, int(told["leverage"]["value"])),
                brackets=brackets_of(rows[market], listed.get("marginTables", ())),
            )
        return found

    async def marks(self, markets: Sequence[str]) -> Mapping[str, MarketMark]:
        """Mark and oracle price."""
        listed, contexts = await self._info(type="metaAndAssetCtxs")
        told = {
            row["name"]: MarketMark(Decimal(context["markPx"]), Decimal(context["oraclePx"]))
            for row, context in zip(listed["universe"], contexts, strict=True)
            if row["name"] in markets
        }
        return {name: made for name, made in told.items() if made.mark > 0 and made.index > 0}

    async def rates(self, market: str, start: int, end: int) -> Sequence[FundingRate]:
        """Page by time; a market has one rate at a time."""
        found: Pages[FundingRate] = Pages(FUNDING_PAGE, f"funding rates of {market}")
        while start <= end:
            rows = await self._info(
                type="fundingHistory", coin=market, startTime=start, endTime=end
            )
            page = [FundingRate(Decimal(r["fundingRate"]), int(r["time"])) for r in rows]
            if not found.more(page):
                break
            start = max(rate.time for rate in page) + 1
        return found.rows

    async def income(self, since: int) -> Sequence[Income]:
        """Funding, page by page; a payment is known by its time and market, of which there is one.

        Pages overlap.
        """
        found: Pages[Income] = Pages(FUNDING_PAGE, "funding payments")
        start = since
        while True:
            rows = await self._info(type="userFunding", user=self._user, startTime=start)
            page = [
                Income(
                    payment_id=f"{row['delta']['coin']}-{row['time']}",
                    market=row["delta"]["coin"],
                    amount=Decimal(row["delta"]["usdc"]),
                    asset=USDC,
                    time=int(row["time"]),
                )
                for row in rows
            ]
            if not found.more(page):
                return found.rows
            last = max(payment.time for payment in page)
            if last == start:
                raise Unclear(f"more than {FUNDING_PAGE} payments of one time are not shown")
            start = last

    async def adjust_clock(self) -> None:
        """Take over the exchange's time; nonces may be two days old, and are this machine's."""
        await self._state()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.connection.close()

    async def _state(self) -> Any:
        """Of the account; every such answer tells the time."""
        state = await self._info(type="clearinghouseState", user=self._user)
        self._clock.hear(state)
        return state

    async def _there(self) -> int:
        """The exchange's time, Unix milliseconds."""
        if self._clock.stale:
            await self._state()
        return self._clock.now()

    async def _info(self, **request: Any) -> Any:
        return await self.connection.call("publicPostInfo", request)

    async def _act(self, action: Mapping[str, Any]) -> Any:
        expires = await self._there() + self._void_after
        request = await self._actions.request(action, expires)
        return await self.connection.call("privatePostExchange", request)
