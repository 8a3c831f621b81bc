"""The matching engine: orders of the customer and the market maker meet in price-time order.

Client ids follow Binance: two open orders may not share one, but one that ended, filled or not,
may be used again. So a client id alone never makes a placement idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from agent_fund.devnet.exchange.book import Book
from agent_fund.devnet.exchange.clearing import Clearing
from agent_fund.devnet.exchange.orders import Closing, Order, Trade
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.symbols import Symbol

MAX_CLIENT_ID = 36


class Engine:
    """All orders and trades of one account in some symbols.

    Args:
        clock: Unix milliseconds.

    Attributes:
        orders: the customer's, by order id, in the order of arrival. ``trades``: the customer's.
        beyond: by how much beyond its limit the customer's next taking order is filled, for tests
            of who relies on limits; then 0 again.
    """

    def __init__(
        self, symbols: Iterable[Symbol], clearing: Clearing, clock: Callable[[], int]
    ) -> None:
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.clearing = clearing
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.books = {name: Book() for name in self.symbols}
        self._clock = clock
        self._order_ids = 0
        self._trade_ids = 0
        self._by_client: dict[str, Order] = {}
        self._countdown: dict[str, int] = {}
        self.beyond = Decimal(0)

    def symbol(self, name: str) -> Symbol:
        """The listed symbol.

        Raises:
            Refusal: if there is none.
        """
        if name not in self.symbols:
            raise Refusal(-1121, "Invalid symbol.")
        return self.symbols[name]

    def place(
        self,
        symbol: Symbol,
        client_id: str,
        buy: bool,
        price: Decimal,
        quantity: Decimal,
        good: str,
        reduce_only: bool = False,
    ) -> Order:
        """Accept, match and rest an order of the customer.

        Raises:
            Refusal: for a filter, a balance, or a client id of an open order.
        """
        if not 1 <= len(client_id) <= MAX_CLIENT_ID:
            raise Refusal(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
        if symbol.status != "TRADING":
            raise Refusal(-1013, "Market is closed.")
        if (failed := symbol.failure(price, quantity, reduce_only)) is not None:
            raise Refusal(-1013, f"Filter failure: {failed}")
        known = self._by_client.get(client_id)
        if known is not None and known.open:
            raise Refusal(-2010, "Duplicate order sent.")
        order = self._new(symbol, client_id, buy, price, quantity, good, ours=True)
        order.reduce_only = reduce_only
        self.clearing.reserve(order)
        self.orders[order.order_id] = order
        self._by_client[client_id] = order
        self.match(order)
        return order

    def quote(
        self, symbol: Symbol, buy: bool, price: Decimal, quantity: Decimal, closed: str = ""
    ) -> Order:
        """The market maker's order; it may fill resting orders of the customer at their prices.

        Args:
            closed: a stranger whom the exchange liquidates by it; empty for an ordinary order.
        """
        order = self._new(symbol, "", buy, price, quantity, "GTC", ours=False)
        if closed:
            order.closing, order.closed = Closing.LIQUIDATION, closed
        self.match(order)
        return order

    def close(
        self,
        symbol: Symbol,
        buy: bool,
        price: Decimal,
        quantity: Decimal,
        closing: Closing,
        number: int,
        customer: str,
    ) -> Order:
        """The exchange's own order: filled wholly at ``price``, whatever the book and the balance.

        Args:
            number: makes its client id another than that of an earlier liquidation.
        """
        client_id = closing.value
        if closing is Closing.LIQUIDATION:
            client_id += f"{self._clock()}{number:06}"
        order = self._new(symbol, client_id, buy, price, quantity, "IOC", ours=True)
        order.closing, order.closed = closing, customer
        self.orders[order.order_id] = order
        self._by_client[client_id] = order
        self._fill(order, price, quantity, maker=False, other=order)
        return order

    def match(self, order: Order) -> None:
        """Trade with what crosses; then rest, or expire if the order must not rest."""
        book = self.books[order.symbol.name]
        if order.good == "FOK" and self._crossing(order) < order.quantity:
            self._end(order, "EXPIRED")
            return
        for resting in book.crossing(order):
            quantity = min(order.left, resting.left)
            self._fill(resting, resting.price, quantity, maker=True, other=order)
            price = resting.price
            if order.ours and self.beyond:
                price = order.price + (self.beyond if order.buy else -self.beyond)
                self.beyond = Decimal(0)
            self._fill(order, price, quantity, maker=False, other=resting)
            if not resting.left:
                book.remove(resting)
        if order.left and order.good == "GTC":
            book.rest(order)
        elif order.left:
            self._end(order, "EXPIRED")

    def find(self, order_id: int | None, client_id: str | None) -> Order:
        """By order id, else the latest order with the client id.

        Raises:
            Refusal: if there is none.
        """
        self.expire()
        found = self.orders.get(order_id) if order_id else self._by_client.get(client_id or "")
        if found is None:
            raise Refusal(-2013, "Order does not exist.")
        return found

    def cancel(self, order: Order) -> None:
        """Take an open order out.

        Raises:
            Refusal: if it is not open.
        """
        if not order.open:
            raise Refusal(-2011, "Unknown order sent.")
        self.books[order.symbol.name].remove(order)
        self._end(order, "CANCELED")

    def withdraw(self, symbol: Symbol) -> None:
        """Take the market maker's orders out."""
        book = self.books[symbol.name]
        for order in (*book.resting(True), *book.resting(False)):
            if not order.ours:
                book.remove(order)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """The customer's open orders."""
        self.expire()
        wanted = [order for order in self.orders.values() if order.open]
        return [order for order in wanted if symbol in (None, order.symbol.name)]

    def arm(self, symbol: str, at: int | None) -> None:
        """Cancel everything in ``symbol`` at ``at`` (Unix ms), unless armed anew; None disarms."""
        self.expire()
        if at is None:
            self._countdown.pop(symbol, None)
        else:
            self._countdown[symbol] = at

    def expire(self) -> None:
        """Do what timers that ran out ask for; called before anything is looked at."""
        now = self._clock()
        for symbol in [name for name, at in self._countdown.items() if at <= now]:
            del self._countdown[symbol]
            for order in [o for o in self.orders.values() if o.open and o.symbol.name == symbol]:
                self.cancel(order)

    def _new(
        self,
        symbol: Symbol,
        client_id: str,
        buy: bool,
        price: Decimal,
        quantity: Decimal,
        good: str,
        *,
        ours: bool,
    ) -> Order:
        self._order_ids += 1
        now = self._clock()
        return Order(
            self._order_ids, client_id, symbol, buy, price, quantity, good, now, ours, updated=now
        )

    def _crossing(self, order: Order) -> Decimal:
        side = self.books[order.symbol.name].resting(not order.buy)
        inside = [o for o in side if (o.price - order.price) * (1 if order.buy else -1) <= 0]
        return sum((o.left for o in inside), Decimal(0))

    def _fill(
        self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool, other: Order
    ) -> None:
        order.executed += quantity
        order.quote += price * quantity
        order.status = "PARTIALLY_FILLED" if order.left else "FILLED"
        order.updated = self._clock()
        if not order.ours:
            return
        settled = self.clearing.settle(order, price, quantity, maker)
        cause = next((side for side in (order, other) if side.closing is not None), None)
        self._trade_ids += 1
        self.trades.append(
            Trade(
                self._trade_ids,
                order,
                price,
                quantity,
                settled.commission,
                settled.asset,
                settled.realized,
                order.updated,
                maker,
                settled.held,
                cause,
            )
        )

    def _end(self, order: Order, status: str) -> None:
        order.status = status
        order.updated = self._clock()
        if order.ours:
            self.clearing.release(order)
