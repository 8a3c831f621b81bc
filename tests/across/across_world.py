"""Two anvil chains with the real Across contracts, a relayer with its hub, and a carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from eth_utils.address import to_checksum_address

from agent_fund.devnet.across import AcrossSide, connect_across, deploy_across
from agent_fund.devnet.anvil import DEVELOPMENT_KEYS, Anvil
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.relayer import Relayer
from agent_fund.devnet.tokens import deploy_token, deploy_weth, mint
from agent_fund.domain.instrument import Asset
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.across.contracts import DEPOSITED
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.place import Place
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.account import DirectAccount
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.event import Found
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.evm.receipt import Receipt
from agent_fund.execution.evm.token import Token
from agent_fund.execution.keys.evm import EvmKey, local_evm
from agent_fund.execution.keys.secret import Secret
from agent_fund.execution.live.adapter import Prepared, Report
from agent_fund.execution.live.leg_state import LegState

USD = Asset("USD", 8)
FEE = RelayerFee(Fraction(1, 1000), 250_000)  # 0.1 % and 0.0025 USD
FUND = 1_000 * 10**8
"""What the fund has at each place at first, in base units."""
FINALITY = {"east": 4, "west": 3}
DECIMALS = {"east": 6, "west": 18}
LIFE, REFUND = 600, 3_600


@dataclass(frozen=True)
class Deployment:
    """One chain: its process, and the addresses on it."""

    name: str
    anvil: Anvil
    pool: str
    depositor: str
    token: Token
    relayer: str

    async def reach(self) -> tuple[Chain, AcrossSide]:
        """A new connection."""
        chain = Chain(self.name, self.anvil.url, self.anvil.chain_id, FINALITY[self.name])
        deployer = await Deployer.of(chain)
        return chain, AcrossSide(deployer, self.pool, self.depositor, self.token)


def signer() -> EvmKey:
    """The fund's key."""
    return local_evm(Secret(bytes.fromhex(DEVELOPMENT_KEYS[1][2:])), "the development mnemonic")


@contextmanager
def deployments() -> Iterator[list[Deployment]]:
    """Both chains with everything on them; stopped at the end."""
    anvils = [Anvil(31337), Anvil(8453)]
    try:
        yield asyncio.run(_deploy(anvils))
    finally:
        for anvil in anvils:
            anvil.stop()


async def _deploy(anvils: list[Anvil]) -> list[Deployment]:
    chains = [
        Chain(name, anvil.url, anvil.chain_id, 0)
        for name, anvil in zip(FINALITY, anvils, strict=True)
    ]
    sides, found = [], []
    for number, (chain, anvil) in enumerate(zip(chains, anvils, strict=True)):
        deployer = await Deployer.of(chain)
        for _ in range(number):
            await deploy_weth(deployer)  # so that no address means the same on both chains
        weth = await deploy_weth(deployer)
        decimals = DECIMALS[chain.name]
        token = Token(await deploy_token(deployer, "US Dollar", "USD", decimals), decimals)
        relayer = (await chain.rpc("eth_accounts"))[4]
        await mint(deployer, token.address, relayer, 10**6 * 10**decimals)
        await mint(deployer, token.address, signer().address, token.exactly(FUND, USD))
        side = await deploy_across(deployer, token, weth)
        sides.append(side)
        where = (side.spoke_pool, side.depositor, token, relayer)
        found.append(Deployment(chain.name, anvil, *where))
    await connect_across(sides)
    for chain in chains:
        await chain.close()
    return found


class Forgetful(Chain):
    """A connection to a node whose receipts have lost their transfers, but for the first ones."""

    kept = 0

    async def receipt(self, hash: str) -> Receipt | None:
        """The receipt without them."""
        found = await super().receipt(hash)
        if found is None:
            return None
        moved = {one.index for one in found.transfers()[self.kept :]}
        return replace(found, logs=tuple(log for log in found.logs if log.index not in moved))


class Forging(Chain):
    """A connection to a node that forges: logs, or which transaction a receipt is of."""

    forge: Callable[[list[Any]], list[Any]]
    answered: Mapping[str, str]

    async def rpc(self, method: str, *parameters: Any) -> Any:
        """The node's answer, logs forged."""
        answer = await super().rpc(method, *parameters)
        return self.forge(answer) if method == "eth_getLogs" else answer

    async def receipt(self, hash: str) -> Receipt | None:
        """The receipt of the transaction that is answered for this one."""
        return await super().receipt(self.answered.get(hash, hash))


class World:
    """The carrier of one test, and what it may do to the chains."""

    def __init__(self, deployments: list[Deployment]) -> None:
        self.anvils = {one.name: one.anvil for one in deployments}
        self._deployments = deployments
        self.chains: dict[str, Chain] = {}
        self.sides: dict[str, AcrossSide] = {}
        self.places: dict[str, Place] = {}
        self.signer = signer()
        self._others: list[Chain] = []
        self.carrier: AcrossCarrier
        self.relayer: Relayer

    async def open(self) -> None:
        """Connect."""
        for one in self._deployments:
            self.chains[one.name], self.sides[one.name] = await one.reach()
        self.restart()
        relayer = self._deployments[0].relayer
        self.relayer = Relayer(list(self.sides.values()), relayer, FEE, USD)
        await self.relayer.allow()
        await self.carrier.start()

    def blinded(self, place: str, kept: int = 0) -> AcrossCarrier:
        """A carrier that sees no transfers there, but for the first of each transaction."""
        one, anvil = self.places[place], self.anvils[place]
        blind = Forgetful(place, anvil.url, anvil.chain_id, one.chain.finality)
        blind.kept = kept
        return self._over(one, blind)

    def deceived(
        self,
        place: str,
        forge: Callable[[list[Any]], list[Any]],
        answered: Mapping[str, str] | None = None,
    ) -> AcrossCarrier:
        """A carrier whose node there forges logs, or answers other transactions' receipts."""
        one, anvil = self.places[place], self.anvils[place]
        node = Forging(place, anvil.url, anvil.chain_id, one.chain.finality)
        node.forge, node.answered = forge, answered or {}
        return self._over(one, node)

    def _over(self, place: Place, chain: Chain) -> AcrossCarrier:
        self._others.append(chain)
        places = [self.rewired(p, chain) if p is place else p for p in self.places.values()]
        return AcrossCarrier("across", USD, places, FEE, seconds=30, refund_seconds=REFUND)

    def rewired(self, place: Place, chain: Chain) -> Place:
        """The place over another connection."""
        account = DirectAccount(chain, self.signer.address)
        return replace(place, chain=chain, account=account, lane=Lane(chain, self.signer))

    def restart(self) -> None:
        """A new carrier with lanes that know nothing, as after a crash."""
        for name, chain in self.chains.items():
            side = self.sides[name]
            self.places[name] = Place(
                name,
                chain,
                DirectAccount(chain, self.signer.address),
                Lane(chain, self.signer),
                side.token,
                side.spoke_pool,
                side.depositor,
            )
        self.carrier = AcrossCarrier(
            "across", USD, list(self.places.values()), FEE, seconds=30, refund_seconds=REFUND
        )

    async def close(self) -> None:
        """Disconnect."""
        await self.relayer.stop()
        for chain in [*self.chains.values(), *self._others]:
            await chain.close()

    async def prepare(
        self, amount: int, source: str = "east", target: str = "west", leg: str = "t1"
    ) -> Prepared:
        """A transfer for what the carrier quotes, with LIFE seconds."""
        quote = await self.carrier.quote(source, target, amount)
        assert quote is not None
        transit = Transit(leg, Transfer(amount, source, target), 0)
        return await self.carrier.prepare(transit, quote.min_received, await self.now() + LIFE)

    async def sent(
        self, amount: int, source: str = "east", target: str = "west", leg: str = "t1"
    ) -> Prepared:
        """The same, submitted and mined."""
        prepared = await self.prepare(amount, source, target, leg)
        report = await self.carrier.submit(prepared)
        assert report.state is LegState.SUBMITTED, report
        await self.mined(prepared, source)
        return prepared

    async def mined(self, prepared: Prepared, place: str = "east") -> None:
        """Wait for the block: the node mines a moment after it took a transaction."""
        for one in Batch.decode(prepared.payload).transactions:
            while await self.chains[place].receipt(one.hash) is None:
                await asyncio.sleep(0.002)

    async def state(self, prepared: Prepared) -> LegState:
        """What the carrier says of it."""
        return (await self.carrier.status(prepared)).state

    async def status(self, prepared: Prepared) -> Report:
        """All that the carrier says of it."""
        return await self.carrier.status(prepared)

    async def held(self, place: str) -> int:
        """The fund's currency there by the chain, in base units."""
        side = self.sides[place]
        units = await side.token.balance(side.deployer.chain, self.signer.address)
        return side.token.arrived(units, USD)

    async def allowance(self, place: str) -> int:
        """What the depositor there may still take of the fund, in the token's own units."""
        side = self.sides[place]
        data = call_data("allowance(address,address)", self.signer.address, side.depositor)
        return int.from_bytes(await self.chains[place].call(side.token.address, data), "big")

    async def deposits(self, place: str) -> list[Found]:
        """Every deposit that was made there."""
        chain = self.chains[place]
        return await DEPOSITED.find(chain, self.sides[place].spoke_pool, 0, await chain.head())

    async def relay(self, place: str = "east") -> Relay:
        """The last deposit that was made there."""
        last = (await self.deposits(place))[-1]
        return Relay.deposited(last.arguments, self.chains[place].chain_id)

    async def close_route(self, place: str) -> None:
        """The pool there takes no deposits any more."""
        side = self.sides[place]
        await side.deployer.transact(side.spoke_pool, call_data("pauseDeposits(bool)", True))

    async def wrapped_native(self, place: str) -> str:
        """The wrapped coin of the pool there."""
        return to_checksum_address(await self.places[place].pool.wrapped_native())

    @staticmethod
    def changed(place: Place, **change: Any) -> Place:
        """The place with something else configured."""
        return replace(place, **change)

    async def now(self) -> int:
        """The later of both chains' clocks."""
        return max([await chain.now() for chain in self.chains.values()])

    def mine(self, place: str, blocks: int = 5) -> None:
        """Empty blocks, more than its finality needs."""
        self.anvils[place].call("anvil_mine", hex(blocks))

    def finalize(self) -> None:
        """Both chains mine more than their finality needs."""
        for name in self.anvils:
            self.mine(name)

    def expire(self) -> None:
        """Past the deadline of what was prepared just now, whichever clock is behind."""
        self.sleep(LIFE + 300)

    def sleep(self, seconds: int) -> None:
        """Both chains' clocks go forward, and a block says so."""
        for anvil in self.anvils.values():
            anvil.call("evm_increaseTime", hex(seconds))
            anvil.call("anvil_mine", "0x1")


def play(deployments: list[Deployment], scenario: Callable[[World], Awaitable[None]]) -> None:
    """Run ``scenario`` in a world of its own; the chains are then as they were before."""
    snapshots = [one.anvil.call("evm_snapshot") for one in deployments]

    async def run() -> None:
        world = World(deployments)
        try:
            await world.open()
            await scenario(world)
        finally:
            await world.close()

    try:
        asyncio.run(run())
    finally:
        for one, snapshot in zip(deployments, snapshots, strict=True):
            one.anvil.call("evm_revert", snapshot)
