"""A price-time book: the best price first, at one price the earliest; partial fills."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from decimal import Decimal

from agent_fund.devnet.exchange.orders import Order

_Key = tuple[Decimal, int]


class Book:
    """The resting orders of one symbol."""

    def __init__(self) -> None:
        self._sides: dict[bool, tuple[list[_Key], list[Order]]] = {
            True: ([], []),
            False: ([], []),
        }
        self._arrivals = 0

    def rest(self, order: Order) -> None:
        """Put ``order`` behind those that are as good."""
        keys, orders = self._sides[order.buy]
        self._arrivals += 1
        key = (-order.price if order.buy else order.price, self._arrivals)
        at = bisect.bisect(keys, key)
        keys.insert(at, key)
        orders.insert(at, order)

    def remove(self, order: Order) -> None:
        """Take ``order`` out, if it is there."""
        keys, orders = self._sides[order.buy]
        if order in orders:
            at = orders.index(order)
            del keys[at], orders[at]

    def crossing(self, order: Order) -> Iterator[Order]:
        """The resting orders that ``order`` may trade with, best first; take out what has ended."""
        orders = self._sides[not order.buy][1]
        while orders and order.left:
            best = orders[0]
            if (best.price > order.price) if order.buy else (best.price < order.price):
                return
            yield best

    def levels(self, buy: bool, limit: int) -> list[tuple[Decimal, Decimal]]:
        """(price, quantity) of the best ``limit`` prices of one side."""
        found: list[tuple[Decimal, Decimal]] = []
        for order in self._sides[buy][1]:
            if found and found[-1][0] == order.price:
                found[-1] = (order.price, found[-1][1] + order.left)
            elif len(found) == limit:
                break
            else:
                found.append((order.price, order.left))
        return found

    def resting(self, buy: bool) -> list[Order]:
        """The orders of one side, best first."""
        return list(self._sides[buy][1])
