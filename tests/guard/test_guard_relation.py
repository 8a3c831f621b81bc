"""The machine stays inside the transition relation, and the relation refuses what is not a step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds, Floor, Machine, MachineError, Mode
from agent_fund.guard.relation import State, WatchedMachine, departs, safe

LIMIT = Fraction(1, 5)
STEPS = ("tick", "liquidated", "decide", "reduce", "exit", "kill", "done", "resume", "flow")
NONE = Bounds(0, 0, 0)

moneys = st.integers(1, 3_000)
bounds = st.builds(
    Bounds,
    st.integers(0, 300 * SCALE),
    st.integers(0, 300 * SCALE),
    st.integers(0, 20),
    st.sampled_from([0, 0, 0, 1]),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    name = draw(st.sampled_from([*STEPS, "tick", "decide", "try_decide", "try_decide"]))
    if name == "tick":
        return name, (draw(moneys),), {}
    if name in ("decide", "try_decide", "resume"):
        return name, (draw(bounds),), {}
    if name == "flow":
        return name, (draw(st.integers(-2_000, 2_000)), draw(bounds)), {}
    if name == "done":
        return name, (), {"flat": draw(st.booleans())}
    return name, (), {}


@settings(deadline=None, max_examples=1_000, derandomize=True)
@given(
    st.sampled_from([Fraction(0), Fraction(1, 5), Fraction(1, 3), Fraction(9, 10)]),
    st.booleans(),
    st.lists(calls(), max_size=25),
)
def test_no_sequence_of_calls_leaves_the_relation(
    limit: Fraction, scales: bool, sequence: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
) -> None:
    machine = WatchedMachine(limit, 1_000, Floor(100, scales))
    for name, arguments, named in sequence:
        before = State.of(machine)
        refusal = ""
        try:
            getattr(machine, name)(*arguments, **named)
        except MachineError as error:
            refusal = str(error)
        assert "transition relation" not in refusal
        if refusal:
            assert State.of(machine) == before


def start() -> State:
    return State.of(Machine(LIMIT, 1_000))


def steps() -> dict[str, tuple[State, State]]:
    """One honest step of each kind, with every number of it different from the others."""
    first = start()
    risen = replace(first, v=1_100, h=1_100)
    book = Bounds(50 * SCALE, 40 * SCALE, 3)
    held = replace(risen, V=1_100, H=1_100, bounds=book)
    reducing = replace(held, mode=Mode.REDUCING, v=1_080)
    exiting = replace(reducing, mode=Mode.EXITING)
    killed = replace(exiting, killed=True)
    halted = replace(killed, mode=Mode.HALTED)
    return {
        "tick": (first, risen),
        "decide": (risen, held),
        "reduce": (replace(reducing, mode=Mode.ACTIVE), reducing),
        "exit": (reducing, exiting),
        "kill": (exiting, killed),
        "done": (killed, halted),
        "resume": (
            halted,
            replace(halted, mode=Mode.ACTIVE, killed=False, V=1_080, bounds=NONE),
        ),
        "flow": (
            replace(held, v=1_080),
            replace(held, v=2_160, V=2_160, h=2_200, H=2_200, bounds=NONE),
        ),
        "liquidated": (held, replace(held, breached=True)),
    }


@pytest.mark.parametrize("step", STEPS)
def test_an_honest_step_is_in_the_relation_under_its_own_name_only(step: str) -> None:
    before, after = steps()[step]
    assert departs(LIMIT, step, before, after) == ""
    alike = {"decide": {"decide", "flow"}}  # a flow of nothing is a decision
    for other in set(STEPS) - alike.get(step, {step}):
        assert departs(LIMIT, other, before, after), other


@pytest.mark.parametrize("step", STEPS)
def test_a_step_with_any_one_part_changed_is_not_in_the_relation(step: str) -> None:
    before, after = steps()[step]
    changes: dict[str, Any] = {
        "mode": [mode for mode in Mode if mode is not after.mode],
        "V": [after.V + 1, after.V - 1],
        "H": [after.H + 1, after.H - 1],
        "v": [after.v + 1, after.v - 1] if step not in ("tick", "flow") else [],
        "h": [after.h + 1, after.h - 1],
        "F": [after.F + 1] if step != "flow" else [5],
        "bounds": [Bounds(10**12, 0, 0), replace(after.bounds, shortfall=1)],
        "killed": [not after.killed],
        "breached": [not after.breached],
    }
    for name, values in changes.items():
        for value in values:
            assert departs(LIMIT, step, before, replace(after, **{name: value})), (name, value)


@pytest.mark.parametrize(
    ("step", "part", "said"),
    [
        ("decide", {"mode": Mode.HALTED}, "from"),
        ("decide", {"killed": True}, "changes|kill"),
        ("decide", {"breached": True}, "changes|breach"),
        ("reduce", {"mode": Mode.REDUCING}, "from"),
        ("exit", {"mode": Mode.ACTIVE}, "from"),
        ("done", {"mode": Mode.ACTIVE}, "from"),
        ("kill", {"mode": Mode.HALTED}, "from"),
        ("resume", {"mode": Mode.EXITING}, "from"),
        ("flow", {"mode": Mode.REDUCING}, "from"),
    ],
)
def test_a_step_from_another_state_is_not_in_the_relation(
    step: str, part: dict[str, Any], said: str
) -> None:
    before, after = steps()[step]
    assert departs(LIMIT, step, replace(before, **part), after)


def test_the_relation_knows_what_a_breach_is() -> None:
    before = start()
    fallen = replace(before, v=799)
    assert departs(LIMIT, "tick", before, fallen) == "a breach is misjudged"
    assert departs(LIMIT, "tick", before, replace(fallen, breached=True)) == ""
    assert departs(LIMIT, "tick", before, replace(fallen, v=800)) == ""
    floored = replace(before, F=900)
    below = replace(floored, v=899)
    assert departs(LIMIT, "tick", floored, below) == "a breach is misjudged"


def test_safe_is_the_share_form_with_its_floor() -> None:
    state = replace(start(), bounds=Bounds(199 * SCALE, 0, 1))
    assert safe(LIMIT, state)
    assert not safe(LIMIT, replace(state, bounds=Bounds(199 * SCALE + 1, 0, 1)))
    assert not safe(LIMIT, replace(state, bounds=Bounds(199 * SCALE, 1 * SCALE, 1)))
    assert not safe(LIMIT, replace(state, F=801))
    assert safe(LIMIT, replace(state, F=800))
    assert not safe(LIMIT, replace(state, bounds=Bounds(0, 0, 0, 1)))


@pytest.mark.parametrize(
    ("bounds", "decided"),
    [
        (Bounds(199 * SCALE, 0, 1), True),
        (Bounds(199 * SCALE, 0, 2), False),
        (Bounds(199 * SCALE + 1, 0, 1), False),
        (Bounds(100 * SCALE, 125 * SCALE, 0), True),
        (Bounds(100 * SCALE, 125 * SCALE + 2, 0), False),
        (Bounds(0, 0, 0, 1), False),
    ],
)
def test_the_look_at_every_bar_decides_at_the_edge_of_safe(bounds: Bounds, decided: bool) -> None:
    machine = WatchedMachine(LIMIT, 1_000)
    assert machine.try_decide(bounds) is decided
    assert machine.try_decide(bounds) is decided  # also when it is the decision in force
    floored = WatchedMachine(Fraction(9, 10), 1_000, Floor(800))
    assert floored.try_decide(Bounds(199 * SCALE, 0, 1))
    assert not floored.try_decide(Bounds(199 * SCALE, 0, 2))


def test_an_unknown_step_is_not_in_the_relation() -> None:
    assert departs(LIMIT, "teleport", start(), start())


class Broken(WatchedMachine):
    """A machine with a defect in one step."""

    __slots__ = ()

    def _require(self, step: str, before: State) -> None:
        if step == "decide":
            self.H -= 1
        super()._require(step, before)


def test_a_machine_with_a_defect_is_told_of_at_the_step() -> None:
    machine = Broken(LIMIT, 1_000)
    machine.tick(990)
    with pytest.raises(MachineError, match="decide is not in the transition relation"):
        machine.decide(NONE)
