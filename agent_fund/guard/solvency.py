"""What the accounts allow: no borrowed cash, no spot sold that is not held, initial margin, exits.

These hold with or without a mandate's guardrails. Fills are adversarial: no sale is relied on to
pay for a purchase, and no purchase to cover a sale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Instrument, Kind
from agent_fund.domain.money import ceil_div
from agent_fund.domain.order import Proposal, Side
from agent_fund.guard.cases import Case
from agent_fund.guard.costs import Costs
from agent_fund.guard.finding import Finding

MOST_TRANSFERS = 16
"""Transfers that may be under way at once; a book is recorded with all of them."""


_NOT_SHORT = {
    Kind.SPOT: "spot cannot be sold short",
    Kind.LP_SHARE: "a share of a pool cannot be sold short",
    Kind.OPTION: "an option is sold short from a margin account: give the instrument margin terms",
}


def solvency(book: Book, proposal: Proposal, costs: Costs) -> Finding:
    """Whether cash at each place pays for what leaves it, and holdings cover every spot sale.

    Args:
        book: as held, before the proposal's transfers.
    """
    need: dict[str, int] = {}
    selling: dict[str, int] = {}
    for instrument, side, quantity, limit, whole in _trades(book, proposal):
        if instrument.margin is not None:
            continue
        if side is Side.SELL:
            selling[instrument.symbol] = selling.get(instrument.symbol, 0) + quantity
        else:
            # An open order holds its whole fee back until it ends, however much of it is filled.
            fee = costs.entry(instrument.notional(whole, limit))
            paid = instrument.notional(quantity, limit) + fee
            need[instrument.account] = need.get(instrument.account, 0) + paid
    for symbol, sold in selling.items():
        if sold > book.position(symbol):
            asset = book.instrument(symbol).base
            return Finding(
                "solvency",
                False,
                f"{asset.amount(book.position(symbol))} {asset.symbol} held",
                f"{asset.amount(sold)} {asset.symbol} to sell",
                _NOT_SHORT[book.instrument(symbol).kind],
            )
    margined = {i.account for i in book.instruments.values() if i.margin is not None}
    known = {i.account for i in book.instruments.values()}
    under_way = len(book.transit) + len(proposal.transfers)
    if proposal.transfers and under_way > MOST_TRANSFERS:
        most = f"at most {MOST_TRANSFERS} transfers under way"
        return Finding("solvency", False, most, str(under_way), "with those proposed")
    for transfer in proposal.transfers:
        if not {transfer.source, transfer.target} <= known:
            between = f"a transfer between {', '.join(sorted(known))}"
            way = f"{transfer.source} to {transfer.target}"
            return Finding("solvency", False, between, way, "the fund has no other place")
        if transfer.source not in margined:
            need[transfer.source] = need.get(transfer.source, 0) + transfer.amount
    currency = book.currency
    places = sorted(need, key=lambda place: (need[place] <= book.places.get(place, 0), place))
    place = places[0] if places else next(iter(book.places), "")
    cash, paid = book.places.get(place, 0), need.get(place, 0)
    return Finding(
        "solvency",
        paid <= cash or paid == 0,
        f"{currency.amount(cash):,.2f} {currency.symbol} of cash at {place}",
        f"{currency.amount(paid):,.2f} {currency.symbol} to pay",
        "every purchase fills whole at its limit, no sale fills",
    )


def initial_margin(
    every: Sequence[Case], book: Book, proposal: Proposal, prices: Mapping[str, int], costs: Costs
) -> Finding | None:
    """Whether each margin account carries its largest positions; None without margin accounts.

    A trade that makes no position larger and takes no money away needs none.

    Args:
        book: after the proposal's transfers.
    """
    accounts = sorted({i.account for i in book.instruments.values() if i.margin is not None})
    if not accounts:
        return None
    held = Case({s: q for s, q in book.positions.items() if q}, (), ())
    sources = {transfer.source for transfer in proposal.transfers}
    currency = book.currency
    found: list[tuple[bool, int, str, int]] = []
    for account in accounts:
        need = initial_need(every, book, account, prices)
        fees = sum(
            costs.entry(instrument.notional(quantity, max(limit, prices[instrument.symbol])))
            for instrument, _, quantity, limit, _ in _trades(book, proposal)
            if instrument.account == account
        )
        grows = need > initial_need([held], book, account, prices) or account in sources
        room = book.equity(account, prices) - need - fees
        found.append((not grows, room, account, need + fees))
    idle, room, account, need = min(found)
    equity = book.equity(account, prices)
    return Finding(
        "initial_margin",
        room >= 0 or idle,
        f"{currency.amount(equity):,.2f} {currency.symbol} of equity at {account}",
        f"{currency.amount(need):,.2f} {currency.symbol} of initial margin and fees",
        "fills as large as they can be",
    )


def initial_need(every: Sequence[Case], book: Book, account: str, prices: Mapping[str, int]) -> int:
    """Initial margin of the largest positions that ``every`` case can make at ``account``.

    An option that is held is no collateral: it needs all that it is worth, so that it is paid for
    in cash. One that is owed needs the initial rate on the notional of its underlying.
    """
    need = 0
    for symbol in sorted({s for case in every for s in case.symbols}):
        instrument = book.instruments[symbol]
        if instrument.account != account or instrument.margin is None:
            continue
        limits = [leg.limit for c in every for leg in (*c.full, *c.options) if leg.symbol == symbol]
        price = max([prices[symbol], *limits])
        if instrument.kind is Kind.OPTION:
            need += instrument.notional(max(0, *(c.span(symbol)[1] for c in every)), price)
            owed = max(case.margined(instrument) for case in every)
            notional = book.exposure(symbol, owed, prices)
        else:
            notional = instrument.notional(max(case.largest(symbol) for case in every), price)
        rate = instrument.margin.initial
        need += ceil_div(notional * rate.numerator, rate.denominator)
    return need


def exit_capacity(
    every: Sequence[Case], book: Book, proposal: Proposal, capacity: Mapping[str, int], bars: int
) -> Finding:
    """Whether every position that the trade increases can be closed in ``bars`` bars.

    Args:
        capacity: base units of each instrument that one bar can take, by the venue's
            participation cap on its recent volume.
    """
    limit = f"an exit within {bars} bar{'s' if bars > 1 else ''}"
    traded = {leg.instrument.symbol for leg in proposal.legs}
    largest = {s: max(case.largest(s) for case in every) for s in sorted(traded)}
    # What open orders may do already is not the trade's doing.
    increased = {s for s in traded if largest[s] > _largest_open(book, s)}
    for symbol in sorted(increased):
        room = capacity.get(symbol, 0) * bars
        if largest[symbol] > room:
            asset = book.instrument(symbol).base
            value = f"{asset.amount(largest[symbol])} {asset.symbol}, room {asset.amount(room)}"
            return Finding("exit_capacity", False, limit, value, "fills as large as they can be")
    value = "every position fits" if increased else "no position grows"
    return Finding("exit_capacity", True, limit, value, "fills as large as they can be")


def _largest_open(book: Book, symbol: str) -> int:
    """The largest absolute position that the open orders can make."""
    remaining = [o.signed_remaining for o in book.open_orders if o.instrument.symbol == symbol]
    held = book.position(symbol)
    low, high = (sum(end(0, q) for q in remaining) for end in (min, max))
    return max(abs(held + low), abs(held + high))


def _trades(book: Book, proposal: Proposal) -> Iterator[tuple[Instrument, Side, int, int, int]]:
    """Instrument, side, quantity still open, limit and whole quantity of all open or proposed."""
    for order in book.open_orders:
        yield order.instrument, order.side, order.remaining, order.limit, order.quantity
    for leg in proposal.legs:
        yield leg.instrument, leg.side, leg.quantity, leg.limit, leg.quantity
