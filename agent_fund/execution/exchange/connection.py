"""One ccxt client, and the only place that knows ccxt's exceptions.

ccxt brings endpoints, request signing, its rate limiter and its reading of error codes; amounts
never pass through its unified structures, which hold floats. Its exceptions are sorted by what is
certain, with an allow-list: a placement counts as refused only for InvalidOrder,
InsufficientFunds or BadRequest, and never with an HTTP status of 500 or more. Everything unlisted
is unclear: OperationFailed in all its forms (503 with -1001 among them), and the plain
ExchangeError that ccxt also raises when a connection ends in the middle of an answer.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ccxt  # type: ignore[import-untyped]
import ccxt.async_support as asynchronous  # type: ignore[import-untyped]

from agent_fund.execution.exchange.answer import Absent, NotTaken, Refused, Unclear

DEFAULT_WAIT = 1.0
WINDOW_MS = 60_000
LONGEST_REASON = 200
_QUERY = re.compile(r"(?<=\S)\?\S*")
_REFUSALS = (ccxt.InvalidOrder, ccxt.InsufficientFunds, ccxt.BadRequest)
# Subclasses of InvalidOrder that do not say that nothing was accepted.
_DOUBTS = (ccxt.DuplicateOrderId, ccxt.OrderNotCached)
_LIMITS = (ccxt.DDoSProtection, ccxt.RateLimitExceeded)


class _Telling:
    """Adds to ccxt's exceptions the HTTP status and Retry-After that they came with.

    ccxt's binance tells its tables of error codes apart by the exchange's own addresses, so that a
    client that was moved elsewhere must still be known by them.
    """

    moved_to: str | None = None
    moved_from: Mapping[str, str]
    # A number with decimals stays the text that the exchange wrote.
    on_json_response = staticmethod(partial(json.loads, parse_float=str))

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        if self.moved_to is not None:
            path = url.removeprefix(self.moved_to)
            own = (root for root in self.moved_from.values() if path.startswith(_path_of(root)))
            url = next(own, url) + "/"
        return super().get_exceptions_by_url(url, kind)  # type: ignore[misc]

    def handle_errors(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any
    ) -> Any:
        try:
            return super().handle_errors(  # type: ignore[misc]
                code, reason, url, method, headers, body, *rest
            )
        except ccxt.BaseError as error:
            lowered = {name.lower(): value for name, value in headers.items()}
            error.http_status = code
            error.retry_after = lowered.get("retry-after")
            raise


def client(
    exchange: str,
    configuration: Mapping[str, Any],
    url: str | None,
    timeout_ms: int,
    rate_limit_ms: int | None,
) -> Any:
    """A ccxt client of ``exchange``, its rate limiter on and its own retries off.

    Args:
        url: scheme and host that take the place of the exchange's own; None for the real one.
        rate_limit_ms: a minute has room for 60,000 / rate_limit_ms of ccxt's units of weight; None
            for ccxt's own figure.
    """
    made = type(exchange, (_Telling, getattr(asynchronous, exchange)), {})
    # ccxt's other algorithm refills its bucket only while requests wait: each would be held up for
    # the weight of the one before, however long ago that was. This one counts a minute's weights.
    settings: dict[str, Any] = {
        "enableRateLimit": True,
        "rateLimiterAlgorithm": "rollingWindow",
        "rollingWindowSize": WINDOW_MS,
        "timeout": timeout_ms,
        **configuration,
    }
    if rate_limit_ms is not None:
        settings["rateLimit"] = rate_limit_ms
    built = made(settings)
    built.options["maxRetriesOnFailure"] = 0
    if url is not None:
        built.moved_to, built.moved_from = url, dict(built.urls["api"])
        for name, address in built.urls["api"].items():
            built.urls["api"][name] = url + _path_of(address)
        # ccxt waits for TLS connections to go when it closes; here there are none.
        built.timeout_on_exit = 0 if url.startswith("http://") else built.timeout_on_exit
    return built


class Connection:
    """Requests through one client, and what came of them.

    Args:
        monotonic: seconds.
    """

    def __init__(self, client: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._monotonic = monotonic
        self._closed_until = 0.0

    @property
    def wait(self) -> float:
        """Seconds for which nothing may be asked; 0 if it may."""
        return max(0.0, self._closed_until - self._monotonic())

    async def call(self, endpoint: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """What ``endpoint`` (ccxt's implicit method) answers, as parsed JSON.

        Raises:
            Failure: one of its kinds.
        """
        if self.wait:
            raise NotTaken("the exchange asked to wait", self.wait)
        try:
            return await getattr(self.client, endpoint)(dict(parameters or {}))
        except ccxt.BaseError as error:
            raise self._failure(error) from None

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.close()

    def _failure(self, error: Any) -> Exception:
        # ccxt's message states the address that was asked, which may be signed.
        said = _QUERY.sub("", str(error))
        reason = f"{type(error).__name__}: {said[:LONGEST_REASON]}"
        if isinstance(error, _LIMITS):
            seconds = _seconds(getattr(error, "retry_after", None))
            self._closed_until = self._monotonic() + seconds
            return NotTaken(reason, seconds)
        if isinstance(error, ccxt.InvalidNonce):
            return NotTaken(reason, 0.0, clock=True)
        if getattr(error, "http_status", 0) >= 500 or isinstance(error, _DOUBTS):
            return Unclear(reason)
        if isinstance(error, ccxt.OrderNotFound):
            return Absent(reason)
        return Refused(reason) if isinstance(error, _REFUSALS) else Unclear(reason)


def _path_of(address: str) -> str:
    at = address.find("/", len("https://"))
    return address[at:] if at > 0 else ""


def _seconds(retry_after: str | None) -> float:
    try:
        return max(0.0, float(retry_after or DEFAULT_WAIT))
    except ValueError:
        return DEFAULT_WAIT
