"""What chains and relayers do to legs, through desk and ledger; the book is always right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults_stage import PRICE, USD, Stage
from faults_world import Fund, Process, order, process, transfer_id

from agent_fund.devnet.packages import missing
from agent_fund.devnet.plan import CHAIN_A, CHAIN_B
from agent_fund.devnet.relayer import Filling
from agent_fund.domain.order import Order, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.execution.account import Bucket
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.batch import Batch
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)
CHAINS = pytest.mark.parametrize("venue", [CHAIN_A, CHAIN_B])


@contextmanager
def mined_by_hand(stage: Stage, venue: str) -> Iterator[None]:
    anvil = stage.network.sides[venue].anvil
    anvil.call("evm_setAutomine", False)
    try:
        yield
    finally:
        anvil.call("evm_setAutomine", True)
        anvil.call("anvil_mine", hex(3))


def buy(venue: str, limit: str = "1500") -> Order:
    return order(venue, Side.BUY, "0.1", limit)


def state(one: Process, made: Order) -> LegState:
    return one.legs.leg(made.order_id).state


def hashes(one: Process, made: Order) -> list[str]:
    prepared = one.legs.leg(made.order_id).prepared
    assert prepared is not None
    return [hash for call in Batch.decode(prepared.payload).transactions for hash in call.hashes]


@CHAINS
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed meanwhile"])
def test_a_fill_that_a_reorganisation_of_depth_3_takes_back_is_booked_only_once_it_is_final(
    stage: Stage, fund: Fund, tmp_path: Path, venue: str, killed: bool
) -> None:
    anvil = stage.network.sides[venue].anvil
    stage.mine(3)
    fund.skew = 0.0
    before = stage.truth(venue)
    made = buy(venue)
    one = Process(stage, fund, tmp_path / "live.sqlite", {venue: before})
    try:
        with mined_by_hand(stage, venue):
            one.desk.send([made], 0)
            anvil.call("anvil_mine", hex(1))
            one.bar(1, blocks=1)
            assert state(one, made) is LegState.FILLED
            assert not any(e.final for e in one.legs.executions(made.order_id))
            assert stage.truth(venue) != before
            assert one.books(venue) == before  # provisional: nothing is told yet
            anvil.call("anvil_reorg", 3, [])
            assert stage.truth(venue) == before
            if killed:
                one.end()
                fund.skew = 0.0
                one = Process(stage, fund, tmp_path / "live.sqlite", {venue: before})
                one.desk.send([made], 0)
                one.desk.arrive(1)
                one.desk.on_open(1, {}, {})
            one.tend()
            assert state(one, made) is LegState.SUBMITTED
            assert one.legs.executions(made.order_id) == []
            for bar in range(2, 12):
                one.bar(bar, blocks=1)
                if not one.desk.open_orders:
                    break
                assert one.books(venue) == before
        assert state(one, made) is LegState.SETTLED
        assert stage.truth(venue)[1] == before[1] + made.quantity
        assert one.books(venue) == stage.truth(venue)
        assert not one.alarms.all()
    finally:
        one.end()


@CHAINS
def test_an_order_stuck_behind_a_base_fee_that_has_risen_is_bumped_in_its_own_nonce(
    stage: Stage, fund: Fund, tmp_path: Path, venue: str
) -> None:
    anvil = stage.network.sides[venue].anvil
    with process(stage, fund, tmp_path, venue) as one, mined_by_hand(stage, venue):
        before = stage.truth(venue)
        made = buy(venue)
        one.desk.send([made], 0)
        first = hashes(one, made)
        anvil.call("anvil_setNextBlockBaseFeePerGas", hex(20 * 10**9))
        anvil.call("anvil_mine", hex(1))
        one.tend()
        assert state(one, made) is LegState.SUBMITTED
        assert stage.truth(venue) == before
        for bar in range(1, 12):
            one.bar(bar, blocks=1)
            if not one.desk.open_orders:
                break
        assert state(one, made) is LegState.SETTLED
        assert set(first) < set(hashes(one, made))  # other bytes in the same nonces
        assert stage.truth(venue)[1] == before[1] + made.quantity
        assert one.books(venue) == stage.truth(venue)


def sandwich(stage: Stage, venue: str) -> None:
    """A purchase of a tenth of the pool, with a tip that puts it before everything else."""
    side = stage.network.sides[venue]
    own, dollars = side.deployer.address, 2_000_000 * 10**6
    pair = (side.dollar.address, side.weth)
    if venue == CHAIN_A:
        name = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        router, data = side.v2.router, call_data(name, dollars, 0, list(pair), own, 2**63)
    else:
        swap = (*pair, 3_000, own, 2**63, dollars, 0, 0)
        name = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
        router, data = side.v3.router, call_data(name, swap)
    tip = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**11)}
    sent = {"from": own, "to": router, "data": "0x" + data.hex(), "gas": hex(10**6)}
    side.anvil.call("eth_sendTransaction", sent | tip)


@CHAINS
def test_an_order_whose_price_is_taken_before_it_in_its_block_moves_nothing_and_gives_all_back(
    stage: Stage, fund: Fund, tmp_path: Path, venue: str
) -> None:
    with process(stage, fund, tmp_path, venue) as one:
        before = stage.truth(venue)
        made = buy(venue, limit="1230")
        with mined_by_hand(stage, venue):
            one.desk.send([made], 0)
            sandwich(stage, venue)
            one.bar(1, blocks=1)
            assert one.books(venue) == stage.truth(venue) == before
            assert one.desk.open_orders  # until that block is final
        one.bar(2)
        stage.run(stage.network.sides[venue].move(PRICE))
        assert not one.desk.open_orders
        assert state(one, made) is LegState.CANCELED
        assert one.books(venue) == stage.truth(venue) == before
        assert one.ledger.balance(venue, USD, Bucket.RESERVED) == 0


@pytest.mark.parametrize(("source", "target"), [(CHAIN_A, CHAIN_B), (CHAIN_B, CHAIN_A)])
def test_a_transfer_that_no_relayer_fills_is_under_way_until_it_is_refunded(
    fund: Fund, tmp_path: Path, source: str, target: str
) -> None:
    stage = Stage(tmp_path / "devnet")  # of its own: its chains' clocks are put forward
    relayer = stage.network.relayer
    assert relayer is not None
    amount = 5_000 * 10**8
    life, refund = 120, 600
    try:
        with process(stage, fund, tmp_path, source, target, life=life) as one:
            (money, _), (elsewhere, _) = stage.truth(source), stage.truth(target)
            transit = Transit(transfer_id(), Transfer(amount, source, target, 10 * 10**8), 1)
            relayer.filling, relayer.refunding = Filling.NEVER, False
            seen: list[LegState] = []

            def bar(number: int) -> LegState:
                one.bar(number)
                found = one.legs.leg(transit.transfer_id).state
                if found is not LegState.REFUNDED:
                    # Gone from its source, not at its target, nowhere else: under way.
                    assert one.desk.book().transit == (transit,)
                    assert one.books(source) == (money - amount, 0)
                    # What the hub has paid is the book's only once it is final.
                    assert relayer.refunding or one.books(source) == stage.truth(source)
                    assert one.books(target) == stage.truth(target) == (elsewhere, 0)
                seen.append(found)
                return found

            one.desk.transfer(transit, 0)
            assert one.books(source)[0] == money - amount
            assert bar(1) is LegState.ORIGIN_CONFIRMED
            later(stage, life + 60)
            assert bar(2) is LegState.REFUND_PENDING
            later(stage, refund + 60)
            assert bar(3) is LegState.STUCK
            (alarm,) = one.alarms.all()
            assert alarm.subject == transit.transfer_id
            relayer.refunding = True
            bar(4)
            assert bar(5) is LegState.REFUNDED
            assert one.desk.book().transit == ()
            assert one.books(source) == stage.truth(source) == (money, 0)
            assert one.books(target) == stage.truth(target) == (elsewhere, 0)
            relayer.filling = Filling.LATE
            bar(6)
            assert one.books(target) == stage.truth(target)
    finally:
        stage.down()


def later(stage: Stage, seconds: int) -> None:
    """Both chains' clocks are put forward."""
    for side in stage.network.sides.values():
        side.anvil.call("evm_increaseTime", hex(seconds))
