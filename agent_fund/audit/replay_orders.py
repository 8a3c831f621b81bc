"""Orders and fills replayed: every order is an admitted leg, every fill one that it allows.

An order follows its guard record at once, leg by leg, under the id that the rules give it. It
lives as long as the run file says, fills at the venue's fee and no better than the market, and a
leg that waits for another has nothing to fill before that one is filled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agent_fund.audit.errors import AuditError
from agent_fund.audit.replay_terms import RunTerms
from agent_fund.audit.schema import number
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Fill, Order, Purpose, Side, Status
from agent_fund.execution.order_id import client_order_id
from agent_fund.fund.monitor import Monitor

_ENDS = (Status.CANCELED, Status.EXPIRED, Status.REJECTED)


class OrderReplay:
    """The orders that may still fill, in the order in which they were sent.

    Attributes:
        open: by id.
    """

    def __init__(
        self, instruments: Mapping[str, Instrument], terms: RunTerms, monitor: Monitor
    ) -> None:
        self.open: dict[str, Order] = {}
        self._instruments = instruments
        self._terms = terms
        self._monitor = monitor
        self._expected: list[Order] = []
        self._verdict = self._leg = -1
        self._first_bar: dict[str, int] = {}
        self._paid: dict[str, int] = {}
        self._execs: set[tuple[str, str]] = set()  # venue and exec id
        self._fills: list[tuple[Fill, Order]] = []
        self._way_out: dict[str, Order] = {}
        # A way out that ended at an open whose mark row is not read yet.
        self._over: list[Order] | None = None
        self._marked = -1
        self._dead: set[str | None] = set()
        self._canceled = ""
        # An order that a person has settled, until its status record is read.
        self._settled = ""
        # The bar in which an order's venue was last in doubt of it, or was so no more.
        self._doubted: dict[str, int] = {}

    def expect(self, index: int, record: Mapping[str, Any], leaf: bytes, purpose: Purpose) -> None:
        """The orders that must follow the guard record at ``index``, and no others.

        Args:
            leaf: leaf hash of the record that the order ids are made from.
        """
        self._verdict, self._leg, orders = index, -1, list[Order]()
        for leg, stated in enumerate(record["legs"]):
            waits_for = orders[-1].order_id if orders and record.get("ordered") else None
            orders.append(
                Order(
                    client_order_id(leaf, leg, 0),
                    self._instruments[stated["instrument"]],
                    Side(stated["side"]),
                    number(stated["quantity"]),
                    number(stated["limit"]),
                    purpose,
                    self._terms.expires(stated["instrument"], record["bar"], purpose),
                    waits_for,
                )
            )
        self._expected = orders
        if purpose is not Purpose.AGENT:
            self._way_out = {order.order_id: order for order in orders}

    def require_complete(self, kind: str) -> None:
        """No record but an order comes before the last order of a verdict."""
        if self._expected:
            raise AuditError("record", kind, f"{len(self._expected)} orders must come first")
        if self._settled and kind != "status":
            raise AuditError("record", kind, f"order {self._settled} was settled: it ends first")

    def order(self, record: Mapping[str, Any], bar: int) -> None:
        """An order is the next one that its verdict lets through."""
        if not self._expected or record["guard"] != self._verdict:
            raise AuditError("order", record["id"], "no verdict covers it")
        order = self._expected.pop(0)
        self._leg += 1
        admitted = {
            "id": order.order_id,
            "instrument": order.instrument.symbol,
            "side": order.side.value,
            "quantity": str(order.quantity),
            "limit": str(order.limit),
            "purpose": order.purpose.value,
        }
        if any(record[key] != value for key, value in admitted.items()):
            raise AuditError("order", record["id"], "it is not the admitted leg")
        if record["leg"] != self._leg or record["waits_for"] != (order.waits_for or ""):
            raise AuditError("order", record["id"], "its place among the legs is another")
        if record["expires"] != order.expires:
            raise AuditError("order", record["expires"], "the run file gives it another life")
        self.open[order.order_id] = order
        if order.waits_for is None:
            self._first_bar[order.order_id] = self._terms.first_bar(order.instrument.symbol, bar)

    def fill(self, record: Mapping[str, Any], bar: int) -> Fill:
        """A fill of an open order at the open of ``bar``, at the venue's fee."""
        order = self.open.get(record["order"])
        key = ("" if order is None else order.instrument.venue.name, record["exec"])
        if order is None or key in self._execs:
            raise AuditError("fill", record["exec"], "no open order of that id, or a duplicate")
        if order.order_id not in self._first_bar:
            raise AuditError("fill", record["exec"], "the leg before it is not filled")
        fill = Fill(
            record["exec"],
            order.order_id,
            order.instrument,
            order.side,
            number(record["quantity"]),
            number(record["price"]),
            number(record["fee"]),
            record["bar"],
        )
        # A real venue may confirm a fill after the order's last bar; until then it is counted.
        last = bar if self._terms.live else order.expires
        if fill.bar != bar or not self._first_bar[order.order_id] <= bar <= last:
            raise AuditError("fill", fill.bar, f"bar {bar} comes next")
        before = self._paid.get(order.order_id, 0)
        self._terms.require_fee(fill, before)
        self._paid[order.order_id] = before + order.instrument.notional(fill.quantity, fill.price)
        self._execs.add(key)
        self._fills.append((fill, order))
        self._put(order.with_fill(fill), bar)
        return fill

    def opened(self, bar: int, market: Mapping[str, int]) -> None:
        """``bar`` opened at the prices ``market``, which its fills had to face."""
        self._marked = bar
        for fill, order in self._fills:
            if fill.bar != bar:
                raise AuditError("mark", bar, f"fill {fill.exec_id} is of bar {fill.bar}")
            self._terms.require_price(fill, market[fill.instrument.symbol])
            self._monitor.filled(fill, order, market)
        self._fills = []
        if self._over is not None:
            self._monitor.way_out(bar, self._over)
            self._over = None

    def status(self, record: Mapping[str, Any], liquidated: Collection[str] = ()) -> None:
        """An order ended without being filled.

        Args:
            liquidated: margin accounts whose venues have just closed them, orders included.
        """
        order, status = self.open.get(record["order"]), Status(record["status"])
        if order is None:
            raise AuditError("status", record["order"], "no open order of that id")
        if self._settled not in ("", order.order_id) or (
            self._settled and status is not Status.CANCELED
        ):
            raise AuditError("status", record, f"order {self._settled} was settled: it is canceled")
        self._settled = ""
        if status.open and self._terms.live:
            self._doubt(order, status, record["bar"])
            return
        gone = status is Status.CANCELED and order.instrument.account in liquidated
        if gone:
            self._way_out.pop(order.order_id, None)
        elif self._terms.live:
            pass  # a real venue may refuse or end any order
        elif order.purpose is not Purpose.AGENT and status is not Status.EXPIRED:
            raise AuditError("status", record["status"], "nobody cancels the guard's own orders")
        if status is Status.CANCELED and order.waits_for not in self._dead and not gone:
            self._canceled = order.order_id
        margined = order.instrument.margin is not None
        refusable = margined or self._terms.live
        filled = order.filled and not self._terms.live
        if status is Status.REJECTED and (filled or not refusable):
            raise AuditError("status", record["status"], "a venue rejects for want of margin only")
        # A leg whose predecessor expires is cancelled in its own last bar.
        if status not in _ENDS or (status is Status.EXPIRED and record["bar"] < order.expires):
            raise AuditError("status", record["status"], f"its last bar is {order.expires}")
        self._put(order.with_status(status), record["bar"])
        if gone:
            self._judge(record["bar"])

    def _doubt(self, order: Order, status: Status, bar: int) -> None:
        """A real venue does not know what became of an order, or knows it again."""
        known = Status.PARTIAL if order.filled else Status.NEW
        told = known if order.status is Status.UNKNOWN else Status.UNKNOWN
        if status is not told:
            raise AuditError("status", status.value, f"of this order it could be {told.value}")
        self.open[order.order_id] = order.with_status(status)
        self._doubted[order.order_id] = bar

    def settle(self, order_id: str, bar: int) -> None:
        """A person ends an order in doubt since before this bar: its status record follows."""
        order = self.open.get(order_id)
        if order is None or order.status is not Status.UNKNOWN:
            raise AuditError("settle", order_id, "no open order of that id is in doubt")
        if self._doubted[order_id] >= bar:
            raise AuditError("settle", order_id, "its venue is asked again at the next open")
        self._settled = order_id

    def end_bar(self, bar: int, act: str, *, killed: bool) -> None:
        """What was to live no longer than ``bar`` has ended; a cancel had its reason.

        Args:
            act: the look, reduce or kill that the bar saw, if any. ``killed``: nothing of the
                agent's may be left open.
        """
        if self._canceled and not act and not self._terms.live:
            raise AuditError("order", self._canceled, "only the guard or a kill cancels")
        self._canceled = ""
        for order in self.open.values():
            if killed and order.purpose is Purpose.AGENT and not self._terms.live:
                raise AuditError("order", order.order_id, "a kill cancels it")
            if order.expires <= bar and not self._terms.live:
                raise AuditError("order", order.order_id, f"it ends in bar {order.expires}")

    def _put(self, order: Order, bar: int) -> None:
        if order.status.open:
            self.open[order.order_id] = order
            return
        del self.open[order.order_id]
        if order.status is not Status.FILLED:
            self._dead.add(order.order_id)
        if order.status is Status.FILLED:
            for waiting in self.open.values():
                if waiting.waits_for == order.order_id:
                    symbol = waiting.instrument.symbol
                    self._first_bar[waiting.order_id] = self._terms.first_bar(symbol, bar)
        if order.order_id in self._way_out:
            self._way_out[order.order_id] = order
            self._judge(bar)

    def forced(self, account: str, bar: int) -> None:
        """A real venue closed a position there: what is left of a way out is judged without it."""
        left = {k: o for k, o in self._way_out.items() if o.instrument.account != account}
        if len(left) < len(self._way_out):
            self._way_out = left
            self._judge(bar)

    def _judge(self, bar: int) -> None:
        """The monitor judges a way out that is over."""
        if self._way_out and all(not ended.status.open for ended in self._way_out.values()):
            over, self._way_out = list(self._way_out.values()), {}
            if bar > self._marked:
                self._over = over
            else:
                self._monitor.way_out(bar, over)
