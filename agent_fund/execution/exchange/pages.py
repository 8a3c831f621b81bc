"""Answers that come page by page: rows that two pages share count once, and there is an end."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from agent_fund.execution.exchange.answer import Unclear

Row = TypeVar("Row", bound=Hashable)


class Pages(Generic[Row]):
    """The rows of all pages so far, in the order in which they were told.

    Args:
        size: rows of a full page; after a shorter one there is no other.
        what: is paged, for people.
    """

    def __init__(self, size: int, what: str) -> None:
        self._size = size
        self._what = what
        self._found: dict[Row, None] = {}

    @property
    def rows(self) -> list[Row]:
        """Each once."""
        return list(self._found)

    def more(self, page: Sequence[Row]) -> bool:
        """Take ``page`` over; whether another has to be asked for.

        Raises:
            Unclear: if it is full and brings nothing new: asking on would never end.
        """
        before = len(self._found)
        self._found.update(dict.fromkeys(page))
        if len(page) < self._size:
            return False
        if len(self._found) == before:
            raise Unclear(f"{self._what}: the same page was told again")
        return True
