"""A relayer and a hub for Across on devnet chains; both can be told not to do their work.

The relayer fills deposits that leave it the stated fee. The hub repays fills and refunds what
expired: it writes a root bundle into the origin's pool and executes its leaf, as the real one's
dataworkers do. Nobody but this process decides what a root bundle says.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agent_fund.devnet.across import AcrossSide
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.errors import DevnetError
from agent_fund.devnet.tokens import allow_all
from agent_fund.domain.instrument import Asset
from agent_fund.execution.across.contracts import DEPOSITED, RELAY_TUPLE
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.across.spoke_pool import SpokePool
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.chain import UNCERTAIN
from agent_fund.execution.evm.event import Event

_LEAF = "(uint256,uint256,uint256[],uint32,address,address[])"
_RELAYED = Event(
    "RelayedRootBundle",
    "uint32 indexed rootBundleId, bytes32 indexed relayerRefundRoot, bytes32 indexed slowRelayRoot",
)


class Filling(enum.Enum):
    """What the relayer does with a deposit."""

    HONEST = "fills what leaves it its fee"
    NEVER = "fills nothing"
    LATE = "tries once the deadline has passed"
    SHORT = "fills with half of the output amount"
    ELSEWHERE = "fills to its own address"


class Relayer:
    """Serves deposits between ``sides``.

    Args:
        address: an account of both nodes, with tokens and coin on every side.
        fee: what it keeps of ``currency``, in base units.

    Attributes:
        address: the relayer's. ``filling``: what it does with deposits.
        refunding: whether the hub pays.
        failure: what ended the running task, if anything did.
    """

    def __init__(
        self, sides: Sequence[AcrossSide], address: str, fee: RelayerFee, currency: Asset
    ) -> None:
        self.filling = Filling.HONEST
        self.refunding = True
        self.failure: BaseException | None = None
        self._sides = {side.deployer.chain.chain_id: side for side in sides}
        self._pools = {
            number: SpokePool(side.deployer.chain, side.spoke_pool)
            for number, side in self._sides.items()
        }
        self.address = address
        self._fee = fee
        self._currency = currency
        self._over: set[tuple[int, bytes]] = set()
        self._task: asyncio.Task[None] | None = None

    async def allow(self) -> None:
        """Let the pools take the relayer's tokens; once, before the first turn."""
        for side in self._sides.values():
            own = Deployer(side.deployer.chain, self.address)
            await allow_all(own, side.token.address, side.spoke_pool)

    async def start(self, interval: float = 0.2) -> None:
        """Take a turn every ``interval`` seconds until ``stop``."""
        await self.allow()
        self._task = asyncio.create_task(self._run(interval))

    async def stop(self) -> None:
        """End the running task."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def forget(self) -> None:
        """Look at every deposit again, as if none had been served: a chain may have been undone."""
        self._over.clear()

    async def turn(self) -> None:
        """Look at every deposit once: fill it, or pay what is due for it."""
        due: dict[tuple[int, str], list[tuple[Relay, int]]] = {}
        for number, side in self._sides.items():
            head = await side.deployer.chain.head()
            for found in await DEPOSITED.find(side.deployer.chain, side.spoke_pool, 0, head):
                relay = Relay.deposited(found.arguments, number)
                if relay.destination_chain not in self._sides or self._key(relay) in self._over:
                    continue
                if (payee := await self._serve(relay)) is not None:
                    due.setdefault((number, payee), []).append((relay, relay.input_amount))
        if self.refunding:
            for (number, payee), owed in due.items():
                await self.pay(number, payee, sum(amount for _, amount in owed))
                self._over.update(self._key(relay) for relay, _ in owed)

    async def _run(self, interval: float) -> None:
        while True:
            try:
                await self.turn()
            except (*UNCERTAIN, DevnetError) as error:
                self.failure = error  # a chain that is down for a while is asked again
            await asyncio.sleep(interval)

    async def _serve(self, relay: Relay) -> str | None:
        """Whom the hub owes the deposit to now, if to anybody."""
        pool = self._pools[relay.destination_chain]
        chain = self._sides[relay.destination_chain].deployer.chain
        if await pool.filled(relay, await chain.head()):
            return self.address
        passed = await chain.now() > relay.fill_deadline
        tries = passed if self.filling is Filling.LATE else not passed
        if tries and self.filling is not Filling.NEVER and self._pays(relay):
            await self._fill(relay)
        return relay.depositor if passed else None

    def _pays(self, relay: Relay) -> bool:
        """Whether the deposit leaves the relayer its fee, both sides in base units."""
        source = self._sides[relay.origin_chain].token
        target = self._sides[relay.destination_chain].token
        given = source.arrived(relay.input_amount, self._currency)
        return target.spent(relay.output_amount, self._currency) <= self._fee.after(given)

    async def _fill(self, relay: Relay) -> None:
        if self.filling is Filling.SHORT:
            relay = replace(relay, output_amount=relay.output_amount // 2)
        if self.filling is Filling.ELSEWHERE:
            relay = replace(relay, recipient=self.address)
        side, pool = self._sides[relay.destination_chain], self._pools[relay.destination_chain]
        if await pool.filled(relay, await side.deployer.chain.head()):
            return
        data = call_data(f"fillV3Relay({RELAY_TUPLE},uint256)", relay.data, relay.origin_chain)
        with suppress(DevnetError):  # the pool refused it: too late, or somebody was faster
            await side.deployer.transact(side.spoke_pool, data, sender=self.address)

    async def pay(self, number: int, payee: str, amount: int) -> None:
        """The hub's word: one root bundle with one leaf, ``amount`` of the token for ``payee``.

        Args:
            number: chain id of the pool that pays.
        """
        side = self._sides[number]
        leaf = (0, number, [amount], 0, side.token.address, [payee])
        root = keccak(encode([_LEAF], [leaf]))
        data = call_data("relayRootBundle(bytes32,bytes32)", root, bytes(32))
        receipt = await side.deployer.transact(side.spoke_pool, data)
        (bundle,) = filter(None, (_RELAYED.read(log) for log in receipt.logs))
        data = call_data(
            f"executeRelayerRefundLeaf(uint32,{_LEAF},bytes32[])", bundle["rootBundleId"], leaf, []
        )
        await side.deployer.transact(side.spoke_pool, data)

    @staticmethod
    def _key(relay: Relay) -> tuple[int, bytes]:
        return relay.origin_chain, relay.hash
