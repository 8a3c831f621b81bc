"""Refunds to deposits: no payment counts twice, and what was said of one never changes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.execution.across.fee import RelayerFee
from agent_fund.execution.across.refunds import Claim, Payment, refunded
from agent_fund.execution.errors import ExecutionError

AMOUNTS = st.integers(1, 6)
CLAIMS = st.lists(
    st.tuples(
        AMOUNTS,
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from([(True, False), (False, False), (False, True)]),
    ),
    max_size=7,
).map(lambda rows: [Claim(number, *row[:3], *row[3]) for number, row in enumerate(rows)])
PAYMENTS = st.lists(st.tuples(AMOUNTS | st.integers(1, 20), st.integers(0, 12)), max_size=7).map(
    lambda rows: [Payment(*row) for row in sorted(rows, key=lambda row: row[1])]
)


def test_a_payment_goes_to_the_claim_of_its_amount_with_the_earliest_deadline() -> None:
    claims = [Claim(1, 5, 20, 2, True), Claim(2, 5, 10, 3, True), Claim(3, 4, 10, 3, True)]
    assert refunded(claims, [Payment(5, 9)]) == {2}
    assert refunded(claims, [Payment(5, 9), Payment(4, 9)]) == {2, 3}
    assert refunded(claims, [Payment(5, 9), Payment(5, 9)]) == {1, 2}
    assert refunded(claims, [Payment(9, 9)]) == {2, 3}  # one sum for both
    assert refunded(claims, [Payment(5, 3), Payment(5, 3)]) == {1}  # 2 was made no earlier
    assert refunded(claims, [Payment(8, 9)]) == frozenset()


def test_a_doubtful_claim_stops_what_it_may_be_owed() -> None:
    doubtful = [Claim(1, 5, 10, 1, False), Claim(2, 5, 11, 1, True), Claim(3, 4, 11, 1, True)]
    assert refunded(doubtful, [Payment(5, 9)]) == frozenset()
    assert refunded(doubtful, [Payment(4, 9), Payment(5, 9)]) == {3}
    later = [Claim(1, 5, 20, 1, False), Claim(2, 5, 11, 1, True), Claim(3, 4, 11, 1, True)]
    assert refunded(later, [Payment(9, 9)]) == {2, 3}  # what expires later is in no sum's way


def test_a_sum_may_hold_foreign_deposits_and_ends_as_many_of_ours_as_fit() -> None:
    ours = [Claim(1, 50, 10, 2, True), Claim(2, 30, 11, 2, True)]
    gifts = [Claim(number, 7, 5, 2, False, True) for number in (3, 4)]
    both = ours + gifts
    assert refunded(both, [Payment(57, 9)]) == {1}
    assert refunded(both, [Payment(64, 9)]) == {1}
    assert refunded(both, [Payment(87, 9)]) == refunded(both, [Payment(94, 9)]) == {1, 2}
    assert refunded(both, [Payment(80, 9)]) == {1, 2}
    assert refunded(both, [Payment(30, 9)]) == {2}
    for alone in (7, 14, 51, 58, 79, 101):
        assert refunded(both, [Payment(alone, 9)]) == frozenset()
    assert refunded(both, [Payment(57, 2)]) == frozenset()  # nothing of it was there yet
    # One refund each: the gifts are used up, and what is left is nobody's.
    assert refunded(both, [Payment(14, 9), Payment(57, 9)]) == frozenset()
    assert refunded(both, [Payment(64, 9), Payment(37, 9), Payment(30, 9)]) == {1, 2}


def test_an_uncertain_claim_stops_a_sum_with_foreign_deposits() -> None:
    gift = Claim(3, 7, 5, 2, False, True)
    claims = [Claim(1, 50, 10, 2, True), Claim(2, 30, 11, 2, False), gift]
    assert refunded(claims, [Payment(57, 9)]) == frozenset()
    assert refunded(claims, [Payment(50, 9)]) == {1}
    assert refunded([claims[0], replace(claims[1], certain=True), gift], [Payment(57, 9)]) == {1}


def test_very_many_foreign_deposits_neither_hide_a_refund_nor_cost_time() -> None:
    ours = [Claim(1, 10**9, 10, 2, True), Claim(2, 10**9 + 1, 11, 2, True)]
    gifts = [Claim(3 + number, 2**number, 5, 2, False, True) for number in range(200)]
    assert refunded(ours + gifts, [Payment(10**9 + 12_345_678, 9)]) == {1}
    assert refunded(ours + gifts, [Payment(10**9 - 1, 9)]) == frozenset()
    assert refunded(ours + gifts[:5], [Payment(10**9 + 32, 9)]) == frozenset()


@settings(deadline=None)
@given(CLAIMS, PAYMENTS)
def test_never_more_is_refunded_than_was_paid(claims: list[Claim], payments: list[Payment]) -> None:
    found = refunded(claims, payments)
    assert sum(claim.amount for claim in claims if claim.deposit_id in found) <= sum(
        payment.amount for payment in payments
    )
    assert all(claim.certain for claim in claims if claim.deposit_id in found)


@settings(deadline=None)
@given(CLAIMS, PAYMENTS, st.data())
def test_what_was_said_stays_true_as_more_becomes_known(
    claims: list[Claim], payments: list[Payment], data: st.DataObject
) -> None:
    known = data.draw(st.integers(0, len(payments)))
    before = refunded(claims, payments[:known])
    later = []
    for claim in claims:
        if claim.certain or claim.foreign:
            later.append(claim)
        elif data.draw(st.booleans()):  # it had not been filled; or else it had
            later.append(replace(claim, certain=True))
    assert before <= refunded(later, payments)


@settings(deadline=None)
@given(st.fractions(0, Fraction(99, 100)), st.integers(0, 10**9), st.integers(1, 10**20))
def test_a_relayer_fee_is_rounded_against_the_fund(
    relative: Fraction, fixed: int, amount: int
) -> None:
    fee = RelayerFee(relative, fixed)
    kept = amount - fee.after(amount)
    assert relative * amount + fixed <= kept < relative * amount + fixed + 1


def test_a_relayer_fee_is_exact_or_refused() -> None:
    assert RelayerFee.stated("0.1%", "0.25", 2) == RelayerFee(Fraction(1, 1000), 25)
    for relative, fixed in (("100%", "0"), ("-1%", "0")):
        with pytest.raises(ExecutionError):
            RelayerFee.stated(relative, fixed, 2)
    for wrong in ("0.251", "-1"):
        with pytest.raises(DomainError):
            RelayerFee.stated("0", wrong, 2)
    with pytest.raises(DomainError):
        RelayerFee.stated(0.1, "0", 2)  # type: ignore[arg-type]
