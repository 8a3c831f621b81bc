"""The compiler against brute force: no admissible history leaves the forms or the cost bound."""

from __future__ import annotations

from fractions import Fraction

import pytest
from guard_random import scenarios
from guard_reference import form_value
from guard_simulation import Path, World, extreme_trades, final_positions, paths, profit, worlds
from guard_world import (
    AAA,
    BBB,
    BOX,
    COSTS,
    INSTRUMENTS,
    PRICES,
    STRESS,
    buy,
    make_book,
    make_order,
    sell,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.cases import MAX_CASES, Case, TooManyCasesError, cases
from agent_fund.guard.compile import gain_form, loss_form
from agent_fund.guard.cost_bound import cost_bound
from agent_fund.guard.costs import Costs
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.dearest import worst_price


def worst(world: World, scenario: tuple[Fraction, ...]) -> tuple[Fraction, Fraction]:
    """The forms' largest loss and gain over the cases, in base units, in one scenario."""
    every = cases(world.book, world.proposal)
    loss = max(
        form_value(loss_form(c, world.stress, world.band, world.book), scenario) for c in every
    )
    gain = max(
        form_value(gain_form(c, world.stress, world.band, world.book), scenario) for c in every
    )
    return loss / SCALE, gain / SCALE


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_every_admissible_history_stays_between_loss_and_gain(data: st.DataObject) -> None:
    world = data.draw(worlds())
    path = data.draw(paths(world))
    loss, gain = worst(world, path.scenario)
    assert -loss <= profit(world, path) <= gain


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_at_one_price_the_worst_history_meets_the_forms_exactly(data: st.DataObject) -> None:
    world = data.draw(worlds(point=True, forks=False))
    scenario = data.draw(scenarios(world.stress.kernel))
    prices = {s: low for s, (low, _) in world.band.items()}
    loss, gain = worst(world, scenario)
    at_limits = [
        profit(world, Path(prices, trades, scenario))
        for trades in extreme_trades(world, at_limit=True)
    ]
    at_edges = [
        profit(world, Path(prices, trades, scenario))
        for trades in extreme_trades(world, at_limit=False)
    ]
    assert loss == -min(at_limits)
    assert gain == max(at_edges)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(list(Side)),
    st.integers(5_000, 20_000),
    st.integers(BOX[0][0], BOX[0][1]),
    st.integers(0, 2_000),
    st.integers(0, 2_000),
)
def test_over_a_band_one_leg_is_worth_what_its_worst_price_makes_of_it(
    side: Side, limit: int, move: int, below: int, above: int
) -> None:
    ends = (10_000 - below, 10_000 + above)
    book, proposal = make_book(), Proposal((Leg(AAA, side, 7, limit),))
    (case,) = cases(book, proposal)
    unit, low, high = 7 * AAA.multiplier, *(SCALE + end for end in BOX[0])
    losses, gains = [0], [0]
    for price in ends:
        worth = price * (SCALE + move)
        edge = price * (low if side is Side.BUY else high)
        losses.append(unit * side.sign * (limit * SCALE - worth))
        gains.append(unit * side.sign * (worth - edge))
    x, band = (move, 0, 0), {"AAA": ends}
    assert loss_form(case, STRESS, band, book).at(x) == max(losses)
    assert gain_form(case, STRESS, band, book).at(x) == max(gains)


def paid(world: World, path: Path, costs: Costs) -> Fraction:
    """Fees of every entry, then closing all that is held at the dearest price of the set."""
    total = sum((costs.fee * trade.notional for trade in path.trades), Fraction(0))
    for symbol, quantity in final_positions(world, path).items():
        instrument = INSTRUMENTS[symbol]
        price = path.prices[symbol] * (1 + world.box(symbol)[1])
        # Sold below the market by the slippage, rounded down to the tick, and a fee on that.
        sold = price * (1 - costs.slippage) // instrument.tick * instrument.tick
        total += quantity * instrument.multiplier * (price - sold + costs.fee * sold)
    return total


@settings(deadline=None, max_examples=250)
@given(st.data())
def test_all_trading_costs_until_flat_stay_within_the_cost_bound(data: st.DataObject) -> None:
    world = data.draw(worlds(long_only=True))
    path = data.draw(paths(world))
    costs = data.draw(st.sampled_from([COSTS, Costs(Fraction(1, 9), Fraction(0))]))
    every = cases(world.book, world.proposal)
    bound = cost_bound(every, world.stress, costs, world.band, world.book, 1)
    assert paid(world, path, costs) <= bound


def test_the_cost_bound_is_that_of_one_sale_and_not_a_multiple_of_it() -> None:
    book, band = make_book(positions={"AAA": 100}), {"AAA": (10_000, 10_000)}
    bound = cost_bound(cases(book, Proposal()), STRESS, COSTS, band, book, 1)
    notional = AAA.notional(100, 11_500)
    rounding = 2  # one base unit for the slice that reduces, one for the exit
    # 0.2 % slippage, a fee of 0.1 % on the price with it, a tick with its fee.
    tick = AAA.notional(100, 1)
    assert bound == notional * 3_002 // 10**6 + tick + tick // 1000 + rounding


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_every_reachable_position_lies_in_the_span_of_a_case(data: st.DataObject) -> None:
    world = data.draw(worlds())
    path = data.draw(paths(world))
    every = cases(world.book, world.proposal)
    for symbol, quantity in final_positions(world, path).items():
        spans = [case.span(symbol) for case in every]
        assert any(low <= quantity <= high for low, high in spans)
        assert abs(quantity) <= max(case.largest(symbol) for case in every)


def test_two_orders_that_wait_for_the_same_one_may_fill_in_either_order() -> None:
    orders = (
        make_order("first", buy(AAA, 1, 10_000)),
        make_order("second", buy(AAA, 10, 10_000), "first"),
        make_order("third", buy(BBB, 1_000, 5_000), "first"),
    )
    every = cases(make_book(orders=orders), Proposal())
    # First and third fill, second does not: some case must know that book.
    assert any(c.span("AAA")[0] <= 1 and c.span("BBB")[1] == 1_000 for c in every)


def test_an_order_whose_predecessor_has_gone_may_fill_at_any_time() -> None:
    order = make_order("b", buy(AAA, 10, 10_000), "a")
    (case,) = cases(make_book(orders=(order,)), Proposal())
    assert case.span("AAA") == (0, 10)


def test_a_filled_order_ahead_lets_the_next_one_fill() -> None:
    orders = (
        make_order("a", buy(AAA, 10, 10_000), filled=10),
        make_order("b", buy(AAA, 7, 10_000), "a"),
    )
    (case,) = cases(make_book(orders=orders), Proposal())
    assert case.span("AAA") == (0, 7)


def test_the_span_takes_partial_fills_on_both_sides() -> None:
    book = make_book(
        positions={"AAA": -10},
        orders=(
            make_order("a", buy(AAA, 15, 10_000)),
            make_order("b", buy(AAA, 15, 10_000)),
            make_order("c", sell(AAA, 4, 10_000)),
        ),
    )
    (case,) = cases(book, Proposal())
    assert case.span("AAA") == (-14, 20)
    assert case.largest("AAA") == 20


def test_ordered_legs_are_prefixes_and_unordered_legs_are_one_case() -> None:
    legs = (buy(AAA, 1, 1), buy(BBB, 10, 5))
    assert len(cases(make_book(), Proposal(legs))) == 1
    prefixes = cases(make_book(), Proposal(legs, ordered=True))
    assert [[o.symbol for o in c.full] for c in prefixes] == [[], ["AAA"]]
    assert [[o.symbol for o in c.options] for c in prefixes] == [["AAA"], ["BBB"]]


def test_holding_nothing_and_proposing_nothing_is_one_riskless_case() -> None:
    (case,) = cases(make_book(), Proposal())
    assert case == Case({}, (), ())
    assert loss_form(case, STRESS, {}, make_book()).at((0, 0, 0)) == 0


def chains(lengths: list[int]) -> tuple[object, ...]:
    orders = []
    for chain, length in enumerate(lengths):
        for k in range(length):
            waits = f"{chain}.{k - 1}" if k else None
            orders.append(make_order(f"{chain}.{k}", buy(AAA, 1, 10_000), waits))
    return tuple(orders)


def test_more_cases_than_the_limit_are_refused_and_the_limit_itself_is_not() -> None:
    assert len(cases(make_book(orders=chains([2] * 5)), Proposal())) == MAX_CASES  # type: ignore[arg-type]
    with pytest.raises(TooManyCasesError, match="64 ways"):
        cases(make_book(orders=chains([2] * 6)), Proposal())  # type: ignore[arg-type]


def test_an_instrument_that_the_stress_set_does_not_know_is_refused() -> None:
    book = make_book(positions={"AAA": 1})
    (case,) = cases(book, Proposal())
    foreign = type(STRESS)(("BBB",), (STRESS.box[1],), (), 3)
    with pytest.raises(DomainError, match="stress set knows: BBB"):
        loss_form(case, foreign, {"AAA": (1, 1)}, book)


@given(st.integers(1, 10**12))
def test_the_worst_price_is_the_top_of_band_and_box_rounded_up(price: int) -> None:
    exact = Fraction(price * (SCALE + STRESS.box[0][1]), SCALE)
    top = worst_price("AAA", STRESS, {"AAA": (1, price)})
    assert exact <= top < exact + 1


def test_prices_of_the_example_world_are_on_the_tick() -> None:
    for symbol, price in PRICES.items():
        assert INSTRUMENTS[symbol].require_price(price, symbol) == price
