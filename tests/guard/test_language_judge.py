"""An exact clause against every way the orders may fill, one by one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from language_random import exact
from language_world import (
    BTC,
    ETH,
    ETHP,
    INSTRUMENTS,
    PLACES,
    PRICES,
    USD,
    Outcome,
    World,
    every_fill,
    random_world,
)

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.cases import cases
from agent_fund.guard.language.clause import Clause, written
from agent_fund.guard.language.evaluate import violation
from agent_fund.guard.language.expand import interval
from agent_fund.guard.language.expression import (
    AtMost,
    Both,
    Cash,
    Exposure,
    Known,
    Position,
    leaves,
)
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.judge import Judge, judge
from agent_fund.guard.language.reading import read, worst_fills
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.term import Claim
from agent_fund.guard.obligations import after_transfers

STEPS = 6
"""Every quantity of these worlds is a multiple of twelve lots, so a sixth of it is in lots."""


def seen(relation: AtMost, world: World) -> list[Fraction]:
    """How far each fill of the orders breaks ``relation``."""
    fills = every_fill(world, STEPS)
    return [violation(relation, Outcome(world, each, {}).worth) for each in fills]


def at_rest(relation: AtMost, world: World) -> Fraction:
    """How far the held book breaks ``relation``."""
    held = World(replace(world.book, open_orders=()), Proposal())
    return violation(relation, Outcome(held, (), {}).worth)


def ties(relation: AtMost) -> bool:
    """Whether cash and positions, or cash at several places, stand in one comparison."""
    fills = {
        leaf
        for leaf in leaves(relation)
        if isinstance(leaf, Cash) or (isinstance(leaf, Exposure) and leaf.when == "after")
    }
    return any(isinstance(leaf, Cash) for leaf in fills) and len(fills) > 1


@pytest.mark.parametrize("seed", range(8))
def test_no_fill_is_worse_than_the_worst_and_one_of_them_is_it(seed: int) -> None:
    rng = Random(seed)
    attained = 0
    for _ in range(60):
        world = random_world(rng)
        relation = exact(rng)
        worst = worst_fills(relation, cases(world.book, world.proposal), world.facts)
        fills = seen(relation, world)
        assert max(fills) <= worst.violation
        if ties(relation):
            continue  # one fill moves both, and the worst of each is taken apart
        ends = all(
            value in (low, high)
            for driver, value in worst.fills
            for low, high in [interval(driver, worst.case, world.facts)]
        )
        if ends:
            assert max(fills) == worst.violation
            attained += 1
    assert attained > 25


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("always", [False, True])
def test_a_trade_is_refused_if_its_worst_fill_breaks_the_limit_further_than_before(
    seed: int, always: bool
) -> None:
    rng = Random(1000 + seed)
    said = {True: 0, False: 0}
    kept = 0
    for _ in range(50):
        world = random_world(rng)
        parts = tuple(r for r in (exact(rng, cash=False) for _ in range(rng.randint(1, 3))))
        relation = parts[0] if len(parts) == 1 else Both(parts)
        if always and Known("mark") in leaves(relation):
            continue
        finding = judge(
            Clause("random", "", "", always, relation),
            cases(world.book, world.proposal),
            world.facts,
        )
        assert finding is not None
        broken = passive = False
        for part in parts:
            worst, before = max(seen(part, world)), at_rest(part, world)
            broken |= worst > 0 and (always or worst > before)
            passive |= worst > 0 and worst <= before
        if broken:
            assert not finding.holds
        elif finding.holds:
            kept += passive
        else:
            # Between two lots a bend may be worse than at either of them.
            assert any(
                worst_fills(p, cases(world.book, world.proposal), world.facts).violation
                > max(seen(p, world))
                for p in parts
            )
        said[finding.holds] += 1
    assert min(said.values()) > 3
    assert always or kept > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_reading_made_once_says_what_one_made_for_the_case_says(seed: int) -> None:
    rng = Random(2000 + seed)
    kept = 0
    for _ in range(150):
        relation = exact(rng)
        once = read(relation, INSTRUMENTS)
        judge_of_many = Judge(Clause("random", "", "", False, relation))
        for _ in range(2):
            world = random_world(rng)
            every = cases(world.book, world.proposal)
            anew = worst_fills(relation, every, world.facts)
            assert judge_of_many.judge(every, world.facts) == judge(
                judge_of_many.clause, every, world.facts
            )
            if once is not None:
                kept += 1
                seen = worst_fills(relation, every, world.facts, once)
                assert seen.violation == anew.violation
                assert seen.sides[0] - seen.sides[1] == seen.violation
                assert anew.sides[0] - anew.sides[1] == anew.violation
    assert kept > 30


def test_a_judge_reads_anew_for_another_set_of_instruments() -> None:
    clause = written(lambda s, t: s.book.after(t).gross() <= s.nav, name="gross")
    held = book({"ETH": 10, "BTC": 500})
    fewer = Book(USD, 10**11, {"ETH": ETH}, {"ETH": 10})
    asked = Judge(clause)
    for each in (fewer, held, fewer):
        facts = facts_of(each, Proposal())
        assert asked.judge(cases(each, Proposal()), facts) == judge(
            clause, cases(each, Proposal()), facts
        )


def hedged(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t, fills="adversarial", orders="open")
    covered = "70%" * after.long("ETH") <= after.short("ETH")
    return covered & (after.short("ETH") <= "100%" * after.long("ETH"))


def book(positions: dict[str, int], *orders: Order) -> Book:
    return Book(USD, 10**11, INSTRUMENTS, positions, orders, dict.fromkeys(PLACES, 25 * 10**9))


def facts_of(held: Book, proposal: Proposal, prices: dict[str, int] | None = None) -> Facts:
    marks = PRICES if prices is None else prices
    nav = held.nav({**PRICES, **marks} if min(marks.values()) > 0 else PRICES)
    return Facts(held, after_transfers(held, proposal), marks, nav, nav)


def holds(clause: Clause, held: Book, proposal: Proposal) -> bool:
    finding = judge(clause, cases(held, proposal), facts_of(held, proposal))
    assert finding is not None
    return finding.holds


# 10 ETH are 1000 base units; 10 ETH of perpetuals are 1000 base units of a tenth of an ETH each.
BUY = Leg(ETH, Side.BUY, 1000, 200_000)
SELL = Leg(ETHP, Side.SELL, 900, 200_300)


def test_the_hedge_of_the_example_is_judged_at_the_fills_that_are_worst_for_it() -> None:
    clause = written(hedged, rule="mandate 4.2")
    whole = book({"ETH": 1000, "ETH-PERP": -900})
    assert holds(clause, whole, Proposal())
    # The purchase may fill and the sale may not: nothing covers it then.
    assert not holds(clause, book({}), Proposal((BUY, SELL)))
    # The sale may fill first: over-hedged.
    assert not holds(clause, book({}), Proposal((SELL, BUY), ordered=True))
    # An open order counts as much as the trade.
    order = Order("o", ETH, Side.BUY, 1000, 200_000, Purpose.AGENT, 9)
    assert not holds(clause, book({"ETH": 1000, "ETH-PERP": -900}, order), Proposal())


def test_a_breach_that_the_market_made_blocks_only_what_widens_it() -> None:
    clause = written(hedged)
    passive = book({"ETH": 1000, "ETH-PERP": -500})
    assert holds(clause, passive, Proposal())
    assert holds(clause, passive, Proposal((Leg(ETHP, Side.SELL, 100, 200_300),)))
    assert not holds(clause, passive, Proposal((Leg(ETH, Side.BUY, 5, 200_000),)))
    assert not holds(written(hedged, always=True), passive, Proposal())


def test_the_finding_names_both_sides_and_the_fills() -> None:
    clause = written(hedged)
    held, proposal = book({}), Proposal((BUY,))
    finding = judge(clause, cases(held, proposal), facts_of(held, proposal))
    assert finding is not None
    assert finding.text == (
        "hedged is broken: 70% · long(ETH) at 14.00% of NAV, short(ETH) at 0.00% of NAV against "
        "70% · long(ETH) ≤ short(ETH) (at decision prices, the worst fills leave ETH at 20.00% "
        "of NAV)"
    )


def floored(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t)
    return (after.cash("alpha") >= s.money(20_000)) & (after.cash() >= "50%" * s.cash())


def test_cash_counts_purchases_at_their_limits_no_sale_and_what_a_transfer_takes() -> None:
    clause = written(floored)
    held = book({"BTC": 1000})
    least = Leg(ETH, Side.BUY, 250, 200_000)  # 5000 USD of 25000
    assert holds(clause, held, Proposal((least,)))
    assert not holds(clause, held, Proposal((replace(least, quantity=255),)))
    sale = Leg(BTC, Side.SELL, 1000, 300_000)
    assert not holds(clause, held, Proposal((replace(least, quantity=255), sale)))
    moved = Proposal((least,), transfers=(Transfer(1, "alpha", "gamma"),))
    assert not holds(clause, held, moved)


def test_a_transfer_may_not_widen_what_was_short_already() -> None:
    clause = written(floored)
    short = Book(USD, 10**11, INSTRUMENTS, {}, (), {"alpha": 10**9, "beta": 99 * 10**9})
    assert holds(clause, short, Proposal())
    assert not holds(clause, short, Proposal(transfers=(Transfer(1, "alpha", "beta"),)))


PUT = Instrument(
    "ETH-PUT",
    Asset("ETHPUT", 1),
    USD,
    ETH.venue,
    price_scale=2,
    kind=Kind.OPTION,
    underlying="ETH",
    margin=ETHP.margin,
    terms=OptionTerms("ETH", Fraction(1800), 2_000_000_000, call=False),
)


def test_puts_that_may_be_bought_or_written_reach_to_either_side() -> None:
    prices = PRICES | {"ETH-PUT": 9_000}
    held = Book(USD, 10**11, INSTRUMENTS | {"ETH-PUT": PUT}, {"ETH-PUT": 20})
    for side, quantity, least, most in (
        (Side.BUY, 30, 10_000, -4_000),
        (Side.SELL, 30, 4_000, 2_000),
    ):
        facts = facts_of(held, Proposal(), prices)
        every = cases(held, Proposal((Leg(PUT, side, quantity, 9_000),)))

        def below(limit: int, which: str) -> Clause:
            def capped(s: Scope, t: Trade) -> Claim:
                after = s.book.after(t)
                side = after.short("ETH") if which == "short" else after.long("ETH")
                return side <= s.money(limit)

            return written(capped, always=True)

        reached = interval(Position("ETH-PUT"), every[0], facts)
        assert reached == (-least * 10**6, most * 10**6)
        # Each tenth of a put stands for 200 USD; held ones are short, written ones long.
        for which, reach in (("short", least), ("long", max(0, most))):
            at = judge(below(reach, which), every, facts)
            assert at is not None
            assert at.holds
            if reach:
                under = judge(below(reach - 1, which), every, facts)
                assert under is not None
                assert not under.holds


def test_what_cannot_be_judged_does_not_hold() -> None:
    clause = written(hedged)
    held, proposal = book({"ETH": 10}), Proposal()
    gone = {s: p for s, p in PRICES.items() if s != "ETH"}
    for prices in (gone, PRICES | {"ETH": 0}, PRICES | {"ETH": -5}):
        finding = judge(clause, cases(held, proposal), facts_of(held, proposal, prices))
        assert finding is not None
        assert not finding.holds
        assert "price of ETH" in finding.value


@pytest.mark.parametrize("selection", [{"asset": "DOGE"}, {"venue": "delta"}, {"chain": "a:b"}])
def test_a_name_that_the_fund_does_not_know_holds_nothing(selection: dict[str, str]) -> None:
    clause = written(lambda s, t: s.book.after(t).gross(**selection) <= s.nav, name="typo")
    held = book({"ETH": 10})
    finding = judge(clause, cases(held, Proposal()), facts_of(held, Proposal()))
    assert finding is not None
    assert not finding.holds
    assert "the fund knows: " in finding.value


def test_without_nav_amounts_are_told_in_base_units() -> None:
    clause = written(lambda s, t: s.book.after(t).gross() <= 2 * s.nav, name="gross")
    held = Book(USD, -(10**9), INSTRUMENTS, {"ETH": 1})
    nav = held.nav(PRICES)
    assert nav < 0
    order = Proposal((Leg(ETH, Side.BUY, 5, 200_000),))
    finding = judge(clause, cases(held, order), Facts(held, held, PRICES, nav, 1))
    assert finding is not None
    assert not finding.holds
    assert "gross at 120000000 base units of USD" in finding.value


def test_units_of_an_asset_are_counted_apart_from_what_each_line_is_priced_at() -> None:
    """A perpetual above spot: in money the hedge is more than the whole, in units it is exact."""

    def at_most(measure: str) -> Clause:
        def limited(s: Scope, t: Trade) -> Claim:
            after = s.book.after(t)
            return after.short("ETH", measure=measure) <= after.long("ETH", measure=measure)  # type: ignore[arg-type]

        return written(limited, always=True)

    held = book({"ETH": 1000, "ETH-PERP": -1000})
    assert holds(at_most("units"), held, Proposal())
    assert not holds(at_most("value"), held, Proposal())
