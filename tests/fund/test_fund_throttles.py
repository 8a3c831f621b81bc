"""Throttles and order limits in the loop: over bars, over a restart, and never on the way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction

import pytest
from fund_world import CAPITAL, HOUR, Market, World, instrument, mandate, world

from agent_fund.audit.log import MemoryLog
from agent_fund.audit.recorder import ResumeError
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.fund.flows import Flow
from agent_fund.guard.activity import NOTHING_SENT
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_order_value import max_order_value, order_value
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.machine import Mode

SIZE = Fraction(15, 100)
PRICE = 100_000


def quiet(bars: int = 30, volumes: Mapping[int, int] | None = None) -> Market:
    symbols = ("A", "B")
    prices = {s: [PRICE] * bars for s in symbols}
    return Market(tuple(instrument(s) for s in symbols), prices, prices, volumes or {})


class Buys:
    """The same small purchase at every close, until it is told to stop."""

    def __init__(self, size: int = 100, until: int = 10**9) -> None:
        self.size, self.until = size, until

    def decide(self, snapshot, book):
        if snapshot.bar >= self.until:
            return Proposal()
        return Proposal((Leg(snapshot.instruments["A"], Side.BUY, self.size, PRICE * 11 // 10),))


def run(*rails: Guardrail, strategy: object | None = None, market: Market | None = None, **terms):
    rules = mandate(("A", "B"), SIZE, Fraction(1, 2), guardrails=rails)
    return world(market or quiet(), rules, strategy or Buys(), **terms)


def decisions(log: MemoryLog) -> list[dict]:
    records = [json.loads(leaf) for leaf in log.leaves()]
    return [r for r in records if r.get("act") == "decide"]


def outcomes(made: World) -> str:
    """One letter a decision: Admitted, rePaired, Refused."""
    letters = {"admitted": "A", "repaired": "P", "refused": "R"}
    return "".join(letters[r["outcome"]] for r in decisions(made.log))


def test_an_agent_that_repeats_itself_is_let_through_as_the_allowance_refills() -> None:
    made = run(repeated_execution_throttle(times=3, bars=6)).run()
    # Three at once and one every two bars; the first two bars of refilling come for nothing.
    assert outcomes(made) == "AAAAA" + "RA" * 12 + "R"
    refused = [r for r in decisions(made.log) if r["outcome"] == "refused"]
    named = {f["guardrail"] for r in refused for f in r["broken"]}
    assert named == {"repeated_execution_throttle"}


def test_the_value_sent_is_what_was_kept_of_a_proposal_and_not_what_was_asked() -> None:
    rail = turnover_throttle("10%", bars=10)
    made = run(rail, strategy=Buys(4_000)).run()
    sent = 0
    for record in decisions(made.log):
        for leg in record["legs"]:
            sent += int(leg["quantity"]) * int(leg["limit"]) * 10**4
    most = CAPITAL // 10 + CAPITAL // 100 * (len(made.ticks) - 1)
    assert "P" in outcomes(made)
    # All but what lots leave over at each cut.
    assert most * 95 // 100 < sent <= most


class Splits:
    """Whatever it may send at most, it sends again beside what is still open."""

    def decide(self, snapshot, book):
        limit = PRICE * 11 // 10
        return Proposal((Leg(snapshot.instruments["A"], Side.BUY, 500, limit),))


def test_splitting_an_order_over_bars_leaves_no_more_open_than_one_may_be() -> None:
    rail = max_order_value("12000 USD")
    rules = mandate(("A", "B"), SIZE, Fraction(1, 2), guardrails=(rail,), horizon=9)
    # An order of 5,500 is under way for three bars before it can fill.
    made = world(quiet(40), rules, Splits(), latency=3)
    most = 0
    while made.fund.advance() is not None:
        open_value = sum(
            order_value(o.instrument, o.remaining, o.limit, PRICE)
            for o in made.fund._orders.book.open_orders
        )
        most = max(most, open_value)
    assert 11_000 * 10**8 <= most <= 12_000 * 10**8
    broken = {f["guardrail"] for r in decisions(made.log) for f in r["broken"]}
    assert "max_order_value" in broken


RAILS = (
    message_throttle(orders=4, bars=9),
    turnover_throttle("0.4%", bars=10),
    repeated_execution_throttle(times=4, bars=7),
)


@pytest.mark.parametrize("rail", RAILS, ids=lambda rail: rail.kind)
@pytest.mark.parametrize("cut", [1, 9, 30, 61])
def test_a_run_that_was_cut_off_refuses_the_same_proposals(rail: Guardrail, cut: int) -> None:
    whole = run(rail).run()
    whole.fund.close()
    leaves = list(whole.log.leaves())
    assert set(outcomes(whole)) & {"R", "P"}
    log = MemoryLog()
    for leaf in leaves[:cut]:
        log.append(leaf)
    again = run(rail, log=log, resume=True).run()
    again.fund.close()
    assert list(log.leaves()) == leaves
    assert again.fund._activity == whole.fund._activity != NOTHING_SENT


def test_a_fund_that_forgets_what_it_sent_is_found_when_it_resumes() -> None:
    whole = run(RAILS[0]).run()
    made = run(RAILS[0], log=whole.log, resume=True)

    def forgetful() -> None:
        while made.fund.advance() is not None:
            made.fund._activity = NOTHING_SENT

    with pytest.raises(ResumeError, match="record"):
        forgetful()


def falling(bars: int = 30) -> Market:
    """A falls, each time by what the set allows of three bars."""
    price, opens, closes = PRICE, [], []
    for bar in range(bars):
        opens.append(price)
        price = price * 96 // 100 if bar > 4 else price
        closes.append(price)
    flat = [PRICE] * bars
    return Market(
        (instrument("A"), instrument("B")), {"A": opens, "B": flat}, {"A": closes, "B": flat}
    )


class Once:
    """One large purchase of A, and B at every bar after it."""

    def decide(self, snapshot, book):
        if snapshot.bar == 1:
            return Proposal((Leg(snapshot.instruments["A"], Side.BUY, 60_000, PRICE * 11 // 10),))
        if snapshot.bar > 1:
            return Proposal((Leg(snapshot.instruments["B"], Side.BUY, 1, PRICE * 11 // 10),))
        return Proposal()


@pytest.mark.parametrize(
    "rail",
    [
        message_throttle(orders=2, bars=10**6),
        turnover_throttle("100%", bars=10**6),
        repeated_execution_throttle(times=1, bars=10**6),
    ],
    ids=lambda rail: rail.kind,
)
def test_a_way_out_is_neither_held_back_nor_counted(rail: Guardrail) -> None:
    rules = mandate(("A", "B"), SIZE, Fraction(20, 100), guardrails=(rail,))
    made = world(falling(), rules, Once())
    before, left = NOTHING_SENT, 0
    while (tick := made.fund.advance()) is not None:
        if tick.mode is not Mode.ACTIVE:
            assert made.fund._activity == before != NOTHING_SENT
            left += 1
        before = made.fund._activity
    assert left > 2
    acts = [json.loads(leaf).get("act") for leaf in made.log.leaves()]
    assert acts.count("reduce") + acts.count("exit") > 2
    assert not made.monitor.breaches


def test_a_flow_draws_nothing() -> None:
    flows = (Flow(5 * HOUR, 10**12, "in"), Flow(9 * HOUR, -(10**12), "out"))
    with_flows = run(RAILS[0], flows=flows, strategy=Buys(until=4)).run()
    without = run(RAILS[0], strategy=Buys(until=4)).run()
    assert with_flows.fund._activity == without.fund._activity
