"""How fast the NEAR venue is on loopback: views, intents executed, and an order's whole way.

Run: ``python benchmarks/execution_near.py``.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction

from agent_fund.devnet.near.devnet import FUND, DevnetToken, NearDevnet
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.domain.instrument import Asset, Chain, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.adapter import NearIntents
from agent_fund.execution.near.lane import Lane
from agent_fund.execution.near.listing import Listing, Token
from agent_fund.execution.near.nonce import VersionedNonce
from agent_fund.execution.near.relay import SolverRelay
from agent_fund.execution.near.rpc import NearRpc
from agent_fund.execution.near.signed import sign_intents, transfer
from agent_fund.execution.near.transaction import FunctionCall
from agent_fund.execution.near.verifier import Verifier

ROUNDS = 50
NEAR, USDC = Asset("NEAR", 24), Asset("USDC", 28)
VENUE = Venue("near-intents", Chain("near:localnet"))
MARKET = Instrument("NEAR-USDC", NEAR, USDC, VENUE, price_scale=4, lot=10**18)
TOKENS = (
    DevnetToken("wrap.near", 24, fund=10**28, maker=10**30),
    DevnetToken("usdc.near", 6, fund=10**12, maker=10**15),
)
RATES = {("wrap.near", "usdc.near"): Fraction(4 * 10**6, 10**24)}
LISTING = Listing(
    "2026-11-09", {"NEAR": Token("nep141:wrap.near", 24), "USDC": Token("nep141:usdc.near", 6)}
)


async def measure(name: str, work: Callable[[int], Awaitable[object]]) -> None:
    """Print the median and the 95th percentile of ROUNDS runs, in milliseconds."""
    taken = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        await work(number)
        taken.append((time.perf_counter() - began) * 1e3)
    last = statistics.quantiles(taken, n=20)[-1]
    print(f"{name:<44} p50 {statistics.median(taken):7.2f} ms   p95 {last:7.2f} ms")


async def main() -> None:
    """Start the devnet and measure."""
    began = time.perf_counter()
    async with NearDevnet(TOKENS, RATES) as near:
        print(f"{'devnet up':<44} {(time.perf_counter() - began) * 1e3:11.2f} ms")
        rpc, key = NearRpc(near.node.url), DevnetKey(FUND)
        relay, lane = SolverRelay(near.relay.url + "/rpc"), Lane(rpc, key, FUND, poll=0.001)
        venue = NearIntents(VENUE.name, FUND, key, rpc, relay, LISTING, {MARKET: 10**24})
        verifier = Verifier(rpc, "intents.near")
        await venue.start()
        salt = await verifier.salt()

        async def execute(number: int) -> None:
            deadline = int(time.time()) + 60
            random = number.to_bytes(15, "big")
            signed = await sign_intents(
                key,
                [transfer("treasury.near", {"nep141:wrap.near": 1})],
                account_id=FUND,
                contract_id="intents.near",
                deadline=deadline,
                nonce=VersionedNonce(salt, deadline * 10**9, random).encode(),
            )
            args = {"signed": [dict(signed.body)]}
            await lane.run(FunctionCall("intents.near", "execute_intents", args))

        async def trade(number: int) -> None:
            price = MARKET.price("3.9")
            name = f"o{number}"
            order = Order(name, MARKET, Side.SELL, 10**24, price, Purpose.AGENT, 1)
            prepared = await venue.prepare(order, int(time.time()) + 60)
            await venue.submit(prepared)
            report = await venue.status(prepared)
            if report.state is not LegState.SETTLED:
                raise SystemExit(f"not settled: {report}")

        await measure("view", lambda number: verifier.salt())
        await measure("quote", lambda number: venue.quote(MARKET, Side.SELL, 10**24))
        await measure("execute_intents, signed to final", execute)
        await measure("order: quote, sign, rehearse, publish, settle", trade)
        await venue.close()


if __name__ == "__main__":
    asyncio.run(main())
