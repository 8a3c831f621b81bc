from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_world import BTC, BTCP, ETH, ETHP, INSTRUMENTS, World, random_world

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal
from agent_fund.guard.cases import cases
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails import (
    cash_floor,
    concentration,
    gross_leverage,
    hedge_coverage,
    net_exposure,
)
from agent_fund.guard.guardrails.destination_allow_list import destination_allow_list
from agent_fund.guard.guardrails.instrument_allow_list import instrument_allow_list
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.max_order_value import max_order_value
from agent_fund.guard.guardrails.message_throttle import message_throttle
from agent_fund.guard.guardrails.price_collar import price_collar
from agent_fund.guard.guardrails.reduce_only import reduce_only
from agent_fund.guard.guardrails.slippage_cap import slippage_cap
from agent_fund.guard.guardrails.turnover_throttle import turnover_throttle
from agent_fund.guard.guardrails.venue_exposure import venue_exposure
from agent_fund.guard.language.clause import Clause, written
from agent_fund.guard.language.evaluate import holds
from agent_fund.guard.language.expression import Known, Leaf, Position
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.judge import judge
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.solvers import Answer, SolverMissingError
from agent_fund.guard.language.term import Claim
from agent_fund.guard.mandate import Mandate
from agent_fund.guard.policy import asking
from agent_fund.guard.policy.analysis import Analysis, analyse
from agent_fund.guard.policy.difference import difference
from agent_fund.guard.policy.sayable import as_clause
from agent_fund.guard.policy.statements import statements
from agent_fund.guard.policy.subject import Subject, subject
from agent_fund.guard.policy.unknowns import LOSS
from agent_fund.guard.stress.calibration import Calibration
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

# Every line of an asset at one price, which hedge coverage in the language takes for granted.
PRICES = {"ETH": 200_000, "BTC": 300_005, "ETH-PERP": 200_000, "BTC-PERP": 3_000_050}
JUDGES = {
    "gross_leverage": gross_leverage.judge,
    "net_exposure": net_exposure.judge,
    "concentration": concentration.judge,
    "hedge_coverage": hedge_coverage.judge,
    "cash_floor": cash_floor.judge,
}
LIMITS = ["0%", "10%", "30%", "75%", "100%", "150%", "400%"]
RULE = Calibration(Fraction(2))
COSTS = Costs(Fraction(1, 1000), Fraction(1, 500))
PERPETUALS = {line.symbol: line for line in (BTCP, ETHP)}


def verdicts(guardrail: Guardrail, world: World) -> tuple[bool, bool]:
    """What the ready-made judge and the clause say."""
    book = world.book
    every, nav = cases(book, world.proposal), book.nav(PRICES)
    clause = as_clause(guardrail, book.instruments)
    assert clause is not None
    said = judge(clause, every, Facts(book, book, PRICES, nav, nav))
    assert said is not None
    return JUDGES[guardrail.kind](guardrail, every, book, PRICES, nav).holds, said.holds


def funded(world: World, cash: int) -> World:
    """``world`` with so much cash at one place that NAV is ``cash`` more than zero."""
    book = world.book
    short = cash - book.nav(PRICES)
    places = {**book.places, "alpha": book.places["alpha"] + short}
    return World(replace(book, cash=book.cash + short, places=places), world.proposal)


def random_limit(rng: Random, kind: str, *, always: bool) -> Guardrail:
    limit = rng.choice(LIMITS)
    match kind:
        case "gross_leverage":
            return gross_leverage.gross_leverage(limit, always=always)
        case "net_exposure":
            return net_exposure.net_exposure(limit, always=always)
        case "concentration":
            by = rng.choice(["asset", "venue", "chain"])
            return concentration.concentration(limit, by=by, always=always)
        case _:
            least, most = sorted(rng.sample([0, 50, 70, 95, 100, 120], 2))
            return hedge_coverage.hedge_coverage(
                *rng.choice([("ETH",), ("BTC", "ETH")]),
                at_least=f"{least}%",
                at_most=f"{most}%",
                legging=rng.choice(["0%", "5%", "40%"]),
                always=always,
            )


@pytest.mark.parametrize(
    "kind", ["gross_leverage", "net_exposure", "concentration", "hedge_coverage"]
)
@given(seed=st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_a_ready_made_limit_said_in_the_language_has_the_same_verdict(kind: str, seed: int) -> None:
    rng = Random(seed)
    world = funded(random_world(rng), rng.choice([10**8, 10**9, 10**10]))
    always = kind == "net_exposure" or rng.random() < 0.5
    if kind == "hedge_coverage":
        always = True
    own, said = verdicts(random_limit(rng, kind, always=always), world)
    assert own == said


@pytest.mark.parametrize("kind", ["net_exposure", "hedge_coverage"])
@given(seed=st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_beyond_a_limit_the_language_is_the_stricter(kind: str, seed: int) -> None:
    rng = Random(seed)
    world = funded(random_world(rng), rng.choice([10**8, 10**9, 10**10]))
    own, said = verdicts(random_limit(rng, kind, always=False), world)
    assert own or not said


@given(seed=st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_a_cash_floor_said_in_the_language_has_the_same_verdict(seed: int) -> None:
    rng = Random(seed)
    world = funded(spot_world(rng), rng.choice([10**8, 10**9, 10**10]))
    guardrail = cash_floor.cash_floor(rng.choice(LIMITS), always=rng.random() < 0.5)
    own, said = verdicts(guardrail, world)
    assert own == said


def spot_world(rng: Random) -> World:
    """A world of spot alone, whose orders wait for nothing."""
    world = random_world(rng)
    spot = {line.symbol: line for line in (BTC, ETH)}
    book = world.book
    orders = tuple(
        replace(order, waits_for=None)
        for order in book.open_orders
        if order.instrument.symbol in spot
    )
    places = {place: book.places[place] for place in ("alpha", "gamma")}
    positions = {s: abs(q) for s, q in book.positions.items() if s in spot}
    legs = tuple(leg for leg in world.proposal.legs if leg.instrument.symbol in spot)
    cash = sum(places.values())
    made = Book(book.currency, cash, spot, positions, orders, places)
    return World(made, Proposal(legs, ordered=False))


def test_a_cash_floor_over_margin_accounts_is_not_sayable() -> None:
    assert as_clause(cash_floor.cash_floor("5%"), INSTRUMENTS) is None
    assert as_clause(max_drawdown("5%"), INSTRUMENTS) is None


# -- questions about one mandate --------------------------------------------------------------


def about(
    *guardrails: Guardrail,
    clauses: Sequence[Clause] = (),
    instruments: Mapping[str, Instrument] = PERPETUALS,
    stress: Stress | Calibration = RULE,
    name: str = "asked",
) -> Subject:
    return Subject(name, guardrails, tuple(clauses), stress, COSTS, instruments, known=True)


def standing(analysis: Analysis) -> dict[str, str]:
    return {judged.guardrail: judged.standing for judged in analysis.judged}


def test_a_reward_to_risk_gate_that_can_never_fire_is_found() -> None:
    """Entry is stop + 0.2 * (target - stop), so reward to risk is 4 whatever the prices are."""

    def ordered(s: Scope, t: Trade) -> Claim:
        return s.price("BTC-PERP") >= s.price("ETH-PERP")

    def gate(ratio: int) -> Clause:
        def rewarded(s: Scope, t: Trade) -> Claim:
            stop, target = s.price("ETH-PERP"), s.price("BTC-PERP")
            entry = stop + "0.2" * (target - stop)
            return target - entry >= ratio * (entry - stop)

        return written(rewarded, always=True)

    sane = written(ordered, always=True)
    found = analyse(about(clauses=[sane, gate(3)]))
    (_, gated) = found.judged
    assert (gated.standing, gated.by) == ("implied", ("ordered",))

    # A demanded ratio of 5 lets no target above its stop through.
    def apart(s: Scope, t: Trade) -> Claim:
        return s.price("BTC-PERP") >= s.price("ETH-PERP") + s.money(1)

    refused = analyse(about(clauses=[written(apart, always=True), gate(5)]))
    assert refused.consistent is False
    assert set(refused.conflict) == {"apart", "rewarded"}


def test_what_the_others_imply_is_named_with_those_that_do() -> None:
    found = analyse(
        about(
            gross_leverage.gross_leverage("100%"),
            net_exposure.net_exposure("150%"),
            concentration.concentration("40%"),
        )
    )
    # Two assets of 40 % each come to 80 %.
    assert standing(found) == {
        "gross_leverage": "implied",
        "net_exposure": "implied",
        "concentration": "binds",
    }
    assert found.judged[0].by == ("concentration",)
    assert found.findings


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_a_net_limit_is_implied_by_a_gross_one_unless_it_is_tighter(gross: int, net: int) -> None:
    limits = (gross_leverage.gross_leverage(f"{gross}%"), net_exposure.net_exposure(f"{net}%"))
    found = standing(analyse(about(*limits)))
    assert found == {
        "gross_leverage": "binds",
        "net_exposure": "implied" if net >= gross else "binds",
    }


@pytest.mark.parametrize(
    ("guardrail", "where"),
    [
        (gross_leverage.gross_leverage("0%"), "dead"),
        (max_order_value("0%"), "dead"),
        (turnover_throttle("0 USD", bars=3), "dead"),
        (message_throttle(orders=0, bars=3), "dead"),
        (instrument_allow_list("DOGE"), "dead"),
        (destination_allow_list("gamma"), "dead"),
        (instrument_allow_list("BTC", "ETH"), "vacuous"),
        (destination_allow_list("beta"), "vacuous"),
        (price_collar("2%"), "binds"),
        (slippage_cap("0%"), "binds"),
        (reduce_only(), "binds"),
        (message_throttle(orders=1, bars=3), "binds"),
        (venue_exposure("100%"), "vacuous"),
        (concentration.concentration("10%", by="chain"), "vacuous"),
    ],
    ids=lambda v: v if isinstance(v, str) else f"{v.key} {v.stated}",
)
def test_a_guardrail_alone_stands_where_it_must(guardrail: Guardrail, where: str) -> None:
    (judged,) = analyse(about(guardrail)).judged
    assert judged.standing == where
    assert bool(judged.book) == (where == "binds")


def test_a_venue_limit_that_the_only_venue_breaks_from_the_start_is_found() -> None:
    limit = venue_exposure("90%")
    (judged,) = analyse(about(limit)).judged
    assert judged.standing == "never"
    (judged,) = analyse(about(limit, instruments=INSTRUMENTS)).judged
    assert judged.standing == "binds"


def test_a_price_collar_implies_a_slippage_cap_that_is_wider() -> None:
    found = standing(analyse(about(price_collar("2%"), slippage_cap("3%"))))
    assert found == {"price_collar": "binds", "slippage_cap": "implied"}
    found = standing(analyse(about(price_collar("3%"), slippage_cap("2%"))))
    assert found == {"price_collar": "binds", "slippage_cap": "binds"}


def test_an_order_of_nothing_concedes_nothing() -> None:
    (_, collar) = analyse(about(instrument_allow_list("DOGE"), price_collar("2%"))).judged
    assert (collar.standing, collar.by) == ("implied", ("instrument_allow_list",))


def test_limits_that_leave_nothing_are_named_and_no_more_than_those() -> None:
    def invested(s: Scope, t: Trade) -> Claim:
        return s.book.after(t).long() >= "50%" * s.nav

    found = analyse(
        about(
            gross_leverage.gross_leverage("20%"),
            net_exposure.net_exposure("90%"),
            clauses=[written(invested)],
        )
    )
    assert found.consistent is False
    assert set(found.conflict) == {"gross_leverage", "invested"}


def test_a_book_that_binds_is_refused_by_that_guardrail_alone() -> None:
    asked = about(
        gross_leverage.gross_leverage("150%"),
        net_exposure.net_exposure("30%"),
        concentration.concentration("80%"),
    )
    said = {statement.name: statement for statement in statements(asked)}
    for judged in analyse(asked).judged:
        assert judged.standing == "binds"
        for name, statement in said.items():
            kept = all(holds(relation, worth(judged.book)) for relation in statement.relations)
            assert kept == (name != judged.guardrail)


def worth(book: Mapping[Leaf, Fraction]) -> Callable[[Leaf], Fraction]:
    return lambda leaf: book.get(leaf, Fraction(0))


@given(st.integers(0, 10**9))
@settings(max_examples=8, deadline=None)
def test_standings_agree_with_every_book_of_a_grid(seed: int) -> None:
    rng = Random(seed)
    limits = [
        gross_leverage.gross_leverage(rng.choice(LIMITS[1:])),
        net_exposure.net_exposure(rng.choice(LIMITS[1:])),
        concentration.concentration(rng.choice(LIMITS[1:])),
    ]
    asked = about(*limits)
    said = statements(asked)
    steps = [Fraction(n, 4) for n in range(-18, 19)]
    grid = [
        {Known("nav"): Fraction(1), Position("BTC-PERP"): one, Position("ETH-PERP"): other}
        for one, other in product(steps, steps)
    ]
    admitted = [[all(holds(r, worth(b)) for r in s.relations) for s in said] for b in grid]
    for number, judged in enumerate(analyse(asked).judged):
        alone = any(
            not row[number] and all(ok for n, ok in enumerate(row) if n != number)
            for row in admitted
        )
        if judged.standing == "implied":
            assert not alone
        # A grid may miss the book that shows that it binds.
        assert judged.standing in ("implied", "binds")
        assert judged.standing == "binds" or not alone


# -- with what a resolved stress set says of the drawdown ---------------------------------------


def boxed(percent: int) -> Stress:
    edge = percent * 10_000
    return Stress(("BTC-PERP", "ETH-PERP"), ((-edge, edge),) * 2, (), 4)


@pytest.mark.parametrize(("percent", "where"), [(60, "implied"), (3, "binds")])
def test_a_drawdown_over_a_wide_box_implies_a_leverage_limit(percent: int, where: str) -> None:
    limits = (max_drawdown("20%"), gross_leverage.gross_leverage("100%"))
    found = analyse(about(*limits, stress=boxed(percent)))
    assert standing(found) == {"max_drawdown": "proved", "gross_leverage": where}
    assert found.consistent


def test_the_cap_that_a_drawdown_implies_is_the_one_of_the_box() -> None:
    """At no drawdown a box of s admits rho / ((2 - rho) * s) of NAV, less what costs take."""
    cap = Fraction(20, 180) / Fraction(60, 100)  # 18.5 % of NAV
    for limit, where in ((cap, "implied"), (cap * Fraction(97, 100), "binds")):
        gross = gross_leverage.gross_leverage(limit)
        found = analyse(about(max_drawdown("20%"), gross, stress=boxed(60)))
        assert standing(found)["gross_leverage"] == where


def test_each_side_of_a_box_counts_for_its_own_side_of_the_book() -> None:
    """Longs lose 60 % and gain 5 % at most, shorts the reverse: caps of 31 % and 38 %."""

    def longs(s: Scope, t: Trade) -> Claim:
        return s.book.after(t).long() <= "35%" * s.nav

    def shorts(s: Scope, t: Trade) -> Claim:
        return s.book.after(t).short() <= "35%" * s.nav

    stress = Stress(("BTC-PERP", "ETH-PERP"), ((-600_000, 50_000),) * 2, (), 4)
    asked = about(max_drawdown("20%"), clauses=[written(longs), written(shorts)], stress=stress)
    found = standing(analyse(asked))
    assert (found["longs"], found["shorts"]) == ("implied", "binds")


def test_what_ties_instruments_is_part_of_what_is_proved() -> None:
    """Untied, long one and short the other may lose on both; tied, they hardly can."""
    box = ((-600_000, 600_000),) * 3
    factor = Factor(
        "market",
        {"BTC-PERP": Fraction(1, 2), "ETH-PERP": Fraction(1, 2)},
        {"BTC-PERP": 1000, "ETH-PERP": 1000},
        {"BTC-PERP": 10_000, "ETH-PERP": 10_000},
    )
    tied = Stress(("BTC-PERP", "ETH-PERP"), box, (factor,), 4)
    limits = (max_drawdown("20%"), gross_leverage.gross_leverage("100%"))
    assert standing(analyse(about(*limits, stress=boxed(60))))["gross_leverage"] == "implied"
    found = analyse(about(*limits, stress=tied))
    (_, gross) = found.judged
    assert gross.standing == "binds"
    one, other = (gross.book[Position(s)] for s in ("BTC-PERP", "ETH-PERP"))
    assert one * other < 0
    assert gross.book[LOSS] > 0


# -- two mandates -------------------------------------------------------------------------------


def test_a_mandate_does_not_differ_from_itself() -> None:
    asked = about(max_drawdown("20%"), gross_leverage.gross_leverage("100%"), price_collar("2%"))
    for beyond in difference(asked, asked):
        assert beyond.settled
        assert not beyond.found


def test_what_a_wider_limit_admits_is_shown_and_nothing_the_other_way() -> None:
    old = about(gross_leverage.gross_leverage("100%"), max_drawdown("10%"), name="old")
    new = about(gross_leverage.gross_leverage("120%"), max_drawdown("10%"), name="new")
    more, less = difference(new, old)
    (refusal,) = more.found
    assert (more.admits, more.refuses, refusal.guardrail) == ("new", "old", "gross_leverage")
    gross = sum(abs(refusal.book[Position(s)]) for s in PERPETUALS) / refusal.book[Known("nav")]
    assert 1 < gross <= Fraction(12, 10)
    assert not less.found
    assert less.settled


def test_a_deeper_drawdown_is_a_difference_where_both_prove_alike() -> None:
    shallow, deep = (
        about(max_drawdown("10%"), name="ten"),
        about(max_drawdown("20%"), name="twenty"),
    )
    more, less = difference(deep, shallow)
    assert [r.guardrail for r in more.found] == ["max_drawdown"]
    assert not less.found


def test_what_is_proved_over_other_stress_sets_is_not_compared() -> None:
    tight = about(max_drawdown("10%"), stress=boxed(10))
    wide = about(max_drawdown("10%"), stress=boxed(20))
    for beyond in difference(tight, wide):
        assert not beyond.settled
        assert "max_drawdown" in beyond.not_compared


def test_one_loss_a_comparison_is_asked_about_and_moves_are_not() -> None:
    def one_coin(limit: str) -> Clause:
        def one(s: Scope, t: Trade) -> Claim:
            return s.book.after(t).loss("BTC") <= limit * s.nav

        return written(one)

    def moving(s: Scope, t: Trade) -> Claim:
        return s.book.after(t).loss("BTC") <= s.nav * (s.market.move("BTC-PERP") + 1)

    more, less = difference(
        about(clauses=[one_coin("5%")]), about(clauses=[one_coin("4%"), written(moving)])
    )
    assert [r.guardrail for r in more.found] == ["one"]
    assert set(more.not_compared) == {"moving"}
    assert not less.found


# -- the solvers --------------------------------------------------------------------------------


def test_unsat_is_said_only_if_both_solvers_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubtful(script: object, solver: str, **limits: object) -> Answer:
        return (
            Answer("z3", "unsat") if solver == "z3" else Answer("cvc5", "unknown", reason="tired")
        )

    monkeypatch.setattr(asking, "ask", doubtful)
    found = analyse(about(gross_leverage.gross_leverage("0%")))
    assert found.consistent is None
    assert standing(found) == {"gross_leverage": "unknown"}
    assert "cvc5: tired" in found.judged[0].reason
    assert found.findings


@pytest.mark.parametrize("solver", ["z3", "cvc5"])
def test_a_solver_that_is_missing_is_named_with_its_extra(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, solver, None)
    with pytest.raises(SolverMissingError, match=rf"{solver}.*agent-fund\[smt\]"):
        analyse(about(gross_leverage.gross_leverage("0%")))


# -- over what questions are asked ---------------------------------------------------------------


def test_a_mandate_file_is_asked_about_over_what_it_names_and_others() -> None:
    mandate = Mandate("any", RULE, COSTS)
    mandate.add(gross_leverage.gross_leverage("100%"))
    mandate.add(concentration.concentration("10%"))
    mandate.add(hedge_coverage.hedge_coverage("BTC"))
    mandate.add(destination_allow_list("vault"))
    asked = subject(mandate)
    lines = asked.instruments.values()
    assert not asked.known
    assert len([line for line in lines if line.underlying == "BTC"]) >= 2
    assert {line.underlying for line in lines if line.venue.name == "vault"} >= {"BTC", "OTHER-1"}
    # Ten of 10 % each come to 100 %, so it takes an eleventh to show that the limit of all counts.
    assert standing(analyse(asked))["gross_leverage"] == "binds"


def test_a_resolved_mandate_is_asked_about_over_its_stress_set() -> None:
    tie = Tie("BTC-PERP", "BTC", -1, 1)
    stress = Stress(("BTC-PERP", "BTC"), ((-10, 10),) * 2, (), 4, ties=(tie,))
    mandate = Mandate("any", RULE, COSTS, [max_drawdown("10%")])
    asked = subject(mandate.resolve(stress, 1))
    assert {s: line.underlying for s, line in asked.instruments.items()} == {
        "BTC": "BTC",
        "BTC-PERP": "BTC",
    }
