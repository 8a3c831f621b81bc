"""The mandate in a log must cover the way out and the costs of the run file beside it."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from agent_fund.audit.errors import AuditError
from agent_fund.audit.replay_terms import RunTerms
from agent_fund.domain.instrument import Asset
from agent_fund.execution.costs import (
    HalfSpread,
    Participation,
    SquareRootImpact,
    maximum_slippage,
)
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress

CONFIG: dict[str, Any] = {
    "strategy": {"every": "bar", "model": None},
    "flows": [],
    "market": {"gaps": "refuse", "start": "2020-01-01", "end": "2021-01-01"},
    "execution": {"order_bars": 1, "exit_bars": 2},
    "transfers": None,
    "venues": [
        {
            "name": "simulated",
            "cash": None,
            "latency": {"bars": 1},
            "fee": {"rate": "1/1000"},
            "spread": {"share": "1/1000"},
            "impact": {"coefficient": "1/100"},
            "participation": {"share": "1/100"},
        }
    ],
    "instruments": [
        {
            "symbol": "A",
            "kind": "spot",
            "venue": None,
            "underlying": None,
            "contract": "1",
            "margin": None,
            "latency": None,
            "asset_scale": 2,
            "price_scale": 2,
            "lot": "0.01",
            "tick": "0.01",
        }
    ],
}
SLIPPAGE = maximum_slippage(
    HalfSpread(Fraction(1, 1000)),
    SquareRootImpact(Fraction(1, 100)),
    Participation(Fraction(1, 100)),
)
MANDATE = ResolvedMandate(
    "terms",
    (Guardrail("max_drawdown", Fraction(1, 5), always=True),),
    Stress(("A",), ((-10, 10),), (), 1 + 2 * 3),
    Costs(Fraction(1, 1000), SLIPPAGE),
    Fraction(4, 5),
    Fraction(1, 100),
    exit_bars=2,
)


def terms(**venue: Any) -> RunTerms:
    config = copy.deepcopy(CONFIG)
    config["venues"][0] |= venue
    return RunTerms(config, Asset("USD", 8))


def test_a_mandate_that_covers_the_run_is_accepted() -> None:
    terms().require_mandate(MANDATE)


@pytest.mark.parametrize(
    "mandate",
    [
        replace(MANDATE, stress=replace(MANDATE.stress, horizon=6)),
        replace(MANDATE, exit_bars=1),
        replace(MANDATE, costs=Costs(Fraction(1, 1000), SLIPPAGE - Fraction(1, 10**6))),
        replace(MANDATE, costs=Costs(Fraction(9, 10_000), SLIPPAGE)),
    ],
)
def test_a_mandate_that_leaves_out_the_way_out_or_its_costs_is_refused(
    mandate: ResolvedMandate,
) -> None:
    with pytest.raises(AuditError):
        terms().require_mandate(mandate)


def test_a_slower_venue_needs_a_longer_horizon() -> None:
    with pytest.raises(AuditError, match="the way out takes 10 opens"):
        terms(latency={"bars": 2}).require_mandate(MANDATE)


def test_latencies_that_differ_need_a_legging_allowance() -> None:
    config = copy.deepcopy(CONFIG)
    slow = config["instruments"][0] | {"symbol": "B", "latency": {"bars": 0}}
    config["instruments"].append(slow)
    run = RunTerms(config, Asset("USD", 8))
    with pytest.raises(AuditError, match="legging allowance"):
        run.require_mandate(MANDATE)
    run.require_mandate(replace(MANDATE, costs=replace(MANDATE.costs, legging=Fraction(1, 1000))))
