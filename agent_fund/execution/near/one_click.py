"""1Click's REST API: quotes with a deposit address, telling of a deposit, and the swap's status.

Source: https://docs.near-intents.org/integration/distribution-channels/1click-api.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from agent_fund.execution.near.errors import NearRefused, NearUnreachable

PENDING_DEPOSIT, KNOWN_DEPOSIT, INCOMPLETE = (
    "PENDING_DEPOSIT",
    "KNOWN_DEPOSIT_TX",
    "INCOMPLETE_DEPOSIT",
)
PROCESSING, SUCCESS, REFUNDED, FAILED = "PROCESSING", "SUCCESS", "REFUNDED", "FAILED"


@dataclass(frozen=True)
class SwapRequest:
    """A swap of exactly ``amount`` units that starts from a balance inside the verifier.

    Attributes:
        slippage: basis points by which less than the quote may arrive.
        recipient_type: ``INTENTS`` for an account inside the verifier, ``DESTINATION_CHAIN`` else.
        deadline: Unix seconds after which 1Click gives the deposit back.
    """

    origin: str
    destination: str
    amount: int
    slippage: int
    refund_to: str
    recipient: str
    recipient_type: str
    deadline: int

    def body(self, *, dry: bool) -> dict[str, Any]:
        """The request's JSON object."""
        moment = datetime.datetime.fromtimestamp(self.deadline, datetime.UTC)
        return {
            "dry": dry,
            "swapType": "EXACT_INPUT",
            "slippageTolerance": self.slippage,
            "originAsset": self.origin,
            "depositType": "INTENTS",
            "destinationAsset": self.destination,
            "amount": str(self.amount),
            "refundTo": self.refund_to,
            "refundType": "INTENTS",
            "recipient": self.recipient,
            "recipientType": self.recipient_type,
            "deadline": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        }


@dataclass(frozen=True)
class SwapQuote:
    """What 1Click offers; ``deposit_address`` is empty for a dry quote."""

    amount_in: int
    min_amount_out: int
    seconds: int
    deposit_address: str


@dataclass(frozen=True)
class SwapStatus:
    """What 1Click says; ``tx_hashes`` are transactions of NEAR that it claims to have made."""

    status: str
    tx_hashes: tuple[str, ...]


class OneClickClient:
    """A client of one deployment; ``headers`` carry the API key."""

    def __init__(
        self, url: str, *, timeout: float = 10, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def quote(self, request: SwapRequest, *, dry: bool) -> SwapQuote:
        """An offer; with ``dry`` False a deposit address comes with it.

        Raises:
            NearRefused: if it does not offer this. NearUnreachable: without a readable answer.
        """
        answer = await self._ask("POST", "/v0/quote", json=request.body(dry=dry))
        try:
            quote = answer["quote"]
            return SwapQuote(
                int(quote["amountIn"]),
                int(quote["minAmountOut"]),
                int(quote["timeEstimate"]),
                "" if dry else str(quote["depositAddress"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NearUnreachable("quote of 1Click", repr(error), "ask again") from None

    async def tell_deposit(self, tx_hash: str, deposit_address: str) -> None:
        """Say which transaction made the deposit; 1Click finds it without that, later."""
        body = {"txHash": tx_hash, "depositAddress": deposit_address}
        await self._ask("POST", "/v0/deposit/submit", json=body)

    async def status(self, deposit_address: str) -> SwapStatus:
        """What it says of the swap.

        Raises:
            NearRefused: if it does not know the address. NearUnreachable: as above.
        """
        answer = await self._ask("GET", "/v0/status", params={"depositAddress": deposit_address})
        details = answer.get("swapDetails") or {}
        status = answer.get("status")
        if not isinstance(status, str):
            raise NearUnreachable("status of 1Click", answer, "ask again")
        return SwapStatus(status, tuple(str(one) for one in details.get("nearTxHashes") or ()))

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        subject, fix = f"{path} at 1Click", "ask again"
        try:
            async with self._session.request(method, self._url + path, **options) as response:
                status, answer = response.status, json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The library's message may repeat the URL, and with it an API key.
            raise NearUnreachable(subject, type(error).__name__, fix) from None
        if status >= 500 or status == 429 or not isinstance(answer, dict):
            raise NearUnreachable(subject, f"HTTP {status}", fix)
        if status >= 400:
            raise NearRefused(subject, answer.get("message"), f"HTTP {status}")
        return answer
