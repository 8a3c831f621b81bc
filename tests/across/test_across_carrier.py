"""AcrossCarrier between two real deployments: what arrives or comes back is booked once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from across_world import FEE, FUND, LIFE, REFUND, USD, Deployment, World, deployments, play
from eth_abi.abi import decode

from agent_fund.devnet.packages import missing
from agent_fund.devnet.relayer import Filling
from agent_fund.domain.instrument import Chain as ChainId
from agent_fund.domain.instrument import Instrument, Venue
from agent_fund.domain.transfer import Arrival, Transfer, Transit
from agent_fund.execution.across.carrier import AcrossCarrier
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.evm.chain import Chain
from agent_fund.execution.evm.token import Token
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.leg_state import LegState, follows

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)

AMOUNT = 100 * 10**8


@pytest.fixture(scope="module")
def chains() -> Iterator[list[Deployment]]:
    with deployments() as found:
        yield found


def ledger() -> Ledger:
    """The fund's books: FUND at each place."""
    listed = {}
    for place, caip2 in (("east", "eip155:31337"), ("west", "eip155:8453")):
        base = type(USD)(f"X{place}", 0)
        venue = Venue(place, ChainId(caip2))
        listed[base.symbol] = Instrument(base.symbol, base, USD, venue, price_scale=8)
    books = Ledger(USD, listed)
    for place in ("east", "west"):
        books.deposit(USD, FUND, place, f"first {place}")
    return books


def cash(books: Ledger) -> dict[str, int]:
    """What the books say is free at each place."""
    return dict(books.book().places)


def test_a_transfer_and_its_way_back_leave_the_ledger_equal_to_the_chains(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        books = ledger()
        for number, (source, target) in enumerate((("east", "west"), ("west", "east"))):
            transit = Transit(f"t{number}", Transfer(AMOUNT, source, target), 0)
            quote = await world.carrier.quote(source, target, AMOUNT)
            assert quote is not None
            assert (quote.min_received, quote.trusted) == (FEE.after(AMOUNT), "across")
            books.start_transfer(transit)
            prepared = await world.carrier.prepare(
                transit, quote.min_received, await world.now() + LIFE
            )
            await world.carrier.submit(prepared)
            await world.mined(prepared, source)
            world.finalize()
            assert await world.state(prepared) is LegState.ORIGIN_CONFIRMED
            await world.relayer.turn()
            provisional = await world.status(prepared)
            assert provisional.state is LegState.FILLED
            world.finalize()
            report = await world.status(prepared)
            assert report.state is LegState.SETTLED
            assert report.received == quote.min_received
            books.arrive(Arrival(transit, report.received))
            for place in ("east", "west"):
                assert cash(books)[place] == await world.held(place)
        assert sum(cash(books).values()) == 2 * FUND - 2 * (AMOUNT - FEE.after(AMOUNT))

    play(chains, scenario)


def test_a_fill_before_the_deposit_is_final_is_provisional(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(AMOUNT)
        assert await world.state(prepared) is LegState.SUBMITTED
        await world.relayer.turn()
        world.mine("west")
        assert await world.state(prepared) is LegState.FILLED
        world.mine("east")
        assert await world.state(prepared) is LegState.SETTLED

    play(chains, scenario)


def test_without_a_fill_the_whole_amount_comes_back_by_a_refund_leaf(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared = await world.sent(AMOUNT)
        seen = [LegState.PENDING, await world.state(prepared)]
        world.mine("east")
        await world.relayer.turn()
        seen.append(await world.state(prepared))
        world.expire()
        seen.append(await world.state(prepared))
        world.finalize()
        seen.append(await world.state(prepared))
        assert await world.held("east") == FUND - AMOUNT
        await world.relayer.turn()
        seen.append(await world.state(prepared))  # refunded, but not yet by a final block
        world.finalize()
        report = await world.status(prepared)
        assert seen[1:] == [
            LegState.SUBMITTED,
            LegState.ORIGIN_CONFIRMED,
            LegState.EXPIRED,
            LegState.REFUND_PENDING,
            LegState.REFUND_PENDING,
        ]
        steps = [*seen, report.state]
        assert all(follows(a, b) for a, b in pairwise(steps))
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
        assert (await world.held("east"), await world.held("west")) == (FUND, FUND)

    play(chains, scenario)


def test_a_silent_hub_leaves_the_leg_stuck_until_the_refund_comes(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling, world.relayer.refunding = Filling.NEVER, False
        prepared = await world.sent(AMOUNT)
        world.expire()
        world.finalize()
        await world.relayer.turn()
        assert await world.state(prepared) is LegState.REFUND_PENDING
        world.sleep(REFUND)
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.STUCK, None)
        assert not report.state.ended
        world.relayer.refunding = True
        await world.relayer.turn()
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)

    play(chains, scenario)


def test_a_relayer_that_comes_after_the_deadline_is_refused(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.LATE
        prepared = await world.sent(AMOUNT)
        world.expire()
        await world.relayer.turn()
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
        assert await world.held("west") == FUND

    play(chains, scenario)


def test_a_target_without_final_blocks_leaves_the_leg_stuck(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared = await world.sent(AMOUNT)
        world.mine("east")
        # The source's clock goes on; the target's stands.
        world.anvils["east"].call("evm_increaseTime", hex(LIFE + REFUND + 10))
        world.mine("east")
        assert await world.state(prepared) is LegState.STUCK
        await world.relayer.turn()
        assert await world.state(prepared) is LegState.STUCK

    play(chains, scenario)


def test_the_opening_is_a_deposit_by_erc_7683_with_an_exact_allowance(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.prepare(AMOUNT)
        side = world.sides["east"]
        calls = [one.read()[0] for one in Batch.decode(prepared.payload).transactions]
        approvals = [call for call in calls if call.approval]
        spender, amount = decode(["address", "uint256"], approvals[0].data[4:])
        assert int(spender, 16) == int(side.depositor, 16)
        assert amount == side.token.exactly(AMOUNT, USD)
        assert [call.to for call in calls if not call.approval] == [side.depositor]
        await world.carrier.submit(prepared)
        await world.mined(prepared)
        assert await world.allowance("east") == 0
        world.finalize()
        deposits = await world.deposits("east")
        assert [one.arguments["depositor"] for one in deposits] == [world.signer.address]

    play(chains, scenario)


def test_an_opening_after_the_deadline_reverts_and_nothing_leaves(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.prepare(AMOUNT)
        world.expire()
        await world.carrier.submit(prepared)
        await world.mined(prepared)
        assert await world.state(prepared) is LegState.SUBMITTED
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.REJECTED, None)
        assert await world.held("east") == FUND
        assert await world.allowance("east") == 0

    play(chains, scenario)


def test_an_opening_that_no_block_took_in_time_is_canceled_and_frees_its_nonces(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        lost = await world.prepare(AMOUNT, leg="lost")  # its bytes never leave
        world.expire()
        world.finalize()
        assert await world.state(lost) is LegState.CANCELED
        prepared = await world.sent(AMOUNT, leg="next")
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        assert await world.state(prepared) is LegState.SETTLED
        assert await world.held("east") == FUND - AMOUNT

    play(chains, scenario)


def test_a_fee_bump_still_makes_one_deposit(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        east = world.anvils["east"]
        east.call("evm_setAutomine", False)
        try:
            prepared = await world.prepare(AMOUNT)
            await world.carrier.submit(prepared)
            higher = await world.carrier.bump(prepared)
            assert higher is not None
            assert higher.payload != prepared.payload
            await world.carrier.submit(higher)
            await world.carrier.submit(prepared)
        finally:
            east.call("evm_setAutomine", True)
        world.finalize()
        assert await world.state(higher) is LegState.ORIGIN_CONFIRMED
        assert len(await world.deposits("east")) == 1
        assert await world.carrier.bump(higher) is None

    play(chains, scenario)


def test_what_cannot_be_carried_is_not_quoted_and_not_prepared(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        carrier = world.carrier
        assert not carrier.carries("east", "east")
        assert await carrier.quote("east", "north", AMOUNT) is None
        assert await carrier.quote("east", "west", FEE.fixed) is None
        deadline = await world.now() + LIFE
        refused = [
            (Transfer(AMOUNT, "east", "north"), AMOUNT),
            (Transfer(AMOUNT, "east", "west"), AMOUNT + 1),
            (Transfer(AMOUNT + 1, "east", "west"), AMOUNT),  # half a unit of the token
            (Transfer(FUND + 100, "east", "west"), AMOUNT),  # more than there is
        ]
        for transfer, least in refused:
            with pytest.raises(ExecutionError):
                await carrier.prepare(Transit("t", transfer, 0), least, deadline)
        transit = Transit("t", Transfer(AMOUNT, "east", "west"), 0)
        with pytest.raises(ExecutionError):  # further ahead than the pool allows
            await carrier.prepare(transit, AMOUNT, deadline + 10**6)
        await world.close_route("east")
        assert await carrier.quote("east", "west", AMOUNT) is None

    play(chains, scenario)


def test_a_place_that_is_not_as_configured_is_refused_at_start(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        east, west = world.places["east"], world.places["west"]
        wrong = [
            {"token": Token(east.token.address, 18)},
            {"token": Token(await world.wrapped_native("east"), 18)},
            {"depositor": east.pool_address},
            {"pool_address": east.depositor},
            {"chain": Chain("east", world.anvils["west"].url, 31337, 2)},
        ]
        for change in wrong:
            place = world.changed(east, **change)
            carrier = AcrossCarrier("a", USD, [place, west], FEE, seconds=1, refund_seconds=1)
            with pytest.raises(ExecutionError):
                await carrier.start()
            await place.chain.close()
        with pytest.raises(ExecutionError):
            AcrossCarrier("a", USD, [west, west], FEE, seconds=1, refund_seconds=1)

    play(chains, scenario)
