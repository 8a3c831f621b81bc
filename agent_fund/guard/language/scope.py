"""What a guardrail's function is given: ``s``, the fund and its market, and ``t``, the trade.

    def hedged(s, t):
        after = s.book.after(t, fills="adversarial", orders="open")
        return "70%" * after.long("ETH") <= after.short("ETH")

The function is run once, on symbols; ``traced`` is what it said. Money is in base units of the
currency of NAV, moves are shares.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import Exact, ratio, require_name
from agent_fund.guard.language.expression import (
    EVERYTHING,
    MEASURES,
    By,
    Cash,
    Exposure,
    Known,
    Loss,
    Measure,
    Move,
    Relation,
    Selection,
    Side,
    When,
    times,
)
from agent_fund.guard.language.term import Claim, Term


class Trade:
    """The trade that is proposed; its fills are what ``s.book.after`` tells of."""


class Exposures:
    """Sides of the positions, before or after the trade.

    Each takes an asset, such as ``long("ETH")``, or one of ``instrument=``, ``venue=`` and
    ``chain=``, or nothing for the whole book. ``measure="units"`` counts an asset in its own units
    and not in money.
    """

    def __init__(self, when: When) -> None:
        self._when = when

    def long(
        self,
        asset: str | None = None,
        *,
        instrument: str | None = None,
        venue: str | None = None,
        chain: str | None = None,
        measure: Measure = "value",
    ) -> Term:
        """The positions above zero, added up."""
        return self._side("long", _selection(asset, instrument, venue, chain), measure)

    def short(
        self,
        asset: str | None = None,
        *,
        instrument: str | None = None,
        venue: str | None = None,
        chain: str | None = None,
        measure: Measure = "value",
    ) -> Term:
        """The positions below zero, added up and turned positive."""
        return self._side("short", _selection(asset, instrument, venue, chain), measure)

    def gross(
        self,
        asset: str | None = None,
        *,
        instrument: str | None = None,
        venue: str | None = None,
        chain: str | None = None,
        measure: Measure = "value",
    ) -> Term:
        """Long and short side together."""
        return self._side("gross", _selection(asset, instrument, venue, chain), measure)

    def net(
        self,
        asset: str | None = None,
        *,
        instrument: str | None = None,
        venue: str | None = None,
        chain: str | None = None,
        measure: Measure = "value",
    ) -> Term:
        """The long side less the short side."""
        return self._side("net", _selection(asset, instrument, venue, chain), measure)

    def _side(self, side: Side, selection: Selection, measure: Measure) -> Term:
        if measure not in MEASURES:
            raise DomainError("measure", measure, f"write one of {', '.join(MEASURES)}")
        if measure == "units" and selection.by != "asset":
            fix = 'name one asset, such as long("ETH", measure="units")'
            raise DomainError("units of a selection", selection.name or "the whole book", fix)
        return Term(Exposure(side, selection, self._when, measure))


class After(Exposures):
    """The book after the trade and any fills of its orders and of those that are open."""

    def __init__(self) -> None:
        super().__init__("after")

    def loss(
        self,
        asset: str | None = None,
        *,
        instrument: str | None = None,
        venue: str | None = None,
        chain: str | None = None,
    ) -> Term:
        """What the selection loses in a scenario of the stress set, by positions and worst fills.

        A comparison with it is proved for every scenario of the set. Trading costs, and the loss
        of a venue, are not in it.
        """
        return Term(Loss(_selection(asset, instrument, venue, chain)))

    def cash(self, place: str = "") -> Term:
        """Cash at ``place``, or all of it, with each fill at its limit."""
        return Term(Cash(_name(place, "place of cash")))


class BookScope(Exposures):
    """The book as it is held, before the trade and without its open orders."""

    def __init__(self, trade: Trade) -> None:
        super().__init__("before")
        self._trade = trade

    def after(self, trade: Trade, *, fills: str = "adversarial", orders: str = "open") -> After:
        """The book after ``trade``.

        Args:
            fills: each order fills in full, in part or not at all, whichever is worst.
            orders: those that are open may still fill too.
        """
        if trade is not self._trade:
            raise DomainError("trade", trade, "pass the second argument of the function, t")
        if fills != "adversarial":
            fix = 'nobody knows how an order will fill: only "adversarial" is sound'
            raise DomainError("fills", fills, fix)
        if orders != "open":
            fix = 'open orders may still fill: only "open" is sound'
            raise DomainError("orders", orders, fix)
        return After()


class MarketScope:
    """The scenario of the stress set."""

    def move(self, name: str) -> Term:
        """All-in return of an instrument, or return of a factor, as a share."""
        return Term(Move(require_name(name, "instrument or factor")))


class Scope:
    """The fund when the check is made.

    Attributes:
        book: positions, before and after the trade.
        market: the scenario.
        nav, mark: NAV and high-water mark.
    """

    def __init__(self, trade: Trade) -> None:
        self.book = BookScope(trade)
        self.market = MarketScope()
        self.nav = Term(Known("nav"))
        self.mark = Term(Known("mark"))

    def money(self, amount: Exact) -> Term:
        """``amount`` whole units of the currency of NAV."""
        return Term(times(ratio(amount, "amount of money"), Known("unit")))

    def cash(self, place: str = "") -> Term:
        """Cash at ``place`` before the trade, or all of it, money under way included."""
        return Term(Known("cash", _name(place, "place of cash")))

    def price(self, symbol: str) -> Term:
        """What one whole unit of the instrument's base asset is worth."""
        return Term(Known("price", require_name(symbol, "instrument")))


def traced(function: Callable[[Scope, Trade], Claim]) -> Relation:
    """What ``function`` asks for, by running it once.

    Raises:
        DomainError: if it does not take (s, t), or returns anything but a comparison.
    """
    name = getattr(function, "__name__", "guardrail")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        found = f"{name}{inspect.signature(function)}"
        raise DomainError("guardrail", found, f"write def {name}(s, t)") from None
    trade = Trade()
    claim: object = function(Scope(trade), trade)
    if isinstance(claim, Claim):
        return claim.relation
    fix = "return a comparison of two terms, such as after.gross() <= 2 * s.nav"
    if claim is None:
        fix = f"nothing was returned; {fix}"
    elif isinstance(claim, (tuple, list)):
        fix = "join comparisons with &: (a <= b) & (b <= c)"
    raise DomainError(f"result of {name}", claim, fix)


def _selection(
    asset: str | None, instrument: str | None, venue: str | None, chain: str | None
) -> Selection:
    given: list[tuple[By, str | None]] = [
        ("asset", asset),
        ("instrument", instrument),
        ("venue", venue),
        ("chain", chain),
    ]
    named = [(by, name) for by, name in given if name is not None]
    if not named:
        return EVERYTHING
    if len(named) > 1:
        said = ", ".join(f"{by} {name}" for by, name in named)
        raise DomainError("selection", said, "name one of asset, instrument, venue and chain")
    by, name = named[0]
    return Selection(by, require_name(name, by))


def _name(place: str, subject: str) -> str:
    return place if place == "" else require_name(place, subject)
