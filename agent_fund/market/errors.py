"""What the market raises: data that is refused, and exchanges that fail; both name the fix."""

from __future__ import annotations


class MarketError(ValueError):
    """Market data that is refused.

    Attributes:
        place: file and place in it, e.g. ``"btc.parquet, row 7, column high"`` (rows from 0).
        value: the value seen, as given.
        fix: what is expected, or what to write instead.
    """

    def __init__(self, place: str, value: object, fix: str) -> None:
        super().__init__(f"{place}: {value!r} is refused; {fix}")
        self.place = place
        self.value = value
        self.fix = fix


class ExchangeError(RuntimeError):
    """An exchange that did not answer, or whose answers cannot be used.

    Attributes:
        place: the exchange and what it was asked for, e.g. ``"binance, bars of BTC/USDT"``.
        reason: what it said, or what was wrong with what it said.
        fix: what to do.
    """

    def __init__(self, place: str, reason: str, fix: str) -> None:
        super().__init__(f"{place}: {reason}; {fix}")
        self.place = place
        self.reason = reason
        self.fix = fix
