"""Cash and carry keeps its legs even and small, spends what is there, and asks about markets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from agents_builders import completion
from agents_market import DAY, STRATEGIES, USD
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agent_fund.agents.chat import ChatRequest, ChatResponse, parse_completion
from agent_fund.agents.errors import Abstain, ConfigurationError, Failure, ModelError
from agent_fund.agents.loading import build, load_class
from agent_fund.agents.sizing import underlying
from agent_fund.agents.strategy import HOLD
from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Order, Proposal, Purpose, Side
from agent_fund.domain.transfer import Transfer, Transit
from agent_fund.market.snapshot import History, Snapshot

FILE = STRATEGIES / "cash_and_carry.py"
Carry: Any = load_class(FILE, "CashAndCarry")
Overlay: Any = load_class(FILE, "CarryWithOverlay")
TERMS = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 20)),), Fraction(1, 100))
SPOT, FUTURES = Venue("SPOT"), Venue("FUTURES")
BTC = Instrument("BTC", Asset("BTC", 4), USD, SPOT, 2, lot=2)
ETH = Instrument("ETH", Asset("ETH", 3), USD, SPOT, 2, lot=5)
# A contract is a tenth of a coin, so a lot of 3 contracts is 0.03 BTC, and a step 0.03 BTC.
BTC_PERP = Instrument(
    *("BTC-PERP", Asset("BTC-C", 1), USD, FUTURES, 2, 3, 5, Kind.PERPETUAL, "BTC"),
    contract=Fraction(1, 10),
    margin=TERMS,
)
ETH_PERP = Instrument(
    *("ETH-PERP", Asset("ETH-C", 2), USD, FUTURES, 2, 2, 1, Kind.PERPETUAL, "ETH"), margin=TERMS
)
# Dollars at 10**-8 for a step, at a price of one price unit: 0.03 BTC, 0.02 ETH (see hedged).
STEPS = {"BTC": BTC.notional(300, 1), "ETH": ETH.notional(20, 1)}
ALL = (BTC, ETH, BTC_PERP, ETH_PERP)
PAIRS = ((BTC, BTC_PERP), (ETH, ETH_PERP))
RATE = 10**8  # 0.01 % a payment


def market(
    closes: Mapping[str, int], *, rate: int = RATE, eth_rate: int | None = None, bars: int = 42
) -> Snapshot:
    """One price throughout; funding at every bar."""
    history = History(ALL)
    row = tuple(closes[item.symbol] for item in ALL)
    rates = (0, 0, rate, rate if eth_rate is None else eth_rate)
    for bar in range(bars):
        times = bar * DAY, (bar + 1) * DAY
        history.append(*times, row, row, row, row, (0,) * 4, row, row, rates, row)
    return history.snapshot()


def prices_of(btc: int, eth: int, basis: int = 0, eth_basis: int = 0) -> dict[str, int]:
    """Price units; a BTC contract's is a whole coin's price: the contract is in the multiplier."""
    return {"BTC": btc, "ETH": eth, "BTC-PERP": btc + basis, "ETH-PERP": eth + eth_basis}


def book_of(spot: int, futures: int, held: Mapping[str, int] | None = None, **more: Any) -> Book:
    """Cash in whole dollars by venue."""
    places = {"SPOT": spot * 10**8, "FUTURES": futures * 10**8}
    coming = sum(t.transfer.amount for t in more.get("transit", ()))
    return Book(
        USD,
        sum(places.values()) + coming,
        {item.symbol: item for item in ALL},
        held or {},
        places=places,
        **more,
    )


def hedged(steps: int, eth_steps: int) -> dict[str, int]:
    """Steps are 0.03 BTC and 0.02 ETH."""
    return {
        "BTC": 300 * steps,
        "BTC-PERP": -3 * steps,
        "ETH": 20 * eth_steps,
        "ETH-PERP": -2 * eth_steps,
    }


def uneven(held: Mapping[str, int]) -> dict[str, Fraction]:
    return {
        spot.underlying: underlying(spot, held.get(spot.symbol, 0))
        + underlying(perp, held.get(perp.symbol, 0))
        for spot, perp in PAIRS
    }


def filled(book: Book, proposal: Proposal) -> dict[str, int]:
    held = dict(book.positions)
    for leg in proposal.legs:
        symbol = leg.instrument.symbol
        held[symbol] = held.get(symbol, 0) + leg.side.sign * leg.quantity
    return held


def traded(proposal: Proposal) -> dict[str, int]:
    return {leg.instrument.symbol: leg.side.sign * leg.quantity for leg in proposal.legs}


levels = st.integers(1_000, 5_000_000)
even_books = st.builds(hedged, st.integers(0, 40), st.integers(0, 400))
odd_books = st.fixed_dictionaries(
    {
        "BTC": st.integers(0, 6000).map(lambda lots: 2 * lots),
        "ETH": st.integers(0, 2000).map(lambda lots: 5 * lots),
        "BTC-PERP": st.integers(-60, 5).map(lambda lots: 3 * lots),
        "ETH-PERP": st.integers(-500, 5).map(lambda lots: 2 * lots),
    }
)
cash = st.integers(0, 1_000_000)
rates = st.sampled_from([-5 * RATE, -RATE, 0, RATE, 10 * RATE])


@given(even_books, cash, st.integers(-100_000, 1_000_000), levels, levels, rates, rates)
@example(hedged(0, 0), 700_000, 300_000, 1_000_000, 50_000, RATE, RATE)
@example(hedged(40, 400), 700_000, 300_000, 1_000_000, 50_000, -5 * RATE, RATE)
@example(hedged(0, 0), 1_000_000, 0, 1_000_000, 50_000, RATE, RATE)
@example(hedged(0, 0), 0, 1_000_000, 1_000_000, 50_000, RATE, RATE)
def test_legs_stay_even_within_the_chunk_and_pay_from_what_is_there(
    held: dict[str, int], spot: int, futures: int, btc: int, eth: int, rate: int, eth_rate: int
) -> None:
    closes = prices_of(btc, eth, 5 - btc % 5)
    book, snapshot = book_of(spot, futures, held), market(closes, rate=rate, eth_rate=eth_rate)
    nav = book.nav(closes)
    strategy = Carry([["BTC", "BTC-PERP"], ["ETH", "ETH-PERP"]])
    proposal = strategy.decide(snapshot, book)
    assert len({leg.instrument for leg in proposal.legs}) == len(proposal.legs)
    assert uneven(filled(book, proposal)) == {"BTC": 0, "ETH": 0}
    paid = dict.fromkeys(("SPOT", "FUTURES"), 0)
    value = {"SPOT": 0, "FUTURES": 0}
    for leg in proposal.legs:
        item, close = leg.instrument, closes[leg.instrument.symbol]
        assert 0 <= (leg.limit - close) * leg.side.sign <= close * strategy.tolerance
        value[item.venue.name] += item.notional(leg.quantity, close)
        if leg.side is Side.BUY and item.margin is None:
            paid["SPOT"] += item.notional(leg.quantity, leg.limit)
    closing = [leg.instrument for leg in proposal.legs if leg.side.sign * leg.quantity < 0]
    steps = sum(STEPS[i.underlying] * (closes[i.symbol] + 5) for i in closing if i in (BTC, ETH))
    assert max(value.values()) <= nav * strategy.chunk + steps or not proposal.legs
    for transfer in proposal.transfers:
        assert transfer.amount >= nav * strategy.minimum_trade
        paid[transfer.source] += transfer.amount
    if paid["SPOT"]:
        assert paid["SPOT"] <= spot * 10**8 - int(nav * strategy.reserve)
    after = filled(book, proposal)
    short = sum(-p.notional(after[p.symbol], closes[p.symbol]) for _, p in PAIRS)
    if short > sum(-p.notional(book.position(p.symbol), closes[p.symbol]) for _, p in PAIRS):
        assert (book.equity("FUTURES", closes) - paid["FUTURES"]) >= short * strategy.least
    if paid["FUTURES"]:
        left = book.equity("FUTURES", closes) - paid["FUTURES"]
        assert left >= strategy.margin * short
    for (spot_item, _), paying in zip(PAIRS, (rate, eth_rate), strict=True):
        moved = after[spot_item.symbol] - book.position(spot_item.symbol)
        if paying < 0 < nav and book.position(spot_item.symbol):
            assert moved < 0
        assert moved <= 0 or paying > 0 or book.position(spot_item.symbol)


@given(odd_books, levels, levels)
@example({"BTC": 4000, "BTC-PERP": 0, "ETH": 0, "ETH-PERP": -200}, 1_000_000, 50_000)
@example({"BTC": 300, "BTC-PERP": 15, "ETH": 0, "ETH-PERP": 0}, 1_000_000, 50_000)
def test_uneven_legs_are_evened_first_by_reducing(held: dict[str, int], btc: int, eth: int) -> None:
    before = uneven(held)
    larger = {s.underlying: max(underlying(i, i.lot) for i in (s, p)) for s, p in PAIRS}
    wanting = {asset for asset, net in before.items() if abs(net) >= larger[asset]}
    assume(wanting)
    book, snapshot = book_of(10**6, 10**6, held), market(prices_of(btc, eth))
    for _ in range(2):  # a long perpetual goes first, then the spot beside it
        proposal = Carry().decide(snapshot, book)
        if proposal.reason != "the legs are uneven":
            break
        assert not proposal.transfers
        for leg in proposal.legs:
            assert leg.instrument.underlying in wanting
            assert leg.side.sign * book.position(leg.instrument.symbol) < 0
            assert leg.quantity <= abs(book.position(leg.instrument.symbol))
        book = book_of(10**6, 10**6, filled(book, proposal))
    assert all(abs(net) < larger[asset] for asset, net in uneven(book.positions).items())


def test_it_opens_in_chunks_up_to_the_target_and_then_holds() -> None:
    snapshot, closes = market(prices_of(1_000_000, 50_000)), prices_of(1_000_000, 50_000)
    book, turns = book_of(700_000, 300_000), 0
    while (proposal := Carry().decide(snapshot, book)) is not HOLD:
        turns += 1
        assert turns < 30
        held = filled(book, proposal)
        spent = {"SPOT": 0, "FUTURES": 0}
        for leg in proposal.legs:
            paid = leg.instrument.notional(leg.quantity, closes[leg.instrument.symbol])
            spent[leg.instrument.venue.name] += paid * leg.side.sign
        places = {place: cash - spent[place] for place, cash in book.places.items()}
        book = Book(USD, sum(places.values()), book.instruments, held, places=places)
    nav = book.nav(closes)
    assert nav == 10**14
    for spot, _ in PAIRS:
        share = Fraction(spot.notional(book.position(spot.symbol), closes[spot.symbol]), nav)
        assert Fraction(29, 100) <= share <= Fraction(30, 100)
    assert turns == 10


def test_a_pair_is_unwound_to_the_last_lot_when_its_funding_falls() -> None:
    held = {**hedged(0, 40), "ETH": 815}
    closes = prices_of(1_000_000, 50_000)
    book = book_of(100_000, 50_000, held)
    proposal = Carry().decide(market(closes, rate=-RATE), book)
    assert traded(proposal) == {"ETH": -815, "ETH-PERP": 80}
    assert proposal.reason.startswith("closes ETH")
    # Between leave and enter what is held is kept and what is not held is not entered.
    kept = Carry(leave="-0.01%", enter="0.02%").decide(market(closes, rate=-RATE), book)
    assert not kept.legs or traded(kept)["ETH"] > 0
    assert "BTC" not in traded(kept)


def test_too_little_funding_known_enters_nothing() -> None:
    snapshot = market(prices_of(1_000_000, 50_000), bars=41)
    assert Carry().decide(snapshot, book_of(750_000, 0)) is HOLD


def test_pairs_with_open_orders_are_left_alone() -> None:
    order = Order("o", BTC, Side.BUY, 300, 1_000_000, Purpose.AGENT, expires=9)
    book = book_of(700_000, 300_000, open_orders=(order,))
    proposal = Carry().decide(market(prices_of(1_000_000, 50_000)), book)
    assert set(traded(proposal)) == {"ETH", "ETH-PERP"}


def test_ordered_legs_put_spot_first() -> None:
    book = book_of(700_000, 300_000)
    proposal = Carry(ordered=True).decide(market(prices_of(1_000_000, 50_000)), book)
    assert proposal.ordered
    assert [leg.instrument.symbol for leg in proposal.legs[:2]] == ["BTC", "BTC-PERP"]


def test_cash_is_moved_once_and_counts_while_under_way() -> None:
    snapshot = market(prices_of(1_000_000, 50_000))
    proposal = Carry().decide(snapshot, book_of(1_000_000, 0))
    (transfer,) = proposal.transfers
    assert (transfer.source, transfer.target) == ("SPOT", "FUTURES")
    assert transfer.amount == pytest.approx(27 * 10**12, rel=1e-2)
    assert not proposal.legs  # a short without margin is not opened
    for amount in (transfer.amount, transfer.amount // 2):
        under_way = Transit("t", Transfer(amount, "SPOT", "FUTURES"), 99)
        book = book_of(1_000_000 - amount // 10**8, 0, transit=(under_way,))
        assert Carry().decide(snapshot, book) is HOLD


def test_a_deposit_is_not_spent_twice() -> None:
    closes = prices_of(1_000_000, 50_000)
    # ETH is far above its part, BTC is not held: one closes, the other opens.
    book = book_of(60_000, 340_000 + 600_000, hedged(0, 60_000))
    strategy = Carry()
    proposal = strategy.decide(market(closes), book)
    (transfer,) = proposal.transfers
    spent = sum(
        leg.instrument.notional(leg.quantity, leg.limit)
        for leg in proposal.legs
        if leg.instrument.margin is None and leg.side is Side.BUY
    )
    assert transfer.amount == 50_000 * 10**8  # all but the reserve
    assert traded(proposal)["ETH"] < 0
    assert spent == 0


def test_small_change_is_not_moved_and_open_sales_are_margined_once() -> None:
    snapshot = market(prices_of(1_000_000, 50_000))
    book = book_of(19_000, 700_000, hedged(1000, 30_000))
    assert not Carry().decide(snapshot, book).transfers
    # BTC wants 300 000 short and sells half of it: margin of that half, and of all ETH's.
    sale = Order("o", BTC_PERP, Side.SELL, 1500, 1_000_000, Purpose.AGENT, expires=9)
    (transfer,) = Carry().decide(snapshot, book_of(1_000_000, 0, open_orders=(sale,))).transfers
    assert transfer.amount == pytest.approx(0.45 * 45 * 10**12, rel=1e-2)


def test_a_withdrawal_leaves_the_margin_of_what_is_still_short() -> None:
    closes = prices_of(1_000_000, 50_000)
    held = hedged(1000, 0)  # 30 BTC, 300 000 dollars
    book = book_of(0, 300_000 + 500_000, held)
    strategy = Carry()
    strategy.scale = Fraction(0)
    proposal = strategy.decide(market(closes), book)
    (transfer,) = proposal.transfers
    assert (transfer.source, transfer.target) == ("FUTURES", "SPOT")
    assert transfer.amount == (500_000 - 135_000) * 10**8
    assert traded(proposal)["BTC"] < 0


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"pairs": [["BTC", "BTC-PERP"], ["BTC", "ETH-PERP"]]}, "each symbol once"),
        ({"pairs": [["BTC"]]}, "each symbol once"),
        ({"pairs": []}, "each symbol once"),
        ({"target": "80%", "margin": "45%"}, "exceed NAV"),
        ({"rebalance": "27%"}, "rebalance"),
        ({"enter": "0%", "leave": "0.01%"}, "leave"),
        ({"window": 0}, "window"),
        ({"window": "21"}, "window"),
        ({"chunk": 0.06}, "chunk"),
        ({"tolerance": "100%"}, "tolerance"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    parameters: dict[str, object], match: str
) -> None:
    with pytest.raises((ConfigurationError, DomainError), match=match):
        Carry(**parameters)


@pytest.mark.parametrize(
    ("pair", "match"),
    [
        (["BTC", "ETH-PERP"], "one underlying"),
        (["BTC-PERP", "BTC"], "spot first"),
        (["BTC", "BTC-PRP"], "the fund knows"),
    ],
)
def test_pairs_that_hedge_nothing_are_refused(pair: list[str], match: str) -> None:
    with pytest.raises(DomainError, match=match):
        Carry([pair]).decide(market(prices_of(1000, 1000)), book_of(1, 1))


class Answering:
    """A model with one answer, or a failure; remembers what it was asked."""

    def __init__(self, stance: str = "full") -> None:
        self.stance = stance
        self.asked: list[ChatRequest] = []

    def complete(self, request: ChatRequest) -> ChatResponse:
        self.asked.append(request)
        if self.stance == "fails":
            raise ModelError(Failure.TIMEOUT, "no answer")
        return parse_completion(completion(json.dumps({"view": "v", "stance": self.stance})))


DAILY = {"window": 21, "bars_a_day": 1, "payments_a_day": 1}


@given(even_books, odd_books, cash, cash)
def test_a_question_holds_nothing_of_the_book(
    held: dict[str, int], other: dict[str, int], spot: int, futures: int
) -> None:
    snapshot = market(prices_of(1_000_000, 50_000), bars=31)
    questions = set()
    for book in (book_of(spot, futures, held), book_of(futures, spot, other)):
        model = Answering()
        strategy = Overlay(model, "tiny", **DAILY)
        strategy.decide(snapshot, book)
        strategy.decide(snapshot, book)
        (request,) = model.asked
        questions.add(request.raw())
    assert len(questions) == 1


def test_the_prompt_states_the_market() -> None:
    strategy = Overlay(Answering(), "tiny", **DAILY)
    closes = prices_of(1_000_000, 50_000, 1000, -50)
    snapshot = market(closes, rate=10 * RATE, eth_rate=-RATE, bars=31)
    texts = strategy.context(snapshot, book_of(1, 1))["pairs"]
    assert texts[0] == {
        "name": "BTC",
        "level": "high",
        "funding_week": "earn 36.5%",
        "funding_month": "earn 36.5%",
        "basis": "above 0.1%",
        "week": "rose 0.0%",
        "month": "rose 0.0%",
        "volatility": "0.0%",
    }
    assert (texts[1]["level"], texts[1]["basis"]) == ("negative", "below 0.1%")
    asked = strategy.request(snapshot, book_of(1, 1)).messages[-1].content
    assert asked.endswith(
        "Market: BTC funding is high: shorts earn 36.5% a year. "
        "ETH funding is negative: shorts pay 3.7% a year.\nAnswer:"
    )


def test_it_asks_once_a_week_and_scales_by_the_last_answer() -> None:
    model = Answering("none")
    strategy = Overlay(model, "tiny", **DAILY, target="50%")
    book = book_of(700_000, 300_000)
    assert strategy.strategy.scale == Fraction(1, 2)
    asked = []
    # The epoch is a Thursday; bar n closes at midnight of day n + 1. Mondays are days 4, 11, ...
    for bars in range(31, 48):
        strategy.decide(market(prices_of(1_000_000, 50_000), bars=bars), book)
        if len(model.asked) > len(asked):
            asked.append(bars)
    assert asked == [31, 32, 39, 46]
    assert strategy.strategy.scale == 0
    model.stance = "fails"
    later = market(prices_of(1_000_000, 50_000), bars=53)
    with pytest.raises(Abstain, match="timeout"):
        strategy.decide(later, book)
    assert strategy.strategy.scale == 0
    assert not strategy.decide(later, book).legs


def test_the_answer_stands_in_the_reason_even_when_it_holds() -> None:
    strategy = Overlay(Answering("none"), "tiny", **DAILY)
    snapshot = market(prices_of(1_000_000, 50_000), bars=31)
    assert strategy.decide(snapshot, book_of(1_000_000, 0)).reason == "none: v"


def test_too_short_a_past_is_an_abstention_and_no_question() -> None:
    model = Answering()
    strategy = Overlay(model, "tiny", **DAILY)
    snapshot = market(prices_of(1_000_000, 50_000), bars=30)
    with pytest.raises(Abstain, match="a month"):
        strategy.decide(snapshot, book_of(1, 1))
    assert not model.asked


def test_a_misspelt_parameter_is_named() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'target'"):
        build(Overlay, {"model": Answering(), "model_name": "tiny", "targt": "50%"})
