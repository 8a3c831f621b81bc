"""A refusal in the exchange's own words: its code, its message, its HTTP status."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer of the exchange, not an error of this program
    """What the exchange answers instead of doing what was asked."""

    def __init__(
        self, code: int, message: str, status: int = 400, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}
