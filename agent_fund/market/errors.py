"""The one error of the market: it names the file and place, the value seen, and the fix."""

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
