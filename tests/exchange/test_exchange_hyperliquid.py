"""Hyperliquid: actions signed once, accepted once, verified by an implementation of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest
from exchange_world import FAR, HYPER, IN_COIN, IN_QUOTE, OWNER, USD, Signer, World, order, world
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.devnet.exchange.faults import Fault
from agent_fund.devnet.exchange.hyperliquid_signature import Nonces, action_hash
from agent_fund.devnet.exchange.msgpack import packed
from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.exchange.connect import hyperliquid
from agent_fund.execution.exchange.hyperliquid_action import ActionSigner
from agent_fund.execution.live.leg_state import LegState

CLIENT = ccxt.hyperliquid()  # never connected
TEXT = st.text("abcdef0123456789xGtcioa", max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**64 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(TEXT, inner, max_size=20),
)


@given(VALUES)
def test_the_two_msgpack_encoders_agree(value: Any) -> None:
    assert packed(value) == ccxt.Exchange.packb(value)


MOMENTS = st.integers(1_200_000_000_000, 4_000_000_000_000)  # 2008 to 2096


@given(MOMENTS, st.none() | MOMENTS)
def test_the_two_action_hashes_agree(nonce: int, expires: int | None) -> None:
    action = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": "0x" + "ab" * 16}]}
    assert CLIENT.action_hash(action, None, nonce, expires) == action_hash(action, nonce, expires)


def test_the_signature_is_the_one_that_ccxt_makes_with_the_key_itself() -> None:
    async def run() -> None:
        client = ccxt.hyperliquid({"privateKey": OWNER.key.hex()})
        action = {"type": "scheduleCancel", "time": 1_790_000_000_000}
        request = await ActionSigner(client, Signer(), lambda: 1_789_000_000_000).request(
            action, 1_789_000_005_000
        )
        made = client.sign_l1_action(action, request["nonce"], None, request["expiresAfter"])
        assert [int(made[part], 16) for part in "rs"] == [
            int(request["signature"][part], 16) for part in "rs"
        ]
        assert made["v"] == request["signature"]["v"]

    asyncio.run(run())


def _actions(w: World) -> list[dict[str, Any]]:
    """The actions that reached the exchange."""
    bodies = [seen["body"] for _, path, seen in w.exchange.seen if path == "/exchange"]
    return [json.loads(body)["action"] for body in bodies]


def test_an_order_fills_and_nothing_but_the_order_was_ever_signed() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            prepared = await adapter.prepare(order(Side.BUY, "1.5", "60010", instrument=HYPER), FAR)
            report = await adapter.submit(prepared)
            assert report.state is LegState.SUBMITTED
            w.exchange.set_price("BTCUSDT", Decimal(59_900))
            report = await adapter.status(prepared)
            assert report.state is LegState.SETTLED
            assert sum(e.quantity for e in report.executions) == HYPER.quantity("1.5")
            held = await adapter.holdings(0)
            assert USD.amount(held.assets["USD"]) == w.exchange.usdc_account.cash
            assert held.assets["BTCH"] == HYPER.quantity("1.5")
            assert [reference for reference, _ in held.executions] == [prepared.reference] * 2
            (action,) = _actions(w)
            assert action["type"] == "order"
            assert "builder" not in action

    asyncio.run(run())


def test_ccxts_own_create_order_trades_here_and_signs_an_approval_for_a_builder_first() -> None:
    async def run() -> None:
        async with world() as w:
            client = ccxt.hyperliquid(
                {
                    "privateKey": OWNER.key.hex(),
                    "walletAddress": OWNER.address,
                    "options": {"fetchMarkets": {"types": ["swap"]}},
                }
            )
            client.urls["api"] = {"public": w.exchange.url, "private": w.exchange.url}
            client.milliseconds = w.clock.now
            client.timeout_on_exit = 0
            try:
                client.has["fetchCurrencies"] = False
                await client.load_markets()
                cloid = {"clientOrderId": "0x" + "01" * 16}
                await client.create_order("BTC/USDC:USDC", "limit", "buy", "0.25", "60010", cloid)
                kinds = {action["type"] for action in _actions(w)}
                assert kinds == {"approveBuilderFee", "setReferrer", "order"}
            finally:
                await client.close()
            assert w.exchange.usdc_account.position("BTC").quantity == Decimal("0.25")

    asyncio.run(run())


def test_the_same_bytes_sent_again_place_nothing_more() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            prepared = await adapter.prepare(order(Side.BUY, "1", "60010", instrument=HYPER), FAR)
            assert (await adapter.submit(prepared)).state is LegState.SETTLED
            api: Any = adapter._api
            with pytest.raises(Exception, match="duplicate nonce"):
                await api.connection.call("privatePostExchange", json.loads(prepared.payload))
            assert len(w.exchange.hyperliquid.orders) == 1

    asyncio.run(run())


def test_bytes_whose_first_sending_is_held_may_be_sent_again_at_once() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            prepared = await adapter.prepare(order(Side.BUY, "1", "60010", instrument=HYPER), FAR)
            w.exchange.faults.arm(Fault.LATE, "POST", "/exchange")
            assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
            assert (await adapter.submit(prepared)).state is LegState.SETTLED
            w.exchange.release()
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(w.exchange.hyperliquid.orders) == 1

    asyncio.run(run())


def test_an_order_is_void_when_it_says_so_or_at_its_deadline() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            for name, deadline, wait in (("a", FAR, 6), ("b", 2, 3)):
                deadline += 0 if deadline == FAR else w.clock.ms // 1000
                made = order(Side.BUY, "1", "60010", name, HYPER)
                prepared = await adapter.prepare(made, deadline)
                assert prepared.deadline <= deadline
                w.exchange.faults.arm(Fault.LATE, "POST", "/exchange")
                assert (await adapter.submit(prepared)).state is LegState.UNKNOWN
                w.clock.pass_by(wait)
                w.exchange.release()
                for _ in range(50):
                    await asyncio.sleep(0)
                w.clock.pass_by(7)
                assert (await adapter.status(prepared)).state is LegState.CANCELED
                assert (await adapter.submit(prepared)).state is LegState.CANCELED
            assert w.exchange.hyperliquid.orders == {}

    asyncio.run(run())


FIGURES = [
    ("60000.5", "60000", "60001"),
    ("59999.9", "59999", "60000"),
    ("123456", "123456", "123456"),
    ("123456.7", "123456", "123457"),
    ("9999.87", "9999.8", "9999.9"),
    ("9999.97", "9999.9", "10000"),
    ("10000.1", "10000", "10001"),
    ("99.99", "99.9", "100"),  # its tick is 0.1
]


def _tampered(request: dict[str, Any], part: str) -> dict[str, Any]:
    if part == "size":
        request["action"]["orders"][0]["s"] = "9"
    elif part == "side":
        request["action"]["orders"][0]["b"] = False
    elif part == "builder":
        request["action"]["builder"] = {"b": "0x" + "22" * 20, "f": 10}
    else:
        request[part] += 1
    return request


@pytest.mark.parametrize("part", ["size", "side", "builder", "nonce", "expiresAfter"])
def test_a_tampered_action_comes_from_a_stranger(part: str) -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            prepared = await adapter.prepare(order(Side.BUY, "1", "60010", instrument=HYPER), FAR)
            api: Any = adapter._api
            request = _tampered(json.loads(prepared.payload), part)
            with pytest.raises(Exception, match="does not exist"):
                await api.connection.call("privatePostExchange", request)
            assert w.exchange.hyperliquid.orders == {}

    asyncio.run(run())


def test_refusals_cancels_and_orders_that_may_not_rest() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper(good="IOC")
            away = await adapter.prepare(order(Side.BUY, "1", "50000", instrument=HYPER), FAR)
            report = await adapter.submit(away)
            assert (report.state, report.executions) == (LegState.CANCELED, ())
            poor = await adapter.prepare(order(Side.BUY, "100", "60010", "b", HYPER), FAR)
            assert (await adapter.submit(poor)).state is LegState.REJECTED
            w.clock.pass_by(1)  # two clients of one key in one millisecond would share a nonce
            resting = await w.hyper()
            prepared = await resting.prepare(order(Side.BUY, "1", "50000", "c", HYPER), FAR)
            assert (await resting.submit(prepared)).state is LegState.SUBMITTED
            assert (await resting.holdings(0)).open_references == (prepared.reference,)
            assert (await resting.cancel(prepared)).state is LegState.CANCELED
            assert (await resting.cancel(prepared)).state is LegState.CANCELED

    asyncio.run(run())


def test_funding_and_the_dead_man_timer() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = await w.hyper()
            filled = await adapter.prepare(order(Side.BUY, "1", "60010", "b", HYPER), FAR)
            await adapter.submit(filled)
            w.exchange.fund("BTCUSDT", Decimal("0.0000125"))
            (paid,) = await adapter.funding(0)
            assert USD.amount(paid.amount) == Decimal("-0.75")
            resting = await adapter.prepare(order(Side.BUY, "1", "50000", instrument=HYPER), FAR)
            await adapter.submit(resting)
            with pytest.raises(ExecutionError, match="dead-man timer"):
                await adapter.arm_dead_man(4)  # five seconds at least
            await adapter.arm_dead_man(10)
            await adapter.arm_dead_man(0)
            w.clock.pass_by(20)
            assert (await adapter.status(resting)).state is LegState.SUBMITTED
            await adapter.arm_dead_man(10)
            w.clock.pass_by(10)
            assert (await adapter.status(resting)).state is LegState.CANCELED

    asyncio.run(run())


@pytest.mark.parametrize(("limit", "bought", "sold"), FIGURES)
def test_a_price_with_too_many_figures_is_rounded_to_the_safe_side_of_the_limit(
    limit: str, bought: str, sold: str
) -> None:
    async def run() -> None:
        async with world() as w:
            fine = replace(HYPER, tick=1, price_scale=2)
            adapter = hyperliquid(
                "hyperliquid", Signer(), OWNER.address, {fine: "BTC"}, IN_QUOTE, w.setting
            )
            w.made.append(adapter)
            await adapter.start()
            for side, expected in ((Side.BUY, bought), (Side.SELL, sold)):
                made = order(side, "1", limit, side.value, fine)
                prepared = await adapter.prepare(made, FAR)
                (sent,) = json.loads(prepared.payload)["action"]["orders"]
                assert sent["p"] == expected
                assert Decimal(prepared.notes["price"]) == Decimal(expected)

    asyncio.run(run())


def test_a_prepaid_coin_is_no_use_there() -> None:
    async def run() -> None:
        async with world() as w:
            adapter = hyperliquid(
                "hyperliquid", Signer(), OWNER.address, {HYPER: "BTC"}, IN_COIN, w.setting
            )
            try:
                with pytest.raises(ExecutionError, match="charges USDC"):
                    await adapter.start()
            finally:
                await adapter.close()

    asyncio.run(run())


def test_each_nonce_works_once_and_old_ones_not_at_all() -> None:
    nonces, now = Nonces(), 10**12
    for number in range(101):
        assert nonces.use(now + 2 * number, now) is None
    assert "duplicate" in str(nonces.use(now + 200, now))
    assert "below" in str(nonces.use(now, now))  # forgotten, and for that refused
    assert nonces.use(now + 101, now) is None
    assert "too far" in str(nonces.use(now - 3 * 86_400_000, now))
