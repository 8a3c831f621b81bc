"""What a relayer, a hub or a stranger may do wrongly: none of it is ever booked as the fill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from across_world import FEE, FUND, REFUND, USD, Deployment, World, deployments, play
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agent_fund.devnet.across import deploy_across
from agent_fund.devnet.deploy import Deployer
from agent_fund.devnet.packages import missing
from agent_fund.devnet.relayer import Filling
from agent_fund.devnet.tokens import allow_all, deploy_weth, mint
from agent_fund.execution.across.contracts import FILLED_RELAY, RELAY_TUPLE
from agent_fund.execution.across.relay import Relay
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.live.adapter import Prepared
from agent_fund.execution.live.leg_state import LegState

pytestmark = pytest.mark.skipif(
    bool(missing()),
    reason="the devnet's npm packages are absent: run `agent-fund devnet fetch` (needs Node.js)",
)

AMOUNT = 100 * 10**8
FILL = f"fillV3Relay({RELAY_TUPLE},uint256)"


@pytest.fixture(scope="module")
def chains() -> Iterator[list[Deployment]]:
    with deployments() as found:
        yield found


async def opened(world: World, amount: int = AMOUNT, leg: str = "t1") -> tuple[Prepared, Relay]:
    """A deposit that is final, and its relay."""
    prepared = await world.sent(amount, leg=leg)
    world.mine("east")
    return prepared, await world.relay()


async def filled(world: World, relay: Relay, sender: str, pool: str | None = None) -> None:
    """``sender`` fills ``relay`` at the target, and it is final there."""
    side = world.sides["west"]
    data = call_data(FILL, relay.data, relay.origin_chain)
    await side.deployer.transact(pool or side.spoke_pool, data, sender=sender)
    world.mine("west")


async def ends_refunded(world: World, prepared: Prepared) -> None:
    """The leg expires, and exactly its amount comes back."""
    assert await world.state(prepared) is LegState.ORIGIN_CONFIRMED
    world.relayer.filling = Filling.NEVER
    world.expire()
    world.finalize()
    assert await world.state(prepared) is LegState.REFUND_PENDING
    await world.relayer.turn()
    world.finalize()
    report = await world.status(prepared)
    assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
    assert await world.held("east") == FUND


@pytest.mark.parametrize("filling", [Filling.SHORT, Filling.ELSEWHERE])
def test_a_fill_with_another_amount_or_recipient_never_counts(
    chains: list[Deployment], filling: Filling
) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        world.relayer.filling = filling
        await world.relayer.turn()
        world.finalize()
        # The pool accepted it, and told of it under the number of our deposit.
        side, chain = world.sides["west"], world.chains["west"]
        indexed = (relay.origin_chain, relay.deposit_id)
        head = await chain.head()
        assert len(await FILLED_RELAY.find(chain, side.spoke_pool, 0, head, indexed)) == 1
        await ends_refunded(world, prepared)

    play(chains, scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"output_amount": 1},
        {"input_amount": 1},
        {"deposit_id": 7},
        {"origin_chain": 1},
        {"message": b"1"},
        {"depositor": "0x" + "11" * 20},
        {"input_token": "0x" + "11" * 20},
        {"exclusive_relayer": "0x" + "11" * 20},
        {"exclusivity_deadline": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_belongs_to_the_relay(
    chains: list[Deployment], change: dict[str, object]
) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        other = replace(relay, **change)  # type: ignore[arg-type]
        assert other.hash != relay.hash
        await filled(world, other, world.relayer.address)
        await ends_refunded(world, prepared)

    play(chains, scenario)


def test_a_deposit_that_is_not_what_was_ordered_is_a_doubt(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared, _ = await opened(world)
        other = replace(prepared, notes={**prepared.notes, "output_amount": "1"})
        assert await world.state(other) is LegState.UNKNOWN

    play(chains, scenario)


def test_a_fill_in_another_pool_does_not_count(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        side = world.sides["west"]
        weth = await deploy_weth(side.deployer)
        false_pool = (await deploy_across(side.deployer, side.token, weth)).spoke_pool
        own = Deployer(side.deployer.chain, world.relayer.address)
        await allow_all(own, side.token.address, false_pool)
        await filled(world, relay, world.relayer.address, false_pool)
        assert await world.held("west") == FUND + FEE.after(AMOUNT)  # real money, but not the fill
        await ends_refunded(world, prepared)

    play(chains, scenario)


def test_a_fill_by_the_recipient_itself_moves_nothing_and_does_not_count(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        await filled(world, relay, world.signer.address)
        assert await world.state(prepared) is LegState.UNKNOWN
        world.expire()
        world.sleep(REFUND)
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.STUCK, None)

    play(chains, scenario)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["less", "elsewhere"])
def test_a_fill_changed_by_a_signed_update_does_not_count(
    chains: list[Deployment], elsewhere: bool
) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        amount = relay.output_amount if elsewhere else 1
        recipient = "0x" + "11" * 20 if elsewhere else relay.recipient
        fields = [
            ("depositId", "uint32"),
            ("originChainId", "uint256"),
            ("updatedOutputAmount", "uint256"),
            ("updatedRecipient", "address"),
            ("updatedMessage", "bytes"),
        ]
        values = (relay.deposit_id, relay.origin_chain, amount, recipient, b"")
        domain = [("name", "string"), ("version", "string"), ("chainId", "uint256")]
        signature = await world.signer.sign_typed_data(
            {
                "types": {
                    "EIP712Domain": [{"name": n, "type": t} for n, t in domain],
                    "UpdateDepositDetails": [{"name": n, "type": t} for n, t in fields],
                },
                "primaryType": "UpdateDepositDetails",
                "domain": {"name": "ACROSS-V2", "version": "1.0.0", "chainId": relay.origin_chain},
                "message": {name: v for (name, _), v in zip(fields, values, strict=True)},
            }
        )
        side = world.sides["west"]
        data = call_data(
            f"fillV3RelayWithUpdatedDeposit({RELAY_TUPLE},uint256,uint256,address,bytes,bytes)",
            *(relay.data, relay.origin_chain, amount, recipient, b"", signature),
        )
        await side.deployer.transact(side.spoke_pool, data, sender=world.relayer.address)
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.UNKNOWN, None)

    play(chains, scenario)


def test_a_slow_fill_by_the_hub_counts_with_what_it_brought(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        prepared, relay = await opened(world)
        side = world.sides["west"]
        await mint(side.deployer, side.token.address, side.spoke_pool, 10**21)
        request = call_data(f"requestV3SlowFill({RELAY_TUPLE})", relay.data)
        await side.deployer.transact(side.spoke_pool, request)
        brought = FEE.after(AMOUNT) + 12_345
        leaf = (relay.data, relay.destination_chain, side.token.exactly(brought, USD))
        kind = f"({RELAY_TUPLE},uint256,uint256)"
        root = keccak(encode([kind], [leaf]))
        bundle = call_data("relayRootBundle(bytes32,bytes32)", bytes(32), root)
        await side.deployer.transact(side.spoke_pool, bundle)
        execute = f"executeV3SlowRelayLeaf({kind},uint32,bytes32[])"
        await side.deployer.transact(side.spoke_pool, call_data(execute, leaf, 0, []))
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.SETTLED, brought)
        assert await world.held("west") == FUND + brought

    play(chains, scenario)


def test_two_fills_in_one_transaction_count_once_each(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        legs, calls = [], []
        for number in range(2):
            prepared, relay = await opened(world, leg=f"t{number}")
            legs.append(prepared)
            calls.append(call_data(FILL, relay.data, relay.origin_chain))
        side = world.sides["west"]
        both = call_data("multicall(bytes[])", calls)
        await side.deployer.transact(side.spoke_pool, both, sender=world.relayer.address)
        world.finalize()
        for prepared in legs:
            report = await world.status(prepared)
            assert (report.state, report.received) == (LegState.SETTLED, FEE.after(AMOUNT))
        assert await world.held("west") == FUND + 2 * FEE.after(AMOUNT)
        # Had the second not brought its own, the first one's would not be counted for it.
        blind = world.blinded("west", kept=1)
        states = [(await blind.status(prepared)).state for prepared in legs]
        assert states == [LegState.SETTLED, LegState.UNKNOWN]

    play(chains, scenario)


def test_a_hub_that_refunds_two_deposits_in_one_sum_ends_both(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        first, _ = await opened(world, AMOUNT, "first")
        second, _ = await opened(world, 3 * AMOUNT, "second")
        world.expire()
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        for prepared, amount in ((first, AMOUNT), (second, 3 * AMOUNT)):
            report = await world.status(prepared)
            assert (report.state, report.received) == (LegState.REFUNDED, amount)
        assert await world.held("east") == FUND

    play(chains, scenario)


def test_one_refund_for_two_deposits_of_one_amount_ends_one(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        legs = [(await opened(world, leg=f"t{number}"))[0] for number in range(2)]
        world.expire()
        world.finalize()
        units = world.sides["east"].token.exactly(AMOUNT, USD)
        await world.relayer.pay(31337, world.signer.address, units)
        world.finalize()
        states = [await world.state(prepared) for prepared in legs]
        assert states == [LegState.REFUNDED, LegState.REFUND_PENDING]

    play(chains, scenario)


async def deposited_for_elsewhere(world: World, amounts: list[int]) -> None:
    """A stranger's deposits in the fund's name, for a chain where the fund has no place."""
    side, chain = world.sides["east"], world.chains["east"]
    stranger = (await chain.rpc("eth_accounts"))[7]
    await mint(side.deployer, side.token.address, stranger, sum(amounts))
    own = Deployer(chain, stranger)
    await allow_all(own, side.token.address, side.spoke_pool)
    route = call_data("setEnableRoute(address,uint256,bool)", side.token.address, 10, True)
    await side.deployer.transact(side.spoke_pool, route)
    for amount in amounts:
        now = await chain.now()
        data = call_data(
            "depositV3(address,address,address,address,uint256,uint256,uint256,address,"
            "uint32,uint32,uint32,bytes)",
            *(world.signer.address, stranger, side.token.address, stranger, amount, amount, 10),
            *("0x" + "00" * 20, now, now + 300, 0, b""),
        )
        await own.transact(side.spoke_pool, data, sender=stranger)


@pytest.mark.parametrize("paid", [[], [1], [1, 2_000_000]], ids=["none", "one", "both"])
def test_gifts_for_a_third_chain_hide_no_refund(chains: list[Deployment], paid: list[int]) -> None:
    """A hub pays what it owes one address in one sum; which gifts are in it, nobody here knows."""

    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared, _ = await opened(world)
        await deposited_for_elsewhere(world, [1, 2_000_000])
        world.expire()
        world.finalize()
        side = world.sides["east"]
        await mint(side.deployer, side.token.address, side.spoke_pool, sum(paid))
        units = side.token.exactly(AMOUNT, USD)
        await world.relayer.pay(31337, world.signer.address, units + sum(paid))
        world.finalize()
        report = await world.status(prepared)
        assert (report.state, report.received) == (LegState.REFUNDED, AMOUNT)
        assert await world.held("east") == FUND + side.token.arrived(sum(paid), USD)

    play(chains, scenario)


def test_a_gift_alone_or_a_sum_that_no_gift_explains_refunds_nothing(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared, _ = await opened(world)
        await deposited_for_elsewhere(world, [1, 5])
        world.expire()
        world.finalize()
        side = world.sides["east"]
        await mint(side.deployer, side.token.address, side.spoke_pool, 10**12)
        units = side.token.exactly(AMOUNT, USD)
        for amount in (1, 5, units - 1, units + 2, units + 7):
            await world.relayer.pay(31337, world.signer.address, amount)
        world.finalize()
        assert await world.state(prepared) is LegState.REFUND_PENDING

    play(chains, scenario)


def test_a_refund_of_another_amount_is_nobodys(chains: list[Deployment]) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared, _ = await opened(world)
        world.expire()
        world.finalize()
        side = world.sides["east"]
        await mint(side.deployer, side.token.address, side.spoke_pool, 10**12)
        units = side.token.exactly(AMOUNT, USD)
        for amount in (units - 1, units + 1, 2 * units):
            await world.relayer.pay(31337, world.signer.address, amount)
        world.finalize()
        assert await world.state(prepared) is LegState.REFUND_PENDING

    play(chains, scenario)


def test_a_transfer_of_the_amount_that_is_no_refund_does_not_count(
    chains: list[Deployment],
) -> None:
    async def scenario(world: World) -> None:
        world.relayer.filling = Filling.NEVER
        prepared, _ = await opened(world)
        world.expire()
        world.finalize()
        side = world.sides["east"]
        await mint(
            side.deployer, side.token.address, world.signer.address, side.token.exactly(AMOUNT, USD)
        )
        world.finalize()
        assert await world.state(prepared) is LegState.REFUND_PENDING

    play(chains, scenario)


@pytest.mark.parametrize("place", ["east", "west"])
def test_an_event_without_its_transfer_counts_for_nothing(
    chains: list[Deployment], place: str
) -> None:
    async def scenario(world: World) -> None:
        prepared, _ = await opened(world)
        world.relayer.filling = Filling.HONEST if place == "west" else Filling.NEVER
        world.relayer.refunding = place == "east"
        if place == "east":
            world.expire()
        world.finalize()
        await world.relayer.turn()
        world.finalize()
        true = await world.status(prepared)
        ended = LegState.REFUNDED if place == "east" else LegState.SETTLED
        assert true.state is ended
        blind = world.blinded(place)
        report = await blind.status(prepared)
        assert not report.state.ended
        assert report.received is None

    play(chains, scenario)
