"""The monitor blames a budget or a combination that moves have left though no box has been."""

from __future__ import annotations

from fractions import Fraction

import pytest

from agent_fund.fund.monitor import Monitor, Prices
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.budget import Budget
from agent_fund.guard.stress.declared import combination
from agent_fund.guard.stress.stress_set import Stress

BOX = ((-200_000, 200_000), (-100_000, 400_000), (-100_000, 100_000))
BUDGET = Stress(("A", "B", "C"), BOX, (), 3, budgets=(Budget(("A", "B"), SCALE * 3 // 2),))
ROW = Stress(
    ("A", "B", "C"), BOX, (), 3, combinations=(combination("spread", {"A": 1, "B": -1}, "15%"),)
)


def watched(stress: Stress, *closes: int, held: tuple[int, int, int] = (1, 1, 1)) -> Monitor:
    costs = Costs(Fraction(0), Fraction(0), Fraction(0))
    rails = (max_drawdown("20%"),)
    mandate = ResolvedMandate("m", rails, stress, costs, Fraction(4, 5), Fraction(1, 100))
    monitor = Monitor(mandate, stress.instruments)
    opens = (1_000, 1_000, 1_000)
    monitor.moved(1, 0, (1_000, 1_000, 1_000), Prices(opens, opens, closes), held, held)
    return monitor


@pytest.mark.parametrize("closes", [(800, 1_200, 1_000), (1_200, 950, 900), (900, 900, 1_000)])
def test_moves_at_the_budget_are_inside(closes: tuple[int, int, int]) -> None:
    monitor = watched(BUDGET, *closes)
    assert (monitor.inside, monitor.failures) == (1, [])


@pytest.mark.parametrize("closes", [(800, 1_204, 1_000), (1_200, 949, 900), (899, 900, 1_000)])
def test_moves_beyond_the_budget_fail_with_what_was_used(closes: tuple[int, int, int]) -> None:
    monitor = watched(BUDGET, *closes)
    (failure,) = monitor.failures
    assert (monitor.inside, failure.assumption, failure.exposed) == (0, "A1", True)
    assert failure.text.startswith("A, B used 15")
    assert failure.text.endswith("of a box together, declared 150.00% at most")


def test_a_budget_of_what_is_not_held_cannot_have_caused_a_breach() -> None:
    (failure,) = watched(BUDGET, 800, 1_204, 1_000, held=(0, 0, 1)).failures
    assert not failure.exposed


def test_a_combination_is_blamed_by_its_name() -> None:
    assert watched(ROW, 1_050, 900, 1_000).failures == []
    (failure,) = watched(ROW, 1_051, 900, 1_000).failures
    assert failure.text == "spread reached +15.10%, declared +15.00% at most"
