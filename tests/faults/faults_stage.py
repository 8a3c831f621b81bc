"""The devnet in a thread of its own; what is true is read at the venues, never from the fund."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent_fund.devnet.connection_file import FILE
from agent_fund.devnet.near.devnet import FUND, VERIFIER
from agent_fund.devnet.network import Network
from agent_fund.devnet.plan import CHAIN_A, CHAIN_B, COW, EXCHANGE, NEAR, SPOT, Plan, Step
from agent_fund.devnet.tokens import balance
from agent_fund.domain.instrument import Asset, Chain, Instrument, Venue
from agent_fund.execution.across.contracts import DEPOSITED
from agent_fund.paper.connections import Connections, load_connections

USD = Asset("USD", 8)
PRICE = Decimal("1200.00")
MANDATE = bytes(31) + b"\1"
SYMBOLS = {EXCHANGE: "ETH", CHAIN_A: "ETH-A", CHAIN_B: "ETH-B", COW: "ETH-C", NEAR: "ETH-N"}
_CHAINS = {
    CHAIN_A: "eip155:31337",
    CHAIN_B: "eip155:31338",
    COW: "eip155:31338",
    NEAR: "near:devnet",
}
LINES = {
    symbol: Instrument(
        symbol,
        Asset(symbol, 4),
        USD,
        Venue(venue, Chain(_CHAINS[venue]) if venue in _CHAINS else None),
        price_scale=2,
        lot=1 if venue == EXCHANGE else 10,  # what the exchange steps by
        underlying="ETH",
    )
    for venue, symbol in SYMBOLS.items()
}
AT = {line.venue.name: line for line in LINES.values()}


class Stage:
    """The devnet, its price standing still; its relayer and its solver work only when told to."""

    def __init__(self, folder: Path) -> None:
        cash = dict.fromkeys(SPOT, Decimal(100_000))
        plan = Plan("USD", SYMBOLS, cash, (Step(PRICE, PRICE),), MANDATE)
        self.folder = folder
        self.network = Network(plan, folder)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self.run(self._up())
        except BaseException:
            self._halt()
            raise

    async def _up(self) -> None:
        await self.network.__aenter__()
        assert self.network.relayer is not None
        await self.network.relayer.stop()
        solving = self.network.cow and self.network.cow._task
        if solving is not None:
            solving.cancel()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result()

    def down(self) -> None:
        try:
            self.run(self.network.__aexit__(None, None, None))
        finally:
            self._halt()

    def _halt(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> Connections:
        return load_connections(self.folder / FILE)

    def mine(self, blocks: int = 3) -> None:
        """So many blocks on both chains."""

        async def work() -> None:
            for side in self.network.sides.values():
                for _ in range(blocks):
                    await side.chain.rpc("evm_mine")

        self.run(work())

    def relay(self) -> None:
        """The relayer looks at every deposit once."""
        assert self.network.relayer is not None
        self.run(self.network.relayer.turn())

    def solve(self) -> None:
        """The solver looks at every open order once."""
        assert self.network.cow is not None
        self.run(self.network.cow.solve())

    # -- what is true -------------------------------------------------------------------------

    def truth(self, venue: str) -> tuple[int, int]:
        """(currency, coin) that the fund has at ``venue``, in the fund's base units, exactly."""
        coin = AT[venue].base
        if venue == EXCHANGE:
            account = self.network.exchange.spot_account
            return USD.units(account.total("USDT")), coin.units(account.total("ETH"))
        if venue == NEAR:
            units = [self._near(token) for token in ("usdc.near", "eth.near")]
        else:
            units = self.run(self._tokens(venue))
        return _exactly(units[0], 6, USD), _exactly(units[1], 18, coin)

    def _near(self, token: str) -> int:
        chain = self.network.near.chain
        asked = json.dumps({"account_id": FUND, "token_id": f"nep141:{token}"}).encode()
        return int(json.loads(chain.view(VERIFIER, "mt_balance_of", asked, chain.head)))

    async def _tokens(self, venue: str) -> list[int]:
        side = self.network.sides_of[venue]
        holder = self.network.holders[venue]
        tokens = (side.dollar.address, side.weth)
        return [await balance(side.deployer, token, holder) for token in tokens]

    def head(self, venue: str) -> int:
        """The latest block of ``venue``."""
        return int(self.run(self.network.sides[venue].chain.head()))

    def deposits(self, venue: str, since: int) -> int:
        """How many deposits the SpokePool of ``venue`` has taken after block ``since``."""
        side = self.network.sides[venue]
        pool, head = side.across.spoke_pool, self.head(venue)
        return len(self.run(DEPOSITED.find(side.chain, pool, since + 1, head)))


def _exactly(units: int, decimals: int, asset: Asset) -> int:
    made = Decimal(units).scaleb(asset.scale - decimals)
    assert made == int(made), (units, asset)
    return int(made)
