"""Faults on demand: each is armed for so many requests of one kind, and then it is over."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fault(enum.Enum):
    """What goes wrong with one request."""

    LOST = "the request is read and never acted on; no answer"
    SILENT = "the request is acted on; no answer"
    LATE = "the request is held until it is released, then acted on; no answer before"
    CUT = "the request is acted on; the connection ends in the middle of the answer"
    DROPPED = "the connection ends before the request is acted on"
    LIMITED = "429 with Retry-After; not acted on"
    BANNED = "418 with Retry-After; not acted on"
    UNAVAILABLE = "503 with code -1001; not acted on"
    UNAVAILABLE_AFTER = "503 with code -1001, although the request was acted on"
    HTML = "502 with a page of a proxy; not acted on"
    DUPLICATE_TRADES = "every trade in the answer stands there twice"
    SHUFFLED_TRADES = "the trades in the answer are in reverse order"
    MISSING_TRADE = "the latest trade, or transfer, is missing from the answer"
    LYING_BALANCE = "balances in the answer are one unit too high"


BEFORE = (
    Fault.LOST,
    Fault.LATE,
    Fault.DROPPED,
    Fault.LIMITED,
    Fault.BANNED,
    Fault.UNAVAILABLE,
    Fault.HTML,
)
"""Those that strike before the request is acted on."""


@dataclass
class _Armed:
    fault: Fault
    method: str
    path: str
    left: int


class Faults:
    """What is armed; ``retry_after`` seconds are told with 429 and 418."""

    def __init__(self, retry_after: str = "1") -> None:
        self.retry_after = retry_after
        self._armed: list[_Armed] = []

    def arm(self, fault: Fault, method: str, path: str, times: int = 1) -> None:
        """Let ``fault`` strike the next ``times`` requests whose path ends in ``path``."""
        self._armed.append(_Armed(fault, method, path, times))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._armed.clear()

    def take(self, method: str, path: str) -> list[Fault]:
        """The faults that strike this request."""
        struck: list[Fault] = []
        for armed in self._armed:
            if armed.left and armed.method == method and path.endswith(armed.path):
                armed.left -= 1
                struck.append(armed.fault)
        return struck
