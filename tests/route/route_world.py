"""Small exact worlds for routes: venues and carriers with integer quotes, lines, a real mandate."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from agent_fund.backtest.calibrated import load_mandate
from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Chain, Instrument, Kind, Venue
from agent_fund.domain.margin import Margin, Tier
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Order, Side
from agent_fund.domain.transfer import Transit
from agent_fund.execution.live.adapter import (
    Capabilities,
    Holdings,
    Prepared,
    Quote,
    Report,
    TransferQuote,
)
from agent_fund.execution.route.goal import Goal
from agent_fund.execution.route.search import Found, Router
from agent_fund.execution.route.terms import RouteTerms
from agent_fund.guard.engine import Guard
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.excursions import Past
from agent_fund.guard.verdict import Situation

USD = Asset("USD", 12)
DOLLAR = 10**12
PRICE = 100_00
LATER = 10**15
"""Unix milliseconds until which quotes of these worlds are good, unless they say otherwise."""
NOW = 1_700_000_000_000
PLENTY = 10**18
MARGIN = Margin(Fraction(1, 10), (Tier(0, Fraction(1, 100)),), Fraction(1, 100))
FOLDER = Path(__file__).resolve().parents[2] / "guardrails"


def line(
    symbol: str,
    venue: str,
    *,
    scale: int = 6,
    lot: int = 1,
    tick: int = 1,
    price_scale: int = 2,
    chain: str = "",
) -> Instrument:
    """Spot of what stands before the dash, or a perpetual if the symbol ends so."""
    perpetual = symbol.endswith("-PERP")
    return Instrument(
        symbol,
        Asset(symbol, scale),
        USD,
        Venue(venue, Chain(chain) if chain else None),
        price_scale=price_scale,
        lot=lot,
        tick=tick,
        kind=Kind.PERPETUAL if perpetual else Kind.SPOT,
        underlying=symbol.split("-")[0],
        margin=MARGIN if perpetual else None,
    )


def curve(price: int, per_lot: int = 0, fee: Fraction = Fraction(0)) -> Callable[..., int | None]:
    """Money for a quantity: a price that worsens with each lot, and a fee; rounded against us."""

    def money(instrument: Instrument, side: Side, quantity: int) -> int | None:
        lots = quantity // instrument.lot
        sign = side.sign
        # The k-th lot costs price + sign * k * per_lot thousandths of a price unit.
        steps = lots * (lots + 1) // 2 * per_lot
        unit = instrument.lot * instrument.multiplier
        exact = Fraction(unit * (lots * price * 1000 + sign * steps), 1000) * (1 + sign * fee)
        found = (
            ceil_div(exact.numerator, exact.denominator)
            if side is Side.BUY
            else exact.numerator // exact.denominator
        )
        return found if found > 0 else None

    return money


@dataclass
class FakeAdapter:
    """A venue whose quotes are a function; it can be slow, fail, lie, or say nothing."""

    name: str
    money: Mapping[str, Callable[..., int | None]]
    middle: Mapping[str, int] = field(default_factory=dict)
    gas: int = 0
    firm: bool = True
    fee: Fraction = Fraction(0)
    delay: float = 0
    valid_until: int = LATER
    error: Exception | None = None
    spoil: Callable[[Quote], Quote] = lambda quote: quote
    asked: list[tuple[str, Side, int]] = field(default_factory=list)
    running: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(True, True, 0, True)

    def maximum_fee(self, order: Order) -> int:
        notional = order.instrument.notional(order.quantity, order.limit)
        return ceil_div(notional * self.fee.numerator, self.fee.denominator)

    async def _wait(self) -> None:
        self.running += 1
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error

    async def quote(self, instrument: Instrument, side: Side, quantity: int) -> Quote | None:
        self.asked.append((instrument.symbol, side, quantity))
        await self._wait()
        money = self.money[instrument.symbol](instrument, side, quantity)
        if money is None:
            return None
        spent, received = (money, quantity) if side is Side.BUY else (quantity, money)
        terms = (spent, received, self.gas, self.valid_until, self.firm)
        return self.spoil(Quote(instrument, side, quantity, *terms))

    async def prices(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        await self._wait()
        return {i.symbol: self.middle[i.symbol] for i in instruments if i.symbol in self.middle}

    async def start(self) -> None: ...

    async def prepare(self, order: Order, deadline: int) -> Prepared:
        raise AssertionError("routes are looked for without sending")

    async def submit(self, prepared: Prepared) -> Report:
        raise AssertionError("routes are looked for without sending")

    async def status(self, prepared: Prepared) -> Report:
        raise AssertionError("routes are looked for without sending")

    async def bump(self, prepared: Prepared) -> Prepared | None:
        raise AssertionError("routes are looked for without sending")

    async def cancel(self, prepared: Prepared) -> Report:
        raise AssertionError("routes are looked for without sending")

    async def holdings(self, since: int) -> Holdings:
        raise AssertionError("routes are looked for without sending")

    async def depth(self, instruments: Sequence[Instrument]) -> Mapping[str, int]:
        return {}

    async def close(self) -> None: ...


@dataclass
class FakeCarrier:
    """A carrier that keeps a fixed sum and a share, over the pairs that it serves."""

    name: str
    pairs: frozenset[tuple[str, str]]
    fixed: int = 0
    part: Fraction = Fraction(0)
    gas: int = 0
    seconds: int = 60
    trusted: str = ""
    delay: float = 0
    valid_until: int = LATER
    error: Exception | None = None
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def carries(self, source: str, target: str) -> bool:
        return (source, target) in self.pairs

    def brings(self, amount: int) -> int:
        kept = amount * self.part
        return amount - self.fixed - ceil_div(kept.numerator, kept.denominator)

    async def quote(self, source: str, target: str, amount: int) -> TransferQuote | None:
        self.asked.append((source, target, amount))
        await asyncio.sleep(self.delay)
        if self.error is not None:
            raise self.error
        brings = self.brings(amount)
        if brings <= 0:
            return None
        terms = (brings, self.gas, self.valid_until, self.seconds, self.trusted)
        return TransferQuote(source, target, amount, *terms)

    async def start(self) -> None: ...

    async def prepare(self, transit: Transit, min_received: int, deadline: int) -> Prepared:
        raise AssertionError("routes are looked for without sending")

    async def submit(self, prepared: Prepared) -> Report:
        raise AssertionError("routes are looked for without sending")

    async def status(self, prepared: Prepared) -> Report:
        raise AssertionError("routes are looked for without sending")

    async def bump(self, prepared: Prepared) -> Prepared | None:
        raise AssertionError("routes are looked for without sending")

    async def close(self) -> None: ...


def everywhere(*places: str) -> frozenset[tuple[str, str]]:
    return frozenset((a, b) for a in places for b in places if a != b)


def make_terms(
    venues: Sequence[str],
    *,
    time_out: float = 5.0,
    parts: int = 1,
    tolerance: Fraction = Fraction(0),
    risk: Fraction = Fraction(0),
    fee: Fraction = Fraction(1, 1000),
    step: int = 1,
) -> RouteTerms:
    return RouteTerms(time_out, parts, tolerance, risk, fee, dict.fromkeys(venues, 2), step)


def make_router(
    adapters: Sequence[FakeAdapter],
    carriers: Sequence[FakeCarrier] = (),
    terms: RouteTerms | None = None,
    clock: Callable[[], int] = lambda: NOW,
) -> Router:
    names = {a.name: a for a in adapters}
    asked = make_terms(list(names)) if terms is None else terms
    return Router(names, {c.name: c for c in carriers}, asked, clock)


def find(router: Router, goal: Goal, book: Book) -> Found:
    return asyncio.run(router.find(goal, book))


def make_book(
    lines: Sequence[Instrument],
    places: Mapping[str, int],
    positions: Mapping[str, int] | None = None,
) -> Book:
    every = dict.fromkeys((i.account for i in lines), 0) | dict(places)
    cash = sum(every.values())
    return Book(USD, cash, {i.symbol: i for i in lines}, positions or {}, places=every)


SPREAD = (
    line("ETH", "spot-a"),
    line("BTC", "spot-b"),
    line("ETH-B", "spot-b"),
    line("BTC-PERP", "futures-a"),
    line("ETH-PERP", "futures-b"),
    line("ETH-V", "vault"),
)
LINES = {i.symbol: i for i in SPREAD}
VENUES = ("spot-a", "spot-b", "futures-a", "futures-b", "vault")


def spread_mandate(*others: str, lines: Sequence[Instrument] = SPREAD) -> ResolvedMandate:
    """``multi_venue`` over five hundred bars of a made-up market; ``others`` may be lost too."""
    rng = random.Random("routes")
    walks: dict[str, list[int]] = {}
    past = {}
    for item in lines:
        if item.underlying not in walks:
            walk = [PRICE]
            for _ in range(500):
                walk.append(walk[-1] * (1_000 + rng.randint(-30, 30)) // 1_000)
            walks[item.underlying] = walk
        walk = walks[item.underlying]
        if item.symbol != item.underlying:
            walk = [p * (10_000 + rng.randint(-10, 10)) // 10_000 for p in walk]
        past[item.symbol] = Past(range(501), walk, walk, walk)
    mandate = load_mandate(FOLDER / "multi_venue.py")
    venues = [*dict.fromkeys(i.venue.name for i in lines), *others]
    return mandate.resolve(mandate.stress.resolve(past, 3, "made up", venues, (), ()), 1)


def make_situation(book: Book, *, mark: int | None = None, prices: int = PRICE) -> Situation:
    every = dict.fromkeys(book.instruments, prices)
    nav = book.nav(every)
    room = dict.fromkeys(book.instruments, PLENTY)
    return Situation(book, every, nav, nav if mark is None else mark, 7, room)


def make_guard(*others: str) -> Guard:
    return Guard(spread_mandate(*others))
