"""Certified bounds and margin accounts against simulated histories; it is slow code on purpose."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from guard_margin_simulation import (
    PRICES,
    Case,
    begin,
    cornered,
    history,
    instruments,
    is_inside,
    random_case,
    scenario,
)
from guard_reference import form_value

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.cases import cases
from agent_fund.guard.cost_bound import cost_bound
from agent_fund.guard.costs import Costs
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds
from agent_fund.guard.obligations import Role, obligations
from agent_fund.guard.proof import Proof, proved_bounds, trading_of
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.wayout import edge

SEEDS = range(24)
CASES = 90
PATHS = 6


def certify(case: Case) -> Bounds:
    """The tightest bounds that are found, as the kernel proves them."""
    finder = Finder(case.mandate.stress.kernel)
    trees = []
    for obligation in obligations(case.mandate, case.book, case.proposal, case.band):
        target = 0 if obligation.role is Role.MARGIN else None
        trees.append(finder.bound(obligation.form, target).certificate)
    return proved_bounds(case.mandate, case.book, case.proposal, case.band, Proof(tuple(trees)))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_history_leaves_the_bounds_or_liquidates_an_account_found_safe(seed: int) -> None:
    rng = Random(seed)
    safe = 0
    for number in range(CASES):
        case = random_case(rng)
        bounds = certify(case)
        safe += not bounds.shortfall
        for _ in range(PATHS):
            nav: Fraction | None = None
            for fund in history(case, rng):
                now = fund.nav()
                nav = now if nav is None else nav
                low = nav - Fraction(bounds.loss, SCALE) - bounds.costs
                assert low <= now <= nav + Fraction(bounds.gain, SCALE), number
                if not bounds.shortfall:
                    for account in fund.accounts():
                        assert fund.missing(account) <= 0, (number, account)
    assert safe >= CASES // 4


@pytest.mark.parametrize("seed", range(4))
def test_most_shortfalls_that_are_claimed_have_a_history_that_liquidates(seed: int) -> None:
    """A shortfall counts the account's costs and legs beyond the set; else it would be exact."""
    rng = Random(1_000 + seed)
    claimed = shown = 0
    for _ in range(CASES):
        case = random_case(rng)
        finder, stress = Finder(case.mandate.stress.kernel), case.mandate.stress
        every = obligations(case.mandate, case.book, case.proposal, case.band)
        found = [(finder.bound(o.form, 0), o.about) for o in every if o.role is Role.MARGIN]
        short = [(f.bound, f.scenario, about) for f, about in found if f.bound > 0]
        if not short:
            continue
        claimed += 1
        _, worst, account = max(short)
        moves = dict(zip(stress.instruments, worst, strict=False))
        assert is_inside(stress, moves)
        shown += any(
            cornered(case, rng, moves if n % 2 else scenario(rng, stress), account) > 0
            for n in range(60)
        )
    assert claimed > 20
    assert shown >= claimed * 4 // 5


@pytest.mark.parametrize("seed", range(4))
def test_the_shortfall_of_a_held_book_is_what_it_lacks_and_its_costs_and_no_more(seed: int) -> None:
    rng = Random(2_000 + seed)
    seen = 0
    for _ in range(CASES):
        drawn = random_case(rng)
        book = replace(drawn.book, open_orders=())
        case = replace(drawn, book=book, proposal=Proposal())
        stress, costs = case.mandate.stress, case.mandate.costs
        for obligation in obligations(case.mandate, book, case.proposal, case.band):
            if obligation.role is not Role.MARGIN:
                continue
            seen += 1
            moves = scenario(rng, stress)
            fund = begin(case, rng)
            least = most = Fraction(0)
            for symbol, start in fund.start.items():
                paid, received = stress.carry.get(symbol, (0, 0))
                share = Fraction(paid * start, SCALE)
                fund.pay(symbol, share * fund.held[symbol] * fund.items[symbol].multiplier)
                fund.mark[symbol] = start * (1 + moves[symbol] / SCALE) + share
                item = fund.items[symbol]
                if not fund.held[symbol] or item.account != obligation.about:
                    continue
                size = abs(fund.held[symbol]) * item.multiplier
                of_price = costs.slippage + costs.fee * (1 + costs.slippage) + costs.legging
                low, high = stress.box[stress.driver(symbol)]
                start = case.band[symbol][1]
                tick = size * item.tick * (1 + costs.fee)
                least += size * start * (1 + Fraction(high - received, SCALE)) * of_price + tick
                most += size * start * (1 + Fraction(high + paid, SCALE)) * of_price + tick
                # Two or three roundings up, of a base unit or a price unit, and one a slice.
                most += 9 + size * (1 + of_price)
                # A lot by which each slice may be out of proportion; a base unit for each funding.
                dearest = (start + 1) * (1 + Fraction(high + paid, SCALE)) + 1
                lot = item.lot * item.multiplier * dearest * Fraction(high - low, SCALE)
                most += (case.mandate.exit_bars + 1) * (lot + 1)
                most += stress.horizon
            point = [moves[s] for s in stress.instruments]
            for factor in stress.factors:
                point.append(sum((w * moves[s] for s, w in factor.weights.items()), Fraction(0)))
            claimed = form_value(obligation.form, point) / SCALE
            lacks = fund.missing(obligation.about)
            assert lacks + least <= claimed
            if all(low == high for low, high in case.band.values()):
                assert claimed <= lacks + most
            mine = {s for s in book.instruments if book.instruments[s].account == obligation.about}
            parts = [c.only(mine) for c in cases(book, case.proposal)]
            slices = case.mandate.exit_bars
            spent = cost_bound(parts, stress, costs, case.band, book, slices)
            assert lacks <= claimed - spent  # to the last fraction of a unit
    assert seen > CASES // 2


def funded(carry: tuple[int, int], fee: str = "1/10") -> tuple[Guard, Stress, Book]:
    """A guard over one short perpetual whose box is 20 % either way with its funding on top."""
    rng = Random(7)
    paid, received = carry
    box = [(-200_000, 200_000)] * len(PRICES)
    box[2] = (-200_000 - paid, 200_000 + received)
    stress = Stress(tuple(PRICES), tuple(box), (), 3, carry={"BTC-P": carry})
    mandate = replace(
        random_case(rng).mandate,
        stress=stress,
        costs=Costs(Fraction(fee), Fraction(0)),
        exit_bars=1,
    )
    items = instruments(rng)
    held = items["BTC-P"].notional(1_000, PRICES["BTC-P"])
    places = {"spot": held * 10, "perp": held * 3}
    book = Book(items["BTC"].quote, held * 13, items, {"BTC-P": -1_000}, (), places)
    return Guard(mandate), stress, book


def test_the_costs_of_closing_at_any_price_of_the_set_stay_within_the_bound() -> None:
    """All-in return and funding are bounded apart, so the price may stand at the top of both."""
    guard, stress, book = funded((100_000, 50_000))
    start = PRICES["BTC-P"]
    paid, high = Fraction(100_000, SCALE), Fraction(stress.box[2][1], SCALE)
    price = start * (1 + high + paid)  # all-in: (price - start - paid * start) / start = high
    assert stress.outside(stress.moves(PRICES, {**PRICES, "BTC-P": price - paid * start})) is None
    notional = 1_000 * price * book.instruments["BTC-P"].multiplier
    band = {"BTC-P": (start, start)}
    every = cases(book, Proposal())
    assert guard.mandate.costs.fee * notional <= cost_bound(
        every, stress, guard.mandate.costs, band, book, 1
    )


@pytest.mark.parametrize("side", list(Side))
def test_a_way_out_fills_at_any_price_of_the_set_whatever_was_funded(side: Side) -> None:
    guard, stress, _ = funded((100_000, 50_000))
    start, (low, high) = PRICES["BTC-P"], stress.box[2]
    limit = edge(guard.mandate, "BTC-P", side, start, 5)
    paid = 100_000 if side is Side.BUY else -50_000
    price = start * (1 + Fraction((high if side is Side.BUY else low) + paid, SCALE))
    all_in = {**PRICES, "BTC-P": price - Fraction(paid * start, SCALE)}
    assert stress.outside(stress.moves(PRICES, all_in)) is None
    assert (limit - price) * side.sign >= 0


def test_what_legs_may_bring_while_they_stand_apart_counts_in_the_gain() -> None:
    guard, _, book = funded((0, 0))
    price = {"BTC-P": PRICES["BTC-P"]}
    band = {symbol: (p, p) for symbol, p in price.items()}
    apart = replace(guard.mandate, costs=replace(guard.mandate.costs, legging=Fraction(1, 100)))
    before = trading_of(guard.mandate, book, Proposal(), band)
    after = trading_of(apart, book, Proposal(), band)
    assert before.legging == 0
    assert after.legging >= book.instruments["BTC-P"].notional(1_000, price["BTC-P"]) // 100
    assert after.costs - before.costs >= after.legging - 1
