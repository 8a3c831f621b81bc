"""Declared boxes, budgets and combinations: what they hold, by brute force, and what is refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from guard_reference import form_value, inside, maximum, vertices
from guard_world import BOX, PRICES, buy, make_book, make_mandate, make_situation
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact
from agent_fund.domain.order import Proposal
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.codec import dumps
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.mandate import calibrated, declared
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.budget import Budget, BudgetRule, Combination, used
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.declared import budget, combination, declared_boxes
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

SYMBOLS = ("AAA", "BBB", "CCC")
HALF = SCALE // 2
Boxes = tuple[tuple[int, int], ...]


def budgeted(box: Boxes = BOX, most: int = 3 * HALF, of: Sequence[str] = SYMBOLS) -> Stress:
    return Stress(SYMBOLS, box, (), 3, budgets=(Budget(tuple(of), most),))


ends = st.tuples(st.sampled_from([0, -1, -300_000, -SCALE]), st.sampled_from([0, 1, 7, 250_000]))
boxes = st.tuples(ends, ends, ends)
# Wide enough that the tolerance of a floating-point program does not show.
sides = st.tuples(
    st.sampled_from([0, -20_000, -300_000, -SCALE]), st.sampled_from([0, 10_000, HALF])
)
wide = st.tuples(sides, sides, sides)
mosts = st.integers(SCALE, 3 * SCALE) | st.sampled_from([SCALE, 3 * HALF, 3 * SCALE])


def by_hand(moves: Sequence[Fraction], box: Boxes, most: int) -> bool:
    """Whether ``moves`` lie in the box and keep the budget, from the definition."""
    total = Fraction(0)
    for move, (low, high) in zip(moves, box, strict=True):
        if not low <= move <= high:
            return False
        if move:
            total += Fraction(move) / (high if move > 0 else low)
    return total * SCALE <= most


@settings(deadline=None, max_examples=200)
@given(st.data(), boxes, mosts)
def test_the_budget_in_words_in_the_kernel_and_by_its_definition_are_one(
    data: st.DataObject, box: Boxes, most: int
) -> None:
    stress = budgeted(box, most)
    eighths = st.integers(-2, 18)
    moves = [low + (high - low) * Fraction(data.draw(eighths), 16) for low, high in box]
    every = (*moves, *(used(m, b) for m, b in zip(moves, box, strict=True)))
    kept = by_hand(moves, box, most)
    assert (stress.outside(every) is None) == kept
    assert inside(stress.kernel, every) == kept


@settings(deadline=None, max_examples=25)
@given(boxes, mosts)
def test_every_corner_of_the_kernels_set_keeps_the_budget(box: Boxes, most: int) -> None:
    stress = budgeted((*box[:2], (0, 0)), most, of=("AAA", "BBB"))
    seen = 0
    for corner in vertices(stress.kernel.box, stress.kernel.rows):
        seen += 1
        assert by_hand(corner[:2], stress.box[:2], most)
        assert stress.outside(corner) is None
    assert seen


def knapsack(linear: Sequence[int], box: Boxes, most: int) -> Fraction:
    """The largest value of a linear form under a budget: the best uses first."""
    values = sorted((max(c * low, c * high) for c, (low, high) in zip(linear, box, strict=True)))
    room, total = Fraction(most, SCALE), Fraction(0)
    for value in reversed(values):
        share = min(Fraction(1), room)
        total += share * value
        room -= share
    return total


@settings(deadline=None, max_examples=30)
@given(st.tuples(*[st.integers(-900, 900)] * 2), boxes, mosts)
def test_the_worst_of_a_book_under_a_budget_is_the_knapsacks(
    linear: tuple[int, int], box: Boxes, most: int
) -> None:
    pair = box[:2]
    stress = Stress(SYMBOLS[:2], pair, (), 3, budgets=(Budget(("AAA", "BBB"), most),))
    form = Form(0, (*linear, 0, 0))
    exact = knapsack(linear, pair, most)
    assert maximum(form, stress.kernel) == exact
    assert Finder(stress.kernel).bound(form).bound >= exact


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(-900, 900)] * 3), wide, mosts)
def test_a_certificate_under_a_budget_is_as_tight_as_the_knapsack(
    linear: tuple[int, int, int], box: Boxes, most: int
) -> None:
    exact = knapsack(linear, box, most)
    found = Finder(budgeted(box, most).kernel).bound(Form(0, (*linear, 0, 0, 0)))
    assert exact <= found.bound <= exact + max(10, abs(exact) / 10**5)


def test_a_budget_admits_more_than_the_box_and_never_more_than_the_worst_scenario() -> None:
    book, prices = make_book(), PRICES
    stress = Stress(SYMBOLS, ((-200_000, 200_000),) * 3, (), 3)
    tight = replace(stress, budgets=(Budget(SYMBOLS, SCALE),))
    items = book.instruments
    legs = tuple(
        buy(items[s], size // items[s].lot * items[s].lot, prices[s])
        for s in SYMBOLS
        for size in [4 * 10**8 // items[s].notional(1, prices[s])]
    )
    theta = {}
    for name, found in (("box", stress), ("budget", tight)):
        guard = Guard(make_mandate("20%", stress=found))
        verdict = guard.judge(Proposal(legs), make_situation(book))
        theta[name] = sum(
            leg.quantity * prices[leg.instrument.symbol] for leg in verdict.proposal.legs
        )
    assert theta["budget"] > Fraction(3, 2) * theta["box"] > 0


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"AAA": 8_000, "BBB": 3_500}, "AAA, BBB used 200.00% of a box together, declared 150.00%"),
        ({"AAA": 8_000, "BBB": 4_250}, None),  # the whole of one, half of the other
        ({"AAA": 8_000, "BBB": 4_249}, "AAA, BBB used 150.0"),
        ({"AAA": 11_500, "BBB": 4_249}, "AAA, BBB used 150.0"),
        ({"AAA": 7_999, "BBB": 3_500}, "AAA moved -20.01%, declared"),
    ],
)
def test_a_budget_left_is_named_with_what_was_used(
    after: Mapping[str, int], words: str | None
) -> None:
    stress = budgeted(of=("AAA", "BBB"))
    moves = stress.moves(PRICES, {**PRICES, **after})
    text = stress.outside(moves)
    assert text is None if words is None else str(text).startswith(words)
    # It matters to whoever holds one of the two, and to nobody else.
    if text is not None and "together" in text:
        assert stress.outside(moves, {"BBB"}) == stress.outside(moves, {"AAA"}) == text
    assert stress.outside(moves, {"CCC"}) is None


def test_a_combination_bounds_a_weighted_sum_and_is_named() -> None:
    curve = combination("spread", {"AAA": "1", "CCC": "-1/3"}, "4%")
    assert curve == Combination("spread", {"AAA": Fraction(1), "CCC": Fraction(-1, 3)}, 40_000)
    stress = Stress(SYMBOLS, BOX, (), 3, combinations=(curve,))
    (row,) = stress.kernel.rows
    assert row.terms == ((0, 3), (2, -1))
    assert row.bound == 120_000
    at, over = {**PRICES, "AAA": 10_400}, {**PRICES, "AAA": 10_401}
    assert stress.outside(stress.moves(PRICES, at)) is None
    assert inside(stress.kernel, stress.moves(PRICES, at))
    moves = stress.moves(PRICES, over)
    assert stress.outside(moves) == "spread reached +4.01%, declared +4.00% at most"
    assert not inside(stress.kernel, moves)
    assert stress.outside(moves, {"BBB"}) is None
    assert stress.outside(moves, {"CCC"}) is not None


def test_bounds_round_outward() -> None:
    assert combination("c", {"AAA": "1"}, "0.00001%").most == 1
    assert budget(("AAA", "BBB"), "1.0000001").resolve(0).most == SCALE + 1
    found = declared_boxes({"AAA": ("-10.00001%", "2.00001%")}, "peg")
    assert found.boxes == {"AAA": (-100_001, 20_001)}


@pytest.mark.parametrize(
    ("of", "most"),
    [
        ((), "2"),
        (("AAA",), "2"),
        (("AAA", "AAA"), "2"),
        ("AAA", "2"),
        (("AAA", "BBB"), "0.99"),
        (("AAA", "BBB"), "0"),
        (("AAA", "BBB"), "-1"),
        (("AAA", "BBB"), 1.5),
    ],
)
def test_a_budget_that_says_nothing_or_cuts_a_box_is_refused(
    of: Sequence[str], most: Exact
) -> None:
    with pytest.raises(DomainError):
        budget(of, most)


@pytest.mark.parametrize(
    ("weights", "most"),
    [({}, "1%"), ({"AAA": "0"}, "1%"), ({"AAA": "1"}, "-0.0001%"), ({"AAA": 0.5}, "1%")],
)
def test_a_combination_of_nothing_or_without_no_move_is_refused(
    weights: Mapping[str, Exact], most: Exact
) -> None:
    with pytest.raises(DomainError):
        combination("c", weights, most)


@pytest.mark.parametrize(
    "pair",
    [
        ("0%", "0%"),
        ("1%", "2%"),
        ("-2%", "-1%"),
        ("-101%", "1%"),
        ("-10%",),
        "-10%",
        (-0.1, 0.1),
        ("nan", "1%"),
    ],
)
def test_an_absurd_declared_box_is_refused(pair: tuple[Exact, Exact]) -> None:
    with pytest.raises(DomainError, match="AAA"):
        declared({"AAA": pair}, why="a reason")


def test_a_declared_set_says_why_and_is_never_empty() -> None:
    with pytest.raises(DomainError, match="say why"):
        declared({"AAA": ("-1%", "1%")}, why=" ")
    with pytest.raises(DomainError, match="every instrument"):
        declared({}, why="a reason")
    with pytest.raises(DomainError, match="say why"):
        calibrated("2", boxes={"AAA": ("-1%", "1%")})


def history(*closes: int) -> Past:
    return Past(range(len(closes)), closes, closes, closes)


QUIET = history(*[1_000] * 6)
PASTS = {"AAA": history(1_000, 1_100, 1_000, 900, 1_000, 1_000), "BBB": QUIET, "CCC": QUIET}


def test_a_declared_box_is_taken_as_it_stands_beside_calibrated_ones() -> None:
    found = calibrated("2", boxes={"BBB": ("-10%", "2%")}, why="it fell to 0.88").resolve(PASTS, 1)
    assert found.box == ((-200_000, 222_224), (-100_000, 20_000), (0, 0))
    assert found.origin.endswith("; BBB as declared (it fell to 0.88)")
    alone = dict.fromkeys(SYMBOLS, ("-50%", "100%"))
    assert declared(alone, why="by hand").resolve(PASTS, 1) == Stress(
        SYMBOLS, ((-HALF, SCALE),) * 3, (), 1, "AAA, BBB, CCC as declared (by hand)"
    )


def test_funding_comes_on_top_of_a_declared_box() -> None:
    past = replace(QUIET, funding=Fraction(1, 100), fundings=2)
    found = declared({"AAA": ("-10%", "50%")}, why="by hand").resolve({"AAA": past}, 1)
    assert found.carry == {"AAA": (30_000, 30_000)}
    assert found.box == ((-130_000, 530_000),)


def test_what_a_declared_set_leaves_out_is_refused_and_so_is_what_the_run_does_not_know() -> None:
    with pytest.raises(DomainError, match="CCC"):
        declared(dict.fromkeys(SYMBOLS[:2], ("-5%", "5%")), why="x").resolve(PASTS, 1)
    for bad in (
        declared(dict.fromkeys((*SYMBOLS, "ZZZ"), ("-5%", "5%")), why="x"),
        calibrated("2", boxes={"ZZZ": ("-5%", "5%")}, why="x"),
        calibrated("2", budgets=[budget(("AAA", "ZZZ"), "1.5")]),
        calibrated("2", combinations=[combination("c", {"ZZZ": "1"}, "5%")]),
    ):
        with pytest.raises(DomainError, match=r"ZZZ.*instruments are: AAA"):
            bad.resolve(PASTS, 1)
    whole = dict.fromkeys(SYMBOLS, ("-5%", "5%"))
    rule = declared(whole, why="x", budgets=[budget(("AAA", "BBB"))])
    with pytest.raises(DomainError, match="budget of AAA, BBB"):
        rule.resolve(PASTS, 1)


@pytest.mark.parametrize("expected", ["0%", "100%", "-1%"])
def test_an_expected_rate_is_a_share(expected: str) -> None:
    for make in (
        lambda: calibrated("2", expected=expected),
        lambda: replace(budgeted(), expected=Fraction(expected.rstrip("%")) / 100),
    ):
        with pytest.raises(DomainError, match="expected"):
            make()


def test_history_does_not_bound_what_is_declared_through_baskets_or_bases() -> None:
    depeg = {"CCC": ("-40%", "30%")}
    every: dict[str, Exact] = dict.fromkeys(SYMBOLS, "1/3")
    for factors, basis in (
        ({"m": every}, {}),
        ({}, {"CCC": "AAA"}),
        ({"m": {"AAA": "1/2", "BBB": "1/2"}}, {"BBB": "CCC"}),
    ):
        with pytest.raises(DomainError, match="stress set"):
            calibrated("2", factors=factors, basis=basis, boxes=depeg, why="x")
    found = calibrated(
        "2", factors={"m": {"AAA": "1"}}, basis={"BBB": "CCC"}, boxes=depeg, why="x"
    ).resolve(PASTS, 1)
    for sign, edge in ((-1, 400_000), (1, 300_000)):
        form = Form(0, (0, 0, sign, 0))
        assert maximum(form, found.kernel) == edge


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from([980, 1_000, 1_020]), min_size=6, max_size=9),
    st.lists(st.sampled_from([900, 1_000, 1_100]), min_size=9, max_size=9),
    st.sampled_from([Fraction(1), Fraction(3, 2), Fraction(7, 3)]),
)
def test_a_calibrated_budget_is_the_multiple_of_the_most_that_was_used_at_once(
    first: list[int], second: list[int], multiple: Fraction
) -> None:
    past = {"AAA": history(*first), "BBB": history(*second[: len(first)])}
    rules = (BudgetRule(("AAA", "BBB"), None),)
    stress = Calibration(multiple, budgets=rules).resolve(past, 1)
    seen = Fraction(SCALE)
    for row, later in itertools.pairwise(range(len(first))):
        moves = [
            Fraction((p.opens[later] - p.opens[row]) * SCALE, p.opens[row]) for p in past.values()
        ]
        seen = max(
            seen,
            multiple * sum(used(m, b) for m, b in zip(moves, stress.box, strict=True)),
        )
    (found,) = stress.budgets
    # The box is rounded outward and a move of one unit uses less than a whole of what rounds it.
    assert seen <= found.most <= min(2 * SCALE, seen + 200)


def test_a_set_of_every_kind_is_read_back_from_its_json_and_a_plain_one_has_no_new_keys() -> None:
    plain = Stress(SYMBOLS, BOX, (), 3)
    assert {"budgets", "combinations", "expected"}.isdisjoint(plain.to_json())
    full = Stress(
        SYMBOLS,
        (*BOX, (-200_000, 180_000)),
        (Factor("m", {"AAA": Fraction(1)}, {"AAA": 1_000}, {"AAA": 10}),),
        3,
        ties=(Tie("BBB", "AAA", -5_000, 60_000),),
        lost=("sim", "chain:eip155:1", "issuer:mint"),
        budgets=(Budget(("CCC", "AAA"), 3 * HALF), Budget(("BBB", "AAA"), 2 * SCALE)),
        combinations=(combination("c", {"CCC": "1/3", "AAA": "-2"}, "5%"),),
        expected=Fraction(1, 100),
    )
    written = json.loads(dumps(full.to_json()))
    again = Stress.from_json(written)
    assert again == full
    assert again.kernel == full.kernel
    assert dumps(again.to_json()) == dumps(full.to_json())
    mandate = make_mandate(stress=full)
    for name in ("budgets", "combinations", "expected"):
        kept = {k: v for k, v in written.items() if k != name}
        assert make_mandate(stress=Stress.from_json(kept)).digest != mandate.digest


@settings(deadline=None, max_examples=40)
@given(st.data(), mosts)
def test_no_move_lies_in_every_set_and_a_form_is_never_below_its_value_there(
    data: st.DataObject, most: int
) -> None:
    stress = budgeted(data.draw(boxes), most)
    still = stress.moves(PRICES, PRICES)
    assert stress.outside(still) is None
    assert inside(stress.kernel, still)
    linear = data.draw(st.tuples(*[st.integers(-9, 9)] * 3))
    assume(any(linear))
    form = Form(5, (*linear, 0, 0, 0))
    assert Finder(stress.kernel).bound(form).bound >= form_value(form, still) == 5
