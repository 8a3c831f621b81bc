"""An Entry of the double-entry ledger: postings that sum to zero for every asset, or no Entry."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TypedDict

from agent_fund.domain.instrument import Asset
from agent_fund.domain.money import require_int
from agent_fund.execution.account import Account
from agent_fund.execution.errors import LedgerError


@dataclass(frozen=True)
class Posting:
    """``units`` base units of the account's asset: positive in, negative out, never zero."""

    account: Account
    units: int

    def __post_init__(self) -> None:
        if require_int(self.units, f"posting to {self.account.place}") == 0:
            raise LedgerError("posting", 0, "leave it out")


class PostingRecord(TypedDict):
    """A posting as the audit log holds it; ``units`` are base units as decimal digits."""

    place: str
    asset: str
    bucket: str
    units: str


class EntryRecord(TypedDict):
    """An entry as the audit log holds it."""

    entry_id: str
    kind: str
    postings: list[PostingRecord]


@dataclass(frozen=True)
class Entry:
    """Postings that happen together.

    Attributes:
        entry_id: the same id is the same event; it counts once.
        kind: what happened, e.g. ``fill``.

    Raises:
        LedgerError: if the postings of an asset do not sum to zero, or there are none.
    """

    entry_id: str
    kind: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        sums: defaultdict[Asset, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.account.asset] += posting.units
        if not self.postings:
            raise LedgerError(f"entry {self.entry_id}", (), "an entry moves something")
        for asset, total in sums.items():
            if total:
                raise LedgerError(
                    f"sum of {asset.symbol} in entry {self.entry_id}", total, "it must be 0"
                )

    def record(self) -> EntryRecord:
        """The entry as plain data, the same on every run."""
        return {
            "entry_id": self.entry_id,
            "kind": self.kind,
            "postings": [
                {
                    "place": posting.account.place,
                    "asset": posting.account.asset.symbol,
                    "bucket": posting.account.bucket.value,
                    "units": str(posting.units),
                }
                for posting in self.postings
            ],
        }
