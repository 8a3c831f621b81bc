"""A node that forges logs, or tells of one twice, books nothing with another event's transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from across_world import FEE, LIFE, USD, Deployment, World, deployments, play

from agent_fund.devnet.packages import missing
from agent_fund.devnet.relayer import Filling
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.across.contracts import FILLED_RELAY, REFUND_EXECUTED, RELAY_TUPLE
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)

AMOUNT = 100 * 10**8
Forge = Callable[[list[Any]], list[Any]]


@pytest.fixture(scope="module")
def chains() -> Iterator[list[Deployment]]:
    with deployments() as found:
        yield found


async def two_of_one_amount(world: World) -> tuple[list[Prepared], list[Relay]]:
    """Two transfers of one amount and deadline, both final; nobody has filled them."""
    world.relayer.filling = Filling.NEVER
    legs, relays = [], []
    deadline = await world.now() + LIFE
    for number in range(2):
        transit = Transit(f"t{number}", Transfer(AMOUNT, "east", "west"), 0)
        legs.append(await world.carrier.prepare(transit, FEE.after(AMOUNT), deadline))
        await world.carrier.submit(legs[-1])
        await world.mined(legs[-1])
        relays.append(await world.relay())
    world.finalize()
    return legs, relays


def retold(topic: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Forge:
    """Tell of every log of ``topic`` once more, changed."""

    def forge(logs: list[Any]) -> list[Any]:
        return logs + [change(dict(log)) for log in logs if log["topics"][0] == topic]

    return forge


def of_deposit(relay: Relay, log: dict[str, Any]) -> dict[str, Any]:
    """The log of a fill as if it were of that deposit."""
    topics = [*log["topics"]]
    topics[2] = f"0x{relay.deposit_id:064x}"
    return {**log, "topics": topics}


def elsewhere(field: str, value: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The log as if it stood there."""
    return lambda log: {**log, field: value}


async def filled_once(world: World) -> tuple[list[Prepared], list[Relay], str]:
    """Both transfers; the first is filled, in the transaction returned."""
    legs, relays = await two_of_one_amount(world)
    assert replace(relays[0], deposit_id=relays[1].deposit_id) == relays[1]
    side = world.sides["west"]
    data = call_data(f"fillV3Relay({RELAY_TUPLE},uint256)", relays[0].data, relays[0].origin_chain)
    done = await side.deployer.transact(side.spoke_pool, data, sender=world.relayer.address)
    world.finalize()
    return legs, relays, done.hash


def test_a_forged_fill_does_not_count_with_another_fills_transfer(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        legs, relays, _ = await filled_once(world)
        asked = {"address": world.sides["west"].spoke_pool, "topics": [FILLED_RELAY.topic]}
        true = await world.chains["west"].rpc("eth_getLogs", {"fromBlock": "0x0", **asked})
        forged = [of_deposit(relays[1], dict(log)) for log in true]
        deceived = world.deceived("west", lambda logs: [*logs, *forged])
        first, second = [await deceived.status(leg) for leg in legs]
        assert (first.state, first.received) == (LegState.SETTLED, FEE.after(AMOUNT))
        assert (second.state, second.received) == (LegState.ORIGIN_CONFIRMED, None)

    play(chains, scenario)


def test_the_receipt_of_another_transaction_or_block_is_no_fill(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        legs, _, transaction = await filled_once(world)
        other = "0x" + "11" * 32
        lies: list[tuple[Forge, dict[str, str]]] = [
            (
                lambda logs: [{**log, "transactionHash": other} for log in logs],
                {other: transaction},
            ),
            (lambda logs: [{**log, "blockNumber": "0x1"} for log in logs], {}),
        ]
        for forge, answered in lies:
            report = await world.deceived("west", forge, answered).status(legs[0])
            assert (report.state, report.received) == (LegState.UNKNOWN, None)

    play(chains, scenario)


async def refunded_once(world: World) -> list[Prepared]:
    """Two transfers that expired; one refund of their amount came."""
    legs, _ = await two_of_one_amount(world)
    world.expire()
    world.finalize()
    units = world.sides["east"].token.exactly(AMOUNT, USD)
    await world.relayer.pay(31337, world.signer.address, units)
    world.finalize()
    return legs


@pytest.mark.parametrize(
    "change",
    [
        elsewhere("removed", ""),
        elsewhere("logIndex", "0xff"),
        elsewhere("blockNumber", "0x1"),
        elsewhere("transactionHash", "0x" + "11" * 32),
    ],
    ids=["again", "index", "block", "transaction"],
)
def test_a_refund_that_is_told_twice_is_one(
    chains: list[Deployment], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    async def scenario(world: World) -> None:
        legs = await refunded_once(world)
        chain, pool = world.chains["east"], world.sides["east"].spoke_pool
        events = await REFUND_EXECUTED.find(chain, pool, 0, await chain.head())
        answered = {"0x" + "11" * 32: events[-1].transaction}
        deceived = world.deceived("east", retold(REFUND_EXECUTED.topic, change), answered)
        states = [(await deceived.status(leg)).state for leg in legs]
        assert states == [LegState.REFUNDED, LegState.REFUND_PENDING]

    play(chains, scenario)
