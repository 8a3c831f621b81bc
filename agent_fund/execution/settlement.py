"""The ledger entries of what moves without an order: funding, liquidations, transfers, and what a
person adjusts."""

from __future__ import annotations

from collections.abc import Mapping

from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import require_int
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Transit
from agent_fund.execution.account import OUTSIDE, Account, Bucket
from agent_fund.execution.entry import Entry, Posting
from agent_fund.execution.errors import LedgerError


def funding_entry(event: Funding) -> Entry:
    """The payment, between the margin account and the holders of the other side.

    Raises:
        LedgerError: for an amount of 0; such an event is left out.
    """
    instrument = event.instrument
    margin = Account(instrument.account, instrument.quote, Bucket.MARGIN)
    outside = Account(OUTSIDE, instrument.quote, Bucket.FUNDING)
    entry_id = f"funding {instrument.venue.name} {instrument.symbol} {event.bar}"
    return Entry(entry_id, "funding", move(outside, margin, event.amount))


def liquidation_entry(event: Liquidation) -> Entry:
    """The contracts go to the market at the mark; the fee is taken, the cover comes in.

    Raises:
        DomainError: for a negative fee or cover.
    """
    instrument = event.instrument
    name = f"{instrument.venue.name} {instrument.symbol} "
    name += event.exec_id or f"{event.bar} {event.when}"
    require_int(event.fee, f"fee of liquidation {name}", minimum=0)
    require_int(event.cover, f"cover of liquidation {name}", minimum=0)
    notional = instrument.notional(event.quantity, event.mark)
    place, base, quote = instrument.account, instrument.base, instrument.quote
    movements = (
        (Account(place, base, Bucket.MARGIN), -event.quantity),
        (Account(OUTSIDE, base, Bucket.MARKET), event.quantity),
        (Account(place, quote, Bucket.MARGIN), notional - event.fee + event.cover),
        (Account(OUTSIDE, quote, Bucket.MARKET), -notional),
        (Account(OUTSIDE, quote, Bucket.FEES), event.fee),
        (Account(OUTSIDE, quote, Bucket.INSURANCE), -event.cover),
    )
    postings = tuple(Posting(account, units) for account, units in movements if units)
    return Entry(f"liquidation {name}", "liquidation", postings)


def departure_entry(transit: Transit, currency: Asset, free: Bucket) -> Entry:
    """Out of ``free`` at the source; in transit at the target from now on."""
    transfer = transit.transfer
    source = Account(transfer.source, currency, free)
    moved = move(source, _under_way(transit, currency), transfer.amount)
    return Entry(f"transfer {transit.transfer_id}", "transfer", moved)


def arrival_entry(transit: Transit, currency: Asset, place: str, free: Bucket, units: int) -> Entry:
    """``units`` into ``free`` at ``place``, the target or again the source; the rest was the price.

    Raises:
        LedgerError: if more arrives than left.
    """
    amount = transit.transfer.amount
    if not 0 <= units <= amount:
        fix = f"at most the {amount} that left; what is more stays unbooked"
        raise LedgerError(f"arrival of {transit.transfer_id}", units, fix)
    movements = (
        (_under_way(transit, currency), -amount),
        (Account(place, currency, free), units),
        (Account(OUTSIDE, currency, Bucket.FEES), amount - units),
    )
    postings = tuple(Posting(account, moved) for account, moved in movements if moved)
    return Entry(f"arrive {transit.transfer_id}", "arrival", postings)


def adjustment_entry(place: str, units: Mapping[Asset, int], free: Bucket, entry_id: str) -> Entry:
    """What a person found at ``place`` more or less than the books, against nobody in particular.

    Raises:
        LedgerError: if it moves nothing, or an amount is 0.
    """
    postings: list[Posting] = []
    for asset, more in units.items():
        outside = Account(OUTSIDE, asset, Bucket.ADJUSTMENT)
        postings += move(outside, Account(place, asset, free), more)
    return Entry(entry_id, "adjustment", tuple(postings))


def move(source: Account, target: Account, units: int) -> tuple[Posting, ...]:
    """``units`` of one asset from one account to another."""
    return Posting(source, -units), Posting(target, units)


def _under_way(transit: Transit, currency: Asset) -> Account:
    return Account(transit.transfer.target, currency, Bucket.IN_TRANSIT)
