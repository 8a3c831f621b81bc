"""The allocator's prompt states the market exactly; its legs never exceed cash or position."""

from __future__ import annotations

import itertools
import json
import math
import sys
from fractions import Fraction
from typing import Any

import pytest
from agents_builders import completion
from agents_market import STRATEGIES, book_of, history_of, tracker
from hypothesis import example, given
from hypothesis import strategies as st

from agent_fund.agents.chat import ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import Abstain
from agent_fund.agents.loading import load_class
from agent_fund.domain.order import Side

FILE = STRATEGIES / "index_allocator.py"
Allocator: Any = load_class(FILE, "IndexAllocator")
Allocation: Any = load_class(FILE, "Allocation")
SP500, NASDAQ = tracker("SP500", lot=100), tracker("NASDAQ", lot=10, tick=5)
BOOK = book_of(10**13, {SP500: 0, NASDAQ: 0})


class Answering:
    """A model with one answer for everything; remembers what it was asked."""

    def __init__(self, **answer: object) -> None:
        self.text = json.dumps(answer)
        self.asked: list[ChatRequest] = []

    def complete(self, request: ChatRequest) -> ChatResponse:
        self.asked.append(request)
        return parse_completion(completion(self.text))


def market(last: int = 100_000) -> Any:
    rising = [1000 + 5 * day for day in range(130)]
    return history_of({SP500: [*rising, last], NASDAQ: [*rising, last]}).snapshot()


@given(
    st.sampled_from(["risk-on", "neutral", "risk-off"]),
    st.integers(0, 100),
    st.integers(0, 10**13),
    st.integers(0, 10**5),
    st.integers(0, 10**5),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 1000),
)
@example("risk-on", 50, 10**13, 0, 0, 100, 100, 500, 0, 0)
@example("risk-on", 50, 10**13, 0, 0, 100, 100, 0, 500, 0)
@example("risk-on", 0, 10**9, 0, 10**5, 100, 100, 0, 0, 0)
@example("risk-off", 50, 0, 10**5, 10**5, 100, 100, 500, 10, 10)
def test_legs_never_exceed_cash_or_position(
    stance: str,
    nasdaq_percent: int,
    cash: int,
    held_sp500: int,
    held_nasdaq: int,
    sp500: int,
    nasdaq: int,
    tolerance: int,
    reserve: int,
    minimum: int,
) -> None:
    strategy = Allocator(
        Answering(),
        "tiny",
        tolerance=f"{tolerance}/1000",
        reserve=f"{reserve}/1000",
        minimum_trade=f"{minimum}/1000",
    )
    closes = {"SP500": sp500, "NASDAQ": 5 * nasdaq}
    snapshot = history_of({SP500: [sp500], NASDAQ: [5 * nasdaq]}).snapshot()
    book = book_of(cash, {SP500: held_sp500, NASDAQ: held_nasdaq})
    nav = book.nav(closes)
    answer = Allocation(view="", stance=stance, nasdaq_percent=nasdaq_percent)
    invested = min(strategy.invested[stance], 1 - strategy.reserve)
    split = {"SP500": 100 - nasdaq_percent, "NASDAQ": nasdaq_percent}
    spent, sides = 0, []
    for leg in strategy.proposal(answer, snapshot, book).legs:
        symbol, close = leg.instrument.symbol, closes[leg.instrument.symbol]
        value = leg.instrument.notional(leg.quantity, close)
        before = leg.instrument.notional(book.position(symbol), close)
        target = nav * invested * split[symbol] / 100
        sides.append(leg.side)
        if leg.side is Side.BUY:
            spent += leg.instrument.notional(leg.quantity, leg.limit)
            assert before + value <= target
        else:
            assert leg.quantity <= book.position(symbol)
            assert leg.limit > 0
        assert abs(target - before) >= nav * Fraction(minimum, 1000) - 1
        assert (leg.limit - close) * leg.side.sign <= close * Fraction(tolerance, 1000)
    assert spent == 0 or cash - spent >= nav * Fraction(reserve, 1000)
    assert sides == sorted(sides, key=lambda side: side is Side.BUY)


def test_an_answer_moves_the_book_to_its_target() -> None:
    model = Answering(view="calm", stance="neutral", nasdaq_percent=40)
    strategy = Allocator(model, "tiny", tolerance="0")
    proposal = strategy.decide(market(), BOOK)
    bought = {
        leg.instrument.symbol: leg.instrument.notional(leg.quantity, 100_000)
        for leg in proposal.legs
    }
    assert proposal.reason == "neutral: calm"
    assert bought["SP500"] == pytest.approx(0.75 * 0.6 * 10**13, rel=1e-2)
    assert bought["NASDAQ"] == pytest.approx(0.75 * 0.4 * 10**13, rel=1e-2)


def test_the_prompt_depends_on_the_market_alone() -> None:
    strategy = Allocator(Answering(), "tiny")
    rich = book_of(10**15, {SP500: 900, NASDAQ: 50})
    assert strategy.request(market(), BOOK).raw() == strategy.request(market(), rich).raw()
    assert strategy.request(market(), BOOK).raw() != strategy.request(market(90_000), BOOK).raw()


def test_it_abstains_until_half_a_year_is_known() -> None:
    model = Answering(view="", stance="neutral", nasdaq_percent=50)
    strategy = Allocator(model, "tiny")
    snapshot = history_of({SP500: [100] * 130, NASDAQ: [100] * 130}).snapshot()
    with pytest.raises(Abstain, match="130 are needed"):
        strategy.decide(snapshot, BOOK)
    assert model.asked == []
    snapshot = history_of({SP500: [100] * 131, NASDAQ: [100] * 131}).snapshot()
    strategy.decide(snapshot, BOOK)
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"view": "x", "stance": "risk-on", "nasdaq_percent": 101},
        {"view": "x", "stance": "risk-on", "nasdaq_percent": 50.5},
        {"view": "x", "stance": "risk-on", "nasdaq_percent": "50"},
        {"view": "x", "stance": "all-in", "nasdaq_percent": 50},
        {"view": "x" * 121, "stance": "risk-on", "nasdaq_percent": 50},
        {"stance": "risk-on", "nasdaq_percent": 50},
        {"view": "x", "stance": "risk-on", "nasdaq_percent": 50, "leverage": 3},
    ],
)
def test_an_answer_outside_the_schema_is_an_abstention(answer: dict[str, object]) -> None:
    with pytest.raises(Abstain):
        Allocator(Answering(**answer), "tiny").decide(market(), BOOK)


def test_the_context_is_what_the_closes_say() -> None:
    closes = [*[2000] * 110, 1000, *[1100] * 19, 1101]
    snapshot = history_of({SP500: closes, NASDAQ: closes}).snapshot()
    texts = Allocator(Answering(), "tiny").context(snapshot, BOOK)["indices"][0]
    assert texts == {
        "name": "SP500",
        "close": "11.01",
        "weeks_4": "rose 10.1%",
        "weeks_13": "fell 45.0%",
        "weeks_26": "fell 45.0%",
        "drawdown": "45.0%",
        # One day of +10 % and one of +1/1100, the rest flat: sqrt(252 / 20 * 0.0100008).
        "volatility": "35.5%",
    }


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=30))
def test_volatility_is_the_root_of_the_mean_square_return(closes: list[int]) -> None:
    module = sys.modules[Allocator.__module__]
    numerator, denominator = module.volatility(closes, 252)
    squares = [(b / a - 1) ** 2 for a, b in itertools.pairwise(closes)]
    expected = math.sqrt(252 * sum(squares) / len(squares))
    assert numerator / denominator == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_percentages_are_rounded_to_the_nearest_tenth(numerator: int, denominator: int) -> None:
    module = sys.modules[Allocator.__module__]
    shown = Fraction(module.percent(numerator, denominator).rstrip("%"))
    assert abs(shown - Fraction(100 * numerator, denominator)) <= Fraction(1, 20)
    assert shown == Fraction(module.moved(denominator, denominator + numerator)[5:-1])


def test_a_move_says_its_direction() -> None:
    module = sys.modules[Allocator.__module__]
    assert [module.moved(2000, after) for after in (1999, 2000, 2001)] == [
        "fell 0.1%",
        "rose 0.0%",
        "rose 0.1%",
    ]
