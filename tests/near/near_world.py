"""The NEAR devnet of the tests: one instrument, a clock that only moves when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any, TypeVar

from agent_fund.devnet.near.devnet import FUND, DevnetToken, NearDevnet
from agent_fund.devnet.near.keys import DevnetKey
from agent_fund.domain.instrument import Asset, Chain, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.near.adapter import NearIntents
from agent_fund.execution.near.lane import Lane
from agent_fund.execution.near.listing import Listing, Token
from agent_fund.execution.near.relay import SolverRelay
from agent_fund.execution.near.rpc import NearRpc

T = TypeVar("T")
NEAR = Asset("NEAR", 24)
USDC = Asset("USDC", 28)
VENUE = Venue("near-intents", Chain("near:localnet"))
LOT = 10**18
NEAR_USDC = Instrument("NEAR-USDC", NEAR, USDC, VENUE, price_scale=4, lot=LOT)
WRAP, USD = "nep141:wrap.near", "nep141:usdc.near"
LISTING = Listing("2026-11-09", {"NEAR": Token(WRAP, 24), "USDC": Token(USD, 6)})
TOKENS = (
    DevnetToken("wrap.near", 24, fund=100 * 10**24, maker=10_000 * 10**24),
    DevnetToken("usdc.near", 6, fund=1_000 * 10**6, maker=100_000 * 10**6),
)
RATES = {("wrap.near", "usdc.near"): Fraction(4 * 10**6, 10**24)}  # 4 USDC for one NEAR
START = 1_790_000_000
DEADLINE = START + 120


class Clock:
    """Nanoseconds since 1970."""

    def __init__(self) -> None:
        self.now = START * 10**9

    def __call__(self) -> int:
        return self.now


class World:
    """The devnet with the fund's clients of it."""

    def __init__(self, near: NearDevnet, clock: Clock, *, cancels: bool, standard: str) -> None:
        self.near, self.clock = near, clock
        self.key = DevnetKey(FUND)
        self.rpc = NearRpc(near.node.url, timeout=30)
        self.relay = SolverRelay(near.relay.url + "/rpc", timeout=30)
        self.lane = Lane(self.rpc, self.key, FUND, poll=0.001)
        self.venue = NearIntents(
            VENUE.name,
            FUND,
            self.key,
            self.rpc,
            self.relay,
            LISTING,
            {NEAR_USDC: 10**24},
            lane=self.lane if cancels else None,
            standard=standard,
        )

    def balance(self, account: str, token: str) -> int:
        state = self.near.chain.accounts["intents.near"].state
        return int(state.get(("balance", account, token), 0))

    def total(self, token: str) -> int:
        state = self.near.chain.accounts["intents.near"].state
        return sum(units for key, units in state.items() if key[0] == "balance" and key[2] == token)

    def after_deadline(self) -> None:
        self.clock.now = (DEADLINE + 1) * 10**9
        self.near.chain.advance(1 + self.near.chain.lag)


@contextlib.asynccontextmanager
async def world(
    *, cancels: bool = False, standard: str = "raw_ed25519", lag: int = 0, fee_pips: int = 100
) -> AsyncIterator[World]:
    clock = Clock()
    async with NearDevnet(TOKENS, RATES, clock=clock, lag=lag, fee_pips=fee_pips) as near:
        if lag:
            near.chain.advance(lag)
        made = World(near, clock, cancels=cancels, standard=standard)
        try:
            yield made
        finally:
            await made.venue.close()


def in_world(check: Callable[[World], Awaitable[T]], **options: Any) -> T:
    async def run() -> T:
        async with world(**options) as made:
            return await check(made)

    return asyncio.run(run())


def order(side: Side, quantity: int = 2 * 10**24, limit: str | None = None) -> Order:
    price = NEAR_USDC.price(limit or ("4.1" if side is Side.BUY else "3.9"))
    return Order("o1", NEAR_USDC, side, quantity, price, Purpose.AGENT, 10)


async def prepared_sale(w: World) -> Prepared:
    return await w.venue.prepare(order(Side.SELL), DEADLINE)


def untouched(w: World) -> bool:
    return (w.balance("fund.near", WRAP), w.balance("fund.near", USD)) == (100 * 10**24, 10**9)
