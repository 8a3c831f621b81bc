"""What a spot account allows: no borrowed cash, nothing sold that is not held, a way out in time.

These hold with or without a mandate's guardrails. Fills are adversarial: no sale is relied on to
pay for a purchase, and no purchase to cover a sale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument
from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.costs import Costs
from agent_fund.guard.finding import Finding


def solvency(book: Book, proposal: Proposal, costs: Costs) -> Finding:
    """Whether cash pays for every open and proposed purchase, and holdings cover every sale."""
    need = 0
    for instrument, quantity, limit in _trades(book, proposal, Side.BUY):
        notional = instrument.notional(quantity, limit)
        need += notional + costs.entry(notional)
    selling: dict[str, int] = {}
    for instrument, quantity, _ in _trades(book, proposal, Side.SELL):
        selling[instrument.symbol] = selling.get(instrument.symbol, 0) + quantity
    for symbol, quantity in selling.items():
        if quantity > book.position(symbol):
            asset = book.instrument(symbol).base
            return Finding(
                "solvency",
                False,
                f"{asset.amount(book.position(symbol))} {asset.symbol} held",
                f"{asset.amount(quantity)} {asset.symbol} to sell",
                "spot cannot be sold short",
            )
    currency = book.currency
    return Finding(
        "solvency",
        need <= book.cash or need == 0,
        f"{currency.amount(book.cash):,} {currency.symbol} of cash",
        f"{currency.amount(need):,} {currency.symbol} to pay",
        "every purchase fills whole at its limit, no sale fills",
    )


def exit_capacity(
    book: Book, proposal: Proposal, capacity: Mapping[str, int], bars: int
) -> Finding:
    """Whether every position that the trade increases can be closed in ``bars`` bars.

    Args:
        capacity: base units of each instrument that one bar can take, by the venue's
            participation cap on its recent volume.
    """
    limit = f"an exit within {bars} bar{'s' if bars > 1 else ''}"
    largest: dict[str, int] = {}
    for instrument, quantity, _ in _trades(book, proposal, Side.BUY):
        symbol = instrument.symbol
        largest[symbol] = largest.get(symbol, book.position(symbol)) + quantity
    increased = {leg.instrument.symbol for leg in proposal.legs if leg.side is Side.BUY}
    for symbol in sorted(increased):
        room = capacity.get(symbol, 0) * bars
        if largest[symbol] > room:
            asset = book.instrument(symbol).base
            value = f"{asset.amount(largest[symbol])} {asset.symbol}, room {asset.amount(room)}"
            return Finding("exit_capacity", False, limit, value, "every purchase fills whole")
    value = "every position fits" if increased else "no position grows"
    return Finding("exit_capacity", True, limit, value, "every purchase fills whole")


def _trades(book: Book, proposal: Proposal, side: Side) -> Iterator[tuple[Instrument, int, int]]:
    """Instrument, quantity and limit of everything open or proposed on ``side``."""
    for order in book.open_orders:
        if order.side is side:
            yield order.instrument, order.remaining, order.limit
    for leg in proposal.legs:
        if leg.side is side:
            yield leg.instrument, leg.quantity, leg.limit
