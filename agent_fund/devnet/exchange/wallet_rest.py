"""Binance's transfers between the customer's spot and USDⓈ-M futures wallets.

As at Binance a transfer bears no id of the customer's: the same request sent twice moves money
twice.

Source: Binance Wallet API, "User Universal Transfer", "Query User Universal Transfer History",
"Get API Key Permission".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent_fund.devnet.exchange.decimals import UNIT, text
from agent_fund.devnet.exchange.engine import Engine
from agent_fund.devnet.exchange.margin_market import MarginMarket
from agent_fund.devnet.exchange.refusal import Refusal
from agent_fund.devnet.exchange.route import Parameters, Route, Routes, amount, number, required
from agent_fund.devnet.exchange.spot_account import SpotAccount

TO_FUTURES, TO_SPOT = "MAIN_UMFUTURE", "UMFUTURE_MAIN"
FIRST_PAGE, LONGEST_PAGE = 10, 100
FIRST_ID = 11_366_865_406


@dataclass
class Transfer:
    """One transfer; ``time`` in Unix milliseconds."""

    tran_id: int
    kind: str
    asset: str
    amount: Decimal
    status: str
    time: int


class WalletRest:
    """The routes of the wallets.

    Attributes:
        transfers: all of them, in order.
        permitted: whether the key may make any.
        slow: whether a transfer that begins stays pending until ``end`` is called.
    """

    def __init__(
        self,
        spot: Engine,
        account: SpotAccount,
        market: MarginMarket,
        clock: Callable[[], int],
    ) -> None:
        self._spot, self._futures = spot, market.engine
        self._account, self._margin = account, market.account
        self._clock = clock
        self.transfers: list[Transfer] = []
        self.permitted = True
        self.slow = False

    @property
    def routes(self) -> Routes:
        """By method and path."""
        return {
            ("POST", "/sapi/v1/asset/transfer"): Route(self._transfer, 1),
            ("GET", "/sapi/v1/asset/transfer"): Route(self._history, 1),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route(self._permission, 1),
        }

    def move(self, kind: str, asset: str, units: Decimal) -> Transfer:
        """Move money out of one wallet, and into the other unless transfers are slow.

        Raises:
            Refusal: for an unknown type or asset, too many decimals, or too little money.
        """
        if kind not in (TO_FUTURES, TO_SPOT):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if asset != self._margin.asset:
            raise Refusal(-5001, "Don't allow transfer to micro assets.")
        if units <= 0 or units % UNIT:
            raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
        self._spot.expire()
        self._futures.expire()
        self._put(kind == TO_SPOT, asset, -units)
        made = Transfer(
            FIRST_ID + len(self.transfers), kind, asset, units, "PENDING", self._clock()
        )
        self.transfers.append(made)
        if not self.slow:
            self.end(made)
        return made

    def end(self, transfer: Transfer, failed: bool = False) -> None:
        """Let a pending transfer arrive, or come back if it ``failed``."""
        transfer.status = "FAILED" if failed else "CONFIRMED"
        self._put((transfer.kind == TO_FUTURES) is not failed, transfer.asset, transfer.amount)

    def _put(self, futures: bool, asset: str, units: Decimal) -> None:
        if futures:
            self._margin.transfer(units)
        else:
            self._account.transfer(asset, units)

    def _transfer(self, parameters: Parameters) -> dict[str, Any]:
        if not self.permitted:
            raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        kind, asset = required(parameters, "type"), required(parameters, "asset")
        return {"tranId": self.move(kind, asset, amount(parameters, "amount")).tran_id}

    def _history(self, parameters: Parameters) -> dict[str, Any]:
        """The latest first."""
        kind = required(parameters, "type")
        start, end = number(parameters, "startTime") or 0, number(parameters, "endTime")
        size = min(number(parameters, "size") or FIRST_PAGE, LONGEST_PAGE)
        first = ((number(parameters, "current") or 1) - 1) * size
        found = [
            made
            for made in reversed(self.transfers)
            if made.kind == kind and made.time >= start and (end is None or made.time <= end)
        ]
        rows = [
            {
                "asset": made.asset,
                "amount": text(made.amount),
                "type": made.kind,
                "status": made.status,
                "tranId": made.tran_id,
                "timestamp": made.time,
            }
            for made in found[first : first + size]
        ]
        return {"total": len(found), "rows": rows}

    def _permission(self, _: Parameters) -> dict[str, Any]:
        return {
            "ipRestrict": False,
            "enableReading": True,
            "enableWithdrawals": False,
            "enableFutures": True,
            "enableSpotAndMarginTrading": True,
            "permitsUniversalTransfer": self.permitted,
        }
