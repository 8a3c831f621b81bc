"""The Python side: digests as the contract has them, and a guard that signs what orders cover."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

import pytest
from contracts_world import (
    EXECUTOR,
    FAR,
    GUARD,
    MANDATE,
    STRANGER,
    KeyOf,
    World,
    called,
    nothing,
    refusal,
)
from eth_abi.abi import encode
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.instrument import Asset, Instrument, Venue
from agent_fund.domain.order import Order, Purpose, Side, Status
from agent_fund.execution.custody.artifact import artifact
from agent_fund.execution.custody.calldata import Exactly
from agent_fund.execution.custody.cover import Cover
from agent_fund.execution.custody.safe_account import SafeAccount
from agent_fund.execution.custody.verdict import ETH, TYPE, Domain, Verdict, intent_id, nonce_of
from agent_fund.execution.custody.verdict_signer import VerdictSigner
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data
from agent_fund.execution.evm.call import NOTHING, Action, Call
from agent_fund.execution.evm.token import Token
from agent_fund.execution.evm.uniswap_v2 import UniswapV2
from agent_fund.execution.evm.uniswap_v3 import UniswapV3

ROUTER, GOLD, CASH, SAFE, QUOTER = ("0x" + f"{n:02x}" * 20 for n in (17, 34, 51, 68, 85))
COIN, DOLLAR = Asset("COIN", 8), Asset("USD", 12)
LINE = Instrument("COIN", COIN, DOLLAR, Venue("pool"), 2)
BASE, QUOTE = Token(GOLD, 8), Token(CASH, 6)
AMM = UniswapV2(ROUTER)
EXACT = Context(prec=200)
words = st.binary(min_size=32, max_size=32)
numbers = st.integers(0, 2**256 - 1)
addresses = st.sampled_from([ROUTER, GOLD, CASH, NOTHING, ETH])


def order(side: Side, quantity: int = 300_000_000, limit: int = 12_345, **changed: Any) -> Order:
    made = Order("leg", LINE, side, quantity, limit, Purpose.AGENT, 9)
    return dataclasses.replace(made, **changed)


def action(data: bytes, spent: tuple[str, int], received: tuple[str, int]) -> Action:
    return Action(Call(ROUTER, data), ROUTER, *spent, *received)


def signer(covers: Mapping[str, Cover], domain: Domain | None = None) -> VerdictSigner:
    domain = domain or Domain(1, STRANGER.address)
    return VerdictSigner(KeyOf(GUARD), domain, MANDATE, covers.get)


BUYS = AMM.exact_out(CASH, GOLD, 300_000_000, 370_350_000, SAFE, 1_000)
SELLS = AMM.exact_in(GOLD, CASH, 300_000_000, 370_350_000, SAFE, 1_000)
BOUGHT = action(BUYS, (CASH, 370_350_000), (GOLD, 300_000_000))
SOLD = action(SELLS, (GOLD, 300_000_000), (CASH, 370_350_000))
BUYING = Cover.of_order(order(Side.BUY), BASE, QUOTE, AMM, SAFE, 1_000)
SELLING = Cover.of_order(order(Side.SELL), BASE, QUOTE, AMM, SAFE, 1_000)


def test_an_order_covers_its_own_amounts_to_the_unit() -> None:
    # 3 coins at 123.45 are 370.35 dollars: 370,350,000 of a token with 6 decimals.
    BUYING.require(BOUGHT, 1_000)
    SELLING.require(SOLD, 1_000)
    assert (BUYING.most_in, BUYING.least_out) == (370_350_000, 300_000_000)


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"max_in": 370_350_001}, "max_in"),
        ({"max_in": -1}, "max_in"),
        ({"min_out": 299_999_999}, "min_out"),
        ({"min_out": 0}, "min_out"),
        ({"token_in": GOLD}, "tokens"),
        ({"token_out": CASH}, "tokens"),
        ({"token_out": NOTHING}, "tokens"),
        ({"token_in": NOTHING}, "tokens"),
        ({"spender": GOLD}, "spender"),
        ({"call": Call(GOLD, BUYS)}, "target"),
        ({"call": Call(ROUTER, BUYS, 1)}, "value"),
        ({"call": Call(ROUTER, BUYS, -1)}, "value"),
        ({"call": Call(ROUTER, SELLS)}, "calldata"),
        ({"call": Call(ROUTER, BUYS + b"\0")}, "calldata"),
        ({"call": Call(ROUTER, b"")}, "calldata"),
    ],
)
def test_what_the_order_does_not_cover_is_not_signed(changed: dict[str, Any], subject: str) -> None:
    key = signer({"leg": BUYING})
    asyncio.run(key.sign(BOUGHT, "leg", 1_000))
    with pytest.raises(ExecutionError) as caught:
        asyncio.run(key.sign(dataclasses.replace(BOUGHT, **changed), "leg", 1_000))
    assert caught.value.subject == subject


def test_a_sale_is_covered_for_what_it_must_bring() -> None:
    for max_in, min_out in ((300_000_001, 370_350_000), (300_000_000, 370_349_999)):
        with pytest.raises(ExecutionError):
            SELLING.require(dataclasses.replace(SOLD, max_in=max_in, min_out=min_out), 1_000)


def test_a_better_action_than_the_order_demands_is_signed() -> None:
    BUYING.require(dataclasses.replace(BOUGHT, max_in=1, min_out=10**12), 5)


def test_no_verdict_outlives_the_leg() -> None:
    with pytest.raises(ExecutionError) as caught:
        asyncio.run(signer({"leg": BUYING}).sign(BOUGHT, "leg", 1_001))
    assert caught.value.subject == "deadline"


def test_nothing_is_signed_for_a_leg_that_the_guard_does_not_know() -> None:
    with pytest.raises(ExecutionError) as caught:
        asyncio.run(signer({"leg": BUYING}).sign(BOUGHT, "another", 1_000))
    assert caught.value.subject == "leg"


@pytest.mark.parametrize("amm", [AMM, UniswapV3(ROUTER, QUOTER, 3_000)], ids=["v2", "v3"])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(
    "changed",
    [
        {"owner": STRANGER.address},
        {"bought": STRANGER.address},
        {"sold": STRANGER.address},
        {"amount": 299_999_999},
        {"amount": 300_000_001},
        {"bound": 370_349_999},
        {"bound": 370_350_001},
        {"bound": 0},
        {"deadline": 999},
        {"deadline": 1_001},
    ],
)
def test_the_call_is_the_orders_own_whatever_the_balances_would_be(
    amm: Any, side: Side, changed: dict[str, Any]
) -> None:
    cover = Cover.of_order(order(side), BASE, QUOTE, amm, SAFE, 1_000)
    sold, bought, write = (
        (CASH, GOLD, amm.exact_out) if side is Side.BUY else (GOLD, CASH, amm.exact_in)
    )
    own = (sold, bought, 300_000_000, 370_350_000, SAFE, 1_000)
    names = ("sold", "bought", "amount", "bound", "owner", "deadline")
    stated = BOUGHT if side is Side.BUY else SOLD
    good = dataclasses.replace(stated, call=Call(ROUTER, write(*own)))
    cover.require(good, 1_000)
    other = write(*(changed.get(name, value) for name, value in zip(names, own, strict=True)))
    with pytest.raises(ExecutionError) as caught:
        cover.require(dataclasses.replace(stated, call=Call(ROUTER, other)), 1_000)
    assert caught.value.subject == "calldata"


def test_a_longer_way_is_not_covered() -> None:
    signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    bound = (300_000_000, 370_350_000)
    straight = call_data(signature, *bound, [GOLD, CASH], SAFE, 1_000)
    SELLING.require(dataclasses.replace(SOLD, call=Call(ROUTER, straight)), 1_000)
    for path in ([GOLD, STRANGER.address, CASH], [GOLD, STRANGER.address], [GOLD, CASH, CASH]):
        data = call_data(signature, *bound, path, SAFE, 1_000)
        with pytest.raises(ExecutionError) as caught:
            SELLING.require(dataclasses.replace(SOLD, call=Call(ROUTER, data)), 1_000)
        assert caught.value.subject == "calldata"


def test_whatever_byte_of_a_swap_differs_it_is_not_covered() -> None:
    for at in range(len(SELLS)):
        for bit in (1, 128):
            other = bytearray(SELLS)
            other[at] ^= bit
            with pytest.raises(ExecutionError):
                SELLING.require(dataclasses.replace(SOLD, call=Call(ROUTER, bytes(other))), 1_000)


def test_where_nothing_need_come_back_only_the_exact_calldata_is_signed() -> None:
    deposit = Action(Call(ROUTER, b"deposit"), ROUTER, CASH, 50, NOTHING, 0)
    cover = Cover.of_deposit(ROUTER, CASH, 50, Exactly.these(b"deposit"), 1_000)
    cover.require(deposit, 1_000)
    other = dataclasses.replace(deposit, call=Call(ROUTER, b"deposit for another"))
    with pytest.raises(ExecutionError) as caught:
        cover.require(other, 1_000)
    assert caught.value.subject == "calldata"


def test_an_order_of_which_nothing_remains_covers_nothing() -> None:
    for over in (order(Side.BUY, filled=300_000_000, status=Status.FILLED),
                 order(Side.BUY, status=Status.CANCELED)):  # fmt: skip
        with pytest.raises(ExecutionError):
            Cover.of_order(over, BASE, QUOTE, AMM, SAFE, 1_000)
    part = Cover.of_order(order(Side.BUY, filled=100_000_000), BASE, QUOTE, AMM, SAFE, 1_000)
    assert (part.most_in, part.least_out) == (246_900_000, 200_000_000)
    rest = AMM.exact_out(CASH, GOLD, 200_000_000, 246_900_000, SAFE, 1_000)
    part.require(action(rest, (CASH, 246_900_000), (GOLD, 200_000_000)), 1_000)


@given(
    side=st.sampled_from(Side),
    quantity=st.integers(1, 10**15),
    limit=st.integers(1, 10**9),
    decimals=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    more=st.integers(1, 10**12),
)
def test_what_is_covered_keeps_the_limit_whatever_the_tokens_decimals(
    side: Side, quantity: int, limit: int, decimals: tuple[int, int], more: int
) -> None:
    base, quote = Token(GOLD, decimals[0]), Token(CASH, decimals[1])
    made = order(side, quantity, limit)
    cover = Cover.of_order(made, base, quote, AMM, SAFE, 1_000)
    gold = Decimal(quantity).scaleb(-COIN.scale, context=EXACT)
    cash = EXACT.multiply(gold, Decimal(limit).scaleb(-LINE.price_scale, context=EXACT))
    spent, received = (cash, gold) if side is Side.BUY else (gold, cash)
    token_in, token_out = (quote, base) if side is Side.BUY else (base, quote)
    assert Decimal(cover.most_in).scaleb(-token_in.decimals, context=EXACT) <= spent
    assert Decimal(cover.least_out).scaleb(-token_out.decimals, context=EXACT) >= received
    sent, brought = cover.most_in, cover.least_out
    if side is Side.BUY:
        data = AMM.exact_out(CASH, GOLD, brought, sent, SAFE, 1_000)
    else:
        data = AMM.exact_in(GOLD, CASH, sent, brought, SAFE, 1_000)
    within = action(data, (token_in.address, sent), (token_out.address, brought))
    cover.require(within, 1_000)
    for changed in ({"max_in": cover.most_in + more}, {"min_out": cover.least_out - more}):
        with pytest.raises(ExecutionError):
            cover.require(dataclasses.replace(within, **changed), 1_000)


@given(fields=st.tuples(words, words, addresses, numbers, words, addresses, addresses, numbers,
                        addresses, numbers, numbers, numbers))  # fmt: skip
def test_the_digest_is_that_of_the_standard(fields: tuple[Any, ...]) -> None:
    verdict, domain = Verdict(*fields), Domain(77, STRANGER.address)
    by_library = encode_typed_data(full_message=dict(verdict.typed_data(domain)))
    assert verdict.digest(domain) == _hash_eip191_message(by_library)


def test_the_digest_is_that_of_the_contract(world: World) -> None:
    for leg in ("leg", "another"):
        verdict = world.verdict(world.swap(), leg=leg)
        inputs = next(e for e in artifact("VerdictModule").abi if e.get("name") == "digest")
        (given_,) = inputs["inputs"]
        kinds = "(" + ",".join(part["type"] for part in given_["components"]) + ")"
        names = [f"{part['type']} {part['name']}" for part in given_["components"]]
        assert f"Verdict({','.join(names)})" == TYPE
        data = keccak(text=f"digest({kinds})")[:4]
        data += encode([kinds], [dataclasses.astuple(verdict)])
        found = called(world.anvil, STRANGER.address, world.module, data)
        assert found == verdict.digest(world.domain)


def test_one_leg_has_one_nonce_and_no_two_legs_share_one() -> None:
    legs = [f"leg {number}" for number in range(1_000)]
    assert len({nonce_of(leg) for leg in legs}) == len({intent_id(leg) for leg in legs}) == 1_000
    first = Verdict.of(BOUGHT, "leg", MANDATE, 5)
    again = Verdict.of(SOLD, "leg", MANDATE, 6)
    assert first.nonce == again.nonce == nonce_of("leg")


def test_coin_is_named_and_a_spender_of_no_token_is_not() -> None:
    free = nothing(BOUGHT)
    assert Verdict.of(free, "leg", MANDATE, 5).token_in == NOTHING
    paid = dataclasses.replace(free, call=Call(ROUTER, b"swap", 9), spender=ROUTER)
    verdict = Verdict.of(paid, "leg", MANDATE, 5)
    assert (verdict.token_in, verdict.max_in, verdict.spender) == (ETH, 9, NOTHING)


def test_a_mandates_hash_has_32_bytes() -> None:
    with pytest.raises(ExecutionError):
        VerdictSigner(KeyOf(GUARD), Domain(1, STRANGER.address), b"\1" * 31, {}.get)


def test_a_safes_account_does_in_one_call_what_its_verdict_covers(world: World) -> None:
    swap = world.swap()
    exactly = Exactly.these(swap.call.data)
    cover = Cover({world.router: world.router}, world.gold, 100, world.cash, 250, FAR, exactly)
    account = SafeAccount(world.safe.address, signer({"leg": cover}, world.domain))
    assert account.address == world.safe.address
    (call,) = asyncio.run(account.calls(swap, "leg", FAR))
    assert (call.to, call.value, call.approval) == (world.module, 0, False)
    assert refusal(world.anvil, STRANGER.address, call.to, call.data) == "NotExecutor"
    world.send(EXECUTOR.address, call.to, call.data)
    assert (world.held(world.gold), world.held(world.cash)) == (900, 250)
    (again,) = asyncio.run(account.calls(swap, "leg", FAR - 1))
    assert refusal(world.anvil, EXECUTOR.address, again.to, again.data) == "NonceUsed"
