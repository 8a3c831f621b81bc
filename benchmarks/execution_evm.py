"""Swaps and quotes on a private chain, beside bare transfers and bare calls of the same chain.

    python -m benchmarks.execution_evm [--swaps 200] [--quotes 300] [--json]

One anvil process on loopback, the published Uniswap V2 and V3 contracts. In the same run:

    transfers    plain transfers of coin, signed beforehand, sent at once, until mined: the floor
    swaps        orders through the adapter; each is three transactions: an exact allowance, the
                 swap, no allowance again. "signed" simulates and signs; "sent" sends all at once
                 and asks until every one is reported as filled; "whole" is both
    calls        one bare ``eth_call``, one after the other: the floor of a quote
    quotes       quotes through the adapter, one after the other
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial

from agent_fund.devnet.anvil import DEVELOPMENT_KEYS, Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.tokens import deploy_token, deploy_weth, mint, wrap
from agent_fund.devnet.uniswap import add_liquidity_v2, add_liquidity_v3, deploy_v2, deploy_v3
from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.amm import Amm
from agent_fund.execution.evm.call import Call
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.outcome import BatchState
from agent_fund.execution.evm.pools import SwapConfig
from agent_fund.execution.evm.swap import SwapAdapter
from agent_fund.execution.evm.token import Token
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.evm.uniswap_v3 import UniswapV3
from agent_fund.execution.keys.evm import local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

Row = dict[str, str | float]
COIN = 10**18
ETH_USD = Instrument("ETH-USD", Asset("ETH", 18), Asset("USD", 20), Venue("pool"), price_scale=2)
_CHAIN = 31337
_NOBODY = "0x00000000000000000000000000000000000000AA"


async def _venues(chain: Chain) -> tuple[str, dict[str, SwapAdapter]]:
    """WETH, and an adapter for V2 and one for V3, each with its own funded key."""
    deployer = await Deployer.of(chain)
    weth = await deploy_weth(deployer)
    usdc = await deploy_token(deployer, "USD Coin", "USDC", 6)
    await wrap(deployer, weth, 3_000 * COIN)
    await mint(deployer, usdc, deployer.address, 10**13)
    v2, v3 = await deploy_v2(deployer, weth), await deploy_v3(deployer, weth)
    amounts = (weth, 1_000 * COIN, usdc, 3_000_000 * 10**6)
    await add_liquidity_v2(deployer, v2, *amounts)
    await add_liquidity_v3(deployer, v3, *amounts)
    amms: dict[str, Amm] = {
        "V2": UniswapV2(v2.router),
        "V3": UniswapV3(v3.router, v3.quoter, 3_000),
    }
    tokens = {"ETH": Token(weth, 18), "USD": Token(usdc, 6)}
    venues = {}
    for number, (name, amm) in enumerate(amms.items(), start=1):
        lane = _lane(chain, number)
        await wrap(deployer, weth, 100 * COIN, lane.address)
        config = SwapConfig("pool", (ETH_USD,), tokens, coin="ETH-USD")
        account = DirectAccount(chain, lane.address)
        venues[name] = SwapAdapter(config, amm, account, chain, lane)
        await venues[name].start()
    return weth, venues


def _lane(chain: Chain, number: int) -> Lane:
    key = Secret(bytes.fromhex(DEVELOPMENT_KEYS[number][2:]))
    return Lane(chain, local_evm(key, "the development mnemonic"))


async def _transfers(chain: Chain, count: int) -> list[Row]:
    lane, deadline = _lane(chain, 3), await chain.now() + 3_600
    start = time.perf_counter()
    batches = [await lane.sign([Call(_NOBODY, b"", 1)], deadline) for _ in range(count)]
    signed = time.perf_counter()
    await asyncio.gather(*(lane.send(batch) for batch in batches))
    for batch in batches:
        while (await lane.outcome(batch)).state is not BatchState.MINED:
            await asyncio.sleep(0.001)
    sent = time.perf_counter()
    return _rates("transfers", count, start, signed, sent)


async def _swaps(name: str, venue: SwapAdapter, chain: Chain, count: int) -> list[Row]:
    deadline = await chain.now() + 3_600
    orders = [
        Order(f"{name}{n}", ETH_USD, Side.SELL, COIN // 100, 2_000_00, Purpose.AGENT, 1)
        for n in range(count)
    ]
    start = time.perf_counter()
    legs: list[Prepared] = [await venue.prepare(order, deadline) for order in orders]
    signed = time.perf_counter()
    await asyncio.gather(*(venue.submit(leg) for leg in legs))
    for leg in legs:
        while (await venue.status(leg)).state is not LegState.SETTLED:
            await asyncio.sleep(0.001)
    sent = time.perf_counter()
    return _rates(f"swaps {name}", count, start, signed, sent)


def _rates(name: str, count: int, start: float, signed: float, sent: float) -> list[Row]:
    spans = {"signed": signed - start, "sent": sent - signed, "whole": sent - start}
    return [
        {"what": f"{name}, {stage}", "per second": count / seconds}
        for stage, seconds in spans.items()
    ]


async def _latency(name: str, count: int, ask: Callable[[], Awaitable[object]]) -> list[Row]:
    each = []
    for _ in range(count):
        start = time.perf_counter()
        await ask()
        each.append((time.perf_counter() - start) * 1e3)
    each.sort()
    return [{"what": name, "ms p50": each[count // 2], "ms p99": each[count * 99 // 100]}]


async def _measured(url: str, swaps: int, quotes: int) -> list[Row]:
    chain = Chain("private", url, _CHAIN, 0)
    try:
        weth, venues = await _venues(chain)
        rows = await _transfers(chain, swaps)
        for name, venue in venues.items():
            rows += await _swaps(name, venue, chain, swaps)
        asked = call_data("decimals()")
        rows += await _latency("calls", quotes, lambda: chain.call(weth, asked))
        for name, venue in venues.items():
            ask = partial(venue.quote, ETH_USD, Side.BUY, COIN)
            rows += await _latency(f"quotes {name}", quotes, ask)
    finally:
        await chain.close()
    return rows


def measure(swaps: int = 200, quotes: int = 300) -> list[Row]:
    """Run everything once on a chain of its own; rows in the order of the module's docstring."""
    anvil = Anvil(_CHAIN)
    try:
        return asyncio.run(_measured(anvil.url, swaps, quotes))
    finally:
        anvil.stop()


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--quotes", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.swaps, arguments.quotes)
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        figures = [f"{row[key]:>10.2f} {key}" for key in row if key != "what"]
        print(f"{row['what']:24}", *figures)


if __name__ == "__main__":
    main()
