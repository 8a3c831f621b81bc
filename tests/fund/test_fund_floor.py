"""The fixed floor in the loop: held against foresight, scaled or obeyed by flows, named if lost."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from fund_world import (
    CAPITAL,
    HOUR,
    Adversary,
    Market,
    World,
    edge_market,
    instrument,
    mandate,
    world,
)

from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.fund.flows import Flow
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.machine import Mode

SIZE, LAX = Fraction(15, 100), Fraction(95, 100)
PRICE = 100_000


def attacked(seed: int, *rails: Guardrail) -> World:
    """An adversary with foresight against a drawdown limit that forbids nothing much."""
    market = edge_market(seed, ("A", "B"), SIZE)
    rules = mandate(("A", "B"), SIZE, LAX, guardrails=rails)
    return world(market, rules, Adversary(market, Guard(rules))).run()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [75, 90])
def test_the_floor_holds_inside_the_set_against_foresight(share: int, seed: int) -> None:
    made = attacked(seed, fixed_floor(f"{share}%"))
    assert not made.monitor.breaches
    assert not made.monitor.failures
    assert all(min(t.nav, t.nav_open) * 100 >= CAPITAL * share for t in made.ticks)


def test_without_the_floor_the_same_adversary_goes_below_it() -> None:
    lowest = min(min(t.nav, t.nav_open) for seed in range(6) for t in attacked(seed).ticks)
    assert lowest * 100 < CAPITAL * 75


class Buys:
    """A at the second close, for a share of the cash."""

    def __init__(self, share: Fraction) -> None:
        self.share = share

    def decide(self, snapshot, book):
        if snapshot.bar != 1 or not self.share:
            return Proposal()
        inst = snapshot.instruments["A"]
        limit = PRICE * 101 // 100
        quantity = int(book.cash * self.share / inst.notional(1, limit))
        return Proposal((Leg(inst, Side.BUY, quantity, limit),))


def test_a_breach_outside_the_set_names_the_floor_and_the_move() -> None:
    prices = [PRICE] * 6 + [PRICE // 2] * 6
    market = Market((instrument("A"),), {"A": prices}, {"A": prices})
    rules = mandate(("A",), SIZE, LAX, guardrails=(fixed_floor("90%"),))
    made = world(market, rules, Buys(Fraction(1, 2))).run()
    (breach,) = made.monitor.breaches
    assert breach.limit == "fixed_floor"
    assert (breach.bar, breach.when) == (6, "open")
    assert breach.nav * 10 < CAPITAL * 9
    assert {f.assumption for f in breach.failures} == {"A1"}
    assert made.ticks[-1].mode is Mode.HALTED


def flowed(floor: str, *amounts: int) -> tuple[World, list[str]]:
    """A fund in cash with a flow a bar; the acts that its log tells of flows."""
    prices = [PRICE] * 12
    market = Market((instrument("A"),), {"A": prices}, {"A": prices})
    rules = mandate(("A",), SIZE, LAX, guardrails=(fixed_floor(floor),))
    flows = [
        Flow((2 + n) * HOUR, CAPITAL * amount // 100, f"flow {n}")
        for n, amount in enumerate(amounts)
    ]
    made = world(market, rules, Buys(Fraction(0)), flows=flows).run()
    acts = [json.loads(leaf).get("act") for leaf in made.log.leaves()]
    return made, [act for act in acts if act in ("flow", "flow_queued")]


def test_a_floor_that_is_a_share_follows_flows() -> None:
    made, acts = flowed("80%", 100, -150)
    assert acts == ["flow", "flow"]
    assert made.fund.machine.F == CAPITAL * 40 // 100


def test_a_floor_that_is_an_amount_makes_a_redemption_wait() -> None:
    made, acts = flowed("800000 USD", -30)
    assert acts == ["flow_queued"]
    assert made.fund.machine.v == CAPITAL
    made, acts = flowed("800000 USD", 100, -120)
    assert acts == ["flow", "flow"]
    assert made.fund.machine.v == made.fund.machine.F == CAPITAL * 80 // 100
    _, acts = flowed("800000 USD", 100, -121)
    assert acts == ["flow", "flow_queued"]
