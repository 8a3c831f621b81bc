"""Clauses over the stress set: what they say of a loss, against the compiler and the kernel."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from language_random import stressed
from language_world import (
    ETH,
    INSTRUMENTS,
    PRICES,
    STRESS,
    Outcome,
    every_fill,
    in_units,
    random_scenario,
    random_world,
)

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import OptionTerms, PoolTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.cases import cases
from agent_fund.guard.compile import loss_form
from agent_fund.guard.kernel import certificate
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.form import SCALE, Form
from agent_fund.guard.language.clause import Clause, written
from agent_fund.guard.language.demand import forms, proved, require_resolvable
from agent_fund.guard.language.evaluate import evaluate, violation
from agent_fund.guard.language.expand import expand
from agent_fund.guard.language.expression import Both, Leaf, Loss, Move, Selection, relations
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.language.normal import normal
from agent_fund.guard.language.scope import Scope, Trade
from agent_fund.guard.language.smtlib import Script
from agent_fund.guard.language.solvers import ask
from agent_fund.guard.language.term import Claim, absolute, maximum

BAND = {symbol: (price, price) for symbol, price in PRICES.items()}


def value(form: Form, x: tuple[Fraction, ...]) -> Fraction:
    total = sum((c * v for c, v in zip(form.linear, x, strict=False)), Fraction(form.constant))
    for hinge in form.hinges:
        total += hinge.weight * max(Fraction(0), hinge.slope * x[hinge.driver] + hinge.offset)
    return total


@pytest.mark.parametrize("seed", range(6))
def test_the_loss_of_everything_is_the_compilers_loss(seed: int) -> None:
    """Two derivations: ``compile`` in integers with a band, this one in rationals at a price."""
    rng = Random(seed)
    for _ in range(120):
        world = random_world(rng)
        scenario = random_scenario(rng)
        moves: dict[Leaf, Fraction] = {Move(name): move for name, move in scenario.items()}
        for case in cases(world.book, world.proposal):
            compiled = loss_form(case, STRESS, BAND, world.book)
            term = expand(Loss(), case, world.facts, STRESS)
            worth = evaluate(term, moves.__getitem__)
            assert worth * SCALE == value(compiled, in_units(scenario))
            part = case.only({"ETH", "ETH-PERP"})
            own = expand(Loss(Selection("asset", "ETH")), case, world.facts, STRESS)
            worth = evaluate(own, moves.__getitem__)
            of_part = loss_form(part, STRESS, BAND, world.book)
            assert worth * SCALE == value(of_part, in_units(scenario))


@pytest.mark.parametrize("seed", range(6))
def test_no_fill_in_any_scenario_is_worse_than_the_form_that_is_proved(seed: int) -> None:
    rng = Random(100 + seed)
    for _ in range(40):
        world = random_world(rng)
        parts = tuple(stressed(rng) for _ in range(rng.randint(1, 2)))
        relation = parts[0] if len(parts) == 1 else Both(parts)
        clause = Clause("random", "", "", False, relation)
        every = cases(world.book, world.proposal)
        demands = forms(clause, every, world.facts, STRESS)
        assert len(demands) == len(parts) * len(every)
        for _ in range(3):
            scenario = random_scenario(rng)
            x = in_units(scenario)
            for part in parts:
                bound = max(value(d.form, x) / d.unit for d in demands if d.relation is part)
                for fills in every_fill(world, 2):
                    seen = violation(part, Outcome(world, fills, scenario).worth)
                    assert seen <= bound


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_takes_the_forms_and_proves_what_holds(seed: int) -> None:
    """With the simplest certificate of all; no scenario of the set exceeds what it proves."""
    rng = Random(200 + seed)
    for _ in range(40):
        world = random_world(rng)
        clause = Clause("random", "", "", False, stressed(rng))
        for demand in forms(clause, cases(world.book, world.proposal), world.facts, STRESS):
            concave = sum(1 for hinge in demand.form.hinges if hinge.weight < 0)
            bound = proved_bound(demand.form, STRESS.kernel, certificate.Leaf((0,) * concave, ()))
            for _ in range(5):
                assert value(demand.form, in_units(random_scenario(rng))) <= bound
            assert demand.unit % SCALE == 0


@pytest.mark.parametrize("seed", range(4))
def test_solvers_find_a_scenario_of_the_set_where_a_loss_can_pass_its_limit(seed: int) -> None:
    """The largest loss is where they say it is, and every model lies in the set exactly."""
    rng = Random(300 + seed)
    found = {"sat": 0, "unsat": 0}
    for _ in range(12):
        world = random_world(rng)
        clause = Clause("random", "", "", False, stressed(rng, fills=False))
        demand = forms(clause, cases(world.book, world.proposal), world.facts, STRESS)[0]
        (relation,) = relations(clause.relation)
        script = Script()
        script.within_stress(STRESS)
        left, right = (
            expand(side, demand.case, world.facts, STRESS)
            for side in (relation.left, relation.right)
        )
        script.deny(type(relation)(left, right))
        answers = {name: ask(script, name) for name in ("z3", "cvc5")}  # type: ignore[arg-type]
        assert answers["z3"].verdict == answers["cvc5"].verdict
        found[answers["z3"].verdict] += 1
        for answer in answers.values():
            if answer.verdict == "sat":
                x = [answer.model[Move(n)] * SCALE for n in (*STRESS.instruments, "market")]
                assert STRESS.kernel.holds(x)  # type: ignore[arg-type]
                assert value(demand.form, tuple(x)) > 0
        if answers["z3"].verdict == "unsat":
            for _ in range(20):
                assert value(demand.form, in_units(random_scenario(rng))) <= 0
    assert min(found.values()) > 0


def book(positions: dict[str, int]) -> Book:
    return Book(USD_OF_BOOK, 10**11, INSTRUMENTS, positions)


USD_OF_BOOK = ETH.quote


def facts_of(held: Book) -> Facts:
    nav = held.nav(PRICES)
    return Facts(held, held, PRICES, nav, nav)


def limited(s: Scope, t: Trade) -> Claim:
    after = s.book.after(t)
    exact = after.gross("ETH") <= s.nav
    return exact & (after.loss("ETH") <= "5%" * s.nav)


def test_each_comparison_is_judged_by_its_sort() -> None:
    clause = written(limited)
    assert [len(clause.exact), len(clause.stressed)] == [1, 1]
    held = book({})
    bought = Proposal((Leg(ETH, Side.BUY, 1000, 200_000),))  # 20 % of NAV, box -50 %
    facts = facts_of(held)
    (demand,) = forms(clause, cases(held, bought), facts, STRESS)
    eth = STRESS.driver("ETH")
    moved = tuple(Fraction(-250_000 * (n == eth)) for n in range(5))
    assert value(demand.form, moved) == 0  # 5 % of NAV at a fall of a quarter
    bound = proved_bound(demand.form, STRESS.kernel, certificate.Leaf((), ()))
    finding = proved(clause, [demand], [bound], facts, "ETH -50.00%")
    assert finding.text == (
        "limited is broken: missed by 5.01% of NAV at worst against loss(ETH) ≤ 5% · NAV "
        "(ETH -50.00%)"
    )
    small = Proposal((Leg(ETH, Side.BUY, 400, 200_000),))
    (demand,) = forms(clause, cases(held, small), facts, STRESS)
    bound = proved_bound(demand.form, STRESS.kernel, certificate.Leaf((), ()))
    assert proved(clause, [demand], [bound], facts, "").holds
    assert "within 1.00% of NAV of it" in proved(clause, [demand], [bound], facts, "").value


@pytest.mark.parametrize("bounds", [None, [], [0, 0]])
def test_what_is_not_proved_does_not_hold(bounds: list[int] | None) -> None:
    clause = written(limited)
    held = book({"ETH": 10})
    facts = facts_of(held)
    demands = forms(clause, cases(held, Proposal()), facts, STRESS)
    assert not proved(clause, demands, bounds, facts, "").holds
    assert not proved(clause, [], [], facts, "").holds


def test_a_clause_of_the_run_can_be_resolved_beforehand() -> None:
    require_resolvable(written(limited), INSTRUMENTS, STRESS)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s, t: s.book.after(t).long("DOGE") <= s.nav, "asset: 'DOGE'"),
        (lambda s, t: s.book.after(t).long(venue="delta") <= s.nav, "venue: 'delta'"),
        (lambda s, t: s.book.after(t).long(chain="eip155:7") <= s.nav, "chain: 'eip155:7'"),
        (lambda s, t: s.book.after(t).cash("delta") >= s.nav, "place: 'delta'"),
        (lambda s, t: s.book.after(t).long() <= s.cash("delta"), "place: 'delta'"),
        (lambda s, t: s.book.after(t).long() <= s.price("DOGE"), "instrument: 'DOGE'"),
        (
            lambda s, t: s.book.after(t).loss() <= s.nav * s.market.move("DOGE"),
            "move: 'DOGE' is refused; the stress set knows: BTC, BTC-PERP, ETH, ETH-PERP, market",
        ),
        (
            lambda s, t: abs(s.book.after(t).net()) <= s.nav,
            r"maximum over several drivers: 'max\(0, net\)'.*|.*write one comparison for each side",
        ),
        (
            lambda s, t: maximum(s.book.after(t).loss("ETH"), "1%" * s.nav) <= s.nav,
            "it depends on move.ETH., move.ETH-PERP.; .*",
        ),
        (
            lambda s, t: (
                s.book.after(t).loss()
                <= s.nav * absolute(s.market.move("ETH") + 1)
                + s.mark * maximum(s.market.move("ETH"), s.market.move("market"))
            ),
            "for the spread of two moves declare a factor or a tie",
        ),
    ],
)
def test_what_the_run_does_not_have_or_no_certificate_covers_is_refused_before_it(
    function: object, message: str
) -> None:
    clause = written(function, name="clause")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match=message):
        require_resolvable(clause, INSTRUMENTS, STRESS)


PUT = Instrument(
    "ETH-PUT",
    Asset("ETHPUT", 1),
    ETH.quote,
    ETH.venue,
    price_scale=2,
    kind=Kind.OPTION,
    underlying="ETH",
    terms=OptionTerms("ETH", Fraction(1800), 2_000_000_000, call=False),
)


def test_an_option_counts_whole_on_its_side_and_loses_what_the_compiler_says() -> None:
    lines = INSTRUMENTS | {"ETH-PUT": PUT}
    prices = PRICES | {"ETH-PUT": 9_000}
    held = Book(ETH.quote, 10**11, lines, {"ETH": 1000, "ETH-PUT": 30}, time=1_900_000_000)
    facts = Facts(held, held, prices, held.nav(prices), held.nav(prices))

    def covered(s: Scope, t: Trade) -> Claim:
        after = s.book.after(t)
        hedged = after.short("ETH") >= "30%" * after.long("ETH")
        return hedged & (after.loss("ETH") <= "15%" * s.nav)

    clause = written(covered)
    require_resolvable(clause, lines, STRESS)
    (case,) = cases(held, Proposal())
    # Three puts on an ETH each stand for 3 x 2000 USD short, ten ETH for 20000 USD long.
    assert facts.exposed("ETH-PUT", 30) == -6000 * 10**6
    found = normal(expand(clause.exact[0].right, case, facts))
    assert found.drivers
    (demand,) = forms(clause, [case], facts, STRESS)
    band = {s: (p, p) for s, p in prices.items()}
    compiled = loss_form(case, STRESS, band, held)
    limit = Fraction(15, 100) * facts.nav
    for eth in (-500_000, -300_000, -100_000, 0, 77_777, 600_000):
        x = tuple(Fraction(eth * (n == STRESS.driver("ETH"))) for n in range(5))
        worth = value(compiled, x) / SCALE - limit
        assert value(demand.form, x) / demand.unit == worth


POOL = Instrument(
    "ETH-POOL",
    Asset("ETHPOOL", 1),
    ETH.quote,
    ETH.venue,
    price_scale=2,
    kind=Kind.LP_SHARE,
    underlying="ETH",
    terms=PoolTerms("ETH", ETH.quote.symbol),
)


def test_a_pool_share_loses_what_the_compiler_says_held_or_bought() -> None:
    lines = INSTRUMENTS | {"ETH-POOL": POOL}
    prices = PRICES | {"ETH-POOL": 10_000}
    held = Book(ETH.quote, 10**11, lines, {"ETH": 300, "ETH-POOL": 500})
    facts = Facts(held, held, prices, held.nav(prices), held.nav(prices))
    clause = written(lambda s, t: s.book.after(t).loss("ETH") <= s.nav, name="loss")
    require_resolvable(clause, lines, STRESS)
    trade = Proposal((Leg(POOL, Side.BUY, 70, 10_400),))
    band = {s: (p, p) for s, p in prices.items()}
    every = cases(held, trade)
    (demand,) = forms(clause, every, facts, STRESS)
    compiled = loss_form(every[0], STRESS, band, held)
    assert len(compiled.hinges) > 5
    for eth in (-500_000, -301_234, -100_000, 0, 1, 77_777, 600_000):
        x = tuple(Fraction(eth * (n == STRESS.driver("ETH"))) for n in range(5))
        assert value(demand.form, x) / demand.unit == value(compiled, x) / SCALE - facts.nav
