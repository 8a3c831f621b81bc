"""One transfer between wallets as it is sent, and which rows of the history may be it.

All that a restart needs to tell stands in its notes: what moves, when the request begins and ceases
to be good by the exchange's clock, and the rows that were there before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from agent_fund.execution.exchange.binance import plain
from agent_fund.execution.exchange.wallet import Movement

AHEAD_MS = 1_000
"""How far the clocks of the exchange's servers may be apart."""
SLACK_MS = 10_000
"""How far the time of a row may be off the clock that the exchange tells."""
SETTLING_MS = 30_000
"""How long after its request is void a transfer may still come to be seen in the history."""


@dataclass(frozen=True)
class WalletRequest:
    """``amount`` of ``asset``, moved by a transfer of ``kind``.

    Attributes:
        since, until: Unix milliseconds of the exchange's clock; it acts on it in between, or never.
        known: ids of rows that cannot be it.
    """

    kind: str
    asset: str
    amount: Decimal
    since: int
    until: int
    known: frozenset[str] = frozenset()

    @classmethod
    def read(cls, notes: Mapping[str, str]) -> WalletRequest:
        """What ``notes`` wrote."""
        return cls(
            notes["kind"],
            notes["asset"],
            Decimal(notes["amount"]),
            int(notes["since"]),
            int(notes["until"]),
            frozenset(notes["known"].split()),
        )

    def notes(self) -> dict[str, str]:
        """All of it, as plain strings."""
        return {
            "kind": self.kind,
            "asset": self.asset,
            "amount": plain(self.amount),
            "since": str(self.since),
            "until": str(self.until),
            "known": " ".join(sorted(self.known)),
        }

    def payload(self) -> bytes:
        """The request's parameters as canonical JSON, without the signature over them."""
        parameters = {
            "type": self.kind,
            "asset": self.asset,
            "amount": plain(self.amount),
            "timestamp": self.since,
            "recvWindow": self.until - self.since,
        }
        return json.dumps(parameters, sort_keys=True, separators=(",", ":")).encode()

    @property
    def reference(self) -> str:
        """For people: what moves, and when."""
        return f"{self.kind} {plain(self.amount)} {self.asset} {self.since}"

    @property
    def what(self) -> tuple[str, str, Decimal]:
        """By which the history knows it, times apart."""
        return self.kind, self.asset, self.amount

    @property
    def void(self) -> int:
        """Unix seconds, rounded up, after which the exchange does not act on it."""
        return -(-self.until // 1000)

    @property
    def forgotten(self) -> int:
        """Unix milliseconds after which no row of it comes to be seen any more."""
        return self.until + SETTLING_MS

    def made(self, row: Movement) -> bool:
        """Whether ``row`` may be what came of it."""
        return (
            (row.kind, row.asset, row.amount) == self.what
            and self.since - SLACK_MS <= row.time <= self.until + SLACK_MS
            and row.tran_id not in self.known
        )
