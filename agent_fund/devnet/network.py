"""The whole devnet: two chains, an exchange, NEAR, a relayer, a signer service, one moving price.

Everything listens on loopback and belongs to this process. What a run needs to reach it stands in
a file of connections; the keys are development keys, held by the signer service.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from agent_fund.audit.atomic import replace_file
from agent_fund.devnet.across import connect_across
from agent_fund.devnet.anvil import DEVELOPMENT_KEYS
from agent_fund.devnet.connection_file import (
    CHAIN_IDS,
    FILE,
    FIXED_FEE,
    NEAR_COIN,
    NEAR_DOLLAR,
    RELATIVE_FEE,
    Reached,
    connections_of,
)
from agent_fund.devnet.cow import deploy_cow
from agent_fund.devnet.cow_server import CowServer
from agent_fund.devnet.cow_solver import Solver
from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.evm_side import COIN_DECIMALS, DOLLAR_DECIMALS, EvmSide
from agent_fund.devnet.exchange.server import LoopbackExchange
from agent_fund.devnet.near.devnet import FUND, DevnetToken, NearDevnet
from agent_fund.devnet.plan import (
    CHAIN_A,
    CHAIN_B,
    COW,
    EXCHANGE,
    FUTURES,
    HYPERLIQUID,
    NEAR,
    Plan,
    Step,
)
from agent_fund.devnet.relayer import Relayer
from agent_fund.devnet.safe import Roles, deploy_safe
from agent_fund.devnet.signer_service import LoopbackSigner
from agent_fund.devnet.tokens import mint
from agent_fund.domain.instrument import Asset
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.evm.call import NOTHING
from agent_fund.execution.keys.evm import local_evm
from agent_fund.execution.keys.secret import Secret

_TRADER, _GUARD, _COW, _RELAYER, _SOLVER = 1, 2, 3, 4, 5
_SOLVING = 0.2  # seconds between two rounds of the solver


class Network:
    """An asynchronous context in which the devnet runs.

    Args:
        plan: what it is built for.
        folder: gets the file of connections.
        step: seconds that each price of the plan lasts.

    Attributes:
        sides: by name of the two chains. ``sides_of``: by venue on a chain.
        holders: by such a venue, who holds the fund's tokens there.
    """

    def __init__(self, plan: Plan, folder: Path, step: float = 1.0) -> None:
        self.plan = plan
        self.folder = folder
        self.played = 0
        self._step = step
        self._written = False
        self.sides: dict[str, EvmSide] = {}
        self.sides_of: dict[str, EvmSide] = {}
        self.holders: dict[str, str] = {}
        self._keys = [bytes.fromhex(key[2:]) for key in DEVELOPMENT_KEYS]
        seed = hashlib.sha256(FUND.encode()).digest()  # of DevnetKey(FUND)
        self.signer = LoopbackSigner(self._keys[_TRADER : _COW + 1], (seed,))
        funds = {"USDT": plan.money(EXCHANGE), "ETH": Decimal(0), "BNB": Decimal(100)}
        trader = local_evm(Secret(self._keys[_TRADER]), "development").address
        self.exchange = LoopbackExchange(funds, plan.money(FUTURES), owner=trader)
        self.exchange.usdc_account.wallet = plan.money(HYPERLIQUID)
        near = int(plan.money(NEAR) * 10**DOLLAR_DECIMALS)
        self.near = NearDevnet(
            (
                DevnetToken(NEAR_COIN, COIN_DECIMALS, 0, 10**6 * 10**COIN_DECIMALS),
                DevnetToken(NEAR_DOLLAR, DOLLAR_DECIMALS, near, 10**9 * 10**DOLLAR_DECIMALS),
            ),
            self._rates(plan.steps[0].price),
        )
        self.relayer: Relayer | None = None
        self.cow: CowServer | None = None
        self._playing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Network:
        try:
            await self._up()
        except BaseException:
            await self._down()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._down()

    def addresses(self) -> list[tuple[str, str]]:
        """Name and address of everything that listens."""
        chains = [
            (
                name,
                f"{side.anvil.url}  EIP-155 chain {CHAIN_IDS[name]}, Uniswap V2 and V3, "
                f"Across{', a Safe' if name == CHAIN_A else ''}",
            )
            for name, side in self.sides.items()
        ]
        return [
            (EXCHANGE, f"{self.exchange.url}  Binance's REST interface, spot"),
            (FUTURES, f"{self.exchange.url}  the same, USD-M futures"),
            (HYPERLIQUID, f"{self.exchange.url}  Hyperliquid's interface"),
            *chains,
            (COW, f"{'' if self.cow is None else self.cow.url}  the order book API, on chain-b"),
            (NEAR, f"{self.near.node.url}  JSON-RPC, intents, solver relay {self.near.relay.url}"),
            ("signer", f"{self.signer.url}  Web3Signer's interface, development keys"),
        ]

    async def set_price(self, price: Decimal, perpetual: Decimal | None = None) -> None:
        """Move every venue to ``price`` of the coin, and its perpetuals to theirs."""
        self.exchange.set_price("ETHUSDT", price, perpetual)
        for pair, rate in self._rates(price).items():
            self.near.relay.rates[f"nep141:{pair[0]}", f"nep141:{pair[1]}"] = rate
        await asyncio.gather(*(side.move(price) for side in self.sides.values()))

    def play(self) -> None:
        """Begin to play the plan's prices; the last one stays."""
        self._playing = asyncio.create_task(self._play())

    async def wait(self) -> None:
        """Wait for the player to end, which it does only by failing."""
        if self._playing is not None:
            await self._playing

    async def _play(self) -> None:
        while True:
            if self.played < len(self.plan.steps):
                step = self.plan.steps[self.played]
            else:  # the last price stays, and pays nothing
                step = Step(self.plan.steps[-1].price, self.plan.steps[-1].perpetual)
            await self.set_price(step.price, step.perpetual)
            if step.rate:
                self.exchange.fund("ETHUSDT", step.rate)
            self.played += 1
            await asyncio.sleep(self._step)

    def _require_alone(self) -> None:
        """Refuse to take the place of a devnet that still runs.

        Raises:
            DevnetError: if one answers at the addresses of the file of connections.
        """
        file = self.folder / FILE
        if not file.is_file():
            return
        known = json.loads(file.read_text("utf-8"))
        for chain in known["chains"].values():
            host, port = chain["url"].removeprefix("http://").split(":")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((host, int(port))) == 0:
                    raise DevnetError(str(file), "a devnet is up", "take it down first, or use it")

    async def _up(self) -> None:
        self._require_alone()
        price = self.plan.steps[0].price
        await self.near.__aenter__()
        await self.signer.start()
        await self.exchange.start()
        made = await asyncio.gather(
            *(EvmSide.up(name, number, price) for name, number in CHAIN_IDS.items()),
            return_exceptions=True,
        )
        for name, side in zip(CHAIN_IDS, made, strict=True):
            if isinstance(side, EvmSide):
                self.sides[name] = side
        if failed := [side for side in made if isinstance(side, BaseException)]:
            raise failed[0]
        await connect_across([side.across for side in self.sides.values()])
        addresses = [local_evm(Secret(key), "development").address for key in self._keys]
        side_a, side_b = self.sides[CHAIN_A], self.sides[CHAIN_B]
        roles = Roles(addresses[_GUARD], addresses[_TRADER], NOTHING, self.plan.mandate_hash)
        safe = await deploy_safe(side_a.deployer, roles)
        self.sides_of = {CHAIN_A: side_a, CHAIN_B: side_b, COW: side_b}
        self.holders = {
            CHAIN_A: safe.address,
            CHAIN_B: addresses[_TRADER],
            COW: addresses[_COW],
        }
        for name, holder in self.holders.items():
            side, cash = self.sides_of[name], int(self.plan.money(name) * 10**DOLLAR_DECIMALS)
            await mint(side.deployer, side.dollar.address, holder, cash)
        for side in self.sides.values():
            stock = 10**7 * 10**DOLLAR_DECIMALS
            await mint(side.deployer, side.dollar.address, addresses[_RELAYER], stock)
        fee = RelayerFee.stated(RELATIVE_FEE, FIXED_FEE, 8)
        currency = Asset(self.plan.currency, 8)
        across = [side_a.across, side_b.across]
        self.relayer = Relayer(across, addresses[_RELAYER], fee, currency)
        await self.relayer.start()
        settlement = await deploy_cow(side_b.deployer, addresses[_SOLVER])
        self.cow = CowServer(settlement, Solver(settlement, side_b.v2.router))
        await self.cow.start(_SOLVING)
        await self.set_price(price, self.plan.steps[0].perpetual)
        at = Reached(
            exchange=self.exchange.url,
            signer=self.signer.url,
            cow=self.cow.url,
            near=self.near.node.url,
            relay=self.near.relay.url,
            trader=addresses[_TRADER],
            guard=addresses[_GUARD],
            auction=addresses[_COW],
            sides=self.sides,
            sides_of=self.sides_of,
            safe=safe,
            settlement=settlement.settlement,
        )
        content = connections_of(self.plan, at)
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / FILE, json.dumps(content, indent=1).encode())
        self._written = True

    async def _down(self) -> None:
        if self._written:
            (self.folder / FILE).unlink(missing_ok=True)
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        if self.relayer is not None:
            await self.relayer.stop()
        if self.cow is not None:
            await self.cow.stop()
        for side in self.sides.values():
            await side.down()
        await self.exchange.stop()
        await self.signer.stop()
        await self.near.__aexit__(None, None, None)

    def _rates(self, price: Decimal) -> dict[tuple[str, str], Fraction]:
        """Dollars in units of the token for one unit of the coin, and the other way round."""
        rate = Fraction(price) * 10**DOLLAR_DECIMALS / 10**COIN_DECIMALS
        return {(NEAR_COIN, NEAR_DOLLAR): rate, (NEAR_DOLLAR, NEAR_COIN): 1 / rate}
