"""RouteRun: a chosen route driven stage by stage, as a pure state machine over reports.

A stage begins only when the one before it has ended, with the amounts that really arrived: what
the route has brought to a place and the cash that the plan allowed it there, never more. A trade
that filled in part is carried on with; a bridge arrives or comes back. A run ends in one of

    COMPLETED   the goal's whole trade, or the move, is done and everything is where it was wanted
    STOPPED     at a stage, with the reason; what was done before it stays done
    REFUNDED    the money of a bridge is back at its source
    STUCK       a stage neither ended nor came back; its money stays counted where it is

Every value is immutable. A run is made again after a restart by giving it the same reports.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.stages import Bridge, Stage, Swap, Trade


class Outcome(enum.Enum):
    """What became of a stage; no more comes of it, unless it is stuck."""

    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"
    REFUNDED = "refunded"
    STUCK = "stuck"


class Ending(enum.Enum):
    """How a run ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    REFUNDED = "refunded"
    STUCK = "stuck"


class Filled(NamedTuple):
    """What filled of a swap: base units, and the money spent or received, fees inside."""

    quantity: int
    money: int


@dataclass(frozen=True)
class StageReport:
    """How a stage ended.

    Attributes:
        stage: its number in the route, from 0.
        filled: of a trade that is done, or partly: what filled, by symbol.
        received: of a bridge: base units at its target; refunded: back at its source.
    """

    stage: int
    outcome: Outcome
    filled: Mapping[str, Filled] = field(default_factory=dict)
    received: int = 0
    reason: str = ""


@dataclass(frozen=True)
class End:
    """How, where and why a run ended."""

    ending: Ending
    stage: int
    reason: str = ""


@dataclass(frozen=True)
class RouteRun:
    """Where a route stands.

    Attributes:
        stage: number of the stage that is under way, or comes next.
        under_way: that stage as it was begun; None between stages.
        brought: by place, currency that the route has brought there and not used yet.
        cut: why the goal's own trade is not whole; empty if it is, or is still to come.
        end: None while the run goes on.
    """

    route: Route
    stage: int = 0
    under_way: Stage | None = None
    brought: Mapping[str, int] = field(default_factory=dict)
    cut: str = ""
    end: End | None = None
    reports: tuple[StageReport, ...] = ()

    @property
    def next(self) -> Stage | None:
        """The stage to begin now, with amounts that are there; None while one is under way."""
        if self.end is not None or self.under_way is not None:
            return None
        return _fitted(self.route.stages[self.stage], self.brought)

    def begin(self) -> RouteRun:
        """``next`` is under way.

        Raises:
            ExecutionError: if there is none to begin.
        """
        stage = self.next
        if stage is None:
            raise ExecutionError(f"stage {self.stage}", self._state, "begin one stage at a time")
        return replace(self, under_way=stage)

    def stop(self, reason: str) -> RouteRun:
        """Ended before the next stage: refused by the guard, or given up.

        Raises:
            ExecutionError: while a stage is under way, whose end must be awaited, or afterwards.
        """
        if self.end is not None or self.under_way is not None:
            raise ExecutionError(f"stop at stage {self.stage}", self._state, "report its end first")
        return replace(self, end=End(Ending.STOPPED, self.stage, reason))

    def report(self, report: StageReport) -> RouteRun:
        """The run after ``report``; one that is known already changes nothing.

        Raises:
            ExecutionError: for a stage that is not under way, or what cannot have become of it.
        """
        if report in self.reports:
            return self
        begun = self.under_way
        if begun is None or report.stage != self.stage:
            fix = f"stage {self.stage} is {self._state}"
            raise ExecutionError("report on a route", report.stage, fix)
        _require_possible(begun, report)
        run = replace(self, reports=(*self.reports, report))
        if report.outcome is Outcome.STUCK:
            return replace(run, end=End(Ending.STUCK, self.stage, report.reason))
        run = replace(run, under_way=None, brought=_moved(begun, report, self.brought))
        match report.outcome:
            case Outcome.REFUNDED:
                return replace(run, end=End(Ending.REFUNDED, self.stage, report.reason))
            case Outcome.FAILED:
                return replace(run, end=End(Ending.STOPPED, self.stage, report.reason))
        return run._onward(report)

    def _onward(self, report: StageReport) -> RouteRun:
        """To the next stage, or the end, after one that was done or partly done."""
        stages = self.route.stages
        last_trade = max((n for n, s in enumerate(stages) if isinstance(s, Trade)), default=-1)
        run, planned = self, stages[self.stage]
        if isinstance(planned, Trade) and self.stage == last_trade and not _whole(planned, report):
            run = replace(run, cut=report.reason or "it filled in part")
        if run.stage + 1 == len(stages):
            done = End(Ending.COMPLETED, run.stage)
            return replace(run, end=End(Ending.STOPPED, last_trade, run.cut) if run.cut else done)
        was_stuck = run.end is not None
        run = replace(run, stage=run.stage + 1, end=None)
        if was_stuck:
            return run.stop("the stage before it had been stuck; a person decides how to go on")
        return run if run.next is not None else run.stop("what arrived is too little to go on with")

    @property
    def _state(self) -> str:
        if self.end is not None:
            return self.end.ending.value
        return "not begun" if self.under_way is None else "under way"


def _fitted(stage: Stage, brought: Mapping[str, int]) -> Stage | None:
    """The stage as large as the money at its places allows; None if that is nothing."""
    if isinstance(stage, Bridge):
        there = stage.own + brought.get(stage.source, 0)
        amount = there if stage.sweep else min(stage.amount, there)
        return stage.carrying(amount) if amount > 0 else None
    left, swaps = dict(brought), []
    for swap in stage.swaps:
        fitted = swap
        if swap.side is Side.BUY:
            within = swap.within(swap.own + left.get(swap.place, 0))
            if within is None:
                continue
            fitted = within
            left[swap.place] = left.get(swap.place, 0) - max(0, fitted.reserve - swap.own)
        swaps.append(fitted)
    return Trade(tuple(swaps)) if swaps else None


def _moved(begun: Stage, report: StageReport, brought: Mapping[str, int]) -> dict[str, int]:
    """What the route has brought where, once ``begun`` has ended so."""
    after = dict(brought)
    if isinstance(begun, Bridge):
        if report.outcome is Outcome.DONE:
            used = max(0, begun.amount - begun.own)
            after[begun.source] = after.get(begun.source, 0) - used
            after[begun.target] = after.get(begun.target, 0) + report.received
        elif report.outcome is Outcome.REFUNDED:
            lost = begun.amount - report.received
            after[begun.source] = max(0, after.get(begun.source, 0) - lost)
        return after
    for swap in begun.swaps:
        money = report.filled.get(swap.instrument.symbol, Filled(0, 0)).money
        moved = money if swap.side is Side.SELL else -max(0, money - swap.own)
        after[swap.place] = after.get(swap.place, 0) + moved
    return after


def _whole(planned: Trade, report: StageReport) -> bool:
    return all(
        report.filled.get(swap.instrument.symbol, Filled(0, 0)).quantity == swap.quantity
        for swap in planned.swaps
    )


def _require_possible(begun: Stage, report: StageReport) -> None:
    """Refuse a report of what ``begun`` cannot have become."""
    outcome = report.outcome
    if outcome in (Outcome.FAILED, Outcome.STUCK):
        possible = not report.received and not any(map(any, report.filled.values()))
        fix = "nothing has moved then; report it as partly or done"
    elif isinstance(begun, Bridge):
        least = 0 if outcome is Outcome.REFUNDED else 1
        possible = outcome is not Outcome.PARTLY and least <= report.received <= begun.amount
        possible = possible and not report.filled
        fix = f"of {begun.amount} all that came arrived, or came back"
    else:
        swaps = {swap.instrument.symbol: swap for swap in begun.swaps}
        possible = outcome is not Outcome.REFUNDED and set(report.filled) <= set(swaps)
        possible = possible and all(_fits(swaps[s], f) for s, f in report.filled.items())
        filled = [report.filled.get(s, Filled(0, 0)).quantity for s in swaps]
        whole = filled == [swap.quantity for swap in swaps.values()]
        possible = possible and whole == (outcome is Outcome.DONE) and any(filled)
        fix = "done means that all of it filled, partly that some did, within limits and fees"
    if not possible:
        raise ExecutionError(f"report of stage {report.stage} as {outcome.value}", report, fix)


def _fits(swap: Swap, filled: Filled) -> bool:
    """Whether a fill lies within the swap: its quantity, its limit, what was kept ready."""
    if not 0 <= filled.quantity <= swap.quantity or filled.money < 0:
        return False
    if swap.side is Side.SELL:
        return filled.quantity > 0 or filled.money == 0
    return filled.money <= swap.instrument.notional(filled.quantity, swap.limit) + (
        swap.ready if filled.quantity else 0
    )
