"""Which proposals are routed, and which go to the guard as they were proposed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from route_world import (
    DOLLAR,
    LINES,
    PRICE,
    SPREAD,
    VENUES,
    FakeAdapter,
    FakeCarrier,
    everywhere,
    find,
    make_book,
    make_guard,
    make_router,
    make_situation,
    make_terms,
)

from agent_fund.agents.errors import Abstain
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side
from agent_fund.domain.transfer import Transfer
from agent_fund.execution.live.alarms import Alarms
from agent_fund.execution.live.leg_store import LegStore
from agent_fund.execution.live.live_file import LiveFile
from agent_fund.execution.live.live_venue import order_request
from agent_fund.execution.live.tape import Tape
from agent_fund.execution.route.explain import Explanation
from agent_fund.execution.route.goal import Buy, Sale
from agent_fund.execution.route.stages import Trade, swaps_of
from agent_fund.guard.machine import Mode
from agent_fund.paper.routed import RoutedStrategy

ETH = 10**6
RICH = dict.fromkeys(VENUES, 200_000 * DOLLAR)
SHORT = RICH | {"spot-a": 100 * DOLLAR}
HELD = {"ETH-B": 60 * ETH}


def buy(symbol: str, coins: int) -> Leg:
    return Leg(LINES[symbol], Side.BUY, coins * ETH, PRICE + 100)


def sell(symbol: str, coins: int) -> Leg:
    return Leg(LINES[symbol], Side.SELL, coins * ETH, PRICE - 100)


def deep(instrument: Instrument, side: Side, quantity: int) -> int:
    """Money at one price, and an impact that makes two venues cheaper than one."""
    return instrument.notional(quantity, PRICE) + side.sign * (quantity**2 // 1000)


def venues() -> list[FakeAdapter]:
    """Every venue, with the same market."""
    spot = [i for i in SPREAD if i.margin is None]
    lines = {venue: [i.symbol for i in spot if i.venue.name == venue] for venue in VENUES}
    return [
        FakeAdapter(venue, dict.fromkeys(symbols, deep), dict.fromkeys(symbols, PRICE))
        for venue, symbols in lines.items()
    ]


@dataclass
class Says:
    """An inner strategy that says one thing."""

    proposal: Proposal

    def decide(self, snapshot: Any, book: Book) -> Proposal:
        return self.proposal


class World:
    """A fund of which the router sees the book and the mode.

    Attributes:
        between: happens after each turn.
    """

    def __init__(self, file: LiveFile, book: Book, mode: Mode, *, held: bool = False) -> None:
        self.book, self.explained = book, list[Explanation]()
        self.alarms = Alarms(file, lambda: 0)
        self.legs, self.tape = LegStore(file, self.alarms, lambda: 0), Tape(file)
        situation = make_situation(book)
        machine = SimpleNamespace(mode=mode)
        self.between: Callable[[], None] = lambda: None
        self.fund: Any = SimpleNamespace(
            machine=machine, held=held, bar=situation.bar, situation=lambda: situation
        )

    def decided(self, *proposals: Proposal, any_venue: bool = False) -> Proposal:
        """The last of what the router makes of ``proposals``, said at one turn each."""
        router = make_router(venues(), [FakeCarrier("hop", everywhere(*VENUES), fixed=DOLLAR)])
        with asyncio.Runner() as runner:
            inner = Says(HOLD)
            strategy = RoutedStrategy(
                inner,
                router,
                make_guard(),
                runner.run,
                lambda: self.fund,
                self.legs,
                self.tape,
                self.alarms,
                self.explained,
                any_venue=any_venue,
            )
            snapshot: Any = SimpleNamespace(bar=7)
            for proposal in proposals:
                inner.proposal = proposal
                made = strategy.decide(snapshot, self.book)
                self.between()
            return made


@pytest.fixture
def file(tmp_path: Path):
    made = LiveFile(tmp_path / "live.sqlite")
    yield made
    made.close()


def world(file: LiveFile, places: dict[str, int], mode: Mode = Mode.ACTIVE, **more: Any) -> World:
    return World(file, make_book(SPREAD, places, HELD), mode, **more)


def test_a_purchase_alone_gets_its_cash_from_elsewhere(file: LiveFile) -> None:
    proposal = world(file, SHORT).decided(Proposal((buy("ETH", 10),)))
    assert not proposal.legs
    assert [transfer.target for transfer in proposal.transfers] == ["spot-a"]


MOVE = Transfer(DOLLAR, "spot-b", "spot-a", 0)
APART = {
    "a hedge": Proposal((buy("ETH", 10), sell("ETH-PERP", 10))),
    "a hedge and a sale": Proposal((buy("ETH", 10), sell("ETH-B", 10), sell("ETH-PERP", 10))),
    "two purchases": Proposal((buy("ETH", 10), buy("BTC", 10))),
    "two sales": Proposal((buy("ETH", 10), sell("ETH-B", 5), sell("BTC", 5))),
    "a purchase before the sale": Proposal((buy("ETH", 10), sell("ETH-B", 20)), ordered=True),
    "a transfer": Proposal((buy("ETH", 10),), transfers=(MOVE,)),
    "a perpetual": Proposal((buy("ETH-PERP", 10),)),
    "a sale alone": Proposal((sell("ETH-B", 5),)),
    "nothing": HOLD,
}


@pytest.mark.parametrize("any_venue", [False, True])
@pytest.mark.parametrize("name", APART)
def test_what_means_its_parts_together_goes_to_the_guard_as_it_was_proposed(
    file: LiveFile, name: str, any_venue: bool
) -> None:
    there = world(file, SHORT)
    assert there.decided(APART[name], any_venue=any_venue) == APART[name]
    assert not there.explained


@pytest.mark.parametrize(
    "legs", [(sell("ETH-B", 40), buy("ETH", 20)), (buy("ETH", 20), sell("ETH-B", 40))]
)
def test_the_sale_beside_a_purchase_is_made_first_and_whole(
    file: LiveFile, legs: Sequence[Leg]
) -> None:
    there = world(file, SHORT)
    proposal = there.decided(Proposal(tuple(legs)))
    assert [(leg.instrument.symbol, leg.side, leg.quantity) for leg in proposal.legs] == [
        ("ETH-B", Side.SELL, 40 * ETH)
    ]
    assert there.explained[0].chosen is not None
    assert there.explained[0].chosen.name.endswith("then buy 20 ETH at spot-a")


@pytest.mark.parametrize("any_venue", [False, True])
def test_a_pair_whose_cash_is_there_is_not_routed(file: LiveFile, any_venue: bool) -> None:
    there, pair = world(file, RICH), Proposal((sell("ETH-B", 40), buy("ETH", 10)))
    assert there.decided(pair, any_venue=any_venue) == pair
    assert not there.explained


@pytest.mark.parametrize(
    ("coins", "reason"), [(1, "are needed"), (61, "60 are free")], ids=["too small", "too large"]
)
def test_a_sale_that_cannot_pay_for_the_purchase_is_not_left_out_of_a_route(
    file: LiveFile, coins: int, reason: str
) -> None:
    there, pair = world(file, SHORT), Proposal((sell("ETH-B", coins), buy("ETH", 10)))
    assert there.decided(pair) == pair
    assert any(reason in one.reason for one in there.explained[0].considered)


def test_every_route_to_a_purchase_with_a_sale_makes_the_sale(file: LiveFile) -> None:
    """Also where a sibling has the cash, or several of them together."""
    there = world(file, SHORT)
    paying = Sale("ETH-B", Fraction(99), 40 * ETH)
    goal = Buy("ETH", 20 * ETH, 6, Fraction(101), "", paying)
    for parts in (1, 2):
        terms = make_terms(VENUES, parts=parts)
        carriers = [FakeCarrier("hop", everywhere(*VENUES), fixed=DOLLAR)]
        found = find(make_router(venues(), carriers, terms), goal, there.book)
        assert found.routes
        for route in found.routes:
            first = route.stages[0]
            assert isinstance(first, Trade)
            sold = [(s.instrument.symbol, s.side, s.quantity) for s in first.swaps]
            assert sold == [("ETH-B", Side.SELL, 40 * ETH)]
        alone = replace(goal, pay_with=None)
        found = find(make_router(venues(), carriers, terms), alone, there.book)
        assert max(len(list(swaps_of(route.stages))) for route in found.routes) == parts


@pytest.mark.parametrize("mode", [Mode.REDUCING, Mode.EXITING, None])
def test_no_route_begins_while_the_agent_may_not_trade(file: LiveFile, mode: Mode | None) -> None:
    there = world(file, SHORT, mode or Mode.ACTIVE, held=mode is None)
    asked = Proposal((buy("ETH", 10),))
    assert there.decided(asked) == asked
    assert not there.explained


def test_a_leg_in_an_instrument_of_others_is_refused_before_the_router_hears_of_it(
    file: LiveFile,
) -> None:
    there = world(file, SHORT)
    strange = replace(LINES["ETH"], symbol="OTHER", underlying="OTHER")
    with pytest.raises(DomainError, match="'OTHER' is refused; the fund knows: BTC"):
        there.decided(Proposal((Leg(strange, Side.BUY, 10 * ETH, PRICE),)))
    (told,) = there.tape.answers("router")
    assert told.body["failed"]
    assert not there.alarms.all()


def test_a_way_out_between_two_turns_ends_the_route(file: LiveFile) -> None:
    """Also one that is over when the strategy is asked again."""
    there = world(file, SHORT)

    def left() -> None:
        order = Order("out", LINES["ETH-B"], Side.SELL, ETH, PRICE, Purpose.REDUCE, 9)
        there.legs.open_leg("out", "spot-b", order_request(order, there.fund.bar + 1), 0)

    there.between = left
    with pytest.raises(Abstain, match="the guard has sent orders of its own"):
        there.decided(Proposal((buy("ETH", 10),)), HOLD)
    assert not there.alarms.all()


def test_a_stage_that_the_guard_refused_ends_the_route_and_the_strategy_goes_on(
    file: LiveFile,
) -> None:
    there, other = world(file, SHORT), Proposal((sell("ETH-B", 5),))
    assert there.decided(Proposal((buy("ETH", 10),)), other) == other
