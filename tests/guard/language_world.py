"""A fund of several venues for the tests of the mandate language, and what really happens to it.

``Outcome`` says what every leaf of a mandate is worth after given fills in a given scenario, from
positions and cash alone: it knows no normal form, no case and no expansion.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Chain, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.order import Leg, Order, Proposal, Purpose, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.language.expression import (
    Cash,
    Exposure,
    Known,
    Leaf,
    Loss,
    Move,
    Selection,
)
from agent_fund.guard.language.facts import Facts
from agent_fund.guard.stress.factor import Factor
from agent_fund.guard.stress.stress_set import Stress
from agent_fund.guard.stress.tie import Tie

USD = Asset("USD", 6)
CHAIN, OTHER = Chain("eip155:1"), Chain("eip155:10")
ALPHA, BETA, GAMMA = Venue("alpha", CHAIN), Venue("beta"), Venue("gamma", OTHER)
TERMS = Margin(Fraction(1, 5), (Tier(0, Fraction(1, 20)),), Fraction(0))
ALONE = Margin(Fraction(1, 5), (Tier(0, Fraction(1, 20)),), Fraction(0), isolated=True)
ETH = Instrument("ETH", Asset("ETH", 2), USD, ALPHA, price_scale=2, lot=5)
BTC = Instrument("BTC", Asset("BTC", 3), USD, GAMMA, price_scale=1, lot=2, tick=5)
ETHP = Instrument(
    "ETH-PERP",
    Asset("ETHP", 1),
    USD,
    BETA,
    price_scale=2,
    kind=Kind.PERPETUAL,
    underlying="ETH",
    contract=Fraction(1, 10),
    margin=TERMS,
)
BTCP = Instrument(
    "BTC-PERP",
    Asset("BTCP", 2),
    USD,
    BETA,
    price_scale=2,
    kind=Kind.PERPETUAL,
    underlying="BTC",
    margin=ALONE,
)
INSTRUMENTS = {i.symbol: i for i in (ETH, BTC, ETHP, BTCP)}
PRICES = {"ETH": 200_000, "BTC": 300_005, "ETH-PERP": 200_300, "BTC-PERP": 2_999_900}
PLACES = ("alpha", "beta", "beta/BTC-PERP", "gamma")
STRESS = Stress(
    ("BTC", "BTC-PERP", "ETH", "ETH-PERP"),
    (
        (-400_000, 300_000),
        (-450_000, 340_000),
        (-500_000, 600_000),
        (-520_000, 610_000),
        (-350_000, 300_000),
    ),
    (
        Factor(
            "market",
            {"BTC": Fraction(1, 2), "ETH": Fraction(1, 2)},
            {"BTC": 900, "ETH": 1_200},
            {"BTC": 90_000, "ETH": 120_000},
        ),
    ),
    4,
    ties=(Tie("ETH-PERP", "ETH", -30_000, 20_000),),
    carry={"BTC-PERP": (12_000, 7_000), "ETH-PERP": (3_000, 11_000)},
)


@dataclass(frozen=True)
class World:
    """A book with its open orders, and a trade."""

    book: Book
    proposal: Proposal

    @property
    def facts(self) -> Facts:
        nav = self.book.nav(PRICES)
        return Facts(self.book, self.book, PRICES, nav, nav + 12_345_678)


@dataclass(frozen=True)
class Ticket:
    """An order or a leg: signed size, limit, and the number of the ticket that it waits for."""

    instrument: Instrument
    size: int
    limit: int
    after: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A world, the share of each ticket that filled, and a scenario in shares."""

    world: World
    fills: tuple[Fraction, ...]
    moves: Mapping[str, Fraction]

    def worth(self, leaf: Leaf) -> Fraction:
        book = self.world.book
        match leaf:
            case Known("nav"):
                return Fraction(book.nav(PRICES))
            case Known("mark"):
                return Fraction(book.nav(PRICES) + 12_345_678)
            case Known("unit"):
                return Fraction(10**6)
            case Known("cash", ""):
                return Fraction(book.cash)
            case Known("cash", place):
                return Fraction(book.places[place])
            case Known("price", symbol):
                line = INSTRUMENTS[symbol]
                return line.contract * PRICES[symbol] * 10 ** (6 - line.price_scale)
            case Exposure(side, selection, when, measure):
                held = self.held() if when == "after" else dict(book.positions)
                sizes = [
                    counted(s, Fraction(q), measure) for s, q in held.items() if has(selection, s)
                ]
                longs = sum((v for v in sizes if v > 0), Fraction(0))
                shorts = sum((-v for v in sizes if v < 0), Fraction(0))
                both = {"long": longs, "short": shorts, "gross": longs + shorts}
                return both.get(side, longs - shorts)
            case Cash(place):
                left = Fraction(book.cash if place == "" else book.places[place])
                for ticket, part in zip(tickets(self.world), self.fills, strict=True):
                    if place in ("", account(ticket.instrument)):
                        left -= part * ticket.size * value(ticket.instrument, ticket.limit)
                return left
            case Move(name):
                return self.moves[name]
            case Loss(selection):
                return self.loss(selection)
        raise AssertionError(leaf)

    def held(self) -> dict[str, Fraction]:
        found = {s: Fraction(q) for s, q in self.world.book.positions.items()}
        for ticket, part in zip(tickets(self.world), self.fills, strict=True):
            symbol = ticket.instrument.symbol
            found[symbol] = found.get(symbol, Fraction(0)) + part * ticket.size
        return found

    def loss(self, selection: Selection) -> Fraction:
        """What is paid for the selection, less what it is worth later and what funding brought.

        Funding is that of a long since the decision, in the return of its instrument. A ticket that
        fills later does not get what was paid before: the worst that it may have missed is taken.
        """
        lost = Fraction(0)
        for symbol, quantity in self.world.book.positions.items():
            if has(selection, symbol):
                now = quantity * value(INSTRUMENTS[symbol], PRICES[symbol])
                lost += now - now * (1 + self.moves[symbol])
        for ticket, part in zip(tickets(self.world), self.fills, strict=True):
            symbol = ticket.instrument.symbol
            if has(selection, symbol):
                price = PRICES[symbol]
                paid, received = STRESS.carry.get(symbol, (0, 0))
                missed = (-Fraction(paid, SCALE), Fraction(received, SCALE))
                later = [price * (1 + self.moves[symbol] - share) for share in missed]
                worst = max(
                    ticket.size
                    * (value(ticket.instrument, ticket.limit) - value(ticket.instrument, p))
                    for p in later
                )
                lost += part * worst
        return lost


def value(instrument: Instrument, price: int | Fraction) -> Fraction:
    """Base units of USD for one base unit of the instrument."""
    scales = USD.scale - instrument.base.scale - instrument.price_scale
    return instrument.contract * price * 10**scales


def counted(symbol: str, quantity: Fraction, measure: str) -> Fraction:
    line = INSTRUMENTS[symbol]
    if measure == "units":
        return quantity * line.contract / 10**line.base.scale
    return quantity * value(line, PRICES[symbol])


def account(instrument: Instrument) -> str:
    return {"BTC-PERP": "beta/BTC-PERP"}.get(instrument.symbol, instrument.venue.name)


def has(selection: Selection, symbol: str) -> bool:
    named = {
        "all": {"ETH", "BTC", "ETH-PERP", "BTC-PERP"},
        "asset": {"ETH": {"ETH", "ETH-PERP"}, "BTC": {"BTC", "BTC-PERP"}},
        "venue": {"alpha": {"ETH"}, "beta": {"ETH-PERP", "BTC-PERP"}, "gamma": {"BTC"}},
        "chain": {"eip155:1": {"ETH"}, "eip155:10": {"BTC"}},
        "instrument": {s: {s} for s in INSTRUMENTS},
    }[selection.by]
    return symbol in (named if isinstance(named, set) else named[selection.name])


def tickets(world: World) -> tuple[Ticket, ...]:
    """Open orders, then legs; ordered legs wait for the one before."""
    found: list[Ticket] = []
    numbers: dict[str, int] = {}
    for order in world.book.open_orders:
        numbers[order.order_id] = len(found)
        after = None if order.waits_for is None else numbers[order.waits_for]
        size = order.side.sign * (order.quantity - order.filled)
        found.append(Ticket(order.instrument, size, order.limit, after))
    first = len(found)
    for leg in world.proposal.legs:
        waits = world.proposal.ordered and len(found) > first
        size = leg.side.sign * leg.quantity
        found.append(Ticket(leg.instrument, size, leg.limit, len(found) - 1 if waits else None))
    return tuple(found)


def every_fill(world: World, parts: int) -> Iterator[tuple[Fraction, ...]]:
    """Every way the tickets may fill, each in steps of 1/``parts``, those that wait in order."""
    found = tickets(world)
    steps = [Fraction(n, parts) for n in range(parts + 1)]
    for fills in itertools.product(steps, repeat=len(found)):
        if all(
            t.after is None or not part or fills[t.after] == 1
            for t, part in zip(found, fills, strict=True)
        ):
            yield fills


def random_world(rng: Random, *, most: int = 3, lots: int = 4) -> World:
    """A book with positions of either sign, open orders in chains, and a trade."""
    symbols = sorted(INSTRUMENTS)
    positions = {
        s: rng.randint(-lots, lots) * INSTRUMENTS[s].lot * 10 for s in symbols if rng.random() < 0.6
    }
    places = {p: rng.randint(-(10**9), 10**10) for p in PLACES}
    orders: list[Order] = []
    for number in range(rng.randint(0, most - 1)):
        leg = _leg(rng, rng.choice(symbols), lots)
        # One order at most waits for another: more of them make the market freer than it is.
        free = [o.order_id for o in orders if o.order_id not in {p.waits_for for p in orders}]
        waits = rng.choice([None, *free])
        orders.append(
            Order(
                f"o{number}",
                leg.instrument,
                leg.side,
                leg.quantity,
                leg.limit,
                Purpose.AGENT,
                99,
                waits,
            )
        )
    wanted = rng.sample(symbols, rng.randint(0, most - len(orders)))
    proposal = Proposal(tuple(_leg(rng, s, lots) for s in wanted), rng.random() < 0.4)
    cash = sum(places.values())
    return World(Book(USD, cash, INSTRUMENTS, positions, tuple(orders), places), proposal)


def _leg(rng: Random, symbol: str, lots: int) -> Leg:
    line = INSTRUMENTS[symbol]
    limit = PRICES[symbol] * rng.choice([100, 100, 101, 98, 140, 55]) // 100
    quantity = rng.randint(1, lots) * line.lot * 12
    return Leg(line, rng.choice(list(Side)), quantity, limit // line.tick * line.tick)


def random_scenario(rng: Random) -> dict[str, Fraction]:
    """A scenario of the set: a point of the box, half the way to no move until the rows hold."""
    eighths = [Fraction(n, 8) for n in range(9)]
    moves = {
        s: Fraction(low, SCALE) + Fraction(high - low, SCALE) * rng.choice(eighths)
        for s, (low, high) in zip(STRESS.instruments, STRESS.box, strict=False)
    }
    if rng.random() < 0.5:  # tied instruments that move alike keep their size
        moves["ETH-PERP"] = moves["ETH"]
    moves["market"] = (moves["BTC"] + moves["ETH"]) / 2
    while STRESS.outside(in_units(moves)) is not None:
        moves = {name: move / 2 for name, move in moves.items()}
    return moves


def in_units(moves: Mapping[str, Fraction]) -> tuple[Fraction, ...]:
    """The scenario as the kernel counts: in 1/SCALE, in the order of the stress set."""
    return tuple(moves[name] * SCALE for name in (*STRESS.instruments, "market"))
