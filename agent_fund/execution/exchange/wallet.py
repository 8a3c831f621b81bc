"""Binance's transfers between one account's own wallets: sending one, and the history of all.

Such a transfer bears no id of the customer's. What identifies one is its type, asset, amount and
time, and the ``tranId`` that the exchange gives it.

Source: Binance Wallet API, "User Universal Transfer" and "Query User Universal Transfer History".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from agent_fund.execution.exchange.answer import Unclear
from agent_fund.execution.exchange.connection import Connection

TO_FUTURES, TO_SPOT = "MAIN_UMFUTURE", "UMFUTURE_MAIN"
CONFIRMED, FAILED, PENDING = "CONFIRMED", "FAILED", "PENDING"
PLACES = 8
"""Decimals of an amount."""
PAGE = 100


@dataclass(frozen=True)
class Movement:
    """One row of the history; ``time`` in Unix milliseconds of the exchange's clock."""

    tran_id: str
    kind: str
    asset: str
    amount: Decimal
    status: str
    time: int


class Wallet:
    """The wallets of the account whose keys ``connection`` has; every method may raise a Failure.

    All requests are signed with a time that the exchange itself has told, whatever the local clock.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def now(self) -> int:
        """The exchange's clock, Unix milliseconds."""
        answer = await self.connection.call("publicGetTime")
        try:
            return int(answer["serverTime"])
        except (TypeError, KeyError, ValueError):
            raise Unclear("the exchange does not tell its time") from None

    async def permitted(self) -> bool:
        """Whether the key may move money between wallets."""
        parameters = {"timestamp": await self.now()}
        answer = await self.connection.call("sapiGetAccountApiRestrictions", parameters)
        return isinstance(answer, Mapping) and answer.get("permitsUniversalTransfer") is True

    async def transfer(self, parameters: Mapping[str, Any]) -> str:
        """Move it; the exchange's id of the transfer.

        Args:
            parameters: as the endpoint takes them, ``timestamp`` and ``recvWindow`` among them.
        """
        answer = await self.connection.call("sapiPostAssetTransfer", parameters)
        try:
            return str(int(answer["tranId"]))
        except (TypeError, KeyError, ValueError):
            raise Unclear("the answer to a transfer has no id") from None

    async def history(self, kind: str, start: int, end: int, now: int) -> list[Movement]:
        """Every transfer of ``kind`` with ``start <= time <= end``, each once.

        Args:
            now: the exchange's clock.
        """
        found: dict[str, Movement] = {}
        page = 0
        while True:
            page += 1
            parameters = {
                "type": kind,
                "startTime": start,
                "endTime": end,
                "current": page,
                "size": PAGE,
                "timestamp": now,
            }
            answer = await self.connection.call("sapiGetAssetTransfer", parameters)
            try:
                # An account without any is answered without rows.
                rows, total = answer.get("rows") or [], int(answer.get("total", 0))
                for row in rows:
                    # A later page shows what came in between, and a row again: as it is by then.
                    found[str(row["tranId"])] = _movement(row)
            except (AttributeError, TypeError, KeyError, ValueError, InvalidOperation):
                raise Unclear("the history of transfers cannot be read") from None
            if page * PAGE >= total or not rows:
                return list(found.values())


def _movement(row: Mapping[str, Any]) -> Movement:
    if not isinstance(row["amount"], str):  # a float would be another amount
        raise TypeError("amount")
    return Movement(
        tran_id=str(int(row["tranId"])),
        kind=str(row["type"]),
        asset=str(row["asset"]),
        amount=Decimal(row["amount"]),
        status=str(row["status"]),
        time=int(row["timestamp"]),
    )
