"""Milliseconds from an order to its acknowledgement at a loopback exchange; eight quotes at once.

    python -m benchmarks.execution_exchange [--orders 400] [--rounds 100] [--json]

The exchanges run in a process of their own. Every figure of a table comes from one loop that takes
turns, so that a noisy machine slows all of them; ``cpu`` is this process's own computing, which
others on the machine change least:

    floor      a bare aiohttp POST of the same signed request to the same server
    adapter    prepare and submit: a resting limit order at Binance spot, acknowledged
    filled     the same for an order that fills at once, its trade booked exactly
    futures    a resting order at Binance futures
    signed     a resting order at Hyperliquid: signed, sent, and asked for by client id

ccxt's rate limiter is on, with room enough that it never has to wait. ``quotes`` asks eight
venues with an order book each for one quote, in parallel.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import partial
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlencode

import aiohttp
from eth_account import Account

from agent_fund.devnet.exchange.market_maker import MarketMaker
from agent_fund.devnet.exchange.server import KEY, SECRET, LoopbackExchange
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.exchange.adapter import ExchangeAdapter
from agent_fund.execution.exchange.connect import (
    Setting,
    binance_futures,
    binance_spot,
    hyperliquid,
)
from agent_fund.execution.exchange.fees import Fees

VENUES = 8
ROOM = 5  # ten times ccxt's weights a minute, so that the limiter counts and never waits
SPACING = 0.05
FAR = 4_000_000_000
OWNER = Account.from_key("0x" + "11" * 32)
USD, BTC = Asset("USD", 18), Asset("BTC", 8)
MARGIN = Margin(Fraction(1, 20), (Tier(0, Fraction(1, 50)),), Fraction(1, 100))


class Keys:
    """Credentials of the loopback exchange."""

    key = KEY

    def reveal(self) -> str:
        """The secret."""
        return SECRET


class Signer:
    """An EvmSigner."""

    address = OWNER.address

    async def sign_transaction(self, transaction: Mapping[str, Any]) -> Any:
        """Exchanges are sent none."""
        raise AssertionError

    async def sign_typed_data(self, full_message: Mapping[str, Any]) -> bytes:
        """65 bytes."""
        signed = Account.sign_typed_data(OWNER.key, full_message=dict(full_message))
        return bytes(signed.signature)


def serve(pipe: Connection, number: int) -> None:
    """Run exchanges until the pipe says something."""

    async def run() -> None:
        maker = MarketMaker(levels=50)
        exchanges = [LoopbackExchange(owner=OWNER.address, maker=maker) for _ in range(number)]
        urls = [await exchange.start() for exchange in exchanges]
        for exchange in exchanges:
            exchange.set_price("BTCUSDT", Decimal(60_000))
        pipe.send(urls)
        await asyncio.to_thread(pipe.recv)
        for exchange in exchanges:
            await exchange.stop()

    asyncio.run(run())


def spot(venue: str) -> Instrument:
    """BTC at ``venue``."""
    return Instrument("BTC", BTC, USD, Venue(venue), price_scale=2, lot=1000)


def perpetual(venue: str, lot: int, tick: int) -> Instrument:
    """A perpetual at ``venue``."""
    return Instrument(
        "BTCP",
        Asset("BTCP", 8),
        USD,
        Venue(venue),
        price_scale=1,
        lot=lot,
        tick=tick,
        kind=Kind.PERPETUAL,
        margin=MARGIN,
    )


async def bare(session: aiohttp.ClientSession, url: str, name: str) -> None:
    """The request that the adapter makes, with nothing around it."""
    parameters = {
        "newClientOrderId": name,
        "newOrderRespType": "FULL",
        "price": "50000",
        "quantity": "0.001",
        "side": "BUY",
        "symbol": "BTCUSDT",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "recvWindow": "5000",
        "timestamp": str(time.time_ns() // 1_000_000),
    }
    content = urlencode(parameters)
    mac = hmac.new(SECRET.encode(), content.encode(), hashlib.sha256).hexdigest()
    headers = {"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"}
    body = f"{content}&signature={mac}"
    async with session.post(f"{url}/api/v3/order", data=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(await answer.text())
        await answer.json()


def order(instrument: Instrument, name: str, limit: str) -> Order:
    """A small purchase."""
    price, quantity = instrument.price(limit), instrument.quantity("0.001")
    return Order(name, instrument, Side.BUY, quantity, price, Purpose.AGENT, expires=1)


async def place(adapter: ExchangeAdapter, made: Order, state: str) -> None:
    """From the order to what the exchange says of it."""
    report = await adapter.submit(await adapter.prepare(made, FAR))
    if report.state.value != state:
        raise RuntimeError(str(report))


async def measured(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds on the clock, and of this process's own computing."""
    start, computed = time.perf_counter(), time.process_time()
    await work()
    return (time.perf_counter() - start) * 1000, (time.process_time() - computed) * 1000


async def run(urls: list[str], orders: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """All figures, in milliseconds."""
    fees, quoted = Fees(Decimal("0.001"), "BNB", Decimal(1)), Fees(Decimal("0.0005"))
    settings = [Setting(url=url, rate_limit_ms=ROOM) for url in urls]
    cash = spot("binance")
    contract, hyper = perpetual("futures", 100_000, 1), perpetual("hyper", 1000, 10)
    trading = binance_spot("binance", Keys(), {cash: "BTCUSDT"}, fees, settings[0])
    futures = binance_futures("futures", Keys(), {contract: "BTCUSDT"}, quoted, settings[0])
    signed = hyperliquid("hyper", Signer(), OWNER.address, {hyper: "BTC"}, quoted, settings[0])
    listed = [spot(f"venue{number}") for number in range(VENUES)]
    quoting = [
        binance_spot(instrument.venue.name, Keys(), {instrument: "BTCUSDT"}, fees, setting)
        for instrument, setting in zip(listed, settings, strict=True)
    ]
    figures: dict[str, list[tuple[float, float]]] = {}
    try:
        async with aiohttp.ClientSession() as session:
            for adapter in (trading, futures, signed, *quoting):
                await adapter.start()
            for number in range(orders):
                turns: dict[str, Callable[[], Awaitable[object]]] = {
                    "floor": partial(bare, session, urls[0], f"floor{number}"),
                    "adapter": partial(
                        place, trading, order(cash, f"rest{number}", "50000"), "submitted"
                    ),
                    "filled": partial(
                        place, trading, order(cash, f"fill{number}", "61000"), "settled"
                    ),
                    "futures": partial(
                        place, futures, order(contract, f"rest{number}", "50000"), "submitted"
                    ),
                    "signed": partial(
                        place, signed, order(hyper, f"rest{number}", "50000"), "submitted"
                    ),
                }
                for name, work in turns.items():
                    figures.setdefault(name, []).append(await measured(work))
                    await asyncio.sleep(SPACING / len(turns))
            for _ in range(rounds):
                figures.setdefault("quotes", []).append(
                    await measured(
                        lambda: asyncio.gather(
                            *(
                                adapter.quote(instrument, Side.BUY, instrument.quantity("1.5"))
                                for adapter, instrument in zip(quoting, listed, strict=True)
                            )
                        )
                    )
                )
                await asyncio.sleep(SPACING)
    finally:
        for adapter in (trading, futures, signed, *quoting):
            await adapter.close()
    return figures


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, VENUES))
    server.start()
    try:
        figures = asyncio.run(run(here.recv(), given.orders, given.rounds))
    finally:
        here.send("stop")
        server.join(10)
    rows = {
        name: {
            "n": len(taken),
            "p50": round(statistics.median(wall for wall, _ in taken), 2),
            "p99": round(statistics.quantiles((wall for wall, _ in taken), n=100)[98], 2),
            "cpu": round(statistics.median(cpu for _, cpu in taken), 2),
        }
        for name, taken in figures.items()
    }
    if given.json:
        print(json.dumps(rows))
        return
    print(f"{'ms':10} {'n':>5} {'p50':>8} {'p99':>8} {'cpu':>8}")
    for name, row in rows.items():
        print(f"{name:10} {row['n']:>5} {row['p50']:>8} {row['p99']:>8} {row['cpu']:>8}")


if __name__ == "__main__":
    main()
