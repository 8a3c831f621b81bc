"""The monitor: which assumptions of the guarantee held, bar by bar, and which failed if not.

The guarantee is conditional. A1: moves stay in the stress set over the horizon, relative to the
prices of the decision in force: marks at opens and closes, prices of trades at opens, where orders
fill, each less the funding paid since. A2: the way out completes within the horizon. A3: fees and
slippage stay inside the mandate's costs. A5: exits are proportional, or their legs
part by less than the legging allowance. A4 (every order is in the
book), A6 (marks are right) and A7 (venues stay solvent) cannot be seen from bars; reports say so.
That the books were not what a venue had, a person says: such an adjustment is a failure of A4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from agent_fund.domain.order import Fill, Order, Purpose, Side
from agent_fund.domain.settlement import RATE_SCALE, Liquidation
from agent_fund.domain.transfer import Arrival
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.resolved_mandate import ResolvedMandate
from agent_fund.guard.stress.stress_set import percent


@dataclass(frozen=True)
class Failure:
    """One assumption that did not hold in one bar.

    Attributes:
        exposed: whether the fund held what it concerns, so that it can have caused a breach.
    """

    assumption: str
    bar: int
    text: str
    exposed: bool = True


@dataclass(frozen=True)
class Breach:
    """A limit was broken at a mark.

    Attributes:
        limit: ``"max_drawdown"``, ``"fixed_floor"``, or ``"margin_safety"``: a venue liquidated.
        when: ``"open"`` or ``"close"`` of the bar.
        failures: the assumptions that failed since the last decision; empty is our defect.
    """

    bar: int
    when: str
    nav: int
    mark: int
    failures: tuple[Failure, ...]
    limit: str = "max_drawdown"


class Prices(NamedTuple):
    """One bar as the monitor sees it, each tuple in instrument order, in price units.

    Attributes:
        opens: prices of trades. ``rates``: paid at the open, in 10**-RATE_SCALE; empty for none.
    """

    opens: Sequence[int]
    mark_opens: Sequence[int]
    mark_closes: Sequence[int]
    rates: Sequence[int] = ()


class Monitor:
    """Watches one run; everything it says can be recomputed from the log."""

    def __init__(self, mandate: ResolvedMandate, symbols: Sequence[str]) -> None:
        self._mandate = mandate
        self._symbols = tuple(symbols)
        boxes = [mandate.stress.box[mandate.stress.driver(s)] for s in symbols]
        self._boxes = [(SCALE + low, SCALE + high) for low, high in boxes]
        self._horizon = mandate.stress.horizon
        stress = mandate.stress
        tied = stress.factors or stress.ties or stress.budgets or stress.combinations
        self._plain = not (tied or stress.carry)
        self._carries = [stress.carry.get(s, (0, 0)) for s in symbols]
        self.inside = 0
        self.failures: list[Failure] = []
        self._broken: list[tuple[Breach, int]] = []
        # Funding that a unit held long has paid since the decision of bar _since, in price units
        # times 10**RATE_SCALE.
        self._paid = [0] * len(self._symbols)
        self._since, self._funded = -1, False
        # Prices of trades when the first leg of a way out filled that is not even yet.
        self._first: Mapping[str, int] | None = None

    def moved(
        self,
        bar: int,
        since: int,
        anchor: Sequence[int],
        prices: Prices,
        before: Sequence[int],
        after: Sequence[int],
    ) -> None:
        """A1 at the open and the close of ``bar``, against the decision of bar ``since``; and A2.

        The horizon ends at its last open: what comes after it is no move of that decision, and
        whatever is still held then has not got out in time.

        Args:
            before, after: positions before and after the open's fills, in instrument order.
        """
        if self._since != since:
            self._since = since
            if self._funded:
                self._funded, self._paid = False, [0] * len(self._symbols)
        for column, rate in enumerate(prices.rates):
            if rate:
                self._funded = True
                self._paid[column] += rate * prices.mark_opens[column]
        left = self._horizon - (bar - since)
        if left <= 0 and any(after):
            self.failures.append(Failure("A2", bar, "positions are held beyond the way out"))
        if self._first is not None:
            self._require_near(bar, self._first, prices, after)
        if left < 0:
            return
        spot = prices.mark_opens is prices.opens
        if self._plain and spot and self._in_boxes(anchor, prices, left):
            self.inside += 1
            return
        points = [prices.opens, prices.mark_opens, *([prices.mark_closes] if left else [])]
        text = self._first_outside(anchor, points, None)
        if text is None:
            self.inside += 1
            return
        held = [s for s, b, a in zip(self._symbols, before, after, strict=True) if b or a]
        exposed = self._first_outside(anchor, points, held)
        self.failures.append(Failure("A1", bar, exposed or text, exposed is not None))

    def _in_boxes(self, anchor: Sequence[int], prices: Prices, left: int) -> bool:
        """The common case, spot alone in a box alone, at every bar of every run."""
        for start, first, last, (low, high) in zip(
            anchor, prices.opens, prices.mark_closes, self._boxes, strict=True
        ):
            least, most = start * low, start * high
            if not least <= first * SCALE <= most or (left and not least <= last * SCALE <= most):
                return False
        return True

    def _first_outside(
        self, anchor: Sequence[int], points: Sequence[Sequence[int]], only: Sequence[str] | None
    ) -> str | None:
        """What left the set first, in words: a funding, or a move at one of ``points``."""
        unit = 10**RATE_SCALE
        for symbol, start, paid, (most, least) in zip(
            self._symbols, anchor, self._paid, self._carries, strict=True
        ):
            if only is not None and symbol not in only:
                continue
            if not -least * start * unit <= paid * SCALE <= most * start * unit:
                share = Fraction(paid * SCALE, start * unit)
                return (
                    f"funding of {symbol} took {percent(share)}, "
                    f"declared {percent(-least)} to {percent(most)}"
                )
        stress = self._mandate.stress
        before = dict(zip(self._symbols, anchor, strict=True))
        for point in points:
            after = {
                s: price if not paid else price - Fraction(paid, unit)
                for s, price, paid in zip(self._symbols, point, self._paid, strict=True)
            }
            text = stress.outside(stress.moves(before, after), only)
            if text is not None:
                return text
        return None

    def filled(self, fill: Fill, order: Order, opens: Mapping[str, int]) -> None:
        """A3: the fee, and for the guard's own orders the slippage from the open; and A5.

        Args:
            opens: prices of trades at the fill, by symbol.
        """
        market = opens[fill.instrument.symbol]
        costs = self._mandate.costs
        notional = fill.instrument.notional(fill.quantity, fill.price)
        if fill.fee > costs.entry(notional) + 1:
            text = f"fee {fill.fee} on {notional} at {fill.instrument.symbol} is above the declared"
            self.failures.append(Failure("A3", fill.bar, text))
        if order.purpose is not Purpose.AGENT:
            tick = fill.instrument.tick
            slip = (market - fill.price) * (1 if fill.side is Side.SELL else -1)
            if slip - tick > market * costs.slippage:
                text = f"{fill.instrument.symbol} slipped {slip} units from {market}"
                self.failures.append(Failure("A3", fill.bar, text))
            self._require_together(fill, opens)

    def _require_near(
        self, bar: int, first: Mapping[str, int], prices: Prices, after: Sequence[int]
    ) -> None:
        """A5 while legs stand apart: how far what is held has moved since the first filled."""
        points = (prices.opens, prices.mark_opens, prices.mark_closes)
        for column, (symbol, held) in enumerate(zip(self._symbols, after, strict=True)):
            if held:
                start = first[symbol]
                seen = (point[column] for point in points)
                self._apart(bar, symbol, start, max(seen, key=lambda p: abs(p - start)))

    def _require_together(self, fill: Fill, opens: Mapping[str, int]) -> None:
        """A5: how far a leg moved since the first of them filled, against the legging allowance."""
        if self._first is None:
            self._first = dict(opens)
            return
        symbol = fill.instrument.symbol
        self._apart(fill.bar, symbol, self._first[symbol], opens[symbol])

    def _apart(self, bar: int, symbol: str, start: int, price: int) -> None:
        if abs(price - start) > start * self._mandate.costs.legging:
            moved = percent(Fraction((price - start) * SCALE, start))
            text = f"{symbol} moved {moved} between the legs of a way out"
            self.failures.append(Failure("A5", bar, text))

    def arrived(self, bar: int, arrival: Arrival) -> None:
        """A transfer has ended: what carrying it kept lies in what was agreed, or it did not."""
        transfer = arrival.transit.transfer
        least = transfer.amount - (0 if arrival.returned else transfer.cost)
        if arrival.received < least:
            text = (
                f"of {transfer.amount} from {transfer.source} to {transfer.target}, "
                f"{arrival.received} came to {arrival.place}; {least} was the least"
            )
            self.failures.append(Failure("A3", bar, text))

    def adjusted(self, bar: int, place: str) -> None:
        """A4: after the look of ``bar`` a person corrected the books."""
        text = f"the books were not what {place} had: a person adjusted them"
        self.failures.append(Failure("A4", bar, text))

    def way_out(self, bar: int, orders: Sequence[Order]) -> None:
        """A2 and A5, when the guard's own ``orders`` of one act have ended."""
        if not orders:
            return
        unfilled = [o for o in orders if o.filled < o.quantity]
        for order in unfilled:
            text = f"{order.filled} of {order.quantity} of {order.instrument.symbol} got out"
            self.failures.append(Failure("A2", bar, text))
        shares = {Fraction(o.filled, o.quantity) for o in orders}
        if len(shares) == 1:
            self._first = None
        elif not self._mandate.costs.legging:
            text = f"legs closed by different shares: {', '.join(map(str, sorted(shares)))}"
            self.failures.append(Failure("A5", bar, text))

    def broken(
        self, bar: int, when: str, nav: int, mark: int, since: int, limit: str = "max_drawdown"
    ) -> None:
        """NAV broke ``limit``; ``since`` is the bar of the decision in force."""
        self._broken.append((Breach(bar, when, nav, mark, (), limit), since))

    def forced(self, event: Liquidation) -> None:
        """A7: a real venue closed what it should have held, by a trade of its own.

        The guard keeps margin above maintenance at every open and close of the set, so that it was
        below between two of them, or that the venue shared a loss of others, is the venue's word.
        """
        instrument = event.instrument
        quantity = f"{instrument.base.amount(event.quantity):f} {instrument.symbol}"
        text = f"{instrument.venue.name} closed {quantity} by itself"
        self.failures.append(Failure("A7", event.bar, text))

    def liquidated(self, bar: int, when: str, nav: int, mark: int, since: int) -> None:
        """A venue closed positions for want of margin; NAV after it."""
        self._broken.append((Breach(bar, when, nav, mark, (), "margin_safety"), since))

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """Every breach, with the assumptions that failed between its decision and its bar
        and concern what the fund held."""
        return tuple(
            replace(
                breach,
                failures=tuple(
                    f
                    for f in self.failures
                    # What a person corrects comes after the decision of its bar, all else before.
                    if since < f.bar + (f.assumption == "A4") and f.bar <= breach.bar and f.exposed
                ),
            )
            for breach, since in self._broken
        )
