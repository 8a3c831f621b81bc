"""Ledger: double entry; whatever the fund owns is available, reserved or in transit at a place.

Every entry sums to zero for every asset, none takes an own balance below zero (spot, no
borrowing), and an entry id counts once. What is reserved is at every moment what the open orders
need: what a fill below a buy's limit saves is available with that very fill, the unspent part of
the maximum fee when the order ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent_fund.domain.book import Book
from agent_fund.domain.instrument import Asset, Instrument
from agent_fund.domain.money import require_int
from agent_fund.domain.order import Fill, Order, Side
from agent_fund.execution.account import OUTSIDE, Account, Bucket, TradeAccounts
from agent_fund.execution.entry import Entry, EntryRecord, Posting
from agent_fund.execution.errors import InsufficientFunds, LedgerError
from agent_fund.execution.reservation import Reservation


class Ledger:
    """The fund's own record of what it holds; agents and venues are never asked instead.

    Args:
        currency: the asset in which every instrument is quoted.
        instruments: every instrument the fund may hold, by symbol.

    Raises:
        DomainError: if an instrument is quoted in another asset.
        LedgerError: if two instruments share base asset and venue, or trade the currency itself.
    """

    def __init__(self, currency: Asset, instruments: Mapping[str, Instrument]) -> None:
        self._empty = Book(currency, 0, instruments)
        self._symbols: dict[tuple[str, Asset], str] = {}
        for symbol, instrument in self._empty.instruments.items():
            key = (instrument.venue.name, instrument.base)
            if key in self._symbols or instrument.base == currency:
                raise LedgerError(
                    f"instrument {symbol}",
                    instrument.base.symbol,
                    "one asset at one venue is one position; give it one instrument",
                )
            self._symbols[key] = symbol
        self._accounts = {
            (symbol, side): TradeAccounts.of(instrument, side)
            for symbol, instrument in self._empty.instruments.items()
            for side in Side
        }
        self._balances: dict[Account, int] = {}
        self._entries: list[Entry] = []
        self._requests: dict[str, object] = {}
        self._reservations: dict[str, Reservation] = {}
        self._book: Book | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every entry, in the order in which they were posted."""
        return tuple(self._entries)

    def balances(self) -> dict[Account, int]:
        """Base units by account, those outside included; each asset's sum is zero."""
        return {account: units for account, units in self._balances.items() if units}

    def balance(self, place: str, asset: Asset, bucket: Bucket) -> int:
        """Base units in one account; 0 if nothing was ever posted to it."""
        return self._balances.get(Account(place, asset, bucket), 0)

    def reserved(self, order_id: str) -> int:
        """Base units that the order still holds back; 0 once it has ended."""
        reservation = self._reservations.get(order_id)
        return reservation.units if reservation else 0

    def has_reserved(self, order_id: str) -> bool:
        """Whether the order was ever reserved for; such an id is never sent again."""
        return f"reserve {order_id}" in self._requests

    def has_fill(self, fill: Fill) -> bool:
        """Whether the fill, keyed by venue and exec id, is in the books.

        Raises:
            LedgerError: if another fill with this key is.
        """
        return self._repeated(_fill_id(fill), fill)

    def deposit(self, asset: Asset, amount: int, place: str, entry_id: str) -> bool:
        """Capital comes in: ``amount`` base units. False if the entry is a repetition."""
        require_int(amount, f"deposit of {asset.symbol}", minimum=1)
        available = Account(place, asset, Bucket.AVAILABLE)
        return self.post(Entry(entry_id, "deposit", _move(_outside(asset), available, amount)))

    def withdraw(self, asset: Asset, amount: int, place: str, entry_id: str) -> bool:
        """Capital goes out, of what is available. False if the entry is a repetition.

        Raises:
            InsufficientFunds: if less is available.
        """
        require_int(amount, f"withdrawal of {asset.symbol}", minimum=1)
        available = Account(place, asset, Bucket.AVAILABLE)
        return self.post(Entry(entry_id, "withdrawal", _move(available, _outside(asset), amount)))

    def reserve(self, requests: Sequence[tuple[Order, int]]) -> None:
        """Set aside what each order needs, for all of them or for none; one entry an order.

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
            if self._empty.instrument(order.instrument.symbol) != order.instrument:
                raise LedgerError(
                    "instrument", order.instrument, "trade an instrument as the fund states it"
                )
            reservation = Reservation.of(order, maximum_fee)
            accounts = self._accounts[order.instrument.symbol, order.side]
            moved = _move(accounts.available, accounts.reserved, reservation.units)
            entry = Entry(f"reserve {order.order_id}", "reserve", moved)
            if order.filled or order.order_id in held:
                raise LedgerError("reservation", order.order_id, "reserve once, before any fill")
            if not self._repeated(entry.entry_id, entry):
                entries.append(entry)
                held[order.order_id] = reservation
        self._append(entries, entries)
        self._reservations.update(held)

    def release(self, order: Order) -> bool:
        """Make available again what an ended order did not use. False if nothing was held.

        Raises:
            LedgerError: if the order is still open or was never reserved for.
        """
        if order.status.open or not self.has_reserved(order.order_id):
            raise LedgerError("release", order.order_id, "reserve first, release what has ended")
        reservation = self._reservations.get(order.order_id)
        if reservation is None:
            return False
        accounts = self._accounts[order.instrument.symbol, order.side]
        moved = _move(accounts.reserved, accounts.available, reservation.units)
        entry = Entry(f"release {order.order_id}", "release", moved)
        self._append([entry], [entry])
        del self._reservations[order.order_id]
        return True

    def fill(self, fill: Fill, order: Order) -> bool:
        """Exchange what was reserved for what was bought or sold; the fee goes to fees.

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
        self._append([Entry(_fill_id(fill), "fill", postings)], [fill])
        if after.status.open:
            self._reservations[order.order_id] = left
        else:
            del self._reservations[order.order_id]
        return True

    def post(self, entry: Entry) -> bool:
        """Post ``entry`` whole or not at all. False if it is a repetition.

        Raises:
            InsufficientFunds: if an own balance would fall below zero.
            LedgerError: if the id stands for other content, a posting is to a reserved account
                (only orders reserve), or no book could show the asset at that place.
        """
        if any(posting.account.bucket is Bucket.RESERVED for posting in entry.postings):
            raise LedgerError(f"entry {entry.entry_id}", "reserved", "reserve for an order instead")
        if self._repeated(entry.entry_id, entry):
            return False
        self._append([entry], [entry])
        return True

    def book(self, open_orders: tuple[Order, ...] = ()) -> Book:
        """Cash and positions, available and reserved together, over all places.

        The same Book is returned until an entry is posted or other orders are given.
        """
        book = self._book
        if book is not None and book.open_orders is open_orders:
            return book
        cash, positions = 0, dict[str, int]()
        for account, units in self._balances.items():
            if units and account.bucket in (Bucket.AVAILABLE, Bucket.RESERVED):
                if account.asset == self._empty.currency:
                    cash += units
                else:
                    symbol = self._symbols[account.place, account.asset]
                    positions[symbol] = positions.get(symbol, 0) + units
        empty = self._empty
        self._book = Book(empty.currency, cash, empty.instruments, positions, open_orders)
        return self._book

    def export(self, start: int = 0) -> list[EntryRecord]:
        """The entries from number ``start`` on as plain data, the same on every run."""
        return [entry.record() for entry in self._entries[start:]]

    def _repeated(self, entry_id: str, request: object) -> bool:
        known = self._requests.get(entry_id)
        if known is not None and known != request:
            raise LedgerError("entry id", entry_id, "it stands for another entry; give a new one")
        return known is not None

    def _append(self, entries: Sequence[Entry], requests: Sequence[object]) -> None:
        """Post new entries, all or none, remembering for each the request that made it."""
        changed: dict[Account, int] = {}
        for entry in entries:
            for posting in entry.postings:
                account = posting.account
                before = changed.get(account)
                if before is None:
                    before = self._balances.get(account)
                    if before is None:
                        self._require_shown(account)
                        before = 0
                changed[account] = before + posting.units
            for posting in entry.postings:
                account = posting.account
                if changed[account] < 0 and account.own:
                    raise InsufficientFunds(
                        f"{account.bucket.value} {account.asset.symbol} at {account.place} "
                        f"after entry {entry.entry_id}",
                        changed[account],
                        "an own balance stays at 0 or above; move less",
                    )
        self._balances.update(changed)
        for entry, request in zip(entries, requests, strict=True):
            self._entries.append(entry)
            self._requests[entry.entry_id] = request
        self._book = None

    def _require_shown(self, account: Account) -> None:
        """Refuse a balance that no Book of this fund would show."""
        if account.bucket not in (Bucket.AVAILABLE, Bucket.RESERVED):
            return
        known = (account.place, account.asset) in self._symbols
        if not known and account.asset != self._empty.currency:
            raise LedgerError(
                f"{account.asset.symbol} at {account.place}",
                account.bucket.value,
                "hold an asset only where one of the fund's instruments trades it",
            )


def _outside(asset: Asset) -> Account:
    return Account(OUTSIDE, asset, Bucket.CAPITAL)


def _move(source: Account, target: Account, units: int) -> tuple[Posting, ...]:
    return Posting(source, -units), Posting(target, units)


def _fill_id(fill: Fill) -> str:
    return f"fill {fill.instrument.venue.name} {fill.exec_id}"
