"""The fixed floor: in the machine over every history, in the guard's verdicts, as it is stated."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction

import pytest
from guard_world import (
    AAA,
    BBB,
    PRICES,
    USD,
    buy,
    make_book,
    make_mandate,
    make_situation,
    sell,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails import fixed_floor
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import (
    NO_FLOOR,
    Bounds,
    Floor,
    Machine,
    MachineError,
    Mode,
    is_safe,
)
from agent_fund.guard.reduction import reduction
from agent_fund.guard.verdict import Outcome, Situation

LAX = Fraction(99, 100)
NOTHING = Bounds(0, 0, 0)
PARTS = st.sampled_from([0, 0, 1, 3, 10, 19, 20, 21, 34, 60])


class Floored(RuleBasedStateMachine):
    """Every history of a fund with a floor whose NAV stays where the accepted bounds allow it."""

    @initialize(
        limit=st.sampled_from([LAX, Fraction(1, 5), Fraction(1)]),
        nav=st.sampled_from([7, 1_000, 10**12 + 1]),
        share=st.integers(0, 100),
        scales=st.booleans(),
    )
    def start(self, limit: Fraction, nav: int, share: int, scales: bool) -> None:
        floor = -(-nav * share // 100)
        self.machine = Machine(limit, nav, Floor(floor, scales))
        self.scales, self.stated, self.paid = scales, floor, Fraction(floor)

    @rule(where=st.sampled_from([0, 0, 1, 2, 3, 4, 4]))
    def tick(self, where: int) -> None:
        m = self.machine
        low = m.V - m.bounds.loss // SCALE - m.bounds.costs
        high = m.V + m.bounds.gain // SCALE
        assert m.tick(low + (high - low) * where // 4)
        assert not m.broken

    @rule(loss=PARTS, gain=PARTS, costs=st.sampled_from([0, 0, 1, 8]))
    def decide(self, loss: int, gain: int, costs: int) -> None:
        m = self.machine
        unit = m.v * SCALE // 100
        bounds = Bounds(unit * loss, unit * gain, m.v * costs // 100)
        quick = copy.copy(m)
        accepted = quick.try_decide(bounds)
        try:
            m.decide(bounds)
        except MachineError:
            assert not accepted
        else:
            assert accepted or quick.mode is not Mode.ACTIVE

    @rule(percent=st.sampled_from([-60, -10, -1, 1, 25, 300]))
    def flow(self, percent: int) -> None:
        m = self.machine
        before, amount = m.v, m.v * percent // 100
        try:
            m.flow(amount, NOTHING)
        except MachineError:
            assert m.v == before
        else:
            if self.scales:
                self.paid = self.paid * m.v / before

    @precondition(lambda self: self.machine.mode is Mode.ACTIVE)
    @rule()
    def reduce(self) -> None:
        self.machine.reduce()

    @invariant()
    def floor_holds(self) -> None:
        if hasattr(self, "machine"):
            m = self.machine
            assert m.v >= m.F
            assert m.h >= m.F
            assert not m.breached
            assert self.paid <= m.F if self.scales else self.stated == m.F


TestFloored = Floored.TestCase
TestFloored.settings = settings(deadline=None, max_examples=250, stateful_step_count=25)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 1000),
    st.integers(0, 1000),
    st.tuples(*[st.integers(0, 40 * SCALE)] * 2, st.integers(0, 9)),
)
def test_safe_asks_the_floor_of_the_lowest_nav(
    nav: int, floor: int, numbers: tuple[int, int, int]
) -> None:
    bounds = Bounds(*numbers)
    formula = floor <= nav - Fraction(bounds.loss, SCALE) - bounds.costs
    assert is_safe(Fraction(1), nav, nav, bounds, floor) == (
        formula and is_safe(1, nav, nav, bounds)
    )
    machine = Machine(Fraction(1), 1)
    machine.v = machine.h = nav
    machine.F = floor
    assert (
        machine.safe(bounds)
        == machine.try_decide(bounds)
        == is_safe(Fraction(1), nav, nav, bounds, floor)
    )


@pytest.mark.parametrize(
    ("bounds", "safe"),
    [
        (Bounds(20 * SCALE, 0, 0), True),
        (Bounds(20 * SCALE + 1, 0, 0), False),
        (Bounds(20 * SCALE, 0, 1), False),
        (Bounds(0, 0, 20), True),
        (Bounds(0, 0, 21), False),
        (Bounds(0, 10**9 * SCALE, 0), False),  # the drawdown alone: no gain breaks a floor
        (Bounds(0, 900 * SCALE, 0), True),
    ],
)
def test_a_floor_of_eighty_at_its_edges(bounds: Bounds, safe: bool) -> None:
    machine = Machine(LAX, 100, Floor(80))
    assert machine.safe(bounds) is safe
    assert copy.copy(machine).try_decide(bounds) is safe
    if safe:
        machine.decide(bounds)
    else:
        with pytest.raises(MachineError, match="not Safe"):
            machine.decide(bounds)


def test_a_nav_below_the_floor_is_a_breach_that_names_it() -> None:
    machine = Machine(LAX, 100, Floor(80))
    assert machine.tick(80)
    assert machine.broken == ""
    assert not machine.tick(79)
    assert (machine.breached, machine.broken) == (True, "fixed_floor")
    assert machine.tick(300)
    assert machine.breached


def test_of_two_limits_broken_at_once_the_drawdown_is_named() -> None:
    machine = Machine(Fraction(1, 5), 100, Floor(80))
    assert not machine.tick(79)
    assert machine.broken == "max_drawdown"


def test_a_flow_scales_a_share_and_leaves_an_amount() -> None:
    for scales, floors in ((True, (120, 40)), (False, (80, 80))):
        machine = Machine(LAX, 100, Floor(80, scales))
        machine.flow(50, NOTHING)
        assert floors[0] == machine.F
        other = Machine(LAX, 100, Floor(80, scales))
        if scales:
            other.flow(-50, NOTHING)
            assert floors[1] == other.F
        else:
            with pytest.raises(MachineError, match="not Safe"):
                other.flow(-50, NOTHING)
            other.flow(-20, NOTHING)
            assert other.F == 80


def test_a_floor_that_scales_is_rounded_against_the_fund() -> None:
    machine = Machine(LAX, 100, Floor(33))
    machine.flow(1, NOTHING)
    assert machine.F == 34


def test_a_halted_fund_resumes_above_its_floor_only() -> None:
    machine = Machine(LAX, 100, Floor(80))
    machine.tick(81)
    machine.kill()
    machine.done(flat=True)
    with pytest.raises(MachineError, match="Safe"):
        machine.resume(Bounds(2 * SCALE, 0, 0))
    machine.resume(Bounds(SCALE, 0, 0))


@pytest.mark.parametrize("floor", [-1, 101])
def test_a_floor_that_the_fund_does_not_start_above_is_refused(floor: int) -> None:
    with pytest.raises(MachineError, match="floor"):
        Machine(LAX, 100, Floor(floor))


# -- as it is stated ------------------------------------------------------------------------------


def test_a_share_of_capital_is_rounded_up_and_an_amount_is_exact() -> None:
    capital = 1_000_000 * 10**4 + 1
    share = fixed_floor.floor_of(fixed_floor.fixed_floor("80%"), capital, USD)
    assert share == Floor(800_000 * 10**4 + 1, scales=True)
    amount = fixed_floor.floor_of(fixed_floor.fixed_floor("800000.5 USD"), capital, USD)
    assert amount == Floor(8_000_005_000, scales=False)
    assert fixed_floor.floor_of(None, capital, USD) == NO_FLOOR


@pytest.mark.parametrize("limit", ["800000 EUR", "0.00001 USD", "1000001 USD"])
def test_a_floor_that_this_fund_cannot_have_is_refused(limit: str) -> None:
    with pytest.raises(DomainError):
        fixed_floor.floor_of(fixed_floor.fixed_floor(limit), 10**10, USD)


# -- in verdicts ----------------------------------------------------------------------------------


def floored(floor: int, **book: object) -> tuple[Guard, Situation]:
    guard = Guard(make_mandate("99%", fixed_floor.fixed_floor("0%")))
    situation = make_situation(make_book(**book))  # type: ignore[arg-type]
    return guard, replace(situation, floor=floor)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100), st.sampled_from([AAA, BBB]), st.integers(1, 60))
def test_a_trade_is_admitted_where_its_proved_loss_leaves_the_floor(
    percent: int, instrument: Instrument, lots: int
) -> None:
    guard, situation = floored(0)
    floor, price = situation.nav * percent // 100, PRICES[instrument.symbol]
    for limit in (price, price * 11 // 10):
        proposal = Proposal((buy(instrument, lots * 14 * instrument.lot, limit),))
        bounds = guard.bounds(proposal, situation)
        verdict = guard.judge(proposal, replace(situation, floor=floor))
        if floor <= situation.nav - Fraction(bounds.loss, SCALE) - bounds.costs:
            assert verdict.outcome is Outcome.ADMITTED
        if verdict.certified is not None:
            proved = verdict.certified.bounds
            assert floor <= situation.nav - Fraction(proved.loss, SCALE) - proved.costs
        if verdict.outcome is not Outcome.ADMITTED:
            assert [f.guardrail for f in verdict.broken] == ["fixed_floor"]


def test_the_verdict_tells_floor_and_lowest_nav_in_money() -> None:
    guard, situation = floored(99_000 * 10**4)
    verdict = guard.judge(Proposal((buy(AAA, 500, 10_000),)), situation)
    assert verdict.outcome is Outcome.REPAIRED
    (broken,) = verdict.broken
    assert broken.guardrail == "fixed_floor"
    assert broken.limit == "a NAV of 99,000.00 USD"
    assert broken.value.endswith(" USD at worst")
    assert "AAA -20.00%" in broken.scenario
    holds = {f.guardrail: f.holds for f in verdict.findings}
    assert holds["fixed_floor"]
    assert holds["max_drawdown"]


def test_a_held_book_is_looked_at_and_reduced_against_the_floor() -> None:
    book = {"cash": 0, "positions": {"AAA": 1_000}}
    guard, situation = floored(0, **book)
    assert guard.look(situation) is not None
    worst = guard.bounds(Proposal(), situation)
    lowest = situation.nav - worst.loss // SCALE - worst.costs - 1
    assert guard.look(replace(situation, floor=lowest)) is not None
    high = replace(situation, floor=situation.nav * 9 // 10)
    assert guard.look(high) is None
    assert guard.explain(high).guardrail == "fixed_floor"
    share = reduction(guard, high)
    # It may lose a fifth and costs, and a tenth is allowed: about half is kept, less a buffer.
    assert Fraction(1, 2) < share < Fraction(7, 10)
    left = int(1_000 * (1 - share))
    less = make_situation(make_book(1_000 * AAA.notional(1, 10_000) - left * 10**6, {"AAA": left}))
    assert guard.look(replace(less, floor=high.floor)) is not None


def test_a_sale_that_only_helps_is_admitted_to_a_unit_of_the_floor() -> None:
    guard, situation = floored(0, cash=10**8, positions={"AAA": 200})
    sale = Proposal((sell(AAA, 100, 9_000),))
    # At worst it does not fill, and 200 of them fall by a fifth.
    loss = 200 * AAA.notional(1, 10_000) // 5
    lowest = situation.nav - loss - guard.bounds(sale, situation).costs
    assert guard.judge(sale, replace(situation, floor=lowest)).outcome is Outcome.ADMITTED
    more = replace(situation, floor=lowest + 1)
    assert guard.judge(sale, more).outcome is not Outcome.ADMITTED


def test_without_a_stated_floor_there_is_no_finding_of_one() -> None:
    guard, situation = Guard(make_mandate("99%")), make_situation(make_book())
    verdict = guard.judge(Proposal((buy(AAA, 1, 10_000),)), situation)
    assert "fixed_floor" not in [f.guardrail for f in verdict.findings]


def test_nothing_proved_is_below_every_floor() -> None:
    found = fixed_floor.judge(0, 10**9, None, USD, "no proof")
    assert not found.holds
    assert found.value == "nothing proved"
