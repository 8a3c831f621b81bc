"""CowAdapter on the real settlement: what the chain says is booked, what the API says is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cow_world import (
    ETH_USD,
    FUND_ETH,
    FUND_USD,
    LIFE,
    ONE,
    PRICE,
    Deployment,
    World,
    deployment,
    order,
    play,
    verdict_of,
)
from eth_utils.crypto import keccak

from agent_fund.devnet.cow_server import Fault
from agent_fund.devnet.cow_solver import signature_in
from agent_fund.devnet.packages import missing
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.execution.cow.leg import Leg
from agent_fund.execution.cow.order_book import ApiRefusedError
from agent_fund.execution.cow.settlement import TRADE
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.pair import Pair
from agent_fund.execution.evm.token import Token
from agent_fund.execution.ledger import Ledger
from agent_fund.execution.live.adapter import Execution, Prepared
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)

SELL = order(Side.SELL, ONE, PRICE * 99 // 100)
BUY = order(Side.BUY, ONE, PRICE * 101 // 100)


@pytest.fixture(scope="module")
def chain() -> Iterator[Deployment]:
    with deployment() as found:
        yield found


def booked(world: World, one: Order, trade: Execution) -> tuple[int, int]:
    """The ledger's ETH and USD after the trade."""
    books = Ledger(ETH_USD.quote, {"ETH": ETH_USD})
    books.deposit(ETH_USD.quote, FUND_USD, "cow", "dollars")
    books.deposit(ETH_USD.base, FUND_ETH, "cow", "ether")
    books.reserve([(one, world.adapter.maximum_fee(one))])
    fill = Fill(
        trade.exec_id, one.order_id, ETH_USD, one.side, trade.quantity, trade.price, trade.fee, 0
    )
    books.fill(fill, one.with_status(Status.NEW))
    book = books.book()
    return book.position("ETH"), book.cash


@pytest.mark.parametrize("wanted", [SELL, BUY], ids=["sell", "buy"])
@pytest.mark.parametrize("fee", [0, 1_234_567])
def test_a_fill_leaves_the_ledger_equal_to_the_chain(
    chain: Deployment, wanted: Order, fee: int
) -> None:
    async def scenario(world: World) -> None:
        world.solver.fee = fee
        quote = await world.adapter.quote(ETH_USD, wanted.side, ONE)
        assert quote is not None
        prepared = await world.sent(wanted)
        assert (await world.status(prepared)).state is LegState.SUBMITTED
        await world.server.solve()
        provisional = await world.status(prepared)
        assert provisional.state is LegState.FILLED
        assert [one.final for one in provisional.executions] == [False]
        world.finalize()
        report = await world.status(prepared)
        assert report.state is LegState.SETTLED
        (trade,) = report.executions
        assert trade.final
        assert booked(world, wanted, trade) == await world.held()
        ether, dollars = await world.held()
        if wanted.side is Side.SELL:
            moved = (FUND_ETH - quote.max_spent, FUND_USD + quote.min_received)
        else:
            moved = (FUND_ETH + quote.min_received, FUND_USD - quote.max_spent)
        assert (ether, dollars) == moved

    play(chain, scenario)


def test_the_verdict_can_be_read_from_the_order_on_chain(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        assert prepared.notes["verdict"] == "0x" + verdict_of(SELL.order_id).hex()
        await world.server.solve()
        # From here on only what is public: the chain, and the document that is posted.
        head = await world.chain.head()
        settlement = world.deployment.settlement
        (found,) = await TRADE.find(world.chain, settlement, 0, head)
        uid = bytes(found.arguments["orderUid"])
        assert "0x" + uid.hex() == prepared.reference
        answer = await world.chain.rpc("eth_getTransactionByHash", found.transaction)
        posted = await world.api.order(uid)
        assert posted is not None
        document = posted["appData"]
        assert keccak(text=document).hex() in answer["input"]
        assert json.loads(document)["metadata"]["verdict"] == prepared.notes["verdict"]
        # The uid is the digest of the whole order: another document makes another uid.
        leg = Leg.of(prepared)
        other = replace(leg.order, document=document.replace("agent", "other"))
        assert leg.order.uid(31337, settlement) == uid
        assert other.uid(31337, settlement)[:32] != uid[:32]

    play(chain, scenario)


def test_an_order_without_a_verdict_is_not_signed(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        for broken in (b"", b"\1" * 31):
            world.adapter._verdict_of = lambda order_id, given=broken: given  # type: ignore[misc]
            with pytest.raises(ExecutionError):
                await world.prepare(SELL)
        assert await world.allowance(world.deployment.weth) == 0

    play(chain, scenario)


def test_the_contract_refuses_a_price_beyond_the_limit_and_a_replay(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        leg = Leg.of(prepared)
        one, signature = leg.order, signature_in(leg.creation)
        less = one.buy_amount - 1
        assert await world.solver.execute(one, signature, one.sell_amount, less) is None
        assert (await world.status(prepared)).state is LegState.SUBMITTED
        least = one.buy_amount
        assert await world.solver.execute(one, signature, one.sell_amount, least) is not None
        world.finalize()
        report = await world.status(prepared)
        assert report.state is LegState.SETTLED
        assert report.executions[0].price == SELL.limit
        assert report.executions[0].fee == 0
        assert await world.solver.execute(one, signature, one.sell_amount, least) is None
        assert (await world.status(prepared)).executions == report.executions

    play(chain, scenario)


def test_an_order_whose_limit_the_market_does_not_reach_rests_and_is_canceled_by_time(
    chain: Deployment,
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(order(Side.SELL, ONE, PRICE * 2))
        await world.server.solve()
        assert (await world.status(prepared)).state is LegState.SUBMITTED
        assert (await world.adapter.holdings(0)).open_references == (prepared.reference,)
        world.sleep(LIFE + 1)
        assert (await world.status(prepared)).state is LegState.EXPIRED
        world.finalize()
        assert (await world.status(prepared)).state is LegState.CANCELED
        assert await world.held() == (FUND_ETH, FUND_USD)
        await world.allowed(world.deployment.weth, 0)

    play(chain, scenario)


def test_a_fill_is_not_lost_when_the_storage_of_an_expired_order_is_freed(
    chain: Deployment,
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        await world.server.solve()
        world.sleep(LIFE + 1)
        settlement = world.deployment.settlement
        uid = bytes.fromhex(prepared.reference[2:])
        freeing = call_data("freeFilledAmountStorage(bytes[])", [uid])
        await world.solver.interact(settlement, freeing)
        world.finalize()
        amount = await world.chain.call(settlement, call_data("filledAmount(bytes)", uid))
        assert int.from_bytes(amount, "big") == 0
        assert (await world.status(prepared)).state is LegState.SETTLED

    play(chain, scenario)


@pytest.mark.parametrize("fault", [Fault.LIE, Fault.REFUSE, Fault.BEFORE])
def test_the_word_of_the_api_moves_no_book(chain: Deployment, fault: Fault) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.prepare(SELL)
        world.server.settling = False
        world.server.fault = fault
        await world.adapter.submit(prepared)
        await world.mined(prepared)
        await world.server.solve()
        world.finalize()
        report = await world.status(prepared)
        doubtful = LegState.UNKNOWN if fault is Fault.BEFORE else LegState.SUBMITTED
        assert (report.state, report.executions) == (doubtful, ())
        world.sleep(LIFE + 1)
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.executions) == (LegState.CANCELED, ())
        assert await world.held() == (FUND_ETH, FUND_USD)

    play(chain, scenario)


def test_an_order_that_the_api_says_it_refused_can_still_fill(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.prepare(SELL)
        world.server.fault = Fault.REFUSE
        assert (await world.adapter.submit(prepared)).state is LegState.SUBMITTED
        await world.mined(prepared)
        assert "refused" in (await world.status(prepared)).detail
        leg = Leg.of(prepared)
        await world.solver.settle(leg.order, signature_in(leg.creation))
        world.finalize()
        assert (await world.status(prepared)).state is LegState.SETTLED

    play(chain, scenario)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.HANG])
def test_an_order_posted_in_doubt_is_asked_for_and_made_once(
    chain: Deployment, fault: Fault
) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.prepare(SELL)
        world.server.fault = fault
        # The allowance is mined before the first report, or between the two.
        states = [(await world.adapter.submit(prepared)).state]
        await world.mined(prepared)
        states.append((await world.status(prepared)).state)
        assert LegState.UNKNOWN in states
        world.server.fault = Fault.NONE
        for _ in range(2):
            assert (await world.status(prepared)).state is LegState.SUBMITTED
            assert (await world.adapter.submit(prepared)).state is LegState.SUBMITTED
        assert list(world.server.orders) == [prepared.reference]
        await world.server.solve()
        world.finalize()
        report = await world.status(prepared)
        assert report.state is LegState.SETTLED
        assert (await world.held())[0] == FUND_ETH - ONE

    play(chain, scenario)


def test_a_request_to_cancel_is_no_cancellation(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        assert (await world.adapter.cancel(prepared)).state is LegState.SUBMITTED
        await world.server.solve()
        assert (await world.held()) == (FUND_ETH, FUND_USD)  # this API keeps its word
        leg = Leg.of(prepared)
        await world.solver.settle(leg.order, signature_in(leg.creation))  # a solver does not
        world.finalize()
        report = await world.status(prepared)
        assert report.state is LegState.SETTLED
        assert len(report.executions) == 1

    play(chain, scenario)


def test_an_api_that_has_no_such_order_to_cancel_has_not_canceled_it(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        world.server.orders.clear()
        assert (await world.adapter.cancel(prepared)).state is LegState.SUBMITTED
        assert world.server.orders == {}

    play(chain, scenario)


def test_an_order_invalidated_on_chain_is_canceled_once_that_is_final(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        await world.adapter.cancel(prepared)
        uid = bytes.fromhex(prepared.reference[2:])
        data = call_data("invalidateOrder(bytes)", uid)
        settlement = world.deployment.settlement
        deployer = world.solver._cow.deployer
        await deployer.transact(settlement, data, sender=world.signer.address)
        assert (await world.status(prepared)).state is LegState.SUBMITTED
        world.finalize()
        assert (await world.status(prepared)).state is LegState.CANCELED
        leg = Leg.of(prepared)
        assert await world.solver.settle(leg.order, signature_in(leg.creation)) is None

    play(chain, scenario)


def test_a_reorganised_fill_is_taken_back(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        await world.server.solve()
        assert (await world.status(prepared)).state is LegState.FILLED
        world.anvil.call("anvil_reorg", 1, [])
        report = await world.status(prepared)
        assert (report.state, report.executions) == (LegState.SUBMITTED, ())
        leg = Leg.of(prepared)
        await world.solver.settle(leg.order, signature_in(leg.creation))
        world.finalize()
        assert (await world.status(prepared)).state is LegState.SETTLED

    play(chain, scenario)


def test_the_allowance_is_what_open_orders_may_sell(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        weth = world.deployment.weth
        far = PRICE * 2
        resting = await world.sent(order(Side.SELL, 2 * ONE, far, "o1"))
        filling = await world.sent(order(Side.SELL, ONE, SELL.limit, "o2"))
        assert await world.allowance(weth) == 3 * 10**18
        await world.server.solve()
        assert await world.allowance(weth) == 2 * 10**18
        world.finalize()
        assert (await world.status(filling)).state is LegState.SETTLED
        third = await world.sent(order(Side.SELL, ONE, far, "o3"))
        assert await world.allowance(weth) == 3 * 10**18
        world.sleep(LIFE + 1)
        world.finalize()
        for one in (resting, third):
            assert (await world.status(one)).state is LegState.CANCELED
        await world.allowed(weth, 0)

    play(chain, scenario)


def test_what_a_buy_did_not_spend_is_not_left_allowed(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(BUY)
        await world.server.solve()
        assert await world.allowance(world.deployment.usd) > 0
        world.finalize()
        assert (await world.status(prepared)).state is LegState.SETTLED
        await world.allowed(world.deployment.usd, 0)

    play(chain, scenario)


def test_two_orders_settled_in_one_transaction_are_two_fills(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        legs = [await world.sent(order(Side.SELL, ONE, SELL.limit, f"o{n}")) for n in range(2)]
        signed = [Leg.of(one) for one in legs]
        trades = [
            (leg.order, signature_in(leg.creation), leg.order.sell_amount, leg.order.buy_amount)
            for leg in signed
        ]
        cow = world.solver._cow
        data = world.solver.settlement_of(trades)
        await cow.deployer.transact(cow.settlement, data, sender=cow.solver)
        world.finalize()
        found = [(await world.status(one)).executions for one in legs]
        assert [len(one) for one in found] == [1, 1]
        assert found[0][0].exec_id != found[1][0].exec_id
        known = dict((await world.adapter.holdings(0)).executions)
        assert known == {leg.reference: one[0] for leg, one in zip(legs, found, strict=True)}
        assert (await world.held())[0] == FUND_ETH - 2 * ONE

    play(chain, scenario)


def test_after_a_crash_between_prepare_and_submit_the_same_bytes_make_one_order(
    chain: Deployment,
) -> None:
    async def scenario(world: World) -> None:
        written = await world.prepare(SELL)
        kept = Prepared(
            written.leg_id, written.reference, written.payload, written.deadline, written.notes
        )
        world.restart()
        await world.adapter.start()
        await world.adapter.restore([kept])
        for _ in range(2):
            assert (await world.adapter.submit(kept)).state is LegState.SUBMITTED
            await world.mined(kept)
        # The allowance of the next one counts the order of before the crash.
        other = await world.sent(order(Side.SELL, ONE, SELL.limit, "o2"))
        assert await world.allowance(world.deployment.weth) == 2 * 10**18
        await world.server.solve()
        world.finalize()
        for one in (kept, other):
            assert (await world.status(one)).state is LegState.SETTLED
        assert list(world.server.orders) == [kept.reference, other.reference]

    play(chain, scenario)


def test_prices_lie_between_bid_and_ask_and_what_is_silent_has_none(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        price = (await world.adapter.prices([ETH_USD]))["ETH"]
        assert abs(price - PRICE) <= 2
        assert await world.adapter.depth([ETH_USD]) == {"ETH": 100 * ONE}
        for fault in (Fault.BEFORE, Fault.HANG):
            world.server.fault = fault
            assert await world.adapter.quote(ETH_USD, Side.SELL, ONE) is None
            assert await world.adapter.prices([ETH_USD]) == {}
        with pytest.raises(ExecutionError):
            await world.adapter.holdings(0)

    play(chain, scenario)


def test_a_trade_without_its_transfers_counts_for_nothing(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        await world.server.solve()
        world.finalize()
        assert (await world.status(prepared)).state is LegState.SETTLED
        blind = world.blinded()
        report = await blind.status(prepared)
        assert (report.state, report.executions) == (LegState.UNKNOWN, ())
        with pytest.raises(ExecutionError):
            await blind.holdings(0)
        await blind.close()

    play(chain, scenario)


@pytest.mark.parametrize("also", [True, False], ids=["also", "instead"])
def test_a_forged_trade_does_not_count_with_another_trades_transfers(
    chain: Deployment, also: bool
) -> None:
    async def scenario(world: World) -> None:
        first = await world.sent(SELL)
        second = await world.prepare(replace(SELL, order_id="o2"))
        await world.server.solve()
        world.finalize()
        uids = [one.reference.removeprefix("0x") for one in (first, second)]

        def forge(logs: list[dict[str, str]]) -> list[dict[str, str]]:
            made = [{**log, "data": log["data"].replace(*uids)} for log in logs]
            return (logs if also else []) + made

        deceived = world.deceived(forge)
        await deceived.start()
        report = await deceived.status(second)
        assert (report.state, report.executions) == (LegState.UNKNOWN, ())
        with pytest.raises(ExecutionError):
            await deceived.holdings(0)
        await deceived.close()

    play(chain, scenario)


def test_a_trade_counts_in_its_own_transaction_and_block_alone(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        prepared = await world.sent(SELL)
        await world.server.solve()
        world.finalize()
        head = await world.chain.head()
        (told,) = await TRADE.find(world.chain, world.deployment.settlement, 0, head)
        other = "0x" + "11" * 32
        for change, answered in (
            ({"transactionHash": other}, {other: told.transaction}),
            ({"blockNumber": hex(head)}, {}),
            ({"logIndex": "0xff"}, {}),
        ):
            deceived = world.deceived(
                lambda logs, change=change: [{**log, **change} for log in logs], answered
            )
            await deceived.start()
            report = await deceived.status(prepared)
            assert (report.state, report.executions) == (LegState.UNKNOWN, ())
            await deceived.close()
        twice = world.deceived(lambda logs: logs * 2)
        await twice.start()
        report = await twice.status(prepared)
        assert (report.state, len(report.executions)) == (LegState.SETTLED, 1)
        assert len((await twice.holdings(0)).executions) == 1
        await twice.close()

    play(chain, scenario)


def test_an_order_given_up_before_it_was_posted_is_never_posted(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        world.anvil.call("evm_setAutomine", False)
        try:
            prepared = await world.prepare(SELL)
            assert "pending" in (await world.adapter.submit(prepared)).detail
            await world.adapter.cancel(prepared)
        finally:
            world.anvil.call("evm_setAutomine", True)
        world.finalize()
        assert (await world.status(prepared)).state is LegState.SUBMITTED
        assert world.server.orders == {}

    play(chain, scenario)


def test_a_dearer_allowance_is_of_the_same_order(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        world.anvil.call("evm_setAutomine", False)
        try:
            prepared = await world.prepare(SELL)
            await world.adapter.submit(prepared)
            higher = await world.adapter.bump(prepared)
            assert higher is not None
            await world.adapter.submit(higher)
        finally:
            world.anvil.call("evm_setAutomine", True)
        world.finalize()
        assert higher.reference == prepared.reference
        assert (await world.status(higher)).state is LegState.SUBMITTED
        assert list(world.server.orders) == [prepared.reference]

    play(chain, scenario)


def test_posting_twice_is_harmless_and_a_forged_order_is_refused(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        leg = Leg.of(await world.sent(SELL))
        await world.api.post(leg.creation)
        assert world.server.posted == 2
        for change in (
            {"sellAmount": "1"},
            {"appData": leg.order.document.replace("agent", "other")},
            {"validTo": leg.order.valid_to + 1},
            {"receiver": "0x" + "11" * 20},
        ):
            with pytest.raises(ApiRefusedError):
                await world.api.post({**leg.creation, **change})
        assert len(world.server.orders) == 1

    play(chain, scenario)


def test_what_is_not_as_configured_is_refused_at_start(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        wrong_token = Pair(
            ETH_USD, world.deployment.weth, Token(world.deployment.usd.address, 18), "0x"
        )
        router = world.deployment.router
        for pair, settlement in ((wrong_token, None), (world.pair, router)):
            with pytest.raises(ExecutionError):
                await world.configured(pair, settlement).start()

    play(chain, scenario)


def test_a_solver_that_runs_beside_settles_what_comes(chain: Deployment) -> None:
    async def scenario(world: World) -> None:
        await world.server.stop()
        await world.reach(await world.server.start(0.01))
        prepared = await world.prepare(SELL)
        await world.adapter.submit(prepared)
        while (await world.status(prepared)).state is not LegState.SETTLED:
            world.finalize()
        await world.server.stop()

    play(chain, scenario)
