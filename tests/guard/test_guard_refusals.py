"""What cannot be judged is refused; a mandate that would not be kept as it reads is not read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from guard_world import (
    AAA,
    BBB,
    PRICES,
    SIM,
    USD,
    buy,
    make_book,
    make_mandate,
    make_situation,
    sell,
)

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import PoolTerms
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Proposal, Side
from agent_fund.guard.engine import Guard
from agent_fund.guard.guardrails.concentration import concentration
from agent_fund.guard.guardrails.gross_leverage import gross_leverage
from agent_fund.guard.guardrails.hedge_coverage import hedge_coverage
from agent_fund.guard.guardrails.limit import Guardrail
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.guardrails.net_exposure import net_exposure
from agent_fund.guard.language.clause import written
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.verdict import Outcome, Situation

TRADE = Proposal((buy(AAA, 10, 10_000),))


def refused(proposal: Proposal, situation: Situation, *rails: Guardrail) -> str:
    verdict = Guard(make_mandate("20%", *rails)).judge(proposal, situation)
    assert verdict.outcome is Outcome.REFUSED
    assert verdict.certified is None
    return verdict.text


@pytest.mark.parametrize("price", [None, 0, -1, float("nan"), "100", True])
def test_a_price_that_is_missing_or_none_is_a_refusal(price: Any) -> None:
    prices = {s: p for s, p in PRICES.items() if s != "AAA"}
    if price is not None:
        prices["AAA"] = price
    seen = replace(make_situation(make_book()), prices=prices)
    assert "price" in refused(TRADE, seen)


def test_a_leg_in_what_the_fund_does_not_know_is_a_refusal() -> None:
    stranger = Instrument("ZZZ", Asset("ZZZ", 0), USD, SIM, price_scale=2)
    finer = replace(AAA, tick=2)
    for item in (stranger, finer):
        trade = Proposal((Leg(item, Side.BUY, 10, 10_000),))
        assert "instrument of a leg" in refused(trade, make_situation(make_book()))


@pytest.mark.parametrize(
    "rail", [None, gross_leverage("1"), net_exposure("1"), concentration("1", always=True)]
)
def test_a_fund_without_nav_admits_nothing(rail: Guardrail | None) -> None:
    seen = make_situation(make_book(0))
    assert seen.nav == 0
    rails = () if rail is None else (rail,)
    refused(TRADE, seen, *rails)
    assert Guard(make_mandate("20%", *rails)).look(seen) is None


MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 100)),), Fraction(1, 100))
SPOT = Instrument("BTC", Asset("BTC", 0), USD, SIM, price_scale=2)
PERP = Instrument(
    *("BTC-P", Asset("BTC-P", 0), USD, replace(SIM, name="futures"), 2),
    kind=Kind.PERPETUAL,
    underlying="BTC",
    margin=MARGIN,
)


def hedging(spot: int, perp: int, *rails: Guardrail) -> tuple[Guard, Situation]:
    stress = Stress(("BTC", "BTC-P"), ((-100_000, 100_000),) * 2, (), 3)
    cash = 10**9
    places = {"sim": cash // 2, "futures": cash // 2}
    items = {"BTC": SPOT, "BTC-P": PERP}
    held = {"BTC": spot, "BTC-P": perp}
    book = Book(USD, cash, items, held, (), places)
    prices = {"BTC": 10_000, "BTC-P": 10_000}
    nav = book.nav(prices)
    seen = Situation(book, prices, nav, nav, 0, dict.fromkeys(items, 10**12))
    return Guard(make_mandate("60%", *rails, stress=stress)), seen


@pytest.mark.parametrize("held", [300, -300])
def test_a_passive_breach_to_one_side_licenses_none_to_the_other(held: int) -> None:
    guard, seen = hedging(0, held, net_exposure("20%"))
    side, limit = (Side.SELL, 9_900) if held > 0 else (Side.BUY, 10_100)
    turned = Proposal((Leg(PERP, side, 590, limit),))
    verdict = guard.judge(turned, seen)
    assert verdict.outcome is not Outcome.ADMITTED
    assert "net_exposure" in verdict.text
    back = Proposal((Leg(PERP, side, 250, limit),))
    assert guard.judge(back, seen).outcome is Outcome.ADMITTED


def test_what_is_not_hedged_enough_may_not_become_hedged_too_much() -> None:
    rail = hedge_coverage("BTC", at_least="70%", at_most="100%")
    guard, seen = hedging(300, -100, rail)
    over = Proposal((Leg(PERP, Side.SELL, 310, 9_900),))
    verdict = guard.judge(over, seen)
    assert verdict.outcome is not Outcome.ADMITTED
    assert "hedge_coverage" in verdict.text
    enough = Proposal((Leg(PERP, Side.SELL, 150, 9_900),))
    assert guard.judge(enough, seen).outcome is Outcome.ADMITTED


def test_what_is_derived_from_a_coin_whose_issuer_may_fail_is_refused() -> None:
    coin = Instrument("DAI", Asset("DAI", 0, "Maker"), USD, SIM, price_scale=2)
    perp = replace(PERP, symbol="DAI-P", base=Asset("DAI-P", 0), underlying="DAI")
    pool = Instrument(
        *("LP", Asset("LP", 0), USD, SIM, 2, 1, 1, Kind.LP_SHARE, "DAI"),
        terms=PoolTerms("DAI", "USD"),
    )
    items = {i.symbol: i for i in (coin, perp, pool)}
    box = ((-20_000, 20_000),) * 2
    stress = Stress(("DAI", "DAI-P"), box, (), 3, lost=("issuer:Maker",))
    places = {"sim": 5 * 10**8, "futures": 5 * 10**8}
    book = Book(USD, 10**9, items, {}, (), places)
    prices = {"DAI": 100, "DAI-P": 100, "LP": 100}
    seen = Situation(book, prices, 10**9, 10**9, 0, dict.fromkeys(items, 10**12))
    guard = Guard(make_mandate("10%", stress=stress))
    assert guard.judge(Proposal((Leg(coin, Side.BUY, 500, 100),)), seen).certified is not None
    for item in (perp, pool):
        verdict = guard.judge(Proposal((Leg(item, Side.BUY, 500, 100),)), seen)
        assert verdict.outcome is Outcome.REFUSED, item.symbol
        assert "derived from it" in verdict.text
    held = replace(seen, book=replace(book, positions={"LP": 500}))
    assert guard.look(held) is None


def test_units_of_a_pool_share_are_refused() -> None:
    pool = Instrument(
        *("LP", Asset("LP", 0), USD, SIM, 2, 1, 1, Kind.LP_SHARE, "AAA"),
        terms=PoolTerms("AAA", "USD"),
    )
    book = Book(USD, 10**9, {"AAA": AAA, "LP": pool}, {"LP": 10})
    facts = Facts(book, book, {"AAA": 10_000, "LP": 100}, 10**9, 10**9)
    with pytest.raises(DomainError, match="measure it in money"):
        facts.per_value("LP")


def lossy(s: Any, t: Any) -> Any:
    return s.book.after(t).loss() <= s.nav


def plain(s: Any, t: Any) -> Any:
    return s.book.after(t).gross() <= s.nav


@pytest.mark.parametrize(
    "make",
    [
        lambda: Guardrail("max_order_value", Fraction(1), always=True),
        lambda: Guardrail("concentration", Fraction(1), terms={"by": "planet"}),
        lambda: written(lossy, always=True),
        lambda: replace(make_mandate("20%", max_drawdown("5%"))),
        lambda: replace(make_mandate(), clauses=(written(plain), written(plain))),
        lambda: replace(make_mandate(), clauses=(written(plain, name="cash_floor"),)),
        lambda: gross_leverage("1" + "0" * 5_000),
    ],
)
def test_a_mandate_that_would_not_be_kept_as_it_reads_is_refused(
    make: Callable[[], object],
) -> None:
    with pytest.raises(DomainError):
        make()


def test_selling_what_is_not_held_is_refused_whatever_else_is_bought() -> None:
    trade = Proposal((sell(BBB, 10, 5_000),))
    assert "solvency" in refused(trade, make_situation(make_book()))
