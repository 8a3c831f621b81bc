"""The untrusted finder: proposes certificates by linear programming and branch and bound.

It may use floats, because nothing that it says is believed: the kernel computes what each
certificate proves. A wrong finder costs a refusal, never a bad trade.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np

from agent_fund.guard.kernel.certificate import ONE, Certificate, Leaf, Split
from agent_fund.guard.kernel.check import chord, leaf_bound, proved_bound, tangent
from agent_fund.guard.kernel.form import SCALE, Form, KernelError, StressSet
from agent_fund.guard.search.program import Floats, Optimum, Program, Shape
from agent_fund.guard.search.relaxation import Box, FloatForm, Kinds
from agent_fund.guard.search.scenario import Rounding, Scenario, form_at

MAX_LEAVES = 64
MAX_PROGRAMS = 16
MAX_ROOTS = 64
MAX_TREES = 64
MARGIN = 1e-6
"""Nearer to its target than this part of the form's size, a leaf is judged exactly."""

Point: TypeAlias = Floats
"""Returns of all drivers, as the linear program has them."""


Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Found:
    """A certificate for an upper bound of ``form``, and the point at which it may be worst."""

    form: Form
    stress: StressSet
    certificate: Certificate
    point: Point

    @cached_property
    def bound(self) -> int:
        """What the kernel says that the certificate proves."""
        return proved_bound(self.form, self.stress, self.certificate)

    @cached_property
    def scenario(self) -> Scenario:
        """The exact scenario at the point; above the target if one was found."""
        return Rounding(self.stress).scenario(self.point)


@dataclass
class _Search:
    """What a search is after, how many leaves it has open or done, and what stopped it."""

    form: FloatForm
    target: int
    margin: float
    leaves: int = 1
    witness: Point | None = None


class Finder:
    """Certificates for forms over one stress set; linear programs stay warm between calls."""

    def __init__(self, stress: StressSet) -> None:
        self._stress = stress
        self._box = Box.of(stress.box)
        self._programs: dict[Shape, Program] = {}
        self._roots: dict[int, tuple[FloatForm, Optimum]] = {}
        # The trees found last, by what they were found for: repairs and looks come back to them.
        self._trees: dict[Kinds, Certificate] = {}
        self._rounding = Rounding(stress)

    def leaf(self, form: Form) -> tuple[Leaf, Point]:
        """The best one-leaf certificate found, and the point at which it is worst."""
        if not self._stress.rows:
            return self._plain(form)
        floats, root = self._root(form)
        return self._leaf(floats, root), root.point

    def bound(self, form: Form, target: int | None = None) -> Found:
        """The best certificate found for an upper bound of ``form``.

        Args:
            target: search for a tree that proves this bound, up to MAX_LEAVES leaves or until a
                scenario above it turns up; None: one leaf, no search.
        """
        floats, root = self._root(form)
        if target is None:
            return Found(form, self._stress, self._leaf(floats, root), root.point)
        known = self._trees.get(floats.kinds)
        if known is not None and self._tree_proves(form, target, known):
            return Found(form, self._stress, known, root.point)
        search = _Search(floats, target, MARGIN * floats.size(self._box))
        tree = self._tree(search, self._box, root)
        if tree is not None:
            _keep(self._trees, floats.kinds, tree, MAX_TREES)
            return Found(form, self._stress, tree, root.point)
        point = root.point if search.witness is None else search.witness
        return Found(form, self._stress, self._leaf(floats, root), point)

    def scenario(self, point: Point) -> Scenario:
        """A point that was found, as an exact scenario inside the set."""
        return self._rounding.scenario(point)

    def _plain(self, form: Form) -> tuple[Leaf, Point]:
        """The leaf on a box alone: no program, each driver at the end that costs more."""
        cost = [float(c) for c in form.linear]
        tangents: list[int] = []
        for hinge in form.hinges:
            low, high = self._stress.box[hinge.driver]
            if hinge.weight >= 0:
                slope, _ = chord(hinge, low, high)
            else:
                # The own line where it is the lower one over most of the box, else zero.
                tangents.append(ONE if hinge.slope * (low + high) + 2 * hinge.offset > 0 else 0)
                slope, _ = tangent(hinge, tangents[-1])
            cost[hinge.driver] += slope / ONE
        ends = [
            high if c > 0 else low for c, (low, high) in zip(cost, self._stress.box, strict=True)
        ]
        return Leaf(tuple(tangents), ()), np.array(ends) / SCALE

    def _root(self, form: Form) -> tuple[FloatForm, Optimum]:
        """The form in floats and its relaxation on the whole box; of the last forms, as known."""
        known = self._roots.get(id(form))
        if known is None or known[0].exact is not form:
            floats = FloatForm(form)
            known = floats, self._relax(floats, self._box)
            _keep(self._roots, id(form), known, MAX_ROOTS)
        return known

    def _tree(self, search: _Search, box: Box, relaxed: Optimum) -> Certificate | None:
        """A certificate of the target on ``box``; None if there is none within reach."""
        form, point = search.form, relaxed.point
        target, margin = search.target / SCALE, search.margin
        if relaxed.value + margin <= target:
            return self._leaf(form, relaxed)
        value = form.at(point)
        if value + margin >= target and form_at(form.exact, self.scenario(point)) > search.target:
            search.witness = point
            return None
        if relaxed.value - margin <= target:
            leaf = self._leaf(form, relaxed)
            if self._proves(search, leaf, box):
                return leaf
        cuts = form.cuts(box, point, target - value)
        search.leaves += len(cuts)
        if not cuts or search.leaves > MAX_LEAVES:
            return None
        # Cut after cut toward the point where the leaf is worst; then what was cut off.
        apart: list[tuple[int, int, bool, Box]] = []
        for driver, at in cuts:
            left, right = box.cut(driver, at)
            below = point[driver] * SCALE <= at
            apart.append((driver, at, below, right if below else left))
            box = left if below else right
        tree = self._tree(search, box, self._relax(form, box))
        for driver, at, below, other in reversed(apart):
            if tree is None:
                return None
            rest = self._tree(search, other, self._relax(form, other))
            if rest is None:
                return None
            tree = Split(driver, at, tree, rest) if below else Split(driver, at, rest, tree)
        return tree

    def _tree_proves(self, form: Form, target: int, tree: Certificate) -> bool:
        """Whether a tree that was found for another form proves ``target`` of this one."""
        try:
            return proved_bound(form, self._stress, tree) <= target
        except KernelError:
            return False

    def _proves(self, search: _Search, leaf: Leaf, box: Box) -> bool:
        """Whether the leaf proves the target on ``box``, exactly."""
        try:
            return leaf_bound(search.form.exact, self._stress, leaf, box.ends) <= search.target
        except KernelError:
            return False

    def _relax(self, form: FloatForm, box: Box) -> Optimum:
        """An upper bound of the form on ``box``, in base units, and where it is reached."""
        cost, constant = form.chords(box)
        if not self._stress.rows and not form.shape:
            point = np.where(cost > 0, box.high, box.low)
            return Optimum(constant + float(cost @ point), point, np.zeros(0))
        program = self._program(form.shape)
        optimum = program.solve(cost, form.weights, form.kinks, box.low, box.high)
        return Optimum(optimum.value + constant, optimum.point, optimum.duals)

    def _leaf(self, form: FloatForm, relaxed: Optimum) -> Leaf:
        """The leaf that proves what ``_relax`` found, but for rounding.

        Where the rows leave nothing of a box it may prove any bound: enough of multipliers that
        contradict each other outweigh whatever the form is.
        """
        if not len(relaxed.duals):
            return Leaf(form.tangents(()), ())
        program, duals = self._program(form.shape), relaxed.duals
        shares = program.shares(duals, form.weights)
        if relaxed.value == -math.inf:
            duals = duals * (2.0**20 * form.size(self._box) / (np.abs(duals).max() or 1.0))
        return Leaf(form.tangents(shares), program.multipliers(duals))

    def _program(self, shape: Shape) -> Program:
        """The warm program for this shape."""
        program = self._programs.get(shape)
        if program is None:
            program = Program(self._stress, shape)
            _keep(self._programs, shape, program, MAX_PROGRAMS)
        return program


def _keep(known: dict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Put ``value`` among those known; the oldest makes room."""
    known.pop(key, None)
    if len(known) >= most:
        del known[next(iter(known))]
    known[key] = value
