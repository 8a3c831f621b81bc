"""Ledger: double entry; whatever the fund owns stands in one bucket at one of its places.

Every entry sums to zero for every asset, none takes an own balance below zero but in a margin
account, and an entry id counts once. What is reserved is at every moment what the open spot orders
need: what a fill below a buy's limit saves is available with that very fill, the unspent part of
the maximum fee when the order ends. A margin account answers for its orders as a whole, at marks
that are not known here: ``clearing`` judges its room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.domain.settlement import Funding, Liquidation
from agent_fund.domain.transfer import Arrival, Transit
from agent_fund.execution.account import OUTSIDE, Account, Bucket, TradeAccounts
from agent_fund.execution.balances import Balances
from agent_fund.execution.entry import Entry, EntryRecord, Posting
from agent_fund.execution.errors import LedgerError
from agent_fund.execution.places import Places
from agent_fund.execution.reservation import Reservation
from agent_fund.execution.settlement import (
    adjustment_entry,
    arrival_entry,
    departure_entry,
    funding_entry,
    liquidation_entry,
    move,
)
from agent_fund.execution.statement import statement


class Ledger:
    """The fund's own record of what it holds; agents and venues are never asked instead.

    Args:
        currency: the asset in which every instrument is quoted.
        instruments: every instrument the fund may hold, by symbol.

    Raises:
        DomainError: if an instrument is quoted in another asset.
        LedgerError: if no such fund can be kept; see Places.
    """

    def __init__(self, currency: Asset, instruments: Mapping[str, Instrument]) -> None:
        self._empty = Book(currency, 0, instruments)
        self._places = Places(currency, self._empty.instruments)
        self._accounts = {
            (symbol, side): TradeAccounts.of(instrument, side)
            for symbol, instrument in self._empty.instruments.items()
            for side in Side
        }
        self._balances = Balances(self._places.require_shown)
        self._reservations: dict[str, Reservation] = {}
        self._transits: dict[str, Transit] = {}
        self._book: Book | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry, in the order in which they were posted."""
        return tuple(self._balances.entries)

    def balances(self) -> dict[Account, int]:
        """Base units by account, those outside included; each asset's sum is zero."""
        return self._balances.all()

    def balance(self, place: str, asset: Asset, bucket: Bucket) -> int:
        """Base units in one account; 0 if nothing was ever posted to it."""
        return self._balances.of(Account(place, asset, bucket))

    def reserved(self, order_id: str) -> int:
        """Base units that the order still holds back; 0 once it has ended."""
        reservation = self._reservations.get(order_id)
        return reservation.units if reservation else 0

    def has_reserved(self, order_id: str) -> bool:
        """Whether the order was ever reserved for; such an id is never sent again."""
        return self._balances.knows(f"reserve {order_id}")

    def has_fill(self, fill: Fill) -> bool:
        """Whether the fill, keyed by venue and exec id, is in the books.

        Raises:
            LedgerError: if another fill with this key is.
        """
        return self._balances.repeated(_fill_id(fill), fill)

    def margined(self, place: str) -> bool:
        """Whether ``place`` is a margin account.

        Raises:
            LedgerError: if the fund has no such place.
        """
        return self._places.free(place) is Bucket.MARGIN

    def deposit(self, asset: Asset, amount: int, place: str, entry_id: str) -> bool:
        """Capital comes in: ``amount`` base units. False if the entry is a repetition.

        Raises:
            LedgerError: if no book could show the asset at that place.
        """
        require_int(amount, f"deposit of {asset.symbol}", minimum=1)
        free = Account(place, asset, self._places.free(place))
        return self.post(Entry(entry_id, "deposit", move(_outside(asset), free, amount)))

    def withdraw(self, asset: Asset, amount: int, place: str, entry_id: str) -> bool:
        """Capital goes out, of what is available. False if the entry is a repetition.

        Raises:
            InsufficientFunds: if less is available; at a margin account its room is not judged.
        """
        require_int(amount, f"withdrawal of {asset.symbol}", minimum=1)
        free = Account(place, asset, self._places.free(place))
        return self.post(Entry(entry_id, "withdrawal", move(free, _outside(asset), amount)))

    def reserve(self, requests: Sequence[tuple[Order, int]]) -> None:
        """Set aside what each order needs, for all of them or for none; one entry an order.

        An order in a perpetual needs nothing here: its id is remembered, without an entry.

        Args:
            requests: orders without fills, each with the most it can cost in fees (base units of
                the quote); a sell pays its fee out of what it brings and reserves none.

        Raises:
            InsufficientFunds: if less is available.
            LedgerError: if an id was reserved for before with other content, or the instrument is
                not the fund's.
        """
        entries: list[Entry] = []
        held: dict[str, Reservation] = {}
        for order, maximum_fee in requests:
            self._require_known(order.instrument)
            if order.filled or order.order_id in held:
                raise LedgerError("reservation", order.order_id, "reserve once, before any fill")
            if self._balances.repeated(_reserve_id(order), (order, maximum_fee)):
                continue
            reservation = held[order.order_id] = Reservation.of(order, maximum_fee)
            if reservation.units:
                accounts = self._accounts[order.instrument.symbol, order.side]
                moved = move(accounts.available, accounts.reserved, reservation.units)
                entries.append(Entry(_reserve_id(order), "reserve", moved))
        self._append(*entries)
        for order, maximum_fee in requests:
            self._balances.remember(_reserve_id(order), (order, maximum_fee))
        self._reservations.update(held)

    def release(self, order: Order) -> bool:
        """Make available again what an ended order did not use. False if it held nothing.

        Raises:
            LedgerError: if the order is still open or was never reserved for.
        """
        if order.status.open or not self.has_reserved(order.order_id):
            raise LedgerError("release", order.order_id, "reserve first, release what has ended")
        reservation = self._reservations.get(order.order_id)
        if reservation is None:
            return False
        if not reservation.units:
            del self._reservations[order.order_id]
            return False
        accounts = self._accounts[order.instrument.symbol, order.side]
        moved = move(accounts.reserved, accounts.available, reservation.units)
        entry = Entry(f"release {order.order_id}", "release", moved)
        self._post(entry, entry)
        del self._reservations[order.order_id]
        return True

    def fill(self, fill: Fill, order: Order) -> bool:
        """Exchange what was reserved for what was bought or sold; the fee goes to fees.

        A perpetual is exchanged in its margin account, out of nothing reserved.

        Args:
            fill: the execution report.
            order: the order as it was before the fill.

        Returns:
            False if this very fill is in the books already.

        Raises:
            DomainError: if the fill does not fit the order.
            LedgerError: if nothing is reserved for the order, the fee exceeds the maximum that
                was reserved, or another fill has the same venue and exec id.
        """
        if self.has_fill(fill):
            return False
        after = order.with_fill(fill)
        held = self._reservations.get(order.order_id)
        if held is None:
            raise LedgerError("fill", fill.exec_id, "no reservation is held for its order")
        left, freed = held.after(fill, after)
        accounts = self._accounts[order.instrument.symbol, order.side]
        notional = fill.instrument.notional(fill.quantity, fill.price)
        buy = fill.side is Side.BUY
        movements = (
            (accounts.reserved, left.units - held.units),
            (accounts.available, freed),
            (accounts.received, fill.quantity if buy else notional - fill.fee),
            (accounts.base_market, -fill.side.sign * fill.quantity),
            (accounts.quote_market, fill.side.sign * notional),
            (accounts.fees, fill.fee),
        )
        postings = tuple(Posting(account, units) for account, units in movements if units)
        self._post(Entry(_fill_id(fill), "fill", postings), fill)
        if after.status.open:
            self._reservations[order.order_id] = left
        else:
            del self._reservations[order.order_id]
        return True

    def fund(self, event: Funding) -> bool:
        """Pay or receive ``event.amount``. False if it is in the books already.

        Raises:
            LedgerError: for an amount of 0, a spot instrument, or another event of that instrument
                and bar.
        """
        self._require_known(event.instrument, margined=True)
        return self.post(funding_entry(event))

    def liquidate(self, event: Liquidation) -> bool:
        """Close the position at its mark, or the part that a venue's trade closed.

        Returns:
            False if it is in the books already.

        Raises:
            LedgerError: if another quantity is held (of a part: less, or on the other side), or
                another event of that instrument, bar and moment is in the books.
        """
        instrument = self._require_known(event.instrument, margined=True)
        entry = liquidation_entry(event)
        if self._balances.repeated(entry.entry_id, entry):
            return False
        held = self.balance(instrument.account, instrument.base, Bucket.MARGIN)
        part = bool(event.exec_id) and 0 < event.quantity * held <= held * held
        if not held or not (event.quantity == held or part):
            raise LedgerError(entry.entry_id, event.quantity, f"close the {held} that are held")
        return self.post(entry)

    def adjust(self, place: str, units: Mapping[Asset, int], entry_id: str) -> bool:
        """Take over what a person found at ``place``, by asset, more or less than what is free.

        Returns:
            False if the entry is a repetition.

        Raises:
            InsufficientFunds: if less than nothing would be left of a spot balance.
            LedgerError: for an amount of 0, or what no book could show there.
        """
        return self.post(adjustment_entry(place, units, self._places.free(place), entry_id))

    def start_transfer(self, transit: Transit) -> bool:
        """Currency leaves its source and is under way. False if it is in the books already.

        Raises:
            InsufficientFunds: if less is available; at a margin account its room is not judged.
            LedgerError: for a place that the fund does not have, or an id of another transfer.
        """
        free = self._places.free(transit.transfer.source)
        entry = departure_entry(transit, self._empty.currency, free)
        if self._balances.repeated(entry.entry_id, transit):
            return False
        self._post(entry, transit)
        self._transits[transit.transfer_id] = transit
        return True

    def arrive(self, arrival: Arrival) -> bool:
        """Currency under way has come to a place. False if it is in the books already.

        Raises:
            LedgerError: if no such transfer is under way, or more arrives than left.
        """
        transit = arrival.transit
        free = self._places.free(arrival.place)
        entry = arrival_entry(transit, self._empty.currency, arrival.place, free, arrival.received)
        if self._balances.repeated(entry.entry_id, arrival):
            return False
        if self._transits.get(transit.transfer_id) != transit:
            raise LedgerError(entry.entry_id, transit, "start this transfer first")
        self._post(entry, arrival)
        del self._transits[transit.transfer_id]
        return True

    def post(self, entry: Entry) -> bool:
        """Post ``entry`` whole or not at all. False if it is a repetition.

        Raises:
            InsufficientFunds: if an own balance would fall below zero.
            LedgerError: if the id stands for other content, a posting is to a reserved account
                (only orders reserve) or in transit (only transfers are), or no book could show the
                asset at that place.
        """
        for posting in entry.postings:
            bucket = posting.account.bucket
            if bucket in (Bucket.RESERVED, Bucket.IN_TRANSIT):
                raise LedgerError(
                    f"entry {entry.entry_id}",
                    bucket.value,
                    "reserve for an order or start a transfer instead",
                )
        if self._balances.repeated(entry.entry_id, entry):
            return False
        self._post(entry, entry)
        return True

    def book(self, open_orders: tuple[Order, ...] = ()) -> Book:
        """Positions and cash, the latter by place, with what is under way between places.

        Every place of the fund is listed, in the order of the instruments, also if it is empty.
        The same Book is returned until an entry is posted or other orders are given.
        """
        book = self._book
        if book is not None and book.open_orders is open_orders:
            return book
        self._book = statement(
            self._empty,
            self._places,
            self._balances.all(),
            open_orders,
            self._transits.values(),
        )
        return self._book

    def export(self, start: int = 0) -> list[EntryRecord]:
        """The entries from number ``start`` on as plain data, the same on every run."""
        return [entry.record() for entry in self._balances.entries[start:]]

    def _post(self, entry: Entry, request: object) -> None:
        """Post a new entry, remembering the request that made it."""
        self._append(entry)
        self._balances.remember(entry.entry_id, request)

    def _append(self, *entries: Entry) -> None:
        self._balances.append(entries)
        self._book = None

    def _require_known(self, instrument: Instrument, *, margined: bool = False) -> Instrument:
        if self._empty.instrument(instrument.symbol) != instrument:
            raise LedgerError("instrument", instrument, "trade an instrument as the fund states it")
        if margined and instrument.margin is None:
            raise LedgerError("instrument", instrument.symbol, "only a perpetual has a margin")
        return instrument


def _outside(asset: Asset) -> Account:
    return Account(OUTSIDE, asset, Bucket.CAPITAL)


def _fill_id(fill: Fill) -> str:
    return f"fill {fill.instrument.venue.name} {fill.exec_id}"


def _reserve_id(order: Order) -> str:
    return f"reserve {order.order_id}"
