"""Ways out that are less tidy than the theory: legs apart, lots, kills between two bars."""

from __future__ import annotations

from fractions import Fraction

import pytest
from margin_world import FINE, PERP, SPOT, MarginMarket, Set, mandate, world

from agent_fund.domain.book import Book
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side, Status
from agent_fund.domain.transfer import Transfer
from agent_fund.guard.cases import cases
from agent_fund.guard.cost_bound import cost_bound, legging_gain, lots_apart
from agent_fund.guard.costs import Costs
from agent_fund.guard.machine import Mode
from agent_fund.guard.solvency import solvency

START = 100_000


def prices(multiple: Fraction) -> tuple[int, int]:
    return int(START * multiple), int(START * multiple) * FINE


class Builds:
    """A hedge, a hundred units every fourth bar, until bar 24."""

    def decide(self, snapshot, book):
        if snapshot.bar % 4 != 1 or snapshot.bar >= 24 or book.open_orders:
            return Proposal()
        return Proposal(
            (
                Leg(SPOT, Side.BUY, 10_000, 100_200),
                Leg(PERP, Side.SELL, 10_000, 99_800 * FINE),
            )
        )


def hedged(bars, *, legging=Fraction(1, 100)):
    """A run over (open, mark open, mark close) multiples, the perpetual's latency one bar more."""
    columns = ([prices(Fraction(row[n])) for row in bars] for n in range(3))
    limits = Set(Fraction(30, 100), Fraction(2, 100), Fraction(1, 1000))
    rules = mandate(limits, Fraction(1, 10), horizon=5, legging=legging)
    return world(MarginMarket(*columns), rules, Builds(), latencies=(0, 1), order_bars=2)


def test_a_mark_between_the_fills_of_two_legs_is_seen() -> None:
    """Spot closes at one open, the perpetual at the next; in between its mark jumps and returns."""
    bars = [(1, 1, 1)] * 27 + [(1, 1, Fraction(129, 100))] + [(1, 1, 1)] * 5
    run = hedged(bars)
    run.run(26)
    run.fund.kill("the operator says so")
    run.run()
    (breach,) = run.monitor.breaches
    assert {failure.assumption for failure in breach.failures} == {"A5"}
    assert "between the legs" in breach.failures[0].text


@pytest.mark.parametrize("bar", [3, 9, 20])
def test_a_kill_between_two_bars_verifies(bar: int) -> None:
    run = hedged([(1, 1, 1)] * 34, legging=Fraction(31, 100))
    run.run(bar)
    run.fund.kill("the operator says so")
    run.run()
    assert run.ticks[-1].mode is Mode.HALTED
    run.finished().replayed()


def test_slices_that_lots_put_out_of_proportion_are_paid_for() -> None:
    run = hedged([(1, 1, 1)] * 34, legging=Fraction(0))
    run.run(12)
    book, rules = run.fund._orders.book, run.fund._guard.mandate
    every = cases(book, Proposal())
    band = {"A": (START, START), "P": (START * FINE, START * FINE)}
    lots = lots_apart(every, rules.stress, band, book, 1)
    low, high = rules.stress.box[0]
    assert lots >= SPOT.notional(SPOT.lot, START) * (high - low) // 10**6
    assert legging_gain(every, rules.stress, rules.costs, band, book, 1) == lots
    assert cost_bound(every, rules.stress, rules.costs, band, book, 1) > lots
    alone = [case.only({"A"}) for case in every]
    assert lots_apart(alone, rules.stress, band, book, 1) == 0


class At:
    """What to propose at the close of each bar named."""

    def __init__(self, **turns):
        self.turns = {int(name[1:]): turn for name, turn in turns.items()}

    def decide(self, snapshot, book):
        turn = self.turns.get(snapshot.bar, Proposal())
        return turn(book) if callable(turn) else turn


def test_cash_that_a_partly_filled_order_holds_back_is_not_spent_twice() -> None:
    """An order keeps its whole fee reserved until it ends, so the guard counts the whole too."""
    costs = Costs(Fraction(1, 100), Fraction(0))
    order = Order(
        "o", SPOT, Side.BUY, 10_000, 110_000, Purpose.AGENT, 9, None, 5_000, Status.PARTIAL
    )
    rest = SPOT.notional(5_000, 110_000)
    whole_fee = SPOT.notional(10_000, 110_000) // 100
    cash = 2 * rest
    instruments = {"A": SPOT, "P": PERP}
    book = Book(SPOT.quote, cash, instruments, {}, (order,), {"spot": cash, "perp": 0})
    free = cash - rest - whole_fee
    fits = Proposal(transfers=(Transfer(free, "spot", "perp"),))
    assert solvency(book, fits, costs).holds
    more = Proposal(transfers=(Transfer(free + 1, "spot", "perp"),))
    assert not solvency(book, more, costs).holds


def test_more_transfers_than_a_record_holds_are_refused() -> None:
    many = Proposal(transfers=tuple(Transfer(1, "spot", "perp") for _ in range(17)))
    columns = ([prices(Fraction(1))] * 6 for _ in range(3))
    limits = Set(Fraction(30, 100), Fraction(2, 100), Fraction(1, 1000))
    run = world(MarginMarket(*columns), mandate(limits, Fraction(1, 2)), At(b1=many))
    run.run()
    assert not run.fund._orders.book.transit
    run.finished().replayed()


def test_nothing_is_closed_beside_an_order_that_may_still_fill(monkeypatch) -> None:
    """A cancel that the venue has not confirmed: the order still fills, so the way out waits."""
    fall = Fraction(78, 100)
    run = hedged([(1, 1, 1)] * 10 + [(fall, fall, fall)] * 6, legging=Fraction(31, 100))
    run.run(10)
    orders, sent = run.fund._orders, []
    monkeypatch.setattr(type(orders), "cancel", lambda self, bar: None)
    monkeypatch.setattr(type(orders), "any_open", property(lambda self: True))
    monkeypatch.setattr(type(orders), "send", lambda self, *given: sent.append(given))
    run.fund._reduce()
    assert sent == []
    assert run.fund.machine.mode is Mode.ACTIVE
