"""OrderBook: CoW's order-book API over HTTP; its word is an expectation and never moves a book.

An answer that is missing, late, no JSON, a 5xx or a 429 is ``ApiSilentError``: what was asked may
have been done. Source: CoW Protocol, order book API (OpenAPI document of its services).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

_PAGE = 1000
_TOO_MANY = 429


class ApiSilentError(RuntimeError):
    """The API did not answer, or not so that it means anything."""


class ApiRefusedError(RuntimeError):
    """The API's refusal; ``kind`` is its errorType, or the status in words."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(f"{status} {kind}")
        self.status = status
        self.kind = kind


class OrderBook:
    """A client of the API at ``url``, e.g. ``https://api.cow.fi/mainnet``.

    Args:
        timeout: seconds that a request may take.
    """

    def __init__(self, url: str, *, timeout: float = 10) -> None:
        self._url = url.rstrip("/")
        self._timeout = ClientTimeout(total=timeout)
        self._session: ClientSession | None = None

    async def quote(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """OrderQuoteResponse for an OrderQuoteRequest.

        Raises:
            ApiSilentError, ApiRefusedError: as for all methods.
        """
        return _object(await self._ask("POST", "/api/v1/quote", request))

    async def post(self, creation: Mapping[str, Any]) -> None:
        """Give it an order; one that it has is no error."""
        try:
            await self._ask("POST", "/api/v1/orders", creation)
        except ApiRefusedError as refusal:
            if refusal.kind != "DuplicatedOrder":
                raise

    async def order(self, uid: bytes) -> dict[str, Any] | None:
        """What it says of an order; None if it has none such."""
        try:
            return _object(await self._ask("GET", f"/api/v1/orders/0x{uid.hex()}"))
        except ApiRefusedError as refusal:
            if refusal.status == 404:
                return None
            raise

    async def trades(self, uid: bytes) -> list[dict[str, Any]]:
        """The trades that it says an order had."""
        return _objects(await self._ask("GET", f"/api/v1/trades?orderUid=0x{uid.hex()}"))

    async def cancel(self, uids: list[bytes], signature: bytes) -> None:
        """Ask it to forget orders: a best effort, by its own words."""
        body = {
            "orderUids": ["0x" + uid.hex() for uid in uids],
            "signature": "0x" + signature.hex(),
            "signingScheme": "eip712",
        }
        await self._ask("DELETE", "/api/v1/orders", body)

    async def open_uids(self, owner: str) -> list[str]:
        """The uids (0x…) of the owner's orders that it holds for open."""
        found: list[str] = []
        offset = 0
        while True:
            path = f"/api/v1/account/{owner}/orders?offset={offset}&limit={_PAGE}"
            page = _objects(await self._ask("GET", path))
            found += [str(one["uid"]) for one in page if one.get("status") == "open"]
            if len(page) < _PAGE:
                return found
            offset += len(page)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout)
        try:
            async with self._session.request(method, self._url + path, json=body) as answer:
                status = answer.status
                if status >= 500 or status == _TOO_MANY:
                    raise ApiSilentError(f"{method} {path.partition('?')[0]}: status {status}")
                content = await answer.json(content_type=None)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            # The URL may hold a key: neither it nor the library's message is repeated.
            name = type(error).__name__
            raise ApiSilentError(f"{method} {path.partition('?')[0]}: {name}") from None
        if status >= 400:
            kind = content.get("errorType") if isinstance(content, dict) else None
            raise ApiRefusedError(status, str(kind or "refused"))
        return content


def _object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ApiSilentError("the answer is no object")
    return content


def _objects(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise ApiSilentError("the answer is no list of objects")
    return content
