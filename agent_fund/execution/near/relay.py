"""The solver relay: quotes of market makers, publishing an intent, and what the relay says of it.

What it says is hearsay; a fill is believed from the chain. Source: the Message Bus API of NEAR
Intents, https://docs.near-intents.org/integration/market-makers/message-bus/rpc.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from agent_fund.execution.errors import ExecutionError
from agent_fund.execution.near.errors import NearRefused, NearUnreachable

PENDING, BROADCASTED, SETTLED = "PENDING", "TX_BROADCASTED", "SETTLED"
NOT_FOUND, FAILED = "NOT_FOUND_OR_NOT_VALID", "FAILED"


@dataclass(frozen=True)
class SolverQuote:
    """One market maker's offer: ``amount_in`` of one token for ``amount_out`` of another.

    Attributes:
        expires_ms: Unix milliseconds.
    """

    quote_hash: str
    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    expires_ms: int


@dataclass(frozen=True)
class RelayStatus:
    """``status`` is one of the five words above; ``tx_hash`` may be empty."""

    status: str
    tx_hash: str


class SolverRelay:
    """A client of one relay.

    Args:
        headers: e.g. an API key; sent with each request.
        timeout: seconds; the relay itself waits some seconds for quotes.
    """

    def __init__(
        self, url: str, *, timeout: float = 10, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def quotes(
        self,
        token_in: str,
        token_out: str,
        *,
        amount_in: int | None = None,
        amount_out: int | None = None,
        valid_ms: int = 60_000,
    ) -> tuple[SolverQuote, ...]:
        """Offers for exactly ``amount_in``, or for exactly ``amount_out``.

        Raises:
            NearUnreachable: without an answer that can be read.
        """
        if (amount_in is None) == (amount_out is None):
            raise ExecutionError("quote", (amount_in, amount_out), "fix one of the two amounts")
        asked: dict[str, Any] = {
            "defuse_asset_identifier_in": token_in,
            "defuse_asset_identifier_out": token_out,
            "min_deadline_ms": valid_ms,
        }
        if amount_in is not None:
            asked["exact_amount_in"] = str(amount_in)
        else:
            asked["exact_amount_out"] = str(amount_out)
        answer = await self._ask("quote", asked)
        listed = answer.get("quotes") if isinstance(answer, dict) else answer
        try:
            found = tuple(_quote(one) for one in listed or ())
        except (KeyError, TypeError, ValueError) as error:
            raise NearUnreachable("quote of the relay", repr(error), "ask again") from None
        return tuple(
            one
            for one in found
            if (one.token_in, one.token_out) == (token_in, token_out)
            and (amount_in is None or one.amount_in == amount_in)
            and (amount_out is None or one.amount_out == amount_out)
            and one.amount_in > 0
            and one.amount_out > 0
        )

    async def publish(self, params: Mapping[str, Any]) -> None:
        """Publish a signed intent with the hashes of the quotes that it answers.

        Raises:
            NearRefused: if the relay says that it does not take it; it has the bytes all the same.
            NearUnreachable: if nobody knows.
        """
        answer = await self._ask("publish_intent", params)
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "FAILED":
            raise NearRefused("intent", str(answer.get("reason")), "see the relay's reason")
        if status != "OK":
            raise NearUnreachable("publish_intent", answer, "ask for its status")

    async def status(self, intent_hash: str) -> RelayStatus:
        """What the relay says of an intent.

        Raises:
            NearUnreachable: without an answer that can be read.
        """
        answer = await self._ask("get_status", {"intent_hash": intent_hash})
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), str):
            raise NearUnreachable("get_status", answer, "ask again")
        said = answer["status"]
        if said.startswith(NOT_FOUND):  # some versions append _ANYMORE
            said = NOT_FOUND
        data = answer.get("data")
        tx_hash = data.get("hash") if isinstance(data, dict) else None
        return RelayStatus(said, tx_hash if isinstance(tx_hash, str) else "")

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [dict(params)]}
        subject, fix = f"{method} at the solver relay", "ask again"
        try:
            async with self._session.post(self._url, json=body) as response:
                answer = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # The library's message may repeat the URL, and with it an API key.
            raise NearUnreachable(subject, type(error).__name__, fix) from None
        if not isinstance(answer, dict) or "result" not in answer:
            said = answer.get("error") if isinstance(answer, dict) else answer
            raise NearUnreachable(subject, said, fix)
        return answer["result"]


def best(quotes: Sequence[SolverQuote]) -> SolverQuote | None:
    """The quote that gives the most for the least; quotes of one request differ in one amount."""
    return min(quotes, key=lambda one: (one.amount_in, -one.amount_out), default=None)


def _quote(one: Mapping[str, Any]) -> SolverQuote:
    return SolverQuote(
        str(one["quote_hash"]),
        one["defuse_asset_identifier_in"],
        one["defuse_asset_identifier_out"],
        int(one["amount_in"]),
        int(one["amount_out"]),
        _milliseconds(str(one["expiration_time"])),
    )


def _milliseconds(text: str) -> int:
    """Older relays write Unix seconds, newer ones ISO 8601."""
    if text.isdigit():
        return int(text) * 1000
    moment = datetime.datetime.fromisoformat(text)
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
