"""Guardrails of a mandate itself at work: judged exactly or proved, and never failing open."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from guard_world import AAA, BBB, PRICES, buy, make_book, make_mandate, make_situation, sell

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Proposal
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.certificate import Leaf
from agent_fund.guard.kernel.form import KernelError
from agent_fund.guard.language.clause import written
from agent_fund.guard.language.demand import require_resolvable
from agent_fund.guard.mandate import Mandate, calibrated, costs
from agent_fund.guard.proof import Proof
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.search.finder import Finder
from agent_fund.guard.verdict import Outcome

TRADE = Proposal((buy(AAA, 400, 10_000),))


def mandate(*functions: Callable[..., Any], always: bool = False) -> ResolvedMandate:
    clauses = tuple(written(f, always=always, rule="4.2") for f in functions)
    return replace(make_mandate("50%"), clauses=clauses)


def small_loss(s: Any, t: Any) -> Any:
    return s.book.after(t).loss("AAA") <= "2%" * s.nav


def few(s: Any, t: Any) -> Any:
    return s.book.after(t).gross("AAA") <= "10%" * s.nav


def draft() -> Mandate:
    return Mandate("own", calibrated("2"), costs(fee="0.1%", slippage="0.1%"))


def test_a_stressed_clause_cuts_a_trade_to_what_is_proved() -> None:
    situation = make_situation(make_book())
    free = Guard(make_mandate("50%")).judge(TRADE, situation)
    assert free.outcome is Outcome.ADMITTED
    verdict = Guard(mandate(small_loss)).judge(TRADE, situation)
    assert verdict.outcome is Outcome.REPAIRED
    assert "small_loss" in verdict.text
    assert verdict.certified is not None
    assert len(verdict.certified.proof.demands) == 1
    (leg,) = verdict.proposal.legs
    # AAA falls by 20 % at most: 2 % of NAV is lost by a tenth of NAV in it.
    held = AAA.notional(leg.quantity, PRICES["AAA"])
    assert held * Fraction(20, 100) <= situation.nav * Fraction(2, 100)
    assert AAA.notional(leg.quantity + 10, 10_000) * Fraction(1, 5) > situation.nav / 50


def test_an_exact_clause_cuts_a_trade_at_decision_prices() -> None:
    situation = make_situation(make_book())
    verdict = Guard(mandate(few)).judge(TRADE, situation)
    assert verdict.outcome is Outcome.REPAIRED
    (leg,) = verdict.proposal.legs
    assert AAA.notional(leg.quantity, PRICES["AAA"]) <= situation.nav / 10
    assert verdict.certified is not None
    assert verdict.certified.proof.demands == ()


def test_a_passive_breach_blocks_what_widens_it_and_sells_nothing_unless_always() -> None:
    book = make_book(10**8, {"AAA": 60})
    situation = make_situation(book)
    more, less = Proposal((buy(AAA, 1, 10_000),)), Proposal((sell(AAA, 10, 10_000),))
    for always in (False, True):
        guard = Guard(mandate(few, always=always))
        assert guard.judge(more, situation).outcome is Outcome.REFUSED
        assert (guard.judge(less, situation).outcome is Outcome.ADMITTED) is not always
        assert guard.watchful is always
        assert (guard.look(situation) is None) is always


def test_what_a_look_rests_on_has_no_demands() -> None:
    situation = make_situation(make_book(10**9, {"AAA": 10}))
    certified = Guard(mandate(small_loss)).look(situation)
    assert certified is not None
    assert certified.proof.demands == ()


def test_a_finder_that_fails_or_lies_about_a_demand_admits_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    situation = make_situation(make_book())
    honest = Finder.bound

    def failing(self: Finder, form: Any, target: int | None = None) -> Any:
        raise KernelError("died")

    def lying(self: Finder, form: Any, target: int | None = None) -> Any:
        found = honest(self, form, target)
        found.__dict__["bound"] = -(10**30)
        return found

    def garbage(self: Finder, form: Any, target: int | None = None) -> Any:
        return replace(honest(self, form, target), certificate=Leaf((7, 7), ((99, -1),)))

    for broken in (failing, garbage):
        with monkeypatch.context() as patch:
            patch.setattr(Finder, "bound", broken)
            verdict = Guard(mandate(small_loss)).judge(TRADE, situation)
            assert verdict.outcome is Outcome.REFUSED
            assert "nothing proved" in verdict.text
    with monkeypatch.context() as patch:
        patch.setattr(Finder, "bound", lying)
        verdict = Guard(mandate(small_loss)).judge(TRADE, situation)
        assert verdict.outcome is not Outcome.ADMITTED


def test_a_clause_about_what_the_fund_does_not_have_admits_nothing() -> None:
    def unknown(s: Any, t: Any) -> Any:
        return s.book.after(t).loss("ZZZ") <= "2%" * s.nav

    def nowhere(s: Any, t: Any) -> Any:
        return s.book.after(t).gross(venue="elsewhere") <= "2%" * s.nav

    for function in (unknown, nowhere):
        verdict = Guard(mandate(function)).judge(TRADE, make_situation(make_book()))
        assert verdict.outcome is Outcome.REFUSED
        with pytest.raises(DomainError):
            require_resolvable(written(function), {"AAA": AAA, "BBB": BBB}, make_mandate().stress)


def test_a_mandate_grows_by_ready_made_guardrails_and_by_its_own() -> None:
    own = draft()
    own.add(max_drawdown("10%"))
    own.guardrail(rule="1")(few)
    resolved = own.resolve(make_mandate().stress, 1)
    value = json.loads(json.dumps(resolved.to_json()))
    assert ResolvedMandate.from_json(value) == resolved
    assert resolved.clauses[0].name == "few"
    assert resolved.digest != replace(resolved, clauses=()).digest


def marked(s: Any, t: Any) -> Any:
    return s.book.after(t).gross() <= s.mark


def gross_leverage_again(s: Any, t: Any) -> Any:
    return s.book.after(t).gross() <= s.nav


gross_leverage_again.__name__ = "gross_leverage"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda m: m.guardrail(always=True)(small_loss), "max_drawdown"),
        (lambda m: m.guardrail(always=True)(marked), "s.nav"),
        (lambda m: [m.guardrail()(few), m.guardrail()(few)], "taken"),
        (lambda m: m.guardrail()(gross_leverage_again), "taken"),
        (lambda m: [m.add(gross_leverage("1")), m.add(gross_leverage("2"))], "each kind once"),
        (lambda m: m.resolve(make_mandate().stress, 1), "exactly one max_drawdown"),
    ],
)
def test_a_mandate_refuses_what_it_cannot_keep(make: Callable[[Mandate], Any], said: str) -> None:
    with pytest.raises(DomainError, match=said):
        make(draft())


def test_a_proof_with_other_demands_is_another_proof() -> None:
    one, two = Proof((Leaf((), ()),)), Proof((Leaf((), ()),), (Leaf((), ()),))
    assert one.encode() != two.encode()
    assert Proof.decode(json.loads(two.encode())) == two
