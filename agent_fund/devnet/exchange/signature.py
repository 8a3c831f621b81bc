"""Binance's request signature: HMAC-SHA256 over the parameters, and a time window.

The timestamp may be at most one second ahead of the exchange's clock and at most ``recvWindow``
behind it, measured when the request is acted on. So a request that was on its way for longer is
refused, however late it arrives.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from agent_fund.devnet.exchange.refusal import Refusal

AHEAD_MS = 1_000
DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000


def check_signature(
    signed: str, key: str | None, parameters: Mapping[str, str], expected_key: str, secret: str
) -> None:
    """Check key and MAC.

    Args:
        signed: query string and body as sent, joined.

    Raises:
        Refusal: with Binance's code for what is wrong.
    """
    if "signature" not in parameters or "timestamp" not in parameters:
        raise Refusal(-1102, "Mandatory parameter 'signature' was not sent, was empty/null.")
    if key != expected_key:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    content, _, given = signed.rpartition("&signature=")
    made = hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made, given):
        raise Refusal(-1022, "Signature for this request is not valid.")


def check_window(parameters: Mapping[str, str], now: int) -> None:
    """Check the time window.

    Raises:
        Refusal: if the request is from the future, or too old.
    """
    window = int(parameters.get("recvWindow", DEFAULT_WINDOW_MS))
    if window > MAX_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000.")
    sent = int(parameters["timestamp"])
    if sent > now + AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - sent > window:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
