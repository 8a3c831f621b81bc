"""What is bid for gas, and what an ABI answer or a node's log means; without a chain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.evm.abi import call_data, revert_reason, topic
from agent_fund.execution.evm.fees import FeePolicy, Fees

wei = st.integers(1, 10**13)


def history(base: int, *tips: int) -> dict[str, object]:
    return {"baseFeePerGas": ["0x1", hex(base)], "reward": [[hex(tip)] for tip in tips]}


def test_the_bid_is_twice_the_base_fee_and_the_median_tip() -> None:
    policy = FeePolicy(cap=10**12, least_tip=3)
    assert policy.bid(history(100, 9, 5, 7)) == Fees(207, 7)
    assert policy.bid(history(100, 1, 1, 1)) == Fees(203, 3)
    assert policy.bid({"baseFeePerGas": ["0x64"]}) == Fees(203, 3)
    assert policy.price(history(100, 9, 5, 7)) == 107


@given(wei, wei, wei)
def test_no_bid_is_above_the_cap_or_below_the_next_blocks_price(
    base: int, tip: int, cap: int
) -> None:
    policy = FeePolicy(cap=cap, least_tip=1)
    if base + tip > cap * 8 // 9:
        with pytest.raises(ExecutionError, match="cap"):
            policy.bid(history(base, tip))
        return
    fees = policy.bid(history(base, tip))
    assert base + tip <= fees.maximum <= cap
    assert fees.tip <= fees.maximum


@given(wei, wei, wei, wei)
def test_a_replacement_raises_both_fees_by_an_eighth_or_is_refused(
    maximum: int, tip: int, base: int, now: int
) -> None:
    before = Fees(max(maximum, tip), min(maximum, tip))
    policy = FeePolicy(cap=10**13, least_tip=1)
    try:
        after = policy.replacement(before, history(base, now))
    except ExecutionError:
        assert base + now > policy.highest or before.maximum * 9 > policy.highest * 8 - 8
        return
    assert 8 * after.maximum >= 9 * before.maximum
    assert 8 * after.tip >= 9 * before.tip
    assert after.tip <= after.maximum <= policy.cap
    assert after.maximum >= base + now


@given(wei, wei, wei, wei, wei)
def test_whatever_was_bid_or_bumped_can_be_cancelled_under_the_cap_however_dear_gas_is(
    base: int, tip: int, later: int, then: int, cap: int
) -> None:
    policy = FeePolicy(cap=cap, least_tip=1)
    try:
        before = policy.bid(history(base, tip))
    except ExecutionError:
        return
    for _ in range(20):
        after = policy.replacement(before, history(later, then), last=True)
        assert 8 * after.maximum >= 9 * before.maximum
        assert 8 * after.tip >= 9 * before.tip
        assert after.tip <= after.maximum <= cap
        try:
            before = policy.replacement(before, history(base, tip))
        except ExecutionError:
            break


def test_calls_are_encoded_as_solidity_does() -> None:
    # The selectors are those of EIP-20 and WETH9.
    assert call_data("deposit()").hex() == "d0e30db0"
    assert call_data("approve(address,uint256)", "0x" + "11" * 20, 5).hex() == (
        "095ea7b3" + "00" * 12 + "11" * 20 + f"{5:064x}"
    )
    assert topic("Transfer(address,address,uint256)") == (
        "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    )


def test_a_reverts_reason_is_read_or_shown_as_it_is() -> None:
    error = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big")
    assert revert_reason(error + b"no".ljust(32, b"\0")) == "no"
    panic = bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")
    assert revert_reason(panic) == "panic 0x11"
    assert revert_reason(b"") == "reverted without a reason"
    for odd in (b"\1\2\3\4", error[:20], bytes.fromhex("08c379a0") + b"\xff" * 64):
        assert odd.hex() in revert_reason(odd)
