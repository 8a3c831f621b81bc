"""Reorganisations, crashes and silent nodes: a transfer goes back a state, and on again, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from across_world import FEE, FUND, REFUND, USD, Deployment, World, deployments, play

from agent_fund.devnet.packages import missing
from agent_fund.devnet.relayer import Filling
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.live.adapter import Prepared
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


def test_a_reorganised_fill_is_taken_back_and_another_counts(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        world.mine("east")
        await world.relayer.turn()
        assert await world.state(prepared) is LegState.FILLED
        world.anvils["west"].call("anvil_reorg", 1, [])
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.ORIGIN_CONFIRMED, None)
        assert await world.held("west") == FUND
        # The relayer of a real network fills again; this one is told to forget.
        world.relayer.forget()
        await world.relayer.turn()
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.SETTLED, FEE.after(AMOUNT))
        assert await world.held("west") == FUND + FEE.after(AMOUNT)

    play(chains, scenario)


def test_a_fill_that_a_reorganisation_took_for_good_ends_in_the_refund_alone(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        world.mine("east")
        world.relayer.refunding = False
        await world.relayer.turn()
        assert await world.state(prepared) is LegState.FILLED
        world.anvils["west"].call("anvil_reorg", 1, [])
        world.relayer.filling = Filling.NEVER
        world.expire()
        assert await world.state(prepared) is LegState.EXPIRED
        world.finalize()
        world.relayer.refunding = True
        await world.relayer.turn()
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
        assert (await world.held("east"), await world.held("west")) == (FUND, FUND)

    play(chains, scenario)


def test_a_reorganised_deposit_is_sent_again_and_made_once(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        assert await world.state(prepared) is LegState.SUBMITTED
        east = world.chains["east"]
        first = await east.receipt(Batch.decode(prepared.payload).transactions[0].hash)
        assert first is not None
        world.anvils["east"].call("anvil_reorg", await east.head() - first.block + 1, [])
        assert await world.deposits("east") == []
        assert await world.state(prepared) is LegState.SUBMITTED  # and sends the bytes again
        await world.mined(prepared)
        world.finalize()
        assert await world.state(prepared) is LegState.ORIGIN_CONFIRMED
        await world.relayer.turn()
        world.finalize()
        assert await world.state(prepared) is LegState.SETTLED
        assert len(await world.deposits("east")) == 1
        assert await world.held("east") == FUND - AMOUNT

    play(chains, scenario)


def test_after_a_crash_between_prepare_and_submit_the_same_bytes_make_one_deposit(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        written = await world.prepare(AMOUNT)
        kept = Prepared(
            written.leg_id, written.reference, written.payload, written.deadline, written.notes
        )
        world.restart()
        await world.carrier.restore([kept])
        assert await world.state(kept) is LegState.SUBMITTED  # not sent, but it could have been
        for _ in range(2):
            report = await world.carrier.submit(kept)
            assert report.state is LegState.SUBMITTED
        await world.mined(kept)
        world.restart()
        await world.carrier.restore([kept])
        await world.carrier.submit(kept)
        other = await world.sent(AMOUNT, leg="t2")
        assert Batch.decode(other.payload).nonces[0] > Batch.decode(kept.payload).nonces[-1]
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        for prepared in (kept, other):
            assert await world.state(prepared) is LegState.SETTLED
        assert len(await world.deposits("east")) == 2
        assert await world.held("east") == FUND - 2 * AMOUNT

    play(chains, scenario)


def test_what_became_of_a_transfer_is_read_from_the_chains_after_a_crash(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        world.restart()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.SETTLED, FEE.after(AMOUNT))

    play(chains, scenario)


@pytest.mark.parametrize("silent", ["east", "west"])
def test_a_silent_node_is_a_doubt_and_not_an_end(chains: list[Deployment], silent: str) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        world.finalize()
        place = world.places[silent]
        other = world.places["west" if silent == "east" else "east"]
        anvil = world.anvils[silent]
        deaf = Chain(silent, anvil.url, anvil.chain_id, place.chain.finality, timeout=0.1)
        silenced = world.rewired(place, deaf)
        carrier = AcrossCarrier(
            "across", USD, [silenced, other], FEE, seconds=30, refund_seconds=REFUND
        )
        os.kill(anvil.pid, signal.SIGSTOP)
        os.waitpid(anvil.pid, os.WUNTRACED)  # until all of its threads stand
        try:
            report = await carrier.status(prepared)
            assert (report.state, report.received) == (LegState.UNKNOWN, None)
            if silent == "east":
                assert (await carrier.submit(prepared)).state is LegState.UNKNOWN
                assert await carrier.quote("east", "west", AMOUNT) is None
            transit = Transit("t2", Transfer(AMOUNT, "east", "west"), 0)
            with pytest.raises(ExecutionError):
                await carrier.prepare(transit, FEE.after(AMOUNT), prepared.deadline)
        finally:
            os.kill(anvil.pid, signal.SIGCONT)
            await deaf.close()
        assert await world.state(prepared) is LegState.ORIGIN_CONFIRMED

    play(chains, scenario)


def test_a_relayer_that_runs_beside_settles_what_comes(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        await world.relayer.start(0.01)
        prepared = await world.sent(AMOUNT)
        while await world.state(prepared) is not LegState.SETTLED:
            world.finalize()
        await world.relayer.stop()
        assert world.relayer.failure is None
        assert await world.held("west") == FUND + FEE.after(AMOUNT)

    play(chains, scenario)
