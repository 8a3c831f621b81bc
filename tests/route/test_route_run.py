"""A run of a route: one stage at a time, never more than arrived, always a defined end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_world import DOLLAR, LATER, PRICE, line

from agent_fund.domain.order import Side
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.route.cost import RouteCosts
from agent_fund.execution.route.route import Route
from agent_fund.execution.route.run import End, Ending, Filled, Outcome, RouteRun, StageReport
from agent_fund.execution.route.stages import Bridge, Stage, Swap, Trade

A, B, BB = line("ETH", "a"), line("ETH-B", "b"), line("BTC-B", "b")
ETH = 10**6
FEE = DOLLAR // 10


def sale(quantity: int = 2 * ETH) -> Swap:
    quoted = A.notional(quantity, PRICE)
    return Swap(A, Side.SELL, quantity, PRICE - 100, quoted, FEE, 0, 0, 0, LATER)


def purchase(quantity: int, own: int, instrument=B) -> Swap:  # type: ignore[no-untyped-def]
    quoted = instrument.notional(quantity, PRICE)
    return Swap(instrument, Side.BUY, quantity, PRICE + 100, quoted, FEE, FEE, 0, own, LATER)


def bridge(amount: int, own: int, *, sweep: bool = False, keeps: int = DOLLAR) -> Bridge:
    terms = (0, 60, "", own, sweep, 1, LATER)
    return Bridge("c", "a", "b", amount, amount - keeps, *terms)


def route(*stages: Stage) -> Route:
    return Route(stages, RouteCosts(0, 0, 0, 0), 0, ())


ROUND = route(
    Trade((sale(),)), bridge(150 * DOLLAR, 0), Trade((purchase(ETH + ETH // 2, 5 * DOLLAR),))
)
"""Sell two at A, move most of what that brings, buy one and a half at B."""


def sold(quantity: int, money: int) -> StageReport:
    outcome = Outcome.DONE if quantity == 2 * ETH else Outcome.PARTLY
    return StageReport(0, outcome, {"ETH": Filled(quantity, money)})


def bought(run: RouteRun, symbol: str = "ETH-B") -> StageReport:
    begun = run.under_way
    assert isinstance(begun, Trade)
    filled = {s.instrument.symbol: Filled(s.quantity, s.quoted) for s in begun.swaps}
    return StageReport(run.stage, Outcome.DONE, filled)


def test_a_route_runs_from_sale_to_purchase() -> None:
    run = RouteRun(ROUND).begin().report(sold(2 * ETH, 198 * DOLLAR))
    assert run.next == ROUND.stages[1], "the bridge moves what was planned, not all that came"
    run = run.begin().report(StageReport(1, Outcome.DONE, received=149 * DOLLAR))
    assert run.brought == {"a": 48 * DOLLAR, "b": 149 * DOLLAR}
    run = run.begin()
    run = run.report(bought(run))
    assert run.end == End(Ending.COMPLETED, 2)
    assert run.brought["b"] == 149 * DOLLAR - 145 * DOLLAR, "its own five dollars come first"


def test_a_sale_in_part_carries_on_with_what_it_brought() -> None:
    run = RouteRun(ROUND).begin().report(sold(ETH, 99 * DOLLAR))
    moved = run.next
    assert isinstance(moved, Bridge)
    assert (moved.amount, moved.min_received) == (99 * DOLLAR, 98 * DOLLAR)
    run = run.begin().report(StageReport(1, Outcome.DONE, received=98 * DOLLAR))
    last = run.next
    assert isinstance(last, Trade)
    (swap,) = last.swaps
    assert swap.reserve <= 103 * DOLLAR < swap.reserve + B.notional(1, swap.limit)
    run = run.begin()
    run = run.report(bought(run))
    assert run.end is not None
    assert run.end.ending is Ending.STOPPED, "the goal is not reached whole"


def test_a_sweep_moves_all_that_came() -> None:
    swept = route(Trade((sale(),)), bridge(197 * DOLLAR, 0, sweep=True))
    run = RouteRun(swept).begin().report(sold(2 * ETH, 199 * DOLLAR))
    moved = run.next
    assert isinstance(moved, Bridge)
    assert moved.amount == 199 * DOLLAR
    run = run.begin().report(StageReport(1, Outcome.DONE, received=198 * DOLLAR))
    assert run.end == End(Ending.COMPLETED, 1)


def test_what_comes_back_ends_the_run_as_refunded() -> None:
    run = RouteRun(ROUND).begin().report(sold(2 * ETH, 198 * DOLLAR)).begin()
    back = StageReport(1, Outcome.REFUNDED, received=150 * DOLLAR, reason="deadline passed")
    run = run.report(back)
    assert run.end == End(Ending.REFUNDED, 1, "deadline passed")
    assert run.brought == {"a": 198 * DOLLAR}
    assert run.next is None


def test_a_stage_that_fails_stops_the_run_there() -> None:
    run = RouteRun(ROUND).begin().report(StageReport(0, Outcome.FAILED, reason="rejected"))
    assert run.end == End(Ending.STOPPED, 0, "rejected")
    with pytest.raises(ExecutionError):
        run.begin()


def test_the_guard_may_stop_a_run_between_stages_and_only_there() -> None:
    run = RouteRun(ROUND).begin()
    with pytest.raises(ExecutionError, match="report its end first"):
        run.stop("refused")
    run = run.report(sold(2 * ETH, 198 * DOLLAR)).stop("refused")
    assert run.end == End(Ending.STOPPED, 1, "refused")


def test_nothing_begins_while_a_stage_is_under_way() -> None:
    run = RouteRun(ROUND).begin()
    assert run.next is None
    with pytest.raises(ExecutionError, match="one stage at a time"):
        run.begin()


def test_too_little_to_go_on_with_stops_the_run() -> None:
    run = RouteRun(ROUND).begin().report(sold(1, DOLLAR // 2))
    assert run.end is not None
    assert run.end.ending is Ending.STOPPED
    assert run.end.stage == 1


def test_a_stuck_bridge_waits_and_what_is_settled_later_does_not_run_on() -> None:
    run = RouteRun(ROUND).begin().report(sold(2 * ETH, 198 * DOLLAR)).begin()
    stuck = run.report(StageReport(1, Outcome.STUCK, reason="no relayer"))
    assert stuck.end == End(Ending.STUCK, 1, "no relayer")
    assert stuck.under_way is not None
    with pytest.raises(ExecutionError):
        stuck.begin()
    late = stuck.report(StageReport(1, Outcome.DONE, received=149 * DOLLAR))
    assert late.end is not None
    assert (late.end.ending, late.end.stage) == (Ending.STOPPED, 2)
    back = stuck.report(StageReport(1, Outcome.REFUNDED, received=150 * DOLLAR))
    assert back.end == End(Ending.REFUNDED, 1)
    only = RouteRun(route(bridge(150 * DOLLAR, 150 * DOLLAR))).begin()
    only = only.report(StageReport(0, Outcome.STUCK))
    only = only.report(StageReport(0, Outcome.DONE, received=149 * DOLLAR))
    assert only.end == End(Ending.COMPLETED, 0), "there was nothing to run on to"


def test_a_report_that_is_known_changes_nothing() -> None:
    report = sold(2 * ETH, 198 * DOLLAR)
    run = RouteRun(ROUND).begin().report(report)
    assert run.report(report) is run
    assert run.begin().report(report) == run.begin()


def test_a_run_is_made_again_from_its_reports() -> None:
    run = RouteRun(ROUND).begin().report(sold(2 * ETH, 198 * DOLLAR)).begin()
    again = RouteRun(ROUND)
    for report in run.reports:
        again = again.begin().report(report)
    assert again.begin() == run


@pytest.mark.parametrize(
    "report",
    [
        StageReport(1, Outcome.DONE, {"ETH": Filled(2 * ETH, DOLLAR)}),
        StageReport(0, Outcome.DONE, {"ETH": Filled(ETH, DOLLAR)}),
        StageReport(0, Outcome.DONE, {"ETH-B": Filled(2 * ETH, DOLLAR)}),
        StageReport(0, Outcome.PARTLY, {"ETH": Filled(2 * ETH, DOLLAR)}),
        StageReport(0, Outcome.PARTLY, {"ETH": Filled(3 * ETH, DOLLAR)}),
        StageReport(0, Outcome.PARTLY, {"ETH": Filled(0, DOLLAR)}),
        StageReport(0, Outcome.PARTLY, {}),
        StageReport(0, Outcome.FAILED, {"ETH": Filled(1, 1)}),
        StageReport(0, Outcome.FAILED, received=1),
        StageReport(0, Outcome.REFUNDED, received=1),
        StageReport(0, Outcome.STUCK, received=1),
    ],
)
def test_what_cannot_have_become_of_a_trade_is_refused(report: StageReport) -> None:
    with pytest.raises(ExecutionError):
        RouteRun(ROUND).begin().report(report)


@pytest.mark.parametrize(
    "report",
    [
        StageReport(0, Outcome.DONE, received=0),
        StageReport(0, Outcome.DONE, received=150 * DOLLAR + 1),
        StageReport(0, Outcome.PARTLY, received=1),
        StageReport(0, Outcome.REFUNDED, received=150 * DOLLAR + 1),
        StageReport(0, Outcome.REFUNDED, received=-1),
        StageReport(0, Outcome.FAILED, received=1),
        StageReport(0, Outcome.DONE, {"ETH": Filled(1, 1)}, 1),
    ],
)
def test_what_cannot_have_become_of_a_bridge_is_refused(report: StageReport) -> None:
    run = RouteRun(route(bridge(150 * DOLLAR, 150 * DOLLAR))).begin()
    with pytest.raises(ExecutionError):
        run.report(report)
    with pytest.raises(ExecutionError):
        RouteRun(route(bridge(150 * DOLLAR, 150 * DOLLAR))).report(report)


def test_a_purchase_beyond_its_limit_and_fees_is_refused() -> None:
    run = RouteRun(route(Trade((purchase(ETH, 200 * DOLLAR),)))).begin()
    most = B.notional(ETH, PRICE + 100) + FEE
    run.report(StageReport(0, Outcome.DONE, {"ETH-B": Filled(ETH, most)}))
    with pytest.raises(ExecutionError):
        run.report(StageReport(0, Outcome.DONE, {"ETH-B": Filled(ETH, most + 1)}))


ROUTES = st.sampled_from(
    [
        ROUND,
        route(Trade((sale(),)), bridge(197 * DOLLAR, 0, sweep=True)),
        route(bridge(150 * DOLLAR, 150 * DOLLAR), Trade((purchase(ETH, 0),))),
        route(
            bridge(60 * DOLLAR, 60 * DOLLAR),
            replace(bridge(60 * DOLLAR, 60 * DOLLAR), source="d"),
            Trade((purchase(ETH, DOLLAR),)),
        ),
        route(
            bridge(200 * DOLLAR, 200 * DOLLAR),
            Trade((purchase(ETH, 0), purchase(ETH, DOLLAR, BB))),
        ),
        route(
            bridge(60 * DOLLAR, 60 * DOLLAR),
            replace(bridge(59 * DOLLAR, 0, sweep=True), source="b", target="d"),
        ),
        route(Trade((purchase(ETH, 120 * DOLLAR), replace(sale(), own=0)))),
    ]
)


class Places:
    """What really happens to the fund's cash: the books that a run must never overdraw."""

    def __init__(self, plan: Route) -> None:
        self.own: dict[str, int] = {}
        for stage in plan.stages:
            parts = [stage] if isinstance(stage, Bridge) else list(stage.swaps)
            for part in parts:
                place = part.source if isinstance(part, Bridge) else part.place
                self.own[place] = self.own.get(place, 0) + part.own
        self.under_way = 0

    def begin(self, stage: Stage) -> None:
        """Set aside all that the stage may spend; there must be so much."""
        if isinstance(stage, Bridge):
            self.take(stage.source, stage.amount)
            self.under_way = stage.amount
            return
        for swap in stage.swaps:
            if swap.side is Side.BUY:
                self.take(swap.place, swap.reserve)

    def take(self, place: str, amount: int) -> None:
        self.own[place] = self.own.get(place, 0) - amount
        assert self.own[place] >= 0, "more is spent than arrived and was allowed"

    def end(self, stage: Stage, report: StageReport) -> None:
        if isinstance(stage, Bridge):
            back = report.outcome in (Outcome.REFUNDED, Outcome.FAILED)
            place = stage.source if back else stage.target
            received = stage.amount if report.outcome is Outcome.FAILED else report.received
            self.own[place] = self.own.get(place, 0) + received
            self.under_way = 0
            return
        for swap in stage.swaps:
            money = report.filled.get(swap.instrument.symbol, Filled(0, 0)).money
            back = money if swap.side is Side.SELL else swap.reserve - money
            self.own[swap.place] = self.own.get(swap.place, 0) + back


@st.composite
def reports_on(draw: Callable[..., int], run: RouteRun) -> StageReport:
    """Some end of the stage under way that can be."""
    begun = run.under_way
    assert begun is not None
    share = st.integers(0, 10)
    if isinstance(begun, Bridge):
        outcome = draw(st.sampled_from([o for o in Outcome if o is not Outcome.PARTLY]))
        received = 0
        if outcome is Outcome.DONE:
            received = draw(st.integers(1, begun.amount))
        if outcome is Outcome.REFUNDED:
            received = draw(st.integers(0, begun.amount))
        return StageReport(run.stage, outcome, received=received)
    outcome = draw(st.sampled_from([o for o in Outcome if o is not Outcome.REFUNDED]))
    if outcome in (Outcome.FAILED, Outcome.STUCK):
        return StageReport(run.stage, outcome)
    filled = {}
    for swap in begun.swaps:
        quantity = swap.quantity if outcome is Outcome.DONE else swap.quantity * draw(share) // 10
        at_limit = swap.instrument.notional(quantity, swap.limit)
        if swap.side is Side.BUY:
            most = at_limit + swap.ready if quantity else 0
            money = draw(st.integers(0, most)) if draw(st.booleans()) else most
        else:
            money = at_limit + draw(st.integers(0, DOLLAR)) if quantity else 0
        filled[swap.instrument.symbol] = Filled(quantity, money)
    whole = all(filled[s.instrument.symbol].quantity == s.quantity for s in begun.swaps)
    if not any(f.quantity for f in filled.values()):
        return StageReport(run.stage, Outcome.FAILED)
    return StageReport(run.stage, Outcome.DONE if whole else Outcome.PARTLY, filled)


@settings(max_examples=400, deadline=None)
@given(ROUTES, st.data())
def test_any_interleaving_spends_what_is_there_and_ends_in_a_defined_state(
    plan: Route, data: st.DataObject
) -> None:
    run, places = RouteRun(plan), Places(plan)
    begun = 0
    known: list[StageReport] = []
    for _ in range(40):
        act = data.draw(st.sampled_from(["begin", "report", "report", "repeat", "odd", "stop"]))
        before = run
        if act == "begin":
            stage = run.next
            if stage is None:
                with pytest.raises(ExecutionError):
                    run.begin()
            else:
                assert run.under_way is None, "never more than one stage in progress"
                places.begin(stage)
                run = run.begin()
                begun += 1
        elif act == "report" and run.under_way is not None:
            stage, report = run.under_way, data.draw(reports_on(run))
            run = run.report(report)
            known.append(report)
            if report.outcome is not Outcome.STUCK:
                places.end(stage, report)
        elif act == "repeat" and known:
            assert run.report(data.draw(st.sampled_from(known))) == run
        elif act == "odd":
            with pytest.raises(ExecutionError):
                run.report(StageReport(run.stage + 1, Outcome.DONE, received=1))
        elif act == "stop" and data.draw(st.integers(0, 9)) == 0:
            if run.under_way is None and run.end is None:
                run = run.stop("given up")
            else:
                with pytest.raises(ExecutionError):
                    run.stop("given up")
        assert run.stage >= before.stage
        assert all(units >= 0 for units in run.brought.values())
        if run.end is not None:
            assert run.next is None
            assert run.end.ending is Ending.STUCK or run.under_way is None
            # A run that has ended otherwise is not revived by anything.
            if before.end is not None and before.end.ending is not Ending.STUCK:
                assert run == before
    assert begun <= len(plan.stages)
    if run.end is not None and run.end.ending is Ending.COMPLETED:
        assert begun == len(plan.stages)


@settings(max_examples=300, deadline=None)
@given(ROUTES, st.data())
def test_every_run_that_is_driven_on_comes_to_an_end(plan: Route, data: st.DataObject) -> None:
    run, places = RouteRun(plan), Places(plan)
    while run.end is None:
        run = run.begin()
        stage = run.under_way
        assert stage is not None
        places.begin(stage)
        report = data.draw(reports_on(run))
        run = run.report(report)
        if report.outcome is not Outcome.STUCK:
            places.end(stage, report)
    assert run.end.ending in Ending
    assert run.end.stage < len(plan.stages)


def test_two_purchases_at_one_place_share_what_arrived() -> None:
    both = Trade((purchase(ETH, 0), purchase(ETH, DOLLAR, BB)))
    run = RouteRun(route(bridge(200 * DOLLAR, 200 * DOLLAR), both)).begin()
    last = run.report(StageReport(0, Outcome.DONE, received=150 * DOLLAR)).next
    assert isinstance(last, Trade)
    assert [swap.quantity for swap in last.swaps] == [ETH, 493_069]
    assert sum(swap.reserve for swap in last.swaps) <= 151 * DOLLAR
