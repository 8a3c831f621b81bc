"""Balances: what entries made of every account; all of a batch is posted or none, each id once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent_fund.execution.account import Account
from agent_fund.execution.entry import Entry
from agent_fund.execution.errors import InsufficientFunds, LedgerError


class Balances:
    """The sums of all postings so far.

    Args:
        admit: called with each account before its first posting; it raises for one that must not
            exist.
    """

    def __init__(self, admit: Callable[[Account], None]) -> None:
        self._admit = admit
        self._units: dict[Account, int] = {}
        self._requests: dict[str, object] = {}
        self.entries: list[Entry] = []

    def all(self) -> dict[Account, int]:
        """Base units by account, those outside included; each asset's sum is zero."""
        return {account: units for account, units in self._units.items() if units}

    def of(self, account: Account) -> int:
        """Base units in one account; 0 if nothing was ever posted to it."""
        return self._units.get(account, 0)

    def knows(self, entry_id: str) -> bool:
        """Whether the id was ever used."""
        return entry_id in self._requests

    def repeated(self, entry_id: str, request: object) -> bool:
        """Whether this very request was met under this id.

        Raises:
            LedgerError: if another one was.
        """
        known = self._requests.get(entry_id)
        if known is not None and known != request:
            raise LedgerError("entry id", entry_id, "it stands for another entry; give a new one")
        return known is not None

    def remember(self, entry_id: str, request: object) -> None:
        """Keep the request that an id stands for; it may have needed no entry."""
        self._requests[entry_id] = request

    def append(self, entries: Sequence[Entry]) -> None:
        """Post new entries, all or none.

        Raises:
            InsufficientFunds: if a bounded balance would fall below zero after one of them.
        """
        changed: dict[Account, int] = {}
        for entry in entries:
            for posting in entry.postings:
                account = posting.account
                before = changed.get(account)
                if before is None:
                    before = self._units.get(account)
                    if before is None:
                        self._admit(account)
                        before = 0
                changed[account] = before + posting.units
            for posting in entry.postings:
                account = posting.account
                if changed[account] < 0 and account.bounded:
                    raise InsufficientFunds(
                        f"{account.bucket.value} {account.asset.symbol} at {account.place} "
                        f"after entry {entry.entry_id}",
                        changed[account],
                        "an own balance stays at 0 or above; move less",
                    )
        self._units.update(changed)
        self.entries.extend(entries)
