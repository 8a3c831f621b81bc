"""SimulatedVenue: fills limit orders at bar opens under explicit costs, never better than them.

An order sent after the close of bar n, or while bar n opens, can fill first at the open of bar
n + 1 + latency. It pays open x (1 ± (half spread + impact)), rounded to the tick against the fund,
and fills only inside its limit. Orders of one instrument share what participation leaves in a bar,
in order of arrival, and the impact of a fill counts what the bar's earlier fills took, so
splitting an order gains nothing. A bar's volume is known to the venue alone at its open: it is the
market here, not a participant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from agent_fund.domain.money import ceil_div, require_int, require_name
from agent_fund.domain.order import Fill, Order, Side, Status
from agent_fund.execution.costs import (
    HalfSpread,
    Latency,
    Participation,
    ProportionalFee,
    SquareRootImpact,
)
from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.venue import Reconciliation, Report


@dataclass
class _Resting:
    """An order at the venue, the first bar that may fill it, its notional so far."""

    order: Order
    first_bar: int
    notional: int = 0


class SimulatedVenue:
    """The Venue of backtests; deterministic: the same calls give the same reports.

    Args:
        latency: of every instrument that ``latencies``, by symbol, does not name.
    """

    def __init__(
        self,
        name: str,
        fee: ProportionalFee,
        spread: HalfSpread,
        impact: SquareRootImpact,
        participation: Participation,
        latency: Latency,
        latencies: Mapping[str, Latency] = MappingProxyType({}),
    ) -> None:
        self._name = require_name(name, "venue name")
        self._fee = fee
        self._spread = spread
        self._impact = impact
        self._participation = participation
        self._latency = latency
        self._latencies = dict(latencies)
        self._resting: dict[str, _Resting] = {}
        self._fills: list[Fill] = []
        self._last_bar = -1

    @property
    def name(self) -> str:
        """The name of the domain Venue whose instruments trade here."""
        return self._name

    @property
    def open_orders(self) -> tuple[str, ...]:
        """ClOrdIDs of the resting orders, in order of arrival."""
        return tuple(self._resting)

    def maximum_fee(self, order: Order) -> int:
        """The fee of the whole order at its limit.

        For a sell, which may fill above its limit, it bounds nothing: a sell pays its fee out of
        what it brings, of which the fee is less than the whole.
        """
        return self._fee.maximum(order.instrument.notional(order.quantity, order.limit))

    def submit(self, order: Order, bar: int) -> Order:
        """Accept ``order`` as NEW.

        Raises:
            ExecutionError: for an instrument of another venue or an id that already rests here.
        """
        if order.instrument.venue.name != self._name:
            raise ExecutionError(
                f"order {order.order_id}", order.instrument.venue.name, f"this is {self._name}"
            )
        if order.order_id in self._resting:
            raise ExecutionError("order", order.order_id, "it rests here already")
        accepted = order.with_status(Status.NEW)
        latency = self._latencies.get(order.instrument.symbol, self._latency)
        self._resting[order.order_id] = _Resting(accepted, bar + 1 + latency.bars)
        return accepted

    def cancel(self, order_id: str, bar: int) -> Order:
        """Cancel at once.

        Raises:
            ExecutionError: if no such order rests here. This venue loses no report, so it is
                asked for one only by mistake.
        """
        resting = self._resting.pop(order_id, None)
        if resting is None:
            raise ExecutionError("cancel", order_id, "no such order rests here")
        return resting.order.with_status(Status.CANCELED)

    def settle(self, order_id: str) -> None:
        """Forget the order."""
        self._resting.pop(order_id, None)

    def on_open(
        self, bar: int, opens: Mapping[str, int], volumes: Mapping[str, int]
    ) -> Sequence[Report]:
        """The fills at the open of ``bar``; see the module's docstring for the rules.

        Args:
            bar: number of the bar, above that of every earlier call with resting orders.
            opens: price units by symbol; an absent instrument does not trade in this bar.
            volumes: base units by symbol; every instrument with an open needs one.

        Raises:
            ExecutionError: for a bar that has been opened before.
            DomainError: for an open that is not a positive int, or lacks a volume.
        """
        if not self._resting:
            return ()
        if bar <= self._last_bar:
            raise ExecutionError("bar", bar, f"bar {self._last_bar} has been opened already")
        for symbol, units in opens.items():
            require_int(units, f"open of {symbol}", minimum=1)
            require_int(volumes.get(symbol), f"volume of {symbol}", minimum=0)
        self._last_bar = bar
        taken: dict[str, int] = {}
        fills: list[Fill] = []
        for resting in list(self._resting.values()):
            symbol = resting.order.instrument.symbol
            price = opens.get(symbol)
            if price is None or bar < resting.first_bar:
                continue
            volume, earlier = volumes[symbol], taken.get(symbol, 0)
            quantity = self._quantity(resting.order, price, volume, earlier)
            if quantity:
                fill_price = self._price(resting.order, price, volume, earlier + quantity)
                fills.append(self._fill(resting, quantity, fill_price, bar, len(fills)))
                taken[symbol] = earlier + quantity
        self._fills.extend(fills)
        return fills

    def reconcile(self, since: int) -> Reconciliation:
        """The resting orders, and every fill in bar ``since`` or later."""
        return Reconciliation(
            tuple(resting.order for resting in self._resting.values()),
            tuple(fill for fill in self._fills if fill.bar >= since),
        )

    def _quantity(self, order: Order, price: int, volume: int, earlier: int) -> int:
        """The largest quantity in whole lots that the cap and the limit price admit."""
        if (price - order.limit) * order.side.sign > 0:
            return 0
        lot = order.instrument.lot
        left = self._participation.cap(volume, lot) - earlier
        low, high = 0, min(order.remaining, left) // lot
        if high <= 0:
            return 0
        if self._inside(order, price, volume, earlier + high * lot):
            return high * lot
        # The price does not improve with quantity, so the lots that are inside come first.
        while low + 1 < high:
            middle = (low + high) // 2
            if self._inside(order, price, volume, earlier + middle * lot):
                low = middle
            else:
                high = middle
        return low * lot

    def _inside(self, order: Order, price: int, volume: int, taken: int) -> bool:
        fill_price = self._price(order, price, volume, taken)
        return (fill_price - order.limit) * order.side.sign <= 0

    def _price(self, order: Order, price: int, volume: int, taken: int) -> int:
        """The price once the bar gave the fund ``taken``, on the tick, rounded against it."""
        slip = self._spread.share + self._impact.share(taken, volume)
        tick = order.instrument.tick
        exact = Fraction(price) * (1 + order.side.sign * slip) / tick
        if order.side is Side.BUY:
            return ceil_div(exact.numerator, exact.denominator) * tick
        return exact.numerator // exact.denominator * tick

    def _fill(self, resting: _Resting, quantity: int, price: int, bar: int, number: int) -> Fill:
        order = resting.order
        notional = order.instrument.notional(quantity, price)
        fill = Fill(
            exec_id=f"{self._name}-{bar}-{number}",
            order_id=order.order_id,
            instrument=order.instrument,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=self._fee.charge(resting.notional, notional),
            bar=bar,
        )
        resting.order = order.with_fill(fill)
        resting.notional += notional
        if resting.order.status is Status.FILLED:
            del self._resting[order.order_id]
        return fill
