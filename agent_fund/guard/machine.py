"""The fund's state machine: what may happen to NAV, mark and mode, and the Safe condition.

    Safe:  (1 - limit) * max(H, V + gain) <= V - loss - costs   and   F <= V - loss - costs

V and H are NAV and high-water mark at the last decision, v and h the live ones, F a fixed floor.
While every move lies in the stress set and costs stay inside their bound, every v after a Safe
decision satisfies (1 - limit) * h <= v and F <= v, until the book is flat. The transitions are:

    tick     v, h move; nothing else does
    decide   from Active, Reducing, Exiting: new bounds for the book held, if Safe; -> Active
    reduce   from Active: the agent is locked out; the last bounds stay in force
    kill     from any mode but Halted, by an operator or a breach; -> Exiting, for good
    exit     from Reducing: the reduced book is not Safe either; -> Exiting
    done     from Exiting, when flat; -> Halted
    resume   from Halted, by a named person, if Safe and not breached; -> Active
    flow     money in or out, with bounds for the book after it; h scales with NAV, and F too
             if it was stated as a share of the capital; an amount of money stays what it is

V, H, v, h, F and costs are base units of NAV; loss, gain and shortfall are those times SCALE.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.money import ceil_div
from agent_fund.guard.kernel.form import SCALE


class Mode(enum.Enum):
    """Who may trade: the agent, the guard on its way out, or nobody."""

    ACTIVE = "active"
    REDUCING = "reducing"
    EXITING = "exiting"
    HALTED = "halted"


class MachineError(RuntimeError):
    """A transition that the machine does not have; a defect of the caller, or a forged log."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is proved about one book over its horizon: all nonnegative.

    Attributes:
        shortfall: what a margin account may lack to its maintenance at worst, times SCALE; a book
            with any is not Safe.
    """

    loss: int
    gain: int
    costs: int
    shortfall: int = 0

    def __post_init__(self) -> None:
        if min(self.loss, self.gain, self.costs, self.shortfall) < 0:
            raise MachineError(f"bounds {self} are negative")


@dataclass(frozen=True, slots=True)
class Floor:
    """The lowest NAV that a mandate allows.

    Attributes:
        units: base units of NAV; 0 asks for nothing that a drawdown limit does not.
        scales: whether a flow scales it with NAV, as it does the high-water mark.
    """

    units: int = 0
    scales: bool = True


NO_FLOOR = Floor()


def lowest_nav(nav: int, bounds: Bounds) -> int:
    """The lowest NAV that ``bounds`` allow from ``nav``, in base units times SCALE."""
    return nav * SCALE - bounds.loss - bounds.costs * SCALE


def is_safe(limit: Fraction, nav: int, mark: int, bounds: Bounds, floor: int = 0) -> bool:
    """The Safe condition in its share form, in exact integers; no margin account falls short.

    Args:
        floor: F, in base units; 0 for a mandate without one.
    """
    if bounds.shortfall:
        return False
    whole, part = limit.denominator, limit.numerator
    peak = max(mark * SCALE, nav * SCALE + bounds.gain)
    lowest = lowest_nav(nav, bounds)
    return (whole - part) * peak <= whole * lowest and floor * SCALE <= lowest


def worst_drawdown(nav: int, mark: int, bounds: Bounds) -> Fraction:
    """The drawdown that Safe compares with its limit: 1 - lowest NAV / highest mark."""
    peak = max(mark * SCALE, nav * SCALE + bounds.gain)
    if peak <= 0:
        return Fraction(1)
    return 1 - Fraction(lowest_nav(nav, bounds), peak)


class Machine:
    """The state, and the only ways to change it."""

    __slots__ = (
        "F",
        "H",
        "V",
        "_kept",
        "_scales",
        "_whole",
        "bounds",
        "breached",
        "h",
        "killed",
        "limit",
        "mode",
        "v",
    )

    def __init__(self, limit: Fraction, nav: int, floor: Floor = NO_FLOOR) -> None:
        if not 0 <= limit <= 1:
            raise MachineError(f"a drawdown limit of {limit} is no share")
        if nav <= 0:
            raise MachineError(f"a fund starts with a positive NAV, not {nav}")
        if not 0 <= floor.units <= nav:
            raise MachineError(f"a floor of {floor.units} is not from 0 to the NAV of {nav}")
        self.limit = limit
        self._whole, self._kept = limit.denominator, limit.denominator - limit.numerator
        self.mode = Mode.ACTIVE
        self.V = self.H = self.v = self.h = nav
        self.F, self._scales = floor.units, floor.scales
        self.bounds = Bounds(0, 0, 0)
        self.killed = False
        self.breached = False

    def tick(self, nav: int) -> bool:
        """NAV is now ``nav``; returns whether the limit still holds, and the floor.

        The mark never stands below the floor: it starts there or higher, and a flow is Safe.
        """
        self.v = nav
        if nav > self.h:
            self.h = nav
            return True
        if self._kept * self.h > self._whole * nav or nav < self.F:
            self.breached = True
            return False
        return True

    @property
    def broken(self) -> str:
        """The kind of guardrail that the live NAV breaks; empty if none."""
        if self._kept * self.h > self._whole * self.v:
            return "max_drawdown"
        return "fixed_floor" if self.v < self.F else ""

    def liquidated(self) -> None:
        """A venue closed positions for want of margin: a breach, whatever NAV is left."""
        self.breached = True

    def safe(self, bounds: Bounds) -> bool:
        """Whether a decision with ``bounds`` at the live NAV and mark would be Safe."""
        return is_safe(self.limit, self.v, self.h, bounds, self.F)

    def decide(self, bounds: Bounds) -> None:
        """Accept ``bounds`` for the book held and every book its open legs can make of it."""
        if self.mode is Mode.HALTED or self.killed or self.breached:
            raise MachineError(f"no decision while {self.mode.value}, killed, or after a breach")
        if not self.safe(bounds):
            raise MachineError(f"bounds {bounds} are not Safe at NAV {self.v}, mark {self.h}")
        self.V, self.H, self.bounds = self.v, self.h, bounds
        self.mode = Mode.ACTIVE

    def try_decide(self, bounds: Bounds) -> bool:
        """Decide if Active and Safe; the look at every bar, so its arithmetic stands here again."""
        if bounds is self.bounds and self.v == self.V and self.h == self.H:
            # The decision in force, word for word.
            return self.mode is Mode.ACTIVE and not self.breached
        whole, kept = self._whole, self._kept
        nav = self.v * SCALE
        lowest = nav - bounds.loss - bounds.costs * SCALE
        peak = nav + bounds.gain
        mark = self.h * SCALE
        if mark > peak:
            peak = mark
        if (
            self.mode is not Mode.ACTIVE
            or self.breached
            or bounds.shortfall
            or kept * peak > whole * lowest
            or lowest < self.F * SCALE
        ):
            return False
        self.V, self.H, self.bounds = self.v, self.h, bounds
        return True

    def reduce(self) -> None:
        """The held book is no longer Safe; the last bounds cover the way out."""
        if self.mode is not Mode.ACTIVE:
            raise MachineError(f"no reduction while {self.mode.value}")
        self.mode = Mode.REDUCING

    def exit(self) -> None:
        """The reduced book is not Safe either: on to flat."""
        if self.mode is not Mode.REDUCING:
            raise MachineError(f"no exit while {self.mode.value}")
        self.mode = Mode.EXITING

    def kill(self) -> None:
        """To flat, and then Halted; no decision is accepted on the way."""
        if self.mode is Mode.HALTED:
            raise MachineError("the fund is already halted")
        self.mode = Mode.EXITING
        self.killed = True

    def done(self, *, flat: bool) -> None:
        """Flat after a kill: Halted."""
        if self.mode is not Mode.EXITING or not flat:
            raise MachineError(f"not done: {self.mode.value}, flat: {flat}")
        self.mode = Mode.HALTED

    def resume(self, bounds: Bounds) -> None:
        """Active again after a halt; the caller has logged who said so."""
        if self.mode is not Mode.HALTED:
            raise MachineError(f"nothing to resume while {self.mode.value}")
        if self.breached or not self.safe(bounds):
            raise MachineError("a fund resumes only when Safe and never after a breach")
        self.killed = False
        self.mode = Mode.EXITING
        self.decide(bounds)

    def floor_after(self, nav: int) -> int:
        """F once a flow has made NAV ``nav``: what scales, rounded against the fund."""
        return scaled_mark(self.F, self.v, nav) if self._scales else self.F

    def flow(self, amount: int, bounds: Bounds) -> None:
        """``amount`` came in (or went out, if negative); ``bounds`` are of the book after it."""
        if self.mode is not Mode.ACTIVE:
            raise MachineError(f"no flow while {self.mode.value}")
        nav = self.v + amount
        if self.v <= 0 or nav <= 0:
            raise MachineError(f"a flow of {amount} would leave a NAV of {nav}")
        mark, floor = scaled_mark(self.h, self.v, nav), self.floor_after(nav)
        if not is_safe(self.limit, nav, mark, bounds, floor):
            raise MachineError(f"a flow of {amount} is not Safe with {bounds}")
        self.v, self.h, self.F = nav, mark, floor
        self.V, self.H, self.bounds = nav, mark, bounds


def scaled_mark(mark: int, nav: int, nav_after: int) -> int:
    """The high-water mark after a flow: it scales with NAV, rounded against the fund."""
    return ceil_div(mark * nav_after, nav)
