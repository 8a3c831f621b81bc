"""What a spot account allows: no borrowed cash, nothing sold that is not held, a way out in time.

These hold with or without a mandate's guardrails. Fills are adversarial: no sale is relied on to
pay for a purchase, and no purchase to cover a sale.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.domain.book import Book
from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.costs import Costs
from agent_fund.guard.finding import Finding


def solvency(book: Book, proposal: Proposal, costs: Costs) -> Finding:
    """Whether cash pays for every open and proposed purchase, and holdings cover every sale."""
    need = 0
    selling: dict[str, int] = {}
    for order in book.open_orders:
        if order.side is Side.BUY:
            notional = order.instrument.notional(order.remaining, order.limit)
            need += notional + costs.entry(notional)
        else:
            symbol = order.instrument.symbol
            selling[symbol] = selling.get(symbol, 0) + order.remaining
    for leg in proposal.legs:
        if leg.side is Side.BUY:
            notional = leg.instrument.notional(leg.quantity, leg.limit)
            need += notional + costs.entry(notional)
        else:
            symbol = leg.instrument.symbol
            selling[symbol] = selling.get(symbol, 0) + leg.quantity
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
        f"{currency.amount(book.cash)} {currency.symbol} of cash",
        f"{currency.amount(need)} {currency.symbol} to pay",
        "every purchase fills whole at its limit, no sale fills",
    )


def exit_capacity(
    book: Book, proposal: Proposal, capacity: Mapping[str, int], bars: int
) -> Finding:
    """Whether every position the trade can make can be closed in ``bars`` bars.

    Args:
        capacity: base units of each instrument that one bar can take, by the venue's
            participation cap on its recent volume.
    """
    grown: dict[str, int] = {}
    for order in book.open_orders:
        if order.side is Side.BUY:
            grown[order.instrument.symbol] = grown.get(order.instrument.symbol, 0) + order.remaining
    increases = {leg.instrument.symbol for leg in proposal.legs if leg.side is Side.BUY}
    for leg in proposal.legs:
        if leg.side is Side.BUY:
            grown[leg.instrument.symbol] = grown.get(leg.instrument.symbol, 0) + leg.quantity
    worst = ""
    holds = True
    for symbol in sorted(increases):
        largest = book.position(symbol) + grown[symbol]
        room = capacity.get(symbol, 0) * bars
        asset = book.instrument(symbol).base
        text = f"{asset.amount(largest)} {asset.symbol}, room {asset.amount(room)}"
        if largest > room:
            return Finding("exit_capacity", False, f"an exit within {bars} bar(s)", text, symbol)
        worst = worst or text
    return Finding(
        "exit_capacity", holds, f"an exit within {bars} bar(s)", worst or "no increase", "any fills"
    )
