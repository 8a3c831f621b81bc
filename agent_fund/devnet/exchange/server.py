"""The loopback exchange: HTTP on 127.0.0.1 around the engines, with faults on demand.

A request is read, counted, verified and answered inside one step of the event loop, so that what
a client sees is always a state between two requests. Nothing runs in the background: timers are
looked at when somebody asks.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from agent_fund.devnet.exchange.decimals import EXACT, UNIT, text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.faults import BEFORE, Fault, Faults
from agent_fund.devnet.exchange.futures_rest import FuturesRest
from agent_fund.devnet.exchange.hyperliquid_rest import HyperliquidRest
from agent_fund.devnet.exchange.margin_account import MarginAccount
from agent_fund.devnet.exchange.margin_market import MAINTENANCE, MarginMarket
from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.rate_limit import RateLimit
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.route import Route
from agent_fund.devnet.exchange.signature import check_signature, check_window
from agent_fund.devnet.exchange.spot_account import SpotAccount
from agent_fund.devnet.exchange.spot_rest import SpotRest
from agent_fund.devnet.exchange.symbols import (
    BTC_USDC_PERPETUAL,
    BTCUSDT,
    BTCUSDT_PERPETUAL,
    ETH_USDC_PERPETUAL,
    ETHUSDT,
    ETHUSDT_PERPETUAL,
)
from agent_fund.devnet.exchange.wallet_rest import WalletRest

# For the loopback exchange only; they open nothing anywhere else.
KEY = "loopback-key"
SECRET = "loopback-secret"  # noqa: S105
FUNDS = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100), "BNB": Decimal(100)}
LIMIT = 1_000_000
USDC_UNIT = Decimal("0.000001")


class LoopbackExchange:
    """Spot, futures, and a Hyperliquid account, all at one address.

    Args:
        funds: the customer's spot balances. ``wallet``: of the futures account, in USDT.
        owner: address of the Hyperliquid account, whose wallet is ``wallet`` USDC.
        weight_limit: request weight a minute.
        maintenance: share of the worth of a margin account's positions, at the marks, below which
            its equity must not fall.
        clock: Unix milliseconds; ``skew`` is added to it.

    Attributes:
        spot, futures, hyperliquid: the engines; ``spot_account`` and so on: the truth.
        futures_market, hyperliquid_market: the perpetuals' marks, funding and liquidation.
        futures_rest, hyperliquid_rest: what the two tell of the account's settings.
        wallets: transfers between the spot and futures wallets.
        seen: (method, path, parameters) of every request that was acted on, in order.
        withheld: told the headers of a request that is left without an answer, when it is.
    """

    def __init__(
        self,
        funds: Mapping[str, Decimal] = FUNDS,
        wallet: Decimal = Decimal(100_000),
        owner: str = "",
        weight_limit: int = LIMIT,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        maker: MarketMaker | None = None,
        maintenance: Decimal = MAINTENANCE,
    ) -> None:
        self.url = ""
        self.skew = 0
        self.faults = Faults()
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.withheld: Callable[[Mapping[str, str]], None] = lambda headers: None
        self.spot_account = SpotAccount(funds)
        self.margin_account = MarginAccount("USDT", wallet)
        self.usdc_account = MarginAccount("USDC", wallet, unit=USDC_UNIT)
        self._clock = clock
        self.spot = Engine((BTCUSDT, ETHUSDT), self.spot_account, self.now)
        perpetuals = (BTCUSDT_PERPETUAL, ETHUSDT_PERPETUAL)
        self.futures = Engine(perpetuals, self.margin_account, self.now)
        coins = (BTC_USDC_PERPETUAL, ETH_USDC_PERPETUAL)
        self.hyperliquid = Engine(coins, self.usdc_account, self.now)
        self.futures_market = MarginMarket(
            self.futures, self.margin_account, owner, at_index=False, maintenance=maintenance
        )
        self.hyperliquid_market = MarginMarket(
            self.hyperliquid, self.usdc_account, owner, at_index=True, maintenance=maintenance
        )
        self._maker = maker or MarketMaker()
        self._limit = RateLimit(weight_limit, self.now)
        spot = SpotRest(self.spot, self.spot_account, self.now)
        self.futures_rest = FuturesRest(self.futures_market, self.now)
        self.wallets = WalletRest(self.spot, self.spot_account, self.futures_market, self.now)
        self._routes = {**spot.routes, **self.futures_rest.routes, **self.wallets.routes}
        self.hyperliquid_rest = HyperliquidRest(self.hyperliquid_market, owner, self.now)
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def now(self) -> int:
        """The exchange's clock, Unix milliseconds."""
        return self._clock() + self.skew

    async def start(self, port: int = 0) -> str:
        """Listen; the address."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        """Let everything that hangs end, and close."""
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def release(self) -> None:
        """Act on the requests that are held; let those without an answer end."""
        self._released.set()
        self._released = asyncio.Event()

    def set_price(self, symbol: str, price: Decimal, perpetual: Decimal | None = None) -> None:
        """Move every market of ``symbol`` (``BTCUSDT``), and quote there anew.

        A margin account whose equity is too small at the new marks is liquidated.

        Args:
            price: of the spot market, and so the index of the perpetuals.
            perpetual: the perpetuals' price and mark; None if it is the same.
        """
        with localcontext(EXACT):
            if symbol in self.spot.symbols:
                self.spot.expire()
                self._maker.quote(self.spot, self.spot.symbols[symbol], price)
            mark = price if perpetual is None else perpetual
            for market, name in self._perpetuals(symbol):
                market.move(name, mark, price, self._maker)

    def fund(self, symbol: str, rate: Decimal) -> None:
        """Pay funding at ``rate`` on every perpetual of ``symbol`` (``BTCUSDT``), as of now.

        The rate stands in the public histories even if nothing is held. A market has one funding at
        a time: the clock must have moved since the last one.
        """
        with localcontext(EXACT):
            for market, name in self._perpetuals(symbol):
                market.fund(name, rate, self.now())

    def _perpetuals(self, symbol: str) -> list[tuple[MarginMarket, str]]:
        """The margined markets of ``symbol``, with its name there."""
        named = (
            (self.futures_market, symbol),
            (self.hyperliquid_market, symbol.removesuffix("USDT")),
        )
        return [(market, name) for market, name in named if name in market.engine.symbols]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        struck = self.faults.take(request.method, request.path)
        for fault in struck:
            if fault in BEFORE:
                answer = await self._fail(fault, request)
                if answer is not None:
                    return answer
        status, content, headers = self._answer(request, body)
        for fault in struck:
            content = _distorted(fault, content)
        if Fault.SILENT in struck:
            await self._withhold(request)
        if Fault.UNAVAILABLE_AFTER in struck:
            status, content = 503, _UNAVAILABLE
        if Fault.CUT in struck:
            return await _cut(request, json.dumps(content))
        return web.json_response(content, status=status, headers=headers)

    async def _fail(self, fault: Fault, request: web.Request) -> web.StreamResponse | None:
        """The answer instead of acting; None to act on it after all."""
        if fault is Fault.LATE:
            await self._withhold(request)
            return None
        if fault is Fault.LOST:
            await self._withhold(request)
        if fault in (Fault.LOST, Fault.DROPPED):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=504)
        if fault is Fault.UNAVAILABLE:
            return web.json_response(_UNAVAILABLE, status=503)
        if fault is Fault.HTML:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
        body = {"code": -1003, "msg": "Too many requests."}
        status = 418 if fault is Fault.BANNED else 429
        headers = {"Retry-After": self.faults.retry_after}
        return web.json_response(body, status=status, headers=headers)

    async def _withhold(self, request: web.Request) -> None:
        self.withheld(request.headers)
        await self._released.wait()

    def _answer(self, request: web.Request, body: str) -> tuple[int, Any, dict[str, str]]:
        try:
            with localcontext(EXACT):
                if request.path in ("/info", "/exchange"):
                    self.seen.append((request.method, request.path, {"body": body}))
                    self._limit.count(1)
                    return 200, self.hyperliquid_rest.answer(request.path, body), self._weights()
                return 200, self._binance(request, body), self._weights()
        except Refusal as refusal:
            content = {"code": refusal.code, "msg": refusal.message}
            return refusal.status, content, {**self._weights(), **refusal.headers}

    def _binance(self, request: web.Request, body: str) -> Any:
        route: Route | None = self._routes.get((request.method, request.path))
        if route is None:
            raise Refusal(-1000, f"no such endpoint: {request.method} {request.path}", 404)
        parameters = dict(parse_qsl(request.query_string)) | dict(parse_qsl(body))
        self._limit.count(route.weight)
        if route.signed:
            key = request.headers.get("X-MBX-APIKEY")
            check_signature(request.query_string + body, key, parameters, KEY, SECRET)
            check_window(parameters, self.now())
        parameters.pop("signature", None)
        self.seen.append((request.method, request.path, parameters))
        return route.answer(parameters)

    def _weights(self) -> dict[str, str]:
        used = str(self._limit.used)
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}


_UNAVAILABLE = {"code": -1001, "msg": "Internal error; unable to process your request."}


async def _cut(request: web.Request, content: str) -> web.StreamResponse:
    """Promise a whole answer, send half of it, end the connection."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    answer.content_length = len(content)
    await answer.prepare(request)
    await answer.write(content[: len(content) // 2].encode())
    if request.transport is not None:
        request.transport.close()
    return answer


def _distorted(fault: Fault, content: Any) -> Any:
    """The answer as ``fault`` makes it; unchanged if the fault is another kind."""
    if isinstance(content, dict) and "rows" in content:
        earliest_first = content["rows"][::-1]
        return {**content, "rows": _distorted(fault, earliest_first)[::-1]}
    if isinstance(content, list):
        if fault is Fault.DUPLICATE_TRADES:
            return [row for row in content for _ in range(2)]
        if fault is Fault.SHUFFLED_TRADES:
            return content[::-1]
        if fault is Fault.MISSING_TRADE:
            return content[:-1]
    if fault is Fault.LYING_BALANCE and isinstance(content, dict):
        rows = content.get("balances") or content.get("assets") or []
        for row in rows:
            for name in ("free", "walletBalance"):
                if name in row:
                    row[name] = text(Decimal(row[name]) + UNIT)
    return content
