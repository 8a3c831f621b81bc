"""The monitor: which assumptions of the guarantee held, bar by bar, and which failed if not.

The guarantee is conditional. A1: moves stay in the stress set over the horizon, relative to the
prices of the decision in force. A2: the way out completes within the horizon. A3: fees and
slippage stay inside the mandate's costs. A5: exits are proportional. A4 (every order is in the
book), A6 (marks are right) and A7 (venues stay solvent) cannot be seen from bars; reports say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from agent_fund.domain.order import Fill, Order, Purpose, Side
from agent_fund.guard.kernel.form import SCALE
from agent_fund.guard.mandate import ResolvedMandate


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
    """The drawdown limit was broken at a mark.

    Attributes:
        when: ``"open"`` or ``"close"`` of the bar.
        failures: the assumptions that failed since the last decision; empty is our defect.
    """

    bar: int
    when: str
    nav: int
    mark: int
    failures: tuple[Failure, ...]


class Monitor:
    """Watches one run; everything it says can be recomputed from the log."""

    def __init__(self, mandate: ResolvedMandate, symbols: Sequence[str]) -> None:
        self._mandate = mandate
        self._symbols = tuple(symbols)
        boxes = [mandate.stress.box[mandate.stress.driver(s)] for s in symbols]
        self._boxes = [(SCALE + low, SCALE + high) for low, high in boxes]
        self._horizon = mandate.stress.horizon
        self._factors = bool(mandate.stress.factors)
        self.inside = 0
        self.failures: list[Failure] = []
        self._broken: list[tuple[int, str, int, int, int]] = []

    def moved(
        self,
        bar: int,
        since: int,
        anchor: Sequence[int],
        opens: Sequence[int],
        closes: Sequence[int],
        before: Sequence[int],
        after: Sequence[int],
    ) -> None:
        """A1 at the open and the close of ``bar``, against the decision of bar ``since``; and A2.

        The horizon ends at its last open: what comes after it is no move of that decision, and
        whatever is still held then has not got out in time.

        Args:
            before, after: positions before and after the open's fills, in instrument order.
        """
        left = self._horizon - (bar - since)
        if left <= 0 and any(after):
            self.failures.append(Failure("A2", bar, "positions are held beyond the way out"))
        if left < 0:
            return
        if not self._factors:
            for start, first, last, (low, high) in zip(
                anchor, opens, closes, self._boxes, strict=True
            ):
                least, most = start * low, start * high
                if not least <= first * SCALE <= most or (
                    left and not least <= last * SCALE <= most
                ):
                    break
            else:
                self.inside += 1
                return
        held = [s for s, b, a in zip(self._symbols, before, after, strict=True) if b or a]
        text = self._outside(anchor, opens, None)
        if text is None and left:
            text = self._outside(anchor, closes, None)
        if text is None:
            self.inside += 1
            return
        exposed = self._outside(anchor, opens, held) or (
            self._outside(anchor, closes, held) if left else None
        )
        self.failures.append(Failure("A1", bar, exposed or text, exposed is not None))

    def _outside(
        self, anchor: Sequence[int], prices: Sequence[int], only: Sequence[str] | None
    ) -> str | None:
        stress = self._mandate.stress
        moves = stress.moves(
            dict(zip(self._symbols, anchor, strict=True)),
            dict(zip(self._symbols, prices, strict=True)),
        )
        return stress.outside(moves, only)

    def filled(self, fill: Fill, order: Order, market: int) -> None:
        """A3: the fee, and for the guard's own orders the slippage from the open ``market``."""
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

    def way_out(self, bar: int, orders: Sequence[Order]) -> None:
        """A2 and A5, when the guard's own ``orders`` of one act have ended."""
        if not orders:
            return
        unfilled = [o for o in orders if o.filled < o.quantity]
        for order in unfilled:
            text = f"{order.filled} of {order.quantity} of {order.instrument.symbol} got out"
            self.failures.append(Failure("A2", bar, text))
        shares = {Fraction(o.filled, o.quantity) for o in orders}
        if len(shares) > 1:
            text = f"legs closed by different shares: {', '.join(map(str, sorted(shares)))}"
            self.failures.append(Failure("A5", bar, text))

    def broken(self, bar: int, when: str, nav: int, mark: int, since: int) -> None:
        """The limit broke; ``since`` is the bar of the decision in force."""
        self._broken.append((bar, when, nav, mark, since))

    @property
    def breaches(self) -> tuple[Breach, ...]:
        """Every breach, with the assumptions that failed between its decision and its bar
        and concern what the fund held."""
        return tuple(
            Breach(
                bar,
                when,
                nav,
                mark,
                tuple(f for f in self.failures if since < f.bar <= bar and f.exposed),
            )
            for bar, when, nav, mark, since in self._broken
        )
