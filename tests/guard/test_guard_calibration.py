"""Calibration by brute force: the set holds every move that its window has seen, times more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import pytest
from guard_random import scenarios
from guard_reference import inside
from guard_world import BOX, PRICES, tied_stress
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.guard.calibration import Calibration
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress import Factor, Stress

Series = dict[str, list[int]]
BASKETS = [
    {"AAA": "1"},
    {"AAA": "1/2", "BBB": "1/2"},
    {"AAA": "1/2", "BBB": "3/10", "CCC": "1/5"},
    {"AAA": "1/2", "BBB": "1/6", "CCC": "1/3"},
]


def weights(basket: Mapping[str, str]) -> dict[str, Fraction]:
    return {s: Fraction(w) for s, w in basket.items()}


@st.composite
def windows(draw: st.DrawFn) -> tuple[Series, Series, int]:
    horizon = draw(st.integers(1, 3))
    count = draw(st.integers(horizon + 2, horizon + 6))
    prices = st.lists(st.integers(800, 1_200) | st.just(1_000), min_size=count, max_size=count)
    symbols = ("AAA", "BBB", "CCC")
    return {s: draw(prices) for s in symbols}, {s: draw(prices) for s in symbols}, horizon


def excursions(
    opens: Series, closes: Series, horizon: int
) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """(prices at the decision, prices later) for every whole horizon of the window."""
    for start in range(len(opens["AAA"]) - horizon):
        before = {s: closes[s][start] for s in closes}
        for step in range(1, horizon + 1):
            yield before, {s: opens[s][start + step] for s in opens}
            if step < horizon:
                yield before, {s: closes[s][start + step] for s in closes}


@settings(deadline=None, max_examples=250)
@given(
    windows(),
    st.sampled_from(BASKETS),
    st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(10, 9)]),
)
def test_every_excursion_times_the_multiple_lies_in_the_set(
    window: tuple[Series, Series, int], basket: dict[str, str], multiple: Fraction
) -> None:
    opens, closes, horizon = window
    calibration = Calibration(multiple, {"basket": weights(basket)})
    stress = calibration.resolve(opens, closes, horizon)
    assert stress.horizon == horizon
    for before, after in excursions(opens, closes, horizon):
        moves = stress.moves(before, after)
        assert stress.outside(moves) is None
        assert inside(stress.kernel, moves)
        larger = [m * multiple for m in moves]
        if min(larger) >= -SCALE:  # nothing falls by more than everything
            assert stress.outside(larger) is None


def test_the_box_is_the_multiple_of_the_worst_move_and_not_more() -> None:
    opens, closes = {"AAA": [100, 90, 100, 100]}, {"AAA": [100, 100, 103, 103]}
    stress = Calibration(Fraction(2)).resolve(opens, closes, 1)
    assert stress.box == ((-200_000, 0),)
    wider = Calibration(Fraction(2)).resolve(opens, closes, 2)
    assert wider.box == ((-200_000, 60_000),)


def test_a_box_does_not_fall_below_everything_lost() -> None:
    stress = Calibration(Fraction(9)).resolve({"AAA": [9, 2, 9]}, {"AAA": [9, 9, 9]}, 1)
    assert stress.box == ((-SCALE, 0),)


def test_a_window_shorter_than_the_way_out_is_refused() -> None:
    short = {"AAA": [1, 1, 1, 1]}
    with pytest.raises(DomainError, match="calibration window"):
        Calibration(Fraction(2)).resolve(short, short, 3)


def test_a_factor_of_an_unknown_instrument_is_refused() -> None:
    flat = {"AAA": [1] * 9}
    with pytest.raises(DomainError, match=r"ZZZ.*instruments are: AAA"):
        Calibration(Fraction(2), {"m": {"ZZZ": Fraction(1)}}).resolve(flat, flat, 3)


@pytest.mark.parametrize("basket", BASKETS, ids=lambda b: "/".join(b.values()))
def test_a_factors_rows_are_its_stated_weights(basket: dict[str, str]) -> None:
    factor = Factor("m", weights(basket), {}, {})
    stress = Stress(("AAA", "BBB", "CCC"), (*BOX, (-900_000, 900_000)), (factor,), 3)
    for row in stress.kernel.rows:
        unit = row.coefficients[-1]
        stated = [Fraction(-c, unit) for c in row.coefficients[:-1]]
        assert stated == [weights(basket).get(s, Fraction(0)) for s in stress.instruments]
        assert row.bound == 0


def test_a_basket_with_a_short_side_is_refused() -> None:
    """Its return could pass -100 %, where no box may reach."""
    with pytest.raises(DomainError, match="long only"):
        Factor("m", weights({"AAA": "3/2", "BBB": "-1/2"}), {}, {})


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(DomainError, match="sum to 1"):
        Factor("m", {"AAA": Fraction(1, 2)}, {}, {})


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_what_is_outside_in_words_is_outside_for_the_kernel(data: st.DataObject) -> None:
    stress = tied_stress(weights(data.draw(st.sampled_from(BASKETS))))
    if data.draw(st.booleans()):
        moves: Sequence[Fraction] = data.draw(scenarios(stress.kernel))
    else:
        after = {s: p * data.draw(st.integers(80, 120)) // 100 for s, p in PRICES.items()}
        moves = stress.moves(PRICES, after)
    assert (stress.outside(moves) is None) == inside(stress.kernel, moves)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"AAA": 7_999}, "AAA moved -20.01%, declared -20.00% to +15.00%"),
        ({"CCC": 22_001}, "CCC moved +10.0"),
        ({"AAA": 11_000, "BBB": 4_500}, "AAA moved +10.00% against market, declared +3.00%"),
    ],
)
def test_a_bar_outside_is_named_with_its_move_and_the_declared_one(
    after: dict[str, int], words: str
) -> None:
    stress = tied_stress()
    outside = stress.outside(stress.moves(PRICES, {**PRICES, **after}))
    assert outside is not None
    assert outside.startswith(words)


def test_a_stress_set_is_read_back_from_its_json() -> None:
    for basket in BASKETS:
        stress = tied_stress(weights(basket))
        again = Stress.from_json(stress.to_json())
        assert again == stress
        assert again.kernel == stress.kernel
