"""The guard's answers: repair is the largest share that certifies, doubt is never admission."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from guard_simulation import paths, profit, worlds
from guard_world import (
    AAA,
    BBB,
    BOX,
    CCC,
    PRICES,
    STRESS,
    buy,
    make_book,
    make_mandate,
    make_order,
    make_situation,
    sell,
    tied_stress,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_fund.domain.errors import DomainError
from agent_fund.domain.order import Order, Proposal
from agent_fund.guard.band import price_band
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.form import SCALE, KernelError, StressSet
from agent_fund.guard.machine import is_safe
from agent_fund.guard.mandate import Mandate, calibrated, costs
from agent_fund.guard.proof import Proof, proved_bounds
from agent_fund.guard.repair.scaled import STEPS, scale
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Outcome, Situation

HELD = make_book(10**8, {"CCC": 30})
RISKY = Proposal((buy(AAA, 97, 10_050), buy(BBB, 970, 5_000)))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_may_be_sent_certifies_again_and_a_step_more_does_not(data: st.DataObject) -> None:
    limit = data.draw(st.sampled_from(["1%", "5%", "13%", "40%"]))
    rails = [gross_leverage(data.draw(st.sampled_from(["20%", "90%"])))]
    stress = data.draw(st.sampled_from([STRESS, tied_stress()]))
    mandate = make_mandate(limit, *rails, stress=stress)
    lots = st.integers(1, 300)
    legs = [
        buy(AAA, data.draw(lots), 10_100),
        buy(BBB, 10 * data.draw(lots), 5_000),
        sell(CCC, 30, 18_000),
    ]
    proposal = Proposal(tuple(legs[: data.draw(st.integers(1, 3))]), data.draw(st.booleans()))
    situation = make_situation(HELD)
    guard = Guard(mandate)
    verdict = guard.judge(proposal, situation)
    share = int(verdict.theta * STEPS)
    if verdict.outcome is Outcome.REFUSED:
        assert verdict.theta == 0
        assert verdict.certified is None
        assert not verdict.proposal.legs
        assert any(not f.holds for f in verdict.findings)
        return
    assert verdict.proposal == scale(proposal, verdict.theta)
    assert all(f.holds for f in verdict.findings)
    for judge in (guard, Guard(mandate)):
        again = judge.judge(verdict.proposal, situation)
        assert again.outcome is Outcome.ADMITTED
        assert again.proposal == verdict.proposal
        if verdict.outcome is Outcome.REPAIRED:
            more = judge.judge(scale(proposal, Fraction(share + 1, STEPS)), situation)
            assert more.outcome is not Outcome.ADMITTED
    assert bool(verdict.broken) == (verdict.outcome is Outcome.REPAIRED)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_history_of_an_admitted_trade_leaves_its_bounds(data: st.DataObject) -> None:
    world = data.draw(worlds(point=True, long_only=True))
    mandate = make_mandate("30%", stress=world.stress)
    situation = make_situation(world.book)
    if situation.nav <= 0:
        return
    verdict = Guard(mandate).judge(world.proposal, situation)
    if verdict.certified is None:
        return
    bounds = verdict.certified.bounds
    assert is_safe(Fraction(3, 10), situation.nav, situation.mark, bounds)
    sent = type(world)(world.book, verdict.proposal, world.band, world.stress)
    for _ in range(3):
        result = profit(sent, data.draw(paths(sent)))
        assert -bounds.loss <= result * SCALE <= bounds.gain


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_proof_of_a_verdict_proves_its_bounds_to_anybody(data: st.DataObject) -> None:
    world = data.draw(worlds(point=True, long_only=True))
    mandate = make_mandate("90%", stress=world.stress)
    situation = make_situation(world.book)
    if situation.nav <= 0:
        return
    verdict = Guard(mandate).judge(world.proposal, situation)
    if verdict.certified is not None:
        written = json.loads(verdict.certified.proof.encode())
        band = verdict.certified.band
        proved = proved_bounds(mandate, world.book, verdict.proposal, band, Proof.decode(written))
        assert proved == verdict.certified.bounds


def test_a_proof_does_not_fit_another_trade() -> None:
    mandate, situation = make_mandate("40%"), make_situation(HELD)
    certified = Guard(mandate).judge(Proposal((buy(AAA, 10, 10_000),)), situation).certified
    assert certified is not None
    larger = Proposal((buy(AAA, 20, 10_000),))
    assert proved_bounds(mandate, HELD, larger, certified.band, certified.proof) != certified.bounds
    two = Proposal((buy(AAA, 10, 10_000), sell(CCC, 30, 20_000)), ordered=True)
    band = price_band(HELD, two, PRICES, Fraction(0))
    with pytest.raises(KernelError, match="2 certificates for 4 obligations"):
        proved_bounds(mandate, HELD, two, band, certified.proof)


def test_the_same_question_has_the_same_answer_to_the_last_byte() -> None:
    mandate, situation = make_mandate("5%", stress=tied_stress()), make_situation(HELD)
    first, second = (Guard(mandate).judge(RISKY, situation) for _ in range(2))
    assert first == second
    assert first.outcome is Outcome.REPAIRED
    assert first.certified is not None
    assert second.certified is not None
    assert first.certified.proof.encode() == second.certified.proof.encode()


@pytest.mark.parametrize(
    ("rail", "limit", "value", "scenario"),
    [
        (
            max_drawdown("2%"),
            "at most 2.00% below the high-water mark",
            "% at worst",
            "AAA -20.00%",
        ),
        (gross_leverage("10%"), "at most 10.00% of NAV", "% of NAV", "fills as large"),
        (concentration("10%"), "at most 10.00% of NAV in one asset", "in AAA", "fills as large"),
    ],
)
def test_what_is_broken_is_named_with_limit_value_and_scenario(
    rail: Guardrail, limit: str, value: str, scenario: str
) -> None:
    others = () if rail.kind == "max_drawdown" else (rail,)
    drawdown = "2%" if rail.kind == "max_drawdown" else "60%"
    situation = make_situation(make_book(2 * 10**8, {"CCC": 30}))
    verdict = Guard(make_mandate(drawdown, *others)).judge(RISKY, situation)
    (finding,) = verdict.broken
    assert (finding.guardrail, finding.limit) == (rail.kind, limit)
    assert value in finding.value
    assert scenario in finding.scenario
    for word in (finding.guardrail, finding.limit, finding.value, finding.scenario):
        assert word in verdict.text


def test_the_drawdown_reported_for_one_position_is_the_exact_one() -> None:
    # 1000 AAA at 100.00 on a NAV of 200,000: -20 % loses 20,000, +15 % gains 15,000, and costs
    # are 0.3002 % of 115,000, a cent a share with its fee, and two base units of rounding.
    book = make_book(100_000 * 10**4, {"AAA": 1_000})
    spent = Fraction("345.23") + Fraction("10.01") + Fraction("0.0002")
    exact = 1 - Fraction(200_000 - 20_000 - spent, 215_000)
    assert Guard(make_mandate(str(exact))).look(make_situation(book)) is not None
    below = exact - Fraction(1, 10**12)
    assert Guard(make_mandate(str(below))).look(make_situation(book)) is None


def test_a_look_proves_its_whole_band_or_its_own_prices() -> None:
    book = make_book(10**9, {"AAA": 1_000, "BBB": 5_000})
    situation = make_situation(book)
    mandate = make_mandate("40%", stress=tied_stress())
    seen = Guard(mandate).look(situation)
    assert seen is not None
    assert seen.band == {"AAA": (9_900, 10_100), "BBB": (4_950, 5_050)}
    assert proved_bounds(mandate, book, Proposal(), seen.band, seen.proof) == seen.bounds
    narrow = next(
        certified
        for tenths in range(400)
        if (certified := Guard(make_mandate(f"{Fraction(tenths, 1000)}")).look(situation))
    )
    assert narrow.band == {"AAA": (10_000, 10_000), "BBB": (5_000, 5_000)}


def test_the_mark_counts_and_not_only_nav() -> None:
    book = make_book(10**9, {"AAA": 100})
    guard = Guard(make_mandate("20%"))
    nav = book.nav(PRICES)
    assert guard.look(make_situation(book)) is not None
    assert guard.look(make_situation(book, mark=nav * 5 // 4)) is None


@pytest.mark.parametrize("side", [buy(AAA, 1, 10_000), sell(CCC, 3, 20_000)])
def test_a_drawdown_limit_of_zero_refuses_every_trade_and_every_risky_book(side: Any) -> None:
    guard = Guard(make_mandate("0%"))
    assert guard.judge(Proposal((side,)), make_situation(HELD)).outcome is Outcome.REFUSED
    assert guard.look(make_situation(HELD)) is None
    assert guard.look(make_situation(make_book())) is not None


def test_an_unsafe_book_admits_nothing_not_even_a_reduction() -> None:
    # No fill at all is an admissible fill, so a reduction never certifies itself.
    book = make_book(0, {"AAA": 1_000})
    verdict = Guard(make_mandate("10%")).judge(
        Proposal((sell(AAA, 900, 8_000),)), make_situation(book)
    )
    assert verdict.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "price", [None, 0, -1, -10_000, 10_000.0, float("nan"), True, "10000", Fraction(10_000)]
)
@pytest.mark.parametrize("symbol", ["AAA", "CCC"])
def test_a_price_that_is_missing_or_no_positive_integer_admits_nothing(
    price: Any, symbol: str
) -> None:
    prices = {**PRICES, symbol: price}
    if price is None:
        del prices[symbol]
    situation = Situation(HELD, prices, 10**8, 10**8, 7, make_situation(HELD).capacity)
    guard = Guard(make_mandate("99%"))
    verdict = guard.judge(Proposal((buy(AAA, 1, 10_000),)), situation)
    assert verdict.outcome is Outcome.REFUSED
    assert re.search(f"price.*{symbol}", verdict.text)
    if symbol == "CCC":
        with pytest.raises(DomainError, match=r"price.*CCC"):
            guard.look(situation)


def test_an_instrument_outside_the_stress_set_is_refused_with_the_reason() -> None:
    small = Stress(("CCC",), (BOX[2],), (), 3)
    verdict = Guard(make_mandate("99%", stress=small)).judge(
        Proposal((buy(AAA, 1, 10_000),)), make_situation(HELD)
    )
    assert verdict.outcome is Outcome.REFUSED
    assert "stress set knows: CCC" in verdict.text


@pytest.mark.parametrize("interval", [(1, 2), (-3, -2), (5, -5), (-SCALE - 1, 1)])
def test_an_empty_or_impossible_box_is_refused(interval: tuple[int, int]) -> None:
    with pytest.raises((KernelError, DomainError), match="box"):
        Stress(("AAA",), (interval,), (), 3)


def test_no_carry_lets_a_box_pass_minus_one_hundred_percent() -> None:
    # 1 + x must not be negative anywhere, or a price band would no longer be covered by its ends.
    with pytest.raises(KernelError, match="box"):
        Stress(("AAA",), ((-SCALE - 5, 9),), (), 3, carry={"AAA": (10, 10)})


def test_a_box_with_a_driver_too_few_is_refused() -> None:
    with pytest.raises(DomainError, match="one interval a driver"):
        Stress(("AAA", "BBB"), BOX[:1], (), 3)


def test_a_stress_set_of_nothing_knows_no_instrument() -> None:
    nothing = make_mandate("50%", stress=Stress((), (), (), 3))
    assert nothing.stress.kernel == StressSet(())
    guard = Guard(nothing)
    assert guard.look(make_situation(HELD)) is None
    assert "stress set knows" in guard.explain(make_situation(HELD)).text


def waiting(chains: int) -> tuple[Order, ...]:
    orders: list[Order] = []
    for chain in range(chains):
        orders.append(make_order(f"{chain}a", buy(AAA, 1, 10_000)))
        orders.append(make_order(f"{chain}b", buy(AAA, 1, 10_000), f"{chain}a"))
    return tuple(orders)


def test_too_many_ways_to_fill_is_a_refusal_with_its_reason() -> None:
    guard = Guard(make_mandate("90%"))
    few, many = make_book(10**9, {}, waiting(5)), make_book(10**9, {}, waiting(6))
    trade = Proposal((buy(BBB, 10, 5_000),))
    assert guard.judge(trade, make_situation(few)).outcome is Outcome.ADMITTED
    verdict = guard.judge(trade, make_situation(many))
    assert verdict.outcome is Outcome.REFUSED
    assert [f.guardrail for f in verdict.broken] == ["cases"]
    assert "64 ways" in verdict.text


FLOATS: list[tuple[str, Callable[[], object]]] = [
    ("drawdown", lambda: max_drawdown(0.1)),  # type: ignore[arg-type]
    ("gross", lambda: gross_leverage(1.0)),  # type: ignore[arg-type]
    ("concentration", lambda: concentration(0.5)),  # type: ignore[arg-type]
    ("bool", lambda: gross_leverage(True)),
    ("multiple", lambda: calibrated(2.5)),  # type: ignore[arg-type]
    ("weights", lambda: calibrated("2", factors={"m": {"AAA": 0.5, "BBB": 0.5}})),  # type: ignore[dict-item]
    ("fee", lambda: costs(fee=0.001, slippage="0")),  # type: ignore[arg-type]
    ("slippage", lambda: costs(fee="0", slippage=0.001)),  # type: ignore[arg-type]
    ("reduce_to", lambda: written(reduce_to=0.8)),
    ("band", lambda: written(band=0.01)),
]


def written(**changes: Any) -> Mandate:
    parts: dict[str, Any] = {
        "name": "m",
        "stress": calibrated("2"),
        "costs": costs(fee="0.1%", slippage="0.2%"),
        "guardrails": [max_drawdown("20%")],
    }
    return Mandate(**{**parts, **changes})


@pytest.mark.parametrize("make", [f[1] for f in FLOATS], ids=[f[0] for f in FLOATS])
def test_a_float_in_a_mandate_is_refused_with_the_fix(make: Callable[[], object]) -> None:
    with pytest.raises(DomainError, match="write it as a string"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: max_drawdown("100%"),
        lambda: max_drawdown("150%"),
        lambda: max_drawdown("-1%"),
        lambda: max_drawdown("NaN"),
        lambda: max_drawdown("Infinity"),
        lambda: max_drawdown("1/0"),
        lambda: max_drawdown("ten percent"),
        lambda: gross_leverage("-1%"),
        lambda: gross_leverage("inf"),
        lambda: concentration("-0.0001"),
        lambda: Guardrail("stop_loss", Fraction(1, 10)),
        lambda: costs(fee="100%", slippage="0"),
        lambda: costs(fee="-1%", slippage="0"),
        lambda: costs(fee="0", slippage="1"),
        lambda: calibrated("0"),
        lambda: calibrated("-2"),
        lambda: calibrated("2", horizon=2),
        lambda: calibrated("2", horizon=True),
        lambda: calibrated("2", horizon="long"),
        lambda: calibrated("2", horizon=3.0),  # type: ignore[arg-type]
        lambda: written(guardrails=[]).resolve(tied_stress(), 1),
        lambda: written(guardrails=[gross_leverage("1")]).resolve(tied_stress(), 1),
        lambda: written(guardrails=[max_drawdown("20%"), max_drawdown("10%")]),
        lambda: written(guardrails=[max_drawdown("20%"), *[gross_leverage("1")] * 2]),
        lambda: written(reduce_to="101%"),
        lambda: written(reduce_to="-1%"),
        lambda: written(band="-1%"),
        lambda: written(band="101%"),
        lambda: written(name="two words"),
    ],
)
def test_an_absurd_mandate_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(DomainError):
        make()


def test_a_resolved_mandate_is_read_back_and_nothing_else_is() -> None:
    mandate = make_mandate("20%", gross_leverage("1", rule="4.2"), stress=tied_stress())
    value = json.loads(json.dumps(mandate.to_json()))
    assert ResolvedMandate.from_json(value).digest == mandate.digest
    for change in ({"v": 2}, {"v": 4}, {"clauses": [{}]}, {"band": "1%"}, {"more": 1}):
        with pytest.raises(DomainError):
            ResolvedMandate.from_json({**value, **change})
