"""The statement: the Book that the balances of a fund's accounts make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent_fund.domain.book import Book
from agent_fund.domain.order import Order
from agent_fund.domain.transfer import Transit
from agent_fund.execution.account import Account, Bucket
from agent_fund.execution.places import Places


def statement(
    empty: Book,
    places: Places,
    balances: Mapping[Account, int],
    open_orders: tuple[Order, ...],
    transit: Iterable[Transit],
) -> Book:
    """Positions and cash; the latter by place, in the order of the instruments, 0 where none is.

    Args:
        empty: a book of the fund's currency and instruments.
        balances: base units by account; those outside are not the fund's.
        transit: the transfers that make up what is in transit.
    """
    positions: dict[str, int] = {}
    cash_at = dict.fromkeys(places.names, 0)
    cash = 0
    for account, units in balances.items():
        if not account.own:
            continue
        if account.asset != empty.currency:
            symbol = places.symbol(account.place, account.asset)
            positions[symbol] = positions.get(symbol, 0) + units
            continue
        cash += units
        if account.bucket is not Bucket.IN_TRANSIT:
            cash_at[account.place] += units
    return Book(
        empty.currency,
        cash,
        empty.instruments,
        positions,
        open_orders,
        cash_at,
        tuple(transit),
    )
