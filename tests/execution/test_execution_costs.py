from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
    maximum_slippage,
)

shares = st.fractions(0, 1, max_denominator=10**6)
positive_shares = shares.filter(bool)
amounts = st.integers(0, 10**24)


@given(shares.filter(lambda rate: rate < 1), st.lists(st.integers(1, 10**20), max_size=6))
def test_partial_fills_pay_what_one_fill_pays(rate: Fraction, parts: list[int]) -> None:
    fee = ProportionalFee(rate)
    charges, before = [], 0
    for part in parts:
        charges.append(fee.charge(before, part))
        before += part
    assert sum(charges) == fee.maximum(sum(parts))
    assert all(0 <= charge <= part for charge, part in zip(charges, parts, strict=True))


@given(shares.filter(lambda rate: rate < 1), amounts)
def test_a_fee_is_rounded_up_by_less_than_one_unit(rate: Fraction, notional: int) -> None:
    assert 0 <= ProportionalFee(rate).maximum(notional) - rate * notional < 1


@given(amounts, st.integers(1, 10**24))
def test_impact_is_the_square_root_rounded_up_by_less_than_a_step(
    quantity: int, volume: int
) -> None:
    share = SquareRootImpact(Fraction(1)).share(quantity, volume)
    exact = Fraction(quantity, volume)
    assert share**2 >= exact
    assert share == 0 or (share - Fraction(1, 2**32)) ** 2 < exact


@given(st.fractions(0, 3, max_denominator=1000), amounts, amounts, st.integers(1))
def test_impact_grows_with_quantity_and_falls_with_volume(
    coefficient: Fraction, one: int, other: int, volume: int
) -> None:
    impact = SquareRootImpact(coefficient)
    low, high = sorted((one, other))
    assert impact.share(low, volume) <= impact.share(high, volume)
    assert impact.share(low, volume + other) <= impact.share(low, volume)


@given(
    shares,
    st.fractions(0, 3, max_denominator=1000),
    positive_shares,
    st.integers(1, 10**24),
    st.integers(1, 10**6),
    st.data(),
)
def test_maximum_slippage_bounds_every_quantity_that_participation_admits(
    half: Fraction,
    coefficient: Fraction,
    participation: Fraction,
    volume: int,
    lot: int,
    data: st.DataObject,
) -> None:
    cap = Participation(participation).cap(volume, lot)
    quantity = data.draw(st.integers(0, cap))
    impact = SquareRootImpact(coefficient)
    bound = maximum_slippage(HalfSpread(half), impact, Participation(participation))
    assert half + impact.share(quantity, volume) <= bound


def test_maximum_slippage_of_exact_squares() -> None:
    models = HalfSpread(Fraction(1, 1000)), SquareRootImpact(Fraction(1, 10))
    assert maximum_slippage(*models, Participation(Fraction(1, 4))) == Fraction(51, 1000)


@given(positive_shares, amounts, st.integers(1, 10**6))
def test_a_cap_is_the_largest_number_of_lots_within_the_share(
    share: Fraction, volume: int, lot: int
) -> None:
    cap = Participation(share).cap(volume, lot)
    assert cap % lot == 0
    assert cap <= share * volume < cap + lot


@pytest.mark.parametrize(
    "build",
    [
        lambda: ProportionalFee(0.001),
        lambda: ProportionalFee(Fraction(1)),
        lambda: ProportionalFee(Fraction(-1, 10)),
        lambda: HalfSpread(0.001),
        lambda: HalfSpread(Fraction(11, 10)),
        lambda: SquareRootImpact(0.1),
        lambda: SquareRootImpact(Fraction(-1)),
        lambda: SquareRootImpact(Fraction(1)).share(1, 0),
        lambda: SquareRootImpact(Fraction(1)).share(-1, 1),
        lambda: Participation(Fraction(0)),
        lambda: Participation(1.0),
        lambda: Latency(-1),
        lambda: Latency(1.0),
    ],
)
def test_a_parameter_outside_its_range_is_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(DomainError):
        build()
