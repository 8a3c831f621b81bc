"""Calibration by brute force: the set holds every move that its window has seen, times more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from guard_random import scenarios
from guard_reference import inside
from guard_world import BOX, PRICES, make_mandate, tied_stress
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.guard.guardrails.cash_floor import cash_floor
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.liquidity import liquidity
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.budget import BudgetRule
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

BASKETS = [
    {"AAA": "1"},
    {"AAA": "1/2", "BBB": "1/2"},
    {"AAA": "1/2", "BBB": "3/10", "CCC": "1/5"},
    {"AAA": "1/2", "BBB": "1/6", "CCC": "1/3"},
]


def weights(basket: Mapping[str, str]) -> dict[str, Fraction]:
    return {s: Fraction(w) for s, w in basket.items()}


@st.composite
def histories(draw: st.DrawFn, symbols: Sequence[str], horizon: int) -> dict[str, Past]:
    """Each symbol's own bars: they begin and end apart, with gaps, and a mark beside the last."""
    common = range(100, 100 + draw(st.integers(horizon + 2, horizon + 6)))
    price = st.integers(960, 1_040) | st.just(1_000)
    found = {}
    for symbol in symbols:
        earlier = range(draw(st.integers(0, 3)))
        later = range(200, 200 + draw(st.integers(0, 2)))
        times = [*earlier, *common, *later]
        series = st.lists(price, min_size=len(times), max_size=len(times))
        opens, closes = draw(series), draw(series)
        marks = opens if draw(st.booleans()) else draw(series)
        rate, count = Fraction(0), 0
        if draw(st.booleans()):
            rate = draw(st.sampled_from([Fraction(3, 1000), Fraction(1, 997)]))
            count = draw(st.integers(1, 3))
        found[symbol] = Past(times, opens, marks, closes, rate, count)
    return found


Row = dict[str, int]


def excursions(
    past: Mapping[str, Past], symbols: Sequence[str], horizon: int
) -> Iterator[tuple[Row, Row]]:
    """(marks at the decision, prices later) over the bars that all of ``symbols`` have.

    Later, at the opens of the horizon, at the lasts or at the marks; at the closes, at the marks.
    """
    times = sorted(set.intersection(*(set(past[s].times) for s in symbols)))
    rows = {s: [past[s].times.index(t) for t in times] for s in symbols}
    for start in range(len(times) - horizon):
        if any(rows[s][start + horizon] - rows[s][start] != horizon for s in symbols):
            continue  # bars that not all have lie between
        before = {s: past[s].mark_closes[rows[s][start]] for s in symbols}
        for step in range(1, horizon + 1):
            at = {s: rows[s][start + step] for s in symbols}
            yield before, {s: past[s].opens[at[s]] for s in symbols}
            yield before, {s: past[s].mark_opens[at[s]] for s in symbols}
            if step < horizon:
                yield before, {s: past[s].mark_closes[at[s]] for s in symbols}


def funded(stress: Stress, before: Row, after: Row, signs: Mapping[str, int]) -> dict[str, Any]:
    """``after`` less the most funding that a long has paid (1), has got (-1), or none (0)."""
    paid: dict[str, Fraction] = {}
    for symbol, price in after.items():
        most, least = stress.carry.get(symbol, (0, 0))
        share = {1: most, -1: -least, 0: 0}[signs[symbol]]
        paid[symbol] = price - Fraction(share * before[symbol], SCALE)
    return paid


MULTIPLES = [Fraction(1), Fraction(3, 2), Fraction(10, 9), Fraction(5, 2)]
SYMBOLS = ("AAA", "BBB", "CCC")
SIGNS = st.fixed_dictionaries({s: st.sampled_from([-1, 0, 1]) for s in SYMBOLS})


@settings(deadline=None, max_examples=250)
@given(st.data(), st.integers(1, 3), st.sampled_from(BASKETS), st.sampled_from(MULTIPLES), SIGNS)
def test_every_common_excursion_with_its_funding_times_the_multiple_lies_in_the_set(
    data: st.DataObject, horizon: int, basket: dict[str, str], multiple: Fraction, signs: Row
) -> None:
    past = data.draw(histories(SYMBOLS, horizon))
    basis = data.draw(
        st.sampled_from([{}, {"BBB": "AAA"}, {"AAA": "CCC"}, {"AAA": "CCC", "BBB": "CCC"}])
    )
    factors = {"basket": weights(basket)} if data.draw(st.booleans()) else {}
    rules = data.draw(st.sampled_from([(), (SYMBOLS,), (("AAA", "CCC"), ("BBB", "CCC"))]))
    budgets = tuple(BudgetRule(of, None) for of in rules)
    stress = Calibration(multiple, factors, basis=basis, budgets=budgets).resolve(past, horizon)
    assert stress.horizon == horizon
    for before, after in excursions(past, SYMBOLS, horizon):
        moves = stress.moves(before, funded(stress, before, after, signs))
        assert stress.outside(moves) is None
        assert inside(stress.kernel, moves)
        larger = {s: before[s] + (after[s] - before[s]) * multiple for s in SYMBOLS}
        if min(larger.values()) >= 0:  # nothing falls by more than everything
            scaled = stress.moves(before, funded(stress, before, larger, signs))  # type: ignore[arg-type]
            assert stress.outside(scaled) is None


@settings(deadline=None, max_examples=150)
@given(st.data(), st.integers(1, 3), st.sampled_from(MULTIPLES))
def test_each_instruments_own_history_lies_in_its_box_whatever_the_others_have(
    data: st.DataObject, horizon: int, multiple: Fraction
) -> None:
    past = data.draw(histories(SYMBOLS, horizon))
    stress = Calibration(multiple, basis={"BBB": "AAA"}).resolve(past, horizon)
    for symbol in ("AAA", "CCC"):
        low, high = unfunded(stress, symbol)
        for before, after in excursions(past, (symbol,), horizon):
            move = Fraction((after[symbol] - before[symbol]) * SCALE, before[symbol]) * multiple
            assert low <= max(move, Fraction(-SCALE)) <= high
    # The follower has the leader's history, and what the two have parted by on top.
    (tie,) = stress.ties
    for before, after in excursions(past, ("AAA",), horizon):
        lead = Fraction((after["AAA"] - before["AAA"]) * SCALE, before["AAA"])
        low, high = unfunded(stress, "BBB")
        assert low <= lead * multiple <= high
    for before, after in excursions(past, ("AAA", "BBB"), horizon):
        first, second = (
            Fraction((after[s] - before[s]) * SCALE, before[s]) for s in ("BBB", "AAA")
        )
        assert tie.low <= (first - second) * multiple <= tie.high


@settings(deadline=None, max_examples=100)
@given(st.data(), st.integers(1, 3))
def test_carry_is_every_funding_of_the_horizon_at_its_highest_price(
    data: st.DataObject, horizon: int
) -> None:
    past = data.draw(histories(SYMBOLS, horizon))
    stress = Calibration(Fraction(2)).resolve(past, horizon)
    for symbol, bars in past.items():
        paid, received = stress.carry.get(symbol, (0, 0))
        low, high = unfunded(stress, symbol)
        worst = bars.funding * bars.fundings * (SCALE + high)
        assert worst <= paid < worst + 1
        assert received == paid
        # What funding takes of a long widens the box of its return, below and above.
        plain = Calibration(Fraction(2)).resolve({symbol: replace(bars, fundings=0)}, horizon)
        assert plain.box == ((low, high),)


def unfunded(stress: Stress, symbol: str) -> tuple[int, int]:
    """The box of the price alone: what calibration widened by the carry."""
    low, high = stress.box[stress.driver(symbol)]
    paid, received = stress.carry.get(symbol, (0, 0))
    return low + paid, high - received


def bars_of(
    opens: Sequence[int], closes: Sequence[int], marks: Sequence[int] | None = None
) -> Past:
    return Past(range(len(opens)), opens, opens if marks is None else marks, closes)


def test_the_box_is_the_multiple_of_the_worst_move_and_not_more() -> None:
    past = {"AAA": bars_of([100, 90, 100, 100], [100, 100, 103, 103])}
    assert Calibration(Fraction(2)).resolve(past, 1).box == ((-200_000, 0),)
    assert Calibration(Fraction(2)).resolve(past, 2).box == ((-200_000, 60_000),)


def test_a_spike_of_the_mark_or_of_the_last_price_alone_widens_the_box() -> None:
    flat = [100] * 4
    spike = [100, 80, 130, 100]
    mark = bars_of(flat, flat, spike)
    last = bars_of(spike, flat, flat)
    for past in (mark, last):
        assert Calibration(Fraction(1)).resolve({"AAA": past}, 1).box == ((-200_000, 300_000),)


def test_a_box_does_not_fall_below_everything_lost() -> None:
    stress = Calibration(Fraction(9)).resolve({"AAA": bars_of([9, 2, 9], [9, 9, 9])}, 1)
    assert stress.box == ((-SCALE, 0),)


def test_a_perpetual_whose_funding_passes_everything_lost_is_refused_with_the_fix() -> None:
    past = Past(range(3), [9, 2, 9], [9, 2, 9], [9, 9, 9], Fraction(1, 100), 1)
    with pytest.raises(DomainError, match="smaller multiple"):
        Calibration(Fraction(9)).resolve({"AAA": past}, 1)


def test_a_basis_has_a_multiple_of_its_own() -> None:
    flat = [1_000] * 4
    past = {"AAA": bars_of(flat, flat), "BBB": bars_of([1_000, 1_010, 1_000, 1_000], flat)}
    for own in (Fraction(3), Fraction(5)):
        found = Calibration(Fraction(2), basis={"BBB": "AAA"}, basis_multiple=own).resolve(past, 1)
        # 1 % parted at most, known to two units of the last place.
        assert found.ties == (Tie("BBB", "AAA", -2 * own, 10_002 * own),)
        assert found.box[1] == (-2 * own, 10_002 * own)


def test_any_venue_of_the_run_may_be_lost_and_no_other() -> None:
    flat = [1_000] * 4
    past = {"AAA": bars_of(flat, flat)}
    lose = Calibration(Fraction(2), lose=("any",))
    assert lose.resolve(past, 1, venues=("one", "two")).lost == ("one", "two")
    named = Calibration(Fraction(2), lose=("two",))
    assert named.resolve(past, 1, venues=("one", "two")).lost == ("two",)
    with pytest.raises(DomainError, match=r"two.*venues are: one"):
        named.resolve(past, 1, venues=("one",))


def test_a_window_shorter_than_the_way_out_is_refused() -> None:
    short = {"AAA": bars_of([1, 1, 1, 1], [1, 1, 1, 1])}
    with pytest.raises(DomainError, match="calibration window"):
        Calibration(Fraction(2)).resolve(short, 3)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(Fraction(2), {"m": {"ZZZ": Fraction(1)}}),
        Calibration(Fraction(2), basis={"ZZZ": "AAA"}),
        Calibration(Fraction(2), basis={"AAA": "ZZZ"}),
    ],
)
def test_an_unknown_instrument_is_refused(calibration: Calibration) -> None:
    with pytest.raises(DomainError, match=r"ZZZ.*instruments are: AAA"):
        calibration.resolve({"AAA": bars_of([1] * 9, [1] * 9)}, 3)


def test_a_follower_of_a_follower_is_refused() -> None:
    past = {s: bars_of([1_000] * 4, [1_000] * 4) for s in SYMBOLS}
    with pytest.raises(DomainError, match="follows none"):
        Calibration(Fraction(2), basis={"AAA": "BBB", "BBB": "CCC"}).resolve(past, 1)


TIES = (Tie("AAA", "CCC", -20_000, 10_000), Tie("BBB", "AAA", -5_000, 60_000))


@pytest.mark.parametrize("basket", BASKETS, ids=lambda b: "/".join(b.values()))
def test_a_factors_rows_are_its_stated_weights(basket: dict[str, str]) -> None:
    factor = Factor("m", weights(basket), {}, {})
    stress = Stress(("AAA", "BBB", "CCC"), (*BOX, (-900_000, 900_000)), (factor,), 3)
    for row in stress.kernel.rows:
        terms = dict(row.terms)
        unit = terms[3]
        stated = [Fraction(-terms.get(n, 0), unit) for n in range(3)]
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
        stress = replace(stress, ties=TIES, carry={"AAA": (7_000, 4_000)})
    if data.draw(st.booleans()):
        moves: Sequence[Fraction] = data.draw(scenarios(stress.kernel))
    else:
        wide = data.draw(st.sampled_from([3, 20]))
        part = st.integers(100 - wide, 100 + wide)
        after = {s: Fraction(p * data.draw(part), 100) for s, p in PRICES.items()}
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


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (10_301, 20_000, "AAA moved +3.01% against CCC, declared -2.00% to +1.00%"),
        (10_000, 20_401, "AAA moved -2.0"),
        (10_100, 20_000, None),
        (10_000, 20_400, None),
    ],
)
def test_a_basis_outside_is_named_and_at_its_edge_it_is_inside(
    first: int, second: int, words: str | None
) -> None:
    stress = Stress(("AAA", "BBB", "CCC"), BOX, (), 3, ties=TIES[:1])
    after = {**PRICES, "AAA": first, "CCC": second}
    outside = stress.outside(stress.moves(PRICES, after))
    assert outside is None if words is None else str(outside).startswith(words)
    # It matters to whoever holds either of the two, and to nobody else.
    assert stress.outside(stress.moves(PRICES, after), {"BBB"}) is None
    for holder in ("AAA", "CCC"):
        assert stress.outside(stress.moves(PRICES, after), {holder}) == outside


def test_a_move_counts_the_funding_that_a_long_has_paid() -> None:
    stress = Stress(("AAA", "BBB", "CCC"), BOX, (), 3, carry={"AAA": (5_000, 5_000)})
    after = {**PRICES, "AAA": Fraction(8_010) - 10}
    assert stress.moves(PRICES, after)[0] == -200_000
    assert stress.outside(stress.moves(PRICES, after)) is None
    after["AAA"] -= Fraction(1, 10**9)
    assert stress.outside(stress.moves(PRICES, after)) is not None


def test_the_prices_of_a_box_are_its_returns_with_any_funding_on_top() -> None:
    carry = {"AAA": (5_000, 2_000)}
    stress = Stress(("AAA", "BBB", "CCC"), BOX, (), 3, carry=carry)
    assert stress.price_box("AAA") == (-202_000, 155_000)
    assert stress.price_box("BBB") == BOX[1]


@pytest.mark.parametrize(
    "bad", [("AAA", "AAA", -1, 1), ("AAA", "BBB", 1, 2), ("AAA", "BBB", -2, -1)]
)
def test_a_tie_of_one_or_without_no_move_is_refused(bad: tuple[str, str, int, int]) -> None:
    with pytest.raises(DomainError, match="tie"):
        Tie(*bad)


@pytest.mark.parametrize("bounds", [(-1, 1), (1, -1)])
def test_a_negative_carry_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(DomainError, match="carry"):
        Stress(("AAA",), BOX[:1], (), 3, carry={"AAA": bounds})


def test_a_stress_set_is_read_back_from_its_json() -> None:
    for basket in BASKETS:
        for extra in (
            {},
            {"ties": TIES, "carry": {"BBB": (3, 4), "AAA": (1, 2)}, "lost": ("sim", "other")},
        ):
            stress = replace(tied_stress(weights(basket)), **extra)  # type: ignore[arg-type]
            written = json.loads(dumps(stress.to_json()))
            again = Stress.from_json(written)
            assert again == stress
            assert again.kernel == stress.kernel
            assert dumps(again.to_json()) == dumps(stress.to_json())


def test_a_mandate_of_every_guardrail_is_read_back_from_its_json() -> None:
    rails = [
        gross_leverage("150%", rule="4.1"),
        net_exposure("20%", why="carry, not direction"),
        concentration("90%"),
        hedge_coverage("BTC", "ETH", at_least="70%", at_most="101/100", legging="2.5%"),
        venue_exposure("60%", always=True),
        cash_floor("5%"),
        margin_safety("150%"),
        liquidity("2%", bars=3),
    ]
    stress = replace(tied_stress(), ties=TIES, carry={"AAA": (1, 2)}, lost=("sim",))
    mandate = make_mandate("10%", *rails, stress=stress)
    written = json.loads(dumps(mandate.to_json()))
    again = ResolvedMandate.from_json(written)
    assert again == mandate
    assert again.digest == mandate.digest
    assert again.margin_multiple == Fraction(3, 2)
    for number in range(len(written["guardrails"])):
        changed = json.loads(dumps(mandate.to_json()))
        changed["guardrails"][number]["terms"]["more"] = "1"
        assert ResolvedMandate.from_json(changed).digest != mandate.digest
    for name, value in (("ties", [["BBB", "AAA", -5_001, 60_000]]), ("carry", {}), ("lost", [])):
        changed = json.loads(dumps(mandate.to_json()))
        changed["stress"][name] = value
        assert ResolvedMandate.from_json(changed).digest != mandate.digest
