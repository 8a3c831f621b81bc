"""Splitting: on the grid no way is cheaper, whatever the costs; convex costs follow the margin."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.execution.route.split import cheapest_split, grid

LADDERS = st.dictionaries(
    st.sampled_from("abcd"),
    st.dictionaries(st.integers(1, 6), st.integers(-50, 50), max_size=6),
    min_size=1,
)


def total(pieces: tuple[object, ...] | None) -> int | None:
    return None if pieces is None else sum(p.cost for p in pieces)  # type: ignore[attr-defined]


def by_trying_all(quantity: int, ladders: dict[str, dict[int, int]]) -> int | None:
    choices = [[(0, 0), *ladder.items()] for ladder in ladders.values()]
    costs = [
        sum(cost for _, cost in way)
        for way in itertools.product(*choices)
        if sum(size for size, _ in way) == quantity
    ]
    return min(costs, default=None)


@settings(deadline=None)
@given(st.integers(1, 10), LADDERS)
def test_no_way_to_make_the_quantity_is_cheaper(
    quantity: int, ladders: dict[str, dict[int, int]]
) -> None:
    pieces = cheapest_split(quantity, ladders)
    assert total(pieces) == by_trying_all(quantity, ladders)
    if pieces is not None:
        assert sum(p.size for p in pieces) == quantity
        assert all(ladders[p.symbol][p.size] == p.cost for p in pieces)
        assert len({p.symbol for p in pieces}) == len(pieces)


@settings(deadline=None)
@given(st.integers(1, 6), LADDERS)
def test_a_split_is_never_dearer_than_the_best_single_line(
    quantity: int, ladders: dict[str, dict[int, int]]
) -> None:
    alone = [ladder[quantity] for ladder in ladders.values() if quantity in ladder]
    if alone:
        found = total(cheapest_split(quantity, ladders))
        assert found is not None
        assert found <= min(alone)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 40), min_size=6, max_size=6), min_size=1, max_size=4),
    st.integers(1, 6),
)
def test_where_costs_are_convex_each_further_part_goes_where_it_costs_least(
    steps: list[list[int]], quantity: int
) -> None:
    margins = [sorted(line) for line in steps]
    ladders = {
        str(n): {k: sum(line[:k]) for k in range(1, len(line) + 1)}
        for n, line in enumerate(margins)
    }
    greedy = sum(sorted(itertools.chain.from_iterable(margins))[:quantity])
    assert total(cheapest_split(quantity, ladders)) == greedy


def test_a_fixed_cost_keeps_small_pieces_away() -> None:
    # Each line alone costs 100 more for each unit; beginning at a second one costs 150 of gas.
    ladder = {1: 100 + 150, 2: 300 + 150}
    assert total(cheapest_split(2, {"a": ladder, "b": ladder})) == 450
    without = {1: 100, 2: 300}
    assert total(cheapest_split(2, {"a": without, "b": without})) == 200


def test_equal_costs_take_the_fewest_pieces_and_the_first_line() -> None:
    ladder = {1: 10, 2: 20}
    found = cheapest_split(2, {"a": ladder, "b": ladder})
    assert found is not None
    assert [(p.symbol, p.size) for p in found] == [("a", 2)]


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 7), st.integers(1, 9))
def test_the_grid_is_in_whole_lots_and_makes_the_whole(lots: int, lot: int, parts: int) -> None:
    quantity = lots * lot
    sizes = grid(quantity, lot, parts)
    assert sizes[-1] == quantity
    assert list(sizes) == sorted(set(sizes))
    assert all(size % lot == 0 and 0 < size <= quantity for size in sizes)
    assert all(quantity - size in sizes for size in sizes[:-1]), "each piece has its counterpart"
    assert len(sizes) <= 2 * parts


def test_a_quantity_of_no_whole_common_lots_leaves_the_rest_to_the_finer_line() -> None:
    assert grid(10, 4, 4) == (2, 4, 6, 8, 10)
