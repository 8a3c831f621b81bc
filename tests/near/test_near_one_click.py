"""Currency carried by 1Click: trusted with it meanwhile, and believed in nothing about its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from near_world import DEADLINE, USD, USDC, World, in_world

from agent_fund.devnet.near.contract import Contract
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState
from agent_fund.execution.near.listing import Token
from agent_fund.execution.near.one_click import OneClickClient
from agent_fund.execution.near.passage import OneClickCarrier, Passage, VerifierArrivals
from agent_fund.execution.near.verifier import Verifier

AMOUNT = 100 * 10**28  # 100 USDC
LEAST = 99 * 10**28
TREASURY = "treasury.near"
REFUND = 3_600


class Trip:
    """A carrier from the fund's account to another one inside the verifier."""

    def __init__(self, w: World) -> None:
        self.w = w
        w.near.one_click.rates[USD, USD] = 1  # type: ignore[assignment]
        token = Token(USD, 6)
        arrivals = VerifierArrivals(w.rpc, Verifier(w.rpc, "intents.near"))
        passage = Passage("near", "treasury", token, token, TREASURY, "INTENTS", arrivals)
        self.client = OneClickClient(w.near.one_click.url, timeout=30)
        self.carrier = OneClickCarrier(
            "1click", USDC, [passage], self.client, w.rpc, w.lane, refund_seconds=REFUND
        )

    async def prepared(self, least: int = LEAST) -> Prepared:
        transit = Transit("t1", Transfer(AMOUNT, "near", "treasury"), 1)
        return await self.carrier.prepare(transit, least, DEADLINE)

    async def states(self, prepared: Prepared, times: int) -> list[LegState]:
        return [(await self.carrier.status(prepared)).state for _ in range(times)]


def on_trip(check: Callable[[Trip], Awaitable[None]], lag: int = 0) -> None:
    async def run(w: World) -> None:
        trip = Trip(w)
        try:
            await trip.carrier.start()
            await check(trip)
        finally:
            await trip.carrier.close()

    in_world(run, lag=lag)


def test_a_transfer_arrives_in_the_amount_that_the_chain_shows() -> None:
    async def check(t: Trip) -> None:
        quote = await t.carrier.quote("near", "treasury", AMOUNT)
        assert quote is not None
        assert quote.trusted == "1click"
        prepared = await t.prepared(quote.min_received)
        assert t.w.balance("fund.near", USD) == 10**9
        assert (await t.carrier.submit(prepared)).state is LegState.ORIGIN_CONFIRMED
        assert t.w.balance("fund.near", USD) == 9 * 10**8
        report = await t.carrier.status(prepared)
        assert report.state is LegState.SETTLED
        assert report.received == t.w.balance(TREASURY, USD) * 10**22 == 998 * 10**27

    on_trip(check)


def test_it_serves_its_passages_only() -> None:
    async def check(t: Trip) -> None:
        assert t.carrier.carries("near", "treasury")
        assert not t.carrier.carries("treasury", "near")
        assert await t.carrier.quote("treasury", "near", AMOUNT) is None
        transit = Transit("t1", Transfer(AMOUNT, "treasury", "near"), 1)
        with pytest.raises(ExecutionError, match="does not serve"):
            await t.carrier.prepare(transit, 1, DEADLINE)

    on_trip(check)


def test_an_offer_that_became_worse_is_refused_before_anything_is_signed() -> None:
    async def check(t: Trip) -> None:
        with pytest.raises(ExecutionError, match="no longer brings"):
            await t.prepared(AMOUNT)

    on_trip(check)


def test_the_deposit_is_confirmed_only_when_it_is_final() -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        assert (await t.carrier.submit(prepared)).state is LegState.SUBMITTED
        t.w.near.chain.advance(2)
        assert (await t.carrier.status(prepared)).state is LegState.ORIGIN_CONFIRMED
        assert (await t.carrier.status(prepared)).state is LegState.UNKNOWN  # delivered, not final
        t.w.near.chain.advance(2)
        assert (await t.carrier.status(prepared)).state is LegState.SETTLED

    on_trip(check, lag=2)


def test_a_refund_is_believed_in_the_amount_that_came_back() -> None:
    async def check(t: Trip) -> None:
        t.w.near.one_click.arm("swap", "refunded")
        prepared = await t.prepared()
        await t.carrier.submit(prepared)
        report = await t.carrier.status(prepared)
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
        assert t.w.balance("fund.near", USD) == 10**9

    on_trip(check)


@pytest.mark.parametrize(
    ("fault", "before"), [("stuck", LegState.ORIGIN_CONFIRMED), ("failed", LegState.UNKNOWN)]
)
def test_money_that_does_not_come_back_in_time_is_stuck(fault: str, before: LegState) -> None:
    async def check(t: Trip) -> None:
        t.w.near.one_click.arm("swap", fault, 99)
        prepared = await t.prepared()
        await t.carrier.submit(prepared)
        assert (await t.states(prepared, 2))[-1] is before
        t.w.after_deadline()
        late = LegState.EXPIRED if fault == "stuck" else LegState.UNKNOWN
        assert (await t.carrier.status(prepared)).state is late
        t.w.clock.now += REFUND * 10**9
        t.w.near.chain.advance()
        assert (await t.carrier.status(prepared)).state is LegState.STUCK

    on_trip(check)


def test_stuck_money_that_comes_back_after_all_is_refunded() -> None:
    async def check(t: Trip) -> None:
        t.w.near.one_click.arm("swap", "stuck", 2)
        prepared = await t.prepared()
        await t.carrier.submit(prepared)
        t.w.clock.now = (DEADLINE + REFUND + 1) * 10**9
        t.w.near.chain.advance()
        assert await t.states(prepared, 2) == [LegState.STUCK] * 2
        t.w.near.one_click.arm("swap", "refunded")
        assert (await t.carrier.status(prepared)).state is LegState.REFUNDED

    on_trip(check)


@pytest.mark.parametrize("fault", ["lie", "short"])
def test_success_is_not_believed_without_the_arrival(fault: str) -> None:
    async def check(t: Trip) -> None:
        t.w.near.one_click.arm("swap", fault)
        prepared = await t.prepared()
        await t.carrier.submit(prepared)
        assert (await t.carrier.status(prepared)).state is LegState.UNKNOWN

    on_trip(check)


def test_an_arrival_that_only_another_contract_tells_of_is_none() -> None:
    async def check(t: Trip) -> None:
        moved = {
            "old_owner_id": "oneclick.near",
            "new_owner_id": TREASURY,
            "token_ids": [USD],
            "amounts": [str(10**8)],
        }
        chain = t.w.near.chain
        shout = {"shout": lambda call, args: call.event("nep245", "1.0.0", "mt_transfer", [moved])}
        chain.create("evil.near", contract=Contract(shout, {}))
        done = chain.call("oneclick.near", "evil.near", "shout", {})
        t.w.near.one_click.arm("swap", "lie")
        prepared = await t.prepared()
        t.w.near.one_click._swaps[prepared.reference].hashes.append(done.hash)
        await t.carrier.submit(prepared)
        assert (await t.carrier.status(prepared)).state is LegState.UNKNOWN

    on_trip(check)


@pytest.mark.parametrize("fault", ["lost", "silent", "500"])
def test_a_lost_answer_to_the_deposit_sends_no_second_one(fault: str) -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        t.w.near.node.arm("send_tx", fault)
        await t.carrier.submit(prepared)
        await t.carrier.submit(prepared)
        assert t.w.balance("fund.near", USD) == 9 * 10**8
        assert (await t.states(prepared, 2))[-1] is LegState.SETTLED

    on_trip(check)


def test_a_deposit_that_one_node_does_not_know_yet_is_not_rejected() -> None:
    """One node of an endpoint says that the nonce is used, another has no such transaction."""

    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        t.w.near.node.arm("tx", "unknown", 2)
        assert (await t.carrier.submit(prepared)).state is LegState.UNKNOWN
        assert t.w.balance("fund.near", USD) == 9 * 10**8
        assert (await t.states(prepared, 3))[-1] is LegState.SETTLED

    on_trip(check)


def test_a_deposit_that_the_node_has_forgotten_is_not_rejected() -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        t.w.near.one_click.arm("submit", "lost")
        await t.carrier.submit(prepared)
        t.w.near.chain.advance(50)
        t.w.near.node.arm("tx", "unknown", 99)
        assert await t.states(prepared, 2) == [LegState.UNKNOWN] * 2

    on_trip(check)


def test_an_agent_that_is_silent_leaves_the_leg_unknown() -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        t.w.near.one_click.arm("submit", "lost")
        t.w.near.one_click.arm("status", "500", 1)
        assert (await t.carrier.submit(prepared)).state is LegState.UNKNOWN
        assert (await t.states(prepared, 3))[-1] is LegState.SETTLED

    on_trip(check)


def test_a_deposit_that_can_never_run_is_rejected() -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        other = await t.prepared()
        await t.carrier.submit(other)
        assert (await t.carrier.submit(prepared)).state is LegState.REJECTED

    on_trip(check)


def test_a_deposit_of_more_than_there_is_fails_and_is_rejected() -> None:
    async def check(t: Trip) -> None:
        transit = Transit("t1", Transfer(2_000 * 10**28, "near", "treasury"), 1)
        prepared = await t.carrier.prepare(transit, 1, DEADLINE)
        report = await t.carrier.submit(prepared)
        assert report.state is LegState.REJECTED
        assert "insufficient balance" in report.detail

    on_trip(check)


def test_an_incomplete_deposit_waits_for_its_refund() -> None:
    async def check(t: Trip) -> None:
        prepared = await t.prepared()
        await t.carrier.submit(prepared)
        swap = t.w.near.one_click._swaps[prepared.reference]
        swap.status, swap.amount = "PENDING_DEPOSIT", swap.amount + 1
        assert await t.states(prepared, 2) == [LegState.REFUND_PENDING, LegState.REFUNDED]

    on_trip(check)
