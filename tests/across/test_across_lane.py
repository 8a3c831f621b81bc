"""What a deposit leaves of its key's nonces holds up nothing; a lost receipt ends no transfer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from across_world import FEE, FUND, REFUND, USD, Deployment, World, deployments, play

from agent_fund.devnet.packages import missing
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.fees import FeePolicy
from agent_fund.execution.evm.lane import Lane
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
AMOUNT = 100 * 10**8


@pytest.fixture(scope="module")
def chains() -> Iterator[list[Deployment]]:
    with deployments() as found:
        yield found


class Blind(Chain):
    """A node that has no receipts."""

    async def rpc_many(self, requests: Any) -> Any:
        found = await super().rpc_many(requests)
        return [
            None if method == "eth_getTransactionReceipt" else answer
            for (method, _), answer in zip(requests, found, strict=True)
        ]


def carrier(world: World, **east: Any) -> AcrossCarrier:
    """A carrier with something else at its place in the east."""
    places = [replace(one, **east) if one.name == "east" else one for one in world.places.values()]
    return AcrossCarrier("across", USD, places, FEE, seconds=30, refund_seconds=REFUND)


def test_a_deposit_whose_receipt_the_node_lost_is_a_doubt_and_not_cancelled(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        world.finalize()
        anvil = world.anvils["east"]
        blind = Blind("east", anvil.url, anvil.chain_id, world.chains["east"].finality)
        try:
            place = world.rewired(world.places["east"], blind)
            seeing = carrier(world, chain=blind, lane=place.lane)
            report = await seeing.status(prepared)
            assert report.state is LegState.UNKNOWN
            assert "receipt" in report.detail
        finally:
            await blind.close()
        assert await world.state(prepared) is LegState.ORIGIN_CONFIRMED

    play(chains, scenario)


@pytest.mark.parametrize("room", [17, 24])
def test_a_deposit_that_ended_near_the_cap_of_fees_holds_up_nothing(
    chains: list[Deployment], room: int
) -> None:
    async def scenario(world: World) -> None:
        chain = world.chains["east"]
        history = await chain.rpc("eth_feeHistory", "0x5", "latest", [50])
        cap = FeePolicy().bid(history).maximum * room // 16
        lane = Lane(chain, world.signer, FeePolicy(cap=cap))
        world.places["east"] = replace(world.places["east"], lane=lane)
        world.carrier = carrier(world)
        lost = await world.prepare(AMOUNT, leg="lost")  # its bytes never leave
        world.expire()
        world.finalize()
        assert await world.state(lost) is LegState.CANCELED
        following = await world.sent(AMOUNT, leg="next")
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        assert await world.state(following) is LegState.SETTLED
        assert await world.held("east") == FUND - AMOUNT
        assert await world.allowance("east") == 0

    play(chains, scenario)


def test_a_deposit_that_was_replaced_leaves_its_other_nonces_free(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        east = world.anvils["east"]
        east.call("evm_setAutomine", False)
        try:
            lost = await world.prepare(AMOUNT, leg="lost")
            await world.carrier.submit(lost)
            batch = Batch.decode(lost.payload)
            await world.places["east"].lane.cancel(batch)
            # The node drops the last one, which takes the allowance back.
            east.call("anvil_dropTransaction", await _pooled(world, batch.nonces[-1]))
            world.mine("east")
        finally:
            east.call("evm_setAutomine", True)
        assert await world.state(lost) is LegState.CANCELED
        await world.sent(AMOUNT, leg="next")

    play(chains, scenario)


async def _pooled(world: World, nonce: int) -> str:
    """The hash of the fund's transaction in the pool with that nonce."""
    content = await world.chains["east"].rpc("txpool_content")
    found = (
        content["pending"].get(world.signer.address)
        or content["pending"][world.signer.address.lower()]
    )
    return str(found[str(nonce)]["hash"])


def test_restoring_a_transfer_asks_nobody_and_twice_is_as_good_as_once(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        kept = await world.prepare(AMOUNT, leg="kept")
        anvil = world.anvils["east"]
        away = Chain("east", "http://127.0.0.1:9", anvil.chain_id, 4)
        try:
            lost = carrier(world, chain=away, lane=Lane(away, world.signer))
            for _ in range(2):
                await lost.restore([kept])
        finally:
            await away.close()
        world.restart()
        for _ in range(2):
            await world.carrier.restore([kept])
        following = await world.prepare(AMOUNT, leg="next")
        first = Batch.decode(following.payload).nonces[0]
        assert first == Batch.decode(kept.payload).nonces[-1] + 1
        notes = dict(kept.notes) | {"origin_chain": "1"}
        with pytest.raises(ExecutionError):
            await world.carrier.restore([replace(kept, notes=notes)])

    play(chains, scenario)
