"""Momentum ranks as a second implementation does, and never trades beyond target, cash or stock."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from agents_market import DAY, STRATEGIES, USD, book_of, history_of, tracker
from hypothesis import example, given
from hypothesis import strategies as st

from agent_fund.agents.errors import Abstain, ConfigurationError
from agent_fund.agents.loading import load_class
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Order, Purpose, Side
from agent_fund.market.snapshot import History, Snapshot

Momentum: Any = load_class(STRATEGIES / "momentum.py", "CrossSectionalMomentum")
TERMS = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(1, 100))
NAMES = ("A", "B", "C", "D", "E", "F")
SPOT = tuple(tracker(name, lot=10, tick=1) for name in NAMES)


def perpetual(symbol: str) -> Instrument:
    base, venue = Asset(f"{symbol}-UNIT", 3), Venue("FUTURES")
    return Instrument(symbol, base, USD, venue, 2, 10, 1, Kind.PERPETUAL, margin=TERMS)


PERPS = tuple(perpetual(name) for name in NAMES)


def perp_market(paths: list[tuple[int, ...]]) -> Snapshot:
    """One tuple of closes a bar; marks lie one above."""
    history = History(PERPS)
    nothing = (0,) * len(PERPS)
    for bar, row in enumerate(paths):
        marks = tuple(price + 1 for price in row)
        times = bar * DAY, (bar + 1) * DAY
        history.append(*times, row, row, row, row, nothing, marks, marks, nothing, marks)
    return history.snapshot()


rows = st.lists(st.tuples(*[st.integers(50, 5_000)] * 6), min_size=2, max_size=20)


@given(rows, st.integers(1, 10), st.integers(0, 5))
@example([(100,) * 6] * 5, 2, 1)
def test_ranks_as_numpy_does(paths: list[tuple[int, ...]], lookback: int, skip: int) -> None:
    strategy = Momentum(NAMES, lookback=lookback, skip=skip)
    snapshot = perp_market(paths)
    if len(paths) < lookback + skip + 1:
        with pytest.raises(Abstain, match=f"{lookback + skip + 1} are needed"):
            strategy.ranked(snapshot)
        return
    prices = np.array(paths, dtype=np.float64)
    past = prices[: len(prices) - skip]
    returns = np.log(past[-1]) - np.log(past[-1 - lookback])
    # Equal returns may differ in their last bits: rounded, and ties go by place.
    order = np.argsort(-returns.round(9), kind="stable")
    assert strategy.ranked(snapshot) == [NAMES[place] for place in order]


@given(
    rows.filter(lambda paths: len(paths) >= 3),
    st.lists(st.integers(-3000, 3000), min_size=6, max_size=6),
    st.integers(0, 200),
)
def test_perpetuals_go_to_the_target_and_not_beyond(
    paths: list[tuple[int, ...]], lots: list[int], gross: int
) -> None:
    strategy = Momentum(NAMES, lookback=1, skip=1, k=2, gross=f"{gross}%")
    snapshot = perp_market(paths)
    held = {perp: 10 * count for perp, count in zip(PERPS, lots, strict=True)}
    book = book_of(10**13, held)
    nav, ranked = book.nav(snapshot.prices), strategy.ranked(snapshot)
    proposal = strategy.decide(snapshot, book)
    after = dict(book.positions)
    for leg in proposal.legs:
        symbol, close = leg.instrument.symbol, snapshot.last_close(leg.instrument.symbol)
        after[symbol] += leg.side.sign * leg.quantity
        assert 0 <= (leg.limit - close) * leg.side.sign <= close * strategy.tolerance
    sides = [leg.side for leg in proposal.legs]
    assert sides == sorted(sides, key=lambda side: side is Side.BUY)
    for perp in PERPS:
        sign = (perp.symbol in ranked[:2]) - (perp.symbol in ranked[-2:])
        target = sign * nav * Fraction(gross, 400)
        value = perp.notional(after[perp.symbol], snapshot.prices[perp.symbol])
        lot = perp.notional(perp.lot, snapshot.prices[perp.symbol])
        slack = lot + (nav * strategy.minimum_trade if target else 0)
        assert abs(value - target) <= slack
        if after[perp.symbol] != book.position(perp.symbol):
            assert abs(value) <= abs(target)
    assert gross == 0 or sum(map(abs, after.values())) or nav < 10**12


@given(
    rows.filter(lambda paths: len(paths) >= 3),
    st.lists(st.integers(0, 3000), min_size=6, max_size=6),
    st.integers(0, 10**12),
    st.integers(0, 100),
)
@example([(100,) * 6] * 3, [0] * 6, 10**12, 100)
@example([(100,) * 6] * 3, [0, 0, 0, 3000, 3000, 3000], 10**9, 100)
def test_spot_is_long_only_and_paid_from_cash(
    paths: list[tuple[int, ...]], lots: list[int], cash: int, reserve: int
) -> None:
    strategy = Momentum(NAMES, lookback=1, skip=0, short=False, gross="100%", reserve=f"{reserve}%")
    closes = {spot: [row[place] for row in paths] for place, spot in enumerate(SPOT)}
    snapshot = history_of(closes).snapshot()
    book = book_of(cash, {spot: 10 * count for spot, count in zip(SPOT, lots, strict=True)})
    best, spent = strategy.ranked(snapshot)[:2], 0
    for leg in strategy.decide(snapshot, book).legs:
        symbol = leg.instrument.symbol
        if leg.side is Side.BUY:
            assert symbol in best
            spent += leg.instrument.notional(leg.quantity, leg.limit)
        else:
            assert leg.quantity <= book.position(symbol)
    assert spent == 0 or spent <= cash - int(book.nav(snapshot.prices) * strategy.reserve)


def test_it_opens_both_sides_and_then_holds() -> None:
    paths = [(100,) * 6, (110, 90, 105, 95, 101, 99)]
    snapshot, strategy = perp_market(paths), Momentum(NAMES, lookback=1, skip=0)
    proposal = strategy.decide(snapshot, book_of(10**13, dict.fromkeys(PERPS, 0)))
    assert proposal.reason == "long A, C, against D, B"
    assert {leg.instrument.symbol: leg.side for leg in proposal.legs} == {
        "A": Side.BUY,
        "C": Side.BUY,
        "D": Side.SELL,
        "B": Side.SELL,
    }
    by_symbol = {leg.instrument.symbol: leg.side.sign * leg.quantity for leg in proposal.legs}
    held = {perp: by_symbol.get(perp.symbol, 0) for perp in PERPS}
    net = sum(p.notional(q, snapshot.prices[p.symbol]) for p, q in held.items())
    assert abs(net) < 10**10
    there = book_of(10**13 - net, held)
    assert strategy.decide(snapshot, there) is HOLD


def test_an_instrument_with_open_orders_is_left_alone() -> None:
    snapshot = perp_market([(100,) * 6, (110, 90, 105, 95, 101, 99)])
    order = Order("o", PERPS[0], Side.BUY, 10, 110, Purpose.AGENT, expires=9)
    book = book_of(10**13, dict.fromkeys(PERPS, 0), (order,))
    proposal = Momentum(NAMES, lookback=1, skip=0).decide(snapshot, book)
    assert {leg.instrument.symbol for leg in proposal.legs} == {"B", "C", "D"}


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"symbols": ["A", "B", "C"]}, "at least 4"),
        ({"symbols": ["A", "A", "B", "C"]}, "each once"),
        ({"lookback": 0}, "lookback"),
        ({"skip": -1}, "skip"),
        ({"k": "2"}, "k"),
        ({"gross": "-1%"}, "gross"),
        ({"gross": 0.5}, "gross"),
        ({"tolerance": "100%"}, "tolerance"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    parameters: dict[str, object], match: str
) -> None:
    with pytest.raises((ConfigurationError, DomainError), match=match):
        Momentum(**parameters)


def test_instruments_that_cannot_be_ranked_or_shorted_are_named() -> None:
    snapshot = history_of({spot: [100, 100] for spot in SPOT}).snapshot()
    book = book_of(10**13, dict.fromkeys(SPOT, 0))
    with pytest.raises(ConfigurationError, match="short = false"):
        Momentum(NAMES, lookback=1, skip=0).decide(snapshot, book)
    with pytest.raises(ConfigurationError, match="'G' is unknown"):
        Momentum(["A", "G"], lookback=1, skip=0, k=1, short=False).decide(snapshot, book)
