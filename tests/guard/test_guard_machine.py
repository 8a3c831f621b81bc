"""The theorem about the state machine, run against it: inside its bounds the limit never breaks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import (
    Bounds,
    Machine,
    MachineError,
    Mode,
    is_safe,
    scaled_mark,
    worst_drawdown,
)

LIMITS = [Fraction(0), Fraction(1, 20), Fraction(1, 5), Fraction(1, 3), Fraction(99, 100)]
PERCENT = st.sampled_from([0, 0, 1, 3, 5, 10, 19, 20, 21, 34, 60, 130])


def share_of(nav: int, loss: int, gain: int, costs: int) -> Bounds:
    return Bounds(nav * SCALE * loss // 100, nav * SCALE * gain // 100, nav * costs // 100)


def state(machine: Machine) -> tuple[object, ...]:
    return tuple(getattr(machine, name) for name in Machine.__slots__)


class Fund(RuleBasedStateMachine):
    """Every history in which NAV stays where the accepted bounds say that it can be."""

    @initialize(limit=st.sampled_from(LIMITS), nav=st.sampled_from([1, 7, 1_000, 10**12 + 1]))
    def start(self, limit: Fraction, nav: int) -> None:
        self.machine = Machine(limit, nav)

    @rule(where=st.sampled_from([0, 0, 1, 2, 3, 4, 4]))
    def tick(self, where: int) -> None:
        m = self.machine
        low = m.V - m.bounds.loss // SCALE - m.bounds.costs
        high = m.V + m.bounds.gain // SCALE
        assert m.tick(low + (high - low) * where // 4)

    @rule(loss=PERCENT, gain=PERCENT, costs=st.sampled_from([0, 0, 1, 2, 8]))
    def decide(self, loss: int, gain: int, costs: int) -> None:
        bounds = share_of(self.machine.v, loss, gain, costs)
        before, quick = state(self.machine), copy.copy(self.machine)
        active = self.machine.mode is Mode.ACTIVE
        try:
            self.machine.decide(bounds)
        except MachineError:
            assert state(self.machine) == before
            assert not quick.try_decide(bounds)
            assert state(quick) == before
        else:
            assert self.machine.mode is Mode.ACTIVE
            assert quick.try_decide(bounds) == active
            assert not active or state(quick) == state(self.machine)

    @rule()
    def decide_again_with_the_bounds_in_force(self) -> None:
        bounds, slow = self.machine.bounds, copy.copy(self.machine)
        accepted = self.machine.try_decide(bounds)
        assert accepted == (slow.mode is Mode.ACTIVE and slow.safe(bounds))
        if accepted:
            slow.decide(bounds)
        assert state(slow) == state(self.machine)

    @rule(percent=st.sampled_from([-60, -10, 1, 25, 300]), loss=PERCENT, gain=PERCENT)
    def flow(self, percent: int, loss: int, gain: int) -> None:
        amount = self.machine.v * percent // 100
        bounds = share_of(max(0, self.machine.v + amount), loss, gain, 0)
        before = state(self.machine)
        try:
            self.machine.flow(amount, bounds)
        except MachineError:
            assert state(self.machine) == before

    @precondition(lambda self: self.machine.mode is Mode.ACTIVE)
    @rule()
    def reduce(self) -> None:
        in_force = self.machine.bounds
        self.machine.reduce()
        assert self.machine.bounds == in_force

    @precondition(lambda self: self.machine.mode is Mode.REDUCING)
    @rule()
    def exit(self) -> None:
        self.machine.exit()

    @precondition(lambda self: self.machine.mode is not Mode.HALTED)
    @rule()
    def kill(self) -> None:
        self.machine.kill()
        with pytest.raises(MachineError, match="no decision"):
            self.machine.decide(Bounds(0, 0, 0))

    @precondition(lambda self: self.machine.mode is Mode.EXITING)
    @rule()
    def done(self) -> None:
        self.machine.done(flat=True)

    @precondition(lambda self: self.machine.mode is Mode.HALTED)
    @rule(loss=PERCENT, gain=PERCENT)
    def resume(self, loss: int, gain: int) -> None:
        bounds = share_of(self.machine.v, loss, gain, 0)
        before = state(self.machine)
        try:
            self.machine.resume(bounds)
        except MachineError:
            assert state(self.machine) == before

    @invariant()
    def limit_holds(self) -> None:
        if hasattr(self, "machine"):
            m = self.machine
            assert (1 - m.limit) * m.h <= m.v
            assert not m.breached
            assert m.h >= max(m.v, m.H)


TestFund = Fund.TestCase
TestFund.settings = settings(deadline=None, max_examples=250, stateful_step_count=25)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(LIMITS) | st.fractions(0, 1),
    st.integers(1, 120) | st.integers(-(10**9), 10**9),
    st.integers(0, 120) | st.integers(0, 10**9),
    st.tuples(*[st.integers(0, 40 * SCALE)] * 2, st.integers(0, 9)),
)
def test_safe_is_the_formula_of_the_guarantee(
    limit: Fraction, nav: int, mark: int, numbers: tuple[int, int, int]
) -> None:
    bounds = Bounds(*numbers)
    loss, gain = Fraction(bounds.loss, SCALE), Fraction(bounds.gain, SCALE)
    peak = max(Fraction(mark), nav + gain)
    formula = (1 - limit) * peak <= nav - loss - bounds.costs
    assert is_safe(limit, nav, mark, bounds) == formula
    machine = Machine(limit, 1)
    machine.v, machine.h = nav, mark
    assert machine.safe(bounds) == formula
    assert machine.try_decide(bounds) == formula


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(LIMITS),
    st.integers(1, 200),
    st.integers(1, 200),
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 20)),
)
def test_the_drawdown_that_is_reported_is_the_one_that_decides(
    limit: Fraction, nav: int, mark: int, numbers: tuple[int, int, int]
) -> None:
    bounds = Bounds(numbers[0] * SCALE, numbers[1] * SCALE, numbers[2])
    assert is_safe(limit, nav, mark, bounds) == (worst_drawdown(nav, mark, bounds) <= limit)


@pytest.mark.parametrize(
    ("bounds", "safe"),
    [
        (Bounds(10 * SCALE, 50 * SCALE, 0), False),  # 100 to 150 to 90 falls by 40 %
        (Bounds(20 * SCALE, 0, 0), True),
        (Bounds(20 * SCALE, 0, 1), False),
        (Bounds(20 * SCALE + 1, 0, 0), False),
        (Bounds(0, 25 * SCALE, 0), True),
        (Bounds(0, 25 * SCALE + 1, 0), False),
        (Bounds(0, 0, 20), True),
        (Bounds(0, 0, 21), False),
    ],
)
def test_safe_at_its_edges_for_a_fifth_of_a_hundred(bounds: Bounds, safe: bool) -> None:
    assert is_safe(Fraction(1, 5), 100, 100, bounds) is safe
    machine = Machine(Fraction(1, 5), 100)
    assert machine.safe(bounds) is safe
    assert copy.copy(machine).try_decide(bounds) is safe


def test_an_older_mark_counts_and_not_only_nav() -> None:
    assert is_safe(Fraction(1, 5), 80, 100, Bounds(0, 0, 0))
    assert not is_safe(Fraction(1, 5), 79, 100, Bounds(0, 0, 0))
    machine = Machine(Fraction(1, 5), 100)
    machine.tick(80)
    assert not machine.try_decide(Bounds(1, 0, 0))
    assert machine.try_decide(Bounds(0, 0, 0))


def test_a_limit_of_zero_allows_no_loss_and_no_gain() -> None:
    machine = Machine(Fraction(0), 100)
    assert machine.safe(Bounds(0, 0, 0))
    for bounds in (Bounds(1, 0, 0), Bounds(0, 1, 0), Bounds(0, 0, 1)):
        assert not machine.safe(bounds)


def test_a_tick_below_the_limit_is_a_breach_that_recovery_does_not_undo() -> None:
    machine = Machine(Fraction(1, 5), 100)
    assert machine.tick(80)
    assert not machine.tick(79)
    assert machine.tick(200)
    assert machine.breached


def at(mode: Mode) -> Machine:
    machine = Machine(Fraction(1, 5), 100)
    if mode is Mode.REDUCING:
        machine.reduce()
    elif mode is not Mode.ACTIVE:
        machine.kill()
        if mode is Mode.HALTED:
            machine.done(flat=True)
    return machine


NOTHING = Bounds(0, 0, 0)
UNSAFE = Bounds(21 * SCALE, 0, 0)
ILLEGAL: list[tuple[str, Mode, Callable[[Machine], object]]] = [
    ("decide", Mode.EXITING, lambda m: m.decide(NOTHING)),
    ("decide", Mode.HALTED, lambda m: m.decide(NOTHING)),
    ("decide unsafe", Mode.ACTIVE, lambda m: m.decide(UNSAFE)),
    ("decide unsafe", Mode.REDUCING, lambda m: m.decide(UNSAFE)),
    ("reduce", Mode.REDUCING, lambda m: m.reduce()),
    ("reduce", Mode.EXITING, lambda m: m.reduce()),
    ("reduce", Mode.HALTED, lambda m: m.reduce()),
    ("exit", Mode.ACTIVE, lambda m: m.exit()),
    ("exit", Mode.EXITING, lambda m: m.exit()),
    ("exit", Mode.HALTED, lambda m: m.exit()),
    ("kill", Mode.HALTED, lambda m: m.kill()),
    ("done", Mode.ACTIVE, lambda m: m.done(flat=True)),
    ("done", Mode.REDUCING, lambda m: m.done(flat=True)),
    ("done, not flat", Mode.EXITING, lambda m: m.done(flat=False)),
    ("done", Mode.HALTED, lambda m: m.done(flat=True)),
    ("resume", Mode.ACTIVE, lambda m: m.resume(NOTHING)),
    ("resume", Mode.REDUCING, lambda m: m.resume(NOTHING)),
    ("resume", Mode.EXITING, lambda m: m.resume(NOTHING)),
    ("resume unsafe", Mode.HALTED, lambda m: m.resume(UNSAFE)),
    ("flow", Mode.REDUCING, lambda m: m.flow(1, NOTHING)),
    ("flow", Mode.EXITING, lambda m: m.flow(1, NOTHING)),
    ("flow", Mode.HALTED, lambda m: m.flow(1, NOTHING)),
    ("flow unsafe", Mode.ACTIVE, lambda m: m.flow(-50, Bounds(11 * SCALE, 0, 0))),
    ("flow of all", Mode.ACTIVE, lambda m: m.flow(-100, NOTHING)),
]


@pytest.mark.parametrize(
    ("mode", "act"), [c[1:] for c in ILLEGAL], ids=[f"{c[0]} while {c[1].value}" for c in ILLEGAL]
)
def test_a_transition_that_does_not_exist_is_an_error_and_changes_nothing(
    mode: Mode, act: Callable[[Machine], object]
) -> None:
    machine = at(mode)
    before = state(machine)
    with pytest.raises(MachineError):
        act(machine)
    assert state(machine) == before


def test_a_breached_fund_never_resumes() -> None:
    machine = Machine(Fraction(1, 5), 100)
    machine.tick(70)
    machine.kill()
    machine.done(flat=True)
    machine.tick(100)
    with pytest.raises(MachineError, match="breach"):
        machine.resume(NOTHING)


def test_a_killed_fund_stays_killed_through_exit_and_may_resume_after_it() -> None:
    machine = Machine(Fraction(1, 5), 100)
    machine.reduce()
    machine.kill()
    assert not machine.try_decide(NOTHING)
    machine.done(flat=True)
    machine.resume(Bounds(SCALE, SCALE, 1))
    assert (machine.mode, machine.killed) == (Mode.ACTIVE, False)
    assert machine.bounds == Bounds(SCALE, SCALE, 1)


@pytest.mark.parametrize("limit", [Fraction(-1, 10), Fraction(11, 10)])
def test_a_limit_that_is_no_share_is_refused(limit: Fraction) -> None:
    with pytest.raises(MachineError, match="no share"):
        Machine(limit, 100)


@pytest.mark.parametrize("nav", [0, -1])
def test_a_fund_without_nav_does_not_start(nav: int) -> None:
    with pytest.raises(MachineError, match="positive NAV"):
        Machine(Fraction(1, 5), nav)


@pytest.mark.parametrize("numbers", [(-1, 0, 0), (0, -1, 0), (0, 0, -1)])
def test_negative_bounds_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(MachineError, match="negative"):
        Bounds(*numbers)


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 10**15))
def test_a_flow_keeps_the_drawdown_and_rounds_against_the_fund(
    mark: int, nav: int, after: int
) -> None:
    exact = Fraction(mark * after, nav)
    assert exact <= scaled_mark(mark, nav, after) < exact + 1
