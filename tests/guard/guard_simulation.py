"""What the market may do to a book, simulated from positions and cash; it knows no forms.

A ``World`` is a book, a trade, the band of decision prices and a stress set. A ``Path`` is one
admissible history: a decision price for each instrument, how much of each order filled and at
what price, and the scenario at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from guard_random import scenarios
from guard_world import INSTRUMENTS, PRICES, STRESS, make_book, make_order, tied_stress
from hypothesis import strategies as st

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Leg, Order, Proposal, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.stress.stress_set import Stress


@dataclass(frozen=True)
class World:
    book: Book
    proposal: Proposal
    band: Mapping[str, tuple[int, int]]
    stress: Stress

    def box(self, symbol: str) -> tuple[Fraction, Fraction]:
        low, high = self.stress.box[self.stress.instruments.index(symbol)]
        return Fraction(low, SCALE), Fraction(high, SCALE)


@dataclass(frozen=True)
class Trade:
    instrument: Instrument
    quantity: Fraction
    price: Fraction

    @property
    def notional(self) -> Fraction:
        return abs(self.quantity) * self.price * self.instrument.multiplier


@dataclass(frozen=True)
class Path:
    prices: Mapping[str, int]
    trades: tuple[Trade, ...]
    scenario: tuple[Fraction, ...]


def price_at(world: World, path: Path, symbol: str) -> Fraction:
    move = path.scenario[world.stress.instruments.index(symbol)]
    return path.prices[symbol] * (1 + move / SCALE)


def profit(world: World, path: Path) -> Fraction:
    """NAV at the scenario less NAV at the decision, trading costs aside."""
    cash = Fraction(world.book.cash)
    held = {s: Fraction(q) for s, q in world.book.positions.items()}
    before = cash + sum(
        (q * path.prices[s] * INSTRUMENTS[s].multiplier for s, q in held.items()), Fraction(0)
    )
    for trade in path.trades:
        cash -= trade.quantity * trade.price * trade.instrument.multiplier
        symbol = trade.instrument.symbol
        held[symbol] = held.get(symbol, Fraction(0)) + trade.quantity
    after = cash + sum(
        (q * price_at(world, path, s) * INSTRUMENTS[s].multiplier for s, q in held.items()),
        Fraction(0),
    )
    return after - before


def final_positions(world: World, path: Path) -> dict[str, Fraction]:
    held = {s: Fraction(q) for s, q in world.book.positions.items()}
    for trade in path.trades:
        symbol = trade.instrument.symbol
        held[symbol] = held.get(symbol, Fraction(0)) + trade.quantity
    return held


@st.composite
def legs(draw: st.DrawFn, symbol: str, side: Side | None = None) -> Leg:
    """A leg whose limit may lie at, near or far from the market, even beyond the set."""
    instrument = INSTRUMENTS[symbol]
    lots = draw(st.integers(1, 40))
    hundredths = draw(st.sampled_from([100, 100, 101, 99, 110, 90, 60, 140, 1]))
    units = PRICES[symbol] * hundredths // 100 // instrument.tick * instrument.tick
    chosen = draw(st.sampled_from(list(Side))) if side is None else side
    return Leg(instrument, chosen, lots * instrument.lot, max(instrument.tick, units))


@st.composite
def worlds(
    draw: st.DrawFn, *, point: bool = False, forks: bool = True, long_only: bool = False
) -> World:
    symbols = draw(st.lists(st.sampled_from(sorted(INSTRUMENTS)), min_size=1, unique=True))
    smallest = 0 if long_only else -60
    positions = {
        s: draw(st.integers(smallest, 60)) * INSTRUMENTS[s].lot
        for s in symbols
        if draw(st.booleans())
    }
    orders: list[Order] = []
    for number in range(draw(st.integers(0, 4))):
        side = Side.BUY if long_only else None
        leg = draw(legs(draw(st.sampled_from(symbols)), side))
        ahead = [o.order_id for o in orders] if forks else [o.order_id for o in orders[-1:]]
        waits = draw(st.sampled_from([None, *ahead, *(["gone"] if forks else [])]))
        lots = leg.quantity // leg.instrument.lot
        filled = draw(st.integers(0, lots)) * leg.instrument.lot if draw(st.booleans()) else 0
        if any(o.order_id == waits and o.remaining for o in orders):
            filled = 0  # what waits has not begun
        orders.append(make_order(f"o{number}", leg, waits, filled))
    wanted = draw(st.lists(st.sampled_from(symbols), unique=True))
    side = Side.BUY if long_only else None
    proposal = Proposal(tuple(draw(legs(s, side)) for s in wanted), draw(st.booleans()))
    band = {}
    for symbol in symbols:
        below = 0 if point else draw(st.sampled_from([0, 0, 7, 130]))
        above = 0 if point else draw(st.sampled_from([0, 0, 11, 170]))
        band[symbol] = (PRICES[symbol] - below, PRICES[symbol] + above)
    book = make_book(draw(st.integers(-(10**6), 10**9)), positions, tuple(orders))
    return World(book, proposal, band, draw(st.sampled_from([STRESS, tied_stress()])))


@st.composite
def paths(draw: st.DrawFn, world: World) -> Path:
    """Any admissible history: partial fills, at any price up to the limit, chains in order."""
    prices = {
        s: draw(st.sampled_from([lo, (lo + hi) // 2, hi])) for s, (lo, hi) in world.band.items()
    }
    trades: list[Trade] = []
    whole: dict[str, bool] = {}
    shares = st.sampled_from([Fraction(1), Fraction(0), Fraction(1), Fraction(1, 3)])
    for order in world.book.open_orders:
        waiting = order.waits_for is not None and not whole.get(order.waits_for, True)
        share = Fraction(0) if waiting else draw(shares)
        trade = draw(_fill(world, prices, order.instrument, order.side, order.limit))
        if trade is None:
            share = Fraction(0)
        elif share and order.remaining:
            size = order.side.sign * order.remaining * share
            trades.append(Trade(order.instrument, size, trade))
        whole[order.order_id] = not waiting and (share == 1 or order.remaining == 0)
    for leg in world.proposal.legs:
        share = draw(shares)
        trade = draw(_fill(world, prices, leg.instrument, leg.side, leg.limit))
        if trade is None:
            share = Fraction(0)
        if share and trade is not None:
            trades.append(Trade(leg.instrument, leg.side.sign * leg.quantity * share, trade))
        if world.proposal.ordered and share != 1:
            break
    return Path(prices, tuple(trades), draw(scenarios(world.stress.kernel)))


@st.composite
def _fill(
    draw: st.DrawFn,
    world: World,
    prices: Mapping[str, int],
    instrument: Instrument,
    side: Side,
    limit: int,
) -> Fraction | None:
    """A fill price that the set and the limit allow; None where they exclude each other."""
    low, high = world.box(instrument.symbol)
    price = prices[instrument.symbol]
    if side is Side.BUY:
        best, worst = price * (1 + low), Fraction(limit)
        if best > worst:
            return None
    else:
        best, worst = price * (1 + high), Fraction(limit)
        if best < worst:
            return None
    return best + (worst - best) * draw(st.sampled_from([Fraction(0), Fraction(1), Fraction(1, 4)]))


def extreme_trades(world: World, *, at_limit: bool) -> Iterator[tuple[Trade, ...]]:
    """Every all-or-nothing history of linear chains, filled at the limits or at the set's edge."""
    chains: list[list[tuple[Instrument, int, Side, int]]] = []
    ends: dict[str, list[tuple[Instrument, int, Side, int]]] = {}
    for order in world.book.open_orders:
        item = (order.instrument, order.remaining, order.side, order.limit)
        chain = ends[order.waits_for] if order.waits_for is not None else None
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(item)
        ends[order.order_id] = chain
    offered = [(g.instrument, g.quantity, g.side, g.limit) for g in world.proposal.legs]
    chains += [offered] if world.proposal.ordered else [[item] for item in offered]
    yield from _prefixes(world, chains, at_limit)


def _prefixes(
    world: World, chains: list[list[tuple[Instrument, int, Side, int]]], at_limit: bool
) -> Iterator[tuple[Trade, ...]]:
    if not chains:
        yield ()
        return
    first, rest = chains[0], chains[1:]
    for tail in _prefixes(world, rest, at_limit):
        for length in range(len(first) + 1):
            head = []
            for instrument, size, side, limit in first[:length]:
                low, high = world.box(instrument.symbol)
                price = world.band[instrument.symbol][0]
                edge = price * (1 + (low if side is Side.BUY else high))
                head.append(
                    Trade(
                        instrument,
                        Fraction(side.sign * size),
                        Fraction(limit) if at_limit else edge,
                    )
                )
            yield (*head, *tail)
