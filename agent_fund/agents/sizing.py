"""How many, at what limit, and how much cash where: lots that fit, limits inside a tolerance.

Exact integers throughout; everything is rounded so that the bound asked for still holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from agent_fund.domain.book import Book
from agent_fund.domain.errors import DomainError
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.money import Exact, ceil_div, ratio
from agent_fund.domain.order import Leg, Side
from agent_fund.domain.transfer import Transfer


def share(value: Exact, subject: str, *, below_one: bool = False) -> Fraction:
    """``value`` as a ratio from 0 to 1; ``below_one`` refuses 1 itself.

    Raises:
        DomainError: for a float, or a value outside the range.
    """
    found = ratio(value, subject)
    if not 0 <= found <= 1 or (below_one and found == 1):
        wanted = "at least 0 % and below 100 %" if below_one else "from 0 % to 100 %"
        raise DomainError(subject, str(value), f"write a share of {wanted}")
    return found


def limit_price(instrument: Instrument, close: int, side: Side, tolerance: Fraction) -> int:
    """The tick furthest from ``close`` that is not beyond ``tolerance``, in price units.

    A buy may pay up to ``close × (1 + tolerance)``; a sale may take no less than
    ``close × (1 - tolerance)``, and no less than one tick. ``tolerance`` lies in [0, 1).
    """
    tick, below = instrument.tick, tolerance.denominator
    edge = close * (below + side.sign * tolerance.numerator)
    ticks = edge // (below * tick) if side is Side.BUY else ceil_div(edge, below * tick)
    return max(ticks, 1) * tick


def legs_of(
    instrument: Instrument, side: Side, quantity: int, close: int, tolerance: Fraction
) -> tuple[Leg, ...]:
    """One leg of the whole lots in ``quantity`` base units, at ``limit_price``; none for none."""
    quantity -= quantity % instrument.lot
    if quantity <= 0:
        return ()
    return (Leg(instrument, side, quantity, limit_price(instrument, close, side, tolerance)),)


def whole_lots(instrument: Instrument, budget: int, price: int) -> int:
    """The most base units in whole lots that cost no more than ``budget`` at ``price``; or 0.

    ``budget`` is in base units of the quote asset, ``price`` in price units.
    """
    if budget <= 0:
        return 0
    return budget // instrument.notional(instrument.lot, price) * instrument.lot


@dataclass(frozen=True)
class Pair:
    """Spot and a perpetual of one underlying, and the least of it that is whole lots of both.

    A hedge is sized in such steps: then neither side is rounded more than the other.

    Raises:
        DomainError: for two underlyings, or instruments of other kinds.
    """

    spot: Instrument
    perp: Instrument

    def __post_init__(self) -> None:
        legs = f"{self.spot.symbol} and {self.perp.symbol}"
        if self.spot.margin is not None or self.perp.margin is None:
            raise DomainError("pair", legs, "name spot first, then its perpetual")
        if self.spot.underlying != self.perp.underlying:
            fix = f"one is of {self.spot.underlying}, the other of {self.perp.underlying}"
            raise DomainError("pair", legs, f"{fix}; pair instruments of one underlying")

    @classmethod
    def of(cls, spot: str, perp: str, instruments: Mapping[str, Instrument]) -> Pair:
        """The pair of two symbols.

        Raises:
            DomainError: if ``instruments`` lack one.
        """
        for symbol in (spot, perp):
            if symbol not in instruments:
                known = ", ".join(sorted(instruments))
                raise DomainError("instrument of a pair", symbol, f"the fund knows: {known}")
        return cls(instruments[spot], instruments[perp])

    @cached_property
    def spot_step(self) -> int:
        """Base units of spot in a step."""
        return int(self._step / underlying(self.spot, 1))

    @cached_property
    def perp_step(self) -> int:
        """Base units of the perpetual in a step."""
        return int(self._step / underlying(self.perp, 1))

    @cached_property
    def _step(self) -> Fraction:
        # The least common multiple of fractions in lowest terms.
        one, other = (underlying(item, item.lot) for item in (self.spot, self.perp))
        return Fraction(
            math.lcm(one.numerator, other.numerator), math.gcd(one.denominator, other.denominator)
        )


def underlying(instrument: Instrument, quantity: int) -> Fraction:
    """``quantity`` base units in units of the underlying; keeps the sign."""
    return instrument.contract * Fraction(quantity, 10**instrument.base.scale)


def free_cash(book: Book, place: str | None = None) -> int:
    """Cash at a spot venue that open buys cannot spend, in base units; before fees.

    Args:
        place: the spot venue; None for all of them together. Money under way is at none.

    Raises:
        DomainError: for a margin account: its cash margins positions, see ``Book.equity``.
    """
    margined = {item.account for item in book.instruments.values() if item.margin is not None}
    if place in margined:
        raise DomainError("free cash", place, "what is free there is equity above margin")
    if place is None:
        elsewhere = sum(book.places.get(account, 0) for account in margined)
        cash = book.cash - elsewhere - sum(transit.transfer.amount for transit in book.transit)
    else:
        cash = book.places.get(place, 0)
    spoken_for = sum(
        order.instrument.notional(order.remaining, order.limit)
        for order in book.open_orders
        if order.side is Side.BUY
        and order.instrument.margin is None
        and place in (None, order.instrument.account)
    )
    return cash - spoken_for


def under_way(book: Book, source: str, target: str) -> int:
    """Cash on its way from one place to another, in base units."""
    return sum(
        transit.transfer.amount
        for transit in book.transit
        if (transit.transfer.source, transit.transfer.target) == (source, target)
    )


def margin_transfer(
    book: Book, home: str, account: str, *, free: int, equity: int, needed: int, band: int
) -> Transfer | None:
    """What brings the equity at a margin account to ``needed``, if it is off by more than ``band``.

    Cash under way to the account counts as there; while some is under way, none follows it the same
    way. A deposit takes no more than is free, a withdrawal leaves ``needed`` without that cash.
    What is moved is a whole number of millionths of the currency: wallets and tokens know no less.

    Args:
        home: the spot venue that pays and receives.
        free, equity, needed, band: base units; ``free`` at ``home``, ``equity`` at ``account``.
    """
    off = equity + under_way(book, home, account) - needed
    source, target = (home, account) if off < 0 else (account, home)
    amount = min(abs(off), free if off < 0 else equity - needed)
    amount -= amount % 10 ** max(0, book.currency.scale - 6)
    if abs(off) <= band or amount <= 0 or under_way(book, source, target):
        return None
    return Transfer(amount, source, target)


def sellable(book: Book, instrument: Instrument) -> int:
    """Whole lots held that open orders are not already selling, in base units; never negative."""
    leaving = sum(
        order.remaining
        for order in book.open_orders
        if order.side is Side.SELL and order.instrument == instrument
    )
    held = max(book.position(instrument.symbol) - leaving, 0)
    return held - held % instrument.lot
