"""The transition relation of the fund's machine, as the theorem states it, and a machine watched.

``departs`` is a relation between two states, written apart from ``guard.machine``: where that
computes what comes next, this only says whether what came is allowed, in rationals, with the names
of ``guardrails/proofs``. A fund whose every step is in the relation is one of those that
``fund_drawdown_bounded`` speaks of. An audit runs a ``WatchedMachine`` over every record of a log.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.machine import Bounds, Machine, MachineError, Mode


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a machine is.

    Attributes:
        V, H: NAV and high-water mark at the last decision; v, h: the live ones.
        F: the floor. All five are base units of NAV.
        bounds: those of the last decision.
    """

    mode: Mode
    V: int
    H: int
    v: int
    h: int
    F: int
    bounds: Bounds
    killed: bool
    breached: bool

    @classmethod
    def of(cls, machine: Machine) -> State:
        """The state of ``machine`` now."""
        return cls(
            machine.mode,
            machine.V,
            machine.H,
            machine.v,
            machine.h,
            machine.F,
            machine.bounds,
            machine.killed,
            machine.breached,
        )


def safe(limit: Fraction, state: State) -> bool:
    """``(1 - limit) * max(H, V + W+) <= V - W- - C`` and ``F <= V - W- - C``, no margin short."""
    gain, loss = Fraction(state.bounds.gain, SCALE), Fraction(state.bounds.loss, SCALE)
    worst = state.V - loss - state.bounds.costs
    return (
        state.bounds.shortfall == 0
        and (1 - limit) * max(Fraction(state.H), state.V + gain) <= worst
        and worst >= state.F
    )


def departs(limit: Fraction, step: str, before: State, after: State) -> str:
    """How ``before`` to ``after`` is no ``step`` of the relation; empty if it is one.

    Args:
        step: tick, liquidated, decide, reduce, exit, kill, done, resume or flow.
    """
    if step == "tick":
        return _departs_tick(limit, before, after)
    if step == "liquidated":
        return _same(before, after, "breached") or _unless(after.breached, "it is no breach")
    if step in ("reduce", "exit", "done"):
        source, target = _MOVES[step]
        wrong = _same(before, after, "mode") or _unless(before.mode is source, f"from {source}")
        return wrong or _unless(after.mode is target, f"to {target}")
    if step == "kill":
        wrong = _same(before, after, "mode", "killed")
        wrong = wrong or _unless(before.mode is not Mode.HALTED, "from halted")
        return wrong or _unless(after.mode is Mode.EXITING and after.killed, "it is no kill")
    if step in ("decide", "resume"):
        return _departs_decide(limit, step, before, after)
    if step == "flow":
        return _departs_flow(limit, before, after)
    return f"{step} is no step of the machine"


_MOVES = {
    "reduce": (Mode.ACTIVE, Mode.REDUCING),
    "exit": (Mode.REDUCING, Mode.EXITING),
    "done": (Mode.EXITING, Mode.HALTED),
}


def _departs_tick(limit: Fraction, before: State, after: State) -> str:
    wrong = _same(before, after, "v", "h", "breached")
    wrong = wrong or _unless(after.h == max(before.h, after.v), "the mark is not the highest NAV")
    broken = after.v < (1 - limit) * after.h or after.v < after.F
    return wrong or _unless(after.breached == (before.breached or broken), "a breach is misjudged")


def _departs_decide(limit: Fraction, step: str, before: State, after: State) -> str:
    wrong = _same(before, after, "mode", "V", "H", "bounds", "killed")
    wrong = wrong or _unless((before.v, before.h) == (after.V, after.H), "V, H are not the live")
    allowed = (Mode.HALTED,) if step == "resume" else (Mode.ACTIVE, Mode.REDUCING, Mode.EXITING)
    wrong = wrong or _unless(before.mode in allowed, f"from {before.mode}")
    wrong = wrong or _unless(not before.breached, "after a breach")
    wrong = wrong or _unless(step == "resume" or not before.killed, "after a kill")
    wrong = wrong or _unless(after.mode is Mode.ACTIVE and not after.killed, "it is not active")
    return wrong or _unless(safe(limit, after), "it is not Safe")


def _departs_flow(limit: Fraction, before: State, after: State) -> str:
    wrong = _same(before, after, "V", "H", "v", "h", "F", "bounds")
    wrong = wrong or _unless(before.mode is Mode.ACTIVE, f"from {before.mode}")
    wrong = wrong or _unless(min(before.v, after.v) > 0, "NAV is not positive")
    if wrong:
        return wrong
    # The mark scales with NAV, rounded up by less than one unit; a floor scales so, or stays.
    excess = after.h - Fraction(before.h * after.v, before.v)
    floor = after.F - Fraction(before.F * after.v, before.v)
    wrong = _unless(0 <= excess < 1, "the mark does not scale with NAV")
    wrong = wrong or _unless(after.F == before.F or 0 <= floor < 1, "the floor is another")
    wrong = wrong or _unless((after.v, after.h) == (after.V, after.H), "V, H are not the live")
    return wrong or _unless(safe(limit, after), "it is not Safe")


def _same(before: State, after: State, *but: str) -> str:
    """Which part other than ``but`` has changed, in words; empty if none."""
    for name in State.__slots__:
        if name not in but and getattr(before, name) != getattr(after, name):
            return f"{name} changes from {getattr(before, name)} to {getattr(after, name)}"
    return ""


def _unless(holds: bool, words: str) -> str:
    return "" if holds else words


class WatchedMachine(Machine):
    """The machine, each of whose steps is held against the relation after it was made.

    Raises:
        MachineError: at a step that is not in the relation: a defect of the machine.
    """

    __slots__ = ()

    def tick(self, nav: int) -> bool:
        """See ``Machine.tick``."""
        before = State.of(self)
        holds = super().tick(nav)
        self._require("tick", before)
        return holds

    def liquidated(self) -> None:
        """See ``Machine.liquidated``."""
        before = State.of(self)
        super().liquidated()
        self._require("liquidated", before)

    def decide(self, bounds: Bounds) -> None:
        """See ``Machine.decide``."""
        before = State.of(self)
        super().decide(bounds)
        self._require("decide", before)

    def try_decide(self, bounds: Bounds) -> bool:
        """See ``Machine.try_decide``."""
        before = State.of(self)
        decided = super().try_decide(bounds)
        if decided:
            self._require("decide", before)
        elif State.of(self) != before:
            raise MachineError("a decision that was not taken changed the machine")
        return decided

    def reduce(self) -> None:
        """See ``Machine.reduce``."""
        before = State.of(self)
        super().reduce()
        self._require("reduce", before)

    def exit(self) -> None:
        """See ``Machine.exit``."""
        before = State.of(self)
        super().exit()
        self._require("exit", before)

    def kill(self) -> None:
        """See ``Machine.kill``."""
        before = State.of(self)
        super().kill()
        self._require("kill", before)

    def done(self, *, flat: bool) -> None:
        """See ``Machine.done``."""
        before = State.of(self)
        super().done(flat=flat)
        self._require("done", before)

    def resume(self, bounds: Bounds) -> None:
        """See ``Machine.resume``."""
        before = State.of(self)
        super().resume(bounds)
        self._require("resume", before)

    def flow(self, amount: int, bounds: Bounds) -> None:
        """See ``Machine.flow``."""
        before = State.of(self)
        super().flow(amount, bounds)
        self._require("flow", before)

    def _require(self, step: str, before: State) -> None:
        wrong = departs(self.limit, step, before, State.of(self))
        if wrong:
            raise MachineError(f"{step} is not in the transition relation: {wrong}")
