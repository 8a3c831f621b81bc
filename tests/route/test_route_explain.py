"""The choice explained: the chosen route first, every part of its cost, a reason for each other."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from fractions import Fraction

import pytest
from route_world import (
    DOLLAR,
    NOW,
    PRICE,
    SPREAD,
    VENUES,
    FakeAdapter,
    FakeCarrier,
    curve,
    everywhere,
    make_book,
    make_guard,
    make_router,
    make_situation,
    make_terms,
)

from agent_fund.cli.route import show_route
from agent_fund.execution.route.explain import Choice, Explanation, goal_name
from agent_fund.execution.route.goal import Buy, Goal, Move, Sale, Sell
from agent_fund.fund.routing import find_route

ETH = 10**6
SPOT = ("spot-a", "spot-b", "vault")


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    """A dominated carrier, a venue that fails, one that is too thin, and one that is dear."""
    adapters = [
        FakeAdapter("vault", {"ETH-V": curve(99_00)}, {"ETH-V": PRICE}, gas=DOLLAR),
        FakeAdapter("spot-a", {"ETH": curve(100_50)}, {"ETH": PRICE}),
        FakeAdapter("spot-b", {}, error=RuntimeError("secret")),
    ]
    pairs = frozenset({("spot-a", "vault")})
    carriers = [
        FakeCarrier("quick", pairs, fixed=DOLLAR, seconds=60),
        FakeCarrier("slow", pairs, fixed=DOLLAR, seconds=600, trusted="futures-a"),
    ]
    terms = make_terms(SPOT, risk=Fraction(1, 1000))
    router = make_router(adapters, carriers, terms, lambda: NOW)
    book = make_book(SPREAD, dict.fromkeys(VENUES, 200_000 * DOLLAR) | {"vault": 0})
    situation = make_situation(book)
    thin = replace(situation, capacity={**situation.capacity, "ETH-V": 1})
    goal = Buy("ETH", 100 * ETH, 6, Fraction(120))
    return asyncio.run(find_route(goal, router, thin, make_guard()))


def test_the_chosen_route_stands_first_and_every_other_has_its_reason(
    explanation: Explanation,
) -> None:
    choices = [one.choice for one in explanation.considered]
    assert choices[0] is Choice.CHOSEN
    assert choices.count(Choice.CHOSEN) == 1
    assert all(one.reason for one in explanation.considered)
    by_choice = {one.choice: one for one in explanation.considered}
    assert "exit_capacity is broken" in by_choice[Choice.REFUSED].reason
    assert by_choice[Choice.DOMINATED].name.startswith("move spot-a to vault by slow")
    assert "by quick" in by_choice[Choice.DOMINATED].reason
    absent = {o.name: o.reason for o in explanation.considered if o.route is None}
    assert "failed with RuntimeError" in absent["buy ETH-B at spot-b"]
    assert "0.00 USD free at vault" in absent["buy ETH-V at vault"]
    assert "secret" not in repr(explanation.to_json())


def test_the_json_holds_exact_amounts_and_parts_that_add_up(explanation: Explanation) -> None:
    value = json.loads(json.dumps(explanation.to_json()))
    assert value["chosen"] == value["considered"][0]["name"] == "buy 100 ETH at spot-a"
    assert value["goal"] == "buy 100 ETH for at most 120 each"
    priced = [one for one in value["considered"] if "costs" in one]
    for one in priced:
        parts = (int(one["costs"][part]) for part in ("slippage", "fees", "gas", "risk"))
        assert sum(parts) == int(one["costs"]["total"])
    bridged = next(one for one in priced if one["under_way"])
    assert [set(stage) & {"bridge", "trade"} for stage in bridged["stages"]] == [
        {"bridge"},
        {"trade"},
    ]
    assert bridged["costs"]["gas"] == str(DOLLAR)
    assert int(bridged["under_way"][0]["amount"]) > 9_900 * DOLLAR
    assert value["absences"]


def test_the_terminal_tells_the_same(
    explanation: Explanation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    show_route(explanation)
    text = capsys.readouterr().out
    assert "Goal: buy 100 ETH for at most 120 each" in text
    assert text.index("chosen") < text.index("refused") < text.index("dominated")
    assert "no quote: spot-b" in text
    show_route(explanation, as_json=True)
    assert json.loads(capsys.readouterr().out) == explanation.to_json()


def test_a_refusal_is_told_as_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    carriers = [FakeCarrier(f"c{n}", everywhere(*VENUES), fixed=n * DOLLAR) for n in range(1, 4)]
    book = make_book(SPREAD, dict.fromkeys(VENUES, 200_000 * DOLLAR))
    goal = Move(60_000 * DOLLAR, "spot-a", "spot-b")
    router = make_router([], carriers, make_terms([]))
    found = asyncio.run(find_route(goal, router, make_situation(book), make_guard()))
    assert found.chosen is None
    show_route(found)
    text = capsys.readouterr().out
    assert "No route" in text
    assert f"and {len(found.considered) - 12} more" in text


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Move(1_500 * DOLLAR, "a", "b"), "move 1,500.00 USD from a to b"),
        (Sell("ETH", 15, 1, Fraction(1, 3)), "sell 1.5 ETH for at least 0 1/3 each"),
        (
            Sell("ETH", 15, 1, Fraction(99), symbol="ETH-B", to="vault"),
            "sell 1.5 ETH as ETH-B for at least 99 each, proceeds to vault",
        ),
        (
            Buy("ETH", 1, 0, Fraction("99.5"), pay_with=Sale("BTC", Fraction(50))),
            "buy 1 ETH for at most 99.5 each, paid with BTC",
        ),
    ],
)
def test_a_goal_is_said_in_one_line(goal: Goal, words: str) -> None:
    assert goal_name(goal, SPREAD[0].quote) == words
