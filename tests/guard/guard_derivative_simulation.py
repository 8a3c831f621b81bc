"""What the market may do to books with options, futures and pool shares, event by event.

It shares the domain's nouns and the declared numbers of the stress set with the guard, and none of
its formulas: values are Black and Scholes in floats, at any declared volatility and any time; a
share of a pool moves as the root of a price; expiry turns a position into cash.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from guard_prices import option_value

from agent_fund.domain.book import Book
from agent_fund.domain.derivative import FutureTerms, OptionTerms, PoolTerms
from agent_fund.domain.instrument import Asset, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side
from agent_fund.guard.costs import Costs
from agent_fund.guard.guardrails.margin_safety import margin_safety
from agent_fund.guard.guardrails.max_drawdown import max_drawdown
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.pricing.assumptions import Pricing
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

USD = Asset("USD", 10)
SPOT, DERIVATIVES = Venue("spot"), Venue("deriv")
DAY, YEAR = 86_400, 365 * 86_400
NOW = 1_800_000_000
OPTIONS = {"C90", "C105", "P95", "P120", "PF"}
# Two-digit prices of AAA and BBB in units of 10**-2; the future has another scale.
PRICES = {"AAA": 10_000, "BBB": 4_000, "FUT": 101_000}
DRIVERS = ("AAA", "BBB", "FUT")
Volatility = tuple[Fraction, Fraction]


def margin_terms(rng: Random) -> Margin:
    tiers = [Tier(0, Fraction(rng.choice([1, 3]), 100)), Tier(3_000 * 10**10, Fraction(1, 20))]
    return Margin(Fraction(1, 10), tuple(tiers), Fraction(1, 100))


def instruments(rng: Random, expiries: Mapping[str, int]) -> dict[str, Instrument]:
    """Two coins, a future, options on a coin and on the future, a pool; scales all differ."""

    def option(symbol: str, on: str, strike: Fraction, call: bool, margined: bool) -> Instrument:
        terms = OptionTerms(on, strike, expiries[symbol], call)
        size = Fraction(1, rng.choice([1, 10]))
        own = margin_terms(rng) if margined else None
        base, venue = Asset(symbol, rng.choice([0, 1])), DERIVATIVES if margined else SPOT
        return Instrument(symbol, base, USD, venue, 4, 1, 5, Kind.OPTION, "AAA", size, own, terms)

    future = FutureTerms(expiries["FUT"])
    pool = PoolTerms("BBB", "USD")
    return {
        "AAA": Instrument("AAA", Asset("AAA", 3), USD, SPOT, 2, 1, 1),
        "BBB": Instrument("BBB", Asset("BBB", 2), USD, SPOT, 2, 1, 1),
        "FUT": Instrument(
            *("FUT", Asset("FUT", 1), USD, DERIVATIVES, 3, 1, 1, Kind.FUTURE, "AAA"),
            contract=Fraction(1, 10),
            margin=margin_terms(rng),
            terms=future,
        ),
        "C90": option("C90", "AAA", Fraction(90), True, False),
        "C105": option("C105", "AAA", Fraction(211, 2), True, True),
        "P95": option("P95", "AAA", Fraction(285, 3), False, True),
        "P120": option("P120", "AAA", Fraction(361, 3), False, False),
        "PF": option("PF", "FUT", Fraction(100), False, True),
        "LP": Instrument(
            "LP", Asset("LP", 4), USD, SPOT, 3, 1, 1, Kind.LP_SHARE, "BBB", terms=pool
        ),
    }


@dataclass(frozen=True)
class Case:
    """A book, a trade, the band of decision prices, and the mandate under which it is judged.

    Attributes:
        time: the real time of the decision, which the book may not know.
        span: the real length of the way out, which the mandate may not declare.
    """

    mandate: ResolvedMandate
    book: Book
    proposal: Proposal
    band: Mapping[str, tuple[int, int]]
    time: int
    span: int

    @property
    def stress(self) -> Stress:
        return self.mandate.stress

    def box(self, driver: str) -> tuple[int, int]:
        return self.stress.box[self.stress.instruments.index(driver)]

    def volatilities(self, symbol: str) -> tuple[float, float]:
        terms = self.book.instruments[symbol].terms
        assert isinstance(terms, OptionTerms)
        found = self.stress.pricing.volatility.get(terms.on)
        return (0.0, 50.0) if found is None else (float(found[0]), float(found[1]))


def worth(item: Instrument, price: float, volatility: float, left: float, start: float) -> float:
    """The value of one option or pool share, in its price units; ``price`` in the quote asset.

    Args:
        start: of a pool, the price of its asset at the decision times its mark**-2.
    """
    unit = 10.0**item.price_scale
    if isinstance(item.terms, PoolTerms):
        return math.sqrt(price / start)
    assert isinstance(item.terms, OptionTerms)
    total = volatility * math.sqrt(max(0.0, left) / YEAR)
    return unit * option_value(item.terms.call, price, float(item.terms.strike), total)


def random_case(rng: Random) -> Case:
    span = rng.choice([1, 3, 20]) * DAY
    symbols = [*OPTIONS, "FUT"]
    expiries = {s: NOW + rng.choice([DAY // 2, 5 * DAY, 30 * DAY, 200 * DAY]) for s in symbols}
    items = instruments(rng, expiries)
    box = []
    for _ in range(2):
        box.append((-rng.choice([50_000, 200_000, 600_000]), rng.choice([0, 100_000, 700_000])))
    parts = (-rng.choice([2_000, 20_000]), rng.choice([3_000, 15_000]))
    box.append((max(-SCALE, box[0][0] + parts[0]), box[0][1] + parts[1]))
    volatility: dict[str, Volatility] = {}
    for on in ("AAA", "FUT"):
        if rng.random() < 0.8:
            volatility[on] = rng.choice(
                [(Fraction(3, 10), Fraction(3, 2)), (Fraction(0), Fraction(1, 2)), _SAME]
            )
    fees = {"LP": rng.choice([0, 5_000])} if rng.random() < 0.5 else {}
    pricing = Pricing(volatility, span if rng.random() < 0.85 else None, fees)
    stress = Stress(DRIVERS, tuple(box), (), 3, "", (Tie("FUT", "AAA", *parts),), pricing=pricing)
    costs = Costs(
        Fraction(rng.choice([0, 1, 10]), 1000),
        Fraction(rng.choice([0, 2]), 1000),
        Fraction(rng.choice([0, 0, 1]), 100),
    )
    rails = [max_drawdown("50%")]
    if rng.random() < 0.4:
        rails.append(margin_safety(rng.choice(["100%", "150%"])))
    mandate = ResolvedMandate(
        "random", tuple(rails), stress, costs, Fraction(4, 5), Fraction(1, 100), rng.randrange(1, 4)
    )
    prices = {**PRICES, **_marks(rng, items, volatility)}
    wide = rng.choice([0, 0, 1])
    band = {s: (max(1, p - wide * p // 150), p + wide * p // 120) for s, p in prices.items()}
    positions = {}
    for symbol in rng.sample(sorted(items), rng.randrange(1, 6)):
        size = _size(rng, items[symbol], prices)
        shortable = items[symbol].margin is not None
        if size:
            positions[symbol] = size * (rng.choice([-1, 1]) if shortable else 1)
    orders: list[Order] = []
    for number in range(rng.choice([0, 0, 1, 2])):
        leg = _leg(rng, items, prices)
        waits = rng.choice([None, orders[-1].order_id if orders else None])
        orders.append(
            Order(
                *(f"o{number}", leg.instrument, leg.side, leg.quantity, leg.limit),
                *(Purpose.AGENT, 99, waits),
            )
        )
    legs = {leg.instrument.symbol: leg for leg in (_leg(rng, items, prices) for _ in range(2))}
    proposal = Proposal(tuple(legs.values()), rng.random() < 0.5)
    places = {"spot": rng.randrange(5_000) * 10**10, "deriv": rng.randrange(5_000) * 10**10}
    book = Book(
        *(USD, sum(places.values()), items, positions, tuple(orders), places),
        time=NOW if rng.random() < 0.9 else None,
    )
    return Case(mandate, book, proposal, band, NOW, span)


_SAME = (Fraction(4, 5), Fraction(4, 5))


def _marks(
    rng: Random, items: Mapping[str, Instrument], declared: Mapping[str, Volatility]
) -> dict[str, int]:
    """Marks: mostly at a declared volatility, at times where nobody expects them."""
    found = {"LP": rng.choice([1_234, 70_000])}
    for symbol in sorted(OPTIONS):
        terms = items[symbol].terms
        assert isinstance(terms, OptionTerms)
        low, high = declared.get(terms.on, (Fraction(1, 10), Fraction(2)))
        at = float(low) + float(high - low) * rng.random()
        price = PRICES[terms.on] / 10 ** items[terms.on].price_scale
        value = worth(items[symbol], price, at, terms.expires - NOW, 0)
        stretch = rng.choice([1.0, 1.0, 1.0, 0.4, 2.5])
        found[symbol] = max(1, round(value * stretch))
    return found


def _size(rng: Random, item: Instrument, prices: Mapping[str, int]) -> int:
    """Base units worth some hundred dollars, or of as much of the underlying."""
    price = prices[item.symbol]
    if item.kind is Kind.OPTION:
        price = max(price, 10**6 // 3)
    return rng.randrange(0, 600) * 10**10 // item.notional(1, price)


def _leg(rng: Random, items: Mapping[str, Instrument], prices: Mapping[str, int]) -> Leg:
    item = items[rng.choice(sorted(items))]
    quantity = max(1, _size(rng, item, prices))
    percent = rng.choice([100, 100, 101, 99, 120, 80, 300, 30])
    limit = prices[item.symbol] * percent // 100 // item.tick * item.tick
    return Leg(item, rng.choice(list(Side)), quantity, max(item.tick, limit))


def scenario(rng: Random, stress: Stress) -> dict[str, Fraction]:
    """Moves inside the set, in 1/SCALE: corners, middles, and the tie's edges."""
    moves: dict[str, Fraction] = {}
    for number, symbol in enumerate(stress.instruments):
        low, high = stress.box[number]
        for tie in stress.ties:
            if tie.first == symbol:
                at = math.floor(moves[tie.second])
                low, high = max(low, at + tie.low), min(high, at + tie.high)
        moves[symbol] = Fraction(low + (high - low) * rng.choice([0, 0, 8, 8, 1, 4, 5]) // 8)
    return moves


@dataclass
class Ticket:
    item: Instrument
    side: Side
    limit: int
    left: Fraction
    after: Ticket | None


@dataclass
class Fund:
    """One history under way; prices are in price units, cash in base units."""

    case: Case
    rng: Random
    start: dict[str, int]
    cash: dict[str, Fraction]
    held: dict[str, Fraction]
    tickets: list[Ticket]
    mark: dict[str, Fraction]
    moves: dict[str, Fraction]
    time: int
    grown: float = 1.0
    spent: Fraction = Fraction(0)

    @property
    def items(self) -> Mapping[str, Instrument]:
        return self.case.book.instruments

    def nav(self) -> Fraction:
        return sum(self.cash.values()) + sum((self.worth(s) for s in self.held), Fraction(0))

    def worth(self, symbol: str) -> Fraction:
        return self.held[symbol] * self.mark[symbol] * self.items[symbol].multiplier

    def prices(self, moves: Mapping[str, Fraction], time: int, still: bool) -> dict[str, Fraction]:
        """Every instrument's price after ``moves`` at ``time``, volatilities at random."""
        found = {s: self.start[s] * (1 + moves[s] / SCALE) for s in DRIVERS}
        for symbol, item in self.items.items():
            if item.moves_with == symbol:
                continue
            on = item.moves_with
            if still and self.rng.random() < 0.5:
                found[symbol] = Fraction(self.start[symbol])  # nothing moved: the mark may stand
                continue
            if isinstance(item.terms, PoolTerms):
                root = math.sqrt(float(1 + moves[on] / SCALE)) * self.grown
                found[symbol] = self.start[symbol] * Fraction(root)
                continue
            low, high = self.case.volatilities(symbol)
            at = low + (high - low) * self.rng.choice([0, 1, 0, 1, self.rng.random()])
            price = float(found[on]) / 10.0 ** self.items[on].price_scale
            assert item.expires is not None
            found[symbol] = Fraction(worth(item, price, at, item.expires - time, 0))
        return found

    def move(self, time: int) -> None:
        """A new open at ``time``: what has expired by then settles at the moves of its expiry."""
        for symbol, item in self.items.items():
            if (
                item.expires is not None
                and self.time < item.expires <= time
                and symbol in self.held
            ):
                self._advance(item.expires)
                quantity = self.held.pop(symbol)
                self.cash[item.account] += quantity * self.mark[symbol] * item.multiplier
                self.tickets = [t for t in self.tickets if t.item.symbol != symbol]
        self._advance(time)

    def _advance(self, time: int) -> None:
        most = self.case.stress.pricing.fees.get("LP", 0)
        self.grown = max(self.grown, 1 + most / SCALE * self.rng.choice([0, 0.5, 1]))
        self.time = time
        self.moves = scenario(self.rng, self.case.stress)
        if self.rng.random() < 0.15:
            self.moves = dict.fromkeys(self.moves, Fraction(0))
        self.mark = self.prices(self.moves, time, not any(self.moves.values()))

    def fill(self) -> None:
        """Tickets fill whole or in part, at the price of this moment or at their limit."""
        extremes = [
            self.prices(moves, self.time, False)
            for moves in (self.moves, *(scenario(self.rng, self.case.stress) for _ in range(4)))
        ]
        for ticket in self.tickets:
            symbol = ticket.item.symbol
            if (ticket.after is not None and ticket.after.left) or not ticket.left:
                continue
            reached = [each[symbol] for each in extremes]
            price = self.rng.choice(reached)
            if min(reached) <= ticket.limit <= max(reached) and self.rng.random() < 0.6:
                price = Fraction(ticket.limit)
            if (price - ticket.limit) * ticket.side.sign > 0 or self.rng.random() < 0.2:
                continue
            size = ticket.left * self.rng.choice([Fraction(1), Fraction(1), Fraction(1, 3)])
            ticket.left -= size
            self.trade(symbol, ticket.side.sign * size, price)

    def trade(self, symbol: str, quantity: Fraction, price: Fraction) -> None:
        item = self.items[symbol]
        notional = quantity * price * item.multiplier
        self.cash[item.account] -= notional
        self.held[symbol] = self.held.get(symbol, Fraction(0)) + quantity
        self.spent += abs(notional) * self.case.mandate.costs.fee

    def closing_cost(self) -> Fraction:
        """What closing all of it at the marks costs: slippage, ticks, fees, and legs apart."""
        costs, total = self.case.mandate.costs, Fraction(0)
        for symbol, quantity in self.held.items():
            item, price = self.items[symbol], self.mark[symbol]
            if quantity > 0:
                got = price * (1 - costs.slippage) // item.tick * item.tick
            else:
                got = -(-price * (1 + costs.slippage) // item.tick) * item.tick
            size = abs(quantity) * item.multiplier
            total += size * (abs(price - got) + costs.fee * got)
            # Legs apart by a share of the underlying's price: what an option can move by.
            moved = self.mark[item.moves_with] if item.kind is Kind.OPTION else price
            if item.kind is Kind.OPTION:
                on = self.items[item.moves_with]
                moved = moved * Fraction(10**item.price_scale, 10**on.price_scale)
            total += size * moved * costs.legging
        return total

    def missing(self, account: str) -> Fraction:
        """What ``account`` lacks to the mandate's multiple of its maintenance."""
        equity, needs = self.cash[account], Fraction(0)
        for symbol, quantity in self.held.items():
            item = self.items[symbol]
            if item.account != account or item.margin is None:
                continue
            equity += self.worth(symbol)
            size = abs(self.worth(symbol))
            if item.kind is Kind.OPTION:
                on = self.items[item.moves_with]
                price = self.mark[on.symbol] * Fraction(10**item.price_scale, 10**on.price_scale)
                size = max(Fraction(0), -quantity) * item.multiplier * price
            tiers = item.margin.tiers
            for number, tier in enumerate(tiers):
                top = min([size, *(t.floor for t in tiers[number + 1 : number + 2])])
                needs += tier.rate * max(Fraction(0), top - tier.floor)
        return self.case.mandate.margin_multiple * needs - equity


def history(case: Case, rng: Random) -> Iterator[Fund]:
    """The fund after each event of one history over the span of the way out."""
    book = case.book
    start = {s: rng.choice([low, high, (low + high) // 2]) for s, (low, high) in case.band.items()}
    by_id: dict[str, Ticket] = {}
    for order in book.open_orders:
        ahead = by_id.get(order.waits_for or "")
        left = Fraction(order.remaining)
        by_id[order.order_id] = Ticket(order.instrument, order.side, order.limit, left, ahead)
    tickets = list(by_id.values())
    before: Ticket | None = None
    for leg in case.proposal.legs:
        after = before if case.proposal.ordered else None
        before = Ticket(leg.instrument, leg.side, leg.limit, Fraction(leg.quantity), after)
        tickets.append(before)
    fund = Fund(
        *(case, rng, start, {p: Fraction(c) for p, c in book.places.items()}),
        {s: Fraction(q) for s, q in book.positions.items()},
        tickets,
        {s: Fraction(p) for s, p in start.items()},
        dict.fromkeys(DRIVERS, Fraction(0)),
        case.time,
    )
    yield fund
    times = sorted(rng.randrange(1, case.span + 1) for _ in range(rng.randrange(1, 5)))
    for time in sorted({*times, rng.choice([case.span, *times])}):
        fund.move(case.time + time)
        yield fund
        fund.fill()
        yield fund
