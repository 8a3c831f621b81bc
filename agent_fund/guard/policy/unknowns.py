"""What a question leaves open, and what accounts say of it.

Open are the values of the positions before and after the trade, the orders between them, what their
limits concede, cash at every place, prices, and the amounts that the guard proves of a book. An
amount of money that is open is written as a ``Position`` of that name. One whole unit of the
currency counts as 1. Fixed is that orders fill whole, that none is open besides, and that the
instruments are those of the subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.instrument import Instrument
from agent_fund.guard.language.expression import (
    ZERO,
    AtMost,
    Cash,
    Expression,
    Known,
    Leaf,
    Position,
    Positive,
    Selection,
    leaves,
    minus,
    plus,
    times,
)
from agent_fund.guard.policy.sayable import NAV, RANGES

MARK = Known("mark")
LOSS, GAIN, COSTS = Position("proved loss"), Position("proved gain"), Position("proved costs")
CAPITAL = Position("starting capital")
EQUITY, MAINTENANCE = Position("equity at worst"), Position("maintenance at worst")
MESSAGES, REPEATED = Position("messages"), Position("orders alike")
STEADY = Position("a bar, for long")
FURTHEST = 1000
"""Times the decision price, beyond which no limit is taken to lie."""

_ONE, _MINUS = Fraction(1), Fraction(-1)


def held(symbol: str) -> Position:
    """The position after the trade."""
    return Position(symbol)


def before(symbol: str) -> Position:
    """The position before it."""
    return Position(f"{symbol} before")


def worst_loss(selection: Selection) -> Position:
    """The most that is proved to be lost on a selection of positions."""
    return Position(" ".join((LOSS.symbol, "of", selection.by, selection.name)).strip())


@dataclass(frozen=True)
class Order:
    """A purchase or a sale of one instrument.

    Attributes:
        value: at the decision price, from 0 on.
        conceded: what the limit concedes against that, below 0 if it asks for more.
    """

    symbol: str
    side: str

    @property
    def value(self) -> Position:
        """At the decision price."""
        return Position(f"{self.side} {self.symbol}")

    @property
    def conceded(self) -> Position:
        """Against the decision price, by the limit."""
        return Position(f"conceded, {self.side} {self.symbol}")

    @property
    def worth(self) -> Expression:
        """At the limit or at the decision price, whichever is higher."""
        up = self.conceded if self.side == "buy" else times(_MINUS, self.conceded)
        return plus(self.value, Positive(up))


def orders(instruments: Iterable[str]) -> list[Order]:
    """One purchase and one sale of each instrument; either may be of nothing."""
    return [Order(symbol, side) for symbol in sorted(instruments) for side in ("buy", "sell")]


def gross(instruments: Iterable[str]) -> Expression:
    """All positions after the trade, each without its sign."""
    sides = ((held(s), times(_MINUS, held(s))) for s in sorted(instruments))
    return plus(*(Positive(side) for pair in sides for side in pair))


def sent(instruments: Iterable[str]) -> Expression:
    """All orders together, at decision prices."""
    return plus(*(order.value for order in orders(instruments)))


def equal(left: Expression, right: Expression) -> list[AtMost]:
    """Both ways."""
    return [AtMost(left, right), AtMost(right, left)]


@dataclass(frozen=True)
class Facts:
    """What holds of the unknowns whatever the mandate.

    Attributes:
        hold: comparisons that hold.
        positive: terms that are above zero.
        plain: what a book may hold besides, so that it is easy to read; the plainest first.
    """

    hold: tuple[AtMost, ...]
    positive: tuple[Expression, ...]
    plain: tuple[tuple[AtMost, ...], ...] = ()


def facts(instruments: Mapping[str, Instrument], asked: Iterable[AtMost], *, known: bool) -> Facts:
    """What accounts say of everything that ``asked`` names.

    Args:
        known: whether the instruments are a run's; then what has no margin is not sold short, nor
            its cash borrowed.
    """
    named = {leaf for relation in asked for leaf in leaves(relation)}
    lines = sorted(instruments)
    # Of what counts as a range, exposure and value are two things: less is said of it.
    whole = [s for s in lines if instruments[s].kind not in RANGES]
    spot = [s for s in whole if known and instruments[s].margin is None]
    hold = [AtMost(NAV, MARK)]
    hold += [AtMost(ZERO, each) for each in (LOSS, GAIN, COSTS, MAINTENANCE, MESSAGES, REPEATED)]
    losses = {x for x in named if isinstance(x, Position) and x.symbol.startswith(LOSS.symbol)}
    hold += [AtMost(ZERO, loss) for loss in sorted(losses, key=repr)]
    hold += [AtMost(ZERO, held(s)) for s in spot]
    plain = [AtMost(MARK, NAV), *equal(CAPITAL, NAV)]
    easier = [plain]
    if traded(named, lines):
        hold += _trades(lines, whole, spot)
        plain += [AtMost(ZERO, Known("cash", p)) for p in _places(instruments, named)]
        every = orders(lines)
        conceded = [r for order in every for r in equal(order.conceded, ZERO)]
        nothing = [AtMost(order.value, ZERO) for order in every]
        little = [AtMost(times(s, o.conceded), o.value) for o in every for s in (_ONE, _MINUS)]
        easier = [[*plain, *conceded, *nothing], [*plain, *conceded], [*plain, *little]]
    if whole == lines and any(isinstance(leaf, Cash) or _is_cash(leaf) for leaf in named):
        hold += _accounts(instruments, named, known=known)
    prices = {leaf for leaf in named if isinstance(leaf, Known) and leaf.name == "price"}
    positive: tuple[Expression, ...] = (NAV, CAPITAL, *sorted(prices, key=repr))
    return Facts(tuple(hold), positive, tuple(map(tuple, easier)))


def traded(named: Iterable[Leaf], lines: Iterable[str]) -> bool:
    """Whether anything of ``named`` is of orders, or of the book or the cash before them."""
    own = {leaf for s in lines for o in orders([s]) for leaf in (o.value, o.conceded)}
    own |= {before(s) for s in lines}
    return any(leaf in own or isinstance(leaf, Cash) or _is_cash(leaf) for leaf in named)


def _is_cash(leaf: Leaf) -> bool:
    return isinstance(leaf, Known) and leaf.name == "cash"


def _trades(lines: Iterable[str], whole: Iterable[str], spot: Iterable[str]) -> list[AtMost]:
    found = [AtMost(ZERO, before(s)) for s in spot]
    for symbol in lines:
        buy, sell = orders([symbol])
        after = plus(before(symbol), buy.value, times(_MINUS, sell.value))
        found += equal(held(symbol), after) if symbol in whole else []
        for order in (buy, sell):
            value, conceded = order.value, order.conceded
            # A limit is positive: what it asks for beyond the price is less than the whole value.
            lowest, highest = (_MINUS, Fraction(FURTHEST))
            if order is sell:
                lowest, highest = -highest, -lowest
            found += [
                AtMost(ZERO, value),
                AtMost(times(lowest, value), conceded),
                AtMost(conceded, times(highest, value)),
            ]
    return found


def _accounts(
    instruments: Mapping[str, Instrument], named: Iterable[Leaf], *, known: bool
) -> list[AtMost]:
    """NAV is cash and positions; cash after the trade is what its orders leave at their limits."""
    places = _places(instruments, named)
    margined = {line.account for line in instruments.values() if line.margin is not None}
    found = equal(NAV, plus(*(Known("cash", p) for p in places), *map(before, sorted(instruments))))
    found += equal(Known("cash"), plus(*(Known("cash", p) for p in places)))
    found += equal(Cash(), plus(*map(Cash, places)))
    for place in places:
        paid: list[Expression] = []
        for symbol in sorted(s for s, line in instruments.items() if line.account == place):
            buy, sell = orders([symbol])
            paid += [buy.value, buy.conceded, times(_MINUS, sell.value), sell.conceded]
        found += equal(Cash(place), minus(Known("cash", place), plus(*paid)))
        if known and place not in margined:
            found += [AtMost(ZERO, Known("cash", place)), AtMost(ZERO, Cash(place))]
    return found


def _places(instruments: Mapping[str, Instrument], named: Iterable[Leaf]) -> list[str]:
    accounts = {line.account for line in instruments.values()}
    asked = {leaf.place for leaf in named if isinstance(leaf, Cash)}
    asked |= {leaf.argument for leaf in named if isinstance(leaf, Known) and leaf.name == "cash"}
    return sorted((accounts | asked) - {""})
