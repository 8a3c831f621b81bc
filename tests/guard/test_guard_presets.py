"""Presets: every point that practice checks lies in the boxes, and they are no larger than that."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import ratio
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.mandate import declared
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.presets import Box, Point, Preset, deribit, derive, paradex, span16

PRESETS = {
    "span": span16("12%", "25%"),
    "span with 3 and 33": span16("12%", "25%", extreme="3", counted="33%"),
    "deribit": deribit("50%", "25%"),
    "derive": derive(),
    "paradex": paradex(),
}


@pytest.mark.parametrize("name", PRESETS)
def test_the_boxes_hold_every_point_and_shrunk_by_the_least_they_do_not(name: str) -> None:
    preset, least = PRESETS[name], Fraction(1, 10**12)
    assert preset.box.covers(preset.points)
    assert preset.core.covers(preset.core_points)
    for box, points in ((preset.box, preset.points), (preset.core, preset.core_points)):
        (bottom, top), (low, high) = box.price, box.volatility
        for smaller in (
            Box((bottom + least, top), (low, high)),
            Box((bottom, top - least), (low, high)),
            Box((bottom, top), (low, high - least)),
            *([Box((bottom, top), (low + least, high))] if low else []),
        ):
            assert not smaller.covers(points)
    assert preset.core.covers([Point(Fraction(0), Fraction(0))])


def pairs(preset: Preset) -> set[tuple[Fraction, Fraction, Fraction]]:
    found = {(p.price, p.volatility, p.counted) for p in preset.points}
    assert len(found) == len(preset.points)
    return found


def test_span_has_sixteen_scenarios_of_thirds_and_two_extreme_moves() -> None:
    third = Fraction(4, 100)
    plain = {
        (third * k, sign * Fraction(1, 4), Fraction(1))
        for k, sign in product(range(-3, 4), (1, -1))
    }
    extreme = {(s * Fraction(24, 100), Fraction(0), Fraction(35, 100)) for s in (1, -1)}
    assert pairs(PRESETS["span"]) == plain | extreme
    assert len(plain | extreme) == 16
    assert PRESETS["span"].core.price == (-third * 3, third * 3)
    assert PRESETS["span with 3 and 33"].box.price == (-third * 9, third * 9)


def test_deribit_has_nine_buckets_of_sixteen_percent_at_three_volatilities() -> None:
    preset = PRESETS["deribit"]
    assert len(preset.points) == 27
    assert sorted({p.price for p in preset.points}) == [Fraction(4 * k, 100) for k in range(-4, 5)]
    assert {p.volatility for p in preset.points} == {Fraction(1, 2), Fraction(0), Fraction(-1, 4)}
    assert (
        preset.box
        == preset.core
        == Box((Fraction(-16, 100), Fraction(16, 100)), (Fraction(-1, 4), Fraction(1, 2)))
    )


def test_derive_has_23_scenarios_and_8_tails() -> None:
    preset = PRESETS["derive"]
    assert (len(preset.core_points), len(preset.points)) == (23, 31)
    assert preset.core.price == (Fraction(-18, 100), Fraction(18, 100))
    assert preset.box.price == (Fraction(-66, 100), Fraction(5))
    assert (Fraction(18, 100), Fraction(45, 100), Fraction(1)) in pairs(preset)
    assert (Fraction(18, 100), Fraction(0), Fraction(1)) not in pairs(preset)
    assert (Fraction(2), Fraction(45, 100), Fraction(69, 1000)) in pairs(preset)


def test_paradex_has_24_scenarios_of_which_8_are_tails() -> None:
    preset = PRESETS["paradex"]
    assert (len(preset.core_points), len(preset.points)) == (16, 24)
    assert preset.core == Box(
        (Fraction(-16, 100), Fraction(16, 100)), (Fraction(-22, 100), Fraction(40, 100))
    )
    assert {p.volatility for p in preset.points if p.price == Fraction(16, 100)} == {
        Fraction(40, 100)
    }
    assert (Fraction(5), Fraction(40, 100), Fraction(24, 1000)) in pairs(preset)


def test_a_tail_of_a_linear_position_counts_for_less_than_the_core() -> None:
    """Which is why the core is what a linear book needs: all tails together weigh less."""
    for preset in PRESETS.values():
        worst = max(abs(end) for end in preset.core.price)
        assert all(abs(p.price) * p.counted <= worst for p in preset.points)


def test_volatility_is_scaled_for_an_expiry_and_never_falls_by_more_than_all() -> None:
    near = PRESETS["derive"].scaled("2")
    assert near.core.volatility == (Fraction(-60, 100), Fraction(90, 100))
    assert near.core.price == PRESETS["derive"].core.price
    assert deribit("50%", "90%").scaled("2").core.volatility == (-1, 1)


def test_a_preset_declares_a_box_with_its_source() -> None:
    preset = PRESETS["paradex"]
    quiet = Past(range(4), [10] * 4, [10] * 4, [10] * 4)
    found = declared({"BTC": preset.core.price}, why=preset.source).resolve({"BTC": quiet}, 1)
    assert found.box == ((-160_000, 160_000),)
    assert "Paradex docs" in found.origin
    wide = declared({"BTC": preset.box.price}, why=preset.source).resolve({"BTC": quiet}, 1)
    assert wide.box == ((-660_000, 5 * SCALE),)


def test_absurd_arguments_are_refused() -> None:
    for make in (
        lambda: span16("0%", "25%"),
        lambda: span16("12%", "-25%"),
        lambda: span16("12%", "25%", counted="0%"),
        lambda: span16("12%", "25%", counted="101%"),
        lambda: span16("60%", "25%"),  # an extreme fall by 120 %
        lambda: span16(0.12, "25%"),  # type: ignore[arg-type]
        lambda: deribit("50%", "25%", buckets=8),
        lambda: deribit("50%", "25%", buckets=1),
        lambda: deribit("50%", "101%"),
        lambda: derive("0%"),
        lambda: paradex("-16%"),
        lambda: derive().scaled("0"),
        lambda: Preset("none", "nobody", ()),
        lambda: Preset("tails", "nobody", (Point(ratio("1"), ratio("0"), ratio("1/2")),)),
    ):
        with pytest.raises(DomainError):
            make()
