from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_fund.guard.costs import Costs
from agent_fund.guard.explain.explained import (
    assumptions,
    explain,
    explain_clause,
    guarantee,
    percent,
)
from agent_fund.guard.guardrails.amount import share_or_amount
from agent_fund.guard.guardrails.cash_floor import cash_floor
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.destination_allow_list import destination_allow_list
from agent_fund.guard.guardrails.fixed_floor import fixed_floor
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.instrument_allow_list import instrument_allow_list
from agent_fund.guard.guardrails.limit import KINDS, Guardrail
from agent_fund.guard.guardrails.liquidity import liquidity
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.max_order_value import max_order_value
from agent_fund.guard.guardrails.max_order_volume import max_order_volume
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.reduce_only import reduce_only
from agent_fund.guard.guardrails.repeated_execution_throttle import repeated_execution_throttle
from agent_fund.guard.guardrails.slippage_cap import slippage_cap
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.language.clause import written
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.term import Claim
from agent_fund.guard.limits import ALWAYS as MAY_BE_ALWAYS

EVERY = [
    max_drawdown("7.5%"),
    fixed_floor("80%"),
    fixed_floor("800000 USD"),
    margin_safety("120%"),
    gross_leverage("150%"),
    net_exposure("1/3", always=True),
    concentration("40%"),
    concentration("40%", by="chain"),
    hedge_coverage("BTC", "ETH", legging="8%"),
    venue_exposure("60%"),
    cash_floor("2%", always=True),
    liquidity("5%", bars=2),
    price_collar("2%"),
    slippage_cap("0.5%"),
    max_order_value("50000 USD"),
    max_order_value("5%"),
    max_order_volume("25%"),
    max_order_volume({"BTC": "2.5", "A_B": 1}),
    turnover_throttle("50%", bars=7),
    message_throttle(orders=1, bars=1),
    repeated_execution_throttle(times=3, bars=10),
    instrument_allow_list("BTC", "A_B"),
    destination_allow_list("alpha", "beta/BTC"),
    reduce_only(),
]


def test_every_kind_is_explained() -> None:
    assert {guardrail.kind for guardrail in EVERY} == set(KINDS)


@pytest.mark.parametrize("guardrail", EVERY, ids=lambda g: f"{g.key} {g.stated}")
def test_a_guardrail_is_one_sentence_and_two_formulas(guardrail: Guardrail) -> None:
    said = explain(guardrail)
    assert re.fullmatch(r"[A-Z].*[^.]\.", said.sentence)
    assert ". " not in said.sentence
    for text in (said.sentence, said.unicode, said.latex):
        assert "$" not in text
        assert "cannot lose" not in text
    assert said.latex.count("{") == said.latex.count("}")
    assert said.latex.count(r"\left") == said.latex.count(r"\right")
    assert not re.search(r"(?<!\\)[%#&]", said.latex)
    # Outside of \text an underscore would be a subscript.
    assert not re.search(r"(?<!\\)_", said.latex)
    assert set(said.assumes) <= {code for code, _ in assumptions(_costs(), 3)}


@pytest.mark.parametrize("guardrail", EVERY, ids=lambda g: f"{g.key} {g.stated}")
def test_the_limit_stands_in_sentence_and_formulas(guardrail: Guardrail) -> None:
    said = explain(guardrail)
    stated = guardrail.terms.get("names", "").replace("=", " ").split() or [
        percent(guardrail.limit) if "unit" not in guardrail.terms else guardrail.stated.split()[0]
    ]
    if guardrail.kind == "reduce_only":
        stated = []
    for part in stated:
        assert part in said.sentence
        assert part in said.unicode
        assert part.replace("%", r"\%").replace("_", r"\_") in said.latex


@pytest.mark.parametrize("guardrail", EVERY, ids=lambda g: f"{g.key} {g.stated}")
def test_when_it_is_judged_follows_from_what_judges_it(guardrail: Guardrail) -> None:
    when = explain(guardrail).when
    proved = guardrail.kind in ("max_drawdown", "fixed_floor", "margin_safety")
    assert ("stress set" in when) == proved
    at_every_look = guardrail.kind in MAY_BE_ALWAYS and guardrail.always
    assert ("at every look" in when) == at_every_look


def test_the_drawdown_s_formula_is_the_safe_condition() -> None:
    said = explain(max_drawdown("20%"))
    assert said.unicode == "(1 − 20%) · max(H, V + W⁺) ≤ V − W⁻ − C"
    assert said.latex == r"(1 - 20\%) \cdot \max(H,\; V + W^{+}) \le V - W^{-} - C"


def test_a_clause_is_explained_from_its_tree() -> None:
    def bounded(s: Scope, t: Trade) -> Claim:
        after = s.book.after(t)
        return (after.gross() <= 2 * s.nav) & (after.loss("ETH") <= "4%" * s.nav)

    said = explain_clause(written(bounded, always=False))
    assert said.unicode == "gross ≤ 2 · NAV ∧ loss(ETH) ≤ 4% · NAV"
    assert said.sentence.startswith("The gross exposure is at most 2 times NAV, and")
    assert said.when == "pre-trade; proved over the stress set"
    assert "A1" in said.assumes
    assert r"4\%" in said.latex


def test_a_clause_without_a_market_rests_on_no_stress_set() -> None:
    def bounded(s: Scope, t: Trade) -> Claim:
        return s.book.after(t).gross() <= 2 * s.nav

    assert explain_clause(written(bounded)).when == "pre-trade"
    always = explain_clause(written(bounded, always=True))
    assert always.when == "pre-trade, and at every look"
    assert "A1" not in always.assumes


def test_the_guarantee_names_its_condition_and_every_promise() -> None:
    said = guarantee({"max_drawdown": max_drawdown("10%")})
    assert "within 10% of its high-water mark" in said
    assert "inside the declared stress set" in said
    assert "losses can go beyond the limit" in said
    floor = fixed_floor("800000 USD")
    assert "800,000 USD" in guarantee({"max_drawdown": max_drawdown("10%"), "fixed_floor": floor})


def test_the_assumptions_say_what_the_costs_allow_for() -> None:
    told = dict(assumptions(_costs(), 4))
    assert list(told) == [f"A{n}" for n in range(1, 8)]
    assert "4 opens" in told["A1"]
    assert "0.1%" in told["A3"]
    assert "0.25%" in told["A3"]
    assert "0.5%" in told["A5"]
    assert "0.5%" not in dict(assumptions(Costs(Fraction(0), Fraction(0)), None))["A5"]


@given(st.fractions(min_value=0, max_value=5, max_denominator=10**6))
def test_a_percentage_keeps_every_digit(value: Fraction) -> None:
    text = percent(value)
    assert Fraction(text.removesuffix("%")) == (value * 100 if "%" in text else value)


def test_an_amount_is_no_share() -> None:
    amount = share_or_amount("max_order_value", "50000 USD", "", "")
    assert "% of NAV" not in explain(amount).sentence


def _costs() -> Costs:
    return Costs(Fraction(1, 1000), Fraction(1, 400), Fraction(1, 200))
