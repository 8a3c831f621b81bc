"""Perpetuals, borrowed and short, with foresight: while the assumptions hold, no limit breaks and
nothing is liquidated; and whatever happens, the log replays to the same book, bar by bar."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest
from margin_world import (
    CASH,
    PERP,
    SPOT,
    UNIT,
    Adversary,
    MarginMarket,
    MarginWorld,
    Set,
    edge_market,
    halved,
    mandate,
    world,
)

from agent_fund.audit.errors import VerificationError
from agent_fund.audit.log import MemoryLog
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.fund.flows import Flow
from agent_fund.fund.unguarded import Unguarded
from agent_fund.guard import certifier, obligations, proof
from agent_fund.guard.engine import Guard
from agent_fund.guard.machine import Mode

LIMITS = Set(Fraction(8, 100), Fraction(1, 100), Fraction(3, 1000))
SEEDS = range(6)


def guarded(seed: int, limit: Fraction, limits: Set = LIMITS, **options) -> MarginWorld:
    horizon = options.pop("horizon", 3)
    market = edge_market(seed, limits, horizon=horizon)
    resolved = mandate(
        limits,
        limit,
        horizon=horizon,
        exit_bars=options.get("exit_bars", 1),
        legging=options.pop("legging", Fraction(0)),
    )
    strategy = Adversary(market, Guard(resolved), seed)
    return world(market, resolved, strategy, **options).run().finished()


def require_sound(run: MarginWorld, limit: Fraction) -> None:
    assert run.monitor.failures == []
    assert run.monitor.breaches == ()
    assert run.liquidated == 0
    assert run.left == [], "NAV left the proved band"
    assert run.drawdown <= limit
    require_replayed(run)


def require_replayed(run: MarginWorld) -> None:
    """An auditor sees the same books, marks, failures and breaches."""
    replay = run.replayed()
    assert replay.closed
    assert replay.books == run.books
    assert replay.monitor.failures == run.monitor.failures
    assert replay.monitor.breaches == run.monitor.breaches
    for tick, marked in zip(run.ticks, replay.marks, strict=True):
        assert tick[1:7] == (
            marked.close_time,
            marked.nav_open,
            marked.nav,
            marked.mark,
            marked.cash,
            marked.positions,
        )
        assert tick.mode is marked.mode


def nearest(run: MarginWorld) -> Fraction:
    """The lowest equity of the margin account at a close, in terms of its maintenance."""
    return min(
        (Fraction(t.places[1], t.maintenance[1]) for t in run.ticks if t.maintenance[1]),
        default=Fraction(10),
    )


@pytest.mark.parametrize("limit", [Fraction(20, 100), Fraction(60, 100)])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_the_guard_every_assumption_and_the_limit_hold(seed, limit):
    run = guarded(seed, limit)
    require_sound(run, limit)
    assert {"funding", "transfer", "arrival", "decide", "fill"} <= run.kinds()
    assert any(tick.positions[1] for tick in run.ticks)


def test_the_adversary_borrows_goes_short_and_comes_near_to_liquidation():
    runs = [guarded(seed, Fraction(60, 100)) for seed in SEEDS]
    assert max(run.peak for run in runs) > 2
    assert min(tick.positions[1] for run in runs for tick in run.ticks) < 0
    assert max(tick.positions[1] for run in runs for tick in run.ticks) > 0
    assert min(nearest(run) for run in runs) < Fraction(13, 10)
    assert max(run.drawdown for run in runs) > Fraction(30, 100)


@pytest.mark.parametrize(
    ("latencies", "order_bars", "exit_bars", "size"),
    [
        ((1, 1), 1, 1, 4),
        ((0, 1), 1, 1, 2),
        ((1, 0), 3, 1, 2),
        ((0, 0), 3, 1, 8),
        ((0, 0), 1, 3, 8),
        ((0, 1), 3, 1, 2),
    ],
)
def test_the_limit_holds_with_venues_of_different_speed_and_exits_in_slices(
    latencies, order_bars, exit_bars, size
):
    limits = Set(Fraction(size, 100), Fraction(1, 200), Fraction(1, 1000))
    # Two opens of one horizon lie this far apart at most.
    apart = 2 * Fraction(size + 1, 100) if len(set(latencies)) > 1 else Fraction(0)
    for seed in (1, 2):
        run = guarded(
            seed,
            Fraction(40, 100),
            limits,
            horizon=1 + (1 + max(latencies)) * (1 + exit_bars),
            latencies=latencies,
            order_bars=order_bars,
            exit_bars=exit_bars,
            legging=apart,
        )
        require_sound(run, Fraction(40, 100))
        assert any(tick.positions[1] for tick in run.ticks)


def unguarded(seed: int, limits: Set = LIMITS) -> MarginWorld:
    market, resolved = edge_market(seed, limits), mandate(limits, Fraction(20, 100))
    gate = Unguarded(resolved.costs)
    return world(market, resolved, Adversary(market, gate, seed), gate=gate).run()


def test_without_the_guard_the_same_adversary_is_liquidated():
    """In all of these seeds; the guarded twins above are liquidated in none."""
    liquidated = [seed for seed in SEEDS if unguarded(seed).liquidated]
    assert len(liquidated) == len(SEEDS)


def test_a_set_of_half_the_size_is_blamed_where_the_move_left_it():
    """Outside the declared set nothing is promised: A1 is named, at its bar, and no defect."""
    liquidated = 0
    for seed in SEEDS:
        market, resolved = edge_market(seed, LIMITS), halved(mandate(LIMITS, Fraction(60, 100)))
        run = world(market, resolved, Adversary(market, Guard(resolved), seed)).run().finished()
        require_replayed(run)
        liquidated += bool(run.liquidated)
        for breach in run.monitor.breaches:
            failed = {f.assumption: f.bar for f in breach.failures}
            assert failed["A1"] <= breach.bar
            assert breach.limit == ("margin_safety" if run.liquidated else "max_drawdown")
        if run.monitor.breaches:
            assert run.ticks[-1].mode is Mode.HALTED
            assert not any(run.ticks[-1].positions)
    assert liquidated > len(SEEDS) // 2


# -- mutants ----------------------------------------------------------------------------------


def liquidated_though_all_held() -> int:
    """In how many seeds something was liquidated with no assumption failed: our own defect."""
    found = 0
    for seed in SEEDS:
        limits = Fraction(90, 100)
        market, resolved = edge_market(seed, LIMITS), mandate(LIMITS, limits)
        run = world(market, resolved, Adversary(market, Guard(resolved), seed)).run()
        if run.liquidated:
            assert run.monitor.breaches[0].failures == ()
            assert run.monitor.breaches[0].limit == "margin_safety"
            assert run.ticks[-1].mode is Mode.HALTED
            found += 1
    return found


def test_mutant_that_forgets_the_margin_accounts_is_liquidated(monkeypatch):
    assert liquidated_though_all_held() == 0

    def forgetful(mandate, book, proposal, band, every, certificates):
        return replace(bounds_of(mandate, book, proposal, band, every, certificates), shortfall=0)

    bounds_of = proof.bounds_of
    for module in (certifier, proof):
        monkeypatch.setattr(module, "bounds_of", forgetful)
    assert liquidated_though_all_held() > 0


def test_mutant_that_leaves_what_is_moved_where_it_was_is_liquidated(monkeypatch):
    monkeypatch.setattr(obligations, "after_transfers", lambda book, proposal: book)
    assert liquidated_though_all_held() > 0


def test_mutant_without_the_maintenance_is_liquidated(monkeypatch):
    monkeypatch.setattr(obligations, "_add_maintenance", lambda *rest: None)
    assert liquidated_though_all_held() > 0


# -- one thing at a time ----------------------------------------------------------------------


class Plan:
    """Proposes what is planned for a bar."""

    def __init__(self, **plan: object) -> None:
        self.plan = plan

    def decide(self, snapshot, book):
        make = self.plan.get(f"bar{snapshot.bar}")
        return make(snapshot, book) if callable(make) else Proposal()


def perp(side: Side, notional: int, *transfers: Transfer):
    """A trade of so many whole dollars, within 2% of the mark."""

    def make(snapshot, book):
        price = snapshot.prices["P"]
        limit = int(price * (1 + side.sign * Fraction(2, 100))) // PERP.tick * PERP.tick
        quantity = notional * UNIT // PERP.notional(1, price)
        return Proposal((Leg(PERP, side, quantity, limit),), transfers=transfers)

    return make


def moves(amount: int, source: str, target: str):
    transfer = Transfer(amount * UNIT, source, target)
    return lambda snapshot, book: Proposal(transfers=(transfer,))


def path(*prices: int, rates: dict[int, int] | None = None, off: int = 0) -> MarginMarket:
    """Spot and perpetual at one price; marks ``off`` above it, in spot price units."""
    rows = [(price, price * 10**6) for price in prices]
    marks = [(price, (price + off) * 10**6) for price in prices]
    return MarginMarket(rows, marks, marks, rates or {})


def test_a_transfer_is_nowhere_to_be_lent_from_while_it_is_under_way():
    run = (
        world(
            path(*[100_000] * 8),
            mandate(LIMITS, Fraction(1, 5)),
            Plan(bar1=moves(250_000, "spot", "perp")),
        )
        .run()
        .finished()
    )
    require_sound(run, Fraction(1, 5))
    places = [{k: int(v) // UNIT for k, v in book["places"].items()} for book in run.books]
    assert places[0] == {"spot": 600_000, "perp": 400_000}
    assert places[1] == places[2] == {"spot": 350_000, "perp": 400_000}
    assert places[3] == {"spot": 350_000, "perp": 650_000}
    assert [len(book["transit"]) for book in run.books[:4]] == [0, 1, 1, 0]
    assert {tick.nav for tick in run.ticks} == {CASH}


def test_funding_is_paid_on_what_was_held_before_the_open():
    """A tenth of a percent, at the mark: to the short of bar 1, from the long of bar 4."""
    rate = 10**9
    rates = {1: rate, 2: rate, 5: rate, 7: rate}
    run = (
        world(
            path(*[100_000] * 9, rates=rates, off=50),
            mandate(LIMITS, Fraction(1, 5)),
            Plan(bar0=perp(Side.SELL, 100_000), bar3=perp(Side.BUY, 200_000)),
        )
        .run()
        .finished()
    )
    require_sound(run, Fraction(1, 5))
    held = [tick.positions[1] for tick in run.ticks]
    assert held[1] == held[3] < 0 < held[4]
    mark = (100_000 + 50) * 10**6
    expected = [
        -(PERP.notional(before, mark) * rates.get(bar, 0)) // 10**12
        for bar, before in enumerate([0, *held[:-1]])
    ]
    assert [tick.funding for tick in run.ticks] == expected
    assert expected[1] == 0 < expected[2]
    assert expected[5] < 0


def test_funding_on_what_is_not_held_is_no_failure():
    """Only payments stand in the log, and only they can hurt."""
    rate = 5 * 10**10  # 5%, far above what the set allows for
    run = (
        world(
            path(*[100_000] * 9, rates={2: rate}),
            mandate(LIMITS, Fraction(1, 5)),
            Plan(bar3=perp(Side.BUY, 100_000)),
        )
        .run()
        .finished()
    )
    require_sound(run, Fraction(1, 5))
    run = (
        world(
            path(*[100_000] * 9, rates={6: rate}),
            mandate(LIMITS, Fraction(1, 5)),
            Plan(bar3=perp(Side.BUY, 100_000)),
        )
        .run()
        .finished()
    )
    require_replayed(run)
    assert [(f.assumption, f.bar, f.exposed) for f in run.monitor.failures] == [("A1", 6, True)]


CRASH = [100_000] * 4 + [96_000, 94_000, 70_000, 60_000, 50_000, 50_000]


@pytest.mark.parametrize("latency", [0, 1])
def test_a_liquidation_beyond_the_set_is_blamed_on_the_move_alone(latency):
    """The venue cancels what the guard had under way: that is no way out that failed."""
    horizon = 1 + (1 + latency) * 2
    run = (
        world(
            path(*CRASH),
            mandate(LIMITS, Fraction(90, 100), horizon=horizon),
            Plan(bar0=perp(Side.BUY, 9_000_000)),
            latencies=(latency, latency),
        )
        .run()
        .finished()
    )
    require_replayed(run)
    assert run.liquidated == 1
    (breach,) = run.monitor.breaches
    assert breach.limit == "margin_safety"
    assert {f.assumption for f in breach.failures} == {"A1"}
    assert run.ticks[-1].mode is Mode.HALTED
    assert run.ticks[-1].places[1] >= 0, "the insurance fund covers what is missing"


def test_a_redemption_waits_for_money_that_stands_at_the_other_venue():
    flow = Flow(0, -700_000 * UNIT, "widow")
    day = {"date": "1970-01-01", "amount": "-700000", "name": "widow"}
    run = (
        world(
            path(*[100_000] * 8),
            mandate(LIMITS, Fraction(1, 5)),
            Plan(bar3=moves(300_000, "perp", "spot")),
            flows=[flow],
            flow_tables=[day],
        )
        .run()
        .finished()
    )
    require_replayed(run)
    assert [tick.nav // UNIT for tick in run.ticks] == [1_000_000] * 5 + [300_000] * 3
    assert {"flow", "flow_queued"} <= run.kinds()


def test_an_unguarded_transfer_leaves_what_margins_the_position():
    resolved = mandate(LIMITS, Fraction(1, 5))
    gate = Unguarded(resolved.costs)
    plan = Plan(bar0=perp(Side.BUY, 2_000_000), bar2=moves(390_000, "perp", "spot"))
    run = world(path(*[100_000] * 6), resolved, plan, gate=gate).run()
    assert all(not book["transit"] for book in run.books)
    assert run.ticks[-1].positions[1] > 0


class Hedges:
    """Buys spot and sells the perpetual again and again, as much as the guard lets through."""

    def decide(self, snapshot, book):
        if snapshot.bar % 3 or snapshot.bar > 45:
            return Proposal()
        price = snapshot.prices["A"]
        limit = price * 1001 // 1000
        quantity = book.places["spot"] * 98 // 100 // SPOT.notional(1, limit)
        sell = snapshot.prices["P"] * 999 // 1000 // PERP.tick * PERP.tick
        if not quantity:
            return Proposal()
        return Proposal(
            (Leg(SPOT, Side.BUY, quantity, limit), Leg(PERP, Side.SELL, quantity, sell))
        )


def one_after_the_other(legging: Fraction) -> MarginWorld:
    """The spot leg is sold, then the market falls and rises under the short that is left."""
    size = Fraction(5, 100)
    limits = Set(size, Fraction(1, 1000), Fraction(0))
    low, high = int(100_000 * (1 - size)), int(100_000 * (1 + size))
    flat = path(*[100_000] * 54)
    opens, closes = list(flat.opens), list(flat.closes)
    closes[50] = (low, low * 10**6)
    for rows in (opens, closes):
        rows[51:] = [(high, high * 10**6)] * 3
    market = replace(flat, opens=opens, mark_opens=opens, closes=closes)
    resolved = mandate(limits, Fraction(3, 100), horizon=5, legging=legging)
    run = world(market, resolved, Hedges(), latencies=(0, 1))
    run.run(49)
    run.fund.kill("the operator says so")
    return run.run()


def test_legs_that_close_one_after_the_other_stay_within_the_limit():
    run = one_after_the_other(Fraction(51, 1000))
    assert run.monitor.failures == []
    assert Fraction(1, 100) < run.drawdown <= Fraction(3, 100)


@pytest.mark.parametrize("legging", [Fraction(0), Fraction(1, 1000)])
def test_legs_that_part_by_more_than_the_allowance_are_a_failed_assumption(legging):
    run = one_after_the_other(legging)
    assert run.drawdown > Fraction(3, 100)
    assert {f.assumption for b in run.monitor.breaches for f in b.failures} == {"A5"}


# -- resuming ---------------------------------------------------------------------------------


def test_a_margined_run_cut_off_after_any_record_is_resumed_to_the_same_log():
    market, resolved = edge_market(3, LIMITS), mandate(LIMITS, Fraction(60, 100))

    def run(log: MemoryLog, resume: bool) -> MarginWorld:
        strategy = Adversary(market, Guard(resolved), 3)
        return world(market, resolved, strategy, log=log, resume=resume).run().finished()

    whole = run(MemoryLog(), False)
    leaves = list(whole.log.leaves())
    kinds = [leaf[: leaf.index(b",")] for leaf in leaves]
    rng = random.Random(1)
    for size in sorted(rng.sample(range(1, len(leaves)), 8)):
        cut = MemoryLog()
        for leaf in leaves[:size]:
            cut.append(leaf)
        again = run(cut, True)
        assert list(again.log.leaves()) == leaves, kinds[size]


def test_a_log_with_its_places_swapped_is_refused():
    """The replay keeps cash by place, and not in one sum."""
    run = guarded(2, Fraction(60, 100))
    leaves = [leaf.replace(b'"perp":"400', b'"perp":"401') for leaf in run.log.leaves()]
    forged = MemoryLog()
    for leaf in leaves:
        forged.append(leaf)
    with pytest.raises(VerificationError):
        MarginWorld(run.fund, run.monitor, forged, run.recorder).replayed()
