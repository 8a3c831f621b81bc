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
    st.tuples(AMOUNTS, st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=7
).map(lambda rows: [Claim(number, *row) for number, row in enumerate(rows)])
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
        if claim.certain:
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
